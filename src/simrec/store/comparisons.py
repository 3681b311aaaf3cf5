"""The part of the store that holds blind comparisons of two models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, RowMapping, delete, insert, or_, select, update

from simrec.errors import ConflictError, NotFoundError
from simrec.store.base import Connected
from simrec.store.judgements import JUDGED
from simrec.store.tables import comparisons, picks

OPEN = timedelta(days=1)
"""How long a trial that nobody has judged is kept."""
Half: TypeAlias = Literal["a", "b"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models' blocks of a page, and which of them a judge preferred.

    Attributes:
        trial: names it; random.
        at: when it was shown, then when it was judged.
        who: is to judge it.
        source_id: the page.
        model_a, model_b, items_a, items_b: the models, in order of name, and the ids of their blocks.
        left_is: which of the two was on the left, "a" or "b".
        drawn, skipped: see `simrec.pipeline.blind.Trial`.
        preferred: "a", "b", "tie"; None while it is not judged.
        accepted, rejected: ids of items that the judge said belong there, and do not.
    """

    trial: str
    at: datetime
    who: str
    source_id: str
    model_a: str
    model_b: str
    items_a: tuple[str, ...]
    items_b: tuple[str, ...]
    left_is: Half
    drawn: str
    skipped: int = 0
    preferred: str | None = None
    accepted: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()


class ComparisonStore(Connected):
    """The part of the store that holds blind comparisons of two models."""

    def open_trial(self, found: Comparison) -> None:
        """Keeps a trial until it is judged; those that nobody judged in a day go."""
        with self._write(alone=False) as connection:
            old = comparisons.c.at < _text(found.at - OPEN)
            connection.execute(delete(comparisons).where(comparisons.c.preferred.is_(None), old))
            connection.execute(insert(comparisons).values(_row(found)))

    def trial(self, trial: str) -> Comparison:
        """The trial of a name.

        Raises:
            NotFoundError: there is none, or it was not judged in a day.
        """
        with self._read() as connection:
            row = connection.execute(select(comparisons).where(comparisons.c.trial == trial)).mappings().first()
        if row is None:
            raise NotFoundError("this comparison is not there any more: start another one")
        return _comparison(row)

    def judge_trial(self, found: Comparison) -> None:
        """Notes what a judge said of a trial; the items become judgements of the page, in place of their earlier ones.

        Raises:
            ConflictError: it was judged already.
        """
        values = {name: value for name, value in _row(found).items() if name not in ("trial", "who")}
        with self._write() as connection:
            same = (comparisons.c.trial == found.trial, comparisons.c.who == found.who)
            changed = connection.execute(
                update(comparisons).where(*same, comparisons.c.preferred.is_(None)).values(values)
            )
            if changed.rowcount != 1:
                raise ConflictError("this comparison was judged already: start another one")
            _put_judged(connection, found)

    def comparisons(self, a: str | None = None, b: str | None = None) -> list[Comparison]:
        """What was judged, in order of time; of two models, whichever of them is named first, or of all."""
        statement = select(comparisons).where(comparisons.c.preferred.is_not(None)).order_by(comparisons.c.id)
        for model in (a, b):
            if model is not None:
                statement = statement.where(or_(comparisons.c.model_a == model, comparisons.c.model_b == model))
        with self._read() as connection:
            return [_comparison(row) for row in connection.execute(statement).mappings()]

    def compared_pages(self, a: str, b: str, who: str) -> set[str]:
        """The pages on which somebody has judged two models already."""
        return {found.source_id for found in self.comparisons(a, b) if found.who == who}

    def picked_for(self, source_id: str) -> set[str]:
        """Ids of the articles that were picked for a page, by whomever, and that nobody rejected."""
        with self._read() as connection:
            found = select(picks.c.target_id, picks.c.grade).where(picks.c.source_id == source_id)
            rows = [row for row in connection.execute(found) if row.target_id is not None]
        rejected = {row.target_id for row in rows if row.grade is not None and row.grade <= 0}
        return {row.target_id for row in rows} - rejected


def _put_judged(connection: Connection, found: Comparison) -> None:
    grades = {**dict.fromkeys(found.accepted, 1.0), **dict.fromkeys(found.rejected, 0.0)}
    for rank, (target, grade) in enumerate(grades.items(), start=1):
        pair = (picks.c.source_ref == found.source_id, picks.c.target_ref == target)
        connection.execute(delete(picks).where(*pair, picks.c.origin == JUDGED, picks.c.who == found.who))
        connection.execute(
            insert(picks).values(
                source_ref=found.source_id, target_ref=target, source_id=found.source_id, target_id=target,
                origin=JUDGED, rank=rank, grade=grade, file="desk", who=found.who, at=_text(found.at),
            )
        )  # fmt: skip


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _row(found: Comparison) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(found, name) for name in Comparison.__slots__}
    lists = {name: list(values[name]) for name in ("items_a", "items_b", "accepted", "rejected")}
    return {**values, **lists, "at": _text(found.at)}


def _comparison(row: RowMapping) -> Comparison:
    values: dict[str, Any] = {name: row[name] for name in Comparison.__slots__}
    lists = {name: tuple(values[name]) for name in ("items_a", "items_b", "accepted", "rejected")}
    return Comparison(**{**values, **lists, "at": datetime.fromisoformat(row["at"])})
