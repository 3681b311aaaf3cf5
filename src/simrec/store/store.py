"""The store: what ingests fill and what builds fill, and what changes both at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from simrec.errors import ConflictError
from simrec.store.acts import ActStore, NewAct, put_act
from simrec.store.articles import BY_HAND, PAGE, ArticleStore, Held, Ingested, put_addresses, put_articles
from simrec.store.changes import ChangeStore
from simrec.store.comparisons import ComparisonStore
from simrec.store.desk_sessions import DeskSessionStore
from simrec.store.history import HistoryStore
from simrec.store.inbox import InboxStore
from simrec.store.inputs import Inputs, put_inputs
from simrec.store.judgements import DESK, JudgementStore
from simrec.store.keys import KeyStore
from simrec.store.records import StoredBlock, pick_row, to_row
from simrec.store.rows import replacing
from simrec.store.said import SaidStore
from simrec.store.snapshots import Snapshot, SnapshotStore, change_blocks
from simrec.store.tables import picks
from simrec.types import Entry, PickEntry


class Store(
    ArticleStore, JudgementStore, SnapshotStore, ChangeStore, ActStore, ComparisonStore, SaidStore, HistoryStore,
    KeyStore, InboxStore, DeskSessionStore,
):  # fmt: skip
    """A workspace's store: all its parts."""

    def change(
        self, entries: Sequence[Entry], chosen: Sequence[PickEntry], origin: str, found: Iterable[StoredBlock],
        snapshot: Snapshot, keys: Callable[[Entry], Iterable[str]], total: int, inputs: Inputs | None = None,
        act: NewAct | None = None, now: datetime | None = None,
    ) -> Snapshot:  # fmt: skip
        """Stores articles and picks, and brings the blocks of the active snapshot up to date: all of it, or nothing.

        Args:
            entries: articles, new or changed.
            chosen: picks to add, of known articles.
            origin: where they come from.
            found: blocks that are others now.
            snapshot: as it was when they were made.
            keys: the address keys under which others may link to an entry.
            total: articles that there are now.
            inputs: articles that the blocks are now made of and were not, and all pins; None: what was noted stays.
            act: of an editor, on one of the pages.
            now: the moment that the blocks are of; None for this one.

        Raises:
            ConflictError: the snapshot is not the active one, or was changed since; nothing was stored.
            StaleError: the act's page was changed since it was planned; nothing was stored.
        """
        found = list(found)
        with self._write() as connection:
            changed = change_blocks(connection, snapshot, found, total, now or datetime.now(UTC))
            if changed is None:
                raise ConflictError("another process has changed the blocks meanwhile")
            put_articles(connection, [to_row(entry) for entry in entries])
            put_addresses(connection, entries, keys)
            for pick in chosen:
                row = pick_row(pick, origin) | {"source_id": pick.pick.source_id, "target_id": pick.pick.target_id}
                connection.execute(replacing(picks), row)
            if act:
                put_act(connection, act)
            if inputs:
                put_inputs(connection, snapshot.id, inputs)
        return changed


__all__ = ["BY_HAND", "DESK", "PAGE", "Held", "Ingested", "Inputs", "Snapshot", "Store"]
