"""Quality over time as a drawing: places of what is drawn, in the units of its own field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, floor

from simrec.pipeline.overview import Point

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 132, 16, 32
KINDS = {
    "picks": "The blocks against imported picks",
    "judgements": "The blocks against what editors accepted and rejected",
    "evaluation": "Models, as the command “evaluate” measured them",
}
STEPS, MOST = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5), 4
"""Between two figures of the grid; and how many steps lie between the least and the greatest, at most."""
APART = 20
"""Least distance of two names."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of a line: its place, where its interval begins and ends, and what it is in words."""

    x: float
    y: float
    low: float
    high: float
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """A model's line: its name and where that stands, its number (which says how it is drawn), its marks, its path."""

    name: str
    name_y: float
    number: int
    marks: Sequence[Mark]
    path: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One drawing: a kind and a measure.

    Attributes:
        heading: what it shows.
        measure: its name.
        lines: a model each.
        grid: the heights of the grid, each with its figure.
        dates: the places of the first and the last moment, in words.
        points: what is drawn, the newest first, for a table.
    """

    heading: str
    measure: str
    lines: Sequence[Line]
    grid: Sequence[tuple[float, str]]
    dates: Sequence[tuple[float, str, str]]
    points: Sequence[Point]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT


def charts(points: Sequence[Point]) -> list[Chart]:
    """A drawing for each kind and measure, in the order of `KINDS`."""
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        groups.setdefault((point.kind, point.measure), []).append(point)
    order = list(KINDS)
    known = [key for key in groups if key[0] in KINDS]
    return [_chart(*key, groups[key]) for key in sorted(known, key=lambda key: (order.index(key[0]), key[1]))]


def _chart(kind: str, measure: str, points: list[Point]) -> Chart:
    points = sorted(points, key=lambda point: point.at)
    first, last = points[0].at, points[-1].at
    figures = _grid(min(point.low for point in points), max(point.high for point in points))
    bottom, top = figures[0], figures[-1]

    def x(at: datetime) -> float:
        share = (at - first) / (last - first) if last > first else 0.5
        return round(LEFT + 12 + share * (WIDTH - LEFT - RIGHT - 24), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - bottom) / (top - bottom) * (HEIGHT - TOP - BOTTOM), 1)

    by_model: dict[str, list[Mark]] = {}
    for point in points:
        words = f"{point.model}, {point.at:%Y-%m-%d %H:%M}: {point.mean:.3f} [{point.low:.3f}, {point.high:.3f}]"
        by_model.setdefault(point.model, []).append(
            Mark(x(point.at), y(point.mean), y(point.low), y(point.high), words)
        )
    names = _apart({name: marks[-1].y for name, marks in by_model.items()})
    lines = [
        Line(name, names[name], at % 4, marks, "M" + " L".join(f"{mark.x} {mark.y}" for mark in marks))
        for at, (name, marks) in enumerate(sorted(by_model.items()))
    ]
    grid = [(y(value), f"{value:.2f}") for value in figures]
    return Chart(KINDS[kind], measure, lines, grid, _dates(first, last, x), points[::-1])


def _grid(low: float, high: float) -> list[float]:
    """Round figures, evenly apart, of which the first and the last enclose all.

    >>> _grid(0.843, 0.906), _grid(0.0, 0.0)
    ([0.84, 0.86, 0.88, 0.9, 0.92], [0.0, 0.01])
    """
    step = next((step for step in STEPS if high - low <= MOST * step), 1.0)
    first = floor(low / step)
    return [round(step * number, 2) for number in range(first, max(ceil(high / step), first + 1) + 1)]


def _dates(first: datetime, last: datetime, x: Callable[[datetime], float]) -> list[tuple[float, str, str]]:
    """Where the first and the last moment stand, in words, and how they are aligned; with the hour within a day."""
    if last == first:
        return [(x(first), f"{first.day} {first:%b %Y}", "middle")]
    if last.date() > first.date():
        return [(x(at), f"{at.day} {at:%b %Y}", way) for at, way in ((first, "start"), (last, "end"))]
    return [(x(first), f"{first.day} {first:%b %Y, %H:%M}", "start"), (x(last), f"{last:%H:%M} UTC", "end")]


def _apart(wanted: dict[str, float]) -> dict[str, float]:
    """Heights of names, moved down where they would lie on one another."""
    found: dict[str, float] = {}
    before = -float(APART)
    for name, height in sorted(wanted.items(), key=lambda item: (item[1], item[0])):
        found[name] = before = max(height, before + APART)
    return found
