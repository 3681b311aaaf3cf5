"""The part of the store that holds what was measured of the site, over time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select

from simrec.store.base import MANY, Connected
from simrec.store.tables import acts, articles, blocks, comparisons, history

FEW = 5000
"""Pages up to which blocks are asked for one by one."""
SEEN = "seen"
"""Kind of what is noted when an editor has looked at a page."""


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


class Look(NamedTuple):
    """That somebody has looked at a page: when, and a digest of what its block showed; None where that is not known."""

    at: datetime
    shown: str | None


class Scored(NamedTuple):
    """A stored block in short: the page, its items' ids, scores, and whether they were pinned, and why it is short."""

    source_id: str
    ids: list[str]
    scores: list[float]
    pinned: list[bool]
    shortfall: str | None


class Facts(NamedTuple):
    """What decides who may see an article, and its title; dates as the store has them."""

    id: str
    title: str
    section: str | None
    status: str
    published_at: str | None
    embargo_until: str | None
    expires_at: str | None


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
            with self._write(alone=False) as connection:
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

    def note_seen(self, who: str, source_id: str, at: datetime, shown: str | None = None) -> None:
        """Notes that an editor has looked at a page, and a digest of what its block showed."""
        self.add_measured(Measured(at, SEEN, None, None, {"who": who, "source_id": source_id, "shown": shown}))

    def looked_at(self) -> dict[str, Look]:
        """How somebody last looked at a page, acted on it, or judged it, where that is not undone: by page."""
        found: dict[str, Look] = {}
        acted = select(acts.c.source_id, func.max(acts.c.at)).where(acts.c.said.is_(None)).group_by(acts.c.source_id)
        stands = (comparisons.c.preferred.is_not(None), comparisons.c.undone_by.is_(None))
        judged = select(comparisons.c.source_id, func.max(comparisons.c.at)).where(*stands)
        seen = select(history.c.figures, history.c.at).where(history.c.kind == SEEN).order_by(history.c.number)
        with self._read() as connection:
            rows = [(*row, None) for row in connection.execute(acted)]
            rows += [(*row, None) for row in connection.execute(judged.group_by(comparisons.c.source_id))]
            rows += [(row.figures["source_id"], row.at, row.figures.get("shown")) for row in connection.execute(seen)]
        for page, at, shown in rows:
            look = Look(datetime.fromisoformat(at), shown)
            if (
                page not in found or look.at >= found[page].at
            ):  # of one moment the later row, which knows what was shown
                found[page] = look
        return found

    def scored(self, number: int, pages: Collection[str] | None = None) -> Iterator[Scored]:
        """The blocks of a snapshot in short, of all pages or of those named."""
        columns = (blocks.c.source_id, blocks.c["items"], blocks.c.shortfall)
        statement, wanted = select(*columns).where(blocks.c.snapshot_id == number), sorted(pages or ())
        parts = [statement]
        if pages is not None and len(wanted) <= FEW:
            some = [wanted[start : start + MANY] for start in range(0, len(wanted), MANY)]
            parts = [statement.where(blocks.c.source_id.in_(ids)) for ids in some]
        with self._read() as connection:
            for part in parts:
                for source_id, items, shortfall in connection.execute(part):
                    if pages is None or source_id in pages:
                        ids, scores = [item["id"] for item in items], [item["score"] for item in items]
                        pinned = [bool(item["reasons"].get("pinned")) for item in items]
                        yield Scored(source_id, ids, scores, pinned, shortfall)

    def facts(self) -> list[Facts]:
        """What decides who may see each article, by id."""
        columns = [articles.c[name] for name in Facts._fields]
        with self._read() as connection:
            rows = [Facts(*row) for row in connection.execute(select(*columns))]
        return sorted(rows, key=lambda fact: fact.id)
