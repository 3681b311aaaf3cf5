"""Compiled loops over the ranked lists of all pages, (n, m) rows and their scores: rows that come, and rows that go.

A list has the best of a page's candidates, best first, -1 at the end; `more` says whether there are others beyond it.
What stands in it does not depend on the order in which rows come.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from simrec.compiling import njit
from simrec.rank.kernels import compiled, inlined


@compiled
def insert(
    lists: Any, scores: Any, more: Any, starts: Any, pages: Any, rows: Any, gained: Any, published: Any, order: Any
) -> Any:
    """Puts rows into the ranked lists of pages; (p,) where each stood when it came, -1 for not among the best.

    Args:
        lists, scores: (n, m), changed here.
        more: (n,) bool, changed here.
        starts: (q + 1,) where each page's entries of the next three begin.
        pages, rows: (p,) int32, entries of a page together: the page, and the newcomer.
        gained: (p,) float32, its score for the page.
        published, order: (n,) what settles equal scores: newer first, then by the place of the id.
    """
    found = np.full(len(pages), -1, dtype=np.int32)
    for one in numba.prange(len(starts) - 1):
        for place in range(starts[one], starts[one + 1]):
            found[place] = _insert_one(lists, scores, more, pages[place], rows[place], gained[place], published, order)
    return found


@njit()
def _insert_one(lists: Any, scores: Any, more: Any, page: int, row: int, score: Any, published: Any, order: Any) -> Any:
    length, count = lists.shape[1], 0
    while count < length and lists[page, count] >= 0:
        count += 1
    at = count
    while at > 0 and _before(score, row, scores[page, at - 1], lists[page, at - 1], published, order):
        at -= 1
    if at == length or (at == count and more[page]):
        more[page] = True
        return -1
    if count == length:
        more[page] = True
        count -= 1
    for behind in range(count, at, -1):
        lists[page, behind] = lists[page, behind - 1]
        scores[page, behind] = scores[page, behind - 1]
    lists[page, at], scores[page, at] = row, score
    return at


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


@compiled
def remove(lists: Any, scores: Any, gone: Any) -> Any:
    """Takes rows, `gone` (n,) bool, out of all lists; (n,) int32 the first place where one stood, -1 for none."""
    first = np.full(len(lists), -1, dtype=np.int32)
    for page in numba.prange(len(lists)):
        kept, end = 0, 0
        while end < lists.shape[1] and lists[page, end] >= 0:
            row = lists[page, end]
            if gone[row]:
                if first[page] < 0:
                    first[page] = end
            else:
                if kept < end:
                    lists[page, kept], scores[page, kept] = row, scores[page, end]
                kept += 1
            end += 1
        for at in range(kept, end):
            lists[page, at], scores[page, at] = -1, -np.inf
    return first


@compiled
def hold(lists: Any, rows: Any) -> Any:
    """(n,) bool: whether one of some rows, (n,) bool, stands in each page's list."""
    out = np.zeros(len(lists), dtype=np.bool_)
    for page in numba.prange(len(lists)):
        for at in range(lists.shape[1]):
            if lists[page, at] >= 0 and rows[lists[page, at]]:
                out[page] = True
                break
    return out
