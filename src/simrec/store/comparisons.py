"""The part of the store that holds blind comparisons of two models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from sqlalchemy import RowMapping, delete, insert, or_, select

from simrec.errors import NotFoundError
from simrec.store.base import Connected
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
        act: number of the act that its judgement is in the log; None while it is not judged.
        undone_by: the act by which the judgement is undone now; None where it stands.
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
    act: int | None = None
    undone_by: int | None = None


class ComparisonStore(Connected):
    """The part of the store that holds blind comparisons of two models."""

    def open_trial(self, found: Comparison) -> None:
        """Keeps a trial until it is judged; those that nobody judged in a day go."""
        with self._write(alone=False) as connection:
            old = comparisons.c.at < _text(found.at - OPEN)
            connection.execute(delete(comparisons).where(comparisons.c.preferred.is_(None), old))
            connection.execute(insert(comparisons).values(row_of(found)))

    def trial(self, trial: str) -> Comparison:
        """The trial of a name.

        Raises:
            NotFoundError: there is none, or it was not judged in a day.
        """
        with self._read() as connection:
            row = connection.execute(select(comparisons).where(comparisons.c.trial == trial)).mappings().first()
        if row is None:
            raise NotFoundError("this comparison is not there any more: start another one")
        return comparison_of(row)

    def comparisons(self, a: str | None = None, b: str | None = None) -> list[Comparison]:
        """Judgements that stand, in order of time; of two models, whichever of them is named first, or of all."""
        statement = select(comparisons).where(comparisons.c.preferred.is_not(None), comparisons.c.undone_by.is_(None))
        statement = statement.order_by(comparisons.c.id)
        for model in (a, b):
            if model is not None:
                statement = statement.where(or_(comparisons.c.model_a == model, comparisons.c.model_b == model))
        with self._read() as connection:
            return [comparison_of(row) for row in connection.execute(statement).mappings()]

    def compared_pages(self, a: str, b: str, who: str) -> set[str]:
        """The pages on which somebody has judged two models, in order of name.

        Also those where that was undone: the log has told them which of the two they had preferred.
        """
        mine = (comparisons.c.model_a == a, comparisons.c.model_b == b, comparisons.c.who == who)
        statement = select(comparisons.c.source_id).where(*mine, comparisons.c.preferred.is_not(None))
        with self._read() as connection:
            return set(connection.scalars(statement))

    def picked_for(self, source_id: str) -> set[str]:
        """Ids of the articles that were picked for a page, by whomever, and that nobody rejected."""
        with self._read() as connection:
            found = select(picks.c.target_id, picks.c.grade).where(picks.c.source_id == source_id)
            rows = [row for row in connection.execute(found) if row.target_id is not None]
        rejected = {row.target_id for row in rows if row.grade is not None and row.grade <= 0}
        return {row.target_id for row in rows} - rejected


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def row_of(found: Comparison) -> dict[str, Any]:
    """A comparison as a row."""
    values: dict[str, Any] = {name: getattr(found, name) for name in Comparison.__slots__}
    lists = {name: list(values[name]) for name in ("items_a", "items_b", "accepted", "rejected")}
    return {**values, **lists, "at": _text(found.at)}


def comparison_of(row: RowMapping) -> Comparison:
    """A row as a comparison."""
    values: dict[str, Any] = {name: row[name] for name in Comparison.__slots__}
    lists = {name: tuple(values[name]) for name in ("items_a", "items_b", "accepted", "rejected")}
    return Comparison(**{**values, **lists, "at": datetime.fromisoformat(row["at"])})
