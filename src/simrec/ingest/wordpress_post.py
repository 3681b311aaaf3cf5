"""WordPress: one post as its REST API or a plugin's webhook tells it, in JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from simrec.ingest.entries import moment, text_of, to_entry
from simrec.ingest.fragment import fragment_text
from simrec.ingest.shortcodes import without_shortcodes
from simrec.ingest.source import told_by
from simrec.ingest.wordpress import STATES, SWITCH, UNSAVED
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

Row = Mapping[str, Any]


def posted(post: Row, settings: IngestSettings) -> Entry | Reject | None:
    """The entry of a post; None where it is none that is an article.

    Args:
        post: as `/wp/v2/posts/<id>?_embed` of the REST API has it; or a post's row in WordPress's own words
            (`post_title`), with `post_permalink`, `post_thumbnail` and `taxonomies` beside or in it, as the plugin
            WP Webhooks sends it.
        settings: `post_types` says which are articles.
    """
    state, kind = state_of(post), text_of(post.get("type") or post.get("post_type")) or "post"
    if kind not in settings.post_types or state in UNSAVED:
        return None
    published = _first(post, "date_gmt", "post_date_gmt") or _first(post, "date", "post_date")
    picture = next(iter(_embedded(post, "wp:featuredmedia")), {})
    meta = post.get("meta")
    categories, tags = _terms(post, "category"), _terms(post, "post_tag")
    record: dict[str, Any] = {
        "id": id_of(post),
        "title": fragment_text(_rendered(post, "title", "post_title")),
        "body": fragment_text(without_shortcodes(_rendered(post, "content", "post_content"))),
        "url": text_of(post.get("link")) or text_of(post.get("post_permalink")) or _rendered(post, "guid"),
        "published_at": published,
        "updated_at": changed_at(post),
        "authors": [text_of(author.get("name")) for author in _embedded(post, "author")],
        "lang": text_of(post.get("lang")),
        "image": text_of(picture.get("source_url")) or text_of(post.get("post_thumbnail")),
        "image_alt": text_of(picture.get("alt_text")),
        "status": "draft" if _has_password(post) else STATES.get(state, "draft"),
        "embargo_until": published if state == "future" else None,
        "section": categories[0] if categories else None,
        "categories": categories or None,
        "tags": tags,
        "type": kind,
        SWITCH: meta.get(SWITCH) if isinstance(meta, dict) else None,
    }
    addresses = [address for address in (_rendered(post, "guid"),) if address.startswith(("http://", "https://"))]
    return to_entry(record, told_by("wordpress"), None, settings, addresses=addresses)


def id_of(post: Row) -> object:
    """A post's number, whatever it is called."""
    return next((post[name] for name in ("id", "ID", "post_id") if post.get(name) not in (None, "")), None)


def state_of(post: Row) -> str:
    """A post's status; a post without one is a draft."""
    return text_of(post.get("status")) or text_of(post.get("post_status")) or "draft"


def changed_at(post: Row) -> datetime | None:
    """When a post was last changed."""
    return _first(post, "modified_gmt", "post_modified_gmt") or _first(post, "modified", "post_modified")


def _first(post: Row, *names: str) -> datetime | None:
    """The first of some dates that is one; WordPress has no zone in them, and a year 0 for none."""
    found = moment(*(text_of(post.get(name)) for name in names))
    return found if found and found > datetime(1, 1, 2, tzinfo=UTC) else None


def _rendered(post: Row, *names: str) -> str:
    """A text, as it is or as `{"rendered": …}`."""
    for name in names:
        value = post.get(name)
        text = text_of(value.get("rendered") if isinstance(value, dict) else value)
        if text:
            return text
    return ""


def _has_password(post: Row) -> bool:
    content = post.get("content")
    protected = isinstance(content, dict) and content.get("protected") is True
    return protected or bool(post.get("password") or post.get("post_password"))


def _embedded(post: Row, name: str) -> list[Row]:
    """What the API embeds of a kind."""
    found = post.get("_embedded")
    rows = found.get(name) if isinstance(found, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _terms(post: Row, taxonomy: str) -> list[str]:
    """Names of categories or tags: embedded by the API, or sent by the plugin."""
    return list(dict.fromkeys(name for row in _term_rows(post, taxonomy) if (name := fragment_text(_name(row)))))


def _name(row: Row) -> str:
    return text_of(row.get("name"))


def _term_rows(post: Row, taxonomy: str) -> Iterator[Row]:
    found = post.get("_embedded")
    groups = found.get("wp:term") if isinstance(found, dict) else None
    for group in groups if isinstance(groups, list) else []:
        rows = group if isinstance(group, list) else []
        yield from (row for row in rows if isinstance(row, dict) and row.get("taxonomy") == taxonomy)
    sent = post.get("taxonomies")
    named = sent.get(taxonomy) if isinstance(sent, dict) else None
    values = list(named.values()) if isinstance(named, dict) else named
    yield from (row for row in (values if isinstance(values, list) else []) if isinstance(row, dict))
