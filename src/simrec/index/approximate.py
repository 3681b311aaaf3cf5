"""Nearest neighbors of very many dense rows: an inverted file whose recall is measured at every build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from simrec.index.dense import CHUNK, DenseIndex, check_exclude, check_k, no_neighbors, places_of
from simrec.index.threads import in_chunks
from simrec.types import NO_ROW, Dense, Mask, Neighbors, Rows

EXACT_UP_TO = 400_000
"""Rows up to which the exact product is at least as fast (ADR 0008)."""

FLOOR = 0.98
"""Recall@10 that an approximate index must reach."""

AT = 10
"""Neighbors that recall is measured at."""

SAMPLE = 500
"""Rows that recall is measured on."""

PROBES = 16
"""Cells that a query looks into at first."""

CELLS = 4
"""Cells of the clustering, times the square root of the number of rows."""

WIDEST = 1 / 8
"""Share of the cells; looking into more is no faster than the exact product."""

TRAINED_ON = 64
"""Rows a cell that the clustering looks at."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was built, and how good it is.

    Attributes:
        kind: of index: "exact", or "ivf", an inverted file.
        recall: recall@10 against exact on the sample; 1 where the index is exact.
        sample: rows that it was measured on; 0 where nothing was to be measured.
        cells: cells of the clustering, 0 where there are none.
        probes: cells that a query looks into.
        tried: (probes, recall) of each width tried, narrowest first.
    """

    kind: Literal["exact", "ivf"]
    recall: float = 1.0
    sample: int = 0
    cells: int = 0
    probes: int = 0
    tried: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """An index, with the report of how it was chosen; it answers as `DenseIndex` does."""

    index: DenseIndex | InvertedFile
    report: Report

    def query(self, vectors: Dense, k: int, exclude: Rows | None = None) -> Neighbors:
        """See `DenseIndex.query`."""
        return self.index.query(vectors, k, exclude)


class InvertedFile:
    """Approximate cosine neighbors: only rows in the cells nearest to a query are looked at (Jégou et al. 2011).

    The cells are faiss's, by k-means with a fixed seed. Scores are those of `DenseIndex`, to the bit.

    Args:
        vectors: (n, d) float32, each row of norm 1, or 0 for an empty text.
        eligible: (n,) bool; a row that is False is nobody's neighbor. At least one row must be eligible and not zeros.
        cells: of the clustering; None: `CELLS` times the square root of the number of rows.
    """

    def __init__(self, vectors: Dense, eligible: Mask | None = None, cells: int | None = None) -> None:
        import faiss

        self._n, self._width = vectors.shape
        has_text = vectors.any(axis=1)
        self._rows = np.flatnonzero(has_text if eligible is None else has_text & eligible).astype(np.int32)
        self._places = places_of(self._rows, self._n)
        everybody = len(self._rows) == self._n
        self._vectors = np.ascontiguousarray(vectors if everybody else vectors[self._rows], dtype=np.float32)
        self.cells = cells or min(int(CELLS * len(self._rows) ** 0.5), len(self._rows))
        self.probes = min(PROBES, self.cells)
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(self._width), self._width, self.cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed = 0
        index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, TRAINED_ON
        index.train(self._vectors)
        index.add(self._vectors)
        self._index = index

    def query(self, vectors: Dense, k: int, exclude: Rows | None = None) -> Neighbors:
        """See `DenseIndex.query`; where the cells hold fewer than k rows, -1 and -inf."""
        import faiss

        from simrec.index.dense_kernels import rescore

        check_k(k)
        if vectors.shape[1] != self._width:
            raise ValueError(f"the queries must have the index's {self._width} dimensions, got {vectors.shape[1]}")
        check_exclude(exclude, len(vectors), self._n)
        queries = np.ascontiguousarray(vectors, dtype=np.float32)
        found = min(k + 1, len(self._rows))
        width: Any = faiss.SearchParametersIVF
        _, places = self._index.search(queries, found, params=width(nprobe=self.probes))
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

    Up to a size that is the exact one. Over it, it is an inverted file: its recall@10 against exact is measured on a
    sample of its rows; while that is under the floor, queries look into twice as many cells; where they would have to
    look into so many that nothing is won, the index is the exact one after all.

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
    index = InvertedFile(vectors, eligible)
    tried: list[tuple[int, float]] = []
    while True:
        share = recall(index.query(vectors[sample], AT, exclude=sample), truth)
        tried.append((index.probes, share))
        if share >= floor:
            report = Report("ivf", share, len(sample), index.cells, index.probes, tuple(tried))
            return Chosen(index, report)
        if index.probes * 2 > max(index.cells * WIDEST, PROBES):
            return Chosen(exact, Report("exact", sample=len(sample), tried=tuple(tried)))
        index.probes *= 2


def recall(found: Neighbors, truth: Neighbors) -> float:
    """Share of the true neighbors that were found; one that is as near as the last true one counts as it.

    >>> one = Neighbors(np.array([[4, 7]]), np.array([[0.9, 0.5]], dtype=np.float32))
    >>> recall(one, Neighbors(np.array([[4, 5]]), np.array([[0.9, 0.6]], dtype=np.float32)))
    0.5
    """
    real = truth.rows != NO_ROW
    last = np.where(real, truth.scores, np.inf).min(axis=1, keepdims=True)
    return float((found.scores >= last).sum() / real.sum()) if real.any() else 1.0
