"""What fills a block that similar articles do not fill: the section's newest, the most picked, the newest of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np

from simrec.house import PolicySettings
from simrec.policy.articles import ArticleRules
from simrec.policy.caps import Tally, cap_names
from simrec.policy.eligibility import reason_hidden
from simrec.policy.pairs import Facts, PairRules
from simrec.policy.story import OneStory
from simrec.types import Article, Corpus, Pick


class Fallback:
    """Finds further articles for blocks, by the house rules of a moment.

    Args:
        corpus: the articles.
        policy: the house rules.
        rules: those of single articles.
        now: the moment.
        picks: editors' picks, that say what is popular.
        story: tells copies.
    """

    def __init__(
        self, corpus: Corpus, policy: PolicySettings, rules: ArticleRules, now: datetime, picks: Iterable[Pick],
        story: OneStory,
    ) -> None:  # fmt: skip
        self._corpus = corpus
        self._policy = policy
        self._rules = rules
        self._now = now
        self._picked = Counter(pick.target_id for pick in picks)
        self._pairs = PairRules(policy, corpus.languages)
        self._facts = Facts(corpus.lang_codes, corpus.published)
        self._names = cap_names(policy)
        self._known: dict[int, bool] = {}
        self._story = story

    def fill(self, source: Article, chosen: Sequence[Article], most: int, exclude: Iterable[str]) -> list[Any]:
        """Articles to stand behind those chosen, each with score 0 and the reason that names where it comes from.

        Args:
            source: the page.
            chosen: what stands in its block.
            most: how many are missing.
            exclude: ids that must not stand there, banned ones too.
        """
        found: list[Any] = []
        standing = [source.id, *(article.id for article in chosen)]
        seen = {*exclude, *standing}
        tally = Tally(self._names_of) if self._names else None
        for article in chosen if tally else ():
            tally.add(self._corpus.row_of[article.id])  # type: ignore[union-attr]  # it is there: `if tally`
        page = self._facts.of(self._corpus.row_of[source.id])
        for kind in self._policy.fallback:
            for row in self._of(kind, source):
                if len(found) == most:
                    return found
                article = self._corpus.articles[row]
                if article.id in seen or not self._pairs.allow(page, self._facts.of(row)):
                    continue
                if tally and not tally.has_room(row):
                    continue
                if any(self._story.holds(article.id, other) for other in standing):
                    continue
                seen.add(article.id)
                standing.append(article.id)
                if tally:
                    tally.add(row)
                found.append((article, 0.0, {"fallback": kind}))
        return found

    def _of(self, kind: str, source: Article) -> Iterator[int]:
        """Rows of one kind that may be shown, best first; each is looked at when it is asked for."""
        if kind == "section":
            rows = self._by_section.get((source.section or "").casefold(), [])
        else:
            rows = self._popular if kind == "popular" else self._newest
        return filter(self._may, rows)

    def _names_of(self, row: int) -> Any:
        names: Callable[[Article], Any] = self._names or (lambda article: ())
        return names(self._corpus.articles[row])

    @cached_property
    def _newest(self) -> list[int]:
        """All rows, newest first; without a date at the end."""
        order: list[int] = np.argsort(self._corpus.tie_order).tolist()
        return order

    @cached_property
    def _by_section(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for row in self._newest:
            section = self._corpus.articles[row].section
            if section:
                found.setdefault(section.casefold(), []).append(row)
        return found

    @cached_property
    def _popular(self) -> list[int]:
        row_of, order = self._corpus.row_of, self._corpus.tie_order
        rows = [row_of[id_] for id_ in self._picked if id_ in row_of]
        return sorted(rows, key=lambda row: (-self._picked[self._corpus.ids[row]], order[row]))

    def _may(self, row: int) -> bool:
        if row not in self._known:
            article = self._corpus.articles[row]
            barred = reason_hidden(article, self._now) or self._rules.reason_barred(article, self._now)
            self._known[row] = barred is None
        return self._known[row]


__all__ = ["Fallback"]
