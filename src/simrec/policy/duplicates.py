"""Articles that are one story: equal texts, near-duplicates, and copies that name their original."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from simrec.house import PolicySettings
from simrec.policy.shingles import jaccard_pairs
from simrec.types import Article, Mask, Rows, Scores

LOOK_AT_COSINE = 0.4
"""TF-IDF neighbors below this share too little to be copies; they are not compared."""
LOOKED_AT = 30
"""An article's nearest ones that are compared with it."""


class Copies:
    """Who is a copy of whom, row by row: copies of one story have equal numbers.

    Two articles are copies where their words are equal, cut to stems, where one names the other as `canonical_id` or
    both name the same, or where enough of their shingles are the same (Broder 1997); and where both are copies of a
    third.

    Args:
        policy: the house rules, which may correct what is found.

    Attributes:
        numbers: (n,) int32.
    """

    def __init__(self, policy: PolicySettings | None = None) -> None:
        policy = policy or PolicySettings()
        self.numbers: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self._last = -1
        self._stories = {id_: number for number, ids in enumerate(policy.same_story) for id_ in ids}
        self._apart = frozenset(policy.apart)
        self._alone: set[int] = set()
        self._grouped: dict[int, list[int]] | None = None
        self._links: defaultdict[Hashable, set[Hashable]] = defaultdict(set)
        self._texts: dict[bytes, set[int]] = {}
        self._text_of: dict[int, bytes] = {}

    def copy(self) -> Copies:
        """The same, that others may change."""
        found = copy(self)
        found.numbers, found._alone, found._text_of = self.numbers.copy(), set(self._alone), dict(self._text_of)
        found._links = defaultdict(set, {one: set(others) for one, others in self._links.items()})
        found._texts = {key: set(rows) for key, rows in self._texts.items()}
        return found

    def add(
        self, rows: Sequence[int], articles: Sequence[Article], row_of: Mapping[str, int], titles: Any, bodies: Any
    ) -> set[int]:
        """Adds articles as rows; returns the rows whose number is another now.

        Args:
            rows: numbers of the new rows.
            articles: of the same.
            row_of: the row of each article that is there, by id, the new ones too.
            titles, bodies: (starts, words) of all rows: numbers of words, in the order of the texts.
        """
        touched: set[Hashable] = set(rows)
        self._grow(rows)
        for row, article in zip(rows, articles, strict=True):
            if article.id in self._apart:
                self._alone.add(row)
                continue
            if article.id in self._stories:
                self._link(row, ("story", self._stories[article.id]))
            self._add_text(row, titles, bodies)
            original = ("original", article.id)
            if original in self._links:
                self._link(row, original)
            if article.canonical_id:
                original = ("original", article.canonical_id)
                self._link(row, original)
                if article.canonical_id in row_of and article.canonical_id not in self._apart:
                    self._link(row_of[article.canonical_id], original)
        return self._number(touched)

    def link(self, pairs: Iterable[tuple[int, int]]) -> set[int]:
        """Makes pairs of rows copies of each other; returns the rows whose number is another now."""
        touched: set[Hashable] = set()
        for one, other in pairs:
            if one not in self._alone and other not in self._alone:
                self._link(one, other)
                touched.add(one)
        return self._number(touched)

    def pairs(self) -> list[tuple[int, int]]:
        """The pairs of rows that `link` made copies of each other, each once."""
        return [
            (one, other)
            for one, others in self._links.items()
            if isinstance(one, int)
            for other in others
            if isinstance(other, int) and one < other
        ]

    def grow(self, count: int) -> None:
        """Makes room for so many rows; new ones are nobody's copy."""
        missing = count - len(self.numbers)
        if missing > 0:
            fresh = np.array([self._fresh() for _ in range(missing)], dtype=np.int32)
            self.numbers = np.concatenate([self.numbers, fresh])

    def groups(self) -> dict[int, list[int]]:
        """The rows of each number that several have, ascending."""
        if self._grouped is None:
            order = np.argsort(self.numbers, kind="stable")
            numbers, starts, counts = np.unique(self.numbers[order], return_index=True, return_counts=True)
            several = np.flatnonzero(counts > 1).tolist()
            self._grouped = {int(numbers[at]): order[starts[at] : starts[at] + counts[at]].tolist() for at in several}
        return self._grouped

    def _add_text(self, row: int, titles: Any, bodies: Any) -> None:
        digest = hashlib.blake2b(digest_size=16)
        for starts, words in (titles, bodies):
            digest.update(words[starts[row] : starts[row + 1]].tobytes())
        key = self._text_of[row] = digest.digest()
        same = self._texts.setdefault(key, set())
        same.add(row)
        if len(same) > 1:
            for other in same if len(same) == 2 else (row,):
                self._link(other, ("text", key))

    def remove(self, row: int) -> set[int]:
        """Takes a row out; returns the rows that were its copies, where they are no longer all each other's."""
        self._grouped = None
        self._alone.discard(row)
        if row in self._text_of:
            self._texts[self._text_of.pop(row)].discard(row)
        near = self._links.pop(row, set())
        for other in near:
            self._links[other].discard(row)
            if not self._links[other]:
                del self._links[other]
        self.numbers[row] = self._fresh()
        parts: list[list[int]] = []
        seen: set[Hashable] = set()
        for start in near:
            if start not in seen:
                group = self._group(start)
                seen |= group
                parts.append([node for node in group if isinstance(node, int)])
        parts = sorted((part for part in parts if part), key=len)
        for part in parts[:-1]:
            self.numbers[part] = self._fresh()
        return {row for part in parts for row in part} if len(parts) > 1 else set()

    def _link(self, one: Hashable, other: Hashable) -> None:
        self._links[one].add(other)
        self._links[other].add(one)

    def _number(self, touched: Iterable[Hashable]) -> set[int]:
        """Gives each group one number, that of most of its rows; returns the rows whose number is another now."""
        self._grouped = None
        seen: set[Hashable] = set()
        changed: set[int] = set()
        for start in touched:
            if start in seen or start not in self._links:
                continue
            group = self._group(start)
            seen |= group
            rows = np.array(sorted(node for node in group if isinstance(node, int)), dtype=np.int64)
            numbers, counts = np.unique(self.numbers[rows], return_counts=True)
            if len(numbers) > 1:
                number = numbers[np.argmax(counts)]
                changed.update(rows[self.numbers[rows] != number].tolist())
                self.numbers[rows] = number
        return changed

    def _grow(self, rows: Sequence[int]) -> None:
        """Gives new rows numbers of their own."""
        self.grow(max(rows, default=-1) + 1)
        for row in rows:
            self.numbers[row] = self._fresh()

    def _fresh(self) -> int:
        self._last += 1
        return self._last

    def _group(self, start: Hashable) -> set[Hashable]:
        group, waiting = {start}, [start]
        while waiting:
            new = self._links.get(waiting.pop(), set()) - group
            group |= new
            waiting += new
        return group


def representative(
    rows: Sequence[int], article_of: Callable[[int], Article], how: Literal["canonical", "newest"]
) -> int:
    """Which of several copies stands for all: the original that others name, else the oldest; or the newest."""
    articles = {row: article_of(row) for row in rows}
    if how == "newest":
        dates = {row: a.updated_at or a.published_at for row, a in articles.items()}
        return max(rows, key=lambda row: (_seconds(dates[row], -math.inf), articles[row].id))
    named = {a.canonical_id for a in articles.values() if a.canonical_id and a.canonical_id != a.id}

    def order(row: int) -> tuple[bool, float, str]:
        article = articles[row]
        return article.id not in named, _seconds(article.published_at, math.inf), article.id

    return min(rows, key=order)


def _seconds(moment: datetime | None, missing: float) -> float:
    return moment.timestamp() if moment else missing


def near_pairs(
    titles: Any, bodies: Any, ones: Rows, others: Rows, cosines: Scores, reach: Scores, threshold: float
) -> Iterator[tuple[int, int]]:
    """Those of some pairs of rows that are copies by their shingles.

    Args:
        titles, bodies: (starts, words) of all rows: numbers of words, in the order of the texts.
        ones, others: (p,) the pairs.
        cosines: (p,) by TF-IDF.
        reach: (n,) the cosine of each row's last neighbor that is compared with it; one of a pair must reach the other.
        threshold: share of common shingles, 0 to 1.
    """
    near: Mask = (cosines >= LOOK_AT_COSINE) & (cosines >= np.minimum(reach[ones], reach[others]))
    ones, others = ones[near], others[near]
    alike = jaccard_pairs(tuple(titles), tuple(bodies), ones, others, threshold) >= threshold
    return zip(ones[alike].tolist(), others[alike].tolist(), strict=True)
