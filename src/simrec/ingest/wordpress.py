"""WordPress: the export file of a site (WXR), posts and pages of it.

The file is read twice, record by record: first for authors and pictures, which may stand behind the posts that name
them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from simrec.ingest.entries import moment, to_entry
from simrec.ingest.fragment import fragment_text
from simrec.ingest.shortcodes import without_shortcodes
from simrec.ingest.source import MEGABYTE, WHOLE_FILE_RECORDS, SourceFile
from simrec.ingest.xml import Broken, Node, records
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

ROOT = ("rss",)
ITEM_DEPTH = 2
STATES = {
    "publish": "published",
    "draft": "draft",
    "pending": "draft",
    "private": "draft",
    "future": "embargoed",
    "trash": "withdrawn",
}
PASSED_OVER = frozenset(
    ("attachment", "revision", "nav_menu_item", "custom_css", "customize_changeset", "oembed_cache", "user_request")
)
"""Post types that are no articles; so are those whose names begin with one of `PASSED_OVER_PREFIXES`."""
PASSED_OVER_PREFIXES = ("wp_", "acf-", "elementor_", "jp_", "wpcf7_", "wpforms")
UNSAVED = frozenset(("auto-draft", "inherit"))

THUMBNAIL = "_thumbnail_id"
ALT = "_wp_attachment_image_alt"
SWITCH = "similar"
"""A custom field: ``off`` shows no block under the post, and the post in no block."""


class _Site(NamedTuple):
    """What posts refer to: names by login, picture and its alternative text by id; and the site's language."""

    authors: dict[str, str]
    pictures: dict[str, tuple[str, str]]
    lang: str


def read(source: SourceFile, settings: IngestSettings) -> Iterator[Entry | Reject]:
    """The posts and pages of an export, in every state; items of other types are counted in one reject a type."""
    max_bytes = settings.max_record_mb * MEGABYTE
    source = source.reopened(max_bytes * WHOLE_FILE_RECORDS)
    site = _site(source, max_bytes)
    others: Counter[str] = Counter()
    empty = True
    with source.open() as stream:
        for item in records(stream, ROOT, ITEM_DEPTH, max_bytes):
            if isinstance(item, Broken):
                yield Reject(source.file, item.line, item.reason)
                empty = False
            elif item.name == "item":
                empty = False
                kind = item.value("wp:post_type") or "post"
                if kind not in settings.post_types:
                    others[kind] += not _is_passed_over(kind)
                elif item.value("wp:status") not in UNSAVED:
                    yield _entry(item, site, source, settings)
    for kind, count in others.items():
        if count:
            known = f"{count} items of type {kind[:40]!r} are passed over"
            yield Reject(source.file, None, f"{known}: name the type in post_types under [ingest] to read them")
    if empty:
        yield Reject(source.file, None, "no items in the export: export all content, or posts")


def _is_passed_over(kind: str) -> bool:
    return kind in PASSED_OVER or kind.startswith(PASSED_OVER_PREFIXES)


def _site(source: SourceFile, max_bytes: int) -> _Site:
    """The authors and pictures of an export, as far as it can be read."""
    authors: dict[str, str] = {}
    pictures: dict[str, tuple[str, str]] = {}
    lang = ""
    with source.open() as stream:
        for item in records(stream, ROOT, ITEM_DEPTH, max_bytes):
            if isinstance(item, Broken):
                continue
            if item.name == "language":
                lang = lang or item.text
            elif item.name == "wp:author":
                authors[item.value("wp:author_login")] = item.value("wp:author_display_name")
            elif item.value("wp:post_type") == "attachment":
                pictures[item.value("wp:post_id")] = (item.value("wp:attachment_url"), _meta(item).get(ALT, ""))
    return _Site(authors, pictures, lang)


def _entry(item: Node, site: _Site, source: SourceFile, settings: IngestSettings) -> Entry | Reject:
    meta = _meta(item)
    image, alt = site.pictures.get(meta.get(THUMBNAIL, ""), ("", ""))
    login = item.value("dc:creator")
    state = item.value("wp:status") or "publish"
    published = _published(item, state)
    link, guid = item.value("link"), item.value("guid")
    record: dict[str, Any] = {
        "id": item.value("wp:post_id") or guid,
        "title": fragment_text(item.value("title")),
        "body": fragment_text(without_shortcodes(item.value("content:encoded"))),
        "url": link or guid,
        "published_at": published,
        "updated_at": moment(item.value("wp:post_modified_gmt")),
        "authors": [site.authors.get(login) or login],
        "lang": _term(item, "language", nicename=True) or site.lang,
        "image": image,
        "image_alt": alt,
        "status": "draft" if item.value("wp:post_password") else STATES.get(state, "draft"),
        "embargo_until": published if state == "future" else None,
        **_sorted(item),
        "type": item.value("wp:post_type") or None,
        "series": _term(item, "series"),
        SWITCH: meta.get(SWITCH),
    }
    addresses = [address for address in (guid, link) if address.startswith(("http://", "https://"))]
    return to_entry(record, source, item.line, settings, addresses=addresses)


def _published(item: Node, state: str) -> datetime | None:
    """When it was, or will be, published; a local date is taken as UTC where the export has no other.

    Of what is scheduled, the latest of its dates: rather too late than too early.
    """
    dates = [moment(item.value("wp:post_date_gmt")), _mail_date(item.value("pubDate"))]
    if state in ("publish", "future"):
        dates.append(moment(item.value("wp:post_date")))
    known = [date for date in dates if date]
    return max(known, default=None) if state == "future" else next(iter(known), None)


def _mail_date(text: str) -> datetime | None:
    if " -0001 " in text:  # WordPress's way to write no date at all, which would be read as the year 2000
        return None
    try:
        date = parsedate_to_datetime(text)
        return moment(date if date.tzinfo else date.replace(tzinfo=UTC))
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def _sorted(item: Node) -> dict[str, Any]:
    """Categories and tags: the first category is the section."""
    categories = _terms(item, "category")
    return {"section": categories[0] if categories else None, "categories": categories or None,
            "tags": _terms(item, "post_tag")}  # fmt: skip


def _terms(item: Node, taxonomy: str) -> list[str]:
    nodes = [node for node in item.all("category") if node.attributes.get("domain") == taxonomy]
    return list(dict.fromkeys(text for node in nodes if (text := fragment_text(node.text))))


def _term(item: Node, taxonomy: str, *, nicename: bool = False) -> str | None:
    for node in item.all("category"):
        if node.attributes.get("domain") == taxonomy:
            return node.attributes.get("nicename", "") if nicename else fragment_text(node.text)
    return None


def _meta(item: Node) -> dict[str, str]:
    return {node.value("wp:meta_key"): node.value("wp:meta_value") for node in item.all("wp:postmeta")}
