"""The blocks of a snapshot as arrays: what is shown where, with what score, and by how much it has changed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from simrec.errors import StoreError
from simrec.policy.eligibility import reason_hidden
from simrec.store import Snapshot, Store
from simrec.store.changes import Changes, Mark
from simrec.store.history import Facts, Scored
from simrec.text import content_hash
from simrec.types import NO_ROW, Mask, Rows, Scores


@dataclass(frozen=True, eq=False)
class Watched:
    """A snapshot's blocks, as readers see them at a moment but for what fallbacks add.

    Attributes:
        snapshot: of which they are.
        ids, titles: of all articles, by row.
        row_of: the row of each id.
        public: (n,) bool: who may be seen.
        pages: (p,) the rows of pages that may be seen and have a block that is not switched off on purpose.
        shown: (p, k) the rows of their items, -1 for none.
        last, next: (p,) the scores of the last item that was not put there by hand, and of the first that is not shown;
            NaN where there is none.
        first: (p,) the score of the first of them.
        shortfall: why a block is short, by page.
        off: how many pages are switched off.
    """

    snapshot: Snapshot
    ids: list[str]
    titles: list[str]
    row_of: Mapping[str, int]
    public: Mask
    pages: Rows
    shown: Rows
    first: Scores
    last: Scores
    next: Scores
    shortfall: list[str | None]
    off: int

    @property
    def filled(self) -> NDArray[np.int64]:
        """(p,) items of each page."""
        return np.asarray((self.shown != NO_ROW).sum(axis=1))

    @property
    def exposure(self) -> NDArray[np.int64]:
        """(n,) how many blocks show each article."""
        return np.bincount(self.shown[self.shown != NO_ROW], minlength=len(self.ids))

    def digest(self, place: int) -> str:
        """What a page's block shows, in short, whatever its order; see `shown_now`."""
        return _digest(self.ids[row] for row in self.shown[place].tolist() if row != NO_ROW)


def note_look(store: Store, who: str, page: str, now: datetime) -> None:
    """Notes that somebody has looked at a page, and what its block shows at that moment."""
    store.note_seen(who, page, now, shown_now(store, page, now))


def shown_now(store: Store, page: str, now: datetime) -> str | None:
    """A digest of what a page's block shows at a moment, as `Watched` has it; None where it has none."""
    shown: str | None = None
    with suppress(StoreError):  # nothing is built yet
        snapshot = store.snapshot()
        for block in store.scored(snapshot.id, [page]):
            articles = ((id_, store.article(id_)) for id_ in dict.fromkeys(block.ids))
            seen = (id_ for id_, article in articles if article and reason_hidden(article, now) is None)
            shown = _digest(islice(seen, snapshot.k))
    return shown


class Watching:
    """Keeps the blocks of the active snapshot as arrays; all are read once, and then no more than what has changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mark: Mark | None = None
        self._held = _Held([], [])

    def watched(self, store: Store, now: datetime) -> Watched:
        """The blocks as they are in the store, of what may be seen at a moment.

        Raises:
            StoreError: there is no snapshot yet.
        """
        with self._lock:
            snapshot = store.snapshot()
            if self._mark is None:
                mark = store.mark()
                self._held, self._mark = _Held(store.facts(), store.scored(snapshot.id)), mark
            elif store.mark() != self._mark:
                self._follow(store, snapshot, store.changes(self._mark))
            return self._held.watched(snapshot, now)

    def _follow(self, store: Store, snapshot: Snapshot, changes: Changes) -> None:
        self._mark = None  # should this fail, all is read again
        if changes.blocks is None or changes.mark.snapshot != snapshot.id:
            self._held = _Held(store.facts(), store.scored(snapshot.id))
        else:
            if changes.articles:
                self._held.renumber(store.facts())
            self._held.put(store.scored(snapshot.id, changes.blocks))
        if changes.mark.snapshot == snapshot.id:
            self._mark = changes.mark


class _Held:
    """Blocks with all their items and spares, whoever may see them, by the rows of articles in order of id."""

    def __init__(self, facts: Sequence[Facts], found: Iterable[Scored]) -> None:
        self.pages = np.zeros(0, dtype=np.int32)
        self.items = np.full((0, 1), NO_ROW, dtype=np.int32)
        self.scores = np.full((0, 1), np.nan, dtype=np.float32)
        self.off = np.zeros(0, dtype=bool)
        self.shortfall: list[str | None] = []
        self.ids: list[str] = []
        self.renumber(facts)
        self.put(found)

    def renumber(self, facts: Sequence[Facts]) -> None:
        """Takes over the articles that there are now."""
        before, self.ids = self.ids, [fact.id for fact in facts]
        self.titles = [fact.title for fact in facts]
        self.row_of = {id_: row for row, id_ in enumerate(self.ids)}
        self.opens, self.closes = np.array([_times(fact) for fact in facts], dtype=np.float64).reshape(-1, 2).T
        if before and before != self.ids:
            rows = np.array([*(self.row_of.get(id_, NO_ROW) for id_ in before), NO_ROW], dtype=np.int32)
            self.pages, self.items = rows[self.pages], rows[self.items]

    def put(self, found: Iterable[Scored]) -> None:
        """Takes over blocks, in place of those of their pages."""
        place_of = {page: place for place, page in enumerate(self.pages.tolist())}
        blocks = {place: block for block in found if (place := self.row_of.get(block.source_id)) is not None}
        new = [page for page in blocks if page not in place_of]
        place_of |= {page: len(self.pages) + at for at, page in enumerate(new)}
        width = max([self.items.shape[1], *(len(block.ids) for block in blocks.values())])
        self.pages = np.append(self.pages, np.array(new, dtype=np.int32))
        self.off = np.append(self.off, np.zeros(len(new), dtype=bool))
        self.shortfall += [None] * len(new)
        grown = ((0, len(new)), (0, width - self.items.shape[1]))
        self.items = np.pad(self.items, grown, constant_values=NO_ROW)
        self.scores = np.pad(self.scores, grown, constant_values=np.nan)
        for page, block in blocks.items():
            place, rows = place_of[page], [self.row_of.get(id_, NO_ROW) for id_ in block.ids]
            told = [np.nan if pinned else score for score, pinned in zip(block.scores, block.pinned, strict=True)]
            self.items[place], self.scores[place] = NO_ROW, np.nan
            self.items[place, : len(rows)], self.scores[place, : len(rows)] = rows, told
            self.shortfall[place] = block.shortfall
            self.off[place] = not block.ids and (block.shortfall or "").startswith("switched off")

    def watched(self, snapshot: Snapshot, now: datetime) -> Watched:
        """What may be seen of them at a moment."""
        at, width = now.timestamp(), snapshot.k + 1
        public = (self.opens <= at) & (at < self.closes)
        seen = (self.pages != NO_ROW) & public[self.pages] if len(public) else np.zeros(len(self.pages), dtype=bool)
        places = np.flatnonzero(seen & ~self.off)
        places = places[np.argsort(self.pages[places], kind="stable")]
        rows, scored = self.items[places], self.scores[places]
        there = (rows != NO_ROW) & public[rows] if len(places) else np.zeros(rows.shape, dtype=bool)
        order = np.argsort(~there, axis=1, kind="stable")
        more = ((0, 0), (0, max(width - rows.shape[1], 0)))
        rows = np.pad(np.take_along_axis(np.where(there, rows, NO_ROW), order, 1), more, constant_values=NO_ROW)
        scored = np.pad(np.take_along_axis(np.where(there, scored, np.nan), order, 1), more, constant_values=np.nan)
        shortfall = [self.shortfall[place] for place in places.tolist()]
        return Watched(
            snapshot, self.ids, self.titles, self.row_of, public, self.pages[places], rows[:, : snapshot.k],
            *_ends(scored[:, : snapshot.k]), scored[:, snapshot.k], shortfall, int((seen & self.off).sum()),
        )  # fmt: skip


def overlaps(watched: Watched, before: Sequence[tuple[str, list[str]]]) -> NDArray[np.float64]:
    """(p,) the share of items that both blocks of a page show, of those that either does; 1 without one before."""
    row_of, place_of = watched.row_of, {page: place for place, page in enumerate(watched.pages.tolist())}
    then = np.full((len(watched.pages), max((len(ids) for _, ids in before), default=1)), NO_ROW, dtype=np.int32)
    known = np.zeros(len(watched.pages), dtype=bool)
    for source_id, ids in before:
        place = place_of.get(row_of.get(source_id, NO_ROW))
        if place is not None:
            rows = [row_of[id_] for id_ in dict.fromkeys(ids) if id_ in row_of]
            then[place, : len(rows)], known[place] = rows, True
    both = ((watched.shown[:, :, None] == then[:, None, :]) & (then != NO_ROW)[:, None, :]).sum(axis=(1, 2))
    either = watched.filled + (then != NO_ROW).sum(axis=1) - both
    return np.asarray(np.where(known & (either > 0), both / np.maximum(either, 1), 1.0))


def _digest(ids: Iterable[str]) -> str:
    return content_hash(json.dumps(sorted(ids)))


def _ends(ranked: Scores) -> tuple[Scores, Scores]:
    """(p,) the highest and the lowest score of each row; NaN where there is none."""
    there = ~np.isnan(ranked)
    highest = np.where(there, ranked, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(there, ranked, np.inf).min(axis=1, initial=np.inf)
    return np.where(there.any(axis=1), highest, np.nan), np.where(there.any(axis=1), lowest, np.nan)


def _times(fact: Facts) -> tuple[float, float]:
    """From when an article may be seen, and until when, in seconds since 1970: see `reason_hidden`."""
    embargo, published, expires = (
        datetime.fromisoformat(value).timestamp() if value else None
        for value in (fact.embargo_until, fact.published_at, fact.expires_at)
    )
    opens = max([moment for moment in (embargo, published) if moment is not None], default=-np.inf)
    if fact.status != "published" and not (fact.status == "embargoed" and embargo is not None):
        opens = np.inf
    return opens, np.inf if expires is None else expires


__all__ = ["Watched", "Watching", "note_look", "overlaps", "shown_now"]
