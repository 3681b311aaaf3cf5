"""Articles, addresses, picks and rejects in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, delete, func, select

from simrec.store.base import MANY, Connected
from simrec.store.blocks import STREAMED
from simrec.store.records import article_of, pick_row, to_row, told
from simrec.store.rows import add_rows, put_rows
from simrec.store.tables import ARTICLE, addresses, articles, gone, picks, rejects
from simrec.text import content_hash
from simrec.types import Article, Entry, Pick, PickEntry, Reject

LONGEST = 1300
"""Bytes of an address by which articles find each other: two of them fit into a row of PostgreSQL's indexes."""
Find: TypeAlias = Callable[[str], str | None]
"""A reference as delivered, to the id of the article that it means."""

PAGE = "page"
"""Origin of the picks that a page's related block names."""
BY_HAND = "publish"
"""File of the articles that were published, withdrawn or unpublished one by one."""


@dataclass(slots=True)
class Ingested:
    """How many articles of a batch were new, changed and unchanged.

    `held` were taken out by hand; `unknown` are notices (`Article.is_notice`) of articles that are not stored.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    held: list[Entry] = field(default_factory=list)
    unknown: list[Entry] = field(default_factory=list)


class Held(NamedTuple):
    """All articles, by id, and the hash of what was delivered of each, as they were at one moment."""

    articles: list[Article]
    hashes: dict[str, str]


class ArticleStore(Connected):
    """The part of the store that ingests fill."""

    def put(self, entries: Sequence[Entry], keys: Callable[[Entry], Iterable[str]]) -> Ingested:
        """Stores a batch of articles with their addresses and their pages' links, in one transaction.

        A copy (`Entry.copy`) replaces nothing but a shorter copy. An article that was withdrawn or made a draft by hand
        stays as it is until it is published by hand again, whatever a source says of it. A notice
        (`Article.is_notice`) changes the state and the dates of a stored article, and nothing else.

        Args:
            entries: articles, no id twice.
            keys: the address keys under which others may link to an entry.
        """
        counts, rows, taken = Ingested(), list[Mapping[str, Any]](), list[Entry]()
        with self._write() as connection:
            known = _known(connection, [entry.article.id for entry in entries])
            for given in entries:
                before = known.get(given.article.id)
                if before is None and given.article.is_notice:
                    counts.unknown.append(given)
                    continue
                entry = _whole(connection, given)
                row = to_row(entry)
                if before and _is_held(before, entry):
                    counts.held.append(entry)
                    continue
                if before and (before["hash"] == row["hash"] or _stays(before, entry)):
                    counts.unchanged += 1
                    if (before["copy"] and not entry.copy) or before["file"] == BY_HAND:
                        rows.append(row)
                else:
                    rows.append(row)
                    counts.changed += before is not None
                    counts.new += before is None
                taken.append(entry)
            put_articles(connection, rows)
            put_addresses(connection, taken, keys)
            _put_links(connection, [entry for entry in taken if entry.links is not None])
        return counts

    def replace_picks(self, origin: str, entries: Iterable[PickEntry], formerly: Iterable[str] = ()) -> int:
        """Replaces all picks that came from `origin`, a file, and returns how many there are now.

        Args:
            origin: the file's name.
            entries: what it holds.
            formerly: other names that it went by.
        """
        with self._write() as connection:
            for name in (origin, *formerly):
                connection.execute(delete(picks).where(picks.c.origin == name))
            rows = {(e.pick.source_id, e.pick.target_id): pick_row(e, origin) for e in entries}
            put_rows(connection, picks, rows.values())
        return len(rows)

    def resolve_picks(self, finder: Callable[[Mapping[str, str], set[str]], Find]) -> list[Reject]:
        """Finds the articles that picks refer to, and returns a reject for each that refers to none.

        Picks that refer to nothing yet stay, and are looked at again after the next ingest.

        Args:
            finder: makes, of the article ids by address key and of all ids, what finds the id of a reference.
        """
        with self._write() as connection:
            ids = set(connection.scalars(select(articles.c.id)))
            find = finder({row.key: row.article_id for row in connection.execute(select(addresses))}, ids)
            missing, found = [], []
            for row in connection.execute(select(picks).order_by(picks.c.file, picks.c.line, *picks.primary_key)):
                source, target = find(row.source_ref), find(row.target_ref)
                if (row.source_id, row.target_id) != (source, target):
                    found.append({**row._mapping, "source_id": source, "target_id": target})
                unknown = row.source_ref if source is None else row.target_ref if target is None else None
                if unknown is not None:
                    side = "from" if source is None else "to"
                    missing.append(Reject(row.file, row.line, f"pick {side} unknown article {unknown!r}"))
            put_rows(connection, picks, found)
        return missing

    def clear_rejects(self, source: str) -> None:
        """Forgets what earlier ingests of a source turned away."""
        with self._write() as connection:
            connection.execute(delete(rejects).where(rejects.c.source == source))

    def add_rejects(self, source: str, found: Iterable[Reject]) -> None:
        """Keeps rejects of a source."""
        rows = [{"source": source, "file": r.file, "line": r.line, "reason": r.reason} for r in found]
        if rows:
            with self._write() as connection:
                add_rows(connection, rejects, rows)

    def rejects(self) -> list[Reject]:
        """What the last ingest of every source turned away."""
        with self._read() as connection:
            found = connection.execute(select(rejects).order_by(rejects.c.number))
            return [Reject(row.file, row.line, row.reason) for row in found]

    def articles(self) -> list[Article]:
        """All articles, by id."""
        with self._read() as connection:
            return list(map(article_of, connection.execute(select(*ARTICLE).order_by(articles.c.id))))

    def held(self) -> Held:
        """All articles with their hashes: of one moment, whoever writes meanwhile."""
        with self._read() as connection:
            rows = connection.execute(select(*ARTICLE, articles.c.hash).order_by(articles.c.id)).all()
        return Held([article_of(row[:-1]) for row in rows], {row[0]: row[-1] for row in rows})

    def each_article(self) -> Iterator[tuple[Article, str]]:
        """Each article with its hash, by id: of one moment, and read as they are asked for."""
        with self._read() as connection:
            ordered = select(*ARTICLE, articles.c.hash).order_by(articles.c.id)
            for row in connection.execute(ordered, execution_options=STREAMED):
                yield article_of(row[:-1]), row[-1]

    def article_hashes(self) -> dict[str, str]:
        """The hash of what was delivered of each article, by id."""
        with self._read() as connection:
            return {row.id: row.hash for row in connection.execute(select(articles.c.id, articles.c.hash))}

    def article(self, id_: str) -> Article | None:
        """The article of an id; None where there is none."""
        with self._read() as connection:
            row = connection.execute(select(*ARTICLE).where(articles.c.id == id_)).first()
        return article_of(row) if row else None

    def note_gone(self, found: Mapping[str, datetime]) -> None:
        """Notes that articles which are not stored were taken out, and when; the latest moment counts."""
        with self._write(alone=False) as connection:
            known = connection.execute(select(gone).where(gone.c.id.in_(found)))
            before = {row.id: datetime.fromisoformat(row.at) for row in known}
            rows = [{"id": id_, "at": _later(at, before.get(id_))} for id_, at in sorted(found.items())]
            put_rows(connection, gone, rows)

    def gone_at(self, id_: str) -> datetime | None:
        """When an article was taken out that was not stored; None where it was not."""
        with self._read() as connection:
            found = connection.scalar(select(gone.c.at).where(gone.c.id == id_))
        return datetime.fromisoformat(found) if found else None

    def clean_gone(self, before: datetime) -> int:
        """Forgets the articles that are not stored and were taken out before a moment; returns how many that were."""
        with self._write(alone=False) as connection:
            old = gone.c.at < before.astimezone(UTC).isoformat()
            return int(connection.execute(delete(gone).where(old)).rowcount)

    def article_count(self) -> int:
        """How many articles there are."""
        with self._read() as connection:
            return int(connection.scalar(select(func.count()).select_from(articles)) or 0)


def _later(at: datetime, known: datetime | None) -> str:
    """The later of two moments, as text that sorts as moments do."""
    return max(at, known or at).astimezone(UTC).isoformat()


def _known(connection: Connection, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    known: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(ids), MANY):
        columns = (
            articles.c.id,
            articles.c.hash,
            articles.c.copy,
            articles.c.file,
            articles.c.status,
            func.length(articles.c.body).label("length"),
        )
        found = connection.execute(select(*columns).where(articles.c.id.in_(ids[start : start + MANY])))
        known |= {row["id"]: row for row in found.mappings()}
    return known


def _whole(connection: Connection, entry: Entry) -> Entry:
    """An entry; in place of a notice, the stored article in the state that it tells."""
    if not entry.article.is_notice:
        return entry
    row = connection.execute(select(*ARTICLE).where(articles.c.id == entry.article.id)).one()
    return replace(entry, article=told(article_of(row), entry.article), links=None, addresses=(), copy=False)


def _is_held(before: Mapping[str, Any], entry: Entry) -> bool:
    """Whether an article was taken out by hand, and a source, that does not know of it, would bring it back."""
    out = before["file"] == BY_HAND and before["status"] in ("withdrawn", "draft")
    return out and entry.file != BY_HAND and entry.article.status in ("published", "embargoed")


def _stays(before: Mapping[str, Any], entry: Entry) -> bool:
    """Whether what is stored is better than a copy that arrives."""
    return entry.copy and (not before["copy"] or before["length"] >= len(entry.article.body))


def put_articles(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Stores articles, in place of those of their ids, with a number by which readers tell them from what they know."""
    seq = 1 + (connection.scalar(select(func.max(articles.c.seq))) or 0)
    put_rows(connection, articles, ({**row, "seq": seq} for row in rows))


def put_addresses(connection: Connection, entries: Iterable[Entry], keys: Callable[[Entry], Iterable[str]]) -> None:
    """Stores the addresses of articles that no other one has."""
    found = ((key, entry.article.id) for entry in entries for key in dict.fromkeys(keys(entry)))
    rows = ({"key": key, "article_id": id_} for key, id_ in found if len(key.encode()) <= LONGEST)
    add_rows(connection, addresses, rows)


def _put_links(connection: Connection, entries: Sequence[Entry]) -> None:
    """Stores what pages name in their related blocks, in place of what they named before."""
    for start in range(0, len(entries), MANY):
        sources = [entry.article.id for entry in entries[start : start + MANY]]
        connection.execute(delete(picks).where(picks.c.origin == PAGE, picks.c.source_ref.in_(sources)))
    rows = (
        pick_row(PickEntry(Pick(entry.article.id, link, rank), entry.file, entry.line), PAGE)
        for entry in entries
        for rank, link in enumerate(dict.fromkeys(map(_short, entry.links or ())), start=1)
    )
    add_rows(connection, picks, rows)


def _short(link: str) -> str:
    """A link; one that is too long for an index is cut, and led to no article uncut."""
    raw = link.encode()
    if len(raw) <= LONGEST:
        return link
    return f"{raw[: LONGEST - 70].decode(errors='ignore')}…{content_hash(link)}"
