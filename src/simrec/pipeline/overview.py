"""The state of a site, for its editors: how fresh, how full, how good its blocks are, and what ran."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from simrec.errors import StoreError
from simrec.pipeline.quality import EVALUATION, JUDGEMENTS, PICKS
from simrec.pipeline.report import read_reports
from simrec.pipeline.status import Status, status
from simrec.pipeline.watched import Watched, Watching
from simrec.pipeline.workspace import Workspace
from simrec.store.history import Measured
from simrec.types import NO_ROW

if TYPE_CHECKING:
    from simrec.pipeline.publish import Pipeline

HUBS, EMPTIES, RUNS, POINTS = 10, 100, 30, 200
"""How many of each are told."""


@dataclass(frozen=True, slots=True)
class Hub:
    """An article that many blocks show: in how many, and in what share of all."""

    id: str
    title: str
    blocks: int
    share: float


@dataclass(frozen=True, slots=True)
class Empty:
    """A page without items, and why, in words."""

    source_id: str
    title: str
    why: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run of `simrec run`: when, how it ended ("done", "refused", "failed", "running"), its seconds, and a line."""

    started_at: str
    state: str
    seconds: float
    line: str


@dataclass(frozen=True, slots=True)
class Point:
    """Quality at a moment.

    Attributes:
        at: the moment.
        kind: "picks": the blocks as ranked, without what editors pinned, against imported picks; "judgements": the same
            against what editors accepted and rejected; "evaluation": `simrec evaluate` of a model.
        model, snapshot: what was measured; no snapshot for an evaluation.
        measure: its name.
        mean, low, high: the figure, with its 95% interval.
        pages: that it is a mean over.
    """

    at: datetime
    kind: str
    model: str
    snapshot: int | None
    measure: str
    mean: float
    low: float
    high: float
    pages: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of a site.

    Attributes:
        status: see there; its `lines` and `problems` are words.
        pages: blocks of the active snapshot; full, short, empty and off of them.
        coverage: share of the articles that may be shown that stand in some block; None without articles.
        hubs: the ten articles that most blocks show.
        empties: pages without items, at most a hundred.
        runs: the last ones, the newest first.
        quality: over time, the oldest first; the last two hundred figures of each kind.
    """

    status: Status
    pages: int
    full: int
    short: int
    empty: int
    off: int
    coverage: float | None
    hubs: tuple[Hub, ...]
    empties: tuple[Empty, ...]
    runs: tuple[Run, ...]
    quality: tuple[Point, ...]


def overview(
    workspace: Workspace, pipeline: Pipeline | None = None, now: datetime | None = None,
    watching: Watching | None = None,
) -> Overview:  # fmt: skip
    """Looks at a site.

    Args:
        workspace: of the site.
        pipeline: of this process, which knows how far the site has moved from what was fitted; without it that is not
            told, for it would have to be read.
        now: the moment; None for this one.
        watching: keeps the blocks; None: all are read.

    Raises:
        StoreError: the store cannot be read.
    """
    now = now or datetime.now(UTC)
    with workspace.store() as store:
        try:
            watched = (watching or Watching()).watched(store, now)
        except StoreError:
            watched = None  # no snapshot yet, which the status says
        quality = [_point(one) for kind in KINDS for one in store.measured(kind=kind, last=POINTS)]
    runs = [Run(r.started_at, r.state, round(r.seconds, 1), r.line()) for r in read_reports(workspace)[:RUNS]]
    state = status(workspace, now, drift=pipeline.drift() if pipeline else None)
    rest = tuple(runs), tuple(sorted(quality, key=lambda point: (point.at, point.kind, point.model)))
    if watched is None:
        return Overview(state, 0, 0, 0, 0, 0, None, (), (), *rest)
    filled, k = watched.filled, watched.snapshot.k
    return Overview(
        status=state,
        pages=len(watched.pages) + watched.off,
        full=int((filled == k).sum()),
        short=int(((filled > 0) & (filled < k)).sum()),
        empty=int((filled == 0).sum()),
        off=watched.off,
        coverage=round(float((watched.exposure > 0).sum() / watched.public.sum()), 4) if watched.public.any() else None,
        hubs=_hubs(watched),
        empties=_empties(watched),
        runs=rest[0],
        quality=rest[1],
    )


KINDS = (PICKS, JUDGEMENTS, EVALUATION)


def _hubs(watched: Watched) -> tuple[Hub, ...]:
    exposure, pages = watched.exposure, max(len(watched.pages), 1)
    most = np.lexsort((np.arange(len(exposure)), -exposure))[:HUBS]
    return tuple(
        Hub(watched.ids[row], watched.titles[row], int(exposure[row]), round(int(exposure[row]) / pages, 4))
        for row in most.tolist()
        if exposure[row]
    )


def _empties(watched: Watched) -> tuple[Empty, ...]:
    places = np.flatnonzero((watched.shown == NO_ROW).all(axis=1))[:EMPTIES].tolist()
    pages = [(int(watched.pages[place]), watched.shortfall[place]) for place in places]
    return tuple(Empty(watched.ids[page], watched.titles[page], why or "not noted") for page, why in pages)


def _point(found: Measured) -> Point:
    figures = found.figures
    values = (figures["measure"], figures["mean"], figures["low"], figures["high"], figures["pages"])
    return Point(found.at, found.kind, found.model or "", found.snapshot_id, *values)


__all__ = ["Empty", "Hub", "Overview", "Point", "Run", "overview"]
