"""Compiled loops over the scores of pairs; see `simrec.rank.kernels` for how they are called."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from simrec.rank.kernels import compiled, inlined


@compiled
def standardize(scores: Any, mean: Any, sd: Any, rows: Any, others: Any) -> Any:
    """(b, c, 2): a part's scores as dampened z-scores, as the sources see the candidates, and as they see the sources.

    Args:
        scores: (b, c) float32, any number where there is no candidate.
        mean, sd: (n,) float32 of each row; where a part does not vary, sd is 0 and so is the z-score.
        rows, others: as everywhere here.
    """
    out = np.zeros((others.shape[0], others.shape[1], 2), dtype=np.float32)
    for place in numba.prange(len(rows)):
        row = rows[place]
        for column in range(others.shape[1]):
            other = others[place, column]
            if other >= 0:
                out[place, column, 0] = _dampened(scores[place, column], mean[row], sd[row])
                out[place, column, 1] = _dampened(scores[place, column], mean[other], sd[other])
    return out


@inlined
def _dampened(score: Any, mean: Any, sd: Any) -> Any:
    if sd <= np.float32(1e-6):
        return np.float32(0)
    z = (score - mean) / sd
    if z > 0:
        return np.float32(np.log1p(z))
    return z * np.float32(0.1)


@compiled
def row_moments(scores: Any, rows: Any, others: Any) -> Any:
    """(b, 2) float64: mean and standard deviation of each row's scores (b, s) with others (s,), itself left out."""
    out = np.zeros((len(rows), 2), dtype=np.float64)
    for place in numba.prange(len(rows)):
        total, count = 0.0, 0
        for column in range(len(others)):
            if others[column] != rows[place]:
                total += scores[place, column]
                count += 1
        if count:
            mean, squares = total / count, 0.0
            for column in range(len(others)):
                if others[column] != rows[place]:
                    squares += (scores[place, column] - mean) ** 2
            out[place, 0], out[place, 1] = mean, np.sqrt(squares / count)
    return out


@compiled
def sparse_products(vectors: Any, inverted: Any, columns: int, rows: Any) -> Any:
    """(b, columns) float32: products of rows with the rows of another matrix, given by its inverted lists.

    Args:
        vectors: (n, terms) as (indptr, indices, data); columns ascend.
        inverted: (starts, where, values) of the other matrix: the rows that have each term.
        columns: rows of the other matrix.
        rows: (b,) int32.
    """
    ptr, indices, data = vectors
    starts, where, values = inverted
    out = np.zeros((len(rows), columns), dtype=np.float32)
    for place in numba.prange(len(rows)):
        for at in range(ptr[rows[place]], ptr[rows[place] + 1]):
            term, value = indices[at], data[at]
            for entry in range(starts[term], starts[term + 1]):
                out[place, where[entry]] += value * values[entry]
    return out


@compiled
def equal_codes(codes: Any, rows: Any, others: Any) -> Any:
    """(b, c) float32: 1 where two rows have the same code, 0 elsewhere, and where it is -1."""
    out = np.zeros(others.shape, dtype=np.float32)
    for place in numba.prange(len(rows)):
        own = codes[rows[place]]
        for column in range(others.shape[1]):
            other = others[place, column]
            if own >= 0 and other >= 0 and codes[other] == own:
                out[place, column] = 1
    return out


@compiled
def closeness(published: Any, unit: float, usual: float, rows: Any, others: Any) -> Any:
    """(b, c) float32: -ln(1 + time between the dates), in `unit`s of seconds; `usual` units where a date is missing."""
    out = np.zeros(others.shape, dtype=np.float32)
    for place in numba.prange(len(rows)):
        for column in range(others.shape[1]):
            other = others[place, column]
            if other >= 0:
                apart = abs(published[rows[place]] - published[other]) / unit
                out[place, column] = -np.log1p(usual if np.isnan(apart) else apart)
    return out


@compiled
def places_in_lists(lists: Any, scores: Any, rows: Any, others: Any) -> Any:
    """(b, c, 2): how many of r's nearest are nearer than o, and how many of o's are nearer than r.

    For an article of the list that is its place, from 0; for others it is where it would stand.

    Args:
        lists: (n, k) float32 scores of each row's nearest, descending, -inf for none.
        scores: (b, c) float32 of the pairs; 0 is not near at all.
        rows, others: as everywhere here.
    """
    out = np.full((others.shape[0], others.shape[1], 2), np.nan, dtype=np.float32)
    for place in numba.prange(len(rows)):
        for column in range(others.shape[1]):
            other = others[place, column]
            if other >= 0:
                out[place, column, 0] = _place(lists[rows[place]], scores[place, column])
                out[place, column, 1] = _place(lists[other], scores[place, column])
    return out


@compiled
def places_among(lists: Any, scores: Any, rows: Any, others: Any) -> Any:
    """(b, c) float32: how many values of each page's own list (n, k), descending, are above a score (b, c)."""
    out = np.full(others.shape, np.nan, dtype=np.float32)
    for place in numba.prange(len(rows)):
        for column in range(others.shape[1]):
            if others[place, column] >= 0:
                out[place, column] = _above(lists[rows[place]], scores[place, column])
    return out


@inlined
def _place(values: Any, score: Any) -> Any:
    return len(values) if score == 0 else _above(values, score)


@inlined
def _above(values: Any, score: Any) -> Any:
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle] > score:
            low = middle + 1
        else:
            high = middle
    return low
