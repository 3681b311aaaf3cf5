"""The pages of a site: which articles are there, who may be shown under whom, and what is kept of each."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.pipeline.chooser import article_rules
from simrec.pipeline.copies import last_looked_at, seen
from simrec.pipeline.live.columns import Column
from simrec.pipeline.live.compare import Comparer
from simrec.pipeline.live.shelf import Shelf
from simrec.pipeline.placed import Placed, hand_placed
from simrec.policy.articles import standing
from simrec.policy.duplicates import LOOK_AT_COSINE, Copies, near_pairs
from simrec.policy.pairs import Facts, PairRules, reversed_pairs
from simrec.types import DECIMALS, NO_ROW, Article, Mask, Rows

LISTED = 8
"""Candidates that a page's list keeps for each item of a block, spares included."""
SHELVED = 256
"""Articles that are read together."""
KEPT: Mapping[str, tuple[Any, float]] = {
    "lists": (np.int32, NO_ROW), "scores": (np.float32, -np.inf), "more": (np.bool_, 0), "level": (np.int8, 0),
    "used": (np.int16, 0), "short": (np.bool_, 0), "alive": (np.bool_, 0), "may": (np.bool_, 0),
    "shown": (np.bool_, 0), "later": (np.bool_, 0), "until": (np.float64, np.inf), "toll": (np.float32, 0),
    "weights": (np.float32, 0), "order": (np.int64, 0), "groups": (np.int32, 0), "marks": (np.float32, 0),
    "below": (np.float32, np.inf), "lacking": (np.int16, 0),
}  # fmt: skip
"""Columns of pages: the type of each, and what a row has there at first."""


class Far(NamedTuple):
    """The block of a page that reaches beyond its list.

    Attributes:
        last: the score of the last candidate that it depends on.
        rows, scores: of its items.
    """

    last: float
    rows: tuple[int, ...]
    scores: tuple[float, ...]


class Pages:
    """The articles that are there, by row, and columns of what is kept of each as a page.

    Args:
        shelf: the rows; all of them were compared with the fitted ones.
        k: items a block, without spares.

    Attributes:
        row_of: the row of each article that is there.
        far: the pages whose block reaches beyond their list.
        articles: the articles that are there, by row.
        columns: all that is kept of each row as a page, by name: see `KEPT`.
        sorted_ids: of all articles that were ever there.
        placed: what stands under pages by hand.
    """

    def __init__(self, shelf: Shelf, k: int) -> None:
        self.shelf = shelf
        self.fitted = shelf.fitted
        self.k = k
        self.comparer = Comparer(shelf)
        self.row_of: dict[str, int] = {}
        self.articles: dict[int, Article] = {}
        policy = self.fitted.settings.policy
        self.rules = article_rules(policy, self.fitted.dates, self.fitted.newest)
        self.pairs = self.comparer.pairs
        self.copies = Copies(policy)
        self.set_placed(hand_placed(policy, {}))
        widths = {"lists": self._length(), "scores": self._length(), "marks": shelf["reach"].shape[1:]}
        widths["below"] = widths["marks"]
        self.columns = {name: Column(self.begin(name, (len(shelf), *widths.get(name, ())))) for name in KEPT}
        self.lists, self.scores = self.columns["lists"], self.columns["scores"]
        self.more, self.level = self.columns["more"], self.columns["level"]
        self.used, self.short = self.columns["used"], self.columns["short"]
        self.alive, self.may = self.columns["alive"], self.columns["may"]
        self.shown, self.later = self.columns["shown"], self.columns["later"]
        self.until, self.toll = self.columns["until"], self.columns["toll"]
        self.weights = self.comparer.weights = self.columns["weights"]
        self.comparer.weighs = self.rules.weighs or policy.hub_limit is not None
        self.order, self.groups = self.columns["order"], self.columns["groups"]
        self.marks, self.below = self.columns["marks"], self.columns["below"]
        self.lacking = self.columns["lacking"]
        self.far: dict[int, Far] = {}
        self.sorted_ids: list[str] = []

    def _length(self) -> tuple[int]:
        """Candidates that a list keeps."""
        settings = self.fitted.settings
        items = self.k + settings.build.spares
        return (max(LISTED * items, 12 * items, 60) if settings.policy.diversity else LISTED * items,)

    def begin(self, name: str, shape: tuple[int, ...]) -> Any:
        """A column of the pages as it is before any article is admitted."""
        if name == "marks":
            return np.array(self.shelf["reach"])
        dtype, fill = KEPT[name]
        return np.full(shape, fill, dtype=dtype)

    def restore(self, name: str, values: Any) -> None:
        """Puts back a column of the pages, as it was saved."""
        column = self.columns[name]
        if column.array.shape != values.shape or column.array.dtype != values.dtype:
            raise ValueError(f"{name} has shape {values.shape}, expected {column.array.shape}")
        column.array[:] = values

    # What may be shown

    def set_placed(self, placed: Placed) -> None:
        """What stands under pages by hand."""
        pins = {source: tuple(targets) for source, targets in placed.pins.items() if targets}
        bans = {source: tuple(targets) for source, targets in placed.bans.items() if targets}
        self.placed = Placed(pins, bans)
        self._pinned_by, self._banned_by = reversed_pairs(pins), reversed_pairs(bans)

    @property
    def facts(self) -> Facts:
        """What rules of pairs know of the rows."""
        return Facts(self.groups.array, self.shelf["published"])

    def is_member(self, row: int) -> Mask:
        """(n,) bool: who may be shown under a page, now or later."""
        facts = self.facts
        found: Mask = self.may.array & self.pairs.allow(facts.of(row), facts)
        found[[row, *self._rows(self.placed.bans.get(self.articles[row].id, ()))]] = False
        return found

    def shows(self, row: int) -> Mask:
        """(n,) bool: the pages that a row may be shown under, if it may be shown."""
        facts = self.facts
        found: Mask = self.alive.array & self.pairs.allow(facts, facts.of(row))
        found[[row, *self._rows(self._banned_by.get(self.articles[row].id, ()))]] = False
        return found

    def allows(self, pages: Rows, candidates: Rows) -> Mask:
        """(b, c) bool: whether candidates, -1 for none, may be shown under their page, (b,), if they may be at all."""
        facts, bans = self.facts, self.placed.bans
        found = self.pairs.allow(facts.of(pages[:, None]), facts.of(candidates))
        for at, page in enumerate(pages.tolist() if bans else ()):
            banned = bans.get(self.articles[page].id)
            if banned:
                found[at] &= ~np.isin(candidates[at], self._rows(banned))
        return found

    def _rows(self, ids: Iterable[str]) -> list[int]:
        return [self.row_of[id_] for id_ in ids if id_ in self.row_of]

    def is_copy(self, row: int) -> Mask:
        """(n,) bool: who is a copy of a page, itself too: never a candidate."""
        found: Mask = self.copies.numbers == self.copies.numbers[row]
        return found

    def copies_of(self, row: int) -> int:
        """How many copies of a page could be shown under it, if they were none."""
        return int((self.is_member(row) & self.is_copy(row) & ~self.later.array).sum())

    def members_of(self, row: int) -> int:
        """How many may be shown under a page now."""
        return int((self.is_member(row) & ~self.later.array).sum())

    def next_change(self, now: datetime) -> str | None:
        """The next moment at which an article may be shown, or may be no more; None where there is none."""
        return self.change_after(self.until.array[self.alive.array], now)

    @staticmethod
    def change_after(until: NDArray[np.float64], now: datetime) -> str | None:
        """The same, of moments (n,) in seconds since 1970."""
        later = until[until > now.timestamp()]
        last = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
        return datetime.fromtimestamp(min(later.min(), last), UTC).isoformat() if np.isfinite(later).any() else None

    def pins_of(self, row: int) -> list[int]:
        """The articles that stand first under a page, where they may be shown there."""
        page = self.articles[row].id
        banned = self.placed.bans.get(page, ())
        targets = [self.row_of.get(target, NO_ROW) for target in self.placed.pins.get(page, ()) if target not in banned]
        groups, shown, numbers = self.groups.array, self.shown.array, self.copies.numbers
        return [
            t for t in targets
            if t != NO_ROW and shown[t] and numbers[t] != numbers[row] and self.pairs.speaks(groups[row], groups[t])
        ]  # fmt: skip

    # Rows that come and go

    def shelve(self, items: Sequence[tuple[Article, int, bool]]) -> list[int]:
        """The rows of articles: those that they were fitted with, or new ones, that are yet to be measured.

        Args:
            items: an article, the row that the article of its id was fitted with, -1 for none, and whether it is still
                the same.
        """
        rows = [own for _, own, _ in items]
        new = [place for place, (_, _, same) in enumerate(items) if not same]
        for begin in range(0, len(new), SHELVED):
            places = new[begin : begin + SHELVED]
            first = self.shelf.extend(self.fitted.rows_of([items[place][0] for place in places]))
            added = np.arange(first, first + len(places), dtype=np.int32)
            self.shelf.set("own", added, [rows[place] for place in places])
            for place, row in zip(places, added.tolist(), strict=True):
                rows[place] = row
        self.comparer.refresh()
        self._grow()
        self.copies.grow(len(self.shelf))
        if len(self.fitted.languages) > len(self.pairs.table):
            self.pairs = self.comparer.pairs = PairRules(self.fitted.settings.policy, self.fitted.languages.as_json())
        return rows

    def admit(
        self, rows: Sequence[int], articles: Sequence[Article], now: datetime | None, near: Iterable[Any] | None = None
    ) -> set[int]:
        """Makes rows of the shelf those of their articles; returns the rows whose copies are others now.

        Args:
            rows: numbers of rows that are there and were measured.
            articles: what they are rows of; one that was there before was dismissed.
            now: the moment that decides who may be shown; None where that is known.
            near: pairs of rows that are copies by their shingles, where they are known.
        """
        self._grow()
        same_language = self.fitted.settings.policy.same_language
        numbers = np.array(rows, dtype=np.int32)
        self.alive.array[numbers] = True
        self.groups.array[numbers] = self.shelf["languages"][numbers] if same_language else 0
        fitted = np.where(numbers < self.fitted.n, numbers, self.shelf["own"][numbers])
        known = fitted != NO_ROW
        self.toll.array[numbers[known]] = self.toll.array[fitted[known]]
        for row, article in zip(rows, articles, strict=True):
            self.row_of[article.id], self.articles[row] = row, article
            if now:
                self.stand(row, now)
            if self.comparer.weighs:
                self.weigh(row)
        self._sort_ids([article.id for article in articles], rows)
        titles, bodies = self.shelf["title_sequences"], self.shelf["body_sequences"]
        changed = self.copies.add(rows, articles, self.row_of, titles, bodies)
        return changed | self.copies.link(self._near_copies(rows) if near is None else near)

    def reason_off(self, row: int) -> str | None:
        """Why a page has no block; None where it has one."""
        return self.rules.reason_off(self.articles[row])

    def stand(self, row: int, now: datetime) -> None:
        """Notes whether a row's article may be shown at a moment."""
        found = standing(self.articles[row], self.rules, now)
        self.shown.array[row], self.may.array[row] = found.shown, found.may
        self.later.array[row], self.until.array[row] = found.later, found.until

    def weigh(self, row: int) -> None:
        """Notes what a row's score gains or loses under every page."""
        self.weights.array[row] = np.round(self.rules.weight(self.articles[row]) - self.toll.array[row], DECIMALS)

    def dismiss(self, row: int) -> set[int]:
        """Forgets that a row is there; returns the rows whose copies are others now."""
        article = self.articles.pop(row)
        if self.row_of.get(article.id) == row:
            del self.row_of[article.id]
        self.alive.array[row] = self.may.array[row] = self.shown.array[row] = False
        self.lists.array[row] = NO_ROW
        self.far.pop(row, None)
        return self.copies.remove(row)

    def _grow(self) -> None:
        """Gives rows of the shelf that are new their place in all columns."""
        for name, column in self.columns.items():
            missing, (dtype, fill) = len(self.shelf) - len(column.array), KEPT[name]
            if missing > 0:
                column.append(np.full((missing, *column.array.shape[1:]), fill, dtype=dtype))

    def _sort_ids(self, ids: Sequence[str], rows: Sequence[int]) -> None:
        """Gives rows the place of their id among all ids, which settles equal scores."""
        order = self.order.array
        if len(ids) > 64:
            self.sorted_ids = sorted({*self.sorted_ids, *ids})
            place = {id_: at for at, id_ in enumerate(self.sorted_ids)}
            for row, article in self.articles.items():
                order[row] = place[article.id]
            return
        for id_, row in zip(ids, rows, strict=True):
            at = bisect_left(self.sorted_ids, id_)
            if at == len(self.sorted_ids) or self.sorted_ids[at] != id_:
                self.sorted_ids.insert(at, id_)
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
        found = np.concatenate(ones), np.concatenate(others), np.concatenate(cosines)
        pairs = seen(*found, reach, self.shelf["languages"], self.pairs)
        return near_pairs(titles, bodies, *pairs, reach, threshold)
