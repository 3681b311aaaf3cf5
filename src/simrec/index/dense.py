"""Exact nearest neighbors of dense unit rows."""

from __future__ import annotations

import numpy as np

from simrec.types import NO_ROW, Dense, Mask, Neighbors, Rows, Scores


class DenseIndex:
    """Exact cosine neighbors by faiss's flat index over the eligible rows (Johnson et al. 2019).

    Ineligible rows are left out of the index: a filter in the search would leave faiss's fast path.

    Args:
        vectors: (n, d) float32, each row of norm 1, or 0 for an empty text.
        eligible: (n,) bool; a row that is False is nobody's neighbor. None: all are eligible.

    Raises:
        ValueError: the mask has another length.
    """

    def __init__(self, vectors: Dense, eligible: Mask | None = None) -> None:
        import faiss

        self._n, self._width = vectors.shape
        check_eligible(eligible, self._n)
        has_text = vectors.any(axis=1)
        self._rows = np.flatnonzero(has_text if eligible is None else has_text & eligible).astype(np.int32)
        self._index = faiss.IndexFlatIP(self._width)
        self._index.add(np.ascontiguousarray(vectors[self._rows], dtype=np.float32))

    def query(self, vectors: Dense, k: int, exclude: Rows | None = None) -> Neighbors:
        """The k nearest neighbors of each vector.

        Args:
            vectors: (b, d) float32 unit rows; a whole `BATCH` or more at a time is fastest.
            k: neighbors a row, at least 1.
            exclude: (b,) the row, of the index's vectors, that each query must not find: its own; -1 for none.

        Returns:
            rows (b, k) and scores (b, k), best first; where fewer are eligible, -1 and -inf.

        Raises:
            ValueError: k is less than 1, the vectors have another width, or `exclude` does not fit.
        """
        check_k(k)
        if vectors.shape[1] != self._width:
            raise ValueError(f"the queries must have the index's {self._width} dimensions, got {vectors.shape[1]}")
        check_exclude(exclude, len(vectors), self._n)
        found = min(k + 1, len(self._rows))
        if found == 0:
            return no_neighbors(len(vectors), k)
        scores, places = self._index.search(np.ascontiguousarray(vectors, dtype=np.float32), found)
        rows = np.where(places >= 0, self._rows[places], NO_ROW).astype(np.int32)
        return trim(rows, scores, k, exclude)


def check_k(k: int) -> None:
    """Raises ValueError where k is less than 1."""
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")


def check_eligible(eligible: Mask | None, n: int) -> None:
    """Raises ValueError where a mask is not (n,) bool."""
    if eligible is not None and (eligible.shape != (n,) or eligible.dtype != np.bool_):
        raise ValueError(f"eligible must be ({n},) bool, got {eligible.shape} {eligible.dtype}")


def check_exclude(exclude: Rows | None, b: int, n: int) -> None:
    """Raises ValueError where what b queries of n rows may not find is not (b,) rows, or -1."""
    if exclude is None:
        return
    if exclude.shape != (b,):
        raise ValueError(f"exclude must have one row for each of {b} queries, got shape {exclude.shape}")
    if b and not (exclude.min() >= NO_ROW and exclude.max() < n):
        raise ValueError(f"exclude must name rows from 0 to {n - 1}, or -1 for none")


def no_neighbors(b: int, k: int) -> Neighbors:
    """Nobody, for b queries."""
    return Neighbors(np.full((b, k), NO_ROW, dtype=np.int32), np.full((b, k), -np.inf, dtype=np.float32))


def trim(rows: Rows, scores: Scores, k: int, exclude: Rows | None) -> Neighbors:
    """Takes the excluded row out of each sorted list, and makes the lists k long.

    >>> trim(np.array([[4, 7, 9]]), np.array([[0.9, 0.8, 0.7]]), 2, np.array([7])).rows
    array([[4, 9]], dtype=int32)
    """
    gone = rows == NO_ROW if exclude is None else (rows == exclude[:, None]) | (rows == NO_ROW)
    order = np.argsort(gone, axis=1, kind="stable")[:, :k]
    kept = ~np.take_along_axis(gone, order, 1)
    result = no_neighbors(len(rows), k)
    result.rows[:, : order.shape[1]] = np.where(kept, np.take_along_axis(rows, order, 1), NO_ROW)
    result.scores[:, : order.shape[1]] = np.where(kept, np.take_along_axis(scores, order, 1), -np.inf)
    return result
