"""Which blocks most need a look: those that are unsure, short, full of hubs, or others than yesterday."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attention:
    """A page whose block needs a look.

    Attributes:
        source_id, title: the page.
        score: how much, 0 to 1 before views weigh it; higher first.
        why: in words, the weightiest first.
        kinds: of "low_confidence", "few_items", "hub", "changed", "viewed".
        views: of the page, where they are known.
    """

    source_id: str
    title: str
    score: float
    why: tuple[str, ...]
    kinds: frozenset[str]
    views: int | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """A part of the queue.

    Attributes:
        items: of this part.
        total: pages in the whole queue.
        kinds: pages by kind, of the whole queue.
        after: what to ask for to get the next part; None at the end.
        seen: pages that were left out since an editor has looked at them.
    """

    items: tuple[Attention, ...]
    total: int
    kinds: dict[str, int]
    after: int | None
    seen: int
