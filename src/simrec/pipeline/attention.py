"""Which blocks most need a look: those that are unsure, short, full of hubs, or others than yesterday."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.errors import InputError, NotFoundError, UsageError
from simrec.pipeline.watched import Watched, Watching, overlaps, shown_now
from simrec.pipeline.workspace import Workspace
from simrec.store import Store
from simrec.store.history import Look
from simrec.types import NO_ROW, Mask

KINDS = ("low_confidence", "few_items", "hub", "changed", "viewed")
WEIGHTS = {"low_confidence": 0.6, "few_items": 0.9, "hub": 0.4, "changed": 0.5}
"""How much each kind counts, at its worst."""
LOW = 0.05
"""Share of the pages, those whose last item scores least, that may be called unsure."""
HUB_SHARE, HUB_TIMES = 0.01, 5
"""A hub stands in more than that share of the blocks, and that many times as often as articles do on average."""
CHANGED = 0.5
"""Overlap with the block of before, from which on downwards a block has changed much."""
TOP_VIEWED = 20
"""Pages that are in the queue for their views alone, until somebody has looked at them."""


@dataclass(frozen=True, slots=True)
class Attention:
    """A page whose block needs a look.

    Attributes:
        source_id, title: the page.
        score: how much, 0 to 1 before views weigh it; higher first.
        why: in words, the weightiest first.
        kinds: of "low_confidence", "few_items", "hub", "changed", "viewed".
        views: of the page, where they are known.
    """

    source_id: str
    title: str
    score: float
    why: tuple[str, ...]
    kinds: frozenset[str]
    views: int | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """A part of the queue.

    Attributes:
        items: of this part.
        total: pages in the whole queue.
        kinds: pages by kind, of the whole queue.
        after: what to ask for to get the next part; None at the end.
        seen: pages that were left out since an editor has looked at them.
    """

    items: tuple[Attention, ...]
    total: int
    kinds: dict[str, int]
    after: int | None
    seen: int


class _Signs(NamedTuple):
    """What speaks for a look at p pages: a column a kind, 0 to 1, and which of them to name."""

    strength: Mapping[str, NDArray[np.float64]]
    named: Mapping[str, Mask]
    overlap: NDArray[np.float64]
    hubs: Mask


class Attentive:
    """Keeps the queue of the pages that most need a look; the first call reads all blocks.

    Args:
        workspace: of the site.
        views: how often each page was viewed, by id; None: as the file says that the settings name.
        clock: tells the moment.
        watching: keeps the blocks, for others, too.
    """

    def __init__(
        self, workspace: Workspace, views: Mapping[str, int] | None = None, clock: Callable[[], datetime] | None = None,
        watching: Watching | None = None,
    ) -> None:  # fmt: skip
        self.workspace = workspace
        self._views = views
        self._clock = clock or (lambda: datetime.now(UTC))
        self._lock = threading.Lock()
        self.watching = watching or Watching()
        self._before: tuple[int | None, list[tuple[str, list[str]]]] = (None, [])

    def queue(self, kind: str | None = None, after: int = 0, limit: int = 50) -> Queue:
        """A part of the queue.

        A page leaves it when an editor looks at it, acts on it or judges it; it comes back when its block shows others,
        or when it is undone that it was found fine, or judged.

        Args:
            kind: only pages of this kind, of `KINDS`.
            after: how many to pass over.
            limit: how many at most.

        Raises:
            UsageError: there is no such kind.
            StoreError: there is no snapshot yet.
            InputError: the file of views cannot be read.
        """
        if kind is not None and kind not in KINDS:
            raise UsageError(f"there is no kind {kind!r}: choose from {', '.join(KINDS)}")
        with self._lock:
            watched, signs, looked = self._refresh()
            views, seen = self._viewed(watched), _seen(watched, signs, looked)
            named = {**signs.named, "viewed": _top_viewed(views, watched)}
            score = 1 - np.prod([1 - WEIGHTS[name] * signs.strength[name] for name in WEIGHTS], axis=0)
            some = np.logical_or.reduce(list(named.values())) & ~seen
            counts = {name: int((where & some).sum()) for name, where in named.items()}
            chosen = some if kind is None else some & named[kind]
            weighed = (score + 0.05 * named["viewed"]) * (1 + _logged(views))
            places = np.flatnonzero(chosen)
            order = places[np.lexsort((watched.pages[places], -weighed[places]))]
            part = order[after : after + limit]
            items = tuple(_attention(watched, signs, named, place, weighed, views) for place in part.tolist())
        more = after + limit if after + limit < len(order) else None
        return Queue(items, len(order), counts, more, int((np.logical_or.reduce(list(named.values())) & seen).sum()))

    def seen(self, who: str, source_id: str) -> int:
        """Notes that an editor has looked at a page, and that nothing is to be done; the number of the act."""
        now = self._clock()
        with self.workspace.store() as store:
            return store.note_fine(who, source_id, now, shown_now(store, source_id, now))

    def _refresh(self) -> tuple[Watched, _Signs, dict[str, Look]]:
        now = self._clock()
        with self.workspace.store() as store:
            watched = self.watching.watched(store, now)
            parent = watched.snapshot.parent
            if parent is not None and self._before[0] != parent:
                self._before = parent, _listed(store, parent)
            return watched, _signs(watched, self._before[1] if parent is not None else []), store.looked_at()

    def _viewed(self, watched: Watched) -> NDArray[np.float64]:
        """(p,) views of each page."""
        views, named = self._views, self.workspace.settings.serve.views
        if views is None:
            views = read_views(self.workspace.path / named) if named else {}
        return np.array([views.get(watched.ids[page], 0) for page in watched.pages.tolist()], dtype=np.float64)


def queue(
    workspace: Workspace,
    kind: str | None = None,
    after: int = 0,
    limit: int = 50,
    views: Mapping[str, int] | None = None,
) -> Queue:
    """A part of the queue, read for the moment; see `Attentive`, which keeps what it has read."""
    return Attentive(workspace, views).queue(kind, after, limit)


def read_views(path: Path) -> dict[str, int]:
    """How often pages were viewed: of a table with the columns id and views, or a JSON object.

    Raises:
        InputError: the file cannot be read, or a number of views is none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            pairs = list(json.loads(text).items())
        else:
            pairs = [(row["id"], row["views"]) for row in csv.DictReader(text.splitlines())]
        found = {str(id_): int(views) for id_, views in pairs}
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no table of views: it needs the columns id and views, whole numbers") from error
    if any(views < 0 for views in found.values()):
        raise InputError(f"{path}: a page cannot be viewed fewer than 0 times")
    return found


def _listed(store: Store, number: int) -> list[tuple[str, list[str]]]:
    """What another snapshot's blocks show; nothing where it is gone by now."""
    try:
        k = store.snapshot(number).k
    except NotFoundError:
        return []
    return [(source_id, ids[:k]) for source_id, ids in store.listed(number)]


def _signs(watched: Watched, before: list[tuple[str, list[str]]]) -> _Signs:
    k, filled = watched.snapshot.k, watched.filled
    last, known = watched.last, ~np.isnan(watched.last)
    usual = float(np.median(last[known])) if known.any() else 0.0
    lowest = float(np.quantile(last[known], LOW)) if known.any() else 0.0
    unsure = np.where(known & (usual > 0), np.clip(1 - last / max(usual, 1e-9), 0, 1), 0.0)
    exposure = watched.exposure
    mean = exposure[exposure > 0].mean() if exposure.any() else 0.0
    hubs = exposure > max(HUB_SHARE * len(watched.pages), HUB_TIMES * mean)
    held = (watched.shown != NO_ROW) & hubs[watched.shown]
    overlap = overlaps(watched, before)
    strength = {
        "low_confidence": np.nan_to_num(unsure),
        "few_items": (k - filled) / k,
        "hub": held.sum(axis=1) / k,
        "changed": 1 - overlap,
    }
    named = {
        "low_confidence": known & (last <= lowest) & (strength["low_confidence"] > 0.25),
        "few_items": filled < k,
        "hub": held.any(axis=1),
        "changed": overlap <= CHANGED,
    }
    return _Signs(strength, named, overlap, hubs)


def _seen(watched: Watched, signs: _Signs, looked: Mapping[str, Look]) -> Mask:
    """(p,) bool: which pages somebody has looked at since their block is what it is.

    Where it is not known what they saw, that is the block of the snapshot, or that of before.
    """
    found = np.zeros(len(watched.pages), dtype=bool)
    since = watched.snapshot.created_at
    for place, page in enumerate(watched.pages.tolist()) if looked else ():
        look = looked.get(watched.ids[page])
        if look is not None and look.shown is not None:
            found[place] = look.shown == watched.digest(place)
        elif look is not None:
            found[place] = look.at >= since or signs.overlap[place] == 1
    return found


def _top_viewed(views: NDArray[np.float64], watched: Watched) -> Mask:
    found = np.zeros(len(views), dtype=bool)
    order = np.lexsort((watched.pages, -views))[:TOP_VIEWED]
    found[order[views[order] > 0]] = True
    return found


def _logged(views: NDArray[np.float64]) -> NDArray[np.float64]:
    """(p,) 0 to 1, by the order of magnitude."""
    most = np.log1p(views.max(initial=0))
    return np.log1p(views) / most if most else np.zeros(len(views))


def _attention(
    watched: Watched, signs: _Signs, named: Mapping[str, Mask], place: int, weighed: NDArray[np.float64],
    views: NDArray[np.float64],
) -> Attention:  # fmt: skip
    page = int(watched.pages[place])
    kinds = [name for name in KINDS if named[name][place]]
    kinds.sort(key=lambda name: -WEIGHTS.get(name, 0.05) * float(signs.strength[name][place] if name in WEIGHTS else 1))
    why = tuple(_words(watched, signs, name, place, views) for name in kinds)
    seen = int(views[place]) if views.any() else None
    return Attention(
        watched.ids[page], watched.titles[page], round(float(weighed[place]), 4), why, frozenset(kinds), seen
    )


def _words(watched: Watched, signs: _Signs, name: str, place: int, views: NDArray[np.float64]) -> str:
    k, filled = watched.snapshot.k, int(watched.filled[place])
    if name == "low_confidence":
        usual, last, after = np.nanmedian(watched.last), float(watched.last[place]), float(watched.next[place])
        near = f", and the next candidate is only {last - after:.2f} behind" if 0 <= last - after < 0.1 else ""
        return (
            f"the models are unsure: its least similar item scores {last:.1f}, where on half of the pages it scores "
            f"{usual:.1f} or more{near}"
        )
    if name == "few_items":
        why = (watched.shortfall[place] or "").removeprefix(f"{filled} of {k}: ")
        return f"{filled} of {k} items" + (f": {why}" if why else "")
    if name == "hub":
        rows = [row for row in watched.shown[place].tolist() if row != NO_ROW and signs.hubs[row]]
        often = int(watched.exposure[rows].max())
        many = "item stands in very many blocks:" if len(rows) == 1 else "items stand in very many blocks, one of them"
        return f"{len(rows)} {many} in {often}"
    if name == "changed":
        return f"{1 - signs.overlap[place]:.0%} of its items are others than in the snapshot before"
    return f"viewed {int(views[place])} times"


__all__ = ["KINDS", "Attention", "Attentive", "Queue", "queue", "read_views"]
