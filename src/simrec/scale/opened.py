"""An engine over the folder of a build: all that is known of articles are maps of files, what is kept of pages is blank
but for a run of them, which is read from its parts and written there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np

from simrec.pipeline.live import saved
from simrec.pipeline.live.compose import Choice
from simrec.pipeline.live.engine import Engine
from simrec.pipeline.live.pages import KEPT, Far
from simrec.policy.duplicates import Copies
from simrec.scale.articles import RowOf, articles_of
from simrec.scale.copying import Found
from simrec.scale.ground import PARTS, Ground, Span, blank
from simrec.scale.postings import postings_of, sparse_spaces
from simrec.scale.site import clear, open_fitted, open_shelf, placed_in, said_of, widths_of
from simrec.types import DECIMALS, Article, Mask, Rows

OF_PARTS = tuple(name for name in saved.OF_PAGES if name != "toll")
"""Columns of pages that are made part by part."""
CHOICES = ("choice.0", "choice.1", "choice.2", "choice-sums")
TOLLS = "tolls"
"""Arrays, one a round: what articles pay for the hub limit."""
DATED = "by-date"
"""The array of all rows that have a date, oldest first."""


class OpenEngine(Engine):
    """An engine whose articles are all there, and who may be shown is known.

    Args:
        ground: of a build whose columns and copies are there.
        round_: of the hub limit: how many times tolls were set.
    """

    def __init__(self, ground: Ground, round_: int = 0) -> None:
        self.ground = ground
        self.round = round_
        fitted = open_fitted(ground)
        super().__init__(open_shelf(ground, fitted), said_of(ground)["k"])
        articles = articles_of(ground)
        self.articles = cast("dict[int, Article]", articles)  # nothing is admitted: both are only read
        self.row_of = cast("dict[str, int]", RowOf(articles))
        self.copies = cast(Copies, Found(ground))
        self.set_placed(placed_in(ground))
        for name in sparse_spaces(ground):
            self.comparer.use_inverted(name, postings_of(ground, name))
        self._dated: tuple[int, Rows] | None = None
        self._off = [ground.array(f"page-off.{at}") for at in (0, 1)]
        if round_:
            self.toll.array[:] = ground.part(TOLLS, round_)
        if self.comparer.weighs:
            self.weights.array[:] = np.round(ground.array("page-gains") - self.toll.array, DECIMALS)

    def begin(self, name: str, shape: tuple[int, ...]) -> Any:
        """See `Pages`."""
        if name in saved.OF_NOW:
            return self.ground.array(f"page-{name}")
        if name == "groups" and self.fitted.settings.policy.same_language:
            return self.shelf["languages"]
        if name == "order":
            return np.arange(shape[0], dtype=np.int64)
        if name == "alive":
            return np.ones(shape, dtype=bool)
        return blank(shape, KEPT[name][0])

    def by_date(self, group: int, members: Mask) -> Rows:
        """See `Engine`: dates are in order in a file; those of the last group are kept."""
        if self._dated is None or self._dated[0] != group:
            order = self.ground.array(DATED)
            self._dated = group, np.asarray(order[members[order]])
        return self._dated[1]

    def reason_off(self, row: int) -> str | None:
        """See `Pages`: by the whole article, whose body is not at hand here."""
        starts, said = self._off
        return bytes(said[starts[row] : starts[row + 1]]).decode() or None

    # A run of pages

    def forget(self) -> None:
        """Makes blank what is kept of pages: that of others takes no memory any more."""
        for name in OF_PARTS:
            self.columns[name].replace(blank(self.columns[name].array.shape, KEPT[name][0]))
        self.far = {}
        clear(self.ground, self.shelf)

    def read(self, span: Span) -> list[Choice]:
        """Reads what was kept of a run of pages, and nothing else; returns their choices."""
        self.forget()
        here = slice(span.begin, span.end)
        for name in OF_PARTS:
            self.columns[name].array[here] = self._part(f"page-{name}", span.part)
        for name in widths_of(self.fitted):
            self.shelf[name][here] = self.ground.part(f"column-{name}.0", span.part)
        noted = self.ground.read_json(notes(self.ground, span, self.round))
        self.far = {int(row): Far(last, tuple(rows), tuple(held)) for row, (last, rows, held) in noted["far"].items()}
        return self._choices(span, noted["removed"])

    def write(self, span: Span, choices: Sequence[Choice]) -> int:
        """Writes what is kept of a run of pages, with their choices; returns its bytes."""
        ground, round_, written = self.ground, self.round, 0
        for name in OF_PARTS:
            kept = self.columns[name].array[span.begin : span.end]
            written += ground.put(named(f"page-{name}", round_), span.part, kept)
        starts = np.cumsum([0, *(len(choice.rows) for choice in choices)])
        sums = [(choice.full, choice.used, choice.counted, choice.last) for choice in choices]
        rows, scores = (np.concatenate([choice[at] for choice in choices]) for at in (0, 1))
        for name, array in zip(CHOICES, (starts, rows, scores, np.array(sums, dtype=np.float64)), strict=True):
            written += ground.put(named(name, round_), span.part, array)
        far = {row: saved.far_values(far) for row, far in self.far.items()}
        removed = {at: choice.removed for at, choice in enumerate(choices) if choice.removed}
        return written + ground.write_json(notes(ground, span, round_), {"far": far, "removed": removed})

    def _choices(self, span: Span, removed: Mapping[str, Mapping[str, int]]) -> list[Choice]:
        starts, rows, scores, sums = (self._part(name, span.part) for name in CHOICES)
        found = []
        for at, (full, used, counted, last) in enumerate(sums.tolist()):
            here = slice(int(starts[at]), int(starts[at + 1]))
            gone = dict(removed.get(str(at), {}))
            found.append(Choice(rows[here], scores[here], gone, bool(full), int(used), int(counted), last))
        return found

    def _part(self, name: str, part: int) -> Any:
        return self.ground.part(named(name, self.round), part)


def notes(ground: Ground, span: Span, round_: int) -> Path:
    """The file with what is kept of a part's pages beside columns, after so many rounds of the hub limit."""
    return ground.folder / PARTS / named("notes", round_) / f"{span.part:06d}.json"


def named(name: str, round_: int) -> str:
    """The name of what is kept of pages, after so many rounds of the hub limit."""
    return f"{name}.round{round_}" if round_ else name


@lru_cache(maxsize=1)
def open_engine(folder: str, round_: int = 0) -> OpenEngine:
    """An engine over the folder of a build, opened once a process."""
    return OpenEngine(Ground(folder), round_)


__all__ = ["CHOICES", "DATED", "OF_PARTS", "TOLLS", "OpenEngine", "named", "notes", "open_engine"]
