"""Nearest neighbors of very many dense rows: a graph whose recall is measured at every build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from simrec.index.dense import CHUNK, DenseIndex, check_eligible, check_exclude, check_k, no_neighbors, places_of
from simrec.index.threads import in_chunks
from simrec.types import NO_ROW, Dense, Mask, Neighbors, Rows

EXACT_UP_TO = 200_000
"""Rows up to which the exact product is used (ADR 0008)."""

FLOOR = 0.98
"""Recall@10 that an approximate index must reach."""

AT = 10
"""Neighbors that recall is measured at."""

SAMPLE = 500
"""Rows that recall is measured on."""

LINKS = 16
"""Neighbors that a row of the graph is linked with."""

CAREFUL = 64
"""Rows that are kept in view while a row is put into the graph."""

WIDTH = 64
"""Rows that a query keeps in view at first."""

WIDEST = 512
"""Rows in view from which the exact product is no slower."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was built, and how good it is.

    Attributes:
        kind: of index: "exact", or "graph".
        recall: recall@10 against exact on the sample; 1 where the index is exact.
        sample: rows that it was measured on; 0 where nothing was to be measured.
        width: rows that a query of the graph keeps in view; 0 where the index is exact.
        tried: (width, recall) of each width tried, narrowest first.
    """

    kind: Literal["exact", "graph"]
    recall: float = 1.0
    sample: int = 0
    width: int = 0
    tried: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """An index, with the report of how it was chosen; it answers as `DenseIndex` does."""

    index: DenseIndex | Graph
    report: Report

    def query(self, vectors: Dense, k: int, exclude: Rows | None = None) -> Neighbors:
        """See `DenseIndex.query`."""
        return self.index.query(vectors, k, exclude)


class Graph:
    """Approximate cosine neighbors: faiss's graph of rows linked with near ones (Malkov and Yashunin 2016).

    One thread builds it, since the links hang on the order of rows: a build is the same on every run. Scores are those
    of `DenseIndex`, to the bit.

    Args:
        vectors: (n, d) float32, each row of norm 1, or 0 for an empty text.
        eligible: (n,) bool; a row that is False is nobody's neighbor. At least one row must be eligible and not zeros.
        width: rows that a query keeps in view; may be set later.
    """

    def __init__(self, vectors: Dense, eligible: Mask | None = None, width: int = WIDTH) -> None:
        import faiss

        self.width = width
        self._n, self._dimensions = vectors.shape
        check_eligible(eligible, self._n)
        has_text = vectors.any(axis=1)
        self._rows = np.flatnonzero(has_text if eligible is None else has_text & eligible).astype(np.int32)
        self._places = places_of(self._rows, self._n)
        everybody = len(self._rows) == self._n
        self._vectors = np.ascontiguousarray(vectors if everybody else vectors[self._rows], dtype=np.float32)
        self._index = faiss.IndexHNSWFlat(self._dimensions, LINKS, faiss.METRIC_INNER_PRODUCT)
        self._index.hnsw.efConstruction = CAREFUL
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)
        try:
            self._index.add(self._vectors)
        finally:
            faiss.omp_set_num_threads(threads)

    def query(self, vectors: Dense, k: int, exclude: Rows | None = None) -> Neighbors:
        """See `DenseIndex.query`; where fewer than k rows are reached, -1 and -inf."""
        import faiss

        from simrec.index.dense_kernels import rescore

        check_k(k)
        if vectors.shape[1] != self._dimensions:
            raise ValueError(f"the queries must have the index's {self._dimensions} dimensions, got {vectors.shape[1]}")
        check_exclude(exclude, len(vectors), self._n)
        queries = np.ascontiguousarray(vectors, dtype=np.float32)
        found = min(k + 1, len(self._rows))
        untyped: Any = faiss
        _, places = self._index.search(queries, found, params=untyped.SearchParametersHNSW(efSearch=self.width))
        places[~queries.any(axis=1)] = NO_ROW
        own = np.full(len(queries), NO_ROW, dtype=np.int32) if exclude is None else self._places[exclude]
        rows, scores = no_neighbors(len(queries), k)

        def work(part: slice) -> None:
            rescore(places[part], queries[part], self._vectors, own[part], scores[part], rows[part])

        in_chunks(lambda: work, len(queries), CHUNK)
        return Neighbors(np.where(rows == NO_ROW, NO_ROW, self._rows[rows]).astype(np.int32), scores)


def choose_index(
    vectors: Dense, eligible: Mask | None = None, floor: float = FLOOR, exact_up_to: int = EXACT_UP_TO
) -> Chosen:
    """The fastest index of dense rows that finds enough.

    Up to a size that is the exact one. Over it, it is a graph: its recall@10 against exact is measured on a sample of
    its rows; while that is under the floor, queries keep twice as many rows in view; where that would win nothing,
    the index is the exact one after all.

    Args:
        vectors: (n, d) float32, each row of norm 1, or 0 for an empty text.
        eligible: (n,) bool; a row that is False is nobody's neighbor. None: all are eligible.
        floor: the least recall@10, from 0 to 1.
        exact_up_to: rows up to which the index is exact.

    Returns:
        The index, and its report.

    Raises:
        ValueError: the floor is not from 0 to 1, the mask has another length, or a row is neither unit nor zero.

    >>> choose_index(np.eye(3, dtype=np.float32)).report.kind
    'exact'
    """
    if not 0 <= floor <= 1:
        raise ValueError(f"the floor of recall must be from 0 to 1, got {floor}")
    exact = DenseIndex(vectors, eligible)
    rows = exact.rows
    if len(rows) <= exact_up_to or not len(rows):
        return Chosen(exact, Report("exact"))
    sample = np.sort(np.random.default_rng(0).choice(rows, min(SAMPLE, len(rows)), replace=False)).astype(np.int32)
    truth = exact.query(vectors[sample], AT, exclude=sample)
    index = Graph(vectors, eligible, WIDTH)
    tried: list[tuple[int, float]] = []
    while True:
        share = recall(index.query(vectors[sample], AT, exclude=sample), truth)
        tried.append((index.width, share))
        if share >= floor:
            return Chosen(index, Report("graph", share, len(sample), index.width, tuple(tried)))
        if index.width * 2 > WIDEST:
            return Chosen(exact, Report("exact", sample=len(sample), tried=tuple(tried)))
        index.width *= 2


def recall(found: Neighbors, truth: Neighbors) -> float:
    """Share of the true neighbors that were found; one that is as near as the last true one counts as it.

    >>> one = Neighbors(np.array([[4, 7]]), np.array([[0.9, 0.5]], dtype=np.float32))
    >>> recall(one, Neighbors(np.array([[4, 5]]), np.array([[0.9, 0.6]], dtype=np.float32)))
    0.5
    """
    real = truth.rows != NO_ROW
    last = np.where(real, truth.scores, np.inf).min(axis=1, keepdims=True)
    return float((found.scores >= last).sum() / real.sum()) if real.any() else 1.0
