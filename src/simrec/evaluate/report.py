"""An evaluation as one HTML page: figures, plots, sections, and the sources that went worst."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from simrec.evaluate.compare import Comparison, Interval, interval
from simrec.evaluate.plots import distribution_plot, measures_plot
from simrec.files import write_whole
from simrec.text import safe_url
from simrec.types import NO_ROW, Article, Corpus, Rows

WORST = 20
SECTIONS = 20
LEAST_FOR_INTERVAL = 5
SHOWN_PICKS = 30
TEMPLATES = Path(__file__).parent / "templates"
MEANINGS = {
    "nDCG": "how well the picks are placed in the first {n}: 1 with all of them on top, less the further down they are",
    "R": "the share of a source's picks that are among the first {n}",
    "RR": "one over the rank of the first pick: 1 at rank 1, 0.5 at rank 2, 0 for none in the first {n}",
    "AP": "the mean, over a source's picks, of the share of picks down to each one's rank, in the first {n}",
    "Success": "the share of sources with at least one pick among the first {n}",
    "coverage": "the share of all articles that stand among the first {n} of some source",
    "gini": "how unevenly the first {n} show articles: 0 all alike, near 1 always the same few; lower is fairer",
    "ild": "how unlike each other the first {n} are, by their words; neither high nor low is better by itself",
}
LOWER_IS_BETTER = ("gini",)
NEITHER_IS_BETTER = ("ild",)


class Evaluated(Protocol):
    """What the report needs of an evaluation; see `simrec.pipeline.evaluate.Evaluation`."""

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


class Section(NamedTuple):
    """A row of the table of sections: `name` is None for sources without one, `others` counts folded sections."""

    name: str | None
    others: int
    sources: int
    models: Mapping[str, Interval]


class Case(NamedTuple):
    """A source that went badly: its picks with their ranks (None: not found), and what was given, hits marked."""

    source: Article
    value: float
    picks: Sequence[tuple[Article, int | None]]
    given: Sequence[tuple[Article, bool]]
    depth: int


def write_report(evaluation: Evaluated, path: Path) -> None:
    """Writes the report to a file, whole or not at all, and the folders above it.

    Raises:
        StoreError: the file cannot be written.
    """
    write_whole(path, render_report(evaluation).encode("utf-8", "replace"), "name another file with --report")


def render_report(evaluation: Evaluated) -> str:
    """The report's HTML: one file without scripts or references, the same bytes for the same evaluation."""
    main = f"nDCG@{evaluation.protocol['k']}"
    best = max(evaluation.models, key=lambda model: evaluation.models[model][main].mean)
    names = list(evaluation.models[best])
    found = {model: values[main] for model, values in evaluation.values.items()}
    plots = [measures_plot(evaluation.models, names), distribution_plot(found, main)]
    return (
        _environment()
        .get_template("report.html")
        .render(
            protocol=evaluation.protocol,
            models=evaluation.models,
            comparisons=sorted(evaluation.comparisons, key=lambda c: c.measure != main),
            main=main,
            best=best,
            summary=_summary(evaluation, main, best),
            measures=[(name, _meaning(name, evaluation.protocol), _winners(evaluation, name)) for name in names],
            plots=[Markup(plot) for plot in plots],  # noqa: S704 - drawn by matplotlib, which escapes model names
            sections=_sections(evaluation, main),
            worst=_worst(evaluation, main, best),
            missed=int((found[best] == 0).sum()),
            shown_picks=SHOWN_PICKS,
            least=LEAST_FOR_INTERVAL,
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[[Any], Any]] = {
        "number": lambda value: f"{value:.3f}".replace("-", "−"),
        "signed": lambda value: f"{value:+.3f}".replace("-", "−"),
        "p": _p,
        "link": safe_url,
        "pretty": lambda value: json.dumps(value, ensure_ascii=False, indent=1, default=str),
    }
    environment.filters.update(filters)
    return environment


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "<\u00a00.001"


def _summary(evaluation: Evaluated, main: str, best: str) -> str:
    """One sentence: the best model, its lead over the next, and whether that is clear."""
    mean, low, high = evaluation.models[best][main]
    others = [model for model in evaluation.models if model != best]
    if not others:
        return (
            f"{best} reaches {main} {mean:.3f} (95% interval {low:.3f} to {high:.3f}); it was the only model measured."
        )
    after = max(others, key=lambda model: evaluation.models[model][main].mean)
    start = f"{best} is best with {main} {mean:.3f}"
    lead = _lead(evaluation.comparisons, main, best, after)
    if lead is None:
        return f"{start}; {after}, the next, reaches {evaluation.models[after][main].mean:.3f}."
    p = f"p\u00a0{_p(lead.p)}" if lead.p < 0.001 else f"p\u00a0=\u00a0{_p(lead.p)}"
    interval_and_p = f"95% interval of the difference {lead.low:.3f} to {lead.high:.3f}, {p}".replace("-", "−")
    if lead.low > 0:
        return f"{start}, {lead.delta:.3f} more than {after}, the next ({interval_and_p}): a clear lead."
    return f"{start}, but its lead of {lead.delta:.3f} over {after}, the next, is not clear ({interval_and_p})."


def _lead(comparisons: Sequence[Comparison], measure: str, a: str, b: str) -> Comparison | None:
    """The comparison of a with b, turned so that `delta` is a's mean minus b's."""
    for found in comparisons:
        if found.measure == measure and (found.a, found.b) == (a, b):
            return found
        if found.measure == measure and (found.a, found.b) == (b, a):
            return found._replace(a=a, b=b, delta=0 - found.delta, low=0 - found.high, high=0 - found.low)
    return None


def _meaning(measure: str, protocol: Mapping[str, Any]) -> str:
    name, _, n = measure.partition("@")
    return MEANINGS.get(name, "").format(n=n or protocol["depth"])


def _winners(evaluation: Evaluated, measure: str) -> list[str]:
    """The models with the best mean; none where all have the same, or where neither end is better."""
    name = measure.partition("@")[0]
    if name in NEITHER_IS_BETTER:
        return []
    means = {model: found[measure].mean for model, found in evaluation.models.items()}
    best = min(means.values()) if name in LOWER_IS_BETTER else max(means.values())
    winners = [model for model, mean in means.items() if mean == best]
    return winners if len(winners) < len(means) else []


def _sections(evaluation: Evaluated, main: str) -> list[Section]:
    """The sources' sections, those with most sources first; beyond the twentieth in one row. Empty without any."""
    by_section: dict[str | None, list[int]] = {}
    for place, row in enumerate(evaluation.sources.tolist()):
        by_section.setdefault(evaluation.corpus.articles[row].section or None, []).append(place)
    if set(by_section) <= {None}:
        return []
    ordered = sorted(by_section.items(), key=lambda item: (-len(item[1]), item[0] is None, item[0] or ""))
    shown = [(name, 0, places) for name, places in ordered[:SECTIONS]]
    folded = ordered[SECTIONS:]
    if folded:
        shown.append((None, len(folded), [place for _, places in folded for place in places]))
    return [
        Section(name, others, len(places), {m: _of(values[main][places]) for m, values in evaluation.values.items()})
        for name, others, places in shown
    ]


def _of(values: NDArray[np.float64]) -> Interval:
    """The mean, and an interval where there are enough sources for one, else NaN."""
    if len(values) >= LEAST_FOR_INTERVAL:
        return interval(values)
    return Interval(float(values.mean()), float("nan"), float("nan"))


def _worst(evaluation: Evaluated, main: str, best: str) -> list[Case]:
    """The sources where the best model did worst: the lowest value first, then most picks, then by id."""
    values, run, ids = evaluation.values[best][main], evaluation.runs[best], evaluation.corpus.ids
    places = sorted(
        range(len(values)),
        key=lambda place: (
            round(float(values[place]), 9),
            -len(evaluation.picks[place]),
            ids[evaluation.sources[place]],
        ),
    )
    return [_case(evaluation, place, float(values[place]), run[place]) for place in places[:WORST]]


def _case(evaluation: Evaluated, place: int, value: float, ranked: Rows) -> Case:
    articles, picks = evaluation.corpus.articles, evaluation.picks[place]
    rank_of = {row: rank for rank, row in enumerate(ranked.tolist(), start=1) if row != NO_ROW}
    by_rank = sorted(picks, key=lambda row: (rank_of.get(row, len(ranked) + 1), evaluation.corpus.ids[row]))
    given = [row for row in ranked[: evaluation.protocol["k"]].tolist() if row != NO_ROW]
    return Case(
        source=articles[evaluation.sources[place]],
        value=value,
        picks=[(articles[row], rank_of.get(row)) for row in by_rank],
        given=[(articles[row], row in picks) for row in given],
        depth=len(ranked),
    )
