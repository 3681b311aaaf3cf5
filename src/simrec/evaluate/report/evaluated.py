"""What the report needs of an evaluation, and how its models are ordered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from simrec.evaluate.compare import Comparison, Interval
from simrec.types import Corpus, Rows


class Described(Protocol):
    """A feature; see `simrec.rank.catalogue.Feature`."""

    @property
    def group(self) -> str:
        """What it needs."""

    @property
    def words(self) -> str:
        """What it says for a candidate, to go on after "it"."""

    @property
    def meaning(self) -> str:
        """What it is, with its unit."""


class FoundPicks(Protocol):
    """A source of candidates; see `simrec.pipeline.runs.Found`."""

    @property
    def source(self) -> str:
        """Its name; "all" for all together."""

    @property
    def candidates(self) -> int:
        """How many it brings a page, at most."""

    @property
    def recall(self) -> float:
        """The share of the picks among them."""


class CurvePoint(Protocol):
    """A point of the learning curve; see `simrec.pipeline.runs.Point`."""

    @property
    def pages(self) -> int:
        """Pages with picks that were learned from; 0 is hybrid."""

    @property
    def mean(self) -> float:
        """The main measure on the same test sources."""

    @property
    def low(self) -> float:
        """The lower end of its 95% interval."""

    @property
    def high(self) -> float:
        """The upper end."""


class Evaluated(Protocol):
    """An evaluation; see `simrec.pipeline.evaluate.Evaluation`. What is empty has no part in the report."""

    @property
    def protocol(self) -> Mapping[str, Any]:
        """How it was measured."""

    @property
    def models(self) -> Mapping[str, Mapping[str, Interval]]:
        """Intervals by model and measure."""

    @property
    def comparisons(self) -> Sequence[Comparison]:
        """Paired tests."""

    @property
    def corpus(self) -> Corpus:
        """The articles."""

    @property
    def sources(self) -> Rows:
        """(s,) rows of the tested sources."""

    @property
    def picks(self) -> Sequence[frozenset[int]]:
        """Their picks' rows."""

    @property
    def runs(self) -> Mapping[str, Rows]:
        """(s, depth) rankings by model."""

    @property
    def values(self) -> Mapping[str, Mapping[str, NDArray[np.float64]]]:
        """(s,) values by model and measure."""

    @property
    def slices(self) -> Sequence[Mapping[str, Any]]:
        """Kinds of sources: "by", "value", "sources", and by model its "mean", "low" and "high"."""

    @property
    def candidates(self) -> Sequence[FoundPicks]:
        """How many of the picks each source of candidates finds."""

    @property
    def learned(self) -> Sequence[Mapping[str, Any]]:
        """For each fold what was decided: "below", "weight", "why", "evidence"."""

    @property
    def importances(self) -> Mapping[str, float]:
        """For each feature its share of what the rankers gained."""

    @property
    def features(self) -> Mapping[str, Described]:
        """For each feature what it is."""

    @property
    def curve(self) -> Sequence[CurvePoint]:
        """The learning curve."""

    @property
    def ratings(self) -> Mapping[str, Interval]:
        """For each model the correlation of its scores with people's ratings."""


class Standing(NamedTuple):
    """Who is looked at.

    Attributes:
        main: the measure that decides.
        order: all models, best mean first; the first named one first where means are equal.
        best: the first of them.
        rival: the second, None where there is only one.
    """

    main: str
    order: Sequence[str]
    best: str
    rival: str | None


def standing(evaluation: Evaluated) -> Standing:
    """The models in order of the main measure."""
    main = f"nDCG@{evaluation.protocol['k']}"
    order = sorted(evaluation.models, key=lambda model: -evaluation.models[model][main].mean)
    return Standing(main, order, order[0], order[1] if len(order) > 1 else None)
