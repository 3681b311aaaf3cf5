"""A snapshot's blocks as readers may see them at a moment, without a build."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from datetime import UTC, datetime
from functools import partial
from typing import Any

from simrec.block.compose import compose
from simrec.pipeline.chooser import article_rules
from simrec.pipeline.fallback import Fallback
from simrec.pipeline.overlay import Overlay
from simrec.policy.caps import Tally, cap_names
from simrec.policy.eligibility import opens_at, reason_hidden
from simrec.policy.story import OneStory
from simrec.settings import Settings
from simrec.store import PageRow, Store, StoredBlock, StoredItem
from simrec.types import Article, Block, Corpus, Pick

GONE = "gone"
"""Why a page has no block, where its article is no longer in the store."""
UNTIL = "until"
"""Reason that names the scheduled copy which takes an item's place when its time comes."""


class Viewer:
    """Stored blocks as readers may see them at a moment.

    What may not be shown then is left out, spares move up, and where there are too few, the fallbacks fill the block.

    Args:
        corpus: the articles as they are stored now.
        settings: of the site.
        k: items a block.
        now: the moment that is looked at; None for this one.
        picks: editors' picks, that say what is popular.
        pages: what stands of editors' acts, by page: it holds whatever the stored blocks were made with.
        own_picks: those that stand first where the policy says so, see `Store.own_picks`.
    """

    def __init__(
        self, corpus: Corpus, settings: Settings, k: int, *, now: datetime | None = None, picks: Iterable[Pick] = (),
        pages: Mapping[str, PageRow] | None = None, own_picks: Sequence[Pick] = (),
    ) -> None:  # fmt: skip
        self.k = k
        self.now = now or datetime.now(UTC)
        self._corpus = corpus
        self._articles: Mapping[str, Article] = corpus.by_id
        self._settings = settings.block
        self._policy = settings.policy
        self._rules = article_rules(settings.policy, corpus.published)
        story = OneStory(corpus, settings.policy)
        self._fallback = Fallback(corpus, settings.policy, self._rules, self.now, picks, story)
        self._overlay = Overlay(
            corpus, settings.policy, pages or {}, own_picks, story, partial(_hidden, corpus.by_id, self.now)
        )

    @classmethod
    def open(cls, store: Store, settings: Settings, k: int, now: datetime | None = None) -> Viewer:
        """The viewer of what a store holds."""
        picks, own_picks = picks_to_view(store, settings)
        corpus, pages = Corpus(store.articles()), store.page_states()
        return cls(corpus, settings, k, now=now, picks=picks, pages=pages, own_picks=own_picks)

    def of(self, k: int) -> Viewer:
        """The same with k items a block; it shares all that was made of the corpus."""
        if k == self.k:
            return self
        other = copy(self)
        other.k = k
        return other

    @property
    def corpus(self) -> Corpus:
        """The articles."""
        return self._corpus

    def reason_hidden(self, article_id: str) -> str | None:
        """Why an article must not be shown at the moment, and so needs no block either; None where it may."""
        return _hidden(self._articles, self.now, article_id)

    def view(self, stored: StoredBlock, exclude: Sequence[str] = ()) -> Block:
        """The block.

        Args:
            stored: as the snapshot has it, of an article that is in the store.
            exclude: ids that must not stand in it, since they stand elsewhere on the page.
        """
        source, taken, stored = self._articles[stored.source_id], set(exclude), self._overlay.lay(stored)
        may = self._may(stored)
        chosen: list[Any] = [(self._articles[i.id], i.score, _told(i)) for i in may if i.id not in taken][: self.k]
        shortfall = self._shortfall(stored, len(chosen), len(may))
        off = self._rules.reason_off(source)
        if off:
            chosen, shortfall = [], off
        elif len(chosen) < self.k:
            articles = [article for article, _, _ in chosen]
            taken |= {*self._overlay.bans(source.id)}
            chosen += self._fallback.fill(source, articles, self.k - len(chosen), taken)
        if 0 < len(chosen) < self._settings.min_items:
            least = f"{len(chosen)} items are fewer than min_items, {self._settings.min_items}: no block"
            chosen, shortfall = [], "; ".join(filter(None, [least, shortfall]))
        return compose(
            source,
            source.lang or self._corpus.main_lang,
            chosen,
            excerpt_words=self._settings.excerpt_words,
            shortfall=shortfall if len(chosen) < self.k else None,
        )

    def _may(self, stored: StoredBlock) -> list[StoredItem]:
        """The items that may be shown, each once, and never the page itself, whoever stored them."""
        found: dict[str, StoredItem] = {}
        for item in stored.items:
            if item.id != stored.source_id and self._reason_left_out(item) is None:
                found.setdefault(item.id, item)
        return self._with_room([item for item in found.values() if item.reasons.get(UNTIL) not in found])

    def _with_room(self, items: list[StoredItem]) -> list[StoredItem]:
        """What does not go over the limits of a section, author or series, now that scheduled articles are there."""
        names = cap_names(self._policy)
        if names is None:
            return items
        row_of, articles = self._corpus.row_of, self._corpus.articles
        tally, found = Tally(lambda row: names(articles[row])), []
        for item in items:
            row = row_of[item.id]
            if item.reasons.get("pinned") or tally.has_room(row):
                tally.add(row)
                found.append(item)
        return found

    def _reason_left_out(self, item: StoredItem) -> str | None:
        why = self.reason_hidden(item.id)
        if why is None and not item.reasons.get("pinned"):
            why = self._rules.reason_barred(self._articles[item.id], self.now)
        return why

    def _shortfall(self, stored: StoredBlock, found: int, may: int) -> str | None:
        if found >= self.k:
            return None
        why = [f"{may - found} elsewhere on the page"] if may > found else []
        gone = sum(not self._is_yet_to_come(item.id) for item in stored.items) - may
        if gone > 0:
            why.append(f"{gone} withdrawn since the build, run `simrec build`")
        if not why:
            return stored.shortfall
        return "; ".join([f"{found} of {self.k}: {' and '.join(why)}", *filter(None, [stored.shortfall])])

    def _is_yet_to_come(self, article_id: str) -> bool:
        article = self._articles.get(article_id)
        return article is not None and opens_at(article, self.now) is not None


def _hidden(articles: Mapping[str, Article], now: datetime, article_id: str) -> str | None:
    article = articles.get(article_id)
    return reason_hidden(article, now) if article else GONE


def _told(item: StoredItem) -> Mapping[str, Any]:
    """An item's reasons without the id of the article that is to come in its place: that is nobody's to know yet."""
    if UNTIL not in item.reasons:
        return item.reasons
    return {name: value for name, value in item.reasons.items() if name != UNTIL}


def picks_to_view(store: Store, settings: Settings) -> tuple[Sequence[Pick], Sequence[Pick]]:
    """The picks that say what is popular, and those that stand first; none where the policy asks for none."""
    policy = settings.policy
    popular = store.picks() if "popular" in policy.fallback else ()
    return popular, store.own_picks() if policy.pin_picks else ()
