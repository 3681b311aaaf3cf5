"""What an editor means who moves an item of a block."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from simrec.errors import UsageError


def moved(shown: Sequence[str], target: str, by: int) -> tuple[str, ...]:
    """The order of a block with one item moved.

    Raises:
        UsageError: the item is not in the block.

    >>> moved(["a", "b", "c", "d"], "c", -1)
    ('a', 'c', 'b', 'd')
    """
    if target not in shown or len(set(shown)) < len(shown):
        raise UsageError("the article is no longer in this block: look at the block as it is now")
    at = shown.index(target)
    order = [id_ for id_ in shown if id_ != target]
    order.insert(max(0, min(len(order), at + by)), target)
    return tuple(order)


def needed(
    order: Sequence[str], target: str, seen: Collection[str], pins: Sequence[str], bans: Collection[str]
) -> tuple[str, ...]:
    """The pins that are needed for an order in which one item was moved, on the page as it is now.

    They are all down to the item, and to the last one that was pinned when the editor saw it and still is; what is
    below them keeps the order that it is ranked in. Behind them stay the pins that wait, that the block has no room
    for, and that another editor has made since; what was banned since stays out.

    Args:
        order: the ids of the block, in the order that is wanted.
        target: the one that was moved.
        seen: the ids that were pinned when the editor saw the block.
        pins, bans: those of the page now.

    Raises:
        UsageError: the item is not in the order, or one is twice.

    >>> needed(["a", "c", "b"], "c", [], [], []), needed(["b", "a", "c", "d"], "a", ["c", "w"], ["c", "w"], [])
    (('a', 'c'), ('b', 'a', 'c', 'w'))
    >>> needed(["c", "a", "b", "d"], "b", [], ["d"], ["a"])
    ('c', 'b', 'd')
    """
    if target not in order or len(set(order)) < len(order):
        raise UsageError("the order names an article twice, or not the one that was moved: load the page again")
    kept = {*seen} & {*pins}
    last = max(at for at, id_ in enumerate(order) if id_ == target or id_ in kept)
    first = [id_ for id_ in order[: last + 1] if id_ == target or id_ not in bans]
    return tuple(dict.fromkeys([*first, *pins]))
