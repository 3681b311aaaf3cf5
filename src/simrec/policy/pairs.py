"""House rules that look at a page and an article together: languages, dates, and what an editor banned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.house import PolicySettings
from simrec.types import Mask, Rows, primary

DAY = 86_400.0


class Facts(NamedTuple):
    """What the rules know of articles: arrays of one shape, or of shapes that broadcast.

    Attributes:
        languages: numbers of the languages.
        published: seconds since 1970, NaN where there is no date.
    """

    languages: Any
    published: Any

    def of(self, rows: Any) -> Facts:
        """The facts of some rows."""
        return Facts(self.languages[rows], self.published[rows])


class Group(NamedTuple):
    """Rows under which the same others may be shown, by language.

    Attributes:
        rows: (r,) int32, ascending.
        others: (m,) int32, ascending.
    """

    rows: Rows
    others: Rows


class PairRules:
    """Which articles may be shown under which pages, by language and date.

    Args:
        policy: the house rules.
        languages: the languages' names, by number; those that are added later have no list of their own.

    >>> rules = PairRules(PolicySettings(languages={"de": ("de", "en")}), ["de", "en"])
    >>> rules.table.tolist()
    [[True, True], [False, True]]
    """

    def __init__(self, policy: PolicySettings, languages: Sequence[str]) -> None:
        self._policy = policy
        self.table = _table(policy, languages)

    @property
    def by_date(self) -> bool:
        """Whether dates are looked at."""
        return self._policy.older_only or self._policy.around_days is not None

    def speaks(self, pages: Any, others: Any) -> Mask:
        """Whether articles in languages `others` may be shown under pages in languages `pages`: numbers, broadcast."""
        if not self._policy.same_language:
            return np.ones(np.broadcast(pages, others).shape, dtype=bool)
        if not self._policy.languages:
            return np.asarray(np.equal(pages, others))
        known = len(self.table)
        listed = self.table[np.minimum(pages, known - 1), np.minimum(others, known - 1)]
        unknown = np.greater_equal(pages, known) | np.greater_equal(others, known)
        return np.asarray(np.where(unknown, np.equal(pages, others), listed))

    def groups(self, languages: NDArray[np.int32]) -> list[Group]:
        """All rows, by who may be shown under them.

        Args:
            languages: (n,) numbers of the rows' languages.
        """
        numbers = np.unique(languages)
        shown, which = np.unique(self.speaks(numbers[:, None], numbers), axis=0, return_inverse=True)

        def rows_in(chosen: NDArray[np.int32]) -> Rows:
            return np.flatnonzero(np.isin(languages, chosen)).astype(np.int32)

        return [
            Group(rows_in(numbers[which == number]), rows_in(numbers[others])) for number, others in enumerate(shown)
        ]

    def in_time(self, pages: NDArray[np.float64], others: NDArray[np.float64]) -> Mask:
        """Whether articles of some dates may be shown under pages of some dates; a page without one allows all."""
        may = np.ones(np.broadcast(pages, others).shape, dtype=bool)
        dated = ~np.isnan(pages)
        if self._policy.older_only:
            may &= ~dated | (others <= pages)
        if self._policy.around_days is not None:
            may &= ~dated | (np.abs(others - pages) <= self._policy.around_days * DAY)
        return np.asarray(may)

    def allow(self, pages: Facts, others: Facts) -> Mask:
        """Whether articles may be shown under pages, broadcast."""
        may = self.speaks(pages.languages, others.languages)
        return may & self.in_time(pages.published, others.published) if self.by_date else may


def _table(policy: PolicySettings, languages: Sequence[str]) -> Mask:
    """(l, l) bool: whether articles in one language may be shown under pages in another."""
    lists = {primary(page): {primary(lang) for lang in langs} for page, langs in policy.languages.items()}
    size = max(len(languages), 1)
    table = np.eye(size, dtype=bool)
    for page, name in enumerate(languages):
        if name in lists:
            table[page, : len(languages)] = [other in lists[name] for other in languages]
    return table


def reversed_pairs(pairs: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """Pairs by their second part.

    >>> reversed_pairs({"a": ["x", "y"], "b": ["x"]})["x"] == {"a", "b"}
    True
    """
    found: dict[str, set[str]] = {}
    for one, others in pairs.items():
        for other in others:
            found.setdefault(other, set()).add(one)
    return found
