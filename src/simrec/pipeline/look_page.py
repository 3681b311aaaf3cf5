"""One page as an editor sees it, made of a site that is up to date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from simrec.errors import NotFoundError
from simrec.house import PolicySettings
from simrec.pipeline.live.engine import Engine
from simrec.pipeline.look_rank import Ranker, Ranking, places
from simrec.pipeline.look_types import Candidate, PageLook, State
from simrec.pipeline.words import words_of
from simrec.policy.eligibility import reason_hidden
from simrec.store import Store
from simrec.types import Article

MOST = 30
"""Candidates that may be shown."""
BARRED = 10
"""Candidates that must not be shown, and would be among the best."""


class Hand(NamedTuple):
    """What people said of a page.

    Attributes:
        pins: ids that stand first, in their order.
        bans: who banned an article, and when, in words, by its id.
        picked: ids that were picked for the page.
    """

    pins: tuple[str, ...] = ()
    bans: Mapping[str, str] = {}
    picked: frozenset[str] = frozenset()

    @classmethod
    def of(cls, store: Store, policy: PolicySettings, source_id: str) -> Hand:
        """What the settings and the editors said of a page."""
        bans = dict.fromkeys(policy.banned.get(source_id, ()), "banned by the settings")
        pins = list(policy.pinned.get(source_id, ()))
        state = store.page_states([source_id]).get(source_id)
        if state is not None:
            pins = [*pins, *state.pins]
            bans |= dict.fromkeys(state.bans, "banned by an editor")
            for act in reversed(store.acts(source_id=source_id) if state.bans else []):
                for id_ in {*act.after["bans"]} & {*state.bans} - {*act.before["bans"]}:
                    bans[id_] = f"banned by {act.who} on {act.at:%Y-%m-%d}"
        return cls(tuple(dict.fromkeys(pins)), bans, frozenset(store.picked_for(source_id)))


class PageReader:
    """Looks at pages of a site.

    Args:
        engine: the site.
        models: to show beside the one that is served.
        now: the moment that decides who may be shown.
    """

    def __init__(self, engine: Engine, models: Sequence[str], now: datetime) -> None:
        self.engine = engine
        self.ranker = Ranker(engine)
        self.now = now
        self.models = list(dict.fromkeys([self.ranker.served, *models]))

    def look(self, source_id: str, served: Sequence[str], hand: Hand, snapshot: int, most: int) -> PageLook:
        """See `simrec.pipeline.look.Looks.page`."""
        engine, row = self.engine, self._row(source_id)
        members = self.ranker.members(row)
        ours = [model for model in self.models if model in self.ranker.models]
        wide = self.ranker.rank(self.ranker.served, row, self.ranker.everyone(row), most)
        rankings = {self.ranker.served: self.ranker.only(wide, members)}
        rankings |= {model: self.ranker.rank(model, row, members, most) for model in ours if model not in rankings}
        models = {model: self._ids(self.ranker.block(row, found, self.now)) for model, found in rankings.items()}
        rows = self._chosen(row, wide, members, [*served, *hand.pins, *hand.bans, *_first(models)], most)
        return PageLook(
            source_id=source_id,
            title=engine.articles[row].title,
            model=self.ranker.served,
            snapshot=snapshot,
            served=tuple(served),
            candidates=self._candidates(row, rows, served, hand, rankings, wide),
            models=models,
            missing={model: "not asked yet" for model in self.models if model not in ours},
            off=engine.rules.reason_off(engine.articles[row]),
        )

    def block(self, model: str, source_id: str) -> list[str] | None:
        """Ids of a model's block; None where the site does not hold what it needs."""
        if model not in self.ranker.models:
            return None
        row = self._row(source_id)
        ranking = self.ranker.rank(model, row, self.ranker.members(row), MOST)
        return list(self._ids(self.ranker.block(row, ranking, self.now)))

    def _row(self, source_id: str) -> int:
        row = self.engine.row_of.get(source_id)
        if row is None:
            raise NotFoundError(f"there is no article {source_id!r}")
        return row

    def _ids(self, rows: Sequence[int]) -> tuple[str, ...]:
        return tuple(self.engine.articles[row].id for row in rows)

    def _chosen(self, page: int, wide: Ranking, members: Any, named: Sequence[str], most: int) -> list[int]:
        """The rows to show: those named, the best that may be shown, and who would be among them if it might."""
        found = {self.engine.row_of[id_]: None for id_ in named if id_ in self.engine.row_of}
        may = barred = 0
        for row in wide.rows.tolist():
            if members[row] and may < most:
                may += 1
                found.setdefault(row)
            elif not members[row] and barred < BARRED:
                barred += 1
                found.setdefault(row)
            if may == most:
                break
        found.pop(page, None)
        return list(found)

    def _candidates(
        self, page: int, rows: list[int], served: Sequence[str], hand: Hand, rankings: Mapping[str, Ranking],
        wide: Ranking,
    ) -> tuple[Candidate, ...]:  # fmt: skip
        engine, array = self.engine, np.array(rows, dtype=np.int32)
        scores = self._scores(page, rows, wide)
        ranks = {model: places(found) for model, found in rankings.items()}
        why = engine.composer.reasons(page, array)
        stories = {int(engine.copies.numbers[engine.row_of[id_]]): id_ for id_ in served if id_ in engine.row_of}
        found = []
        for row, score, reasons in zip(rows, scores, why, strict=True):
            article = engine.articles[row]
            place = served.index(article.id) + 1 if article.id in served else None
            barred = hand.bans.get(article.id) or self._why_barred(page, row)
            if barred is None and place is None and int(engine.copies.numbers[row]) in stories:
                barred = f"the same story as {stories[int(engine.copies.numbers[row])]}"
            found.append(
                Candidate(
                    id=article.id, title=article.title, url=article.url, published_at=article.published_at,
                    section=article.section, score=round(score, 5) if np.isfinite(score) else None,
                    reasons=self._reasons(page, row, reasons, hand),
                    by_model={model: ranks[model].get(row) for model in rankings},
                    state=state_of(article.id, place, hand, barred), place=place, barred=barred,
                )
            )  # fmt: skip
        return tuple(sorted(found, key=order))

    def _scores(self, page: int, rows: Sequence[int], wide: Ranking) -> list[float]:
        """What the served model gives some rows, most of which it has ranked already."""
        known = dict(zip(wide.rows.tolist(), wide.scores.tolist(), strict=True))
        others = [row for row in rows if row not in known]
        if others:
            found = self.ranker.scores(page, np.array(others, dtype=np.int32)).tolist()
            known |= dict(zip(others, found, strict=True))
        return [known[row] for row in rows]

    def _reasons(self, page: int, row: int, reasons: Mapping[str, Any], hand: Hand) -> tuple[str, ...]:
        engine = self.engine
        article: Article = engine.articles[row]
        found = ["an editor picked it for this page"] if article.id in hand.picked else []
        found += words_of(reasons, engine.articles[page], article)
        boost = engine.fitted.settings.policy.boost.get(article.id, 0.0)
        if boost:
            found.append(f"{'raised' if boost > 0 else 'lowered'} by the settings")
        if engine.toll.array[row] > 0:
            found.append("lowered, since it would stand in too many blocks")
        return tuple(found)

    def _why_barred(self, page: int, row: int) -> str | None:
        """Why an article must not be shown under a page, in words; None where it may."""
        engine = self.engine
        article, groups, published = engine.articles[row], engine.groups.array, engine.shelf["published"]
        why = reason_hidden(article, self.now) or engine.rules.reason_barred(article, self.now)
        if why is None and engine.copies.numbers[row] == engine.copies.numbers[page]:
            why = "a copy of the page"
        if why is None and not engine.pairs.speaks(groups[page], groups[row]):
            why = f"other language: {engine.fitted.text_of(article).lang}"
        if why is None and engine.pairs.by_date and not engine.pairs.in_time(published[page], published[row]):
            why = "too far from the page in time, or newer than it"
        return why


def order(candidate: Candidate) -> tuple[int, float, str]:
    """Items first, in their order; then by score; then what is banned, then what is barred."""
    group = 0 if candidate.place else {"banned": 2, "barred": 3}.get(candidate.state, 1)
    return group, candidate.place or -(candidate.score if candidate.score is not None else -1e9), candidate.id


def state_of(id_: str, place: int | None, hand: Hand, barred: str | None) -> State:
    """What an article is to a page."""
    if id_ in hand.bans:
        return "banned"
    if place is None and barred:
        return "barred"
    if id_ in hand.pins:
        return "pinned"
    return "shown" if place else "candidate"


def _first(models: Mapping[str, Sequence[str]]) -> list[str]:
    return [id_ for ids in models.values() for id_ in ids]


__all__ = ["MOST", "Hand", "PageReader", "order", "state_of"]
