"""The models by name: which candidates each looks at, and how it scores them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simrec.rank.blend import blend
from simrec.rank.catalogue import LEARNED, OF_PAIRS, Feature
from simrec.rank.features import NAMES, PairFeatures, Remembered, Table
from simrec.rank.fusion import Fusion, Ranked
from simrec.rank.history import History
from simrec.rank.learned import LambdaRanker
from simrec.types import NO_ROW, Mask, Rows, Scores

Features = PairFeatures | Remembered


class Scorer(Protocol):
    """A model: scores candidates of pages."""

    wide: bool
    """Whether candidates come from titles, tags, dates and picks as well as from the embedders."""

    @property
    def history(self) -> History | None:
        """Picks that bring candidates."""

    def score(self, rows: Rows, candidates: Rows) -> Ranked:
        """Scores (b, c) candidates, -1 for none, of (b,) pages."""

    def explain(self, rows: Rows, candidates: Rows) -> tuple[Sequence[Feature], NDArray[np.float32]] | None:
        """How much each feature moved each candidate, (b, c, f); None where the parts say it all."""


class FusionScorer:
    """The fusion alone."""

    wide = False
    history = None

    def __init__(self, fusion: Fusion) -> None:
        self.fusion = fusion

    def score(self, rows: Rows, candidates: Rows) -> Ranked:
        """See `Scorer`."""
        return self.fusion.score(rows, candidates)

    def explain(self, rows: Rows, candidates: Rows) -> None:
        """See `Scorer`."""


class PriorScorer:
    """The fusion, mixed with a ranker that was trained on other sites."""

    wide = True
    history = None

    def __init__(self, features: PairFeatures, prior: LambdaRanker, weight: float) -> None:
        self.features = features
        self.prior = prior
        self.weight = weight
        self._columns = [NAMES.index(name) for name in prior.features]

    def score(self, rows: Rows, candidates: Rows) -> Ranked:
        """See `Scorer`."""
        table, there = self.features.of(rows, candidates), candidates != NO_ROW
        return self.mix(table, there)

    def mix(self, table: Table, there: Mask) -> Ranked:
        """Scores from features that are there already."""
        learned = self.learned(table, there)
        return Ranked(blend(fused(table), learned, self.weight, there), parts(table, self.features))

    def learned(self, table: Table, there: Mask) -> Scores:
        """(b, c) the ranker's own scores."""
        return self.prior.score_table(table[:, :, self._columns], there)

    def explain(self, rows: Rows, candidates: Rows) -> tuple[Sequence[Feature], NDArray[np.float32]]:
        """See `Scorer`."""
        table = self.features.of(rows, candidates)[:, :, self._columns]
        return [OF_PAIRS[column] for column in self._columns], _contributions(self.prior, table, candidates)


class LearnedScorer:
    """The scorer below, mixed with a ranker that was trained on this site's picks.

    Args:
        below: the fusion, or the fusion with the prior.
        prior: gives the feature of that name; None where there is none.
        ranker: the site's own.
        weight: its share of the score.
        history: the picks that it looks at.
    """

    wide = True

    def __init__(
        self, below: FusionScorer | PriorScorer, prior: PriorScorer | None, features: Features,
        ranker: LambdaRanker, weight: float, history: History,
    ) -> None:  # fmt: skip
        self.below = below
        self.prior = prior
        self.features = features
        self.ranker = ranker
        self.weight = weight
        self.history = history
        self._columns = [ALL_NAMES.index(name) for name in ranker.features]

    def score(self, rows: Rows, candidates: Rows) -> Ranked:
        """See `Scorer`."""
        table, there = self.table(rows, candidates), candidates != NO_ROW
        base = self.below.mix(table, there).scores if isinstance(self.below, PriorScorer) else fused(table)
        learned = self.ranker.score_table(table[:, :, self._columns], there)
        return Ranked(blend(base, learned, self.weight, there), parts(table, self.features))

    def table(self, rows: Rows, candidates: Rows) -> Table:
        """(b, c, f) all of `LEARNED`; each page's own picks are hidden from it."""
        return learned_table(self.features, self.prior, self.history, rows, candidates, self.history.own(rows))

    def explain(self, rows: Rows, candidates: Rows) -> tuple[Sequence[Feature], NDArray[np.float32]]:
        """See `Scorer`."""
        table = self.table(rows, candidates)[:, :, self._columns]
        return [LEARNED[column] for column in self._columns], _contributions(self.ranker, table, candidates)


ALL_NAMES = tuple(feature.name for feature in LEARNED)


def learned_table(
    features: Features, prior: PriorScorer | None, history: History, rows: Rows, candidates: Rows, hidden: Mask
) -> Table:
    """(b, c, f) float32: all of `LEARNED`, with the picks of `hidden` sources (b, s) out of sight."""
    table, there = features.of(rows, candidates), candidates != NO_ROW
    score = np.where(there, prior.learned(table, there), np.nan) if prior else np.full(there.shape, np.nan)
    of_picks = history.features(rows, candidates, hidden)
    return np.concatenate([table, of_picks, score[:, :, None].astype(np.float32)], axis=2)


def fused(table: Table) -> Scores:
    """(b, c) the fusion's dampened score, from a table's column; -inf where there is no candidate."""
    scores = table[:, :, NAMES.index("fused")]
    return np.where(np.isnan(scores), -np.inf, scores)


def parts(table: Table, features: Features) -> NDArray[np.float32]:
    """(b, c, m) the fusion's parts, from a table's columns."""
    fusion = features.signals.fusion
    names = [part.name for part, _ in fusion.parts]
    own, back = (table[:, :, [NAMES.index(f"{name}_{view}") for name in names]] for view in ("z", "back"))
    return np.nan_to_num(fusion.both(own, back))


def _contributions(ranker: LambdaRanker, table: Table, candidates: Rows) -> NDArray[np.float32]:
    moved = np.zeros(table.shape, dtype=np.float32)
    there = candidates != NO_ROW
    if there.any():
        moved[there] = ranker.contributions(table[there])
    return moved


__all__ = ["ALL_NAMES", "LEARNED", "FusionScorer", "LearnedScorer", "PriorScorer", "Scorer"]
