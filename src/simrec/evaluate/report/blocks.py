"""Blocks side by side: pages that show how the two best models differ, with the editors' picks marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from simrec.evaluate.measures import SHOWN
from simrec.evaluate.report.evaluated import Evaluated, Standing
from simrec.types import NO_ROW, Article

EACH = 4
"""Pages of each kind."""
SHOWN_PICKS = 8


class Picked(NamedTuple):
    """An editor's pick, and its rank with each shown model (None: not found)."""

    article: Article
    ranks: Mapping[str, int | None]


class Given(NamedTuple):
    """A model's block: the articles with whether they are picks, and the value of its whole ranking."""

    model: str
    value: float
    items: Sequence[tuple[Article, bool]]


class Case(NamedTuple):
    """A page with its picks, those in the blocks first, and the blocks of the models."""

    source: Article
    picks: Sequence[Picked]
    blocks: Sequence[Given]


class Cases(NamedTuple):
    """Pages that were chosen for one reason: "gains", "losses", "typical" or "failures"."""

    why: str
    cases: Sequence[Case]


def cases(evaluation: Evaluated, stand: Standing) -> list[Cases]:
    """A few pages of each kind, none twice: the same ones on every run.

    With two models or more: where the best one gains most over the next, where it loses most, where all is as usual,
    and where it does worst. With one model only the last two.
    """
    best = np.round(evaluation.values[stand.best][stand.main], 9)
    gain = np.zeros(len(best))
    if stand.rival is not None:
        gain = np.round(best - evaluation.values[stand.rival][stand.main], 9)
    unusual = np.round(np.abs(best - np.median(best)) + np.abs(gain - np.median(gain)), 9)
    wanted = {
        "gains": (-gain, gain > 0),
        "losses": (gain, gain < 0),
        "failures": (best, np.ones(len(best), dtype=bool)),
        "typical": (unusual, np.ones(len(best), dtype=bool)),
    }
    picks = [len(targets) for targets in evaluation.picks]
    ids = [evaluation.corpus.ids[row] for row in evaluation.sources.tolist()]
    chosen: dict[str, list[int]] = {}
    taken: set[int] = set()
    for why, (key, may) in wanted.items():
        free = [place for place in np.flatnonzero(may).tolist() if place not in taken]
        chosen[why] = sorted(free, key=lambda place: (key[place], -picks[place], ids[place]))[:EACH]
        taken.update(chosen[why])
    return [
        Cases(why, [_case(evaluation, stand, place) for place in chosen[why]])
        for why in ("gains", "losses", "typical", "failures")
        if chosen[why]
    ]


def _case(evaluation: Evaluated, stand: Standing, place: int) -> Case:
    articles, picks = evaluation.corpus.articles, evaluation.picks[place]
    models = [stand.best] if stand.rival is None else [stand.best, stand.rival]
    shown = min(SHOWN, evaluation.protocol["k"])
    ranks: dict[str, dict[int, int]] = {}
    blocks = []
    for model in models:
        ranked = evaluation.runs[model][place].tolist()
        ranks[model] = {row: rank for rank, row in enumerate(ranked, start=1) if row != NO_ROW}
        items = [(articles[row], row in picks) for row in ranked[:shown] if row != NO_ROW]
        blocks.append(Given(model, float(evaluation.values[model][stand.main][place]), items))
    last = len(articles)
    ordered = sorted(picks, key=lambda row: (ranks[stand.best].get(row, last), evaluation.corpus.ids[row]))
    return Case(
        source=articles[evaluation.sources[place]],
        picks=[Picked(articles[row], {model: ranks[model].get(row) for model in models}) for row in ordered],
        blocks=blocks,
    )
