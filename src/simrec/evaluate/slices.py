"""Kinds of sources, so that a figure can be read for each: where a model is better, and where it is worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.evaluate.compare import Interval, interval
from simrec.evaluate.measures import Values
from simrec.types import Corpus, Rows, primary

MOST = 20
"""Values of a slice that are shown; the sources of the rest are put together."""
LEAST_FOR_INTERVAL = 5
"""With fewer sources a mean has no interval."""
OTHERS = "others"
PICKS = ((1, 1, "1"), (2, 2, "2"), (3, 5, "3 to 5"), (6, 10, "6 to 10"), (11, np.inf, "more than 10"))

AGES = ("newest third", "middle third", "oldest third")
LENGTHS = ("shortest third", "middle third", "longest third")


class Slice(NamedTuple):
    """Sources that are alike in one respect.

    Attributes:
        by: what they are alike in: section, age, length, language, picks.
        value: what it is for these.
        places: their places among the sources.
    """

    by: str
    value: str
    places: NDArray[np.int64]


def slices(corpus: Corpus, sources: Rows, picks: Sequence[AbstractSet[int]]) -> list[Slice]:
    """All slices of some sources that have at least two values; those without a value are in none."""
    articles = [corpus.articles[row] for row in sources.tolist()]
    words = np.array([len(article.body.split()) for article in articles], dtype=np.float64)
    named: dict[str, list[str | None]] = {
        "section": [article.section for article in articles],
        "language": [primary(article.lang) if article.lang else None for article in articles],
        "age": _thirds(-corpus.published[sources], AGES),
        "length": _thirds(words, LENGTHS),
        "picks": [
            next(name for low, high, name in PICKS if low <= len(targets) <= high) if targets else None
            for targets in picks
        ],
    }
    return [found for by, values in named.items() for found in _slices_by(by, values)]


def measure(found: Sequence[Slice], values: Mapping[str, Values]) -> list[dict[str, object]]:
    """Each slice's sources and, by model, the mean with its interval (NaN with too few sources)."""
    return [
        {
            "by": by,
            "value": value,
            "sources": len(places),
            "models": {model: of(every[places])._asdict() for model, every in values.items()},
        }
        for by, value, places in found
    ]


def of(values: Values) -> Interval:
    """The mean, and an interval where there are enough sources for one, else NaN."""
    if len(values) >= LEAST_FOR_INTERVAL:
        return interval(values)
    return Interval(float(values.mean()), float("nan"), float("nan"))


def _slices_by(by: str, values: Sequence[str | None]) -> list[Slice]:
    places: dict[str, list[int]] = {}
    for place, value in enumerate(values):
        if value:
            places.setdefault(value, []).append(place)
    if len(places) < 2:
        return []
    order = sorted(places, key=lambda value: (-len(places[value]), value)) if by in ("section", "language") else None
    names = [name for name in _order_of(by) if name in places] if order is None else order
    found = [Slice(by, name, np.array(places[name])) for name in names[:MOST]]
    rest = [place for name in names[MOST:] for place in places[name]]
    return [*found, Slice(by, OTHERS, np.array(sorted(rest)))] if rest else found


def _order_of(by: str) -> list[str]:
    """The values of a slice as they follow one another."""
    return [name for *_, name in PICKS] if by == "picks" else list(AGES if by == "age" else LENGTHS)


def _thirds(values: NDArray[np.float64], names: tuple[str, str, str]) -> list[str | None]:
    known = values[~np.isnan(values)]
    if len(np.unique(known)) < 3:
        return [None] * len(values)
    cuts = np.quantile(known, [1 / 3, 2 / 3])
    return [None if np.isnan(value) else names[int(np.searchsorted(cuts, value, side="left"))] for value in values]
