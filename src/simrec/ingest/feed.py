"""Feeds: RSS 0.9x to 2.0, Atom, and JSON Feed."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from simrec.ingest import jsonfeed
from simrec.ingest.entries import text_of, to_entry
from simrec.ingest.fragment import first_image, fragment_text
from simrec.ingest.source import MEGABYTE, SourceFile
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

logger = logging.getLogger(__name__)

FEED_RECORDS = 4
"""A feed, which is in memory as a whole, may be this many times the longest record."""
KIND = "http://schemas.google.com/g/2005#kind"
ARTICLES = ("#post", "#page")
"""In a Blogger export, which is Atom: the kinds of entries that are articles."""
BLOGGER_TYPES = ("POST", "PAGE")
BLOGGER_STATES = {"LIVE": "published", "SCHEDULED": "embargoed"}
"""The same in its newer layout, that of Google Takeout; what is in any other state is a draft."""

_ENTITY = re.compile(rb"<!ENTITY", re.IGNORECASE)
_ROOT = re.compile(rb"""<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)|"[^"]*"|'[^']*'|(<[A-Za-z])""", re.DOTALL)
"""The root element; comments, instructions and quoted names before it may hold what looks like one."""


def read(source: SourceFile, settings: IngestSettings) -> Iterator[Entry | Reject]:
    """The entries of a feed. Where its XML is broken, what can be read is, and one reject says where it broke."""
    data = source.read(settings.max_record_mb * MEGABYTE * FEED_RECORDS)
    if data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"[")):
        yield from jsonfeed.read(source, data, settings)
        return
    if _declares_entities(data.replace(b"\x00", b"")):  # so that UTF-16 is looked at as well
        reason = "the feed declares entities, which can be used to flood a reader: take them out"
        yield Reject(source.file, None, reason)
        return
    yield from _entries(data, source, settings)


def _declares_entities(data: bytes) -> bool:
    root = next((found.start() for found in _ROOT.finditer(data) if found[1]), len(data))
    return _ENTITY.search(data, 0, root) is not None


def _entries(data: bytes, source: SourceFile, settings: IngestSettings) -> Iterator[Entry | Reject]:
    parsed = _parsed(data)
    if isinstance(parsed, str):
        yield Reject(source.file, None, parsed)
        return
    lang = text_of(parsed.feed.get("language"))
    for item in parsed.entries:
        if _is_article(item):
            yield to_entry(_record(item, lang), source, None, settings, addresses=_addresses(item))
    error = parsed.get("bozo_exception")
    if hasattr(error, "getLineNumber"):
        reason = f"broken XML ({error.getMessage()}): entries from here on may be missing or cut; fetch it again"
        yield Reject(source.file, error.getLineNumber(), reason)
    elif not parsed.entries:
        known = parsed.version or parsed.feed
        reason = "the feed has no entries" if known else "no feed: neither RSS, Atom nor JSON Feed"
        yield Reject(source.file, None, reason)


def _parsed(data: bytes) -> Any:
    """What feedparser makes of a feed, or the reason, a string, why it makes nothing of it."""
    import feedparser  # only feeds need it

    if not data.strip():
        return "the file is empty"
    try:
        # A stream, so that nothing in it can be taken for the address of a feed to fetch.
        return feedparser.parse(BytesIO(data), sanitize_html=False, resolve_relative_uris=False)
    except Exception as error:  # its loose parser stumbles over damage in many ways
        logger.debug("feedparser could not read the feed", exc_info=True)
        return f"the feed cannot be read ({type(error).__name__}): fetch it again"


def _is_article(item: Mapping[str, Any]) -> bool:
    kinds = [text_of(tag.get("term")) for tag in item.get("tags", ()) if tag.get("scheme") == KIND]
    kind = text_of(item.get("blogger_type")).upper()
    return (not kinds or kinds[0].endswith(ARTICLES)) and (not kind or kind in BLOGGER_TYPES)


def _state(item: Mapping[str, Any]) -> dict[str, Any]:
    """Its status, and where it is scheduled, until when it is embargoed."""
    if item.get("app_draft") == "yes":
        return {"status": "draft"}
    if "blogger_type" not in item and "blogger_status" not in item:
        return {"status": "published"}
    status = BLOGGER_STATES.get(text_of(item.get("blogger_status")).upper(), "draft")
    return {"status": status, "embargo_until": _date(item, "published_parsed") if status == "embargoed" else None}


def _record(item: Mapping[str, Any], lang: str) -> dict[str, Any]:
    html, body = _body(item)
    title = item.get("title_detail", {})
    language = (item.get("content") or [{}])[0].get("language") or title.get("language") or item.get("dc_language")
    names = [author.get("name") for author in item.get("authors", ()) if author.get("name")]
    tags = [tag.get("label") or tag.get("term") for tag in item.get("tags", ()) if tag.get("scheme") != KIND]
    return {
        "id": item.get("id") or item.get("link"),
        "title": fragment_text(text_of(item.get("title"))),
        "body": body,
        "url": item.get("link"),
        "published_at": _date(item, "published_parsed") or _date(item, "updated_parsed"),
        "updated_at": _date(item, "updated_parsed"),
        "tags": tags,
        "authors": names or [text_of(item.get("author"))],
        "lang": text_of(language) or lang,
        **_state(item),
        **(_image(item) or first_image(html)),
    }


def _body(item: Mapping[str, Any]) -> tuple[str, str]:
    """The longest of an entry's contents and its summary: as HTML ("" where it is plain text), and as text."""
    details = [*item.get("content", ()), item.get("summary_detail") or {}]
    values = [(text_of(one.get("value")), one.get("type")) for one in details]
    values.append((text_of(item.get("summary")), "text/html"))
    value, kind = max(values, key=lambda pair: len(pair[0]))
    return ("", value) if kind == "text/plain" else (value, fragment_text(value))


def _date(item: Mapping[str, Any], name: str) -> datetime | None:
    parts = dict.get(item, name) if isinstance(item, dict) else None  # the feed's own names, none in place of another
    try:
        return datetime(*parts[:6]).replace(tzinfo=UTC) if parts else None
    except (ValueError, TypeError):
        return None


def _image(item: Mapping[str, Any]) -> dict[str, str] | None:
    """The entry's picture: of Media RSS, an enclosure, or a podcast's."""
    media: Sequence[Mapping[str, Any]] = item.get("media_content", ())
    named = [one for one in media if one.get("medium") == "image" or text_of(one.get("type")).startswith("image/")]
    enclosed = [one for one in item.get("enclosures", ()) if text_of(one.get("type")).startswith("image/")]
    pictures = [one.get("url") or one.get("href") for one in (*named, *item.get("media_thumbnail", ()), *enclosed)]
    pictures.append(item["image"].get("href") if isinstance(item.get("image"), Mapping) else None)
    found = next((text_of(url) for url in pictures if text_of(url)), None)
    return {"image": found} if found else None


def _addresses(item: Mapping[str, Any]) -> list[str]:
    links = [link.get("href") for link in item.get("links", ()) if link.get("rel") == "alternate"]
    return [text for address in (*links, item.get("id")) if (text := text_of(address)).startswith(("http:", "https:"))]
