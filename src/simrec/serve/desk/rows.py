"""A page's block and its candidates, as the rows that an editor works with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from simrec.block.reasons import SIMILAR, reason_of
from simrec.errors import NotFoundError
from simrec.pipeline.look_types import Candidate, PageLook
from simrec.serve.desk.backend import Backend
from simrec.types import Article, Block, BlockItem

if TYPE_CHECKING:
    from simrec.pipeline.acts import PageState


@dataclass(frozen=True, slots=True)
class Row:
    """An article beside a page.

    Attributes:
        id, title, url, lang, section, published_at: of the article.
        kind: the list that it stands in: "block", "candidate", "banned", "waiting", "barred" or "found".
        place: in the block, from 1; None where it is not in it.
        last: whether it is the block's last.
        score, level: of the model that is served; as a number, and from 0 to 100 among the page's candidates, None
            where these are not known.
        reasons: in words.
        by_model: its rank by each model.
        pinned, accepted: by an editor.
        note: why it is where it is, where it is not by its score.
    """

    id: str
    title: str
    url: str | None = None
    lang: str | None = None
    section: str | None = None
    published_at: datetime | None = None
    kind: str = "candidate"
    place: int | None = None
    last: bool = False
    score: float | None = None
    level: int | None = None
    reasons: Sequence[str] = ()
    by_model: Mapping[str, int | None] = field(default_factory=dict)
    pinned: bool = False
    accepted: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Lists:
    """The lists of a page: what is in its block, what could be, what editors took out, what they want but cannot be
    shown, what must not be shown, and what a search found."""

    block: Sequence[Row]
    candidates: Sequence[Row]
    banned: Sequence[Row]
    waiting: Sequence[Row]
    barred: Sequence[Row]
    found: Sequence[Row]


class Maker:
    """Makes the rows of one page."""

    def __init__(self, backend: Backend, state: PageState, look: PageLook | None) -> None:
        self._backend = backend
        self._state = state
        self._known: dict[str, Candidate] = {c.id: c for c in look.candidates} if look else {}
        scores = [c.score for c in self._known.values() if c.score is not None and c.barred is None]
        self._low, self._high = (min(0.0, *scores), max(scores)) if len(scores) > 1 else (0.0, max(scores, default=0.0))

    def lists(self, block: Block, found: Iterable[Article]) -> Lists:
        """All lists."""
        state, shown = self._state, {item.id for item in block.items}
        placed = [
            self._row(item.id, "block", place=at, last=at == len(block.items), score=item.score, note=_why(item))
            for at, item in enumerate(block.items, 1)
        ]
        free = [c for c in self._known.values() if c.id not in shown and c.id not in state.bans]
        return Lists(
            placed,
            [self._row(c.id, "candidate") for c in free if c.barred is None and c.id not in state.pins],
            [self._row(id_, "banned") for id_ in state.bans],
            [self._row(id_, "waiting", note=self._missing(id_)) for id_ in state.pins if id_ not in shown],
            [self._row(c.id, "barred", note=c.barred) for c in free if c.barred is not None and c.id not in state.pins],
            [self._found(article, shown) for article in found if article.id != block.source_id],
        )

    def of_models(self, look: PageLook) -> dict[str, list[Row]]:
        """The rows of the block that each model would give."""
        return {name: [self._row(id_, "candidate") for id_ in ids] for name, ids in look.models.items()}

    def _found(self, article: Article, shown: set[str]) -> Row:
        why = self._backend.why_hidden(article)
        note = f"readers do not see it now: {why}" if why else "in the block" if article.id in shown else None
        return self._row(article.id, "found", note=note)

    def _missing(self, id_: str) -> str:
        article = _article(self._backend, id_)
        if article is None:
            return "pinned, but there is no such article any more"
        known = self._known.get(id_)
        why = self._backend.why_hidden(article) or (known.barred if known else None)
        return f"pinned, but not shown: {why}" if why else "pinned, and shown as soon as there is room for it"

    def _row(
        self, id_: str, kind: str, *, place: int | None = None, last: bool = False, score: float | None = None,
        note: str | None = None,
    ) -> Row:  # fmt: skip
        article, known = _article(self._backend, id_), self._known.get(id_)
        score = known.score if known and known.score is not None else score if kind == "block" and not note else None
        return Row(
            id_,
            article.title if article else id_,
            article.url if article else None,
            article.lang if article else None,
            article.section if article else None,
            article.published_at if article else None,
            kind, place, last, score, self._level(score),
            known.reasons if known else (),
            known.by_model if known else {},
            id_ in self._state.pins,
            id_ in self._state.accepted,
            note,
        )  # fmt: skip

    def _level(self, score: float | None) -> int | None:
        if score is None or self._high <= self._low:
            return None
        return round(100 * max(0.0, min(1.0, (score - self._low) / (self._high - self._low))))


def titles(backend: Backend, ids: Iterable[str | None]) -> dict[str, Article | None]:
    """The articles of some ids, None where there is none any more."""
    return {id_: _article(backend, id_) for id_ in ids if id_ is not None}


def _article(backend: Backend, id_: str) -> Article | None:
    try:
        return backend.article(id_)
    except NotFoundError:
        return None


def _why(item: BlockItem) -> str | None:
    """Why an item is in a block, where no model brought it and no editor did."""
    reason = reason_of(item)
    return None if reason in (SIMILAR, "pinned") else f"fills the block: {reason}"
