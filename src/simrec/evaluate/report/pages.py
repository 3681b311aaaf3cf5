"""Kinds of pages: where the best model is better than the next, and where it is worse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simrec.evaluate.compare import Interval
from simrec.evaluate.report.evaluated import Evaluated, Standing
from simrec.evaluate.slices import OTHERS, of, slices

TITLES = {
    "section": "By section",
    "age": "By age of the page",
    "length": "By length of the page",
    "language": "By language",
    "picks": "By number of picks",
}

NAMED = 5
"""Kinds of pages by one property that are named in a sentence."""


class Kind(NamedTuple):
    """A kind of pages.

    Attributes:
        name: in words; None for those of all smaller ones together.
        sources: tested pages of this kind.
        best: the best model's mean and interval.
        rival: the next model's, where there is one.
        lead: the best's mean less the next's, on the same pages, where there is one.
        sign: 1 where the best model is clearly better, -1 clearly worse, 0 where one cannot say.
    """

    name: str | None
    sources: int
    best: Interval
    rival: Interval | None
    lead: Interval | None
    sign: int


class Group(NamedTuple):
    """All kinds of pages by one property."""

    by: str
    title: str
    kinds: Sequence[Kind]


def groups(evaluation: Evaluated, stand: Standing) -> list[Group]:
    """The evaluation's slices, with the difference of the two best models on each."""
    if not evaluation.slices:
        return []
    kinds: dict[str, list[Kind]] = {}
    same = slices(evaluation.corpus, evaluation.sources, evaluation.picks)
    for found, (_, _, places) in zip(evaluation.slices, same, strict=True):
        by, value = found["by"], found["value"]
        best, lead, rival = Interval(**found["models"][stand.best]), None, None
        if stand.rival is not None:
            rival = Interval(**found["models"][stand.rival])
            ours, theirs = (evaluation.values[model][stand.main][places] for model in (stand.best, stand.rival))
            lead = of(ours - theirs)
        sign = 0 if lead is None else int(lead.low > 0) - int(lead.high < 0)
        kinds.setdefault(by, []).append(
            Kind(None if value == OTHERS else value, found["sources"], best, rival, lead, sign)
        )
    return [Group(by, TITLES.get(by, f"By {by}"), of_group) for by, of_group in kinds.items()]


def signed(found: Sequence[Group], sign: int) -> list[str]:
    """The kinds where the best model is clearly better (1) or clearly worse (-1): a text for each property."""
    told = []
    for group in found:
        names = [kind.name or "all others" for kind in group.kinds if kind.sign == sign]
        if names:
            rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            told.append(f"{group.title.lower()} {', '.join(names[:NAMED])}{rest}")
    return told
