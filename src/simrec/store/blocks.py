"""Blocks as rows: written in batches, copied, counted, listed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias

from sqlalchemy import Connection, func, insert, literal, select, update

from simrec.store.base import MANY, replacing
from simrec.store.records import StoredBlock, block_row
from simrec.store.tables import blocks, snapshots

Listed: TypeAlias = tuple[str, list[str]]
"""A block in short: the page's id, and the ids of its items and spares, best first."""


def list_blocks(connection: Connection, number: int) -> Iterator[Listed]:
    """The blocks of a snapshot in short, by source id."""
    wanted = select(blocks.c.source_id, blocks.c["items"]).where(blocks.c.snapshot_id == number)
    for source_id, items in connection.execute(wanted.order_by(blocks.c.source_id)):
        yield source_id, [item["id"] for item in items]


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
    filled = select(func.count()).select_from(blocks).where(blocks.c.snapshot_id == number, _has_items())
    some = (sources[start : start + MANY] for start in range(0, len(sources), MANY))
    return sum(int(connection.scalar(filled.where(blocks.c.source_id.in_(ids))) or 0) for ids in some)


def _has_items() -> Any:
    return func.json_array_length(blocks.c["items"]) > 0
