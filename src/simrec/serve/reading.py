"""What readers are shown: blocks and articles out of memory, kept up with the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import NamedTuple

from simrec.errors import NotFoundError, StoreError
from simrec.garbage import keep, uncollected
from simrec.pipeline.workspace import Workspace
from simrec.policy.eligibility import reason_hidden
from simrec.serve.problems import NO_ARTICLE
from simrec.serve.seen import NEVER, Seen
from simrec.store import Snapshot, Store, StoredBlock
from simrec.store.changes import Mark
from simrec.types import Article, Block

MOST = 100
"""Items of a block, and articles of a search."""


class Viewed(NamedTuple):
    """A block as readers may see it.

    Attributes:
        block: itself.
        until: the moment at which it may be another one, in seconds since 1970; infinite where there is none.
        depends: ids of the articles that it may change with; None: with any.
    """

    block: Block
    until: float
    depends: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Moved:
    """What a refresh changed: ids of articles and of pages whose blocks are others; None: all."""

    articles: frozenset[str]
    blocks: frozenset[str] | None


class Shown:
    """What readers see. All of it is in memory; `refresh` brings it up to date, and is called several times a second.

    Args:
        workspace: the site.
        store: open, for as long as this is used.
        clock: says what time it is.
        moved: is told what each refresh changed.
    """

    def __init__(
        self,
        workspace: Workspace,
        store: Store,
        clock: Callable[[], datetime],
        moved: Callable[[Moved], None] = lambda moved: None,
    ) -> None:
        self._workspace, self._store, self._clock, self._moved = workspace, store, clock, moved
        self._lock = Lock()
        self._seen: Seen | None = None

    def refresh(self) -> bool:
        """Brings it up to date with the store, and says whether anything was other.

        Raises:
            StoreError: the store cannot be read; what was seen before goes on being shown.
        """
        with self._lock:
            if self._seen is None:
                return self._read()
            if self._store.mark() == self._seen.mark:
                self._seen.warm(self._clock())  # a moment may have come
                return False
            changes = self._store.changes(self._seen.mark)
            if changes.anew:
                return self._read()
            after = self._seen.followed(self._store, changes)
            after.warm(self._clock())
            before, self._seen = self._seen, after
            self._moved(_moved(before, self._seen, changes.articles, changes.blocks, changes.pages))
            return True

    def _read(self) -> bool:
        """Reads all that there is, whatever was seen before."""
        first = self._seen is None
        with uncollected():
            seen = Seen.read(self._store, self._store.mark(), self._workspace.settings)
            seen.warm(self._clock())
            self._seen = seen
            if first:
                keep()  # requests would wait for each search through the site
        self._moved(Moved(frozenset(), None))
        return True

    @property
    def is_ready(self) -> bool:
        """Whether there is a snapshot to show."""
        return self._seen is not None and self._seen.snapshot is not None

    @property
    def seen(self) -> Seen:
        """What is shown at the moment, as a whole that does not change.

        Raises:
            StoreError: nothing was read yet.
        """
        if self._seen is None:
            raise StoreError("the service has not read the store yet")
        return self._seen

    @property
    def mark(self) -> Mark:
        """The mark of the store up to which all is shown."""
        return self.seen.mark

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that is shown.

        Raises:
            StoreError: there is none.
        """
        return _snapshot(self.seen)

    def version(self, source_id: str) -> int:
        """The version of what editors did on a page; 0 where they did nothing."""
        page = self.seen.pages.get(source_id)
        return page.version if page else 0

    def article(self, article_id: str) -> Article | None:
        """An article, whatever its state, for editors; None where there is none."""
        return self.seen.corpus.by_id.get(article_id)

    def public(self, article_id: str) -> Article:
        """An article that readers may see.

        Raises:
            NotFoundError: there is none, or it is not public: nobody can tell which.
        """
        article = self.article(article_id)
        if article is None or reason_hidden(article, self._clock()):
            raise NotFoundError(NO_ARTICLE)
        return article

    def public_after(self, article_id: str, limit: int) -> list[Article]:
        """Up to `limit` articles that readers may see, by id, with ids greater than this one."""
        from bisect import bisect_right

        corpus, now, found = self.seen.corpus, self._clock(), []
        for row in range(bisect_right(corpus.ids, article_id), len(corpus)):
            if reason_hidden(corpus.articles[row], now) is None:
                found.append(corpus.articles[row])
                if len(found) == limit:
                    break
        return found

    def search(self, text: str, limit: int = 20) -> list[Article]:
        """Articles by id, address or words of the title, the newest first, for editors: drafts are among them."""
        wanted = text.strip().casefold()
        words = wanted.split()
        if not words:
            return []
        corpus, exact, found = self.seen.corpus, [], []
        for article in corpus.articles:
            names = (article.id.casefold(), (article.url or "").casefold())
            if wanted in names:
                exact.append(article)
            elif any(wanted in name for name in names) or all(word in article.title.casefold() for word in words):
                found.append(article)
        found.sort(key=lambda article: article.published_at.timestamp() if article.published_at else 0.0, reverse=True)
        return (exact + found)[: min(limit, MOST)]

    def block(self, source_id: str, k: int | None = None, exclude: Sequence[str] = ()) -> Block:
        """A page's block as readers see it.

        Raises:
            NotFoundError: there is no such page, or it is not public: nobody can tell which.
            StoreError: nothing is built yet.
        """
        return self.view(source_id, k, exclude).block

    def view(self, source_id: str, k: int | None = None, exclude: Sequence[str] = ()) -> Viewed:
        """The same, with how long it lasts."""
        self.public(source_id)
        return self._view(self.seen, source_id, k, exclude)

    def editor_block(self, source_id: str, k: int | None = None, exclude: Sequence[str] = ()) -> Block:
        """A page's block, for editors: also of a page that is not public yet.

        Raises:
            NotFoundError: there is no such article.
            StoreError: nothing is built yet.
        """
        if self.article(source_id) is None:
            raise NotFoundError(f"there is no article {source_id!r}")
        return self._view(self.seen, source_id, k, exclude).block

    def _view(self, seen: Seen, source_id: str, k: int | None, exclude: Sequence[str]) -> Viewed:
        now = self._clock()
        viewer = seen.viewer(k or _snapshot(seen).k, now)
        stored = seen.stored(source_id) or StoredBlock(source_id, (), None)
        block = viewer.view(stored, exclude)
        page, pinned = seen.pages.get(source_id), self._workspace.settings.policy.pinned.get(source_id, ())
        ids = frozenset([source_id, *(item.id for item in stored.items), *(page.pins if page else ()), *pinned])
        picked = page is not None and self._workspace.settings.policy.pin_picks
        if picked or any("fallback" in item.reasons for item in block.items) or self._fills(block, k or viewer.k):
            return Viewed(block, seen.changes_at(now), None)
        by_id = seen.corpus.by_id
        return Viewed(block, seen.settled([by_id[id_] for id_ in ids if id_ in by_id], now), ids)

    def _fills(self, block: Block, k: int) -> bool:
        """Whether a fallback would fill the block, had it anything to fill it with."""
        return len(block.items) < k and bool(self._workspace.settings.policy.fallback)


def _snapshot(seen: Seen) -> Snapshot:
    if seen.snapshot is None:
        raise StoreError("there is no snapshot yet: run `simrec build` first")
    return seen.snapshot


def _moved(
    before: Seen, after: Seen, articles: Sequence[Article], blocks: Sequence[str] | None, pages: Sequence[str]
) -> Moved:
    changed = frozenset(article.id for article in articles)
    known = before.snapshot, after.snapshot
    same_form = all(known) and known[0].k == known[1].k and known[0].model == known[1].model  # type: ignore[union-attr]  # `all`
    if before.corpus.main_lang != after.corpus.main_lang or not same_form:
        return Moved(changed, None)
    if blocks is None:
        ids = before.packed.keys() | after.packed.keys()
        blocks = [id_ for id_ in ids if before.packed.get(id_) != after.packed.get(id_)]
    return Moved(changed, frozenset(blocks) | frozenset(pages))


__all__ = ["NEVER", "Moved", "Shown", "Viewed"]
