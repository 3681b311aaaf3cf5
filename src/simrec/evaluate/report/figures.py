"""The tables of measures: what each says, and which model does best on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from simrec.evaluate.report.evaluated import Evaluated, Standing

MEANINGS = {
    "nDCG": "how well the picks are placed in the first {n}: 1 with all of them on top, less the further down they are",
    "R": "the share of a source's picks that are among the first {n}",
    "RR": "one over the rank of the first pick: 1 at rank 1, 0.5 at rank 2, 0 for none in the first {n}",
    "AP": "the mean, over a source's picks, of the share of picks down to each one's rank, in the first {n}",
    "Success": "the share of sources with at least one pick among the first {n}",
    "Judged": "the share of the first {n} that are picks; the others are not wrong, but unknown",
    "coverage": "the share of all articles that stand among the first {n} of some source",
    "gini": "how unevenly the first {n} show articles: 0 all alike, near 1 always the same few; lower is fairer",
    "hubs": "the share of all places among the first {n} that the most shown 1% of the articles take; lower is fairer",
    "ild": "how unlike each other the first {n} are, by their words; neither high nor low is better by itself",
    "novelty": "how rarely editors pick what the first {n} show, in bits; neither high nor low is better by itself",
    "fresh": "how new the first {n} are: 1 the newest of the site, 0 the oldest; neither is better by itself",
}
BEYOND = ("coverage", "gini", "hubs", "ild", "novelty", "fresh")
"""Measures of what else a reader meets, beside accuracy."""
LOWER_IS_BETTER = ("gini", "hubs")
NEITHER_IS_BETTER = ("ild", "novelty", "fresh")


class Measure(NamedTuple):
    """A measure: its name, what it says, and the models that do best on it."""

    name: str
    meaning: str
    winners: Sequence[str]


class Figure(NamedTuple):
    """A figure for the top of the page, with what it is."""

    value: str
    what: str


def figures(evaluation: Evaluated, names: Sequence[str]) -> tuple[list[Measure], list[Measure]]:
    """Measures of accuracy, and those beyond."""
    found = [Measure(name, _meaning(name, evaluation.protocol), _winners(evaluation, name)) for name in names]
    beyond = [measure for measure in found if _kind(measure.name) in BEYOND]
    return [measure for measure in found if measure not in beyond], beyond


def key_figures(evaluation: Evaluated, stand: Standing) -> list[Figure]:
    """The best model's figures that need no explanation, as far as they were measured."""
    best, k = evaluation.models[stand.best], evaluation.protocol["k"]
    found = [Figure(f"{best[stand.main].mean:.3f}", f"{stand.main}: 0 no pick found, 1 all of them on top")]
    if f"R@{k}" in best:
        found.append(Figure(f"{best[f'R@{k}'].mean:.0%}", f"of the editors' picks are among the first {k}"))
    if "Success@5" in best:
        found.append(Figure(f"{best['Success@5'].mean:.0%}", "of the pages have a pick among the first five"))
    sources, picks = evaluation.protocol["sources"], evaluation.protocol["picks"]
    found.append(Figure(f"{sources:,}", f"page{'s'[: sources != 1]} tested, with {picks:,} pick{'s'[: picks != 1]}"))
    return found


def _kind(measure: str) -> str:
    return measure.partition("@")[0]


def _meaning(measure: str, protocol: Mapping[str, Any]) -> str:
    name, _, n = measure.partition("@")
    return MEANINGS.get(name, "").format(n=n or protocol["depth"])


def _winners(evaluation: Evaluated, measure: str) -> list[str]:
    """The models with the best mean; none where all have the same, or where neither end is better."""
    if _kind(measure) in NEITHER_IS_BETTER:
        return []
    means = {model: found[measure].mean for model, found in evaluation.models.items()}
    best = min(means.values()) if _kind(measure) in LOWER_IS_BETTER else max(means.values())
    winners = [model for model, mean in means.items() if mean == best]
    return winners if len(winners) < len(means) else []
