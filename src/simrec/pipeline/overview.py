"""The state of a site, for its editors: how fresh, how full, how good its blocks are, and what ran."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from simrec.pipeline.status import Status


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
        quality: over time, the oldest first.
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
