"""What editors said of pairs of a page and an article: the picks that were imported, and those that acts are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias, get_args

from sqlalchemy import select

from simrec.store.articles import PAGE
from simrec.store.base import Connected
from simrec.store.tables import picks
from simrec.types import Pick

PIN = "pin"
"""Origin of what editors pinned: it stands first in the block, whatever the settings say."""
BAN = "ban"
"""Origin of what editors banned: it never stands in the block."""
ACCEPT = "accept"
"""Origin of what editors said belongs there, no more."""
DESK = "desk"
"""Origin of the picks that were made one by one."""
JUDGED = "judged"
"""Origin of what editors said of items in blind comparisons."""
EDITORS = (DESK, PIN, BAN, ACCEPT, JUDGED)
"""Origins of what editors said here; all others are of what was imported."""
ACTS = (PIN, BAN, ACCEPT, JUDGED)
"""Origins of what is said at the desk of items that a block has or could have."""
Whose: TypeAlias = Literal["all", "imported", "editors"]
"""Whose judgements are looked at."""
WHOSE: tuple[str, ...] = get_args(Whose)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One thing that was said of a page and an article.

    Attributes:
        source_id: the page.
        target_id: the article.
        rank: the article's place, where the judgement names one; 1 is first.
        grade: 0 for what does not belong there; None is as good as 1.
        origin: of what kind it is, or where it was imported from.
        who, at: said it, and when; None for what was imported.
    """

    source_id: str
    target_id: str
    rank: int
    grade: float | None
    origin: str
    who: str | None = None
    at: datetime | None = None

    @property
    def by_editor(self) -> bool:
        """Whether an editor said it here."""
        return self.origin in EDITORS

    @property
    def rejects(self) -> bool:
        """Whether it says that the article does not belong there."""
        return self.grade is not None and self.grade <= 0


class JudgementStore(Connected):
    """The part of the store that tells what was said of pairs of articles."""

    def judgements(self, whose: Whose = "all") -> list[Judgement]:
        """All judgements of pairs of known articles, by page, rank and article."""
        return list(self._judgements(whose))

    def picks(self, whose: Whose = "all") -> list[Pick]:
        """All picks between known articles, by source and rank; each pair once, no article of itself.

        A pair that one of the same judges rejected is none: a ban is said of what is there, and so later than what
        brought it.
        """
        return _as_picks(self._judgements(whose))

    def own_picks(self) -> list[Pick]:
        """What `policy.pin_picks` puts first: picks that were imported, or made one by one, whatever acts say of them.

        Acts have a say of their own in what stands first and what never stands there; accepting changes no block.
        """
        return _as_picks(said for said in self._judgements("all") if said.origin not in ACTS)

    def rejected(self, whose: Whose = "all") -> list[Pick]:
        """The pairs that were said not to belong together, by source and target; each once."""
        pairs = {(said.source_id, said.target_id): said for said in self._judgements(whose) if said.rejects}
        return [Pick(*pair, said.rank, said.grade) for pair, said in sorted(pairs.items())]

    def tables_of_picks(self) -> list[str]:
        """The origins that are tables, as `replace_picks` was given them."""
        statement = select(picks.c.origin).distinct().where(picks.c.origin.not_in((PAGE, *EDITORS)))
        with self._read() as connection:
            return sorted(connection.scalars(statement))

    def _judgements(self, whose: Whose) -> Iterator[Judgement]:
        columns: dict[str, Any] = {name: picks.c[name] for name in Judgement.__slots__}
        known = (picks.c.source_id.is_not(None), picks.c.target_id.is_not(None))
        statement = select(*columns.values()).where(*known, picks.c.source_id != picks.c.target_id)
        if whose == "imported":
            statement = statement.where(picks.c.origin.not_in(EDITORS))
        elif whose == "editors":
            statement = statement.where(picks.c.origin.in_(EDITORS))
        order = (picks.c.source_id, picks.c.rank, picks.c.target_id, picks.c.origin, picks.c.who)
        with self._read() as connection:
            for row in connection.execute(statement.order_by(*order)).mappings():
                at = datetime.fromisoformat(row["at"]) if row["at"] else None
                yield Judgement(**{**row, "who": row["who"] or None, "at": at})


def _as_picks(judgements: Iterable[Judgement]) -> list[Pick]:
    """Each pair once, but those that some judgement rejects."""
    pairs: dict[tuple[str, str], Pick] = {}
    rejected = set[tuple[str, str]]()
    for said in judgements:
        pair = said.source_id, said.target_id
        if said.rejects:
            rejected.add(pair)
        else:
            pairs.setdefault(pair, Pick(*pair, said.rank, said.grade))
    return [pick for pair, pick in pairs.items() if pair not in rejected]
