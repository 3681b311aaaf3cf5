"""The report's plots: inline SVG, the same bytes on every run, with text as text.

Colors are Okabe and Ito's, which color-blind people can tell apart; markers and dashes differ as well, for print.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simrec.evaluate.compare import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
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
COLUMNS = 3
NARROWEST = 0.05
"""The least width of a panel's scale, so that a difference of nothing does not look like one."""
GRID = np.linspace(0, 1, 201)


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
        figure = _figure(9, rows * (0.75 + 0.24 * len(models)))
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
        figure = _figure(9, 3.4)
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

    for number, (mean, low, high) in enumerate(intervals):
        error = [[max(mean - low, 0)], [max(high - mean, 0)]]
        color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
        axes.errorbar([mean], [number], xerr=error, fmt=marker, color=color, capsize=3, markersize=5)
    left, right = axes.get_xlim()
    spare = max(NARROWEST - (right - left), 0) / 2
    axes.set_xlim(left - spare, right + spare)
    axes.set_ylim(len(intervals) - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.grid(visible=False, axis="y")


def _labels(models: Mapping[str, object]) -> list[str]:
    """Names as the drawing's font can write them; others are numbered, in the order of the report's tables."""
    return [name if name.isascii() else f"model {number}" for number, name in enumerate(models, start=1)]


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
