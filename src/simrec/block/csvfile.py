"""All blocks as a CSV table, an item a row, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, BinaryIO

from simrec.block.style import Style
from simrec.block.table import Row, rows
from simrec.types import Block

_FORMULA = re.compile(r"'*[\s\x00]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""The last four are the same signs as wide as a Han character, which some spreadsheets take for them."""


class CsvTable:
    """Writes a table of all blocks in UTF-8, with a line of names first.

    A text that a spreadsheet would take for a formula has an apostrophe in front (`guarded`), in ids too: whoever reads
    the table by a program takes it off with `unguarded`, or reads Parquet, which holds texts as they are.
    """

    file_name = "blocks.csv"

    def __init__(self, style: Style) -> None:
        self._base = style.site_url

    def write(self, file: BinaryIO, blocks: Iterable[Block]) -> None:
        """Writes a row an item."""
        text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        try:
            table = csv.writer(text)  # lines end in "\r\n"; with "\n" alone, a "\r" in a text would not be quoted
            table.writerow(Row._fields)
            table.writerows(_cells(row) for row in rows(blocks, self._base))
        finally:
            text.detach()


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula.

    >>> guarded("=cmd()"), guarded("'=cmd()"), guarded("a=b")
    ("'=cmd()", "''=cmd()", 'a=b')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """What `guarded` was given.

    >>> unguarded(guarded("=cmd()")), unguarded(guarded("'tis"))
    ('=cmd()', "'tis")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _cells(row: Row) -> list[str | int | float]:
    return [_cell(value) for value in row]


def _cell(value: Any) -> str | int | float:
    match value:
        case None:
            return ""
        case int() | float():
            return value
        case datetime():
            return value.isoformat()
        case list():
            return guarded("; ".join(value))
        case _:
            return guarded(str(value))
