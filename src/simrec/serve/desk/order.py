"""What an editor means who moves an item of a block."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from simrec.errors import UsageError


def moved(shown: Sequence[str], pinned: Collection[str], target: str, by: int) -> tuple[str, ...]:
    """The pins that are needed for a block with one item moved: all down to the item, and to the last one pinned.

    What is below them keeps the order that it is ranked in.

    Raises:
        UsageError: the item is not in the block.

    >>> moved(["a", "b", "c", "d"], [], "c", -1), moved(["a", "b", "c", "d"], ["c"], "a", 1)
    (('a', 'c'), ('b', 'a', 'c'))
    """
    if target not in shown or len(set(shown)) < len(shown):
        raise UsageError("the article is no longer in this block: look at the block as it is now")
    at = shown.index(target)
    to = max(0, min(len(shown) - 1, at + by))
    order = [id_ for id_ in shown if id_ != target]
    order.insert(to, target)
    return needed(order, pinned, target)


def needed(order: Sequence[str], pinned: Collection[str], target: str) -> tuple[str, ...]:
    """The pins that are needed for an order in which one item was moved.

    Raises:
        UsageError: the item is not in it, or one is twice.
    """
    if target not in order or len(set(order)) < len(order):
        raise UsageError("the order names an article twice, or not the one that was moved: load the page again")
    last = max(at for at, id_ in enumerate(order) if id_ == target or id_ in pinned)
    return tuple(order[: last + 1])
