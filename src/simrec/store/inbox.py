"""The part of the store that holds what is asked of the writer by processes that are not.

A request is done exactly once, whoever dies when: what it changes and the note that it is changed are one transaction
(`applying`), and a writer that takes over finds the note.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from simrec.errors import StoreError
from simrec.store.base import MANY, Connected
from simrec.store.rows import adding
from simrec.store.tables import acts, blocks, idempotency, inbox, snapshots


class Receipt(NamedTuple):
    """Where a request is kept.

    Attributes:
        id: of the request.
        fingerprint: of the request that first came with the same key; of this one, where it is the first.
        new: whether it was stored now; else the same key had come before.
    """

    id: int
    fingerprint: str
    new: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that waits for the writer.

    Attributes:
        id: its number; requests are done in this order.
        kind, payload: what is asked.
        tries: writers that died over it.
        applied: what was noted with its change, where that is stored, and only the answer is missing.
    """

    id: int
    kind: str
    payload: Mapping[str, Any]
    tries: int = 0
    applied: Mapping[str, Any] | None = None


@dataclass
class Claim:
    """A request under way in this thread; the next transaction that writes is its change.

    Attributes:
        id: the request.
        noted: is kept with the change, for the answer.
        marked: the change is stored.
        lost: another writer has done the request, and nothing was stored here.
    """

    id: int
    noted: dict[str, Any] = field(default_factory=dict)
    marked: bool = False
    lost: bool = False


_claim: ContextVar[Claim | None] = ContextVar("claim", default=None)


@contextmanager
def applying(request: int) -> Iterator[Claim]:
    """Within it, the first transaction that writes is noted as the change that a request asked for."""
    claim = Claim(request)
    token = _claim.set(claim)
    try:
        yield claim
    finally:
        _claim.reset(token)


@contextmanager
def aside() -> Iterator[None]:
    """Within it, what is written is nobody's request, but what has to be done before one."""
    token = _claim.set(None)
    try:
        yield
    finally:
        _claim.reset(token)


class InboxStore(Connected):
    """The part of the store that holds what is asked of the writer by processes that are not."""

    @contextmanager
    def _write(self, *, alone: bool = True) -> Iterator[Connection]:
        claim = _claim.get()
        with super()._write(alone=alone) as connection:
            yield connection
            if claim and not claim.marked:
                _mark(connection, claim)
        if claim:
            claim.marked = True

    def ask(self, kind: str, payload: Mapping[str, Any], key: str | None = None, fingerprint: str = "") -> Receipt:
        """Keeps a request for the writer; one with a key that came before is not kept again.

        Args:
            kind, payload: what is asked, as JSON has it.
            key: names the request, of whoever asks; None: it is a new one each time.
            fingerprint: of what is asked; with the same key it should be the same.
        """
        with aside(), self._write(alone=False) as connection:
            known = _known(connection, key)
            if known:
                return known
            row = {"at": _now(), "kind": kind, "payload": dict(payload)}
            number = int(connection.execute(insert(inbox).values(row).returning(inbox.c.id)).scalar_one())
            receipt = Receipt(number, fingerprint, new=True)
            named = {"key": key, "at": row["at"], "fingerprint": fingerprint, "inbox_id": number}
            if key is None or connection.execute(adding(idempotency), named).rowcount:
                return receipt
            first = _known(connection, key)  # that came with the key at the same moment
            if first:
                connection.execute(delete(inbox).where(inbox.c.id == number))
            return first or receipt

    def asked(self, limit: int = 20) -> list[Asked]:
        """The requests that wait, the oldest first."""
        wanted = select(inbox).where(inbox.c.done_at.is_(None)).order_by(inbox.c.id).limit(limit)
        with self._read() as connection:
            return [
                Asked(row.id, row.kind, row.payload, row.tries, row.outcome if row.applied_at else None)
                for row in connection.execute(wanted)
            ]

    def asked_count(self) -> tuple[int, datetime | None]:
        """How many requests wait, and since when the oldest does."""
        wanted = select(func.count(), func.min(inbox.c.at)).where(inbox.c.done_at.is_(None))
        with self._read() as connection:
            count, oldest = connection.execute(wanted).one()
        return int(count), datetime.fromisoformat(oldest) if oldest else None

    def note_try(self, request: int) -> int:
        """Notes that a writer begins with a request that another may have died over, and returns how often."""
        with aside(), self._write(alone=False) as connection:
            more = update(inbox).where(inbox.c.id == request).values(tries=inbox.c.tries + 1)
            return int(connection.execute(more.returning(inbox.c.tries)).scalar_one())

    def answer(self, request: int, outcome: Mapping[str, Any], *, forget: bool = False, failed: bool = False) -> bool:
        """Answers a request, unless that is done; whether it was.

        Args:
            request: its number.
            outcome: the answer.
            forget: the same key may ask again, for the answer tells of something that passes.
            failed: it says that nothing was changed; so it is no answer where a change is stored after all, by a
                transaction whose end was not heard of.
        """
        with aside(), self._write(alone=False) as connection:
            _overwriting(connection)
            values = {"done_at": _now(), "outcome": dict(outcome), "payload": {}}
            open_ = [inbox.c.id == request, inbox.c.done_at.is_(None)]
            if failed:
                open_.append(inbox.c.applied_at.is_(None))
            done = connection.execute(update(inbox).where(*open_).values(values)).rowcount == 1
            if done and forget:
                connection.execute(delete(idempotency).where(idempotency.c.inbox_id == request))
        return done

    def outcomes(self, requests: Sequence[int]) -> dict[int, dict[str, Any]]:
        """The answers of those requests that have one."""
        found: dict[int, dict[str, Any]] = {}
        with self._read() as connection:
            for start in range(0, len(requests), MANY):
                some = inbox.c.id.in_(requests[start : start + MANY])
                wanted = select(inbox.c.id, inbox.c.outcome).where(some, inbox.c.done_at.is_not(None))
                found |= {row.id: row.outcome for row in connection.execute(wanted)}
        return found

    def blocks_at(self, snapshot: int, revision: int) -> list[str]:
        """The sources whose blocks were written with a revision of a snapshot."""
        wanted = select(blocks.c.source_id).where(blocks.c.snapshot_id == snapshot, blocks.c.revision == revision)
        with self._read() as connection:
            return sorted(connection.scalars(wanted))

    def forget(self, request: int) -> None:
        """Deletes a request that came without a key, and its answer; whoever does it now answers nobody."""
        with aside(), self._write(alone=False) as connection:
            _overwriting(connection)
            connection.execute(delete(inbox).where(inbox.c.id == request))

    def clean_inbox(self, before: datetime, kinds: Collection[str] = ()) -> int:
        """Deletes what was answered before a moment, with its keys, and returns how many requests that were.

        Args:
            before: the moment.
            kinds: of requests; none: all.
        """
        with aside(), self._write(alone=False) as connection:
            _overwriting(connection)
            old = inbox.c.done_at < before.isoformat(timespec="milliseconds")
            if kinds:
                old &= inbox.c.kind.in_(kinds)
            connection.execute(delete(idempotency).where(idempotency.c.inbox_id.in_(select(inbox.c.id).where(old))))
            return int(connection.execute(delete(inbox).where(old)).rowcount)


def _overwriting(connection: Connection) -> None:
    """Has a file's bytes overwritten where rows are deleted: a request may hold what is not published."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON").close()


def _known(connection: Connection, key: str | None) -> Receipt | None:
    """The request that came with a key."""
    if key is None:
        return None
    row = connection.execute(select(idempotency).where(idempotency.c.key == key)).first()
    return Receipt(row.inbox_id, row.fingerprint, new=False) if row else None


def _mark(connection: Connection, claim: Claim) -> None:
    """Notes with a change which request it was for, and what it is known by."""
    shown = connection.execute(select(snapshots.c.id, snapshots.c.revision).where(snapshots.c.active)).first()
    noted = claim.noted | {"act": connection.scalar(select(func.max(acts.c.id)))}
    noted |= {"snapshot": shown.id, "revision": shown.revision} if shown else {}
    open_ = (inbox.c.id == claim.id, inbox.c.done_at.is_(None), inbox.c.applied_at.is_(None))
    values = {"applied_at": _now(), "outcome": noted}
    if connection.execute(update(inbox).where(*open_).values(values)).rowcount != 1:
        claim.lost = True
        raise StoreError("another process was faster: it has done what was asked")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
