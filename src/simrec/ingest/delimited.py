"""CSV: rows with line numbers, one bad row at a time."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from simrec.ingest.lines import UTF16_BOMS, Line, read_lines, too_long
from simrec.ingest.record import REQUIRED, to_article
from simrec.ingest.source import MEGABYTE, SourceFile
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

DELIMITERS = (",", ";", "\t")

_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")  # a byte that was no UTF-8

Row: TypeAlias = tuple[int, dict[str, str] | str]
"""The line where a row begins, and its values by column, or the reason why it has none."""


class HeaderError(Exception):
    """The first line does not name the columns that are needed."""


def read(source: SourceFile, settings: IngestSettings) -> Iterator[Entry | Reject]:
    """The articles of a CSV file, divided by comma, semicolon or tab, which its header decides."""
    try:
        for line, row in rows(source, REQUIRED, settings.max_record_mb * MEGABYTE):
            article = row if isinstance(row, str) else to_article(row, settings)
            if isinstance(article, str):
                yield Reject(source.file, line, article)
            else:
                yield Entry(article, source.file, line)
    except HeaderError as error:
        yield Reject(source.file, 1, str(error))


def rows(source: SourceFile, required: Sequence[str], max_bytes: int) -> Iterator[Row]:
    """The rows below the header.

    A row that cannot be read is rejected where it begins, and reading goes on at the next line: a quote that never
    closes costs its own row only.

    Raises:
        HeaderError: the header lacks a required column, or there is none.
    """
    csv.field_size_limit(max(csv.field_size_limit(), max_bytes))  # the lines are bounded already
    with source.open() as stream:
        feed = _Feed(read_lines(stream, max_bytes), max_bytes)
        columns, delimiter = _header(feed, required)
        while (row := _next_row(feed, delimiter, columns)) is not None:
            yield row


@dataclass
class _Feed:
    """Gives lines to the CSV parser, keeps those of the row under way, and takes them back."""

    source: Iterator[Line]
    max_bytes: int
    taken: list[Line] = field(default_factory=list)
    returned: list[Line] = field(default_factory=list)
    size: int = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.returned.pop() if self.returned else next(self.source)
        self.taken.append(line)
        if line.data is None:
            raise _RowError(too_long(line.size, self.max_bytes))
        self.size += line.size
        if self.size > self.max_bytes and len(self.taken) > 1:
            raise _RowError(_UNCLOSED)
        return line.data.decode("utf-8", errors="surrogateescape")

    def begin(self) -> None:
        """A new row begins."""
        self.taken.clear()
        self.size = 0

    def give_back(self) -> None:
        """All lines of this row but its first will be read again."""
        self.returned.extend(reversed(self.taken[1:]))


class _RowError(Exception):
    """The row under way cannot be read."""


_UNCLOSED = "a quote that is opened in this row never closes: close it, or double quotes inside a field"


def _header(feed: _Feed, required: Sequence[str]) -> tuple[list[str], str]:
    try:
        text = next(feed)
    except StopIteration:
        raise HeaderError("the file is empty") from None
    except _RowError as error:
        raise HeaderError(str(error)) from None
    raw = feed.taken[0].data or b""
    if raw.startswith(UTF16_BOMS) or b"\x00" in raw or _ESCAPED_BYTE.search(text):
        raise HeaderError("the file is not CSV in UTF-8: save it as UTF-8")
    delimiter = max(DELIMITERS, key=text.count)
    try:
        names = next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise HeaderError(f"the header cannot be read: {error}") from None
    columns = [name.strip().lower() for name in names]
    missing = [name for name in required if name not in columns]
    if missing:
        raise HeaderError(f"wrong columns: {', '.join(missing)} missing, found {', '.join(columns)[:200] or 'none'}")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise HeaderError(f"wrong columns: {', '.join(twice)} more than once")
    return columns, delimiter


def _next_row(feed: _Feed, delimiter: str, columns: list[str]) -> Row | None:
    """The next row that is not blank; None at the end."""
    fields: list[str] | None = []
    while not fields:
        feed.begin()
        try:
            fields = next(csv.reader(feed, delimiter=delimiter, strict=True), None)
        except (csv.Error, _RowError) as error:
            feed.give_back()
            return feed.taken[0].number, _row_reason(error)
        if fields is None:
            return None
    return feed.taken[0].number, _values(fields, columns, feed.taken)


def _row_reason(error: Exception) -> str:
    message = str(error)
    if isinstance(error, _RowError):
        return message
    return _UNCLOSED if "unexpected end of data" in message else f"the row is not CSV: {message}"


def _values(fields: list[str], columns: list[str], lines: list[Line]) -> dict[str, str] | str:
    if any(b"\x00" in (line.data or b"") for line in lines):
        return "the row holds NUL bytes: write it again"
    if any(_ESCAPED_BYTE.search(value) for value in fields):
        return "invalid UTF-8 in the row: save the file as UTF-8"
    if len(fields) != len(columns):
        return f"{len(fields)} fields where the header has {len(columns)}: quote fields that hold the delimiter"
    return dict(zip(columns, fields, strict=True))
