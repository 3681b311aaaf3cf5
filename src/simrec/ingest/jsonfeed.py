"""JSON Feed, versions 1.0 and 1.1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from simrec.ingest.entries import moment, text_of, to_entry
from simrec.ingest.fragment import first_image, fragment_text
from simrec.ingest.jsonl import parsed
from simrec.ingest.source import SourceFile
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject


def read(source: SourceFile, data: bytes, settings: IngestSettings) -> Iterator[Entry | Reject]:
    """The items of a feed.

    Args:
        source: what it is called in entries and rejects.
        data: the feed.
        settings: how it is read.
    """
    feed = parsed(data)
    if isinstance(feed, str):
        yield Reject(source.file, None, feed)
        return
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list):
        yield Reject(source.file, None, "no JSON Feed: it has no list of items")
        return
    if not items:
        yield Reject(source.file, None, "the feed has no entries")
    for number, item in enumerate(items, 1):
        if isinstance(item, dict):
            yield _entry(item, feed, source, settings)
        else:
            yield Reject(source.file, None, f"item {number} is no JSON object")


def _entry(
    item: Mapping[str, Any], feed: Mapping[str, Any], source: SourceFile, settings: IngestSettings
) -> Entry | Reject:
    html = text_of(item.get("content_html"))
    own = text_of(item.get("url"))
    picture = text_of(item.get("image")) or text_of(item.get("banner_image"))
    record = {
        "id": item.get("id") or own,
        "title": item.get("title"),
        "body": fragment_text(html) or item.get("content_text") or item.get("summary"),
        "url": own or item.get("external_url"),
        "published_at": moment(item.get("date_published")),
        "updated_at": moment(item.get("date_modified")),
        "tags": item.get("tags"),
        "authors": _authors(item) or _authors(feed),
        "lang": text_of(item.get("language")) or text_of(feed.get("language")),
        **({"image": picture} if picture else first_image(html)),
    }
    identity = text_of(item.get("id"))
    return to_entry(record, source, None, settings, addresses=[identity if "://" in identity else ""])


def _authors(owner: Mapping[str, Any]) -> list[str]:
    """The names of version 1.1's list, or of 1.0's single author."""
    found = owner.get("authors")
    named = found if isinstance(found, list) else [owner.get("author")]
    return [text_of(one.get("name")) for one in named if isinstance(one, dict) and one.get("name")]
