"""The parts of a score: each one a similarity of two articles, given by their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from simrec.blas import one_blas_thread
from simrec.rank import kernels, kernels_scores, scan
from simrec.types import Dense, Rows, Scores

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MONTH = 30 * 86_400.0
"""Seconds."""


class Part(Protocol):
    """A similarity of pairs of articles."""

    name: str

    def pairs(self, rows: Rows, others: Rows) -> Scores:
        """(b, c) similarities of `rows` (b,) to each of their `others` (b, c); any number where there is -1."""

    def to_sample(self, rows: Rows, sample: Rows) -> Scores:
        """(b, s) similarities of `rows` (b,) to all of `sample` (s,)."""


class DensePart:
    """Cosine of dense unit rows."""

    def __init__(self, name: str, vectors: Dense) -> None:
        self.name = name
        self.vectors = vectors

    def pairs(self, rows: Rows, others: Rows) -> Scores:
        """See `Part`."""
        return np.asarray(kernels.dense_pairs(self.vectors, self.vectors, rows, others))

    def to_sample(self, rows: Rows, sample: Rows) -> Scores:
        """See `Part`. By one thread: how many share a product decides in what order sums are taken."""
        with one_blas_thread():
            return np.asarray(self.vectors[rows] @ self.vectors[sample].T)


class SparsePart:
    """Cosine of sparse unit rows."""

    def __init__(self, name: str, vectors: csr_matrix) -> None:
        self.name = name
        self.vectors = vectors
        self._sampled: tuple[Rows, scan.Inverted] | None = None

    def pairs(self, rows: Rows, others: Rows) -> Scores:
        """See `Part`."""
        arrays = (self.vectors.indptr, self.vectors.indices, self.vectors.data)
        return np.asarray(kernels.sparse_pairs(arrays, arrays, self.vectors.shape[1], rows, others))

    def to_sample(self, rows: Rows, sample: Rows) -> Scores:
        """See `Part`."""
        if self._sampled is None or not np.array_equal(self._sampled[0], sample):
            self._sampled = (sample, scan.invert(rows_of(self.vectors, sample)))
        inverted = self._sampled[1]
        arrays = (self.vectors.indptr, self.vectors.indices, self.vectors.data)
        lists = (inverted.starts, inverted.where, inverted.data)
        return np.asarray(kernels_scores.sparse_products(arrays, lists, len(sample), rows))


def rows_of(vectors: Any, rows: Rows) -> csr_matrix:
    """Some rows of a sparse matrix, or of what has its arrays; the others are not looked at."""
    from scipy.sparse import csr_matrix

    starts = vectors.indptr[rows].astype(np.int64)
    lengths = vectors.indptr[rows + 1] - starts
    ends = np.cumsum(lengths)
    at = np.repeat(starts - ends + lengths, lengths) + np.arange(lengths.sum())
    arrays = vectors.data[at], vectors.indices[at], np.concatenate([[0], ends])
    return csr_matrix(arrays, shape=(len(rows), vectors.shape[1]))


class SectionPart:
    """1 where two articles are in the same section, 0 elsewhere and where a section is missing.

    Args:
        codes: (n,) equal numbers for equal sections, -1 for none.
    """

    name = "section"

    def __init__(self, codes: NDArray[np.int32]) -> None:
        self.codes = codes

    def pairs(self, rows: Rows, others: Rows) -> Scores:
        """See `Part`."""
        return np.asarray(kernels_scores.equal_codes(self.codes, rows, others))

    def to_sample(self, rows: Rows, sample: Rows) -> Scores:
        """See `Part`."""
        return self.pairs(rows, np.broadcast_to(sample, (len(rows), len(sample))))


class AgePart:
    """Closeness in time, -ln(1 + months between the dates); a missing date counts as the site's usual distance.

    Args:
        published: (n,) seconds since 1970, NaN for none.
        usual: months that a missing date is taken to be away; None: measured on the dates.
    """

    name = "age"

    def __init__(self, published: NDArray[np.float64], usual: float | None = None) -> None:
        self.published = published
        self.usual = _usual_months(published) if usual is None else usual

    def pairs(self, rows: Rows, others: Rows) -> Scores:
        """See `Part`."""
        return np.asarray(kernels_scores.closeness(self.published, MONTH, self.usual, rows, others))

    def to_sample(self, rows: Rows, sample: Rows) -> Scores:
        """See `Part`."""
        return self.pairs(rows, np.broadcast_to(sample, (len(rows), len(sample))))


def _usual_months(published: NDArray[np.float64]) -> float:
    known = published[~np.isnan(published)]
    return float(np.median(np.abs(known - np.median(known)))) / MONTH if len(known) else 0.0
