"""The ranked lists of all pages, and what the house rules choose of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from simrec.pipeline.live.compose import Choice, Composer
from simrec.pipeline.live.pages import Far, Pages
from simrec.pipeline.live.shelf import Shelf
from simrec.rank import scan
from simrec.types import NO_ROW, Rows, Scores

TOGETHER = 96
"""Rows that are compared with all others together."""


class Look(NamedTuple):
    """What a page sees when it looks so deep.

    Attributes:
        level: how deep.
        marks, below: (s,) what candidates reach there, and one level above it, where they were too few.
        lacking: how many stories there were too few, above it.
        candidates: (c,) who reaches the marks, ascending.
        whole: whether it sees all that it shares anything with.
    """

    level: int
    marks: Scores
    below: Scores
    lacking: int
    candidates: Rows
    whole: bool


class Lists(Pages):
    """The lists of a site's pages; see `Pages` for its arguments.

    Attributes:
        composer: makes blocks of them.
    """

    def __init__(self, shelf: Shelf, k: int) -> None:
        super().__init__(shelf, k)
        self.composer = Composer(self)

    # Ranked anew

    def rank(self, row: int) -> Choice:
        """Ranks all of a page's candidates, looking deeper until its block is full, and keeps the best of them."""
        return self.rank_all([row])[0]

    def rank_all(self, rows: Sequence[int]) -> list[Choice]:
        """Ranks pages, some of them together, as `rank` does each."""
        found: list[Choice] = []
        for begin in range(0, len(rows), TOGETHER):
            batch = rows[begin : begin + TOGETHER]
            self.comparer.held.ahead(batch)
            looks = [self._first_look(row) for row in batch]
            scores = self.comparer.score_each(batch, [look.candidates for look in looks])
            found += [self._settle(*each) for each in zip(batch, looks, scores, strict=True)]
        return found

    def _first_look(self, row: int) -> Look:
        return self._look(row, 0, np.full(len(self.comparer.spaces), np.inf, dtype=np.float32), 0)

    def _look(self, row: int, level: int, below: Scores, lacking: int) -> Look:
        """The first level, from one on, at which a page sees enough stories to fill its block."""
        members, pins = self.is_member(row) & ~self.is_copy(row), self.pins_of(row)
        while True:
            marks = self._marks(row, level)
            candidates = self.comparer.candidates(row, marks, members, pins)
            missing, whole = self.missing(candidates), bool(np.isneginf(marks).all())
            if not missing or whole:
                return Look(level, marks, below, lacking, candidates, whole)
            level, below, lacking = level + 1, marks, missing

    def _marks(self, row: int, level: int) -> Scores:
        """What a page's candidates must reach: what was found of the fitted rows once, or is found now."""
        known = int(self.level.array[row])
        if level and level == known:
            return np.array(self.marks.array[row])
        if level and level == known - 1:
            return np.array(self.below.array[row])
        return np.array(self.comparer.marks(row, level))

    def _settle(self, row: int, look: Look, scores: Scores) -> Choice:
        """The choice of a page's candidates and their scores; of more of them, where these are not enough."""
        while True:
            ranked, sorted_scores = self.sort(look.candidates, scores)
            choice = self.composer.choose(row, ranked, sorted_scores)
            if choice.full or look.whole:
                break
            look = self._look(row, look.level + 1, look.marks, self.missing(look.candidates))
            scores = self.comparer.score_each([row], [look.candidates])[0]
        self.keep(row, ranked, sorted_scores, choice, look.level, look.marks, look.below)
        self.lacking.array[row] = look.lacking
        return choice

    def missing(self, candidates: Rows) -> int:
        """How many stories that may be shown now some candidates have too few."""
        now = candidates[~self.later.array[candidates]]
        return max(self.composer.needed - len(np.unique(self.copies.numbers[now])), 0)

    def fill_nearer(self, rows: Sequence[int]) -> list[int]:
        """Those of some pages that look deep, (b,), and have enough candidates one level nearer by now."""
        found = []
        for begin in range(0, len(rows), TOGETHER):
            batch = rows[begin : begin + TOGETHER]
            self.comparer.held.ahead(batch)
            for row in batch:
                members = self.is_member(row) & ~self.is_copy(row)
                nearer = self.comparer.candidates(row, self.below.array[row], members, self.pins_of(row))
                self.lacking.array[row] = self.missing(nearer)
                if not self.lacking.array[row]:
                    found.append(row)
        return found

    # Chosen

    def offer(self, pages: Rows, candidates: Rows, scores: Scores, marks: Scores) -> list[Choice]:
        """Keeps pages' first candidates, where they are enough for a block; else ranks a page, deeper and deeper.

        Args:
            pages: (b,).
            candidates, scores: (b, c), -1 and -inf for none.
            marks: (b, s) that the candidates reached.
        """
        numbers = self.copies.numbers
        gone = (candidates == NO_ROW) | (numbers[candidates] == numbers[pages][:, None])
        if self.by_pairs:
            gone |= ~self.allows(pages, candidates)
        by_score = np.where(gone, -np.inf, scores)
        newest = -np.nan_to_num(self.shelf["published"][candidates], nan=-np.inf)
        order = np.lexsort((self.order.array[candidates], newest, -by_score), axis=1)
        ranked = np.take_along_axis(np.where(gone, NO_ROW, candidates), order, 1)
        by_rank = np.take_along_axis(by_score, order, 1).astype(np.float32)
        found = self._plainly(pages, ranked, by_rank)
        choices = []
        for at, page in enumerate(pages.tolist()):
            count = int((ranked[at] != NO_ROW).sum())
            rows, scored = ranked[at, :count], by_rank[at, :count]
            choice = found[at]
            if choice is None and not self._lacks(page, rows):
                choice = self.composer.choose(page, rows, scored)
            if choice is not None and choice.full:
                self.keep(page, rows, scored, choice, 0, marks[at], np.full_like(marks[at], np.inf))
                choices.append(choice)
            else:
                choices.append(self.rank(page))
        return choices

    def _lacks(self, page: int, rows: Rows) -> bool:
        """Whether a page's candidates cannot fill its block, or need not have what is pinned there."""
        pinned = self.placed.pins.get(self.articles[page].id)
        return bool(pinned) or len(np.unique(self.copies.numbers[rows])) < self.composer.wanted

    def _plainly(self, pages: Rows, ranked: Rows, scores: Scores) -> list[Choice | None]:
        """The choices of pages whose blocks are the first stories of their candidates; None for all others.

        Args:
            pages: (b,).
            ranked, scores: (b, c) candidates, best first, -1 at the end.
        """
        if not self.composer.plain:
            return [None] * len(pages)
        numbers, wanted = self.copies.numbers, self.composer.wanted
        places, there, copies = scan.distinct(ranked, numbers, wanted)
        known = ranked != NO_ROW
        hard = known & (self.later.array[ranked] | (numbers[ranked] == numbers[pages][:, None]))
        plain = (there - copies >= wanted) & ~hard.any(axis=1)
        found: list[Choice | None] = []
        for at, page in enumerate(pages.tolist()):
            if not plain[at] or (self.placed.pins and self.placed.pins.get(self.articles[page].id)):
                found.append(None)
                continue
            chosen = places[at]
            removed = {"copy": int(copies[at])} if copies[at] else {}
            scored, used = scores[at, chosen], int(chosen[-1]) + 1
            found.append(Choice(ranked[at, chosen], scored, removed, True, used, wanted, float(scored[-1])))
        return found

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

    def choose(self, row: int) -> Choice:
        """A page's choice from the list that is kept, or, where that is too short, from all its candidates."""
        return self.choose_all([row])[0]

    def choose_all(self, rows: Sequence[int], again: Iterable[int] = ()) -> list[Choice]:
        """The choices of pages, as `choose` makes each; those that are in `again` are ranked in any case."""
        pages, ranked_again = np.array(rows, dtype=np.int32), set(again)
        plainly = self._plainly(pages, self.lists.array[pages], self.scores.array[pages])
        found = {
            row: self._choose(row, choice) for row, choice in zip(rows, plainly, strict=True) if row not in ranked_again
        }
        short = [row for row in rows if found.get(row) is None]
        ranked = dict(zip(short, self.rank_all(short), strict=True))
        return [found.get(row) or ranked[row] for row in rows]

    def _choose(self, row: int, plainly: Choice | None) -> Choice | None:
        """A page's choice from the list that is kept; None where that is too short."""
        if row in self.far and self.is_plain(row):
            far = self.far[row]
            items = np.array(far.rows, dtype=np.int32), np.array(far.scores, dtype=np.float32)
            return Choice(*items, {}, True, self.lists.array.shape[1] + 1, len(far.rows), far.last)
        choice = plainly
        if choice is None:
            rows = self.lists.array[row]
            rows = rows[rows != NO_ROW]
            if not np.isin(self.pins_of(row), rows).all():
                return None
            choice = self.composer.choose(row, rows, self.scores.array[row, : len(rows)])
        if not choice.full or (self.more.array[row] and choice.counted < self.composer.wanted):
            return None
        self._note(row, choice)
        return choice

    @property
    def by_pairs(self) -> bool:
        """Whether who may be shown under a page hangs on more than its language."""
        return self.pairs.by_date or bool(self.placed.bans)

    def sort(self, rows: Rows, scores: Scores) -> tuple[Rows, Scores]:
        """Rows, best first, newer first where scores are equal, then by id; and their scores."""
        newest = -np.nan_to_num(self.shelf["published"][rows], nan=-np.inf)
        order = np.lexsort((self.order.array[rows], newest, -scores))
        return rows[order], scores[order]

    def _note(self, row: int, choice: Choice) -> None:
        """Notes what a page's block depends on; where that reaches beyond the list, which candidates, and how far."""
        length = self.lists.array.shape[1]
        self.used.array[row] = min(choice.used, length)
        self.short.array[row] = choice.counted < self.composer.wanted
        self.far.pop(row, None)
        if choice.used > length and self.more.array[row]:
            self.far[row] = Far(choice.last, tuple(choice.rows.tolist()), tuple(choice.scores.tolist()))

    def is_plain(self, page: int) -> bool:
        """Whether a page's block is the first stories of its candidates, whatever they are."""
        return self.composer.plain and not self.placed.pins.get(self.articles[page].id)
