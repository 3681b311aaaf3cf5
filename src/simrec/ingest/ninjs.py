"""IPTC's ninjs, versions 1 to 3: one item a file, a list of items, or one a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from simrec.ingest.entries import moment, text_of, to_entry
from simrec.ingest.fragment import fragment_text
from simrec.ingest.jsonl import records
from simrec.ingest.record import is_missing, shown
from simrec.ingest.source import SourceFile
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

STATES = {"usable": "published", "withheld": "draft", "canceled": "withdrawn", "cancelled": "withdrawn"}
PICTURES = frozenset(("picture", "photo", "graphic", "image"))
TEXTS = frozenset(("", "text", "composite"))
"""Types of items that are articles."""
BODIES_V1 = (
    ("body_html", "text/html"),
    ("body_xhtml", "application/xhtml+xml"),
    ("body_text", "text/plain"),
    ("body", "text/html"),
)
CLOSING = ("embargoed", "expires")
"""Dates that keep an item from its readers: one that cannot be read keeps it from them without end."""
LINES = (".jsonl", ".ndjson", ".json")

Item = Mapping[str, Any]


def read(source: SourceFile, settings: IngestSettings) -> Iterator[Entry | Reject]:
    """The texts of a file; pictures, videos and other items are passed over where they stand beside texts."""
    named = source.path.lower().removesuffix(".gz").endswith(LINES)
    passed = kept = 0
    for line, found in records(source if named else replace(source, path=source.path + ".json"), settings):
        if isinstance(found, str):
            kept += 1
            yield Reject(source.file, line, found)
            continue
        item = {str(name).lower(): value for name, value in found.items()}  # versions differ in capitals only
        if text_of(item.get("type")).lower() in TEXTS:
            kept += 1
            yield _entry(item, source, line, settings)
            for name in CLOSING:
                if _is_unread(item.get(name)):
                    reason = f"{name} {shown(item[name])} is no date, so that the item is kept back: correct it"
                    yield Reject(source.file, line, reason)
        else:
            passed += 1
    if not kept:
        yield Reject(source.file, None, f"none of {passed} items is a text: export articles")


def _entry(item: Item, source: SourceFile, line: int | None, settings: IngestSettings) -> Entry | Reject:
    uri = text_of(item.get("uri"))
    until, expires = (_moment(item.get(name)) for name in CLOSING)
    unread = any(_is_unread(item.get(name)) for name in CLOSING)
    state = STATES.get(text_of(item.get("pubstatus")).lower() or "usable", "draft")
    subjects = _named(item.get("subject")) or _named(item.get("subjects"))
    record = {
        "id": item.get("uri"),
        "title": fragment_text(_headline(item)),
        "body": _body(item),
        "url": _url(item) or (uri if uri.startswith(("http://", "https://")) else None),
        "published_at": moment(item.get("firstcreated"), item.get("contentcreated"), item.get("versioncreated")),
        "updated_at": moment(item.get("versioncreated")),
        "section": next(iter(_named(item.get("genres")) or subjects), None),
        "tags": [*subjects, *_keywords(item)],
        "authors": _authors(item),
        "lang": item.get("language"),
        "status": "embargoed" if state == "published" and (until or unread) else state,
        "embargo_until": None if unread else until,  # without an end, where nobody knows it
        "expires_at": expires,
        **_image(item),
    }
    entry = to_entry(record, source, line, settings, addresses=[uri if "://" in uri else ""])
    return entry if isinstance(entry, Reject) else replace(entry, version=_version(item))


def _moment(value: object) -> datetime | None:
    return moment(value.upper()) if isinstance(value, str) else None


def _is_unread(value: object) -> bool:
    """Whether a date is given, and cannot be read."""
    return not is_missing(value) and _moment(value) is None


def _version(item: Item) -> tuple[float | None, float | None]:
    """The version's number, which some write as a string, and its moment."""
    number, created = item.get("version"), moment(item.get("versioncreated"))
    try:
        known = float(number) if isinstance(number, int | float | str) else None
    except (ValueError, OverflowError):
        known = None
    return known, created.timestamp() if created else None


def _lower(value: object) -> list[dict[str, Any]]:
    """The objects of a list, or of an object by names, with their keys in lower case."""
    if isinstance(value, dict):
        value = [{"name": name, **one} for name, one in value.items() if isinstance(one, dict)]
    found = value if isinstance(value, list) else []
    return [{str(name).lower(): part for name, part in one.items()} for one in found if isinstance(one, dict)]


def _by_role(parts: list[dict[str, Any]], role: str = "main") -> list[dict[str, Any]]:
    return sorted(parts, key=lambda part: part.get("role") != role)


def _headline(item: Item) -> str:
    """The main headline of versions 2 and 3, else the first, else version 1's, else its title."""
    lines = [text_of(part.get("value")) for part in _by_role(_lower(item.get("headlines")))]
    return next((text for text in (*lines, *(text_of(item.get(name)) for name in ("headline", "title"))) if text), "")


def _body(item: Item) -> str:
    """The text of the richest body: HTML has paragraphs, which plain text may have lost."""
    parts = [
        (text_of(part.get("contenttype")), text_of(part.get("value"))) for part in _by_role(_lower(item.get("bodies")))
    ]
    parts += [(kind, text_of(item.get(name))) for name, kind in BODIES_V1]
    texts = [(kind, text) for kind, text in parts if text.strip() and not _is_xml(kind)]
    rich = [fragment_text(text) for kind, text in texts if "html" in kind]
    plain = [text for kind, text in texts if "html" not in kind]
    return next((text for text in (*rich, *plain) if text), "")


def _is_xml(kind: str) -> bool:
    """Whether a body is in another XML than HTML, NITF for one."""
    return "xml" in kind and "html" not in kind


def _authors(item: Item) -> list[str]:
    names = [text_of(part.get("value")) or text_of(part.get("name")) for part in _lower(item.get("bylines"))]
    people = [text_of(part.get("name")) for part in _lower(item.get("infosources")) if part.get("role") == "author"]
    return [name for name in names if name] or people or [text_of(item.get("by")) or text_of(item.get("byline"))]


def _named(value: object) -> list[str]:
    return [name for part in _lower(value) if (name := text_of(part.get("name")))]


def _keywords(item: Item) -> list[str]:
    found = item.get("keywords")
    return [text_of(word) for word in found] if isinstance(found, list) else []


def _url(item: Item) -> str | None:
    """The address of the item's page: of a rendition that is HTML."""
    for part in _lower(item.get("renditions")):
        if "html" in text_of(part.get("contenttype")) and (href := text_of(part.get("href"))):
            return href
    return None


def _image(item: Item) -> dict[str, str]:
    """The largest rendition of the first picture that the item is associated with, and its description."""
    for part in _lower(item.get("associations")):
        if text_of(part.get("type")).lower() in PICTURES:
            hrefs = [(_width(one), text_of(one.get("href"))) for one in _lower(part.get("renditions"))]
            shown = [(width, href) for width, href in hrefs if href.startswith(("http://", "https://", "/"))]
            if shown:
                return {"image": max(shown, key=lambda pair: pair[0])[1], "image_alt": _description(part)}
    return {}


def _width(rendition: Item) -> float:
    width = rendition.get("width")
    return width if isinstance(width, int | float) and width == width else 0


def _description(picture: Item) -> str:
    spoken = [text_of(part.get("value")) for part in _by_role(_lower(picture.get("descriptions")), "alttext")]
    named = [text_of(picture.get(name)) for name in ("description_text", "description")]
    return fragment_text(next((text for text in (*spoken, *named, _headline(picture)) if text), ""))
