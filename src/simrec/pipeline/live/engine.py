"""The blocks of a site, article by article: what one change does to all of them, and nothing more.

A page's candidates are those whose score reaches the page's mark in some space, among those that may be shown. Whether
one does, and what it scores, depends on the two articles alone and on what was fitted: so an article that comes enters
some lists, one that goes leaves them, and all else stays. A list keeps the best of a page's candidates; where it gets
too short to fill the block, the page is ranked again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any

import numpy as np

from simrec.pipeline.copies import last_looked_at
from simrec.pipeline.live.columns import Column
from simrec.pipeline.live.compare import Comparer
from simrec.pipeline.live.compose import FEW, Choice, Composer
from simrec.pipeline.live.shelf import Shelf
from simrec.policy.duplicates import LOOK_AT_COSINE, Copies, near_pairs
from simrec.policy.eligibility import reason_hidden
from simrec.rank import scan
from simrec.store import StoredBlock
from simrec.types import NO_ROW, Article, Mask, Rows, Scores

LISTED = 4
"""Candidates that a page's list keeps for each item of a block, spares included."""


class Engine:
    """A site's blocks, kept up to date.

    Args:
        shelf: the rows; all of them were compared with the fitted ones.
        k: items a block, without spares.

    Attributes:
        row_of: the row of each article that is there.
        articles: the articles that are there, by row.
    """

    def __init__(self, shelf: Shelf, k: int) -> None:
        self.shelf = shelf
        self.fitted = shelf.fitted
        self.k = k
        self.comparer = Comparer(shelf)
        self.row_of: dict[str, int] = {}
        self.articles: dict[int, Article] = {}
        self.copies = Copies()
        self.pins: dict[str, tuple[str, ...]] = {}
        self._pinned_by: dict[str, set[str]] = {}
        n = len(shelf)
        settings = self.fitted.settings
        length = LISTED * (k + settings.build.spares)
        if settings.policy.diversity:
            length = max(length, 12 * (k + settings.build.spares), 60)
        self.lists = Column(np.full((n, length), NO_ROW, dtype=np.int32))
        self.scores = Column(np.full((n, length), -np.inf, dtype=np.float32))
        self.more = Column(np.zeros(n, dtype=np.bool_))
        self.level = Column(np.zeros(n, dtype=np.int8))
        self.used = Column(np.zeros(n, dtype=np.int16))
        self.short = Column(np.zeros(n, dtype=np.bool_))
        self.alive = Column(np.zeros(n, dtype=np.bool_))
        self.may = Column(np.zeros(n, dtype=np.bool_))
        self.order = Column(np.zeros(n, dtype=np.int64))
        self.groups = Column(np.zeros(n, dtype=np.int32))
        self.marks = Column(np.array(shelf["reach"]))
        self._columns = (
            self.lists, self.scores, self.more, self.level, self.used, self.short,
            self.alive, self.may, self.order, self.groups, self.marks,
        )  # fmt: skip
        self._ids: list[str] = []
        self._timed: set[int] = set()
        self.composer = Composer(self)

    # What may be shown

    def set_pins(self, pins: Mapping[str, Sequence[str]]) -> None:
        """The articles that stand first under others, by id."""
        self.pins = {source: tuple(targets) for source, targets in pins.items() if targets}
        self._pinned_by = {}
        for source, targets in self.pins.items():
            for target in targets:
                self._pinned_by.setdefault(target, set()).add(source)

    def _is_member(self, row: int) -> Mask:
        """(n,) bool: who may be shown under a page: eligible now, and of its language."""
        found: Mask = self.may.array & (self.groups.array == self.groups.array[row])
        found[row] = False
        return found

    def members_of(self, row: int) -> int:
        """How many may be shown under a page."""
        return int(self._is_member(row).sum())

    def pins_of(self, row: int) -> list[int]:
        """The articles that stand first under a page, where they may be shown there."""
        targets = [self.row_of.get(target, NO_ROW) for target in self.pins.get(self.articles[row].id, ())]
        group = self.groups.array[row]
        return [t for t in targets if t not in (NO_ROW, row) and self.may.array[t] and self.groups.array[t] == group]

    # Rows that come and go

    def shelve(self, article: Article, own: int, same: bool) -> int:
        """The row of an article: that which it was fitted with, or a new one, measured.

        Args:
            article: the article.
            own: the row that the article of this id was fitted with; -1 for none.
            same: whether it is still the same.
        """
        if same:
            return own
        row = self.shelf.append(self.fitted.row_of(article))
        self.shelf.set("own", row, own)
        self.comparer.refresh()
        self.comparer.measure(row, own)
        return row

    def admit(
        self, rows: Sequence[int], articles: Sequence[Article], now: datetime, near: Iterable[Any] | None = None
    ) -> set[int]:
        """Makes rows of the shelf those of their articles; returns the rows whose copies are others now.

        Args:
            rows: numbers of rows that are there and were measured.
            articles: what they are rows of; one that was there before was dismissed.
            now: the moment that decides who may be shown.
            near: pairs of rows that are copies by their shingles, where they are known.
        """
        for column in self._columns:
            self._grow(column)
        same_language = self.fitted.settings.policy.same_language
        for row, article in zip(rows, articles, strict=True):
            self.row_of[article.id], self.articles[row] = row, article
            self.alive.array[row] = True
            self.may.array[row] = reason_hidden(article, now) is None
            self.groups.array[row] = self.shelf["languages"][row] if same_language else 0
            moments = (article.embargo_until, article.expires_at, article.published_at)
            if any(moment and moment > now for moment in moments):
                self._timed.add(row)
        self._sort_ids([article.id for article in articles], rows)
        titles, bodies = self.shelf["title_sequences"], self.shelf["body_sequences"]
        changed = self.copies.add(rows, articles, self.row_of, titles, bodies)
        return changed | self.copies.link(self._near_copies(rows) if near is None else near)

    def dismiss(self, row: int) -> set[int]:
        """Forgets that a row is there; returns the rows whose copies are others now."""
        article = self.articles.pop(row)
        if self.row_of.get(article.id) == row:
            del self.row_of[article.id]
        self.alive.array[row] = self.may.array[row] = False
        self.lists.array[row] = NO_ROW
        self._timed.discard(row)
        return self.copies.remove(row)

    def _grow(self, column: Column) -> None:
        missing = len(self.shelf) - len(column.array)
        if missing > 0:
            like = column.array
            fill = NO_ROW if column is self.lists else -np.inf if column is self.scores else 0
            column.append(np.full((missing, *like.shape[1:]), fill, dtype=like.dtype))

    def _sort_ids(self, ids: Sequence[str], rows: Sequence[int]) -> None:
        """Gives rows the place of their id among all ids, which settles equal scores."""
        order = self.order.array
        if len(ids) > 64:
            self._ids = sorted({*self._ids, *ids})
            place = {id_: at for at, id_ in enumerate(self._ids)}
            for row, article in self.articles.items():
                order[row] = place[article.id]
            return
        for id_, row in zip(ids, rows, strict=True):
            at = bisect_left(self._ids, id_)
            if at == len(self._ids) or self._ids[at] != id_:
                self._ids.insert(at, id_)
                order[order >= at] += 1
            order[row] = at

    def _near_copies(self, rows: Sequence[int]) -> Iterable[tuple[int, int]]:
        """The pairs of these rows with others that are copies by their shingles."""
        reach = last_looked_at(self.shelf["near_tfidf"])
        ones, others, cosines = [], [], []
        for row in rows:
            scores = self.comparer.scan(row, "tfidf")
            near = np.flatnonzero((scores >= LOOK_AT_COSINE) & self.alive.array)
            near = near[near != row].astype(np.int32)
            ones.append(np.full(len(near), row, dtype=np.int32))
            others.append(near)
            cosines.append(scores[near])
        if not ones:
            return ()
        titles, bodies = self.shelf["title_sequences"], self.shelf["body_sequences"]
        threshold = self.fitted.settings.policy.near_duplicate
        return near_pairs(
            titles, bodies, np.concatenate(ones), np.concatenate(others), np.concatenate(cosines), reach, threshold
        )

    # Lists

    def rank(self, row: int) -> Choice:
        """Ranks all of a page's candidates, looking deeper until its block is full, and keeps the best of them."""
        members, pins = self._is_member(row), self.pins_of(row)
        page = np.array([row], dtype=np.int32)
        for level in count():
            marks = self.comparer.marks(row, level)
            candidates = self.comparer.candidates(row, marks, members, pins)
            ranked, scores = self._sort(candidates[0], self.comparer.score(page, candidates)[0])
            choice = self.composer.choose(row, ranked, scores)
            if choice.full or np.isneginf(marks).all():
                self.keep(row, ranked, scores, choice, level, marks)
                return choice
        raise AssertionError  # the last level has all marks at -inf

    def offer(self, row: int, candidates: Rows, scores: Scores, marks: Scores) -> None:
        """Keeps a page's first candidates, where they are enough for its block; else ranks it, deeper and deeper."""
        pins = self.pins_of(row)
        there = candidates != NO_ROW
        if not pins:
            ranked, by_rank = self._sort(candidates[there], scores[there])
            choice = self.composer.choose(row, ranked, by_rank)
            if choice.full:
                self.keep(row, ranked, by_rank, choice, 0, marks)
                return
        self.rank(row)

    def keep(self, row: int, rows: Rows, scores: Scores, choice: Choice, level: int, marks: Scores) -> None:
        """Keeps the best of a page's candidates, and what its block depends on."""
        lists, length = self.lists.array, self.lists.array.shape[1]
        lists[row], self.scores.array[row] = NO_ROW, -np.inf
        kept = min(len(rows), length)
        lists[row, :kept], self.scores.array[row, :kept] = rows[:kept], scores[:kept]
        self.more.array[row] = len(rows) > length
        self.level.array[row] = level
        self.marks.array[row] = marks
        self.used.array[row] = min(choice.used, length)
        self.short.array[row] = len(choice.rows) < self.composer.wanted

    def _sort(self, rows: Rows, scores: Scores) -> tuple[Rows, Scores]:
        newest = -np.nan_to_num(self.shelf["published"][rows], nan=-np.inf)
        order = np.lexsort((self.order.array[rows], newest, -scores))
        return rows[order], scores[order]

    def choose(self, row: int) -> Choice:
        """A page's choice from the list that is kept, or, where that is too short, from all its candidates."""
        rows = self.lists.array[row]
        rows = rows[rows != NO_ROW]
        if self.level.array[row] or self.pins.get(self.articles[row].id):
            return self.rank(row)
        choice = self.composer.choose(row, rows, self.scores.array[row, : len(rows)])
        if not choice.full or (self.more.array[row] and len(choice.rows) < self.composer.wanted):
            return self.rank(row)
        self.used.array[row] = min(choice.used, self.lists.array.shape[1])
        self.short.array[row] = len(choice.rows) < self.composer.wanted
        return choice

    # Changes

    def update(
        self, gone: Iterable[int], come: Mapping[int, Article], now: datetime, also: Iterable[str] = ()
    ) -> list[StoredBlock]:
        """Takes rows away and adds others; returns the blocks that may be others now, in order of id.

        Args:
            gone: rows whose articles are no more, or have another row now.
            come: the articles of rows that were added to the shelf, and measured.
            now: the moment that decides who may be shown.
            also: ids of pages whose pins are others now.
        """
        changed: set[int] = set()
        stale = {self.row_of[id_] for id_ in also if id_ in self.row_of}
        for row in gone:
            id_ = self.articles[row].id
            stale |= self._leave(row)
            changed |= self.dismiss(row)
            stale |= self._pinning(id_)
        self.comparer.refresh()
        changed |= self.admit(list(come), list(come.values()), now)
        for row, article in come.items():
            if self.may.array[row]:
                stale |= self._enter(row)
            stale |= {row} | self._pinning(article.id)
        stale |= self._flip(now)
        return self.make(stale | self._holding(changed) | changed)

    def _flip(self, now: datetime) -> set[int]:
        """Lets articles come and go whose time it is."""
        stale: set[int] = set()
        for row in sorted(self._timed):
            may = reason_hidden(self.articles[row], now) is None
            if may == self.may.array[row]:
                continue
            self.may.array[row] = may
            stale |= self._pinning(self.articles[row].id) | (self._enter(row) if may else self._leave(row))
        return stale

    def _pinning(self, id_: str) -> set[int]:
        """The pages that an article is pinned to."""
        return {self.row_of[source] for source in self._pinned_by.get(id_, ()) if source in self.row_of}

    def _holding(self, rows: set[int]) -> set[int]:
        """The pages that have one of some rows in their lists."""
        found: set[int] = set()
        for row in rows:
            found.update(np.flatnonzero((self.lists.array == row).any(axis=1) & self.alive.array).tolist())
        wary = self.alive.array & (self.short.array | (self.level.array > 0))  # their lists do not say all
        if rows and wary.any():
            found.update(np.flatnonzero(wary).tolist())
        return found

    def _few(self, group: int) -> set[int]:
        """The short pages of a language of few articles: they say how many there are."""
        same = (self.groups.array == group) & self.alive.array
        if int((same & self.may.array).sum()) > FEW + 2:
            return set()
        return set(np.flatnonzero(same & self.short.array).tolist())

    def _leave(self, row: int) -> set[int]:
        """Takes a row out of all lists; returns the pages whose block may be another now."""
        pages, places = scan.remove(self.lists.array, self.scores.array, row)
        stale = self.alive.array[pages] & ((places < self.used.array[pages]) | (self.level.array[pages] > 0))
        return set(pages[stale].tolist()) | self._few(self.groups.array[row]) | self._short_of(row)

    def _enter(self, row: int) -> set[int]:
        """Puts a row into the lists of all pages that it is a candidate of; returns those whose block may change."""
        seen = self._seen(row)
        deep = seen & ((self.level.array > 0) | self.short.array)
        pages = np.flatnonzero(seen & ~deep).astype(np.int32)
        candidates = np.full((len(pages), 1), row, dtype=np.int32)
        gained = self.comparer.score(pages, candidates)[:, 0]
        places = scan.insert(
            self.lists.array, self.scores.array, self.more.array, pages, row, gained,
            self.shelf["published"], self.order.array,
        )  # fmt: skip
        stale = pages[(places >= 0) & (places < self.used.array[pages])]
        return set(stale.tolist()) | set(np.flatnonzero(deep).tolist()) | self._few(self.groups.array[row])

    def _seen(self, row: int) -> Mask:
        """(n,) bool: the pages that a row is a candidate of."""
        found: Mask = scan.reached(self.comparer.scans(row), self.marks.array)
        found &= self.alive.array & (self.groups.array == self.groups.array[row])
        found[row] = False
        return found

    def _short_of(self, row: int) -> set[int]:
        """The short pages that a row is a candidate of: they count all of theirs."""
        if not self.short.array.any():
            return set()
        return set(np.flatnonzero(self._seen(row) & self.short.array).tolist())

    def make(self, rows: Iterable[int]) -> list[StoredBlock]:
        """The blocks of some rows, in order of id."""
        pages = sorted((row for row in rows if self.alive.array[row]), key=lambda row: self.articles[row].id)
        return self.composer.blocks(
            pages, [self.choose(row) if self.lists.array[row, 0] != NO_ROW else self.rank(row) for row in pages]
        )
