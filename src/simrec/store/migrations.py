"""The store's schema, step by step.

A migration is a function `mNNN_what_it_does`; it is never edited once it was released. `migrate` runs those that a
store has not seen, all in one transaction, after a copy of the file was laid beside it.
"""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, MetaData, Table, delete, func, insert, inspect, select, text

from simrec.errors import StoreError
from simrec.files import PART, part_prefix
from simrec.store.said_before import log_what_was_said
from simrec.store.tables import (
    acts,
    articles,
    audit,
    blocks,
    comparisons,
    desk_sessions,
    gone,
    history,
    idempotency,
    inbox,
    keys,
    metadata,
    pages,
    picks,
    schema_version,
    snapshot_articles,
    snapshot_pins,
    snapshots,
)


def m001_initial(connection: Connection) -> None:
    """Articles, addresses, picks, rejects, snapshots, blocks."""
    metadata.create_all(connection)


def m002_snapshots_kept_up_to_date(connection: Connection) -> None:
    """What a snapshot was made with, how often it was changed since, and which of its blocks were."""
    _add_columns(connection, snapshots, fitted="VARCHAR", revision="INTEGER NOT NULL DEFAULT 0")
    _add_columns(connection, blocks, changed="BOOLEAN NOT NULL DEFAULT 0")


def m003_snapshots_compared_and_judged(connection: Connection) -> None:
    """What a snapshot was made of, what the gate said of it, and when it was changed."""
    _add_columns(
        connection, snapshots, changed_at="VARCHAR", parent="INTEGER", refused="VARCHAR", figures="JSON",
        made_with="JSON",
    )  # fmt: skip
    metadata.create_all(connection, tables=[snapshot_articles, snapshot_pins])


def m004_served_and_edited(connection: Connection) -> None:
    """In what order articles and blocks changed, what editors did, who may do what, and what is asked of the writer."""
    _add_columns(connection, articles, seq="INTEGER NOT NULL DEFAULT 0")
    _add_columns(connection, blocks, revision="INTEGER NOT NULL DEFAULT 0")
    _add_columns(connection, picks, who="VARCHAR", at="VARCHAR")
    _add_columns(connection, snapshot_pins, bans="JSON")
    new = [pages, acts, comparisons, history, keys, audit, idempotency, inbox, desk_sessions]
    metadata.create_all(connection, tables=new)
    _pins_to_pages(connection)
    for index in (*articles.indexes, *blocks.indexes):
        index.create(connection, checkfirst=True)


def m005_gone_before_they_came(connection: Connection) -> None:
    """Which articles a system took out before they were known."""
    metadata.create_all(connection, tables=[gone])


def m006_each_judge_by_themselves(connection: Connection) -> None:
    """Who said it is part of a judgement's key: what one judge says of a pair stands beside what another one says."""
    if "who" in inspect(connection).get_pk_constraint(picks.name)["constrained_columns"]:
        return  # a new store has it from the first step
    before = picks.to_metadata(MetaData(), name="picks_before")
    connection.execute(text("CREATE TABLE picks_before AS SELECT * FROM picks"))
    picks.drop(connection)
    picks.create(connection)
    values = [func.coalesce(column, "") if column.name == "who" else column for column in before.columns]
    connection.execute(insert(picks).from_select(before.columns.keys(), select(*values)))
    before.drop(connection)


def m007_what_was_said_is_in_the_log(connection: Connection) -> None:
    """What judges said, and that a page was found fine, are acts; what was said before comes into the log."""
    _add_columns(connection, acts, said="JSON")
    _add_columns(connection, comparisons, act="BIGINT", undone_by="BIGINT")
    log_what_was_said(connection)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = tuple(
    function for name, function in sorted(globals().items()) if re.fullmatch(r"m\d{3}_\w+", name)
)


def migrate(engine: Engine, place: Path | URL) -> None:
    """Brings a store to the newest schema; a file that holds something is copied first, to `NAME.v<its schema>.bak`.

    Args:
        engine: whose transactions take the write lock at once.
        place: of the store.

    Raises:
        StoreError: the store was written by a newer simrec, or cannot be copied; it is as it was.
    """
    with engine.connect().execution_options(immediate=False) as connection:
        version = _version(connection)
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the store has schema {version}, this simrec knows {len(MIGRATIONS)}: install the newer one that wrote it"
        )
    if version == len(MIGRATIONS):
        return
    with engine.begin() as connection:
        version = _version(connection)  # another process may have been faster
        if version and isinstance(place, Path):
            back_up(place, place.with_name(f"{place.name}.v{version}.bak"))
        for migration in MIGRATIONS[version:]:
            migration(connection)
        connection.execute(delete(schema_version))
        connection.execute(insert(schema_version).values(version=max(version, len(MIGRATIONS))))


def back_up(path: Path, copy: Path) -> None:
    """Copies a store as it is, whole or not at all, while others may read and write it.

    Raises:
        StoreError: the copy cannot be written.
    """
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=copy.parent, prefix=part_prefix(), suffix=PART)
        os.close(handle)
        part = Path(name)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as target:
            source.backup(target)
        part.chmod(path.stat().st_mode & 0o777)
        part.replace(copy)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path} cannot be copied to {copy.name} before it is brought to the new schema: {error}; "
                         "free some space and run it again, nothing was changed") from error  # fmt: skip
    finally:
        if part:
            part.unlink(missing_ok=True)


def _add_columns(connection: Connection, table: Table, **columns: str) -> None:
    """Adds those columns, by name their kinds, that a table does not have: a new store has them from the first step."""
    known = {column["name"] for column in inspect(connection).get_columns(table.name)}
    for name, kind in columns.items():
        if name not in known:
            connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {name} {kind}"))


def _pins_to_pages(connection: Connection) -> None:
    """What was pinned before there were acts is what stands of them, by page; nobody knows who did it."""
    pinned = select(picks.c.source_id, picks.c.target_id).where(
        picks.c.origin == "pin", picks.c.source_id.is_not(None), picks.c.target_id.is_not(None)
    )
    found: dict[str, list[str]] = {}
    for source, target in connection.execute(pinned.order_by(picks.c.source_id, picks.c.rank, picks.c.target_id)):
        found.setdefault(source, []).append(target)
    rows = [
        {"source_id": source, "version": 0, "pins": list(dict.fromkeys(targets)), "bans": [], "accepted": []}
        for source, targets in found.items()
    ]
    if rows:
        connection.execute(insert(pages), rows)


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(schema_version.name):
        return 0
    return int(connection.execute(select(schema_version.c.version)).scalar() or 0)
