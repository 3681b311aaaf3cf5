"""Compiled loops over (source, candidate) pairs, on all cores; arrays in, one array out.

numba compiles each at its first call and keeps the result on disk. `rows` is (b,) int32, `others` (b, c) int32 with -1
for none; where there is none the value is NaN.

What a pair gets does not depend on the batch that it is in, to the last bit: sums are taken in one order that is
written down here, never left to a library that orders them by the size of the batch. An article that is published
alone gets the score that it would get in a build.
"""

from __future__ import annotations

import threading
from typing import Any

import numba
import numpy as np
from numba.np.ufunc.parallel import get_thread_id

from simrec.compiling import njit

CHUNKS = 16
"""Parts that a batch is cut into, where each needs scratch memory of its own."""

compiled: Any = njit(parallel=True)
inlined: Any = njit(inline="always")

_memory = threading.local()


def scratch(name: str, width: int, dtype: Any, fill: float = 0) -> Any:
    """(threads, width) of scratch memory, filled at first; whoever uses it leaves it as it was."""
    held = _memory.__dict__.get(name)
    if held is None or held.shape[1] < width or held.shape[0] < numba.get_num_threads():
        held = np.full((numba.get_num_threads(), width + width // 4 + 1), fill, dtype=dtype)
        setattr(_memory, name, held)
    return held


@njit(fastmath={"reassoc", "nsz", "contract"})
def dot(one: Any, two: Any) -> Any:
    """The product of two float32 vectors.

    The compiler may order the additions for speed; it does so once, for the length at hand, whoever calls it.
    """
    total = np.float32(0)
    for at in range(len(one)):
        total += one[at] * two[at]
    return total


def sparse_pairs(one: Any, two: Any, width: int, rows: Any, others: Any) -> Any:
    """(b, c) products of row r of one matrix with row o of another; each a tuple (indptr, indices, data).

    The columns of a row ascend, and the sum is taken in their order.
    """
    return _sparse_pairs(one, two, scratch("terms", width, np.float32), rows, others)


@compiled
def _sparse_pairs(one: Any, two: Any, spreads: Any, rows: Any, others: Any) -> Any:
    one_ptr, one_indices, one_data = one
    two_ptr, two_indices, two_data = two
    out = np.full(others.shape, np.nan, dtype=np.float32)
    for place in numba.prange(len(rows)):
        spread = spreads[get_thread_id()]
        row = rows[place]
        for at in range(one_ptr[row], one_ptr[row + 1]):
            spread[one_indices[at]] = one_data[at]
        for column in range(others.shape[1]):
            other = others[place, column]
            if other >= 0:
                total = np.float32(0)
                for at in range(two_ptr[other], two_ptr[other + 1]):
                    total += spread[two_indices[at]] * two_data[at]
                out[place, column] = total
        for at in range(one_ptr[row], one_ptr[row + 1]):
            spread[one_indices[at]] = 0
    return out


def term_pairs(vectors: Any, rare: Any, lengths: Any, shares: Any, rows: Any, others: Any) -> Any:
    """(b, c, 3): the cosine, the cosine over rare terms alone, and the share of r's title that o's terms name.

    Args:
        vectors: (n, terms) unit rows as (indptr, indices, data); columns ascend.
        rare: (terms,) bool.
        lengths: (n,) float32, the norm of each row's rare terms.
        shares: (n, terms) as `vectors`: each title's share by term, of terms that the row has, too.
        rows, others: as everywhere here.
    """
    width = len(rare)
    spreads, named = scratch("terms", width, np.float32), scratch("named", width, np.float32)
    return _term_pairs(vectors, rare, lengths, shares, spreads, named, rows, others)


@compiled
def _term_pairs(
    vectors: Any, rare: Any, lengths: Any, shares: Any, spreads: Any, named: Any, rows: Any, others: Any
) -> Any:
    ptr, indices, data = vectors
    share_ptr, share_indices, share_data = shares
    out = np.full((others.shape[0], others.shape[1], 3), np.nan, dtype=np.float32)
    for place in numba.prange(len(rows)):
        spread, share = spreads[get_thread_id()], named[get_thread_id()]
        row = rows[place]
        for at in range(ptr[row], ptr[row + 1]):
            spread[indices[at]] = data[at]
        for at in range(share_ptr[row], share_ptr[row + 1]):
            share[share_indices[at]] = share_data[at]
        for column in range(others.shape[1]):
            other = others[place, column]
            if other < 0:
                continue
            whole = of_rare = of_title = np.float32(0)
            for at in range(ptr[other], ptr[other + 1]):
                term = indices[at]
                value = spread[term]
                if value != 0:
                    whole += value * data[at]
                    of_title += share[term]
                    if rare[term]:
                        of_rare += value * data[at]
            norm = lengths[row] * lengths[other]
            out[place, column, 0] = whole
            out[place, column, 1] = of_rare / norm if norm > 0 else np.float32(0)
            out[place, column, 2] = of_title
        for at in range(ptr[row], ptr[row + 1]):
            spread[indices[at]] = 0
        for at in range(share_ptr[row], share_ptr[row + 1]):
            share[share_indices[at]] = 0
    return out


def shared_terms(vectors: Any, telling: Any, row: int, others: Any, most: int) -> Any:
    """(c, most) the terms that weigh most in the cosines of a row with others, -1 at the end; equal ones by number.

    Args:
        vectors: (n, terms) unit rows as (indptr, indices, data); columns ascend.
        telling: (terms,) bool; other terms are listed only where no telling one is shared.
        row: the row.
        others: (c,) int32.
        most: terms to list.
    """
    ptr, indices, data = vectors
    return _shared_terms(ptr, indices, data, telling, scratch("terms", len(telling), np.float32)[0], row, others, most)


@njit()
def _shared_terms(
    ptr: Any, indices: Any, data: Any, telling: Any, spread: Any, row: int, others: Any, most: int
) -> Any:
    out = np.full((len(others), most), -1, dtype=np.int32)
    weights = np.empty(most, dtype=np.float32)
    for at in range(ptr[row], ptr[row + 1]):
        spread[indices[at]] = data[at]
    for place in range(len(others)):
        other = others[place]
        any_telling = False
        for at in range(ptr[other], ptr[other + 1]):
            if spread[indices[at]] > 0 and telling[indices[at]]:
                any_telling = True
                break
        count = 0
        for at in range(ptr[other], ptr[other + 1]):
            term = indices[at]
            weight = spread[term] * data[at]
            if weight <= 0 or (any_telling and not telling[term]):
                continue
            if count == most and weight <= weights[most - 1]:
                continue
            count = min(count + 1, most)
            behind = count - 1
            while behind > 0 and weights[behind - 1] < weight:
                weights[behind], out[place, behind] = weights[behind - 1], out[place, behind - 1]
                behind -= 1
            weights[behind], out[place, behind] = weight, term
    for at in range(ptr[row], ptr[row + 1]):
        spread[indices[at]] = 0
    return out


def share_pairs(vectors: Any, shares: Any, width: int, rows: Any, others: Any) -> Any:
    """(b, c) the share of o's title that r's terms name; arguments as those of `term_pairs`."""
    return _share_pairs(vectors, shares, scratch("terms", width, np.float32), rows, others)


@compiled
def _share_pairs(vectors: Any, shares: Any, spreads: Any, rows: Any, others: Any) -> Any:
    ptr, indices, _ = vectors
    share_ptr, share_indices, share_data = shares
    out = np.full(others.shape, np.nan, dtype=np.float32)
    for place in numba.prange(len(rows)):
        spread = spreads[get_thread_id()]
        row = rows[place]
        for at in range(ptr[row], ptr[row + 1]):
            spread[indices[at]] = 1
        for column in range(others.shape[1]):
            other = others[place, column]
            if other >= 0:
                total = np.float32(0)
                for at in range(share_ptr[other], share_ptr[other + 1]):
                    total += spread[share_indices[at]] * share_data[at]
                out[place, column] = total
        for at in range(ptr[row], ptr[row + 1]):
            spread[indices[at]] = 0
    return out


@compiled
def time_pairs(published: Any, rows: Any, others: Any) -> Any:
    """(b, c) float32: ln(1 + days) from r to o, with the sign of the difference; NaN where a date is missing."""
    out = np.full(others.shape, np.nan, dtype=np.float32)
    for place in numba.prange(len(rows)):
        for column in range(others.shape[1]):
            other = others[place, column]
            if other >= 0:
                days = (published[other] - published[rows[place]]) / 86_400.0
                out[place, column] = np.log1p(days) if days > 0 else -np.log1p(-days)
    return out


@compiled
def dense_pairs(one: Any, two: Any, rows: Any, others: Any) -> Any:
    """(b, c) products of row r of one (n, d) matrix with row o of another."""
    out = np.full(others.shape, np.nan, dtype=np.float32)
    for place in numba.prange(len(rows)):
        own = one[rows[place]]
        for column in range(others.shape[1]):
            other = others[place, column]
            if other >= 0:
                out[place, column] = dot(own, two[other])
    return out


@compiled
def dense_scans(vectors: Any, rows: Any, out: Any, space: int) -> None:
    """Fills out[:, space] of (r, s, n) with the products of some rows with all rows, themselves too.

    Each of the (n, d) vectors is read once for all of the rows.
    """
    for other in numba.prange(len(vectors)):
        theirs = vectors[other]
        for place in range(len(rows)):
            out[place, space, other] = dot(vectors[rows[place]], theirs)


@compiled
def best_passages(vectors: Any, starts: Any, rows: Any, others: Any) -> Any:
    """(b, c, 2): the best cosine of any two passages, and the mean of each source passage's best.

    `vectors` (m, d) are all passages, those of article a from starts[a] to starts[a + 1].
    """
    out = np.full((others.shape[0], others.shape[1], 2), np.nan, dtype=np.float32)
    for place in numba.prange(len(rows)):
        first, last = starts[rows[place]], starts[rows[place] + 1]
        for column in range(others.shape[1]):
            other = others[place, column]
            if other < 0 or first == last or starts[other] == starts[other + 1]:
                continue
            best, total = np.float32(-1), np.float32(0)
            for own in range(first, last):
                top = np.float32(-1)
                for theirs in range(starts[other], starts[other + 1]):
                    top = max(top, dot(vectors[own], vectors[theirs]))
                best = max(best, top)
                total += top
            out[place, column, 0] = best
            out[place, column, 1] = total / np.float32(last - first)
    return out
