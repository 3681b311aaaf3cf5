"""A snapshot's blocks as readers may see them at a moment, without a build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from simrec.block.compose import compose
from simrec.policy.eligibility import reason_hidden
from simrec.settings import Settings
from simrec.store import StoredBlock, StoredItem
from simrec.types import Article, Block, Corpus

GONE = "gone"
"""Why a page has no block, where its article is no longer in the store."""


class Viewer:
    """Stored blocks as readers may see them: what was hidden since the build is left out, spares move up.

    Args:
        corpus: the articles as they are stored now.
        settings: of the site.
        k: items a block.
        now: the moment that is looked at; None for this one.
    """

    def __init__(self, corpus: Corpus, settings: Settings, k: int, *, now: datetime | None = None) -> None:
        self.k = k
        self.now = now or datetime.now(UTC)
        self._corpus = corpus
        self._articles: Mapping[str, Article] = {article.id: article for article in corpus.articles}
        self._settings = settings.block

    def reason_hidden(self, article_id: str) -> str | None:
        """Why an article must not be shown at the moment, and so needs no block either; None where it may."""
        article = self._articles.get(article_id)
        return reason_hidden(article, self.now) if article else GONE

    def view(self, stored: StoredBlock, exclude: Sequence[str] = ()) -> Block:
        """The block.

        Args:
            stored: as the snapshot has it, of an article that is in the store.
            exclude: ids that must not stand in it, since they stand elsewhere on the page.
        """
        source, taken = self._articles[stored.source_id], set(exclude)
        may = self._may(stored)
        chosen = [(self._articles[item.id], item.score, item.reasons) for item in may if item.id not in taken]
        return compose(
            source,
            source.lang or self._corpus.main_lang,
            chosen[: self.k],
            excerpt_words=self._settings.excerpt_words,
            shortfall=self._shortfall(stored, len(chosen), len(may)),
        )

    def _may(self, stored: StoredBlock) -> list[StoredItem]:
        """The items that may be shown, each once, and never the page itself, whoever stored them."""
        found: dict[str, StoredItem] = {}
        for item in stored.items:
            if item.id != stored.source_id and self.reason_hidden(item.id) is None:
                found.setdefault(item.id, item)
        return list(found.values())

    def _shortfall(self, stored: StoredBlock, found: int, may: int) -> str | None:
        if found >= self.k:
            return None
        why = [f"{may - found} elsewhere on the page"] if may > found else []
        if may < len(stored.items):
            why.append(f"{len(stored.items) - may} withdrawn since the build, run `simrec build`")
        if not why:
            return stored.shortfall
        return "; ".join([f"{found} of {self.k}: {' and '.join(why)}", *filter(None, [stored.shortfall])])
