"""Compiled loops over (source, candidate) pairs, on all cores; arrays in, one array out.

numba compiles each at its first call and keeps the result on disk. `rows` is (b,) int32, `others` (b, c) int32 with -1
for none; where there is none the value is NaN.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

CHUNKS = 16
"""Parts that a batch is cut into; each has scratch memory of its own."""

_compiled: Any = numba.njit(parallel=True, cache=True, nogil=True)


@_compiled
def sparse_pairs(one: Any, two: Any, width: int, rows: Any, others: Any) -> Any:
    """(b, c) products of row r of one matrix with row o of another; each a tuple (indptr, indices, data)."""
    one_ptr, one_indices, one_data = one
    two_ptr, two_indices, two_data = two
    out = np.full(others.shape, np.nan, dtype=np.float32)
    for chunk in numba.prange(CHUNKS):
        spread = np.zeros(width, dtype=np.float32)
        for place in range(chunk * len(rows) // CHUNKS, (chunk + 1) * len(rows) // CHUNKS):
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


@_compiled
def dense_pairs(one: Any, two: Any, rows: Any, others: Any) -> Any:
    """(b, c) products of row r of one (n, d) matrix with row o of another."""
    out = np.full(others.shape, np.nan, dtype=np.float32)
    for place in numba.prange(len(rows)):
        for column in range(others.shape[1]):
            other = others[place, column]
            if other >= 0:
                out[place, column] = np.dot(one[rows[place]], two[other])
    return out


@_compiled
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
            products = np.dot(vectors[first:last], vectors[starts[other] : starts[other + 1]].T)
            best, total = np.float32(-1), np.float32(0)
            for i in range(products.shape[0]):
                top = products[i].max()
                best = max(best, top)
                total += top
            out[place, column, 0] = best
            out[place, column, 1] = total / products.shape[0]
    return out


@_compiled
def places_in_lists(lists: Any, rows: Any, others: Any) -> Any:
    """(b, c, 2): the place of o in r's list and of r in o's, from 0; the lists' length where it is not there.

    `lists` is (n, k) int32.
    """
    out = np.full((others.shape[0], others.shape[1], 2), np.nan, dtype=np.float32)
    length = lists.shape[1]
    for place in numba.prange(len(rows)):
        row = rows[place]
        for column in range(others.shape[1]):
            other = others[place, column]
            if other < 0:
                continue
            there, back = length, length
            for at in range(length):
                if lists[row, at] == other:
                    there = at
                    break
            for at in range(length):
                if lists[other, at] == row:
                    back = at
                    break
            out[place, column, 0] = there
            out[place, column, 1] = back
    return out


@_compiled
def votes(picks: Any, n: int, peers: Any, weights: Any, rows: Any, others: Any) -> Any:
    """(b, c, 4): what the peers of each source pick.

    The sum of the weights of the peers that pick o, over that of all; the weight of the best of them; how many there
    are; the place of the first. Picks of r itself are not looked at.

    Args:
        picks: (indptr, indices) of the picks by source number.
        n: articles.
        peers: (b, p) source numbers, best first, -1 for none.
        weights: (b, p) float32.
        rows: (b,) int32.
        others: (b, c) int32.
    """
    ptr, targets = picks
    out = np.full((others.shape[0], others.shape[1], 4), np.nan, dtype=np.float32)
    for chunk in numba.prange(CHUNKS):
        scratch = np.zeros((n, 4), dtype=np.float32)
        for place in range(chunk * len(rows) // CHUNKS, (chunk + 1) * len(rows) // CHUNKS):
            whole = np.float32(1e-9)
            for at in range(peers.shape[1]):
                peer = peers[place, at]
                if peer < 0:
                    continue
                whole += weights[place, at]
                for target in targets[ptr[peer] : ptr[peer + 1]]:
                    if target == rows[place]:
                        continue
                    if scratch[target, 2] == 0:
                        scratch[target, 3] = at
                    scratch[target, 0] += weights[place, at]
                    scratch[target, 1] = max(scratch[target, 1], weights[place, at])
                    scratch[target, 2] += 1
            for column in range(others.shape[1]):
                other = others[place, column]
                if other >= 0:
                    out[place, column, 0] = scratch[other, 0] / whole
                    out[place, column, 1] = scratch[other, 1]
                    out[place, column, 2] = scratch[other, 2]
                    out[place, column, 3] = scratch[other, 3] if scratch[other, 2] else peers.shape[1]
            for at in range(peers.shape[1]):
                if peers[place, at] >= 0:
                    for target in targets[ptr[peers[place, at]] : ptr[peers[place, at] + 1]]:
                        scratch[target] = 0
    return out


@_compiled
def picks_of_candidates(picks: Any, number: Any, hidden: Any, near: Any, scores: Any, rows: Any, others: Any) -> Any:
    """(b, c, 3): how many picks o has itself; the best score of r to one of them, and the sum of its scores.

    NaN where o has no picks that may be looked at; a pick that is not near to r has score 0.

    Args:
        picks: (indptr, indices) of the picks by source number.
        number: (n,) the source number of each row, -1 for none.
        hidden: (b, s) bool: sources whose picks may not be looked at.
        near: (n, k) int32, the rows nearest to each.
        scores: (n, k) float32, of the same.
        rows: (b,) int32.
        others: (b, c) int32.
    """
    ptr, targets = picks
    n = len(number)
    out = np.full((others.shape[0], others.shape[1], 3), np.nan, dtype=np.float32)
    for chunk in numba.prange(CHUNKS):
        scratch = np.zeros(n, dtype=np.float32)
        for place in range(chunk * len(rows) // CHUNKS, (chunk + 1) * len(rows) // CHUNKS):
            row = rows[place]
            for at in range(near.shape[1]):
                if near[row, at] >= 0:
                    scratch[near[row, at]] = max(scores[row, at], np.float32(0))
            for column in range(others.shape[1]):
                other = others[place, column]
                if other < 0 or number[other] < 0 or hidden[place, number[other]]:
                    continue
                best, total, count = np.float32(0), np.float32(0), 0
                for target in targets[ptr[number[other]] : ptr[number[other] + 1]]:
                    if target != row:
                        best = max(best, scratch[target])
                        total += scratch[target]
                        count += 1
                out[place, column, 0] = count
                out[place, column, 1] = best
                out[place, column, 2] = total
            for at in range(near.shape[1]):
                if near[row, at] >= 0:
                    scratch[near[row, at]] = 0
    return out


@_compiled
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
    title_ptr, title_words = titles
    body_ptr, body_words = bodies
    longest = np.diff(body_ptr).max()
    out = np.full((others.shape[0], others.shape[1], 2), np.nan, dtype=np.float32)
    for chunk in numba.prange(CHUNKS):
        head = np.full(len(weights), -1, dtype=np.int32)
        after = np.full(max(longest, 1), -1, dtype=np.int32)
        for place in range(chunk * len(rows) // CHUNKS, (chunk + 1) * len(rows) // CHUNKS):
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


@numba.njit(cache=True, nogil=True)
def _index(words: Any, head: Any, after: Any) -> None:
    """Chains the places of each word: head[w] is the first, after[p] the next one."""
    for at in range(len(words) - 1, -1, -1):
        after[at] = head[words[at]]
        head[words[at]] = at


@numba.njit(cache=True, nogil=True)
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
