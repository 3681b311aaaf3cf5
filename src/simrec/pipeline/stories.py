"""The copies of one story that a site holds, for those who check them."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from simrec.errors import ModelError
from simrec.pipeline.copies import find_copies
from simrec.pipeline.live.site import LiveSite, state_folder
from simrec.pipeline.site import Site
from simrec.pipeline.workspace import Workspace
from simrec.policy.duplicates import Copies, representative
from simrec.types import Article, Corpus

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Story:
    """Articles that are copies of one story.

    Attributes:
        articles: of the story, oldest first.
        shown: id of the one that is recommended for all; None where that is the one most similar to the page.
    """

    articles: tuple[Article, ...]
    shown: str | None


def list_stories(workspace: Workspace) -> list[Story]:
    """The stories that a site has more than once, the largest first.

    Raises:
        StoreError: the store cannot be read.
    """
    with workspace.store() as store:
        articles = store.articles()
    copies, article_of = _copies(workspace, articles)
    how, found = workspace.settings.policy.copies, []
    for rows in copies.groups().values():
        known = {row: article_of[row] for row in rows if row in article_of}
        if len(known) < 2:
            continue
        shown = None if how == "best" else known[representative(sorted(known), known.__getitem__, how)].id
        dated = sorted(known.values(), key=lambda a: (a.published_at is None, a.published_at or 0, a.id))
        found.append(Story(tuple(dated), shown))
    return sorted(found, key=lambda story: (-len(story.articles), story.articles[0].id))


def _copies(workspace: Workspace, articles: list[Article]) -> tuple[Copies, dict[int, Article]]:
    """Copies by row, and the articles of the rows: as the last build found them, else found now."""
    by_id = {article.id: article for article in articles}
    if state_folder(workspace.path).exists():
        try:
            engine = LiveSite.load(workspace, by_id).engine
        except ModelError as error:
            logger.info("%s: copies are looked for again", error)
        else:
            return engine.copies, {row: by_id.get(article.id, article) for row, article in engine.articles.items()}
    site = Site(Corpus(articles), workspace.settings, workspace.vectors)
    return find_copies(site), dict(enumerate(articles))
