"""Articles as rows of Arrow tables, and back: what the store would hold of each, to the last bit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from simrec.store.records import DATES, LISTS, PLAIN, article_hash, to_article
from simrec.types import Article, Entry

FIELDS = (*PLAIN, *DATES, *LISTS, "extra")
"""Columns of an article, as the tables of an ingest have them: dates in ISO 8601, `extra` in JSON."""
PLACE = ("file", "line")
"""Columns that say where a record stood."""


@cache
def schema(*, place: bool = False) -> Any:
    """Of tables of articles: the fields, and `hash` of what was delivered; with where it stood, if asked for."""
    import pyarrow as pa

    kinds = dict.fromkeys(LISTS, pa.list_(pa.string())) | {"line": pa.int64()}
    names = (*FIELDS, "hash", *(PLACE if place else ()))
    return pa.schema([pa.field(name, kinds.get(name, pa.string())) for name in names])


def to_record(article: Article, hashed: str | None = None) -> dict[str, Any]:
    """A row: the article's fields and its hash; `hashed` where that is known."""
    record: dict[str, Any] = {name: getattr(article, name) for name in PLAIN}
    for name in DATES:
        date = getattr(article, name)
        record[name] = date.isoformat() if date else None
    record |= {name: list(getattr(article, name)) for name in LISTS}
    record["extra"] = json.dumps(dict(article.extra), ensure_ascii=False) if article.extra else None
    record["hash"] = hashed or article_hash(article)
    return record


def to_entry_record(entry: Entry) -> dict[str, Any]:
    """A row with where the record stood."""
    return to_record(entry.article) | {"file": entry.file, "line": entry.line}


def from_record(record: Mapping[str, Any]) -> Article:
    """The article of a row; its body is empty where the row has none."""
    return to_article({"body": "", **record, "extra": json.loads(record["extra"]) if record["extra"] else {}})


def from_entry_record(record: Mapping[str, Any]) -> Entry:
    """The entry of a row that says where its record stood."""
    return Entry(from_record(record), record["file"], record["line"])


def as_table(records: Iterable[Mapping[str, Any]], *, place: bool = False) -> Any:
    """An Arrow table of rows."""
    import pyarrow as pa

    return pa.Table.from_pylist(list(records), schema=schema(place=place))


__all__ = ["FIELDS", "PLACE", "as_table", "from_entry_record", "from_record", "schema", "to_entry_record", "to_record"]
