"""The parts of a score: each one a similarity of two articles, given by their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from simrec.types import NO_ROW, Dense, Rows, Scores

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
        return np.asarray(np.einsum("bd,bcd->bc", self.vectors[rows], self.vectors[others]))

    def to_sample(self, rows: Rows, sample: Rows) -> Scores:
        """See `Part`."""
        return np.asarray(self.vectors[rows] @ self.vectors[sample].T)


class SparsePart:
    """Cosine of sparse unit rows."""

    def __init__(self, name: str, vectors: csr_matrix) -> None:
        self.name = name
        self.vectors = vectors

    def pairs(self, rows: Rows, others: Rows) -> Scores:
        """See `Part`: each row is spread out once, and its candidates' terms are looked up in it."""
        indptr, indices, data = self.vectors.indptr, self.vectors.indices, self.vectors.data
        spread = np.zeros(self.vectors.shape[1], dtype=np.float32)
        scores = np.zeros(others.shape, dtype=np.float32)
        for place, row in enumerate(rows):
            own = slice(indptr[row], indptr[row + 1])
            spread[indices[own]] = data[own]
            scores[place] = self.vectors[np.maximum(others[place], 0)] @ spread
            spread[indices[own]] = 0
        return scores

    def to_sample(self, rows: Rows, sample: Rows) -> Scores:
        """See `Part`."""
        return np.asarray((self.vectors[rows] @ self.vectors[sample].T).toarray())


class SectionPart:
    """1 where two articles are in the same section, 0 elsewhere and where a section is missing."""

    name = "section"

    def __init__(self, sections: Sequence[str | None]) -> None:
        number = {name: i for i, name in enumerate(sorted({name for name in sections if name}))}
        self.codes = np.array([number.get(name or "", NO_ROW) for name in sections], dtype=np.int32)

    def pairs(self, rows: Rows, others: Rows) -> Scores:
        """See `Part`."""
        own = self.codes[rows][:, None]
        return np.asarray((own == self.codes[others]) & (own != NO_ROW), dtype=np.float32)

    def to_sample(self, rows: Rows, sample: Rows) -> Scores:
        """See `Part`."""
        return self.pairs(rows, np.broadcast_to(sample, (len(rows), len(sample))))


class AgePart:
    """Closeness in time, -ln(1 + months between the dates); a missing date counts as the site's usual distance."""

    name = "age"

    def __init__(self, published: NDArray[np.float64]) -> None:
        self.published = published
        known = published[~np.isnan(published)]
        self._usual = float(np.median(np.abs(known - np.median(known)))) / MONTH if len(known) else 0.0

    def pairs(self, rows: Rows, others: Rows) -> Scores:
        """See `Part`."""
        months = np.abs(self.published[rows][:, None] - self.published[others]) / MONTH
        return -np.log1p(np.nan_to_num(months, nan=self._usual)).astype(np.float32)

    def to_sample(self, rows: Rows, sample: Rows) -> Scores:
        """See `Part`."""
        return self.pairs(rows, np.broadcast_to(sample, (len(rows), len(sample))))
