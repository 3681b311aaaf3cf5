"""JSON lines, one article a line; and a JSON document with a list of articles."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

from simrec.ingest.lines import UTF16_BOMS, Line, read_lines, too_long
from simrec.ingest.record import to_article
from simrec.ingest.source import MEGABYTE, WHOLE_FILE_RECORDS, SourceFile
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

LIST_NAME = "articles"
_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n"
_NEXT_ITEM = re.compile(r"[\s,]*")
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")  # a byte that was no UTF-8


def read(source: SourceFile, settings: IngestSettings) -> Iterator[Entry | Reject]:
    """The articles of a file.

    In a file named ``.json``, a list of articles, or an object with a list named ``articles``, is read too.
    """
    for line, record in records(source, settings):
        if isinstance(record, str):
            yield Reject(source.file, line, record)
            continue
        article = to_article(record, settings)
        yield (Reject(source.file, line, article) if isinstance(article, str) else Entry(article, source.file, line))


def records(source: SourceFile, settings: IngestSettings) -> Iterator[tuple[int | None, dict[str, Any] | str]]:
    """The line and the object of each record, or the reason why there is none."""
    max_bytes = settings.max_record_mb * MEGABYTE
    if not source.path.lower().removesuffix(".gz").endswith(".json"):
        with source.open() as stream:
            yield from _lines(stream, max_bytes)
        return
    data = source.read(max_bytes * WHOLE_FILE_RECORDS)
    text = data.decode("utf-8-sig", errors="surrogateescape")
    if text.lstrip(_SPACE).startswith("["):
        yield from _list_items(text, max_bytes)
    elif (items := _object_items(text)) is not None:
        yield from items
    else:
        yield from _lines(BytesIO(data), max_bytes)


def document(source: SourceFile, max_bytes: int) -> Any:
    """The value of a file that is one JSON document, or the reason, a string, why it has none."""
    return parsed(source.read(max_bytes))


def parsed(data: bytes) -> Any:
    """The value of a JSON document, an object or a list, or the reason, a string, why it has none."""
    if not data.strip():
        return "the file is empty"
    if data.startswith(UTF16_BOMS):
        return "the file is in UTF-16: save it as UTF-8"
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return f"invalid UTF-8 at byte {error.start + 1}: save the file as UTF-8"
    except json.JSONDecodeError as error:
        return f"broken JSON: {error.msg[0].lower()}{error.msg[1:]} at line {error.lineno}; export it again"
    except (ValueError, RecursionError):
        return "JSON that cannot be read: a number too long, or lists nested too deep"
    return value if isinstance(value, dict | list) else "not a JSON object or list"


def _lines(stream: BinaryIO, max_bytes: int) -> Iterator[tuple[int | None, dict[str, Any] | str]]:
    empty = True
    for line in read_lines(stream, max_bytes):
        if line.data is None or line.data.strip():
            empty = False
            yield line.number, _parse(line, max_bytes)
    if empty:
        yield None, "the file is empty"


def _parse(line: Line, max_bytes: int) -> dict[str, Any] | str:
    if line.data is None:
        return too_long(line.size, max_bytes)
    if line.data.startswith(UTF16_BOMS):
        return "the file is in UTF-16: save it as UTF-8"
    if b"\x00" in line.data:
        return "the line holds NUL bytes: write the record again"
    try:
        return _checked(json.loads(line.data.decode("utf-8")))
    except UnicodeDecodeError as error:
        return f"invalid UTF-8 at byte {error.start + 1} of the line: save the record as UTF-8"
    except json.JSONDecodeError as error:
        return f"broken JSON: {error.msg[0].lower()}{error.msg[1:]} at character {error.pos + 1}"
    except (ValueError, RecursionError):
        return "JSON that cannot be read: a number too long, or lists nested too deep"


def _checked(value: object) -> dict[str, Any] | str:
    return value if isinstance(value, dict) else "not a JSON object: every record must be one, {...}"


def _object_items(text: str) -> list[tuple[int | None, dict[str, Any] | str]] | None:
    """The records of a document that is one object; None where the document is JSON lines."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or _ESCAPED_BYTE.search(text):
        return None
    items = value.get(LIST_NAME)
    return [(None, _checked(item)) for item in items] if isinstance(items, list) else [(1, value)]


def _list_items(text: str, max_bytes: int) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """The items of a document that is a list, with their lines."""
    at = text.index("[") + 1
    line, counted = 1, 0
    while True:
        at = _NEXT_ITEM.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
        line, counted = line + text.count("\n", counted, at), at
        if text.startswith("]", at):
            return
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            yield line, "broken JSON: the list cannot be read from here on"
            return
        if end - at > max_bytes:
            yield line, too_long(end - at, max_bytes)
        elif _ESCAPED_BYTE.search(text, at, end):
            yield line, "invalid UTF-8 in the record: save the file as UTF-8"
        else:
            yield line, _checked(value)
        at = end
