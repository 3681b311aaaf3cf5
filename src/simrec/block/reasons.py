"""Why an item stands in a block, in a word."""

from __future__ import annotations

from simrec.types import BlockItem

SIMILAR = "similar"
PINNED = "pinned"


def reason_of(item: BlockItem) -> str:
    """ "pinned" by an editor, the fallback that brought it, or "similar".

    >>> reason_of(BlockItem("a", "A", None, 1.0, {"pinned": True}))
    'pinned'
    """
    if item.reasons.get("pinned"):
        return PINNED
    return str(item.reasons.get("fallback") or SIMILAR)
