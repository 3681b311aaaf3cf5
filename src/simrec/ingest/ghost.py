"""Ghost: the JSON export of a site, posts and pages of it, in both layouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from simrec.ingest.cards import lexical_html, mobiledoc_html
from simrec.ingest.entries import moment, text_of, to_entry
from simrec.ingest.fragment import fragment_text
from simrec.ingest.jsonl import document
from simrec.ingest.source import MEGABYTE, WHOLE_FILE_RECORDS, SourceFile, told_by
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

STATES = {"published": "published", "draft": "draft", "scheduled": "embargoed", "sent": "draft"}
"""What was ``sent`` went out by mail only and has no page."""
SITE = "__GHOST_URL__"
"""Stands for the site's address in an export."""
SWITCH = "#similar-off"
SERIES = "#series-"
"""Internal tags: no block under the post and the post in no block; the series that a post belongs to."""

Row = Mapping[str, Any]


class _Tables(NamedTuple):
    """What posts refer to, by a post's id: its tags and authors in order, and its row of metadata."""

    tags: dict[object, list[str]]
    authors: dict[object, list[str]]
    meta: dict[object, Row]
    users: dict[object, str]
    lang: str


def read(source: SourceFile, settings: IngestSettings) -> Iterator[Entry | Reject]:
    """The posts and pages of an export, in every state."""
    value = document(source, settings.max_record_mb * MEGABYTE * WHOLE_FILE_RECORDS)
    if isinstance(value, str):
        yield Reject(source.file, None, value)
        return
    data = _data(value)
    if data is None:
        yield Reject(source.file, None, "no Ghost export: it has no data with posts in it; export the site again")
        return
    posts = data.get("posts")
    tables = _tables(data)
    if not isinstance(posts, list) or not posts:
        yield Reject(source.file, None, "no posts in the export: export the site again")
        return
    for number, post in enumerate(posts, 1):
        if isinstance(post, dict):
            yield _entry(post, tables, source, settings)
        else:
            yield Reject(source.file, None, f"post {number} is no JSON object")


def posted(post: Row, settings: IngestSettings) -> Entry | Reject:
    """The post or page that a webhook tells of: with its tags and authors in it, and its own address."""
    key = _key(post.get("id"))
    tags, authors = ([text_of(row.get("name")) for row in _rows(post, name)] for name in ("tags", "authors"))
    tables = _Tables({key: [name for name in tags if name]}, {key: [name for name in authors if name]}, {}, {}, "")
    found = _entry(post, tables, told_by("ghost"), settings)
    address = text_of(post.get("url"))
    if isinstance(found, Reject) or not address or address == found.article.url:
        return found
    return replace(found, addresses=(*found.addresses, address))


def _data(value: object) -> Row | None:
    """The tables of an export: below ``db``, or at the top."""
    top = value.get("db", value) if isinstance(value, dict) else value
    first = top[0] if isinstance(top, list) and top else top
    data = first.get("data") if isinstance(first, dict) else None
    return data if isinstance(data, dict) and "posts" in data else None


def _tables(data: Row) -> _Tables:
    tags = {_key(row.get("id")): text_of(row.get("name")) for row in _rows(data, "tags")}
    users = {_key(row.get("id")): text_of(row.get("name")) for row in _rows(data, "users")}
    site = {text_of(row.get("key")): text_of(row.get("value")) for row in _rows(data, "settings")}
    return _Tables(
        _joined(_rows(data, "posts_tags"), "tag_id", tags),
        _joined(_rows(data, "posts_authors"), "author_id", users),
        {_key(row.get("post_id")): row for row in _rows(data, "posts_meta")},
        users,
        site.get("locale") or site.get("default_locale") or site.get("lang") or "",
    )


def _rows(data: Row, table: str) -> list[Row]:
    rows = data.get(table)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _joined(rows: list[Row], column: str, names: Mapping[object, str]) -> dict[object, list[str]]:
    """The names that each post is joined with, in the order of ``sort_order``."""
    joined: dict[object, list[str]] = {}
    for row in sorted(rows, key=_order):
        if name := names.get(_key(row.get(column))):
            joined.setdefault(_key(row.get("post_id")), []).append(name)
    return joined


def _order(row: Row) -> float:
    order = row.get("sort_order")
    return order if isinstance(order, int | float) else 0


def _key(value: object) -> object:
    """An id, as something to look up by."""
    return str(value) if isinstance(value, str | int) else None


def _entry(post: Row, tables: _Tables, source: SourceFile, settings: IngestSettings) -> Entry | Reject:
    key = _key(post.get("id"))
    meta: Row = tables.meta.get(key, {})
    named = tables.tags.get(key, [])
    tags = [name for name in named if not name.startswith("#")]
    internal = [name for name in named if name.startswith("#")]
    slug, canonical = text_of(post.get("slug")), text_of(post.get("canonical_url")).replace(SITE, "")
    author = tables.users.get(_key(post.get("author_id")), "")
    state = text_of(post.get("status")) or "published"
    if state == "scheduled" and meta.get("email_only") in (1, True, "1"):
        state = "sent"
    published = moment(post.get("published_at"))
    record: dict[str, Any] = {
        "id": post.get("id") if key is not None else post.get("uuid"),
        "title": post.get("title"),
        "body": _body(post),
        "url": f"/{slug}/" if slug else canonical,
        "published_at": published,
        "updated_at": moment(post.get("updated_at")),
        "section": tags[0] if tags else None,
        "tags": tags,
        "authors": tables.authors.get(key) or [author],
        "lang": text_of(post.get("locale")) or text_of(post.get("language")) or tables.lang,
        "image": text_of(post.get("feature_image") or post.get("image")).replace(SITE, ""),
        "image_alt": text_of(meta.get("feature_image_alt") or post.get("feature_image_alt")),
        "status": STATES.get(state, "draft"),
        "embargo_until": published if state == "scheduled" else None,
        "type": text_of(post.get("type")) or ("page" if post.get("page") in (1, True) else "post"),
        "visibility": post.get("visibility"),
        "series": next((name.removeprefix(SERIES) for name in internal if name.startswith(SERIES)), None),
        "similar": "off" if SWITCH in internal else None,
    }
    return to_entry(record, source, None, settings, addresses=[canonical])


def _body(post: Row) -> str:
    """The readable text: of the HTML, else of the editor's document, else the plain text."""
    for html in (text_of(post.get("html")), lexical_html(post.get("lexical")), mobiledoc_html(post.get("mobiledoc"))):
        if text := fragment_text(html.replace(SITE, "")):
            return text
    return text_of(post.get("plaintext"))
