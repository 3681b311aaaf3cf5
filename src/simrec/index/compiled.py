"""Compiled selection of the best, for the loops of all indexes.

Nothing here holds Python's lock, so that threads run side by side. numba compiles each function at its first call and
keeps the result on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from simrec.compiling import njit

BLOCK = 16
"""Scores whose highest is looked at before any of them: those a fixed stride apart, which compiles to vector code."""
HALVINGS = 24
"""Steps in the search for a floor."""

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiles a function that does what it says, in the order that it says."""
    return cast(Function, njit()(function))


def reordered(function: Function) -> Function:
    """Compiles a function whose additions may be reordered, which makes sums several times faster.

    The order is one and the same in every call: the same numbers give the same sum.
    """
    return cast(Function, njit(fastmath={"reassoc", "contract", "nsz", "nnan"})(function))


@reordered
def highest(sums: Any, rests: Any, weight: Any, tops: Any) -> None:
    """Writes the highest of sums + weight x rests in each block; block b holds the places b, b + len(tops), ..."""
    stride = len(tops)
    tops[:] = -np.inf
    for first in range(0, len(sums), stride):
        some, more = sums[first : first + stride], rests[first : first + stride]
        for place in range(len(some)):
            score = some[place] + weight * more[place]
            tops[place] = score if score > tops[place] else tops[place]


@reordered
def highest_of(scores: Any, tops: Any) -> None:
    """As `highest`, of plain scores."""
    stride = len(tops)
    tops[:] = -np.inf
    for first in range(0, len(scores), stride):
        some = scores[first : first + stride]
        for place in range(len(some)):
            tops[place] = some[place] if some[place] > tops[place] else tops[place]


@reordered
def _reached(scores: Any, floor: Any) -> Any:
    """How many scores reach a floor."""
    count = 0
    for place in range(len(scores)):
        count += scores[place] >= floor
    return count


@reordered
def _least(scores: Any) -> Any:
    least = scores[0]
    for place in range(len(scores)):
        least = min(least, scores[place])
    return least


@reordered
def _most(scores: Any) -> Any:
    most = scores[0]
    for place in range(len(scores)):
        most = max(most, scores[place])
    return most


@compiled
def floor_of(scores: Any, k: Any) -> Any:
    """A score that at least k reach, and few more; -inf where one of them is -inf or there are fewer.

    Halving the range takes a dozen runs over the scores, which are vector code and no branch.
    """
    low, high = _least(scores), _most(scores)
    if low == -np.inf or len(scores) < k:
        return np.float32(-np.inf)
    for _ in range(HALVINGS):
        middle = np.float32(0.5) * (low + high)
        count = _reached(scores, middle)
        if count >= k:
            low = middle
            if count <= k + k // 16:
                break
        else:
            high = middle
    return low


@compiled
def better(score: Any, row: Any, than_score: Any, than_row: Any) -> Any:
    """Whether a score comes first: higher, or equal and of an earlier row."""
    return score > than_score or (score == than_score and row < than_row)


@compiled
def push(scores: Any, rows: Any, size: Any, score: Any, row: Any) -> Any:
    """Puts a row among the best, a heap with the worst on top; returns how many there are now."""
    k = len(scores)
    if size < k:
        place = size
        while place > 0:
            parent = (place - 1) >> 1
            if not better(scores[parent], rows[parent], score, row):
                break
            scores[place], rows[place] = scores[parent], rows[parent]
            place = parent
        scores[place], rows[place] = score, row
        return size + 1
    if better(score, row, scores[0], rows[0]):
        _sink(scores, rows, k, score, row)
    return size


@compiled
def _sink(scores: Any, rows: Any, size: Any, score: Any, row: Any) -> None:
    """Replaces the top of a heap of `size`."""
    place = 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and better(scores[child], rows[child], scores[child + 1], rows[child + 1]):
            child += 1
        if not better(score, row, scores[child], rows[child]):
            break
        scores[place], rows[place] = scores[child], rows[child]
        place = child
    scores[place], rows[place] = score, row


@compiled
def unload(scores: Any, rows: Any, size: Any, out_rows: Any, out_scores: Any) -> None:
    """Empties a heap of `size`, best first; the place that it is written to may be the heap itself."""
    for place in range(size - 1, -1, -1):
        worst_score, worst_row = scores[0], rows[0]
        _sink(scores, rows, place, scores[place], rows[place])
        out_rows[place], out_scores[place] = worst_row, worst_score


@compiled
def select(scores: Any, rows: Any, size: Any, k: Any) -> None:
    """Moves the k highest of the first `size` to the front, in any order (Hoare 1961)."""
    low, high = 0, size - 1
    while low < high:
        pivot = scores[(low + high) >> 1]
        left, right = low, high
        while left <= right:
            while scores[left] > pivot:
                left += 1
            while scores[right] < pivot:
                right -= 1
            if left <= right:
                scores[left], scores[right] = scores[right], scores[left]
                rows[left], rows[right] = rows[right], rows[left]
                left, right = left + 1, right - 1
        if k - 1 <= right:
            high = right
        elif k - 1 >= left:
            low = left
        else:
            return
