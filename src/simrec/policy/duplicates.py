"""Articles that are one story: equal texts, near-duplicates, and copies that name their original."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

    Attributes:
        numbers: (n,) int32.
    """

    def __init__(self) -> None:
        self.numbers: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self._last = -1
        self._links: defaultdict[Hashable, set[Hashable]] = defaultdict(set)
        self._texts: dict[bytes, set[int]] = {}
        self._text_of: dict[int, bytes] = {}

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
            self._add_text(row, titles, bodies)
            original = ("original", article.id)
            if original in self._links:
                self._link(row, original)
            if article.canonical_id:
                original = ("original", article.canonical_id)
                self._link(row, original)
                if article.canonical_id in row_of:
                    self._link(row_of[article.canonical_id], original)
        return self._number(touched)

    def link(self, pairs: Iterable[tuple[int, int]]) -> set[int]:
        """Makes pairs of rows copies of each other; returns the rows whose number is another now."""
        touched: set[Hashable] = set()
        for one, other in pairs:
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
        seen: set[Hashable] = set()
        changed: set[int] = set()
        for start in touched:
            if start in seen:
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
        missing = max(rows, default=-1) + 1 - len(self.numbers)
        if missing > 0:
            self.numbers = np.concatenate([self.numbers, np.zeros(missing, dtype=np.int32)])
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
