"""At most so many items of one section, author or series in a block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from typing import TypeAlias

from simrec.house import PolicySettings
from simrec.policy.articles import SERIES
from simrec.types import Article

Names: TypeAlias = tuple[tuple[Hashable, int], ...]
"""What an article counts for, each with the most items that may count for it."""


def cap_names(policy: PolicySettings) -> Callable[[Article], Names] | None:
    """What tells an article's names; None where nothing is limited.

    >>> names = cap_names(PolicySettings(max_per_section=2))
    >>> names(Article("a", "A", "…", section="Sport")) if names else None
    ((('section', 'sport'), 2),)
    """
    if policy.max_per_section is None and policy.max_per_author is None and policy.max_per_series is None:
        return None

    def names(article: Article) -> Names:
        found: list[tuple[Hashable, int]] = []
        if policy.max_per_section is not None and article.section:
            found.append((("section", article.section.casefold()), policy.max_per_section))
        if policy.max_per_author is not None:
            found += [(("author", name.casefold()), policy.max_per_author) for name in article.authors]
        series = article.extra.get(SERIES)
        if policy.max_per_series is not None and series:
            found.append((("series", str(series).casefold()), policy.max_per_series))
        return tuple(found)

    return names


class Tally:
    """What stands in a block so far.

    Args:
        names: tells what a row counts for.
    """

    def __init__(self, names: Callable[[int], Names]) -> None:
        self._names = names
        self._counts: Counter[Hashable] = Counter()

    def has_room(self, row: int) -> bool:
        """Whether one more item does not go over a limit."""
        return all(self._counts[name] < most for name, most in self._names(row))

    def add(self, row: int) -> None:
        """Counts an item."""
        self._counts.update(name for name, _ in self._names(row))
