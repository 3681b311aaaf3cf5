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


def invert(vectors: Any) -> Inverted:
    """The inverted lists of a sparse matrix, (indptr, indices, data) and `shape`."""
    n, width = vectors.shape
    starts, where, data = _invert(vectors.indptr, vectors.indices, vectors.data, n, width)
    return Inverted(n, starts, where, data)


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


def sparse_scan(inverted: Inverted, vectors: Any, row: int) -> NDArray[np.float32]:
    """(n,) float32: the products of a row with all rows, itself too; those that `inverted` does not know one by one."""
    found: NDArray[np.float32] = _sparse_scan(
        inverted.starts, inverted.where, inverted.data, inverted.rows,
        vectors.indptr, vectors.indices, vectors.data, len(vectors.indptr) - 1, row,
    )  # fmt: skip
    return found


@njit()
def _sparse_scan(
    starts: Any, where: Any, values: Any, known: int, ptr: Any, indices: Any, data: Any, n: int, row: int
) -> Any:
    out = np.zeros(n, dtype=np.float32)
    terms, width = len(starts) - 1, 0
    for at in range(ptr[row], ptr[row + 1]):
        term, value = indices[at], data[at]
        width = max(width, term + 1)
        if term < terms:
            for place in range(starts[term], starts[term + 1]):
                out[where[place]] += value * values[place]
    if known < n:
        own = np.zeros(width, dtype=np.float32)
        for at in range(ptr[row], ptr[row + 1]):
            own[indices[at]] = data[at]
        for other in range(known, n):
            total = np.float32(0)
            for at in range(ptr[other], ptr[other + 1]):
                if indices[at] < width:
                    total += own[indices[at]] * data[at]
            out[other] = total
    return out


@njit()
def time_scan(published: Any, row: int) -> Any:
    """(n,) float32: minus the days between a row and all rows, less 1, so that no score is 0; NaN without a date."""
    out = np.empty(len(published), dtype=np.float32)
    for other in range(len(published)):
        out[other] = -1 - abs(published[row] - published[other]) / DAY
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


@inlined
def _before(score: Any, row: Any, other_score: Any, other: Any, published: Any, order: Any) -> Any:
    """Whether a row stands before another one: higher, newer, or first by id."""
    if score != other_score:
        return score > other_score
    own, theirs = published[row], published[other]
    if np.isnan(own) != np.isnan(theirs):
        return not np.isnan(own)
    if own != theirs and not np.isnan(own):
        return own > theirs
    return order[row] < order[other]


@njit()
def insert(lists: Any, scores: Any, more: Any, pages: Any, row: int, gained: Any, published: Any, order: Any) -> Any:
    """Puts a row into the ranked lists of some pages; (p,) where it stands now, -1 where it is not among the best.

    Args:
        lists, scores: (n, m) rows, best first, -1 at the end, and their scores; changed here.
        more: (n,) bool: whether a page has candidates beyond its list; changed here.
        pages: (p,) int32.
        row: the newcomer.
        gained: (p,) float32, its score for each page.
        published, order: (n,) what settles equal scores: newer first, then by the place of the id.
    """
    found = np.full(len(pages), -1, dtype=np.int32)
    length = lists.shape[1]
    for place in range(len(pages)):
        page, score = pages[place], gained[place]
        count = 0
        while count < length and lists[page, count] >= 0:
            count += 1
        at = count
        while at > 0 and _before(score, row, scores[page, at - 1], lists[page, at - 1], published, order):
            at -= 1
        if at == length or (at == count and more[page]):
            more[page] = True
            continue
        if count == length:
            more[page] = True
            count -= 1
        for behind in range(count, at, -1):
            lists[page, behind] = lists[page, behind - 1]
            scores[page, behind] = scores[page, behind - 1]
        lists[page, at], scores[page, at] = row, score
        found[place] = at
    return found


@njit()
def remove(lists: Any, scores: Any, row: int) -> Any:
    """Takes a row out of all ranked lists; the pages that had it, and the places where it stood."""
    pages, places = [numba.int32(0) for _ in range(0)], [numba.int32(0) for _ in range(0)]
    n, length = lists.shape
    for page in range(n):
        for at in range(length):
            if lists[page, at] == row:
                for behind in range(at, length - 1):
                    lists[page, behind] = lists[page, behind + 1]
                    scores[page, behind] = scores[page, behind + 1]
                lists[page, length - 1], scores[page, length - 1] = -1, -np.inf
                pages.append(numba.int32(page))
                places.append(numba.int32(at))
                break
    return np.array(pages, dtype=np.int32), np.array(places, dtype=np.int32)


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
