"""From the records of exports to entries: what their readers have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from simrec.ingest.dates import parse_iso
from simrec.ingest.lines import too_long
from simrec.ingest.record import to_article
from simrec.ingest.source import MEGABYTE, SourceFile
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject


def to_entry(
    record: Mapping[str, Any],
    source: SourceFile,
    line: int | None,
    settings: IngestSettings,
    *,
    addresses: Iterable[str] = (),
    copy: bool = False,
) -> Entry | Reject:
    """The entry that a record describes, or a reject with the reason why it describes none.

    Args:
        record: as `to_article` takes it.
        source: where it stood.
        line: the line of it, where lines mean something.
        settings: `max_record_mb` bounds its body.
        addresses: further URLs of the article; empty ones and its own are left out.
        copy: it never replaces an article that has a body of its own.
    """
    size = len(str(record.get("body") or ""))
    if size > settings.max_record_mb * MEGABYTE:
        return Reject(source.file, line, too_long(size, settings.max_record_mb * MEGABYTE))
    article = to_article(record, settings)
    if isinstance(article, str):
        return Reject(source.file, line, article)
    known = dict.fromkeys(address for address in addresses if address and address != article.url)
    return Entry(article, source.file, line, None, tuple(known), copy)


def moment(*values: object) -> datetime | None:
    """The first of some values that is a date: ISO 8601, or milliseconds since 1970; None where none is."""
    for value in values:
        try:
            if isinstance(value, int | float) and not isinstance(value, bool):
                return datetime.fromtimestamp(value / 1000, UTC)
            return parse_iso(value)
        except (ValueError, OverflowError, OSError):
            continue
    return None


def text_of(value: object) -> str:
    """A value that should be a string; "" for any other."""
    return value if isinstance(value, str) else ""
