"""Looks at pages as an editor does: the block beside its candidates, and what each model would give."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from simrec.errors import UsageError
from simrec.pipeline.kept import find_fitted
from simrec.pipeline.live.site import LiveSite
from simrec.pipeline.look_page import MOST, Hand, PageReader
from simrec.pipeline.look_site import SiteRanker, StoredArticles
from simrec.pipeline.look_types import Candidate, PageLook, State
from simrec.pipeline.placed import placed_of
from simrec.pipeline.synced import catch_up
from simrec.pipeline.workspace import Workspace
from simrec.store import Snapshot, Store
from simrec.types import Article

if TYPE_CHECKING:
    from simrec.pipeline.publish import Pipeline


def _now() -> datetime:
    return datetime.now(UTC)


class Looks:
    """Looks at pages in a warm process; the first look reads what was fitted of the site, which may take seconds.

    Several threads may use it. It writes nothing.

    Args:
        workspace: of the site.
        pipeline: of this process, whose site is looked at; None: one is read from the disk and follows the store.
        clock: tells the moment that decides who may be shown.
        models: to show beside the one that is served; None for those of the settings.
    """

    def __init__(
        self, workspace: Workspace, pipeline: Pipeline | None = None, *, clock: Callable[[], datetime] = _now,
        models: Sequence[str] | None = None,
    ) -> None:  # fmt: skip
        self.workspace = workspace
        self.models = tuple(workspace.settings.serve.desk_models if models is None else models)
        self._pipeline = pipeline
        self._clock = clock
        self._lock = threading.RLock()
        self._store: Store | None = None
        self._site: LiveSite | None = None
        self._mark: tuple[int, int] | None = None
        self._others = SiteRanker(workspace)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the store, and forgets the site."""
        with self._lock:
            if self._store:
                self._store.close()
            self._store = self._site = self._mark = None
        self._others.close()

    def refresh(self) -> None:
        """Takes over what has changed in the store since, in place of at the next look."""
        with self._lock:
            self._follow(self._snapshot(), always=True)

    @contextmanager
    def reading(self) -> Iterator[LiveSite]:
        """The site, up to date; nobody changes it meanwhile.

        Raises:
            UsageError: nothing is fitted for the active snapshot.
        """
        if self._pipeline is not None:
            with self._pipeline.reading() as site:
                yield site
            return
        with self._lock:
            snapshot = self._snapshot()
            self._follow(snapshot)
            if self._site is None:
                raise UsageError(f"nothing is fitted for snapshot {snapshot.id}, {snapshot.model}: run `simrec build`")
            yield self._site

    def page(self, source_id: str, served: Sequence[str] | None = None, *, most: int = MOST) -> PageLook:
        """A page as an editor sees it.

        Args:
            source_id: the page.
            served: ids of its block as readers see it; None: as the active snapshot has it.
            most: candidates that may be shown; what is banned and barred is added.

        Raises:
            NotFoundError: there is no such article.
            StoreError: there is no snapshot yet.
        """
        now = self._clock()
        with self._lock:
            store, snapshot = self._open(), self._snapshot()
            hand = Hand.of(store, self.workspace.settings.policy, source_id)
            if served is None:
                served = _served(store, snapshot, source_id, hand, now)
        try:
            with self.reading() as site:
                if source_id not in site.engine.row_of and self._pipeline is None:
                    self._follow(snapshot, always=True)  # it is stored, perhaps, and waits for a build
                reader = PageReader(site.engine, self.models, now)
                look = reader.look(source_id, served, hand, snapshot.id, most)
        except UsageError:
            return self._others.look(source_id, served, hand, snapshot, self.models, most, now)
        if not look.missing:
            return look
        return self._others.add_models(look, snapshot, now)

    def blocks(self, model: str, source_id: str) -> list[str]:
        """Ids of the block that a model gives a page, without what editors put first.

        Raises:
            NotFoundError: there is no such article.
            UsageError: there is no such model here.
        """
        now = self._clock()
        try:
            with self.reading() as site:
                found = PageReader(site.engine, (model,), now).block(model, source_id)
        except UsageError:
            found = None
        return self._others.block(model, source_id, self._snapshot().k, now) if found is None else found

    def article(self, id_: str) -> Article | None:
        """The article of an id."""
        with self._lock:
            return self._open().article(id_)

    def _open(self) -> Store:
        if self._store is None:
            self._store = self.workspace.store()
        return self._store

    def _snapshot(self) -> Snapshot:
        with self._lock:
            return self._open().snapshot()

    def _follow(self, snapshot: Snapshot, *, always: bool = False) -> None:
        """Brings the own site up to the store, where the blocks are others than at the last look."""
        mark = snapshot.id, snapshot.revision
        if self._pipeline is not None or (self._site is not None and mark == self._mark and not always):
            return
        store, now = self._open(), self._clock()
        hashes, placed = store.article_hashes(), placed_of(self.workspace, store)
        if self._site is not None and self._site.name == snapshot.fitted:
            self._site.follow(StoredArticles(store), hashes, placed, now)
        if self._site is None or self._site.name != snapshot.fitted or self._site.is_loose:
            self._site = None
            gc.collect()  # what the last one held: its parts refer to one another
            if find_fitted(self.workspace, snapshot) is not None:
                self._site = catch_up(self.workspace, store, snapshot, hashes, placed, now, [])
        self._mark = mark


def _served(store: Store, snapshot: Snapshot, source_id: str, hand: Hand, now: datetime) -> list[str]:
    """The block of a page as the active snapshot has it, with what editors did since."""
    from simrec.policy.eligibility import reason_hidden

    stored = next(iter(store.blocks(snapshot.id, [source_id])), None)
    found: list[str] = []
    for id_ in [*hand.pins, *(item.id for item in stored.items if stored)] if stored else []:
        article = store.article(id_)
        if article and id_ not in hand.bans and id_ not in found and reason_hidden(article, now) is None:
            found.append(id_)
    return found[: snapshot.k]


__all__ = ["Candidate", "Looks", "PageLook", "State"]
