"""Snapshots and their blocks in the store: written whole, judged, activated, gone back to, deleted."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from simrec.errors import NotFoundError, StoreError
from simrec.store.base import Connected
from simrec.store.blocks import (
    Judge,
    Listed,
    Verdict,
    blocks_before,
    copy_blocks,
    count_blocks,
    count_filled,
    list_blocks,
    of_snapshot,
    put_blocks,
    read_blocks,
)
from simrec.store.engine import take_turn
from simrec.store.inputs import Inputs, put_inputs, read_inputs
from simrec.store.records import StoredBlock
from simrec.store.tables import articles, blocks, snapshots

KEPT_REFUSED = 2
"""Snapshots that the gate refused, and that are kept to be looked at."""

MUCH = 0.25
"""Share of the file's pages that are free, from which it is worth writing it anew."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One build's result.

    Attributes:
        id: its number.
        created_at: the moment that its blocks were of when it was written.
        model, k, settings: what made it.
        articles: in the store, when it was written or last changed.
        blocks: that have items.
        active: whether it is the one that is shown.
        fitted: names what the site was fitted with; None where blocks cannot be kept up to date.
        revision: how often its blocks were changed since it was written.
        changed_at: when they last were; None for never.
        parent: the snapshot that was active when it was written.
        refused: why the gate did not let it be activated; None where it did.
        figures: what the gate measured.
        made_with: see `Inputs`.
    """

    id: int
    created_at: datetime
    model: str
    k: int
    articles: int
    blocks: int
    settings: Mapping[str, Any]
    active: bool
    fitted: str | None = None
    revision: int = 0
    changed_at: datetime | None = None
    parent: int | None = None
    refused: str | None = None
    figures: Mapping[str, float | None] | None = None
    made_with: Mapping[str, Any] | None = None

    @property
    def current_at(self) -> datetime:
        """When its blocks were last brought up to date."""
        return max(self.created_at, self.changed_at or self.created_at)


class SnapshotStore(Connected):
    """The part of the store that builds fill."""

    def write_snapshot(
        self, found: Iterable[StoredBlock], *, model: str, k: int, settings: Mapping[str, Any], keep: int,
        fitted: str | None = None, like: int | None = None, inputs: Inputs | None = None, judge: Judge | None = None,
        now: datetime | None = None,
    ) -> Snapshot:  # fmt: skip
        """Writes a snapshot and activates it, in one transaction; then deletes old ones, see `prune`.

        Args:
            found: its blocks.
            model, k, settings: what made it.
            keep: snapshots to keep.
            fitted: names what the site was fitted with, where blocks can be kept up to date.
            like: a snapshot whose blocks are taken over, where `found` has none for a source.
            inputs: what its blocks were made of.
            judge: says whether it may be activated; where it may not, it is kept, and the active one stays active.
            now: the moment that its blocks are of; None for this one.
        """
        inputs, found = inputs or Inputs(), found if like is None else list(found)
        with self._write(alone=like is not None) as connection:  # of what is new nobody knows yet
            values = {"model": model, "k": k, "settings": dict(settings), "fitted": fitted}
            number = _insert(connection, values | {"made_with": dict(inputs.made_with)}, now or datetime.now(UTC))
            if like is not None:
                copy_blocks(connection, like, number)
            put_blocks(connection, number, found, changed=like is not None)
            count_blocks(connection, number)
            put_inputs(connection, number, inputs)
            take_turn(connection)
            before = connection.scalar(select(snapshots.c.id).where(snapshots.c.active))
            verdict = Verdict({}, None)
            if judge:
                verdict = judge(list_blocks(connection, number), blocks_before(connection, before, like, found))
            judged = {"parent": before, "figures": verdict.figures, "refused": verdict.refused}
            connection.execute(update(snapshots).where(snapshots.c.id == number).values(judged))
            if verdict.refused is None:
                _activate(connection, number)
            _prune(connection, keep)
        return self.snapshot(number)

    def activate(self, number: int) -> Snapshot:
        """Makes a snapshot the one that is shown.

        Its blocks are noted as changed, so that what was fitted since does not pass for what they were made with.

        Raises:
            NotFoundError: there is no such snapshot.
        """
        with self._write() as connection:
            if connection.scalar(select(snapshots.c.id).where(snapshots.c.id == number)) is None:
                raise NotFoundError(f"there is no snapshot {number}: `simrec snapshots` lists them")
            active = connection.scalar(select(snapshots.c.active).where(snapshots.c.id == number))
            if not active:
                _activate(connection, number)
                connection.execute(update(blocks).where(blocks.c.snapshot_id == number).values(changed=True))
        return self.snapshot(number)

    def prune(self, keep: int) -> list[int]:
        """Deletes all but the `keep` newest snapshots, and returns the numbers of those that went.

        The active one stays, whatever its age. Refused ones do not count, and only the newest of them stay: a gate that
        refuses for weeks must not push out what can be gone back to.
        """
        with self._write() as connection:
            return _prune(connection, keep)

    def shrink(self) -> None:
        """Gives the space of what was deleted back to the disk, where that is much of the file."""
        if self._engine.dialect.name != "sqlite":
            return  # the server does that by itself
        with self._guard(), self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            free, pages = (driver.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
            if free > MUCH * pages:
                driver.execute("VACUUM")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def changed_blocks(self, number: int) -> list[str]:
        """The sources whose blocks in a snapshot were made again since what was fitted was saved."""
        with self._read() as connection:
            wanted = select(blocks.c.source_id).where(blocks.c.snapshot_id == number, blocks.c.changed)
            return list(connection.scalars(wanted))

    def settle_blocks(self, snapshot: Snapshot) -> None:
        """Notes that what was fitted was saved with all that the blocks of a snapshot show, as it is here.

        Blocks that another process has made again since, at a later revision, are not among them.
        """
        of_then = blocks.c.snapshot_id == snapshot.id, blocks.c.revision <= snapshot.revision
        with self._write() as connection:
            connection.execute(update(blocks).where(*of_then).values(changed=False))

    def snapshot(self, number: int | None = None) -> Snapshot:
        """The snapshot of that number, or the active one.

        Raises:
            StoreError: no snapshot is active.
            NotFoundError: there is none of that number.
        """
        with self._read() as connection:
            return _find(connection, number)

    def snapshots(self) -> list[Snapshot]:
        """All snapshots, the newest first."""
        with self._read() as connection:
            return [
                _snapshot(row)
                for row in connection.execute(select(snapshots).order_by(snapshots.c.id.desc())).mappings()
            ]

    def inputs(self, number: int) -> Inputs:
        """What a snapshot's blocks were made of; hashes are shortened to `HASH` characters."""
        with self._read() as connection:
            return read_inputs(connection, number)

    def listed(self, number: int) -> Iterator[Listed]:
        """The blocks of a snapshot in short, by source id. Raises ConflictError where it is gone."""
        with self._read() as connection:
            yield from of_snapshot(connection, number, list_blocks(connection, number))

    def blocks(self, number: int, source_ids: Sequence[str] | None = None) -> Iterator[StoredBlock]:
        """The blocks of a snapshot, by source id; of all sources, or of those named.

        Raises:
            ConflictError: it is gone: whoever takes no blocks for empty ones would empty what is shown.
        """
        with self._read() as connection:
            yield from of_snapshot(connection, number, read_blocks(connection, number, source_ids))

    def active_blocks(self) -> tuple[Snapshot, Generator[StoredBlock, None, None]]:
        """The active snapshot and its blocks, by source id: of one moment, whatever is deleted until they are closed.

        Raises:
            StoreError: no snapshot is active.
        """
        found = self._active_blocks()
        return next(found), found

    def _active_blocks(self) -> Generator[Any, None, None]:
        with self._read() as connection:
            snapshot = _find(connection, None)
            yield snapshot
            yield from read_blocks(connection, snapshot.id)

    def block_ids(self, number: int) -> set[str]:
        """The sources that have a block in a snapshot, with items or without."""
        with self._read() as connection:
            return set(connection.scalars(select(blocks.c.source_id).where(blocks.c.snapshot_id == number)))


def change_blocks(
    connection: Connection, snapshot: Snapshot, found: Sequence[StoredBlock], total: int, now: datetime
) -> Snapshot | None:
    """Replaces blocks of a snapshot; None, and nothing is done, where it is not active or not as it was."""
    sources = [block.source_id for block in found]
    gained = sum(bool(block.items) for block in found) - count_filled(connection, snapshot.id, sources)
    changed = replace(
        snapshot, revision=snapshot.revision + 1, articles=total, blocks=snapshot.blocks + gained, changed_at=now
    )
    same = (snapshots.c.id == snapshot.id, snapshots.c.active, snapshots.c.revision == snapshot.revision)
    values = {name: getattr(changed, name) for name in ("revision", "articles", "blocks")}
    values["changed_at"] = _text(now)
    if connection.execute(update(snapshots).where(*same).values(values)).rowcount != 1:
        return None
    put_blocks(connection, snapshot.id, found, changed=True, revision=changed.revision)
    return changed


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _snapshot(row: RowMapping) -> Snapshot:
    dates = {name: datetime.fromisoformat(row[name]) if row[name] else None for name in ("created_at", "changed_at")}
    values: dict[str, Any] = {**dict(row), **dates}
    return Snapshot(**values)


def _find(connection: Connection, number: int | None) -> Snapshot:
    """The snapshot of that number, or the active one; raises as `SnapshotStore.snapshot` does."""
    wanted = snapshots.c.active if number is None else snapshots.c.id == number
    row = connection.execute(select(snapshots).where(wanted)).mappings().first()
    if row is not None:
        return _snapshot(row)
    if number is not None:
        raise NotFoundError(f"there is no snapshot {number}: `simrec snapshots` lists them")
    refused = connection.scalar(select(func.max(snapshots.c.id)))
    if refused:
        raise StoreError(f"no snapshot is active, the gate refused all: see `simrec snapshots`, {refused} is the last")
    raise StoreError("there is no snapshot yet: run `simrec build` first")


def _insert(connection: Connection, values: Mapping[str, Any], now: datetime) -> int:
    """Adds a snapshot that has no blocks yet, and returns its number."""
    total = int(connection.scalar(select(func.count()).select_from(articles)) or 0)
    common = {"created_at": _text(now), "articles": total, "blocks": 0, "active": False}
    inserted = insert(snapshots).values({**common, **values}).returning(snapshots.c.id)
    return int(connection.execute(inserted).scalar_one())


def _activate(connection: Connection, number: int) -> None:
    connection.execute(update(snapshots).where(snapshots.c.active).values(active=False))
    connection.execute(update(snapshots).where(snapshots.c.id == number).values(active=True))


def _prune(connection: Connection, keep: int) -> list[int]:
    newest = select(snapshots.c.id).order_by(snapshots.c.id.desc())
    good = newest.where(snapshots.c.refused.is_(None)).limit(keep)
    refused = newest.where(snapshots.c.refused.is_not(None)).limit(KEPT_REFUSED)
    stays = {*connection.scalars(good), *connection.scalars(refused)}
    stays |= set(connection.scalars(newest.where(snapshots.c.active)))
    goes = sorted(set(connection.scalars(newest)) - stays)
    if goes:
        connection.execute(delete(snapshots).where(snapshots.c.id.in_(goes)))
    return goes
