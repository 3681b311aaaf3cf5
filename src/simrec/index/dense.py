"""Exact nearest neighbors of dense unit rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from joblib import cpu_count

from simrec.blas import one_blas_thread
from simrec.index.threads import in_chunks
from simrec.types import NO_ROW, Dense, Mask, Neighbors, Rows, Scores

QUERIES, COLUMNS = 256, 4096
"""Queries that a thread takes at a time, and vectors that they are multiplied with at a time: a tile of scores, 4 MB,
stays in the cache between the product and the selection."""

LEAST = 16
"""Queries that are worth a thread."""

ROOM, SPARE = 3, 64
"""Times k, and so many more: of as many as may be among the best, the others are thrown out."""

CHUNK = 64
"""Queries that a thread takes at a time where nothing is multiplied."""

UNIT = 0.01
"""How far the norm of a unit row may be off."""


class DenseIndex:
    """Exact cosine neighbors: the matrix product in tiles, and of each tile the best.

    What may be among the best by the product is scored again, one pair at a time, so that a score depends on its two
    rows alone, whatever else is indexed or asked; equal scores are in order of rows.

    Args:
        vectors: (n, d) float32, each row of norm 1, or 0 for an empty text.
        eligible: (n,) bool; a row that is False is nobody's neighbor. None: all are eligible.

    Attributes:
        rows: int32, ascending, those that can be found.

    Raises:
        ValueError: the mask has another length, or a row is neither unit nor zero.
    """

    def __init__(self, vectors: Dense, eligible: Mask | None = None) -> None:
        n, self._width = vectors.shape
        check_eligible(eligible, n)
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        if not (np.abs(norms - (norms > 0)) < UNIT).all():
            raise ValueError("each row must be of norm 1, or zeros: normalize the vectors first")
        self.rows = np.flatnonzero(norms > 0 if eligible is None else (norms > 0) & eligible).astype(np.int32)
        self._places = places_of(self.rows, n)
        self._vectors = np.ascontiguousarray(vectors if len(self.rows) == n else vectors[self.rows], dtype=np.float32)

    def query(self, vectors: Dense, k: int, exclude: Rows | None = None) -> Neighbors:
        """The k nearest neighbors of each vector.

        Args:
            vectors: (b, d) float32 unit rows, or zeros, which find nobody; thousands at a time are fastest.
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
        check_exclude(exclude, len(vectors), len(self._places) - 1)
        result = no_neighbors(len(vectors), k)
        asked = np.flatnonzero(vectors.any(axis=1))
        if not len(self.rows):
            return result
        own = np.full(len(vectors), NO_ROW, dtype=np.int32) if exclude is None else self._places[exclude]
        rows = np.full((len(asked), k), NO_ROW, dtype=np.int32)
        scores = np.full((len(asked), k), -np.inf, dtype=np.float32)
        cores = cpu_count()
        turns = -(-len(asked) // (QUERIES * cores))
        size = max(-(-len(asked) // (turns * cores)), LEAST) if turns else LEAST

        def worker() -> Callable[[slice], None]:
            tile = np.empty(size * COLUMNS, dtype=np.float32)
            room = ROOM * k + SPARE
            found = np.empty((size, room), dtype=np.float32), np.empty((size, room), dtype=np.int32)

            def work(part: slice) -> None:
                queries = np.ascontiguousarray(vectors[asked[part]], dtype=np.float32)
                self._search(queries, own[asked[part]], tile, found, (scores[part], rows[part]))

            return work

        with one_blas_thread():
            in_chunks(worker, len(asked), size)
        result.scores[asked] = scores
        result.rows[asked] = np.where(rows == NO_ROW, NO_ROW, self.rows[rows])
        return result

    def _search(
        self, queries: Dense, own: Rows, tile: Dense, found: tuple[Scores, Rows], best: tuple[Scores, Rows]
    ) -> None:
        from simrec.index.dense_kernels import gather, settle

        n, b = len(self._vectors), len(queries)
        sizes = np.zeros(b, dtype=np.int64)
        pool = (found[0][:b], found[1][:b], np.zeros(b, dtype=np.int64), np.full(b, -np.inf, dtype=np.float32))
        tiles = -(-n // COLUMNS)
        for number in range(tiles):
            start, end = number * n // tiles, (number + 1) * n // tiles
            products = tile[: b * (end - start)].reshape(b, end - start)
            np.matmul(queries, self._vectors[start:end].T, out=products)
            gather(products, start, queries, self._vectors, own, pool, (*best, sizes))
        settle(queries, self._vectors, pool, (*best, sizes))


def places_of(rows: Rows, n: int) -> Rows:
    """(n + 1,) the place of each of n rows among some of them; -1 for the others, and for no row.

    >>> places_of(np.array([1, 2]), 3)
    array([-1,  0,  1, -1], dtype=int32)
    """
    places = np.full(n + 1, NO_ROW, dtype=np.int32)
    places[rows] = np.arange(len(rows), dtype=np.int32)
    return places


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
