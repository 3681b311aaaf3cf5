"""The union of several embedders' neighbors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simrec.types import NO_ROW, Neighbors, Rows


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
