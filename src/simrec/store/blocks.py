"""Blocks as rows: written in batches, copied, counted, listed."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import Connection, func, insert, literal, select, text, update

from simrec.errors import ConflictError
from simrec.store.records import StoredBlock, StoredItem, block_row
from simrec.store.rows import MANY, put_rows
from simrec.store.tables import blocks, snapshots

Listed: TypeAlias = tuple[str, list[str]]
"""A block in short: the page's id, and the ids of its items and spares, best first."""
Found = TypeVar("Found")
_ID = '{"id": "'
"""What an item begins with, as `json.dumps` writes it: in a string, say in a term, the quotes would be escaped."""
STREAMED = {"stream_results": True, "max_row_buffer": MANY}
"""Rows come as they are read, where a driver would hold them all."""
_IDS = (
    "(SELECT json_agg(item ->> 'id' ORDER BY place) FROM json_array_elements(items) WITH ORDINALITY AS _(item, place))"
)
_LISTED = f"SELECT source_id, {_IDS} FROM blocks WHERE snapshot_id = :number"  # noqa: S608 - of the line above
LISTED = text(f"{_LISTED} ORDER BY source_id")
LISTED_SOME = text(f"{_LISTED} AND source_id = ANY(CAST(:sources AS text[])) ORDER BY source_id")


class Before(NamedTuple):
    """The active snapshot's blocks: all, or, where it is not `whole`, only those that a new one does not take over."""

    blocks: Iterable[Listed]
    whole: bool


class Verdict(NamedTuple):
    """What a judge found: figures by name, and why the snapshot must not be activated; None where it may."""

    figures: dict[str, float | None]
    refused: str | None


Judge: TypeAlias = "Callable[[Iterable[Listed], Before | None], Verdict]"
"""Looks at a new snapshot's blocks, and at those of the active one, None where there is none: may it be activated?"""


def read_blocks(connection: Connection, number: int, source_ids: Sequence[str] | None = None) -> Iterator[StoredBlock]:
    """The blocks of a snapshot, by source id; of all sources, or of those named."""
    columns = blocks.c.source_id, blocks.c["items"], blocks.c.shortfall
    statement = select(*columns).where(blocks.c.snapshot_id == number).order_by(blocks.c.source_id)
    parts: list[Any] = [statement]
    if source_ids is not None:
        wanted = sorted(set(source_ids))
        some = (wanted[start : start + MANY] for start in range(0, len(wanted), MANY))
        parts = [statement.where(blocks.c.source_id.in_(ids)) for ids in some]
    for part in parts:
        for source_id, items, shortfall in connection.execute(part, execution_options=STREAMED):
            yield StoredBlock(source_id, tuple(StoredItem(**item) for item in items), shortfall)


def of_snapshot(connection: Connection, number: int, found: Iterable[Found]) -> Iterator[Found]:
    """What was found of a snapshot, as it comes; nothing only where there is such a snapshot, that has none of it.

    Raises:
        ConflictError: there is none, any more.
    """
    is_empty = True
    for one in found:
        is_empty = False
        yield one
    if is_empty and connection.scalar(select(snapshots.c.id).where(snapshots.c.id == number)) is None:
        raise ConflictError(f"snapshot {number} is not there any more, another process has deleted it: try again")


def list_blocks(connection: Connection, number: int, sources: Collection[str] | None = None) -> Iterator[Listed]:
    """The blocks of a snapshot in short, by source id; of all sources, or of those named, in no order."""
    if connection.dialect.name == "postgresql":
        yield from _list_on_server(connection, number, sources)
        return
    # by the driver, and the ids alone: reasons are read by nobody here, a hundred thousand times
    wanted, by_source = "SELECT source_id, items FROM blocks WHERE snapshot_id = ?", "ORDER BY source_id"
    if sources is None:
        found = iter([connection.exec_driver_sql(f"{wanted} {by_source}", (number,))])
    else:
        ids = list(sources)
        parts = [ids[start : start + MANY] for start in range(0, len(ids), MANY)]
        some = [f"{wanted} AND source_id IN ({', '.join('?' * len(part))})" for part in parts]
        found = (connection.exec_driver_sql(one, (number, *part)) for one, part in zip(some, parts, strict=True))
    for rows in found:
        for source_id, items in rows:
            yield source_id, ids_in(items)


def ids_in(items: str) -> list[str]:
    """The ids of a block's items, from their column's text.

    >>> ids_in('[{"id": "a", "score": 1.0, "reasons": {}}, {"id": "b", "score": 0.5, "reasons": {}}]')
    ['a', 'b']
    """
    first, *others = items.split(_ID)
    found = [text[: text.index('"')] for text in others]
    plain = first == "[" and items.endswith("}]") and "\\" not in "".join(found)
    if not plain:  # not as it is written here, cut off, or a sign that JSON escapes
        return [item["id"] for item in json.loads(items)]
    return found


def _list_on_server(connection: Connection, number: int, sources: Collection[str] | None) -> Iterator[Listed]:
    """The same: the server picks the ids, so that the rest of the items need not come over."""
    statement, wanted = (LISTED, {}) if sources is None else (LISTED_SOME, {"sources": list(sources)})
    for source_id, ids in connection.execute(statement, {"number": number, **wanted}, execution_options=STREAMED):
        yield source_id, ids or []


def blocks_before(
    connection: Connection, number: int | None, like: int | None, found: Iterable[StoredBlock]
) -> Before | None:
    """The blocks of the snapshot that is active where one is written, with what was `found`, else `like` another."""
    if number is None:
        return None
    if number != like:
        return Before(list_blocks(connection, number), whole=True)
    return Before(list_blocks(connection, number, [block.source_id for block in found]), whole=False)


def copy_blocks(connection: Connection, like: int, number: int) -> None:
    """Copies the blocks of one snapshot to another."""
    columns = (blocks.c.source_id, blocks.c["items"], blocks.c.shortfall, blocks.c.changed)
    before = select(literal(number), *columns).where(blocks.c.snapshot_id == like)
    names = ["snapshot_id", "source_id", "items", "shortfall", "changed"]
    connection.execute(insert(blocks).from_select(names, before))


def put_blocks(
    connection: Connection, number: int, found: Iterable[StoredBlock], *, changed: bool, revision: int = 0
) -> None:
    """Stores blocks of a snapshot, in place of those of their sources.

    Args:
        connection: in a transaction.
        number: the snapshot's.
        found: the blocks.
        changed: since what was fitted was saved.
        revision: the snapshot's, with these blocks.
    """
    common = {"changed": changed, "revision": revision}
    put_rows(connection, blocks, (block_row(number, block) | common for block in found))


def count_blocks(connection: Connection, number: int) -> None:
    """Notes how many of a snapshot's blocks have items."""
    filled = select(func.count()).select_from(blocks).where(blocks.c.snapshot_id == number, _has_items())
    connection.execute(update(snapshots).where(snapshots.c.id == number).values(blocks=filled.scalar_subquery()))


def count_filled(connection: Connection, number: int, sources: Sequence[str]) -> int:
    """How many of these sources' blocks have items."""
    counted = 0
    for start in range(0, len(sources), MANY):
        some = sources[start : start + MANY]
        filled = select(func.count()).select_from(blocks).where(blocks.c.snapshot_id == number, _has_items())
        counted += connection.scalar(filled.where(blocks.c.source_id.in_(some))) or 0
    return counted


def _has_items() -> Any:
    return func.json_array_length(blocks.c["items"]) > 0
