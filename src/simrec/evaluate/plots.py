"""The report's plots, as SVG that is the same bytes on every run."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from simrec.evaluate.compare import Interval

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which color-blind people can tell apart; markers differ as well."""
MARKERS = ("o", "s", "^", "D", "v", "P")


def measures_plot(models: Mapping[str, Mapping[str, Interval]], measures: Sequence[str]) -> str:
    """A panel for each measure: every model's mean with its 95% interval."""
    columns = 3
    rows = -(-len(measures) // columns)
    figure, axes = _figure(columns, rows, width=9, height=0.75 + rows * (0.55 + 0.28 * len(models)))
    for place, axis in enumerate(axes):
        axis.set_visible(place < len(measures))
        if place >= len(measures):
            continue
        measure = measures[place]
        for number, found in enumerate(models.values()):
            mean, low, high = found[measure]
            error = [[max(mean - low, 0)], [max(high - mean, 0)]]
            color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
            axis.errorbar([mean], [number], xerr=error, fmt=marker, color=color, capsize=3, markersize=5)
        axis.set_yticks(range(len(models)), list(models))
        axis.set_ylim(len(models) - 0.5, -0.5)
        axis.set_title(measure, fontsize=10, loc="left")
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    return _svg(figure, "Each measure's mean and 95% interval, by model; the table above has the numbers")


def distribution_plot(values: Mapping[str, NDArray[np.float64]], measure: str) -> str:
    """For each model, which share of the sources reaches at least which value."""
    figure, axes = _figure(1, 1, width=6.5, height=3.2)
    for number, (model, found) in enumerate(values.items()):
        reached = np.sort(found)
        share = 1 - np.arange(len(reached)) / len(reached)
        style = ("-", "--", "-.", ":")[number % 4]
        axes[0].step(reached, share, where="pre", label=model, color=COLORS[number % len(COLORS)], linestyle=style)
    axes[0].set_xlabel(f"{measure} of a source")
    axes[0].set_ylabel("share of sources with at least that")
    axes[0].set_xlim(0, 1.01)
    axes[0].set_ylim(0, 1.02)
    axes[0].grid(color="#dddddd", linewidth=0.6)
    axes[0].legend(frameon=False)
    return _svg(figure, f"The share of sources that reach at least a given {measure}, by model")


def _figure(columns: int, rows: int, *, width: float, height: float):  # type: ignore[no-untyped-def]
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=9)
    return figure, axes


def _svg(figure, title: str) -> str:  # type: ignore[no-untyped-def]
    """The figure as an inline SVG with a title for those who do not see it."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "simrec", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    drawn = buffer.getvalue()
    start = drawn.index("<svg")
    head, rest = drawn[start:].split(">", 1)
    return f'{head} role="img" aria-label="{title}"><title>{title}</title>{rest}'
