"""An evaluation as one HTML page: figures, plots, sections, and the sources that went worst."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from numpy.typing import NDArray

from simrec.errors import StoreError
from simrec.evaluate.compare import Comparison, Interval, interval
from simrec.evaluate.plots import distribution_plot, measures_plot
from simrec.types import NO_ROW, Corpus, Rows

WORST = 20
SECTIONS = 20
LEAST_FOR_INTERVAL = 5
TEMPLATES = Path(__file__).parent / "templates"
MEANINGS = {
    "nDCG": "how many picks stand near the top, early places counting more; 1 is all of them first",
    "R": "the share of the picks that were found",
    "RR": "one over the place of the first pick",
    "AP": "mean precision at each pick's place",
    "Success": "the share of pages with a pick among the first five",
    "coverage": "the share of all articles that some block shows",
    "gini": "how unequally blocks show articles; lower is fairer",
    "ild": "how unlike each other the first five are",
}


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


def write_report(evaluation: Evaluated, path: Path) -> None:
    """Writes the report to a file, whole or not at all.

    Raises:
        StoreError: the file cannot be written.
    """
    text = render_report(evaluation)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        Path(part).chmod(0o644)
        Path(part).replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}; name another file with --report") from error


def render_report(evaluation: Evaluated) -> str:
    """The report's HTML: one file without scripts or references, the same bytes for the same evaluation."""
    main = f"nDCG@{evaluation.protocol['k']}"
    best = max(evaluation.models, key=lambda model: evaluation.models[model][main].mean)
    measures = list(evaluation.models[best])
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    plots = [
        measures_plot(evaluation.models, measures),
        distribution_plot({model: found[main] for model, found in evaluation.values.items()}, main),
    ]
    return environment.get_template("report.html").render(
        evaluation=evaluation,
        main=main,
        best=best,
        summary=_summary(evaluation, main, best),
        measures=[(name, MEANINGS[name.split("@")[0]], _best_of(evaluation, name)) for name in measures],
        plots=[Markup(plot) for plot in plots],  # noqa: S704 - drawn by matplotlib from numbers and model names
        sections=_sections(evaluation, main),
        worst=_worst(evaluation, main, best),
    )


def _summary(evaluation: Evaluated, main: str, best: str) -> str:
    found = evaluation.models[best][main]
    text = f"{best} reaches {main} {found.mean:.3f} (95% interval {found.low:.3f} to {found.high:.3f})"
    others = [c for c in evaluation.comparisons if c.measure == main and best in (c.a, c.b)]
    if not others:
        return f"{text}."
    nearest = min(others, key=lambda c: abs(c.delta))
    other = nearest.b if nearest.a == best else nearest.a
    low, high = sorted((abs(nearest.low), abs(nearest.high)))
    if nearest.low <= 0 <= nearest.high:
        return f"{text}; its lead over {other}, {abs(nearest.delta):.3f}, may be chance (p = {nearest.p:.4f})."
    return f"{text}, {abs(nearest.delta):.3f} above {other} ({low:.3f} to {high:.3f}, p = {nearest.p:.4f})."


def _best_of(evaluation: Evaluated, measure: str) -> str | None:
    """The model with the best mean; None where it does not matter, or with one model."""
    if len(evaluation.models) < 2 or measure.startswith("ild"):
        return None
    choose = min if measure.startswith("gini") else max
    return choose(evaluation.models, key=lambda model: evaluation.models[model][measure].mean)


def _sections(evaluation: Evaluated, main: str) -> list[tuple[str, int, dict[str, Interval | None]]]:
    """(section, sources, interval by model), the largest first; small ones beyond the twentieth in one row."""
    by_section: dict[str, list[int]] = {}
    for place, row in enumerate(evaluation.sources.tolist()):
        by_section.setdefault(evaluation.corpus.articles[row].section or "(no section)", []).append(place)
    ordered = sorted(by_section.items(), key=lambda item: (-len(item[1]), item[0]))
    rest = [place for _, places in ordered[SECTIONS:] for place in places]
    shown = ordered[:SECTIONS] + ([(f"({len(ordered) - SECTIONS} more sections)", rest)] if rest else [])
    return [
        (name, len(places), {model: _of(values[main][places]) for model, values in evaluation.values.items()})
        for name, places in shown
    ]


def _of(values: NDArray[np.float64]) -> Interval:
    """The mean, and an interval where there are enough sources for one."""
    if len(values) >= LEAST_FOR_INTERVAL:
        return interval(values)
    return Interval(float(values.mean()), float("nan"), float("nan"))


def _worst(evaluation: Evaluated, main: str, best: str) -> list[dict[str, Any]]:
    """The sources where the best model did worst, with their picks and what was given."""
    values, run, ids = evaluation.values[best][main], evaluation.runs[best], evaluation.corpus.ids
    places = sorted(
        range(len(values)),
        key=lambda p: (round(float(values[p]), 9), -len(evaluation.picks[p]), ids[evaluation.sources[p]]),
    )
    return [_case(evaluation, place, values[place], run[place]) for place in places[:WORST]]


def _case(evaluation: Evaluated, place: int, value: float, ranked: Rows) -> dict[str, Any]:
    articles, picks = evaluation.corpus.articles, evaluation.picks[place]
    rank_of = {int(row): rank for rank, row in enumerate(ranked.tolist(), start=1) if row != NO_ROW}
    by_rank = sorted(picks, key=lambda row: (rank_of.get(row, len(ranked) + 1), evaluation.corpus.ids[row]))
    given = [row for row in ranked[: evaluation.protocol["k"]].tolist() if row != NO_ROW]
    return {
        "source": articles[evaluation.sources[place]],
        "value": value,
        "picks": [(articles[row], rank_of.get(row)) for row in by_rank],
        "given": [(articles[row], row in picks) for row in given],
        "depth": len(ranked),
    }
