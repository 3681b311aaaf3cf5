"""Compiled loops over words in their order; see `simrec.rank.kernels` for how they are called."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.np.ufunc.parallel import get_thread_id

from simrec.compiling import njit
from simrec.rank.kernels import compiled, scratch


def title_runs(titles: Any, bodies: Any, weights: Any, rows: Any, others: Any) -> Any:
    """(b, c, 2): the longest run of words of o's title in r's body, and of r's title in o's body.

    A run is measured by its words' weight, as a share of the title's; one word alone counts only where it is all of the
    title. NaN for a title without words.

    Args:
        titles, bodies: (indptr, words) each: (n + 1,) and word numbers, in the order of the text.
        weights: of the words.
        rows: (b,) int32.
        others: (b, c) int32.
    """
    longest = max(int((starts[1:][rows] - starts[:-1][rows]).max(initial=1)) for starts in (titles[0], bodies[0]))
    heads = scratch("head", len(weights), np.int32, -1)
    return _title_runs(titles, bodies, weights, heads, scratch("after", longest, np.int32), rows, others)


@compiled
def _title_runs(titles: Any, bodies: Any, weights: Any, heads: Any, afters: Any, rows: Any, others: Any) -> Any:
    title_ptr, title_words = titles
    body_ptr, body_words = bodies
    out = np.full((others.shape[0], others.shape[1], 2), np.nan, dtype=np.float32)
    for place in numba.prange(len(rows)):
        head, after = heads[get_thread_id()], afters[get_thread_id()]
        row = rows[place]
        body = body_words[body_ptr[row] : body_ptr[row + 1]]
        title = title_words[title_ptr[row] : title_ptr[row + 1]]
        _index(body, head, after)
        for column in range(others.shape[1]):
            other = others[place, column]
            if other >= 0:
                theirs = title_words[title_ptr[other] : title_ptr[other + 1]]
                out[place, column, 0] = _best_run(theirs, body, head, after, weights, theirs)
        for word in body:
            head[word] = -1
        _index(title, head, after)
        for column in range(others.shape[1]):
            other = others[place, column]
            if other >= 0:
                theirs = body_words[body_ptr[other] : body_ptr[other + 1]]
                out[place, column, 1] = _best_run(theirs, title, head, after, weights, title)
        for word in title:
            head[word] = -1
    return out


@njit()
def _index(words: Any, head: Any, after: Any) -> None:
    """Chains the places of each word: head[w] is the first, after[p] the next one."""
    for at in range(len(words) - 1, -1, -1):
        after[at] = head[words[at]]
        head[words[at]] = at


@njit()
def _best_run(read: Any, indexed: Any, head: Any, after: Any, weights: Any, title: Any) -> Any:
    """The weight of the weightiest run of words that both have, over that of the title."""
    best, whole = np.float32(0), np.float32(0)
    for word in title:
        whole += weights[word]
    if whole <= 0:
        return np.float32(np.nan)
    for at in range(len(read)):
        place = head[read[at]]
        while place >= 0:
            if at == 0 or place == 0 or read[at - 1] != indexed[place - 1]:
                length, weight = 0, np.float32(0)
                while (
                    at + length < len(read)
                    and place + length < len(indexed)
                    and read[at + length] == indexed[place + length]
                ):
                    weight += weights[read[at + length]]
                    length += 1
                if length > 1 or length == len(title):
                    best = max(best, weight)
            place = after[place]
    return best / whole
