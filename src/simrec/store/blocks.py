"""Blocks as rows: written in batches, copied, counted, listed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias

from sqlalchemy import Connection, func, insert, literal, select, update

from simrec.store.base import MANY, replacing
from simrec.store.records import StoredBlock, block_row
from simrec.store.tables import blocks, snapshots

Listed: TypeAlias = tuple[str, list[str]]
"""A block in short: the page's id, and the ids of its items and spares, best first."""


def list_blocks(connection: Connection, number: int, sources: Collection[str] | None = None) -> Iterator[Listed]:
    """The blocks of a snapshot in short, by source id; of all sources, or of those named, in no order."""
    # by the driver: each item's reasons are read and thrown away, a hundred thousand times
    wanted, by_source = "SELECT source_id, items FROM blocks WHERE snapshot_id = ?", "ORDER BY source_id"
    if sources is None:
        found = iter([connection.exec_driver_sql(f"{wanted} {by_source}", (number,))])
    else:
        one = f"{wanted} AND source_id = ?"
        found = (connection.exec_driver_sql(one, (number, source)) for source in sources)
    for rows in found:
        for source_id, items in rows:
            yield source_id, [item["id"] for item in json.loads(items)]


def copy_blocks(connection: Connection, like: int, number: int) -> None:
    """Copies the blocks of one snapshot to another."""
    columns = (blocks.c.source_id, blocks.c["items"], blocks.c.shortfall, blocks.c.changed)
    before = select(literal(number), *columns).where(blocks.c.snapshot_id == like)
    names = ["snapshot_id", "source_id", "items", "shortfall", "changed"]
    connection.execute(insert(blocks).from_select(names, before))


def put_blocks(connection: Connection, number: int, found: Iterable[StoredBlock], *, changed: bool) -> None:
    """Stores blocks of a snapshot, in place of those of their sources; `changed` since what was fitted was saved."""
    waiting = iter(found)
    while rows := [block_row(number, block) | {"changed": changed} for block in islice(waiting, MANY)]:
        connection.execute(replacing(blocks), rows)


def count_blocks(connection: Connection, number: int) -> None:
    """Notes how many of a snapshot's blocks have items."""
    filled = select(func.count()).select_from(blocks).where(blocks.c.snapshot_id == number, _has_items())
    connection.execute(update(snapshots).where(snapshots.c.id == number).values(blocks=filled.scalar_subquery()))


def count_filled(connection: Connection, number: int, sources: Sequence[str]) -> int:
    """How many of these sources' blocks have items."""
    counted = 0
    for start in range(0, len(sources), MANY):
        some = sources[start : start + MANY]
        places = ", ".join("?" * len(some))
        filled = f"SELECT count(*) FROM blocks WHERE snapshot_id = ? AND source_id IN ({places})"  # noqa: S608 - only question marks are put in
        filled += " AND json_array_length(items) > 0"
        counted += connection.exec_driver_sql(filled, (number, *some)).scalar_one()
    return counted


def _has_items() -> Any:
    return func.json_array_length(blocks.c["items"]) > 0
