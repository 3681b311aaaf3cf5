"""What editors had said before that was in the log of acts, brought into it: a step of `simrec.store.migrations`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, insert, select, update

from simrec.store.tables import acts, comparisons, history, pages

JUDGE, SEEN = "judge", "seen"
LISTS = ("pins", "bans", "accepted")


class _Said(NamedTuple):
    """What was said of a page, and the rows that have it."""

    at: str
    who: str
    source_id: str
    action: str
    said: dict[str, Any]
    comparison: int | None
    looks: list[tuple[int, dict[str, Any]]]


def log_what_was_said(connection: Connection) -> None:
    """Logs judged comparisons, and looks that no act and no judgement explains, in order of time, after all acts.

    The page before and after is as it is now, since nobody knows how it was.
    """
    lists = {row["source_id"]: {kind: row[kind] for kind in LISTS} for row in _rows(connection, pages)}
    for one in sorted(_found(connection), key=lambda one: datetime.fromisoformat(one.at)):
        state = lists.get(one.source_id, {kind: [] for kind in LISTS})
        row = {"at": one.at, "who": one.who, "action": one.action, "source_id": one.source_id, "said": one.said}
        new = insert(acts).values(row | {"before": state, "after": state}).returning(acts.c.id)
        number = connection.execute(new).scalar_one()
        if one.comparison is not None:
            same = comparisons.c.id == one.comparison
            connection.execute(update(comparisons).where(same).values(act=number))
        for look, figures in one.looks:
            same = history.c.number == look
            connection.execute(update(history).where(same).values(figures=figures | {"act": number}))


def _found(connection: Connection) -> list[_Said]:
    looks: dict[tuple[str, str, str], list[tuple[int, dict[str, Any]]]] = {}
    for row in _rows(connection, history, history.c.kind == SEEN):
        figures = row["figures"]
        if "act" not in figures:
            looks.setdefault((figures["who"], figures["source_id"], row["at"]), []).append((row["number"], figures))
    for row in _rows(connection, acts):
        looks.pop((row["who"], row["source_id"], row["at"]), None)
    found = [
        _judged(row, looks.pop((row["who"], row["source_id"], row["at"]), []))
        for row in _rows(connection, comparisons, comparisons.c.preferred.is_not(None), comparisons.c.act.is_(None))
    ]
    for (who, source_id, at), rows in looks.items():
        found.append(_Said(at, who, source_id, SEEN, {"shown": rows[-1][1].get("shown")}, None, rows))
    return found


def _judged(row: Mapping[str, Any], looks: list[tuple[int, dict[str, Any]]]) -> _Said:
    preferred = {"a": row["model_a"], "b": row["model_b"]}.get(row["preferred"])
    said = {
        "trial": row["trial"], "models": [row["model_a"], row["model_b"]], "preferred": preferred,
        "accepted": row["accepted"], "rejected": row["rejected"],
        "shown": looks[-1][1].get("shown") if looks else None,
    }  # fmt: skip
    return _Said(row["at"], row["who"], row["source_id"], JUDGE, said, row["id"], looks)


def _rows(connection: Connection, table: Table, *which: ColumnElement[bool]) -> list[Mapping[str, Any]]:
    found = connection.execute(select(table).where(*which).order_by(*table.primary_key.columns))
    return [dict(row) for row in found.mappings()]
