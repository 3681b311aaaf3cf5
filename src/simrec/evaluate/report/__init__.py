"""An evaluation as one HTML page, for a person who decides.

`verdict` says which model and how sure, `pages` where it is better and worse, `blocks` shows them side by side,
`learning` tells what was learned, `figures` explains the measures, `plots` draws.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from simrec.evaluate.report import blocks, figures, learning, pages, plots
from simrec.evaluate.report.evaluated import Evaluated, Standing, standing
from simrec.evaluate.report.verdict import clear, corrected, ordered, p_value, verdict
from simrec.evaluate.slices import LEAST_FOR_INTERVAL
from simrec.files import write_whole
from simrec.text import safe_url

__all__ = ["Evaluated", "render_report", "write_report"]

TEMPLATES = Path(__file__).parent / "templates"
LONGEST = 200
"""Signs of a title that are shown."""


def write_report(evaluation: Evaluated, path: Path) -> None:
    """Writes the report to a file, whole or not at all, and the folders above it.

    Raises:
        StoreError: the file cannot be written.
    """
    write_whole(path, render_report(evaluation).encode("utf-8", "replace"), "name another file with --report")


def render_report(evaluation: Evaluated) -> str:
    """The report's HTML: one file without scripts or references, the same bytes for the same evaluation."""
    stand = standing(evaluation)
    names = list(evaluation.models[stand.best])
    kinds = pages.groups(evaluation, stand)
    accuracy, beyond = figures.figures(evaluation, names)
    return (
        _environment()
        .get_template("report.html")
        .render(
            protocol=evaluation.protocol,
            models=evaluation.models,
            stand=stand,
            verdict=verdict(evaluation, stand, pages.signed(kinds, -1)),
            key_figures=figures.key_figures(evaluation, stand),
            comparisons=ordered(evaluation.comparisons, stand),
            others=[found for found in evaluation.comparisons if found.measure != stand.main],
            kinds=kinds,
            better=pages.signed(kinds, 1),
            worse=pages.signed(kinds, -1),
            cases=blocks.cases(evaluation, stand),
            missed=int((evaluation.values[stand.best][stand.main] == 0).sum()),
            accuracy=accuracy,
            beyond=beyond,
            plots=_plots(evaluation, stand, [measure.name for measure in accuracy]),
            shown_picks=blocks.SHOWN_PICKS,
            least=LEAST_FOR_INTERVAL,
            **_learned(evaluation, stand),
        )
    )


def _learned(evaluation: Evaluated, stand: Standing) -> dict[str, Any]:
    """What the template says of learning, and of what comes with it."""
    decided = learning.decisions(evaluation)
    return {
        "curve": evaluation.curve,
        "curve_told": learning.curve_told(evaluation.curve, stand.main) if evaluation.curve else "",
        "decisions": decided,
        "told": learning.told_of(decided) if decided else "",
        "features": learning.features(evaluation),
        "feature_groups": learning.feature_groups(evaluation),
        "candidates": learning.found_picks(evaluation.candidates),
        "all_found": learning.all_found(evaluation.candidates),
        "rated": learning.rated(evaluation.ratings) if evaluation.ratings else [],
    }


def _plots(evaluation: Evaluated, stand: Standing, names: list[str]) -> dict[str, Markup]:
    found = {model: values[stand.main] for model, values in evaluation.values.items()}
    drawn = {
        "models": plots.models_plot(evaluation.models, stand.main),
        "measures": plots.measures_plot(evaluation.models, [name for name in names if name != stand.main]),
        "distribution": plots.distribution_plot(found, stand.main),
    }
    if evaluation.curve:
        drawn["curve"] = plots.curve_plot(evaluation.curve, stand.main, evaluation.models)
    return {name: Markup(plot) for name, plot in drawn.items()}  # noqa: S704 - drawn by matplotlib, which escapes names


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "number": lambda value: f"{value:.3f}".replace("-", "−"),
        "signed": lambda value: f"{value:+.3f}".replace("-", "−"),
        "percent": lambda value: f"{value:.0%}",
        "p": p_value,
        "corrected": corrected,
        "link": safe_url,
        "short": lambda text: text if len(text) <= LONGEST else text[:LONGEST].rstrip() + "…",
        "pretty": lambda value: json.dumps(value, ensure_ascii=False, indent=1, default=str),
    }
    environment.filters.update(filters)
    environment.tests["clear"] = clear
    environment.tests["known"] = lambda value: not math.isnan(value)
    environment.globals["color"] = plots.color_of
    return environment
