"""How a build grows: seconds of each stage at several sizes, the exponent that fits them, and what a million takes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from speed.build import warm, workspace
from speed.context import Context, Job
from speed.report import Measured, Outcome, Row, number
from speed.texts import source_of

MILLION = 1_000_000
WHOLE = "whole"
SHORT = 0.05
"""Seconds under which a stage's time says nothing of its growth."""


def bench(context: Context) -> Outcome:
    """Runs it."""
    warm(context)
    measured: dict[str, Measured] = {}
    for n in context.profile.growth:
        blank = workspace(context, n)
        if isinstance(blank, Measured):
            measured[f"{n:,}"] = blank
            continue
        folder = context.work / f"growth-{n}"
        shutil.copytree(blank, folder)
        measured[f"{n:,}"] = context.run(Job("speed.build:whole", {"folder": folder}, 1))
        shutil.rmtree(folder)
    done = [found for found in measured.values() if not found.missing]
    series = seconds(done)
    rows = [row(name, points) for name, points in series.items() if name != WHOLE]
    rows += [whole(series)] if series else []
    if not rows:
        rows = [Row("growth of a build", None, "", reason=next(found.missing for found in measured.values()))]
    return Outcome({"source": source_of(context), "articles": list(measured)}, measured, rows, {"stages": series})


def seconds(done: Sequence[Measured]) -> dict[str, list[tuple[int, float]]]:
    """For each stage, and for the whole, pairs of articles and seconds."""
    series: dict[str, list[tuple[int, float]]] = {}
    for found in done:
        stages: Mapping[str, Mapping[str, float]] = found.figures["stages"]
        for name, values in stages.items():
            series.setdefault(name, []).append((found.figures["articles"], values["seconds"]))
        series.setdefault(WHOLE, []).append((found.figures["articles"], round(found.seconds or 0.0, 3)))
    return series


def fit(points: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """Exponent and factor of seconds = factor * articles ** exponent, by least squares of the logarithms.

    None where fewer than two points are long enough to tell.

    >>> [round(value, 6) for value in fit([(1000, 2.0), (2000, 8.0), (4000, 32.0)])]
    [2.0, 2e-06]
    """
    told = [(n, taken) for n, taken in points if taken >= SHORT]
    if len({n for n, _ in told}) < 2:
        return None
    articles, taken = np.log(np.array(told, dtype=float)).T
    exponent, constant = np.polyfit(articles, taken, 1)
    return float(exponent), float(np.exp(constant))


def row(stage: str, points: Sequence[tuple[int, float]]) -> Row:
    """A stage's exponent, its seconds at the largest size, and at a million."""
    found = fit(points)
    n, taken = points[-1]
    note = f"{number(taken)} s at {n:,}"
    if found is None:
        return Row(f"growth of {stage}", None, "", reason="too short to tell", note=note)
    exponent, factor = found
    return Row(
        f"growth of {stage}: exponent", exponent, "", note=f"{note}; {span(factor * MILLION**exponent)} at 1 million"
    )


def whole(series: Mapping[str, Sequence[tuple[int, float]]]) -> Row:
    """The exponent of the whole build; at a million it takes what its stages take, since the steepest rules."""
    found = row(WHOLE, series[WHOLE])
    if found.value is None:
        return found
    n, taken = series[WHOLE][-1]
    return replace(found, note=f"{number(taken)} s at {n:,}; {span(predict(series, MILLION))} at 1 million, all stages")


def predict(series: Mapping[str, Sequence[tuple[int, float]]], articles: float) -> float:
    """Seconds of a build of so many articles: the sum of what each stage's fit says."""
    fits = [fit(points) for name, points in series.items() if name != WHOLE]
    return sum(factor * articles**exponent for exponent, factor in filter(None, fits))


def span(taken: float) -> str:
    """Seconds as people say them.

    >>> span(42), span(600), span(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if taken < 120:
        return f"{taken:.0f} s"
    return f"{taken / 60:.0f} min" if taken < 7200 else f"{taken / 3600:.1f} h"
