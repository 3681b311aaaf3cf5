"""The block that a text would have if it were published now; nothing is stored, and nothing stays of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from simrec.pipeline.live.loan import rank_unkept
from simrec.pipeline.live.site import LiveSite
from simrec.pipeline.publish import check_article
from simrec.pipeline.viewer import Viewer
from simrec.pipeline.words import words_of
from simrec.settings import Settings
from simrec.store import StoredBlock
from simrec.store.records import article_hash
from simrec.types import Article, BlockItem, Corpus


class Warm(Protocol):
    """Who holds a site that is ready to rank: a `Pipeline`, or `Looks`."""

    def reading(self) -> AbstractContextManager[LiveSite]:
        """The site; nobody changes it meanwhile."""


def warm_up(warm: Warm, clock: Callable[[], datetime]) -> None:
    """Ranks a text that is not kept: models are loaded and loops compiled before somebody waits for them.

    Raises:
        ModelError: the model cannot be loaded.
    """
    with warm.reading() as site:
        page = next(iter(site.engine.articles.values()), None)
    if page:
        text = replace(page, id=f"{page.id}:warm", title=f"{page.title} {page.title}", canonical_id=None)
        rank_draft(warm, text, 1, clock=clock)


def rank_draft(
    warm: Warm, article: Article, k: int | None = None, *, explain: bool = False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[BlockItem]:  # fmt: skip
    """The similar articles that a text would be published with, best first.

    They are those of its block, were it published now, whatever its own state says, without what fallbacks add.

    Args:
        warm: holds the site.
        article: the text; where its id is that of a stored article, it is ranked as that one's new version.
        k: items; None for as many as blocks have; more than a block keeps, spares included, are not found.
        explain: say in each item's reasons, as "because", why it is there, in words.
        clock: tells the moment that decides who may be shown.

    Raises:
        InputError: the article has no id, or a date without a zone.
        UsageError: nothing is fitted that it could be ranked with.
    """
    check_article(article)
    now = clock()
    with warm.reading() as site:
        engine = site.engine
        block = rank_unkept(site, article, article_hash(article), now)
        known = [engine.articles[engine.row_of[item.id]] for item in block.items]
        settings, most = engine.fitted.settings, engine.k
    items = view_alone(block, article, known, settings, most if k is None else k, now)
    if not explain:
        return items
    about = {one.id: one for one in known}
    return [
        replace(item, reasons={**item.reasons, "because": words_of(item.reasons, article, about[item.id])})
        for item in items
    ]


def view_alone(
    block: StoredBlock, page: Article, items: list[Article], settings: Settings, k: int, now: datetime
) -> list[BlockItem]:
    """What readers would see of a block at a moment, with no more articles than those that it names."""
    policy = settings.policy.model_copy(update={"fallback": ()})
    least = settings.block.model_copy(update={"min_items": 1})
    alone = settings.model_copy(update={"policy": policy, "block": least})
    there = {article.id: article for article in [*items, page]}
    viewer = Viewer(Corpus([there[id_] for id_ in sorted(there)]), alone, k, now=now)
    return list(viewer.view(block).items)


__all__ = ["Warm", "rank_draft"]
