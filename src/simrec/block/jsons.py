"""Blocks as JSON: an object an article, or all of them as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

from simrec.block.headings import heading
from simrec.block.style import Style
from simrec.types import Block, BlockItem

_LINE_ENDS = str.maketrans({c: f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"})
"""Signs that JSON leaves as they are, and at which some readers of lines begin another one."""


class JsonRenderer:
    """Renders blocks as JSON objects, one block a file."""

    extension = "json"

    def __init__(self, style: Style | None = None) -> None:
        self._headings = (style or Style()).headings

    def render(self, block: Block) -> str:
        """The block as one JSON object, with all that a page needs to show it."""
        return json.dumps(self.values(block), ensure_ascii=False, indent=1) + "\n"

    def values(self, block: Block) -> dict[str, Any]:
        """The block as JSON values."""
        return {
            "id": block.source_id,
            "lang": block.lang,
            "heading": heading(block.lang, self._headings),
            "items": [item_values(item) for item in block.items],
            "shortfall": block.shortfall,
        }


class JsonBundle:
    """All blocks in one file of JSON lines, each as `JsonRenderer` has it."""

    file_name = "blocks.jsonl"

    def __init__(self, style: Style) -> None:
        self._renderer = JsonRenderer(style)

    def write(self, file: BinaryIO, blocks: Iterable[Block]) -> None:
        """Writes a line a block."""
        write_lines(file, map(self._renderer.values, blocks))


def item_values(item: BlockItem) -> dict[str, Any]:
    """An item as JSON values."""
    return {
        "id": item.id,
        "title": item.title,
        "url": item.url,
        "score": item.score,
        "reasons": dict(item.reasons),
        "published_at": item.published_at.isoformat() if item.published_at else None,
        "lang": item.lang,
        "image": item.image,
        "image_alt": item.image_alt,
        "excerpt": item.excerpt,
    }


def write_lines(file: BinaryIO, lines: Iterable[Mapping[str, Any]]) -> None:
    """Writes JSON lines; what UTF-8 cannot hold becomes "?"."""
    for line in lines:
        file.write(encoded(json.dumps(line, ensure_ascii=False).translate(_LINE_ENDS) + "\n"))


def encoded(text: str) -> bytes:
    """UTF-8; half a surrogate pair, which UTF-8 cannot hold, becomes "?"."""
    return text.encode("utf-8", "replace")


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without those that are None, "" or empty, which most formats leave out."""
    return {name: value for name, value in values.items() if value not in (None, "", [], ())}
