"""Which pages a change concerns."""

from __future__ import annotations

from typing import NamedTuple


class Stale(NamedTuple):
    """Pages whose block may be another one now.

    Attributes:
        lists: from the list that is kept.
        again: ranked again.
        deep: ranked again if nearer candidates fill the block by now.
    """

    lists: set[int]
    again: set[int]
    deep: set[int]

    @classmethod
    def nothing(cls) -> Stale:
        """No page."""
        return cls(set(), set(), set())
