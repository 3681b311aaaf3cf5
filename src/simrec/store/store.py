"""Reading and writing the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeAlias

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, literal, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import SQLAlchemyError

from simrec.errors import ConflictError, StoreError
from simrec.store import engine
from simrec.store.migrations import migrate
from simrec.store.records import StoredBlock, StoredItem, block_row, pick_row, to_article, to_row
from simrec.store.tables import addresses, articles, blocks, picks, rejects, snapshots
from simrec.types import Article, Entry, Pick, PickEntry, Reject

MANY = 500
"""Values in one SQL statement: below SQLite's least limit."""
Find: TypeAlias = Callable[[str], str | None]
"""A reference as delivered, to the id of the article that it means."""

PAGE = "page"
"""Origin of the picks that a page's related block names."""
PIN = "pin"
"""Origin of the picks that stand first in a block, whatever the settings say."""
DESK = "desk"
"""Origin of the picks that were made one by one."""


@dataclass(slots=True)
class Ingested:
    """How many articles of a batch were new, changed and unchanged."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One build's result."""

    id: int
    created_at: datetime
    model: str
    k: int
    articles: int
    blocks: int
    settings: Mapping[str, Any]
    active: bool
    fitted: str | None = None
    revision: int = 0


class Store:
    """A workspace's SQLite file. Use it as a context manager, or close it.

    Raises:
        StoreError: from any method, where the file cannot be read or written, is no store, or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = engine.open_engine(path)
        self._writer = engine.writing(self._engine)
        with self._guard():
            migrate(self._writer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._engine.dispose()

    # Ingest

    def put(self, entries: Sequence[Entry], keys: Callable[[Entry], Iterable[str]]) -> Ingested:
        """Stores a batch of articles with their addresses and their pages' links, in one transaction.

        A copy (`Entry.copy`) replaces nothing but a shorter copy.

        Args:
            entries: articles, no id twice.
            keys: the address keys under which others may link to an entry.
        """
        counts = Ingested()
        with self._write() as connection:
            known = _known(connection, [entry.article.id for entry in entries])
            for entry in entries:
                row, before = to_row(entry), known.get(entry.article.id)
                if before and (before["hash"] == row["hash"] or _stays(before, entry)):
                    counts.unchanged += 1
                    if before["copy"] and not entry.copy:
                        _put_article(connection, row)
                else:
                    _put_article(connection, row)
                    counts.changed += before is not None
                    counts.new += before is None
                _put_addresses(connection, entry.article.id, keys(entry))
                if entry.links is not None:
                    _put_links(connection, entry)
        return counts

    def replace_picks(self, origin: str, entries: Iterable[PickEntry]) -> int:
        """Replaces all picks that came from `origin`, a file, and returns how many there are now."""
        with self._write() as connection:
            connection.execute(delete(picks).where(picks.c.origin == origin))
            rows = {(e.pick.source_id, e.pick.target_id): pick_row(e, origin) for e in entries}
            if rows:
                connection.execute(insert(picks), list(rows.values()))
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
            for row in connection.execute(select(picks)):
                source, target = find(row.source_ref), find(row.target_ref)
                found.append({"s": row.source_ref, "t": row.target_ref, "o": row.origin, "si": source, "ti": target})
                unknown = row.source_ref if source is None else row.target_ref if target is None else None
                if unknown is not None:
                    side = "from" if source is None else "to"
                    missing.append(Reject(row.file, row.line, f"pick {side} unknown article {unknown!r}"))
            if found:
                statement = update(picks).where(
                    picks.c.source_ref == bindparam("s"),
                    picks.c.target_ref == bindparam("t"),
                    picks.c.origin == bindparam("o"),
                )
                connection.execute(statement.values(source_id=bindparam("si"), target_id=bindparam("ti")), found)
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
                connection.execute(insert(rejects), rows)

    def rejects(self) -> list[Reject]:
        """What the last ingest of every source turned away."""
        with self._read() as connection:
            found = connection.execute(select(rejects).order_by(rejects.c.number))
            return [Reject(row.file, row.line, row.reason) for row in found]

    # Read

    def articles(self) -> list[Article]:
        """All articles, by id."""
        with self._read() as connection:
            found = connection.execute(select(articles).order_by(articles.c.id)).mappings()
            return [to_article({**row}) for row in found]

    def article_hashes(self) -> dict[str, str]:
        """The hash of what was delivered of each article, by id."""
        with self._read() as connection:
            return {row.id: row.hash for row in connection.execute(select(articles.c.id, articles.c.hash))}

    def article(self, id_: str) -> Article | None:
        """The article of an id; None where there is none."""
        with self._read() as connection:
            row = connection.execute(select(articles).where(articles.c.id == id_)).mappings().first()
        return to_article({**row}) if row else None

    def article_count(self) -> int:
        """How many articles there are."""
        with self._read() as connection:
            return int(connection.scalar(select(func.count()).select_from(articles)) or 0)

    def picks(self) -> list[Pick]:
        """All picks between known articles, by source and rank; each pair once, no article of itself."""
        statement = (
            select(picks)
            .where(picks.c.source_id.is_not(None), picks.c.target_id.is_not(None))
            .where(picks.c.source_id != picks.c.target_id)
            .order_by(picks.c.source_id, picks.c.rank, picks.c.target_id)
        )
        pairs: dict[tuple[str, str], Pick] = {}
        with self._read() as connection:
            for row in connection.execute(statement):
                pick = Pick(row.source_id, row.target_id, row.rank, row.grade)
                pairs.setdefault((pick.source_id, pick.target_id), pick)
        return list(pairs.values())

    def pins(self) -> list[Pick]:
        """The articles that an editor pinned under others, by page and rank."""
        statement = (
            select(picks).where(picks.c.origin == PIN).order_by(picks.c.source_id, picks.c.rank, picks.c.target_id)
        )
        with self._read() as connection:
            return [Pick(row.source_id, row.target_id, row.rank, row.grade) for row in connection.execute(statement)]

    # Snapshots

    def write_snapshot(
        self, found: Iterable[StoredBlock], *, model: str, k: int, settings: Mapping[str, Any], keep: int,
        fitted: str | None = None, like: int | None = None,
    ) -> Snapshot:  # fmt: skip
        """Writes a snapshot and activates it, in one transaction; then deletes all but the `keep` newest.

        Args:
            found: its blocks.
            model, k, settings: what made it.
            keep: snapshots to keep.
            fitted: names what the site was fitted with, where blocks can be kept up to date.
            like: a snapshot whose blocks are taken over, where `found` has none for a source.
        """
        with self._write() as connection:
            total = int(connection.scalar(select(func.count()).select_from(articles)) or 0)
            connection.execute(update(snapshots).values(active=False))
            values = {"created_at": datetime.now(UTC).isoformat(timespec="seconds"), "model": model, "k": k}
            values |= {"articles": total, "blocks": 0, "settings": dict(settings), "active": True, "fitted": fitted}
            number = connection.execute(insert(snapshots).values(values).returning(snapshots.c.id)).scalar_one()
            if like is not None:
                columns = (blocks.c.source_id, blocks.c["items"], blocks.c.shortfall, blocks.c.changed)
                before = select(literal(number), *columns).where(blocks.c.snapshot_id == like)
                names = ["snapshot_id", "source_id", "items", "shortfall", "changed"]
                connection.execute(insert(blocks).from_select(names, before))
            _put_blocks(connection, number, found, changed=like is not None)
            _count_blocks(connection, number)
            newest = select(snapshots.c.id).order_by(snapshots.c.id.desc()).limit(keep)
            connection.execute(delete(snapshots).where(snapshots.c.id.not_in(newest)))
        return self.snapshot(number)

    def change(
        self, entries: Sequence[Entry], chosen: Sequence[PickEntry], origin: str, found: Iterable[StoredBlock],
        snapshot: Snapshot, keys: Callable[[Entry], Iterable[str]], total: int,
    ) -> Snapshot:  # fmt: skip
        """Stores articles and picks, and brings the blocks of the active snapshot up to date: all of it, or nothing.

        Args:
            entries: articles, new or changed.
            chosen: picks to add, of known articles.
            origin: where they come from.
            found: blocks that are others now.
            snapshot: as it was when they were made.
            keys: the address keys under which others may link to an entry.
            total: articles that there are now.

        Raises:
            ConflictError: the snapshot is not the active one, or was changed since; nothing was stored.
        """
        with self._write() as connection:
            same = (snapshots.c.id == snapshot.id, snapshots.c.active, snapshots.c.revision == snapshot.revision)
            changed = connection.execute(
                update(snapshots).where(*same).values(revision=snapshot.revision + 1, articles=total)
            )
            if changed.rowcount != 1:
                raise ConflictError("another process has changed the blocks meanwhile")
            for entry in entries:
                _put_article(connection, to_row(entry))
                _put_addresses(connection, entry.article.id, keys(entry))
            for pick in chosen:
                row = pick_row(pick, origin) | {"source_id": pick.pick.source_id, "target_id": pick.pick.target_id}
                statement = upsert(picks).values(row)
                same_pick = ["source_ref", "target_ref", "origin"]
                connection.execute(statement.on_conflict_do_update(index_elements=same_pick, set_=row))
            _put_blocks(connection, snapshot.id, found, changed=True)
        return replace(snapshot, revision=snapshot.revision + 1, articles=total)

    def changed_blocks(self, number: int) -> list[str]:
        """The sources whose blocks in a snapshot were made again since what was fitted was saved."""
        with self._read() as connection:
            wanted = select(blocks.c.source_id).where(blocks.c.snapshot_id == number, blocks.c.changed)
            return list(connection.scalars(wanted))

    def settle_blocks(self, number: int) -> None:
        """Notes that what was fitted was saved with all that the blocks of a snapshot show."""
        with self._write() as connection:
            connection.execute(update(blocks).where(blocks.c.snapshot_id == number).values(changed=False))

    def snapshot(self, number: int | None = None) -> Snapshot:
        """The snapshot of that number, or the active one.

        Raises:
            StoreError: there is none.
        """
        wanted = snapshots.c.active if number is None else snapshots.c.id == number
        with self._read() as connection:
            row = connection.execute(select(snapshots).where(wanted)).mappings().first()
        if row is None:
            raise StoreError("there is no snapshot yet: run `simrec build` first")
        return Snapshot(**{**row, "created_at": datetime.fromisoformat(row["created_at"])})

    def newest_snapshot(self) -> int | None:
        """The number of the newest snapshot, active or not."""
        with self._read() as connection:
            found: int | None = connection.scalar(select(func.max(snapshots.c.id)))
        return found

    def blocks(self, number: int, source_ids: Sequence[str] | None = None) -> Iterator[StoredBlock]:
        """The blocks of a snapshot, by source id; of all sources, or of those named."""
        statement = select(blocks).where(blocks.c.snapshot_id == number).order_by(blocks.c.source_id)
        parts: list[Any] = [statement]
        if source_ids is not None:
            wanted = sorted(set(source_ids))
            some = (wanted[start : start + MANY] for start in range(0, len(wanted), MANY))
            parts = [statement.where(blocks.c.source_id.in_(ids)) for ids in some]
        with self._read() as connection:
            for part in parts:
                for row in connection.execute(part):
                    items = tuple(StoredItem(**item) for item in row._mapping["items"])
                    yield StoredBlock(row.source_id, items, row.shortfall)

    # Connections

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._guard(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._guard(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            cause = getattr(error, "orig", None) or error
            raise StoreError(f"{self.path}: {engine.advice(str(cause))}") from error


def _known(connection: Connection, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    known: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(ids), MANY):
        columns = (
            articles.c.id,
            articles.c.hash,
            articles.c.copy,
            func.length(articles.c.body).label("length"),
        )
        found = connection.execute(select(*columns).where(articles.c.id.in_(ids[start : start + MANY])))
        known |= {row["id"]: row for row in found.mappings()}
    return known


def _stays(before: Mapping[str, Any], entry: Entry) -> bool:
    """Whether what is stored is better than a copy that arrives."""
    return entry.copy and (not before["copy"] or before["length"] >= len(entry.article.body))


def _put_article(connection: Connection, row: Mapping[str, Any]) -> None:
    connection.execute(_replacing(articles), dict(row))


@cache
def _replacing(table: Table) -> Any:
    """Inserts rows of a table, and replaces those that are there; made once, for it takes longer than it runs."""
    statement = upsert(table)
    keys = {column.name for column in table.primary_key}
    values = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=sorted(keys), set_=values)


def _put_addresses(connection: Connection, article_id: str, keys: Iterable[str]) -> None:
    rows = [{"key": key, "article_id": article_id} for key in dict.fromkeys(keys)]
    if rows:
        connection.execute(upsert(addresses).on_conflict_do_nothing(), rows)


def _put_links(connection: Connection, entry: Entry) -> None:
    source = entry.article.id
    connection.execute(delete(picks).where(picks.c.origin == PAGE, picks.c.source_ref == source))
    rows = [
        pick_row(PickEntry(Pick(source, link, rank), entry.file, entry.line), PAGE)
        for rank, link in enumerate(dict.fromkeys(entry.links or ()), start=1)
    ]
    if rows:
        connection.execute(insert(picks), rows)


def _put_blocks(connection: Connection, number: int, found: Iterable[StoredBlock], *, changed: bool) -> None:
    waiting = iter(found)
    while rows := [block_row(number, block) | {"changed": changed} for block in islice(waiting, MANY)]:
        connection.execute(_replacing(blocks), rows)


def _count_blocks(connection: Connection, number: int) -> None:
    filled = (
        select(func.count())
        .select_from(blocks)
        .where(blocks.c.snapshot_id == number, func.json_array_length(blocks.c["items"]) > 0)
    )
    connection.execute(update(snapshots).where(snapshots.c.id == number).values(blocks=filled.scalar_subquery()))
