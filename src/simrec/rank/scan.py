"""Compiled loops over one row and all others: what an article that is published alone is compared by.

A score here is that of `simrec.rank.kernels` for the same two rows, to the last bit: the same products in one order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from simrec.compiling import njit
from simrec.rank.kernels import compiled, inlined

DAY = 86_400.0


class Inverted(NamedTuple):
    """The rows of each term, for the first `rows` rows of a sparse matrix.

    Attributes:
        rows: how many rows it knows.
        starts: (terms + 1,) where each term's rows begin.
        where: row numbers, ascending in each term.
        data: the values there.
    """

    rows: int
    starts: NDArray[np.int64]
    where: NDArray[np.int32]
    data: NDArray[np.float32]


def invert(vectors: Any, first: int = 0) -> Inverted:
    """The inverted lists of a sparse matrix, (indptr, indices, data) and `shape`, or of its rows from `first` on."""
    n, width = vectors.shape
    ptr = vectors.indptr[first:] - vectors.indptr[first]
    begin, end = int(vectors.indptr[first]), int(vectors.indptr[n])
    starts, where, data = _invert(ptr, vectors.indices[begin:end], vectors.data[begin:end], n - first, width)
    return Inverted(n - first, starts, where, data)


@njit()
def _invert(ptr: Any, indices: Any, data: Any, n: int, width: int) -> Any:
    counts = np.zeros(width + 1, dtype=np.int64)
    for at in range(ptr[n]):
        counts[indices[at] + 1] += 1
    starts = np.cumsum(counts)
    free = starts[:-1].copy()
    where, values = np.empty(ptr[n], dtype=np.int32), np.empty(ptr[n], dtype=np.float32)
    for row in range(n):
        for at in range(ptr[row], ptr[row + 1]):
            term = indices[at]
            where[free[term]] = row
            values[free[term]] = data[at]
            free[term] += 1
    return starts, where, values


def sparse_scans(
    inverted: Inverted, vectors: Any, rows: Any, out: Any, space: int, later: Inverted | None = None
) -> None:
    """Fills out[:, space] of (r, s, n) with the products of some rows of a sparse matrix with all, themselves too.

    Rows that neither `inverted` nor `later`, of the rows behind its own, knows are looked at one by one.
    """
    for first, part in ((0, inverted), (inverted.rows, later)):
        if part is not None:
            _listed_scans(
                part.starts, part.where, part.data, vectors.indptr, vectors.indices, vectors.data,
                rows, out[:, space, first : first + part.rows],
            )  # fmt: skip
    known = inverted.rows + (later.rows if later else 0)
    if known < vectors.shape[0]:
        _plain_scans(known, vectors.indptr, vectors.indices, vectors.data, rows, out[:, space])


@compiled
def _listed_scans(starts: Any, where: Any, values: Any, ptr: Any, indices: Any, data: Any, rows: Any, out: Any) -> None:
    terms = len(starts) - 1
    for place in numba.prange(len(rows)):
        row, found = rows[place], out[place]
        found[:] = 0
        for at in range(ptr[row], ptr[row + 1]):
            term, value = indices[at], data[at]
            if term < terms:
                for entry in range(starts[term], starts[term + 1]):
                    found[where[entry]] += value * values[entry]


@compiled
def _plain_scans(known: int, ptr: Any, indices: Any, data: Any, rows: Any, out: Any) -> None:
    for place in numba.prange(len(rows)):
        row, width = rows[place], 0
        for at in range(ptr[row], ptr[row + 1]):
            width = max(width, indices[at] + 1)
        own = np.zeros(width, dtype=np.float32)
        for at in range(ptr[row], ptr[row + 1]):
            own[indices[at]] = data[at]
        for other in range(known, len(ptr) - 1):
            total = np.float32(0)
            for at in range(ptr[other], ptr[other + 1]):
                if indices[at] < width:
                    total += own[indices[at]] * data[at]
            out[place, other] = total


@compiled
def time_scans(published: Any, rows: Any, out: Any, space: int) -> None:
    """Fills out[:, space] of (r, s, n) with minus the days between rows and all rows, see `time_pairs`."""
    for place in numba.prange(len(rows)):
        for other in range(len(published)):
            out[place, space, other] = _nearness(published[rows[place]], published[other])


@compiled
def time_pairs(published: Any, rows: Any, others: Any) -> Any:
    """(b, c) float32: minus the days between two rows, less 1, so that no score is 0; NaN without a date."""
    out = np.full(others.shape, np.nan, dtype=np.float32)
    for place in numba.prange(len(rows)):
        for column in range(others.shape[1]):
            if others[place, column] >= 0:
                out[place, column] = _nearness(published[rows[place]], published[others[place, column]])
    return out


@inlined
def _nearness(one: Any, other: Any) -> Any:
    return np.float32(-1 - abs(one - other) / DAY)


@compiled
def bests(scores: Any, among: Any, most: int) -> Any:
    """(b, most) int32: for each of b rows what `best` gives of its scores (b, n) among (b, m), -1 at the end."""
    out = np.full((len(scores), most), -1, dtype=np.int32)
    for place in numba.prange(len(scores)):
        found = best(scores[place], among[place], most)
        out[place, : len(found)] = found
    return out


@njit()
def best(scores: Any, among: Any, most: int) -> Any:
    """(b,) rows of the best scores among some, best first, equal ones in order of row; b at most `most`.

    Args:
        scores: (n,) float32; 0 or NaN is nothing shared.
        among: (m,) bool, of the first m rows; m at most n.
        most: how many.
    """
    heap = np.empty(most, dtype=np.int32)
    count = 0
    for row in range(len(among)):
        score = scores[row]
        if not among[row] or score == 0 or np.isnan(score):
            continue
        if count < most:
            at = count
            count += 1
        elif score > scores[heap[0]]:  # an equal one that comes later stands behind
            at = 0
        else:
            continue
        heap[at] = row
        if at:
            while at and _worse(scores, heap[at], heap[(at - 1) // 2]):
                up = (at - 1) // 2
                heap[at], heap[up] = heap[up], heap[at]
                at = up
        else:
            _sift(scores, heap, count)
    for end in range(count - 1, 0, -1):
        heap[0], heap[end] = heap[end], heap[0]
        _sift(scores, heap, end)
    return heap[:count]


@njit()
def _worse(scores: Any, one: Any, other: Any) -> Any:
    return scores[one] < scores[other] or (scores[one] == scores[other] and one > other)


@njit()
def _sift(scores: Any, heap: Any, count: int) -> None:
    """Lets the first entry sink to its place: the worst of all comes first."""
    at = 0
    while 2 * at + 1 < count:
        child = 2 * at + 1
        if child + 1 < count and _worse(scores, heap[child + 1], heap[child]):
            child += 1
        if not _worse(scores, heap[child], heap[at]):
            return
        heap[at], heap[child] = heap[child], heap[at]
        at = child


@njit()
def distinct(ranked: Any, numbers: Any, most: int) -> Any:
    """For pages whose only rule is that no story comes twice: what is chosen of their candidates, (b, c) best first.

    Returns:
        places (b, most) int32 in the list, -1 at the end; how many candidates there are, and how many of them are
        copies of one above, (b,) each.
    """
    b, c = ranked.shape
    places = np.full((b, most), -1, dtype=np.int32)
    there, copies = np.zeros(b, dtype=np.int64), np.zeros(b, dtype=np.int64)
    seen = np.empty(c, dtype=np.int32)
    for page in range(b):
        count = 0
        for at in range(c):
            row = ranked[page, at]
            if row < 0:
                break
            there[page] += 1
            again = False
            for other in range(count):
                if seen[other] == numbers[row]:
                    again = True
                    break
            if again:
                copies[page] += 1
                continue
            seen[count] = numbers[row]
            if count < most:
                places[page, count] = at
            count += 1
    return places, there, copies


@njit()
def reaches(scores: Any, marks: Any) -> Any:
    """(n,) bool: whether one of a row's scores with each other row, (s, n) by space, reaches its own marks (s,)."""
    spaces, n = scores.shape
    out = np.zeros(n, dtype=np.bool_)
    for space in range(spaces):
        mark = marks[space]
        for other in range(n):
            score = scores[space, other]
            if score != 0 and score >= mark:
                out[other] = True
    return out


@njit()
def reached(scores: Any, marks: Any) -> Any:
    """(n,) bool: whether one of a row's scores with each other row, (s, n), reaches the other one's marks (n, s)."""
    spaces, n = scores.shape
    out = np.zeros(n, dtype=np.bool_)
    for other in range(n):
        for space in range(spaces):
            score = scores[space, other]
            if score != 0 and score >= marks[other, space]:
                out[other] = True
                break
    return out


@compiled
def cut_lists(lists: Any, scores: Any, starts: Any, chosen: Any, gap: float) -> Any:
    """(b, s) float32: for each space the mark that the chosen rows of its list reach, and nobody else.

    A list counts as far as all its rows are chosen. The mark lies between the score there and the next one, far enough
    from both that no rounding crosses it: where there is no such gap, further up. -inf where a list ends before it is
    cut, inf where nothing of it counts.

    Args:
        lists, scores: (b, w) the lists of all spaces, side by side, best first; each longer by one than it may count.
        starts: (s + 1,) where each begins.
        chosen: (b, c) rows, ascending, -1 at the end.
        gap: the least difference of two scores that no rounding makes.
    """
    spaces = len(starts) - 1
    out = np.empty((len(lists), spaces), dtype=np.float32)
    for page in numba.prange(len(lists)):
        count = 0
        while count < chosen.shape[1] and chosen[page, count] >= 0:
            count += 1
        rows = chosen[page, :count]
        for space in range(spaces):
            at, end = starts[space], starts[space + 1]
            while at < end - 1 and lists[page, at] >= 0:
                place = np.searchsorted(rows, lists[page, at])
                if place == count or rows[place] != lists[page, at]:
                    break
                at += 1
            if lists[page, at] < 0:
                out[page, space] = -np.inf
                continue
            while at > starts[space] and scores[page, at - 1] - scores[page, at] < gap:
                at -= 1
            if at == starts[space]:
                out[page, space] = np.inf
            else:
                out[page, space] = (scores[page, at - 1] + scores[page, at]) / np.float32(2)
    return out
