"""Articles, picks and blocks as rows of tables, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from simrec.errors import InputError
from simrec.text import content_hash
from simrec.types import Article, Entry, PickEntry, Status

DATES = ("published_at", "updated_at", "embargo_until", "expires_at")
LISTS = ("tags", "authors")
FIELDS = tuple(one.name for one in fields(Article))
"""Columns of `articles` that hold an article."""
_HALVES = re.compile("[\ud800-\udfff]")
PLAIN = ("id", "title", "body", "url", "section", "lang", "image", "image_alt", "status", "canonical_id")


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An entry of a stored block: the article's id, its score, and why it is there."""

    id: str
    score: float
    reasons: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A ranking as a snapshot keeps it: k items and spares, best first."""

    source_id: str
    items: tuple[StoredItem, ...]
    shortfall: str | None = None


def article_hash(article: Article) -> str:
    """Hash of everything that a publisher delivered of an article."""
    return content_hash(json.dumps(_values(article), sort_keys=True, ensure_ascii=False))


def to_row(entry: Entry) -> dict[str, Any]:
    """The values of a row of `articles`.

    Raises:
        InputError: a text in it is none that every store can hold.
    """
    values = _values(entry.article)
    _check(values)
    return {
        **values,
        "hash": article_hash(entry.article),
        "copy": entry.copy,
        "file": entry.file,
        "line": entry.line,
    }


def to_article(row: Mapping[str, Any]) -> Article:
    """The article that a row holds."""
    return article_of([row[name] for name in FIELDS])


def article_of(values: Iterable[Any]) -> Article:
    """The article of the values of `FIELDS`, in their order, as columns hold them: a site has a hundred thousand."""
    id_, title, body, url, published, updated, section, tags, authors, *rest = values
    lang, image, image_alt, status, embargo, expires, canonical, extra = rest
    return Article(
        id_, title, body, url, _date(published), _date(updated), section, tuple(tags), tuple(authors),
        lang, image, image_alt, status, _date(embargo), _date(expires), canonical, extra,
    )  # fmt: skip


def _date(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def told(article: Article, notice: Article) -> Article:
    """An article with the state, and such dates as are given, of a notice (`Article.is_notice`)."""
    dates = {name: value for name in DATES if (value := getattr(notice, name))}
    if notice.status == "embargoed":
        dates["embargo_until"] = notice.embargo_until  # no end is none: one that has passed would open the article
    return replace(article, status=notice.status, **dates)


def taken_out(article: Article, status: Status, at: datetime) -> Article:
    """An article out of sight, changed then: what was told of it before, and arrives later, does not count."""
    return replace(article, status=status, updated_at=at.astimezone(UTC))


def pick_row(entry: PickEntry, origin: str) -> dict[str, Any]:
    """The values of a row of `picks`."""
    return {
        "source_ref": entry.pick.source_id,
        "target_ref": entry.pick.target_id,
        "origin": origin,
        "rank": entry.pick.rank,
        "grade": entry.pick.grade,
        "file": entry.file,
        "line": entry.line,
    }


def block_row(number: int, block: StoredBlock) -> dict[str, Any]:
    """The values of a row of `blocks`, in the snapshot of that number."""
    items = [{"id": item.id, "score": item.score, "reasons": dict(item.reasons)} for item in block.items]
    return {"snapshot_id": number, "source_id": block.source_id, "items": items, "shortfall": block.shortfall}


def _values(article: Article) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(article, name) for name in PLAIN}
    values |= {name: _iso(getattr(article, name)) for name in DATES}
    values |= {name: list(getattr(article, name)) for name in LISTS}
    return {**values, "extra": dict(article.extra)}


def _check(values: Mapping[str, Any]) -> None:
    plain = json.dumps(values, ensure_ascii=False)
    if "\\u0000" not in plain and not _HALVES.search(plain):
        return
    for name, value in values.items():
        text = json.dumps(value, ensure_ascii=False).replace("\\\\", "")
        if "\\u0000" in text or _HALVES.search(text):
            raise InputError(
                f"article {values['id']!r}: {name} holds a NUL character or half of a surrogate pair: take it out"
            )


def _iso(date: datetime | None) -> str | None:
    return date.isoformat() if date else None
