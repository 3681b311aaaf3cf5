"""The pages of a site: which articles are there, who may be shown under whom, and what is kept of each."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from simrec.pipeline.copies import last_looked_at
from simrec.pipeline.live.columns import Column
from simrec.pipeline.live.compare import Comparer
from simrec.pipeline.live.shelf import Shelf
from simrec.policy.duplicates import LOOK_AT_COSINE, Copies, near_pairs
from simrec.policy.eligibility import reason_hidden
from simrec.types import NO_ROW, Article, Mask

LISTED = 8
"""Candidates that a page's list keeps for each item of a block, spares included."""


class Pages:
    """The articles that are there, by row, and columns of what is kept of each as a page.

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

    def is_member(self, row: int) -> Mask:
        """(n,) bool: who may be shown under a page: eligible now, and of its language."""
        found: Mask = self.may.array & (self.groups.array == self.groups.array[row])
        found[row] = False
        return found

    def is_copy(self, row: int) -> Mask:
        """(n,) bool: who is a copy of a page, itself too: never a candidate."""
        found: Mask = self.copies.numbers == self.copies.numbers[row]
        return found

    def copies_of(self, row: int) -> int:
        """How many copies of a page could be shown under it, if they were none."""
        return int((self.is_member(row) & self.is_copy(row)).sum())

    def members_of(self, row: int) -> int:
        """How many may be shown under a page."""
        return int(self.is_member(row).sum())

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
