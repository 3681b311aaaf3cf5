"""Looks by models that a site was not fitted for: ranked for the moment, on sites that are small enough for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from simrec.errors import ModelError, NotFoundError, UsageError
from simrec.pipeline.chooser import Chooser
from simrec.pipeline.look_page import MOST, Hand, order, state_of
from simrec.pipeline.look_types import Candidate, PageLook
from simrec.pipeline.models import use_learned
from simrec.pipeline.placed import Placed, hand_placed
from simrec.pipeline.site import MODELS, Site
from simrec.pipeline.words import words_of
from simrec.pipeline.workspace import Workspace
from simrec.policy.eligibility import reason_hidden
from simrec.store import Snapshot, Store, StoredBlock
from simrec.types import Article, Corpus, Pick

KEPT = timedelta(minutes=1)
LARGEST = 5000
"""Articles up to which a model is tried that the site was not fitted for: seconds for them, minutes for more."""


class SiteRanker:
    """Ranks pages by any model, with vectors of its own; they are made when they are first needed.

    Args:
        workspace: of the site.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._hashes: Mapping[str, str] = {}
        self._site: Site | None = None
        self._last: Site | None = None
        self._picks: list[Pick] = []
        self._articles: Mapping[str, Article] = {}
        self._choosers: dict[str, tuple[datetime, Chooser]] = {}
        self._placed = Placed({}, {})

    def close(self) -> None:
        """Closes the store."""
        with self._lock:
            if self._store:
                self._store.close()
            self._store = None

    def block(self, model: str, source_id: str, k: int, now: datetime) -> list[str]:
        """Ids of a model's block, without what is put first by hand, and without what is banned there.

        Raises:
            NotFoundError: there is no such article.
            UsageError: the model cannot be asked here.
        """
        with self._lock:
            found = self._ranked(model, source_id, k, now)
        if isinstance(found, str):
            raise UsageError(f"model {model!r} cannot be asked here: {found}")
        return [item.id for item in found.items][:k]

    def add_models(self, look: PageLook, snapshot: Snapshot, now: datetime) -> PageLook:
        """A look with the blocks of the models that are missing from it, where they can be asked."""
        models, missing, candidates = dict(look.models), dict[str, str](), list(look.candidates)
        with self._lock:
            for model in look.missing:
                found = self._ranked(model, look.source_id, MOST, now)
                if isinstance(found, str):
                    missing[model] = found
                    continue
                ranks = {item.id: place for place, item in enumerate(found.items, start=1)}
                models[model] = tuple(list(ranks)[: snapshot.k])
                candidates = [
                    replace(one, by_model={**one.by_model, model: ranks.get(one.id)}) for one in candidates
                ] + self._missing(look, {one.id for one in candidates}, models, model, ranks)
        return replace(look, models=models, missing=missing, candidates=tuple(sorted(candidates, key=order)))

    def look(
        self, source_id: str, served: Sequence[str], hand: Hand, snapshot: Snapshot, models: Sequence[str], most: int,
        now: datetime,
    ) -> PageLook:  # fmt: skip
        """See `simrec.pipeline.look.Looks.page`: of a site for which nothing is fitted that stays up to date."""
        with self._lock:
            found = self._ranked(snapshot.model, source_id, most, now)
            page = self._articles[source_id]
            scored = {} if isinstance(found, str) else {item.id: item for item in found.items}
            ranks = {id_: place for place, id_ in enumerate(scored, start=1)}
            candidates = []
            for id_ in dict.fromkeys([*served, *hand.pins, *hand.bans, *scored]):
                article = self._articles.get(id_)
                if article is None or id_ == source_id:
                    continue
                item, place = scored.get(id_), served.index(id_) + 1 if id_ in served else None
                reasons: Mapping[str, Any] = item.reasons if item else {}
                why = ["an editor picked it for this page"] if id_ in hand.picked else []
                barred = hand.bans.get(id_) or reason_hidden(article, now)
                candidates.append(
                    Candidate(
                        id_, article.title, article.url, article.published_at, article.section,
                        item.score if item else None, tuple(why + words_of(reasons, page, article)),
                        {snapshot.model: ranks.get(id_)}, state_of(id_, place, hand, barred), place, barred,
                    )
                )  # fmt: skip
        missing = dict.fromkeys([m for m in models if m != snapshot.model], "not asked yet")
        if isinstance(found, str):
            missing[snapshot.model] = found
        look = PageLook(
            source_id, page.title, snapshot.model, snapshot.id, tuple(served), tuple(sorted(candidates, key=order)),
            {} if isinstance(found, str) else {snapshot.model: tuple(scored)[: snapshot.k]}, missing,
            found.shortfall if not isinstance(found, str) and not found.items else None,
        )  # fmt: skip
        return self.add_models(look, snapshot, now)

    def _missing(
        self, look: PageLook, known: set[str], models: Mapping[str, Sequence[str]], model: str, ranks: Mapping[str, int]
    ) -> list[Candidate]:
        """Candidates that only this model's block has."""
        page, found = self._articles[look.source_id], []
        for id_ in models[model]:
            if id_ not in known:
                article = self._articles[id_]
                by_model = dict.fromkeys(models) | {model: ranks[id_]}
                found.append(
                    Candidate(
                        id_, article.title, article.url, article.published_at, article.section, None,
                        tuple(words_of({}, page, article)), by_model, "candidate",
                    )
                )  # fmt: skip
        return found

    def _ranked(self, model: str, source_id: str, k: int, now: datetime) -> StoredBlock | str:
        """A model's block with so many items; or why there is none, in words."""
        self._refresh()
        if source_id not in self._articles:
            raise NotFoundError(f"there is no article {source_id!r}")
        if model not in MODELS:
            return f"there is no model of that name: choose from {', '.join(MODELS)}"
        if len(self._articles) > LARGEST:
            return f"the site was not fitted for it, and has more than {LARGEST} articles"
        try:
            chooser = self._chooser(model, now)
        except (ModelError, UsageError, NotFoundError) as error:
            return str(error).replace(f"{self.workspace.path}{os.sep}", "")  # editors need no paths of the machine
        rows = np.array([chooser.site.corpus.row_of[source_id]], dtype=np.int32)
        return next(chooser.blocks(rows, k))

    def _chooser(self, model: str, now: datetime) -> Chooser:
        """What chooses by a model; made anew now and then, for it decides once who may be shown."""
        if model in self._choosers and abs(now - self._choosers[model][0]) < KEPT:
            return self._choosers[model][1]
        if self._site is None:
            corpus = Corpus(list(self._articles.values()))
            self._site = Site(corpus, self.workspace.settings, self.workspace.vectors)
            if self._last:
                self._site.succeed(self._last)
                self._last = None
        if model == "learned" and self._site.learned is None:
            use_learned(self._site, self._picks, self.workspace.learned)
        chooser = Chooser(self._site, model, placed=self._placed, now=now, hub_limit=False)
        self._choosers[model] = now, chooser
        return chooser

    def _refresh(self) -> None:
        """Reads the articles anew, where they are others; of a site that is too large, those that are asked for."""
        store = self._store = self._store or self.workspace.store()
        if store.article_count() > LARGEST:
            self._hashes, self._choosers, self._articles = {}, {}, StoredArticles(store)
            self._site = self._last = None
            return
        placed = Placed({}, hand_placed(self.workspace.settings.policy, store.page_states()).bans)
        if self._placed.differing(placed):
            self._placed, self._choosers = placed, {}
        hashes = store.article_hashes()
        if hashes != self._hashes:
            self._last, self._site, self._choosers = self._site or self._last, None, {}
            self._hashes, self._picks = hashes, store.picks()
            self._articles = {article.id: article for article in store.articles()}


class StoredArticles(Mapping[str, Article]):
    """The articles of a store, each read when it is asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, id_: str) -> Article:
        found = self._store.article(id_)
        if found is None:
            raise KeyError(id_)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.article_hashes())

    def __len__(self) -> int:
        return self._store.article_count()
