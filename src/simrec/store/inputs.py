"""What snapshots' blocks were made of, kept so that two of them can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, delete, select

from simrec.store.rows import MANY, put_rows
from simrec.store.tables import snapshot_articles, snapshot_pins, snapshots

MANY_HASHES = 10 * MANY
"""That are stored at once."""
HASH = 16
"""Characters of an article's hash that a snapshot keeps: enough to tell one version of it from another."""


@dataclass(frozen=True)
class Inputs:
    """What a snapshot's blocks were made of, kept with it so that two snapshots can be compared.

    Attributes:
        hashes: of the articles, by id.
        pins: articles that stand first under others, by page; None: as they were noted, and the bans with them.
        made_with: names the models and the picks that were learned from, as plain values.
        bans: articles that never stand under others, by page; noted where pins are.
    """

    hashes: Mapping[str, str] = field(default_factory=dict)
    pins: Mapping[str, Sequence[str]] | None = None
    made_with: Mapping[str, Any] = field(default_factory=dict)
    bans: Mapping[str, Sequence[str]] = field(default_factory=dict)


def put_inputs(connection: Connection, number: int, inputs: Inputs) -> None:
    """Notes what a snapshot's blocks were made of: articles are added to those noted, pins replace them."""
    if connection.dialect.name == "sqlite":  # by the driver: a hundred thousand of them take a tenth of the time
        found = iter(inputs.hashes.items())
        while rows := [(number, id_, hash_[:HASH]) for id_, hash_ in islice(found, MANY_HASHES)]:
            connection.exec_driver_sql("INSERT OR REPLACE INTO snapshot_articles VALUES (?, ?, ?)", rows)
    else:
        hashes = inputs.hashes.items()
        named = ({"snapshot_id": number, "article_id": id_, "hash": hash_[:HASH]} for id_, hash_ in hashes)
        put_rows(connection, snapshot_articles, named, many=MANY_HASHES)
    if inputs.pins is None:
        return
    connection.execute(delete(snapshot_pins).where(snapshot_pins.c.snapshot_id == number))
    pins = [
        {"snapshot_id": number, "source_id": source, "targets": list(inputs.pins.get(source, ())),
         "bans": list(inputs.bans.get(source, ()))}
        for source in sorted({*inputs.pins, *inputs.bans})
    ]  # fmt: skip
    put_rows(connection, snapshot_pins, pins)


def read_inputs(connection: Connection, number: int) -> Inputs:
    """What a snapshot's blocks were made of; hashes are shortened to `HASH` characters."""
    of_articles = select(snapshot_articles.c.article_id, snapshot_articles.c.hash)
    hashes = {
        r.article_id: r.hash for r in connection.execute(of_articles.where(snapshot_articles.c.snapshot_id == number))
    }
    of_pins = select(snapshot_pins).where(snapshot_pins.c.snapshot_id == number)
    by_hand = connection.execute(of_pins).all()
    pins = {row.source_id: list(row.targets) for row in by_hand if row.targets}
    bans = {row.source_id: list(row.bans) for row in by_hand if row.bans}
    made_with = connection.scalar(select(snapshots.c.made_with).where(snapshots.c.id == number))
    return Inputs(hashes, pins, made_with or {}, bans)
