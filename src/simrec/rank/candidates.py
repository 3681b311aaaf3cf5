"""The union of several embedders' neighbors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simrec.types import NO_ROW, Mask, Neighbors, Rows


def union(found: Sequence[Neighbors]) -> Rows:
    """Every row that some embedder found, once, ascending; -1 for none, at the end.

    Args:
        found: for each embedder its neighbors of the same b queries.

    Returns:
        (b, c) int32, c as small as the longest list allows, at least 1.

    >>> one = Neighbors(np.array([[5, 2]], np.int32), np.array([[0.9, 0.8]], np.float32))
    >>> two = Neighbors(np.array([[2, -1]], np.int32), np.array([[0.7, -np.inf]], np.float32))
    >>> union([one, two])
    array([[2, 5]], dtype=int32)
    """
    last = np.iinfo(np.int32).max
    rows = np.concatenate([neighbors.rows for neighbors in found], axis=1)
    rows = np.sort(np.where(rows == NO_ROW, last, rows), axis=1)
    rows[:, 1:][rows[:, 1:] == rows[:, :-1]] = last
    rows = np.sort(rows, axis=1)
    longest = int((rows != last).sum(axis=1).max(initial=0))
    rows = rows[:, : max(longest, 1)]
    return np.where(rows == last, NO_ROW, rows).astype(np.int32)


def pool(found: Sequence[Neighbors], quotas: Sequence[int], most: int) -> Rows:
    """The union of ranked lists, cut to those that some list ranks best for its quota.

    A row's claim is the least, over the lists, of its place over the list's quota: each list is read to the same share
    of its quota, however many lists there are and however much they agree.

    Args:
        found: for each source of candidates its neighbors of the same b queries, best first.
        quotas: how many each list brings where all are read to the end.
        most: rows to keep for each query.

    Returns:
        (b, c) int32, ascending, -1 for none, at the end; c at most `most`, at least 1.

    >>> one = Neighbors(np.array([[5, 2, 9]], np.int32), np.array([[0.9, 0.8, 0.7]], np.float32))
    >>> two = Neighbors(np.array([[7, 2, -1]], np.int32), np.array([[0.7, 0.6, -np.inf]], np.float32))
    >>> pool([one, two], [3, 3], 3)
    array([[2, 5, 7]], dtype=int32)
    """
    last = np.iinfo(np.int32).max
    rows = np.concatenate([neighbors.rows[:, :quota] for neighbors, quota in zip(found, quotas, strict=True)], axis=1)
    claims = np.concatenate(
        [np.arange(min(quota, neighbors.rows.shape[1])) / quota for neighbors, quota in zip(found, quotas, strict=True)]
    )
    rows = np.where(rows == NO_ROW, last, rows)
    by_claim = np.argsort(claims, kind="stable")
    rows = rows[:, by_claim]
    order = np.argsort(rows, axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, 1)
    again = np.zeros(rows.shape, dtype=bool)
    np.put_along_axis(again, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], 1)
    gone = again | (rows == last)
    kept = np.argsort(gone, axis=1, kind="stable")[:, :most]
    rows = np.take_along_axis(np.where(gone, last, rows), kept, 1)
    rows = np.sort(rows, axis=1)
    longest = int((rows != last).sum(axis=1).max(initial=0))
    rows = rows[:, : max(longest, 1)]
    return np.where(rows == last, NO_ROW, rows).astype(np.int32)


def by_date(published: NDArray[np.float64], members: Mask) -> Rows:
    """The members that have a date, oldest first."""
    dated = np.flatnonzero(members & ~np.isnan(published)).astype(np.int32)
    return dated[np.argsort(published[dated], kind="stable")]


def places_in_time(published: NDArray[np.float64], dated: Rows, moments: NDArray[np.float64]) -> NDArray[np.int64]:
    """(b,) `np.searchsorted(published[dated], moments)`, of which no more is read than the search looks at."""
    low, high = np.zeros(len(moments), dtype=np.int64), np.full(len(moments), len(dated), dtype=np.int64)
    for _ in range(len(dated).bit_length()):
        middle = (low + high) // 2
        later = published[dated[np.minimum(middle, len(dated) - 1)]] < moments
        low, high = np.where((low < high) & later, middle + 1, low), np.where(later, high, middle)
    return low


def nearest_in_time(published: NDArray[np.float64], rows: Rows, k: int, dated: Rows) -> Neighbors:
    """The k articles published closest before and after each row; none for rows without a date. Scores are -days.

    Args:
        published: (n,) seconds, NaN for none.
        rows: (b,) the pages.
        k: how many.
        dated: who may be found: of `by_date`.
    """
    result_rows = np.full((len(rows), k), NO_ROW, dtype=np.int32)
    scores = np.full((len(rows), k), -np.inf, dtype=np.float32)
    if not len(dated):
        return Neighbors(result_rows, scores)
    at = places_in_time(published, dated, np.nan_to_num(published[rows]))
    window = np.clip(at[:, None] + np.arange(-k, k + 1), 0, len(dated) - 1)
    around = dated[window]
    days = np.abs(published[around] - published[rows][:, None]) / 86_400.0
    repeated = np.zeros(window.shape, dtype=bool)
    repeated[:, 1:] = window[:, 1:] == window[:, :-1]
    days = np.where(repeated | (around == rows[:, None]) | np.isnan(days), np.inf, days)
    order = np.argsort(days, axis=1, kind="stable")[:, :k]
    nearest = np.take_along_axis(days, order, 1)
    found = np.isfinite(nearest)
    width = order.shape[1]
    result_rows[:, :width] = np.where(found, np.take_along_axis(around, order, 1), NO_ROW)
    scores[:, :width] = np.where(found, -nearest, -np.inf)
    return Neighbors(result_rows, scores)
