"""The report's plots: inline SVG, the same bytes on every run, with text as text.

Colors are Okabe and Ito's, which color-blind people can tell apart, some darkened for contrast with the page; markers
and dashes differ as well, for print. A model has the same color and marker in every plot.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simrec.evaluate.compare import Interval
from simrec.evaluate.report.evaluated import CurvePoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072b2", "#d55e00", "#00805c", "#a8518a", "#8a6d00", "#4d5b66")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":")
STYLE = {
    "svg.hashsalt": "simrec",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#5b6670",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#d9dee3",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}
WIDTH = 5.8
"""Inches; at the width of a phone the letters can still be read."""
LONGEST = 24
"""Signs of a model's name that are drawn."""
COLUMNS = 3
NARROWEST = 0.05
"""The least width of a panel's scale, so that a difference of nothing does not look like one."""
GRID = np.linspace(0, 1, 201)


def color_of(models: Iterable[str], model: str) -> str:
    """A model's color in every plot and table."""
    return COLORS[list(models).index(model) % len(COLORS)]


def models_plot(models: Mapping[str, Mapping[str, Interval]], measure: str) -> str:
    """The models in order of one measure, the best on top: a dot for the mean, a bar for its 95% interval, the number.

    Args:
        models: for each model, an interval for each measure.
        measure: the one to draw.

    Returns:
        An `<svg>` element.
    """
    from matplotlib.ticker import MaxNLocator

    numbers = sorted(range(len(models)), key=lambda number: -list(models.values())[number][measure].mean)
    intervals, labels = [found[measure] for found in models.values()], _labels(models)
    with _style():
        figure = _figure(WIDTH, 0.7 + 0.36 * len(models))
        axes = figure.add_subplot()
        for place, number in enumerate(numbers):
            mean, _, high = intervals[number]
            _dot(axes, intervals[number], place, number, 7)
            axes.annotate(f"{mean:.3f}", (max(mean, high), place), (8, 0), textcoords="offset points", va="center")
        left, right = _spare(axes)
        axes.set_xlim(left, right + 0.12 * (right - left))
        axes.set_ylim(len(models) - 0.5, -0.5)
        axes.set_yticks(range(len(models)), [labels[number] for number in numbers], fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(measure)
        names = list(models)
        about = "; ".join(f"{names[n]} {intervals[n].mean:.3f} ({_ends(intervals[n])})" for n in numbers)
        return _svg(figure, "models", f"{measure} of the models with 95% intervals. {about}.")


def curve_plot(points: Sequence[CurvePoint], measure: str, models: Iterable[str]) -> str:
    """The learning curve: quality by the pages learned from, with its 95% band, and hybrid's level as a line.

    Args:
        points: the curve's; the one with 0 pages is hybrid.
        measure: the name of the quality.
        models: all models, so that these two have their colors; those that are not among them have others.

    Returns:
        An `<svg>` element.
    """
    learned = sorted((point for point in points if point.pages), key=lambda point: point.pages)
    without = [point for point in points if not point.pages][:1]
    ours, theirs = (color_of([*models, "learned", "hybrid"], name) for name in ("learned", "hybrid"))
    with _style():
        figure = _figure(WIDTH, 3)
        axes = figure.add_subplot()
        pages = [point.pages for point in learned]
        axes.fill_between(
            pages, [p.low for p in learned], [p.high for p in learned], color=ours, alpha=0.16, linewidth=0
        )
        axes.plot(pages, [p.mean for p in learned], color=ours, marker="o", markersize=5, label="learned")
        for point in without:
            axes.axhline(point.mean, color=theirs, linestyle="--", label="hybrid, without picks")
        axes.set_xlim(0, 1.04 * max(pages, default=1))
        axes.set_xlabel("pages with picks that were learned from")
        axes.set_ylabel(f"{measure}, same test pages")
        axes.legend(frameon=False, loc="lower right")
        about = "; ".join(f"{p.pages} pages {p.mean:.3f} ({_ends(p)})" for p in learned)
        level = "".join(f" Hybrid, without picks: {point.mean:.3f}." for point in without)
        return _svg(figure, "curve", f"{measure} by the number of pages with picks. {about}.{level}")


def measures_plot(models: Mapping[str, Mapping[str, Interval]], measures: Sequence[str]) -> str:
    """A panel for each measure: every model's mean as a dot, its 95% interval as a bar.

    Args:
        models: for each model, an interval for each measure.
        measures: those to draw, in order.

    Returns:
        An `<svg>` element.
    """
    labels = _labels(models)
    rows = -(-len(measures) // COLUMNS)
    with _style():
        figure = _figure(8.4, rows * (0.75 + 0.24 * len(models)))
        for place, measure in enumerate(measures):
            axes = figure.add_subplot(rows, COLUMNS, place + 1)
            _panel(axes, [found[measure] for found in models.values()])
            axes.set_title(measure, fontsize=10, loc="left")
            axes.set_yticks(range(len(labels)), labels if place % COLUMNS == 0 else [""] * len(labels))
        about = f"Dots with 95% intervals for {', '.join(models)}, one panel each for {', '.join(measures)}"
        return _svg(figure, "measures", f"{about}. The table of measures has the same numbers.")


def distribution_plot(values: Mapping[str, NDArray[np.float64]], measure: str) -> str:
    """The share of sources that reach at least a value, for each model: the complement of the ECDF.

    Args:
        values: for each model (s,) values from 0 to 1.
        measure: their name.

    Returns:
        An `<svg>` element.
    """
    with _style():
        figure = _figure(WIDTH, 3)
        axes = figure.add_subplot()
        for number, (label, found) in enumerate(zip(_labels(values), values.values(), strict=True)):
            below = np.searchsorted(np.sort(found), GRID - 1e-9)
            color, dash = COLORS[number % len(COLORS)], DASHES[number % len(DASHES)]
            axes.step(
                GRID, 1 - below / len(found), where="pre", label=label, linewidth=1.6, color=color, linestyle=dash
            )
        axes.set_xlabel(f"{measure} of a source")
        axes.set_ylabel("share of sources with\nat least that")
        axes.set_xlim(0, 1.01)
        axes.set_ylim(0, 1.02)
        axes.legend(frameon=False, loc="upper right")
        about = "; ".join(f"{model}: median {np.median(found):.3f}" for model, found in values.items())
        return _svg(figure, "distribution", f"The share of sources that reach at least a given {measure}. {about}.")


def _panel(axes: Axes, intervals: Sequence[Interval]) -> None:
    from matplotlib.ticker import MaxNLocator

    for number, found in enumerate(intervals):
        _dot(axes, found, number, number, 5)
    axes.set_xlim(*_spare(axes))
    axes.set_ylim(len(intervals) - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.grid(visible=False, axis="y")


def _dot(axes: Axes, found: Interval, y: float, number: int, size: float) -> None:
    error = [[max(found.mean - found.low, 0)], [max(found.high - found.mean, 0)]]
    color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
    axes.errorbar([found.mean], [y], xerr=error, fmt=marker, color=color, capsize=3, markersize=size, linewidth=1.8)


def _spare(axes: Axes) -> tuple[float, float]:
    """The scale's ends, no nearer than a difference that means something."""
    left, right = axes.get_xlim()
    spare = max(NARROWEST - (right - left), 0) / 2
    return left - spare, right + spare


def _ends(found: Interval | CurvePoint) -> str:
    return f"{found.low:.3f} to {found.high:.3f}"


def _labels(models: Mapping[str, object]) -> list[str]:
    """Names as the drawing's font can write them; others are numbered, in the order of the report's tables."""
    short = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in models]
    return [name if name[:-1].isascii() else f"model {number}" for number, name in enumerate(short, start=1)]


@contextmanager
def _style() -> Iterator[None]:
    """Matplotlib's own defaults and ours, whatever a user's matplotlibrc says."""
    from matplotlib import style

    with style.context(["default", STYLE]):
        yield


def _figure(width: float, height: float) -> Figure:
    """A figure of its own, in inches, that pyplot knows nothing of."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _svg(figure: Figure, name: str, about: str) -> str:
    """The figure as an element for a page: ids with a prefix, and a text for those who do not see it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    drawn = buffer.getvalue()
    drawn = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{name}-", drawn[drawn.index("<svg") :])
    head, rest = drawn.split(">", 1)
    text = escape(about)
    return f'{head} role="img" aria-label="{text}"><title>{text}</title>{rest}'
