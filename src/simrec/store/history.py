"""The part of the store that holds what was measured of the site, over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from simrec.store.base import Connected
from simrec.store.tables import history


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured at a moment.

    Attributes:
        at: the moment.
        kind: what was measured, see `simrec.pipeline.overview.Point`.
        snapshot_id: the snapshot that it was measured of, which may be gone by now; None for a model by itself.
        model: that was measured.
        figures: by their names; JSON.
    """

    at: datetime
    kind: str
    snapshot_id: int | None
    model: str | None
    figures: Mapping[str, Any]


class HistoryStore(Connected):
    """The part of the store that holds what was measured of the site, over time."""

    def add_measured(self, *found: Measured) -> None:
        """Keeps what was measured; it stays when snapshots are pruned."""
        rows = [
            {"at": one.at.isoformat(timespec="seconds"), "kind": one.kind, "snapshot_id": one.snapshot_id,
             "model": one.model, "figures": dict(one.figures)}
            for one in found
        ]  # fmt: skip
        if rows:
            with self._write() as connection:
                connection.execute(insert(history), rows)

    def measured(self, *, kind: str | None = None, last: int = 500) -> list[Measured]:
        """What was measured last, the oldest first; of one kind, or of all."""
        statement = select(history).order_by(history.c.number.desc()).limit(last)
        if kind is not None:
            statement = statement.where(history.c.kind == kind)
        with self._read() as connection:
            rows = connection.execute(statement).mappings().all()
        return [
            Measured(datetime.fromisoformat(row["at"]), row["kind"], row["snapshot_id"], row["model"], row["figures"])
            for row in reversed(rows)
        ]
