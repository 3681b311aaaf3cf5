"""The part of the store that holds what editors say of a page without changing it: verdicts, and that it is fine.

Each is an act, which stays in the log for good, and raises no page's version. What stands of it is a look at the page
(`simrec.store.history`) and, of a verdict, its row among the comparisons and the judgements of its items.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from simrec.errors import ConflictError
from simrec.store.acts import NewAct, log_act, mark_undone, page_row
from simrec.store.base import Connected
from simrec.store.comparisons import Comparison, comparison_of, row_of
from simrec.store.history import SEEN
from simrec.store.judgements import JUDGED
from simrec.store.tables import acts, comparisons, history, picks

JUDGE = "judge"
"""What it is called in the log that a blind comparison was judged."""
FINE = "seen"
"""What it is called in the log that a page was found fine: an editor has looked at it, and nothing is to be done."""
OF_THE_TRIAL = ("trial", "who", "act", "undone_by")
"""Columns of a comparison that its judge's verdict leaves as they are."""


class SaidStore(Connected):
    """The part of the store that holds what editors say of a page without changing it."""

    def judge_trial(self, found: Comparison, shown: str | None = None) -> int:
        """Notes what a judge said of a trial; the items become judgements of the page, in place of their earlier ones.

        Args:
            found: the trial, judged.
            shown: a digest of what the page's block shows, see `Look`.

        Returns:
            The number of the act.

        Raises:
            ConflictError: it was judged already, also where that is undone.
        """
        values = {name: value for name, value in row_of(found).items() if name not in OF_THE_TRIAL}
        with self._write() as connection:
            same = (comparisons.c.trial == found.trial, comparisons.c.who == found.who)
            changed = connection.execute(
                update(comparisons).where(*same, comparisons.c.preferred.is_(None)).values(values)
            )
            if changed.rowcount != 1:
                raise ConflictError("this comparison was judged already: start another one")
            number = _say(connection, JUDGE, found.who, found.source_id, found.at, verdict(found) | {"shown": shown})
            connection.execute(update(comparisons).where(*same).values(act=number))
            _judge(connection, found.who, found.source_id, {*found.accepted, *found.rejected})
        return number

    def note_fine(self, who: str, source_id: str, at: datetime, shown: str | None = None) -> int:
        """Notes that an editor has looked at a page, and nothing is to be done; see `judge_trial`."""
        with self._write() as connection:
            return _say(connection, FINE, who, source_id, at, {"shown": shown})

    def take_back(self, act: NewAct) -> None:
        """Stores the undoing of what was said, or the undoing of that, which says it again; sets the act's number.

        Raises:
            ConflictError: what it undoes was undone meanwhile.
        """
        assert act.undoes is not None  # noqa: S101 - it is an undoing
        with self._write() as connection:
            number = log_act(connection, act)
            mark_undone(connection, act, number)
            first, times = _first(connection, act.undoes)
            stands = times % 2 == 0
            if stands:
                at = datetime.fromisoformat(first["at"])
                _look(connection, first["id"], first["who"], first["source_id"], at, first["said"]["shown"])
            else:
                mine = history.c.figures["act"].as_integer() == first["id"]
                connection.execute(delete(history).where(history.c.kind == SEEN, history.c.at == first["at"], mine))
            if first["action"] == JUDGE:
                undone_by = None if stands else number
                same = comparisons.c.act == first["id"]
                connection.execute(update(comparisons).where(same).values(undone_by=undone_by))
                items = {*first["said"]["accepted"], *first["said"]["rejected"]}
                _judge(connection, first["who"], first["source_id"], items)
        act.id = number


def verdict(found: Comparison) -> dict[str, Any]:
    """What a judge said, as the log has it: by the models' names, whichever side they were on."""
    preferred = {"a": found.model_a, "b": found.model_b}.get(found.preferred or "")
    return {
        "trial": found.trial, "models": [found.model_a, found.model_b], "preferred": preferred,
        "accepted": list(found.accepted), "rejected": list(found.rejected),
    }  # fmt: skip


def _say(connection: Connection, action: str, who: str, source_id: str, at: datetime, said: dict[str, Any]) -> int:
    row = page_row(connection, source_id)
    number = log_act(connection, NewAct(at, who, action, source_id, None, row, row, said=said))
    _look(connection, number, who, source_id, at, said["shown"])
    return number


def _look(connection: Connection, act: int, who: str, source_id: str, at: datetime, shown: str | None) -> None:
    figures = {"who": who, "source_id": source_id, "shown": shown, "act": act}
    connection.execute(insert(history).values(at=at.isoformat(timespec="seconds"), kind=SEEN, figures=figures))


def _first(connection: Connection, number: int) -> tuple[RowMapping, int]:
    """The act that said it first, of one that says or undoes it; and how many undoings there are, with a new one."""
    times, row = 1, connection.execute(select(acts).where(acts.c.id == number)).mappings().one()
    while row["undoes"] is not None:
        times, row = times + 1, connection.execute(select(acts).where(acts.c.id == row["undoes"])).mappings().one()
    return row, times


def _judge(connection: Connection, who: str, source_id: str, items: Collection[str]) -> None:
    """Brings a judge's judgements of some items of a page to the last verdict of theirs on each that stands."""
    mine = (picks.c.origin == JUDGED, picks.c.who == who, picks.c.source_ref == source_id)
    for target in sorted(items):
        connection.execute(delete(picks).where(*mine, picks.c.target_ref == target))
    stands = (comparisons.c.preferred.is_not(None), comparisons.c.undone_by.is_(None))
    wanted = select(comparisons).where(comparisons.c.who == who, comparisons.c.source_id == source_id, *stands)
    last: dict[str, dict[str, Any]] = {}
    for row in connection.execute(wanted.order_by(comparisons.c.act)).mappings():
        found = comparison_of(row)
        grades = {**dict.fromkeys(found.accepted, 1.0), **dict.fromkeys(found.rejected, 0.0)}
        last |= {
            target: {
                "source_ref": source_id, "target_ref": target, "source_id": source_id, "target_id": target,
                "origin": JUDGED, "rank": rank, "grade": grade, "file": "desk", "who": who, "at": row["at"],
            }
            for rank, (target, grade) in enumerate(grades.items(), start=1)
            if target in items
        }  # fmt: skip
    if last:
        connection.execute(insert(picks), list(last.values()))


__all__ = ["FINE", "JUDGE", "SaidStore", "verdict"]
