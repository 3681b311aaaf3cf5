"""The part of the store that holds editors' acts, and what stands of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from simrec.errors import ConflictError, StaleError
from simrec.store.base import MANY, Connected
from simrec.store.judgements import ACCEPT, BAN, PIN
from simrec.store.tables import acts, pages, picks

BY_HAND = "desk"
"""File of the judgements that acts are."""
KINDS = {"pins": (PIN, 1.0), "bans": (BAN, 0.0), "accepted": (ACCEPT, 1.0)}
"""By what may stand of acts on a page, the origin and the grade of the judgements that it is."""


@dataclass(frozen=True, slots=True)
class PageRow:
    """What stands of editors' acts on a page.

    Attributes:
        version: number of the last act on it; 0 for none.
        pins: ids that stand first under it, in this order.
        bans: ids that never stand under it.
        accepted: ids that belong there, in the editors' view, without being pinned.
    """

    version: int = 0
    pins: tuple[str, ...] = ()
    bans: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()

    def as_json(self) -> dict[str, list[str]]:
        """The lists, as an act notes them."""
        return {kind: list(getattr(self, kind)) for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Act:
    """One act of an editor.

    Attributes:
        id: its number; later acts have higher ones.
        at: when.
        who: did it.
        action: what was done; "undo" for the undoing of another.
        source_id: the page.
        target_id: the article that it was done to; None where it was done to the page's order.
        before, after: the page's pins, bans and accepted, before and after.
        undoes: the act that it undid.
        undone_by: the act that undid it.
        note: why, in the editor's words.
        said: what was said of the page, which is as before; None for an act that may have changed it; see
            `simrec.store.said`.
    """

    id: int
    at: datetime
    who: str
    action: str
    source_id: str
    target_id: str | None
    before: dict[str, Any]
    after: dict[str, Any]
    undoes: int | None = None
    undone_by: int | None = None
    note: str | None = None
    said: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """The act as plain values."""
        return {name: getattr(self, name) for name in self.__slots__} | {"at": self.at.isoformat()}


@dataclass(slots=True)
class NewAct:
    """An act that is yet to be stored; see `Act`. Its `id` is 0 until then.

    `version` is that of the page's state that it was planned on, which must still stand.
    """

    at: datetime
    who: str
    action: str
    source_id: str
    target_id: str | None
    before: PageRow
    after: PageRow
    undoes: int | None = None
    note: str | None = None
    said: dict[str, Any] | None = None
    id: int = 0

    @property
    def version(self) -> int:
        """The page's version before it."""
        return self.before.version


class ActStore(Connected):
    """The part of the store that holds editors' acts, and what stands of them."""

    def put_act(self, act: NewAct) -> None:
        """Stores an act alone; blocks stay as they are.

        Raises:
            StaleError: the page was changed since the act was planned.
            ConflictError: what it undoes was undone meanwhile.
        """
        with self._write() as connection:
            put_act(connection, act)

    def page_states(self, ids: Iterable[str] | None = None) -> dict[str, PageRow]:
        """What stands of editors' acts, by page: of all pages that any was done on, or of those named."""
        with self._read() as connection:
            if ids is None:
                return {row["source_id"]: _page(row) for row in connection.execute(select(pages)).mappings()}
            wanted, found = sorted(set(ids)), dict[str, PageRow]()
            for start in range(0, len(wanted), MANY):
                some = select(pages).where(pages.c.source_id.in_(wanted[start : start + MANY]))
                found |= {row["source_id"]: _page(row) for row in connection.execute(some).mappings()}
        return found

    def act(self, number: int) -> Act | None:
        """The act of a number; None where there is none."""
        with self._read() as connection:
            row = connection.execute(select(acts).where(acts.c.id == number)).mappings().first()
        return _act(row) if row else None

    def acts(
        self, *, source_id: str | None = None, who: str | None = None, before: int | None = None,
        after: int | None = None, limit: int | None = None,
    ) -> list[Act]:  # fmt: skip
        """Acts, the newest first.

        Args:
            source_id: on this page alone.
            who: by this editor alone.
            before, after: only those with a lower, with a higher number.
            limit: so many at most.
        """
        statement = select(acts).order_by(acts.c.id.desc())
        for column, value in ((acts.c.source_id, source_id), (acts.c.who, who)):
            if value is not None:
                statement = statement.where(column == value)
        if before is not None:
            statement = statement.where(acts.c.id < before)
        if after is not None:
            statement = statement.where(acts.c.id > after)
        if limit is not None:
            statement = statement.limit(limit)
        with self._read() as connection:
            return [_act(row) for row in connection.execute(statement).mappings()]


def put_act(connection: Connection, act: NewAct) -> None:
    """Stores an act, what stands on its page now, and the judgements that this is; sets the act's number.

    Raises:
        StaleError: the page was changed since the act was planned.
        ConflictError: what it undoes was undone meanwhile.
    """
    number = log_act(connection, act)
    _put_page(connection, act, number)
    mark_undone(connection, act, number)
    _judge(connection, act, act.at.isoformat(timespec="seconds"))
    act.id = number


def log_act(connection: Connection, act: NewAct) -> int:
    """Puts an act into the log, and returns its number."""
    row = {"at": act.at.isoformat(timespec="seconds"), "before": act.before.as_json(), "after": act.after.as_json()}
    row |= {name: getattr(act, name) for name in ("who", "action", "source_id", "target_id", "undoes", "note", "said")}
    return int(connection.execute(insert(acts).values(row).returning(acts.c.id)).scalar_one())


def mark_undone(connection: Connection, act: NewAct, number: int) -> None:
    """Notes at the act that another one undoes, if it does, the number of that one.

    Raises:
        ConflictError: it was undone meanwhile.
    """
    if act.undoes is None:
        return
    still = (acts.c.id == act.undoes, acts.c.undone_by.is_(None))
    if connection.execute(update(acts).where(*still).values(undone_by=number)).rowcount != 1:
        raise ConflictError(f"act {act.undoes} was undone by somebody else meanwhile")


def page_row(connection: Connection, source_id: str) -> PageRow:
    """What stands of acts on a page."""
    row = connection.execute(select(pages).where(pages.c.source_id == source_id)).mappings().first()
    return _page(row) if row else PageRow()


def _put_page(connection: Connection, act: NewAct, number: int) -> None:
    values = {**act.after.as_json(), "version": number}
    same = (pages.c.source_id == act.source_id, pages.c.version == act.version)
    if connection.execute(update(pages).where(*same).values(values)).rowcount == 1:
        return
    there = connection.scalar(select(pages.c.version).where(pages.c.source_id == act.source_id))
    if there is not None or act.version:
        raise StaleError(f"page {act.source_id!r} was changed by act {there} meanwhile")
    connection.execute(insert(pages).values({**values, "source_id": act.source_id}))


def _judge(connection: Connection, act: NewAct, at: str) -> None:
    """Brings the judgements of a page to what stands there: what stays keeps who said it first, and when."""
    for kind, (origin, grade) in KINDS.items():
        before, after = getattr(act.before, kind), getattr(act.after, kind)
        here = (picks.c.source_ref == act.source_id, picks.c.origin == origin)
        moved = set(before) ^ set(after)
        for target in sorted(moved):
            connection.execute(delete(picks).where(*here, picks.c.target_ref == target))
        new = [(rank, target) for rank, target in enumerate(after, start=1) if target in moved]
        rows = [_judgement(act, at, origin, grade, rank, target) for rank, target in new]
        if rows:
            connection.execute(insert(picks), rows)
        for rank, target in enumerate(after, start=1):
            if target in before and before.index(target) != rank - 1:
                connection.execute(update(picks).where(*here, picks.c.target_ref == target).values(rank=rank))


def _judgement(act: NewAct, at: str, origin: str, grade: float, rank: int, target: str) -> Mapping[str, Any]:
    ids = {"source_ref": act.source_id, "target_ref": target, "source_id": act.source_id, "target_id": target}
    return ids | {
        "origin": origin, "rank": rank, "grade": grade, "file": BY_HAND, "line": None, "who": act.who, "at": at,
    }  # fmt: skip


def _page(row: RowMapping) -> PageRow:
    return PageRow(row["version"], *(tuple(row[kind]) for kind in ("pins", "bans", "accepted")))


def _act(row: RowMapping) -> Act:
    return Act(**{**row, "at": datetime.fromisoformat(row["at"])})
