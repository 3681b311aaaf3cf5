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
from typing import Any, NamedTuple

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

MANY = 10
"""Rows whose pages are looked for one by one; with more of them, all that could be concerned are taken."""
LISTED = 8
"""Candidates that a page's list keeps for each item of a block, spares included."""


class Stale(NamedTuple):
    """Pages whose block may be another one now: from the list that is kept, or ranked again."""

    lists: set[int]
    again: set[int]


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
        self.lacking = Column(np.zeros(n, dtype=np.int16))
        self.below = Column(np.full_like(shelf["reach"], np.inf))
        self._columns = (
            self.lists, self.scores, self.more, self.level, self.used, self.short,
            self.alive, self.may, self.order, self.groups, self.marks, self.below, self.lacking,
        )  # fmt: skip
        self._ids: list[str] = []
        self._timed: set[int] = set()
        self.composer = Composer(self)

    def restore(self, name: str, values: Any) -> None:
        """Puts back a column of the pages, as it was saved."""
        column: Column = getattr(self, name)
        if column.array.shape != values.shape or column.array.dtype != values.dtype:
            raise ValueError(f"{name} has shape {values.shape}, expected {column.array.shape}")
        column.array[:] = values

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

    def _is_copy(self, row: int) -> Mask:
        """(n,) bool: who is a copy of a page, itself too: never a candidate."""
        found: Mask = self.copies.numbers == self.copies.numbers[row]
        return found

    def copies_of(self, row: int) -> int:
        """How many copies of a page could be shown under it, if they were none."""
        return int((self._is_member(row) & self._is_copy(row)).sum())

    def members_of(self, row: int) -> int:
        """How many may be shown under a page."""
        return int(self._is_member(row).sum())

    def next_change(self, now: datetime) -> str | None:
        """The next moment at which an article may be shown, or may be no more; None where there is none."""
        moments = [
            moment
            for row in self._timed
            for article in (self.articles[row],)
            for moment in (article.embargo_until, article.expires_at, article.published_at)
            if moment and moment > now
        ]
        return min(moments).isoformat() if moments else None

    def pins_of(self, row: int) -> list[int]:
        """The articles that stand first under a page, where they may be shown there."""
        targets = [self.row_of.get(target, NO_ROW) for target in self.pins.get(self.articles[row].id, ())]
        group = self.groups.array[row]
        may, numbers = self.may.array, self.copies.numbers
        return [
            t for t in targets
            if t != NO_ROW and may[t] and self.groups.array[t] == group and numbers[t] != numbers[row]
        ]  # fmt: skip

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
            fill = {id(self.lists): NO_ROW, id(self.scores): -np.inf, id(self.below): np.inf}.get(id(column), 0)
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
        members, pins = self._is_member(row) & ~self._is_copy(row), self.pins_of(row)
        page = np.array([row], dtype=np.int32)
        below, lacking = np.full(len(self.comparer.spaces), np.inf, dtype=np.float32), 0
        for level in count():
            marks = self.comparer.marks(row, level)
            candidates = self.comparer.candidates(row, marks, members, pins)
            stories = len(np.unique(self.copies.numbers[candidates]))
            if stories >= self.composer.needed or np.isneginf(marks).all():
                break
            below, lacking = marks, self.composer.needed - stories
        ranked, scores = self._sort(candidates[0], self.comparer.score(page, candidates)[0])
        choice = self.composer.choose(row, ranked, scores)
        self.keep(row, ranked, scores, choice, level, marks, below)
        self.lacking.array[row] = lacking
        return choice

    def offer(self, pages: Rows, candidates: Rows, scores: Scores, marks: Scores) -> list[Choice]:
        """Keeps pages' first candidates, where they are enough for a block; else ranks a page, deeper and deeper.

        Args:
            pages: (b,).
            candidates, scores: (b, c), -1 and -inf for none.
            marks: (b, s) that the candidates reached.
        """
        numbers, wanted = self.copies.numbers, self.composer.wanted
        gone = (candidates == NO_ROW) | (numbers[candidates] == numbers[pages][:, None])
        by_score = np.where(gone, -np.inf, scores)
        newest = -np.nan_to_num(self.shelf["published"], nan=-np.inf)
        order = np.lexsort((self.order.array[candidates], newest[candidates], -by_score), axis=1)
        ranked = np.take_along_axis(np.where(gone, NO_ROW, candidates), order, 1)
        by_rank = np.take_along_axis(by_score, order, 1).astype(np.float32)
        places, there, copies = scan.distinct(ranked, numbers, wanted)
        policy = self.fitted.settings.policy
        plain = policy.min_score is None and not policy.diversity
        choices = []
        for at, page in enumerate(pages.tolist()):
            rows, scored = ranked[at, : there[at]], by_rank[at, : there[at]]
            if self.pins.get(self.articles[page].id) or there[at] - copies[at] < wanted:
                choices.append(self.rank(page))
                continue
            if plain:
                chosen = places[at]
                removed = {"copy": int(copies[at])} if copies[at] else {}
                choice = Choice(rows[chosen], scored[chosen], removed, full=True, used=int(chosen[-1]) + 1)
            else:
                choice = self.composer.choose(page, rows, scored)
            if choice.full:
                self.keep(page, rows, scored, choice, 0, marks[at], np.full_like(marks[at], np.inf))
                choices.append(choice)
            else:
                choices.append(self.rank(page))
        return choices

    def keep(
        self, row: int, rows: Rows, scores: Scores, choice: Choice, level: int, marks: Scores, below: Scores
    ) -> None:
        """Keeps the best of a page's candidates, and what its block depends on.

        Args:
            row: the page.
            rows, scores: its candidates, best first.
            choice: its choice of them.
            level: how deep it looked.
            marks, below: what candidates reached there, and one level above it, where they were too few.
        """
        lists, length = self.lists.array, self.lists.array.shape[1]
        lists[row], self.scores.array[row] = NO_ROW, -np.inf
        kept = min(len(rows), length)
        lists[row, :kept], self.scores.array[row, :kept] = rows[:kept], scores[:kept]
        self.more.array[row] = len(rows) > length
        self.level.array[row] = level
        self.marks.array[row], self.below.array[row] = marks, below
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
        choice = self.composer.choose(row, rows, self.scores.array[row, : len(rows)])
        if not choice.full or (self.more.array[row] and len(choice.rows) < self.composer.wanted):
            return self.rank(row)
        self.used.array[row] = min(choice.used, self.lists.array.shape[1])
        self.short.array[row] = len(choice.rows) < self.composer.wanted
        return choice

    # Changes

    def replace(self, gone: int, row: int, article: Article, now: datetime, stale: Stale) -> None:
        """Puts an article in the place of another, or of an earlier version of itself; blocks are yet to be made.

        Args:
            gone: the row that goes; -1 for none.
            row: that of the article, added to the shelf and measured.
            article: the article.
            now: the moment that decides who may be shown.
            stale: notes the pages that this concerns.
        """
        changed: set[int] = set()
        if gone != NO_ROW:
            if self.may.array[gone]:
                self._leave(gone, stale)
            changed = self.dismiss(gone)
            stale.again.update(changed)
        changed |= self.admit([row], [article], now) - {row}
        if self.may.array[row]:
            self._enter(row, stale)
        stale.again.update(self._pinning(article.id))
        self._hold(changed, stale)
        self.rank(row)
        stale.lists.add(row)

    def remove(self, row: int, stale: Stale) -> None:
        """Takes an article away that nothing takes the place of."""
        id_ = self.articles[row].id
        if self.may.array[row]:
            self._leave(row, stale)
        changed = self.dismiss(row)
        stale.again.update(changed | self._pinning(id_))
        self._hold(changed, stale)

    def finish(self, stale: Stale, now: datetime, pinned: Iterable[str] = ()) -> list[StoredBlock]:
        """The blocks that may be others now, in order of id.

        Args:
            stale: what changes have noted.
            now: the moment that decides who may be shown; who has become or ceased to be since, comes and goes.
            pinned: ids of pages whose pins are others now.
        """
        self._flip(now, stale)
        stale.again.update(self.row_of[id_] for id_ in pinned if id_ in self.row_of)
        return self.make(stale.lists - stale.again, stale.again)

    def make(self, lists: Iterable[int], again: Iterable[int] = ()) -> list[StoredBlock]:
        """Blocks, in order of id: of pages whose lists are as they should be, and of those that are ranked again."""
        alive = self.alive.array
        pages = {row: self.choose for row in lists if alive[row]} | {row: self.rank for row in again if alive[row]}
        order = sorted(pages, key=lambda row: self.articles[row].id)
        return self.composer.blocks(order, [pages[row](row) for row in order])

    def _flip(self, now: datetime, stale: Stale) -> None:
        """Lets articles come and go whose time it is."""
        for row in sorted(self._timed):
            article = self.articles[row]
            may = reason_hidden(article, now) is None
            if may == self.may.array[row]:
                continue
            if not may:
                self._leave(row, stale)
            self.may.array[row] = may
            if may:
                self._enter(row, stale)
            stale.again.update(self._pinning(article.id))

    def _pinning(self, id_: str) -> set[int]:
        """The pages that an article is pinned to."""
        return {self.row_of[source] for source in self._pinned_by.get(id_, ()) if source in self.row_of}

    def _hold(self, changed: set[int], stale: Stale) -> None:
        """Notes the pages that have one of some rows, whose copies are others now, among their candidates."""
        if not changed:
            return
        stale.again.update(changed)
        for row in changed:
            stale.lists.update(np.flatnonzero((self.lists.array == row).any(axis=1)).tolist())
        wary = self.alive.array & (self.short.array | (self.level.array > 0))  # what counts there is not in the list
        if wary.any():
            if len(changed) <= MANY:
                wary &= np.logical_or.reduce([self._seen(row) for row in changed])
            stale.again.update(np.flatnonzero(wary).tolist())

    def _leave(self, row: int, stale: Stale) -> None:
        """Takes a row out of all lists."""
        pages, places = scan.remove(self.lists.array, self.scores.array, row)
        stale.lists.update(pages[places < self.used.array[pages]].tolist())
        self._count_again(row, stale)

    def _enter(self, row: int, stale: Stale) -> None:
        """Puts a row into the lists of all pages that it is a candidate of."""
        seen = self._seen(row)
        nearer = seen & scan.reached(self.comparer.scans(row), self.below.array)
        self.lacking.array[nearer] -= 1
        again = seen & (self.short.array | (nearer & (self.lacking.array <= 0)))
        pages = np.flatnonzero(seen & ~again).astype(np.int32)
        gained = self.comparer.score(pages, np.full((len(pages), 1), row, dtype=np.int32))[:, 0]
        places = scan.insert(
            self.lists.array, self.scores.array, self.more.array, pages, row, gained,
            self.shelf["published"], self.order.array,
        )  # fmt: skip
        stale.lists.update(pages[(places >= 0) & (places < self.used.array[pages])].tolist())
        stale.again.update(np.flatnonzero(again).tolist())
        self._count_again(row, stale)

    def _seen(self, row: int) -> Mask:
        """(n,) bool: the pages that a row is a candidate of."""
        found: Mask = scan.reached(self.comparer.scans(row), self.marks.array)
        found &= self.alive.array & (self.groups.array == self.groups.array[row]) & ~self._is_copy(row)
        return found

    def _count_again(self, row: int, stale: Stale) -> None:
        """Notes the short blocks that say how many articles there are, of which a row is one."""
        if not self.short.array.any():
            return
        group = self.alive.array & (self.groups.array == self.groups.array[row])
        short = group & self.short.array
        if int((group & self.may.array).sum()) > FEW + 1:
            short &= self._seen(row) | self._is_copy(row)
        stale.again.update(np.flatnonzero(short).tolist())
