"""What has changed in the store since somebody looked: so that who holds it in memory reads no more than that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, func, select, text

from simrec.store.base import Connected
from simrec.store.records import article_of
from simrec.store.tables import ARTICLE, acts, articles, blocks, snapshots
from simrec.types import Article


@dataclass(frozen=True, slots=True)
class Mark:
    """What a reader has seen of a store.

    Attributes:
        snapshot: the active one's number; None where none is.
        revision: how often its blocks were changed.
        seq: of the article that was written last; grows with each transaction that writes articles.
        acts: the highest number of an editor's act.
    """

    snapshot: int | None
    revision: int
    seq: int
    acts: int


NOTHING = Mark(None, -1, -1, 0)
"""Of a reader that has seen nothing yet: `changes` since then are all that there is."""


class Changes(NamedTuple):
    """What is others than it was, all of one moment.

    Attributes:
        mark: of that moment: what the reader has seen now.
        articles: that are new or were written again, by id.
        blocks: ids of the pages whose blocks are others; None where another snapshot is active: all of them.
        pages: ids of the pages whose pins or bans are others.
        anew: the store is older than what the reader has seen, a backup of it, say: these are all that there is, and
            what the reader knows besides is not there any more.
    """

    mark: Mark
    articles: list[Article]
    blocks: list[str] | None
    pages: list[str]
    anew: bool = False


class ChangeStore(Connected):
    """The part of the store that tells readers what they have missed."""

    def mark(self) -> Mark:
        """What a reader that reads all of the store now will have seen; one small read."""
        with self._read() as connection:
            return _mark(connection)

    def changes(self, since: Mark) -> Changes:
        """What has changed since; all that there is, where the store is older than what the reader has seen."""
        with self._read() as connection:
            mark = _mark(connection)
            anew = _is_older(mark, since)
            since = NOTHING if anew else since
            found = select(*ARTICLE).where(articles.c.seq > since.seq).order_by(articles.c.id)
            written = list(map(article_of, connection.execute(found)))
            others = None if mark.snapshot != since.snapshot else _changed_blocks(connection, mark, since.revision)
            edited = select(acts.c.source_id).where(acts.c.id > since.acts, acts.c.said.is_(None))
            edited = edited.distinct().order_by(acts.c.source_id)
            return Changes(mark, written, others, list(connection.scalars(edited)), anew)


def _mark(connection: Connection) -> Mark:
    active = select(snapshots.c.id, snapshots.c.revision).where(snapshots.c.active).subquery()
    wanted = select(
        select(active.c.id).scalar_subquery(),
        func.coalesce(select(active.c.revision).scalar_subquery(), 0),
        func.coalesce(select(func.max(articles.c.seq)).scalar_subquery(), 0),
        func.coalesce(select(func.max(acts.c.id)).scalar_subquery(), 0),
    )
    return Mark(*connection.execute(wanted).one())


def _is_older(mark: Mark, since: Mark) -> bool:
    gone_back = mark.snapshot == since.snapshot and mark.revision < since.revision
    return gone_back or mark.seq < since.seq or mark.acts < since.acts


def _changed_blocks(connection: Connection, mark: Mark, revision: int) -> list[str]:
    if mark.snapshot is None or mark.revision == revision:
        return []
    changed = select(blocks.c.source_id).where(blocks.c.snapshot_id == mark.snapshot, blocks.c.revision > revision)
    changed = changed.where(text("blocks.revision > 0"))  # as the index has it, so that it is used
    return list(connection.scalars(changed.order_by(blocks.c.source_id)))


__all__ = ["NOTHING", "ChangeStore", "Changes", "Mark"]
