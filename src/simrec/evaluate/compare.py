"""Intervals and paired tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.evaluate.measures import OF_ALL, Values, exposure
from simrec.types import Rows

RESAMPLES = 1000
PERMUTATIONS = 10_000
SEED = 0
LEVEL = (2.5, 97.5)
"""Percentiles of the 95% interval."""


class Interval(NamedTuple):
    """A mean and its 95% interval."""

    mean: float
    low: float
    high: float


class Comparison(NamedTuple):
    """Model a against model b.

    Attributes:
        delta: a's mean minus b's, with its 95% interval.
        p: of the test of these two alone.
        p_holm: of the test, corrected for all pairs that are compared on this measure.
    """

    a: str
    b: str
    measure: str
    delta: float
    low: float
    high: float
    p: float
    p_holm: float = float("nan")


def resamples(s: int) -> Iterator[NDArray[np.int64]]:
    """1000 times (s,) places, drawn with replacement: the same on every call (Efron's bootstrap)."""
    rng = np.random.default_rng(SEED)
    return (rng.integers(0, s, size=s) for _ in range(RESAMPLES))


def interval(values: Values) -> Interval:
    """The mean over sources, with a percentile bootstrap interval over them."""
    means = np.array([values[places].mean() for places in resamples(len(values))])
    low, high = np.percentile(means, LEVEL)
    return Interval(float(values.mean()), float(low), float(high))


def interval_of_all(run: Rows, n: int, measure: str) -> Interval:
    """A measure of all lists together, with a basic interval from the bootstrap over sources.

    Resampled lists repeat and so cover less than the real ones; the percentiles are shifted by that bias.
    """
    of = OF_ALL[measure]
    mean = of(exposure(run, n))
    values = np.array([of(exposure(run, n, places)) for places in resamples(len(run))])
    low, high = np.percentile(values, LEVEL) - np.median(values) + mean
    return Interval(mean, float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1)))


def compare(a: str, b: str, measure: str, ours: Values, theirs: Values) -> Comparison:
    """Two models on the same sources: the difference's interval, and the paired randomization test."""
    delta = interval(ours - theirs)
    p = randomization_test(ours - theirs)
    return Comparison(a, b, measure, delta.mean, delta.low, delta.high, p, p)


def randomization_test(differences: Values) -> float:
    """p of the paired randomization test, two-sided (Smucker et al. 2007).

    Each source's difference keeps or changes its sign at random, 10,000 times; p is the share of the means, the real
    one among them, that are as far from 0 as the real one.
    """
    changed = differences[differences != 0]
    rng = np.random.default_rng(SEED)
    extreme = 1
    for _ in range(0, PERMUTATIONS, 1000):
        signs = rng.integers(0, 2, size=(1000, len(changed)), dtype=np.int8) * 2 - 1
        sums = signs @ changed
        extreme += int((np.abs(sums) >= abs(changed.sum()) - 1e-12).sum())
    return extreme / (PERMUTATIONS + 1)


def correct(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Holm's correction (1979), for each measure over the pairs compared on it: any false alarm at all stays at 5%."""
    found = list(comparisons)
    for measure in dict.fromkeys(comparison.measure for comparison in comparisons):
        places = [place for place, comparison in enumerate(found) if comparison.measure == measure]
        places.sort(key=lambda place: found[place].p)
        highest = 0.0
        for rank, place in enumerate(places):
            highest = max(highest, min((len(places) - rank) * found[place].p, 1.0))
            found[place] = found[place]._replace(p_holm=highest)
    return found
