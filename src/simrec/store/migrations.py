"""The store's schema, step by step.

A migration is a function `mNNN_what_it_does`; it is never edited once it was released. `migrate` runs those that a
store has not seen, each in one transaction with the note that it ran.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlalchemy import Connection, Engine, insert, inspect, select, text, update

from simrec.errors import StoreError
from simrec.store.tables import blocks, metadata, schema_version, snapshots


def m001_initial(connection: Connection) -> None:
    """Articles, addresses, picks, rejects, snapshots, blocks."""
    metadata.create_all(connection)


def m002_snapshots_kept_up_to_date(connection: Connection) -> None:
    """What a snapshot was made with, how often it was changed since, and which of its blocks were."""
    added = (
        (snapshots, "fitted", "VARCHAR"),
        (snapshots, "revision", "INTEGER NOT NULL DEFAULT 0"),
        (blocks, "changed", "BOOLEAN NOT NULL DEFAULT 0"),
    )
    for table, name, kind in added:
        known = {column["name"] for column in inspect(connection).get_columns(table.name)}
        if name not in known:  # a new store has them from the first step
            connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {name} {kind}"))


MIGRATIONS: tuple[Callable[[Connection], None], ...] = tuple(
    function for name, function in sorted(globals().items()) if re.fullmatch(r"m\d{3}_\w+", name)
)


def migrate(engine: Engine) -> None:
    """Brings a store to the newest schema.

    Raises:
        StoreError: the store was written by a newer simrec.
    """
    with engine.begin() as connection:
        version = _version(connection)
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the store has schema {version}, this simrec knows {len(MIGRATIONS)}: install the newer one that wrote it"
        )
    for number in range(version, len(MIGRATIONS)):
        with engine.begin() as connection:
            if _version(connection) > number:
                continue  # another process was faster
            MIGRATIONS[number](connection)
            if number:
                connection.execute(update(schema_version).values(version=number + 1))
            else:
                connection.execute(insert(schema_version).values(version=1))


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(schema_version.name):
        return 0
    return int(connection.execute(select(schema_version.c.version)).scalar() or 0)
