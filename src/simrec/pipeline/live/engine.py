"""The blocks of a site, article by article: what one change does to all of them, and nothing more.

A page's candidates are those whose score reaches the page's mark in some space, among those that may be shown. Whether
one does, and what it scores, depends on the two articles alone and on what was fitted: so an article that comes enters
some lists, one that goes leaves them, and all else stays. A list keeps the best of a page's candidates; where it gets
too short to fill the block, the page is ranked again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import count

import numpy as np

from simrec.pipeline.live.compose import FEW, Choice, Composer
from simrec.pipeline.live.pages import Far, Pages
from simrec.pipeline.live.shelf import Shelf
from simrec.pipeline.live.stale import Stale
from simrec.rank import scan
from simrec.store import StoredBlock
from simrec.types import NO_ROW, Article, Mask, Rows, Scores

MANY = 10
"""Rows whose pages are looked for one by one; with more of them, all that could be concerned are taken."""


class Engine(Pages):
    """A site's blocks, kept up to date; see `Pages` for its arguments."""

    def __init__(self, shelf: Shelf, k: int) -> None:
        super().__init__(shelf, k)
        self.composer = Composer(self)

    # Lists

    def rank(self, row: int) -> Choice:
        """Ranks all of a page's candidates, looking deeper until its block is full, and keeps the best of them."""
        members, pins = self.is_member(row) & ~self.is_copy(row), self.pins_of(row)
        page = np.array([row], dtype=np.int32)
        below, lacking = np.full(len(self.comparer.spaces), np.inf, dtype=np.float32), 0
        for level in count():
            marks = self.comparer.marks(row, level)
            candidates = self.comparer.candidates(row, marks, members, pins)
            stories, whole = self._stories(candidates), bool(np.isneginf(marks).all())
            if stories >= self.composer.needed or whole:
                ranked, scores = self.sort(candidates[0], self.comparer.score(page, candidates)[0])
                choice = self.composer.choose(row, ranked, scores)
                if choice.full or whole:
                    break
            below, lacking = marks, max(self.composer.needed - stories, 0)
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
        if self._by_pairs:
            gone |= ~self.allows(pages, candidates)
        by_score = np.where(gone, -np.inf, scores)
        newest = -np.nan_to_num(self.shelf["published"][candidates], nan=-np.inf)
        order = np.lexsort((self.order.array[candidates], newest, -by_score), axis=1)
        ranked = np.take_along_axis(np.where(gone, NO_ROW, candidates), order, 1)
        by_rank = np.take_along_axis(by_score, order, 1).astype(np.float32)
        places, there, copies = scan.distinct(ranked, numbers, wanted)
        later = (self.later.array[ranked] & (ranked != NO_ROW)).any(axis=1)
        choices = []
        for at, page in enumerate(pages.tolist()):
            rows, scored = ranked[at, : there[at]], by_rank[at, : there[at]]
            if self.placed.pins.get(self.articles[page].id) or there[at] - copies[at] < wanted:
                choices.append(self.rank(page))
                continue
            if self.composer.plain and not later[at]:
                chosen = places[at]
                removed = {"copy": int(copies[at])} if copies[at] else {}
                last = float(scored[chosen[-1]])
                choice = Choice(rows[chosen], scored[chosen], removed, True, int(chosen[-1]) + 1, wanted, last)
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
        self._note(row, choice)

    @property
    def _by_pairs(self) -> bool:
        """Whether who may be shown under a page hangs on more than its language."""
        return self.pairs.by_date or bool(self.placed.bans)

    def _stories(self, candidates: Rows) -> int:
        """How many stories that may be shown now are among some candidates."""
        now = candidates[~self.later.array[candidates]]
        return len(np.unique(self.copies.numbers[now]))

    def sort(self, rows: Rows, scores: Scores) -> tuple[Rows, Scores]:
        """Rows, best first, newer first where scores are equal, then by id; and their scores."""
        newest = -np.nan_to_num(self.shelf["published"][rows], nan=-np.inf)
        order = np.lexsort((self.order.array[rows], newest, -scores))
        return rows[order], scores[order]

    def choose(self, row: int) -> Choice:
        """A page's choice from the list that is kept, or, where that is too short, from all its candidates."""
        if row in self.far and self._is_plain(row):
            far = self.far[row]
            items = np.array(far.rows, dtype=np.int32), np.array(far.scores, dtype=np.float32)
            return Choice(*items, {}, True, self.lists.array.shape[1] + 1, len(far.rows), far.last)
        rows = self.lists.array[row]
        rows = rows[rows != NO_ROW]
        if not np.isin(self.pins_of(row), rows).all():
            return self.rank(row)
        choice = self.composer.choose(row, rows, self.scores.array[row, : len(rows)])
        if not choice.full or (self.more.array[row] and choice.counted < self.composer.wanted):
            return self.rank(row)
        self._note(row, choice)
        return choice

    def _note(self, row: int, choice: Choice) -> None:
        """Notes what a page's block depends on; where that reaches beyond the list, which candidates, and how far."""
        length = self.lists.array.shape[1]
        self.used.array[row] = min(choice.used, length)
        self.short.array[row] = choice.counted < self.composer.wanted
        self.far.pop(row, None)
        if choice.used > length and self.more.array[row]:
            self.far[row] = Far(choice.last, tuple(choice.rows.tolist()), tuple(choice.scores.tolist()))

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
            changed = (self._stand_ins(gone) | self.dismiss(gone)) - {gone}
            stale.again.update(changed)
        changed |= (self.admit([row], [article], now) | self._stand_ins(row)) - {row}
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
        changed = (self._stand_ins(row) | self.dismiss(row)) - {row}
        stale.again.update(changed | self._pinning(id_))
        self._hold(changed, stale)

    def finish(self, stale: Stale, now: datetime, placed: Iterable[str] = ()) -> list[StoredBlock]:
        """The blocks that may be others now, in order of id.

        Args:
            stale: what changes have noted.
            now: the moment that decides who may be shown; who has become or ceased to be since, comes and goes.
            placed: ids of pages under which others stand by hand now.
        """
        self._flip(now, stale)
        stale.again.update(self.row_of[id_] for id_ in placed if id_ in self.row_of)
        again = stale.again | {row for row in stale.deep - stale.again if self._is_filled_nearer(row)}
        return self.make(stale.lists - again, again)

    def _is_filled_nearer(self, row: int) -> bool:
        """Whether a page that looks deep has enough candidates one level nearer by now."""
        if not self.alive.array[row]:
            return False
        members = self.is_member(row) & ~self.is_copy(row)
        nearer = self.comparer.candidates(row, self.below.array[row], members, self.pins_of(row))
        self.lacking.array[row] = max(self.composer.needed - self._stories(nearer), 0)
        return bool(self.lacking.array[row] <= 0)

    def make(self, lists: Iterable[int], again: Iterable[int] = ()) -> list[StoredBlock]:
        """Blocks, in order of id: of pages whose lists are as they should be, and of those that are ranked again."""
        alive = self.alive.array
        pages = {row: self.choose for row in lists if alive[row]} | {row: self.rank for row in again if alive[row]}
        order = sorted(pages, key=lambda row: self.articles[row].id)
        return self.composer.blocks(order, [pages[row](row) for row in order])

    def _flip(self, now: datetime, stale: Stale) -> None:
        """Lets articles come and go whose time it is."""
        for row in np.flatnonzero(self.alive.array & (self.until.array <= now.timestamp())).tolist():
            before = self._standing(row)
            if self.may.array[row]:
                self._leave(row, stale)
            self.stand(row, now)
            if self.may.array[row]:
                self._enter(row, stale)
            if self._standing(row) != before:
                stale.again.update(self._pinning(self.articles[row].id))
                self._hold(self._stand_ins(row), stale)

    def _standing(self, row: int) -> tuple[bool, bool, bool]:
        return bool(self.shown.array[row]), bool(self.may.array[row]), bool(self.later.array[row])

    def _stand_ins(self, row: int) -> set[int]:
        """The copies of a row, one of which may be shown in another's place by now; it is one of them."""
        if self.fitted.settings.policy.copies == "best":
            return set()
        return {one for one in self.copies.groups().get(int(self.copies.numbers[row]), ()) if self.alive.array[one]}

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
        wary[list(self.far)] = self.alive.array[list(self.far)]
        if wary.any():
            if len(changed) <= MANY:
                wary &= np.logical_or.reduce([self._seen(row) for row in changed])
            stale.again.update(np.flatnonzero(wary & self.short.array).tolist())
            stale.again.update(page for page in self.far if wary[page])
            stale.deep.update(np.flatnonzero(wary & ~self.short.array).tolist())

    def _leave(self, row: int, stale: Stale) -> None:
        """Takes a row out of all lists."""
        pages, places = scan.remove(self.lists.array, self.scores.array, row)
        stale.lists.update(pages[places < self.used.array[pages]].tolist())
        stale.again.update(page for page, far in self.far.items() if row in far.rows)
        if self.composer.caps and (self.level.array > 0).any():  # without it others may have room, nearer
            stale.deep.update(np.flatnonzero(self._seen(row) & (self.level.array > 0)).tolist())
        self._count_again(row, stale)

    def _enter(self, row: int, stale: Stale) -> None:
        """Puts a row into the lists of all pages that it is a candidate of."""
        seen = self._seen(row)
        nearer = seen & scan.reached(self.comparer.scans(row), self.below.array)
        self.lacking.array[nearer] -= not self.later.array[row]
        stale.deep.update(np.flatnonzero(nearer & (self.lacking.array <= 0)).tolist())
        again = seen & self.short.array
        pages = np.flatnonzero(seen & ~again).astype(np.int32)
        gained = self.comparer.score(pages, np.full((len(pages), 1), row, dtype=np.int32))[:, 0]
        places = scan.insert(
            self.lists.array, self.scores.array, self.more.array, pages, row, gained,
            self.shelf["published"], self.order.array,
        )  # fmt: skip
        stale.lists.update(pages[(places >= 0) & (places < self.used.array[pages])].tolist())
        stale.again.update(np.flatnonzero(again).tolist())
        for page, score in zip(pages.tolist(), gained.tolist(), strict=True) if self.far else ():
            if page in self.far and score >= self.far[page].last:
                (stale.lists if self._join(page, row, score) else stale.again).add(page)
        self._count_again(row, stale)

    def _join(self, page: int, row: int, score: float) -> bool:
        """Puts a newcomer into a block that reaches beyond its list; False where that takes more than its score."""
        far, numbers = self.far[page], self.copies.numbers
        rows = np.array(far.rows, dtype=np.int32)
        if not self._is_plain(page) or self.later.array[row] or score == far.last or numbers[row] in numbers[rows]:
            return False
        scores = np.array([*far.scores, score], dtype=np.float32)
        rows, scores = self.sort(np.append(rows, np.int32(row)), scores)
        rows, scores = rows[: len(far.rows)], scores[: len(far.rows)]
        self.far[page] = Far(float(scores[-1]), tuple(rows.tolist()), tuple(scores.tolist()))
        return True

    def _is_plain(self, page: int) -> bool:
        """Whether a page's block is the first stories of its candidates, whatever they are."""
        return self.composer.plain and not self.placed.pins.get(self.articles[page].id)

    def _seen(self, row: int) -> Mask:
        """(n,) bool: the pages that a row is a candidate of."""
        found: Mask = scan.reached(self.comparer.scans(row), self.marks.array)
        found &= self.shows(row) & ~self.is_copy(row)
        return found

    def _count_again(self, row: int, stale: Stale) -> None:
        """Notes the short blocks that say how many articles there are, of which a row is one."""
        if not self.short.array.any():
            return
        group = self.shows(row)
        short = group & self.short.array
        many = int((self.is_member(row) & ~self.later.array).sum()) > FEW + 1
        if many and not self._by_pairs and not self.fitted.settings.policy.languages:
            short &= self._seen(row) | self.is_copy(row)
        stale.again.update(np.flatnonzero(short).tolist())
