"""The blocks of a site, article by article: what changes do to all of them, and nothing more.

A page's candidates are those whose score reaches the page's mark in some space, among those that may be shown. Whether
one does, and what it scores, depends on the two articles alone and on what was fitted: so an article that comes enters
some lists, one that goes leaves them, and all else stays. A list keeps the best of a page's candidates; where it gets
too short to fill the block, the page is ranked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np

from simrec.pipeline.live.compose import FEW, Told
from simrec.pipeline.live.lists import TOGETHER, Lists
from simrec.pipeline.live.pages import Far
from simrec.pipeline.live.stale import Stale
from simrec.rank import kernels_lists, scan
from simrec.rank.candidates import by_date
from simrec.store import StoredBlock
from simrec.types import NO_ROW, Article, Mask, Rows, Scores


class Engine(Lists):
    """A site's blocks, kept up to date; see `Pages` for its arguments."""

    def by_date(self, group: int, members: Mask) -> Rows:
        """The articles that may be shown under a group's pages and have a date, oldest first."""
        del group  # whoever keeps what was found keeps it by the group
        return by_date(self.shelf["published"], members)

    def replace(
        self, gone: Sequence[int], rows: Sequence[int], articles: Sequence[Article], now: datetime, stale: Stale
    ) -> None:
        """Puts articles in the place of others, or of earlier versions of themselves; blocks are yet to be made.

        Args:
            gone: the rows that go, one for each article; -1 for none.
            rows: those of the articles, added to the shelf and measured.
            articles: the articles.
            now: the moment that decides who may be shown.
            stale: notes the pages that this concerns.
        """
        changed: set[int] = set()
        there = [row for row in gone if row != NO_ROW]
        self._leave([row for row in there if self.may.array[row]], stale)
        for row in there:
            changed |= self._stand_ins(row) | self.dismiss(row)
        changed -= set(there)
        stale.again.update(changed)
        changed |= self.admit(rows, articles, now)
        changed |= {other for row in rows for other in self._stand_ins(row)}
        changed -= set(rows)
        self._enter([row for row in rows if self.may.array[row]], stale, set(rows))
        for article in articles:
            stale.again.update(self._pinning(article.id))
        self._hold(changed, stale)
        self.rank_all(rows)
        stale.lists.update(rows)

    def remove(self, row: int, stale: Stale) -> None:
        """Takes an article away that nothing takes the place of."""
        id_ = self.articles[row].id
        if self.may.array[row]:
            self._leave([row], stale)
        changed = (self._stand_ins(row) | self.dismiss(row)) - {row}
        stale.again.update(changed | self._pinning(id_))
        self._hold(changed, stale)

    def finish(
        self, stale: Stale, now: datetime, placed: Iterable[str] = (), told: Told | None = None
    ) -> list[StoredBlock]:
        """The blocks that may be others now, in order of id.

        Args:
            stale: what changes have noted.
            now: the moment that decides who may be shown; who has become or ceased to be since, comes and goes.
            placed: ids of pages under which others stand by hand now.
            told: blocks of before the changes, where there are any to take reasons from.
        """
        self._flip(now, stale)
        stale.again.update(self.row_of[id_] for id_ in placed if id_ in self.row_of)
        deep = [row for row in sorted(stale.deep - stale.again) if self.alive.array[row]]
        again = stale.again | set(self.fill_nearer(deep))
        return self.make(stale.lists - again, again, told)

    def make(self, lists: Iterable[int], again: Iterable[int] = (), told: Told | None = None) -> list[StoredBlock]:
        """Blocks, in order of id: of pages whose lists are as they should be, and of those that are ranked again."""
        anew = set(again)
        pages = sorted((row for row in {*lists, *anew} if self.alive.array[row]), key=lambda row: self.articles[row].id)
        return self.composer.blocks(pages, self.choose_all(pages, anew), told)

    def _flip(self, now: datetime, stale: Stale) -> None:
        """Lets articles come and go whose time it is."""
        for row in np.flatnonzero(self.alive.array & (self.until.array <= now.timestamp())).tolist():
            before = self._standing(row)
            if self.may.array[row]:
                self._leave([row], stale)
            self.stand(row, now)
            if self.may.array[row]:
                self._enter([row], stale)
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
        held = kernels_lists.hold(self.lists.array, self._among(changed))
        stale.lists.update(np.flatnonzero(held).tolist())
        short = self.short.array
        wary = self.alive.array & (short | (self.level.array > 0))  # what counts there is not in the list
        wary[list(self.far)] = self.alive.array[list(self.far)]
        pages = np.flatnonzero(wary).astype(np.int32)
        if len(pages):
            seen = self._seen_by(pages, sorted(changed), self.marks.array[pages])
            pages = pages[seen.any(axis=1)]
            stale.again.update(page for page in pages.tolist() if short[page] or page in self.far)
            stale.deep.update(page for page in pages.tolist() if not short[page])

    def _leave(self, rows: Sequence[int], stale: Stale) -> None:
        """Takes rows out of all lists."""
        if not rows:
            return
        first = kernels_lists.remove(self.lists.array, self.scores.array, self._among(rows))
        stale.lists.update(np.flatnonzero((first != NO_ROW) & (first < self.used.array)).tolist())
        stale.again.update(page for page, far in self.far.items() if not set(far.rows).isdisjoint(rows))
        deep = np.flatnonzero(self.alive.array & (self.level.array > 0)).astype(np.int32)
        if len(deep):
            self._lack(deep, rows)
            if self.composer.caps:  # without them others may have room, nearer
                seen = self._seen_by(deep, rows, self.marks.array[deep])
                stale.deep.update(deep[seen.any(axis=1)].tolist())
        for row in rows:
            self._count_again(row, stale)

    def _lack(self, deep: Rows, rows: Sequence[int]) -> None:
        """Notes of pages that look deep, (b,), that rows go that were among their candidates one level nearer.

        Only those rows count of which it is certain that their stories go with them.
        """
        numbers, counts = np.unique(self.copies.numbers, return_counts=True)
        several = set(numbers[counts > 1].tolist())
        alone = [row for row in rows if not self.later.array[row] and int(self.copies.numbers[row]) not in several]
        nearer = self._seen_by(deep, alone, self.below.array[deep]) & (deep[:, None] != np.array(alone))
        self.lacking.array[deep] += nearer.sum(axis=1).astype(self.lacking.array.dtype)

    def _enter(self, rows: Sequence[int], stale: Stale, ranked: Iterable[int] = ()) -> None:
        """Puts rows into the lists of all pages that they are candidates of, but for those that are `ranked` next."""
        skipped = self._among({*stale.again, *ranked})
        deep = np.flatnonzero(self.alive.array & (self.level.array > 0)).astype(np.int32)
        found = []
        for row in rows:
            seen = self._seen(row)
            scores = self.comparer.held.all(row)[:, deep]
            reached = ((scores != 0) & (scores >= self.below.array[deep].T)).any(axis=0)
            nearer = deep[reached & seen[deep]]
            self.lacking.array[nearer] -= not self.later.array[row]
            stale.deep.update(nearer[self.lacking.array[nearer] <= 0].tolist())
            stale.again.update(np.flatnonzero(seen & self.short.array).tolist())
            found.append(np.flatnonzero(seen & ~self.short.array & ~skipped).astype(np.int32))
            self._count_again(row, stale)
        if found:
            lengths = list(map(len, found))
            self._insert(np.concatenate(found), np.repeat(np.array(rows, dtype=np.int32), lengths), stale)

    def _insert(self, pages: Rows, rows: Rows, stale: Stale) -> None:
        """Puts rows (p,), candidates of pages (p,), into their lists."""
        order = np.argsort(pages, kind="stable")
        pages, rows = pages[order], rows[order]
        gained = self.comparer.score(pages, rows[:, None])[:, 0]
        starts = np.flatnonzero(np.concatenate([[True], pages[1:] != pages[:-1], [True]])) if len(pages) else [0]
        places = kernels_lists.insert(
            self.lists.array, self.scores.array, self.more.array, np.array(starts, dtype=np.int64), pages, rows, gained,
            self.shelf["published"], self.order.array,
        )  # fmt: skip
        stale.lists.update(pages[(places != NO_ROW) & (places < self.used.array[pages])].tolist())
        for at in np.flatnonzero(np.isin(pages, list(self.far))).tolist() if self.far else ():
            page, score = int(pages[at]), float(gained[at])
            if score >= self.far[page].last:
                (stale.lists if self._join(page, int(rows[at]), score) else stale.again).add(page)

    def _join(self, page: int, row: int, score: float) -> bool:
        """Puts a newcomer into a block that reaches beyond its list; False where that takes more than its score."""
        far, numbers = self.far[page], self.copies.numbers
        rows = np.array(far.rows, dtype=np.int32)
        if not self.is_plain(page) or self.later.array[row] or score == far.last or numbers[row] in numbers[rows]:
            return False
        scores = np.array([*far.scores, score], dtype=np.float32)
        rows, scores = self.sort(np.append(rows, np.int32(row)), scores)
        rows, scores = rows[: len(far.rows)], scores[: len(far.rows)]
        self.far[page] = Far(float(scores[-1]), tuple(rows.tolist()), tuple(scores.tolist()))
        return True

    def _among(self, rows: Iterable[int]) -> Mask:
        """(n,) bool: whether a row is one of some."""
        found = np.zeros(len(self.shelf), dtype=bool)
        found[list(rows)] = True
        return found

    def _seen(self, row: int) -> Mask:
        """(n,) bool: the pages that a row is a candidate of."""
        found: Mask = scan.reached(self.comparer.held.all(row), self.marks.array)
        found &= self.shows(row) & ~self.is_copy(row)
        return found

    def _seen_by(self, pages: Rows, rows: Sequence[int], marks: Scores) -> Mask:
        """(b, c) bool: whether rows (c,) reach the marks (b, s) of pages (b,), and may be shown there."""
        found = np.zeros((len(pages), len(rows)), dtype=bool)
        for begin in range(0, len(rows), TOGETHER):
            some = np.array(rows[begin : begin + TOGETHER], dtype=np.int32)
            others = np.ascontiguousarray(np.broadcast_to(some, (len(pages), len(some))))
            found[:, begin : begin + TOGETHER] = self.comparer.held.reached(pages, others, marks)
            found[:, begin : begin + TOGETHER] &= self.allows(pages, others)
        return found

    def _count_again(self, row: int, stale: Stale) -> None:
        """Notes the short blocks that say how many articles there are, of which a row is one."""
        if not self.short.array.any():
            return
        pages = np.flatnonzero(self.shows(row) & self.short.array).astype(np.int32)
        many = len(pages) and int((self.is_member(row) & ~self.later.array).sum()) > FEW + 1
        if many and not self.by_pairs and not self.fitted.settings.policy.languages:
            copies = self.copies.numbers[pages] == self.copies.numbers[row]
            pages = pages[self._seen_by(pages, [row], self.marks.array[pages])[:, 0] | copies]
        stale.again.update(pages.tolist())
