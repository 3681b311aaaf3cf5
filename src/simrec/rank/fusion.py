"""Several similarities made comparable, and fused into one score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from simrec.rank import kernels_scores
from simrec.rank.parts import Part
from simrec.types import DECIMALS, NO_ROW, Bar, Progress, Rows, Scores, Similar, no_progress

SAMPLE = 2000
"""Rows that a row's usual similarity is measured against."""
BATCH = 512
BELOW = 0.1
"""Slope of the dampening below the usual similarity."""


class Weighted(NamedTuple):
    """A part and its weight."""

    part: Part
    weight: float


class Ranked(NamedTuple):
    """Scores of candidates on the fusion's dampened scale, before they are sorted.

    Attributes:
        scores: (b, c) float32, -inf where there is no candidate.
        parts: (b, c, m) float32, the fusion's parts.
    """

    scores: Scores
    parts: NDArray[np.float32]


class Fusion:
    """A weighted mean of standardized similarities.

    A part's similarity of a to b becomes a z-score: how many standard deviations it lies above those of a to a
    random sample of the site. z-scores are dampened, f(z) = ln(1 + z) above 0 and z / 10 below, so that one part
    alone can neither carry an article to the top nor keep it from there. With `back`, b's view of a, standardized by
    b's own sample, counts that much: hubs, near to everything, lose (Conneau et al. 2018 correct for them alike). The
    score is the weighted mean over the parts, turned back by f's inverse: read it as standard deviations above the
    site's random pairs.

    With one part and `back` 0 the order is that of the part's similarities.

    Args:
        parts: the parts and their weights, at least one weight above 0.
        back: weight of the candidate's view of the source, 0 to 1.

    Attributes:
        mean_, sd_: m arrays (n,) float32, by part: of each row's similarities to the sample.
        sample_: (s,) the rows of the sample.
    """

    def __init__(self, parts: Sequence[Weighted], back: float = 0.0) -> None:
        self.parts = parts
        self.back = back

    def fit(self, n: int, progress: Progress = no_progress) -> Self:
        """Measures each of the n rows against the sample."""
        with progress("standardize", n * len(self.parts)) as bar:
            return self._fit(n, bar)

    def _fit(self, n: int, bar: Bar) -> Self:
        self.sample_ = sample_of(n)
        self.mean_ = [np.zeros(n, dtype=np.float32) for _ in self.parts]
        self.sd_ = [np.ones(n, dtype=np.float32) for _ in self.parts]
        for column, (part, _) in enumerate(self.parts):
            for start in range(0, n, BATCH):
                rows = np.arange(start, min(start + BATCH, n), dtype=np.int32)
                self.mean_[column][rows], self.sd_[column][rows] = usual(part, rows, self.sample_)
                bar.update(len(rows))
        return self

    def score(self, rows: Rows, candidates: Rows) -> Ranked:
        """Scores (b, c) candidates, -1 for none, of (b,) sources."""
        own, back = self.views(rows, candidates)
        scores = np.where(candidates == NO_ROW, -np.inf, self.mean(own, back))
        return Ranked(scores.astype(np.float32), self.both(own, back))

    def rank(self, rows: Rows, candidates: Rows, tie_order: NDArray[np.int64]) -> Similar:
        """Sorts candidates, best first.

        Args:
            rows: (b,) the sources.
            candidates: (b, c), -1 for none.
            tie_order: (n,) settles equal scores, lower first.

        Returns:
            rows (b, c), -1 at the end; scores (b, c), -inf there; parts (b, c, m), each part's f(z).
        """
        return sort(candidates, self.score(rows, candidates), tie_order)

    def views(
        self, rows: Rows, candidates: Rows, scores: Sequence[Scores] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(b, c, m) f(z) of each part as the sources see the candidates, and as the candidates see the sources.

        Args:
            rows: (b,) the sources.
            candidates: (b, c), -1 for none.
            scores: (b, c) of each part, where they are known already.
        """
        own = np.empty((*candidates.shape, len(self.parts)), dtype=np.float32)
        back = np.empty_like(own)
        for column, (part, _) in enumerate(self.parts):
            known = part.pairs(rows, candidates) if scores is None else scores[column]
            both = kernels_scores.standardize(known, self.mean_[column], self.sd_[column], rows, candidates)
            own[:, :, column], back[:, :, column] = both[:, :, 0], both[:, :, 1]
        return own, back

    def mean(self, own: NDArray[np.float32], back: NDArray[np.float32]) -> Scores:
        """(b, c) the weighted mean of `views`, still dampened."""
        weights = np.array([weight for _, weight in self.parts], dtype=np.float32)
        both, total = self.both(own, back), np.zeros(own.shape[:2], dtype=np.float32)
        for column, weight in enumerate(weights / weights.sum()):  # one after the other: the same sum in every batch
            total += both[:, :, column] * weight
        return total

    def both(self, own: NDArray[np.float32], back: NDArray[np.float32]) -> NDArray[np.float32]:
        """(b, c, m) the two `views` of each part as one."""
        return np.asarray((own + self.back * back) / (1 + self.back)) if self.back else own


def sample_of(n: int) -> Rows:
    """The rows that each of n rows is measured against, ascending."""
    return np.sort(np.random.default_rng(0).choice(n, min(n, SAMPLE), replace=False)).astype(np.int32)


def usual(part: Part, rows: Rows, sample: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(b,) mean and standard deviation of the similarities of some rows to the sample, themselves left out."""
    moments = kernels_scores.row_moments(part.to_sample(rows, sample), rows, sample)
    return moments[:, 0], moments[:, 1]


def sort(candidates: Rows, ranked: Ranked, tie_order: NDArray[np.int64]) -> Similar:
    """Candidates, best first; equal scores, rounded so that summation order cannot tell them apart, by `tie_order`."""
    scores = np.where(np.isfinite(ranked.scores), np.round(undampen(ranked.scores), DECIMALS), -np.inf)
    scores = scores.astype(np.float32)
    order = np.lexsort((tie_order[candidates], -scores), axis=1)
    return Similar(
        np.take_along_axis(candidates, order, 1),
        np.take_along_axis(scores, order, 1),
        np.take_along_axis(ranked.parts, order[:, :, None], 1),
    )


def dampen(z: Scores) -> Scores:
    """ln(1 + z) above 0, z / 10 below: monotone, so that one part alone keeps its order."""
    return np.where(z > 0, np.log1p(np.maximum(z, 0)), z * BELOW).astype(np.float32)


def undampen(x: Scores) -> Scores:
    """The inverse of `dampen`.

    >>> undampen(dampen(np.array([-2.0, 0.0, 6.0]))).round(4)
    array([-2.,  0.,  6.], dtype=float32)
    """
    return np.where(x > 0, np.expm1(np.maximum(x, 0)), x / BELOW).astype(np.float32)
