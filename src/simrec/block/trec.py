"""All blocks as a TREC run, for evaluation by other tools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from simrec.block.jsons import encoded
from simrec.block.style import Style
from simrec.text import unspaced
from simrec.types import Block


class TrecRun:
    """Writes `source Q0 target rank score tag`, a line an item, tagged with the model.

    Tools order a run by its scores, and a block need not be in the order of its items' scores: pins and diversity
    change it. So the score is the number of items from this one to the last. Spaces and per cent signs in ids are
    written as in URLs.
    """

    file_name = "blocks.run"

    def __init__(self, style: Style) -> None:
        self._tag = unspaced(style.model)

    def write(self, file: BinaryIO, blocks: Iterable[Block]) -> None:
        """Writes a line an item."""
        for block in blocks:
            source, last = unspaced(block.source_id), len(block.items)
            for rank, item in enumerate(block.items, start=1):
                file.write(encoded(f"{source} Q0 {unspaced(item.id)} {rank} {last - rank + 1} {self._tag}\n"))
