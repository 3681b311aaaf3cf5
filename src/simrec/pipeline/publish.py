"""One change at a time: an article published, changed, withdrawn, an act of an editor, with every block it concerns."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from simrec.errors import ConflictError, InputError, NotFoundError, UsageError
from simrec.pipeline.ingest import entry_keys
from simrec.pipeline.kept import find_fitted, why_not
from simrec.pipeline.live.drift import Drift
from simrec.pipeline.live.site import LiveSite
from simrec.pipeline.placed import placed_of
from simrec.pipeline.planned import Acting, plan_act
from simrec.pipeline.synced import active_snapshot, catch_up, note_synced, waiting
from simrec.pipeline.workspace import Workspace
from simrec.store import Inputs, NewAct, Snapshot, Store, StoredBlock
from simrec.store.inbox import aside
from simrec.store.records import DATES, article_hash, taken_out
from simrec.store.store import BY_HAND, DESK
from simrec.types import STATUSES, Article, Entry, Pick, PickEntry, Status

logger = logging.getLogger(__name__)

Clock: TypeAlias = Callable[[], datetime]
Plan: TypeAlias = Callable[[Store], NewAct]
"""Makes, of what the store holds now, the act that is to be stored."""


def _now() -> datetime:
    return datetime.now(UTC)


TRIES = 5
"""How often a change is made again where another process was faster."""


@dataclass(frozen=True)
class Change:
    """What a change did.

    Attributes:
        blocks: ids of the articles whose blocks were made again, the article's own among them.
        seconds: that it took, until it was stored.
        waiting: whether the blocks wait for a build, see `hide`.
    """

    blocks: tuple[str, ...]
    seconds: float
    waiting: bool = False


class Pipeline:
    """A site's blocks in a warm process: each change is in all of them when the call returns.

    A change is stored whole or not at all: the article, and every block that it enters or leaves. The blocks are those
    that `simrec build` would make with what is fitted. One process may use it from several threads; several processes
    may use one workspace.

    Args:
        workspace: of the site, with a snapshot of `simrec build` of any model but `learned`.
        clock: tells the time.

    Attributes:
        opened: what bringing the blocks up to date with the store did, when it was opened.

    Raises:
        UsageError: there is no such snapshot.
        ModelError: what was fitted is damaged.
    """

    def __init__(self, workspace: Workspace, clock: Clock = _now) -> None:
        self.workspace = workspace
        self._clock = clock
        self._lock = threading.Lock()
        self._store = workspace.store()
        self._site: LiveSite | None = None
        self._snapshot: Snapshot | None = None
        self.opened = Change((), 0.0)
        with self._lock:
            self._open()

    @classmethod
    def open(cls, path: Path | str) -> Pipeline:
        """The pipeline of the workspace in a folder."""
        return cls(Workspace.open(Path(path)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the store."""
        self._store.close()

    def publish(self, *articles: Article) -> Change:
        """Adds articles, or replaces those that have their ids.

        Raises:
            InputError: an article has no id, or a date without a zone.
        """
        for article in articles:
            check_article(article)
        return self._change(lambda: articles)

    update = publish

    def withdraw(self, *ids: str) -> Change:
        """Takes articles out of all blocks, for good. Raises NotFoundError where there is no such article."""
        return self._take_out(ids, "withdrawn")

    def unpublish(self, *ids: str) -> Change:
        """Makes drafts of articles again: they leave all blocks. Raises NotFoundError where one is not there."""
        return self._take_out(ids, "draft")

    def pick(self, source_id: str, target_id: str, rank: int = 1) -> Change:
        """Adds an editor's pick; it stands first where `policy.pin_picks` says so, and is learned from.

        Raises:
            NotFoundError: one of the articles is not there.
            UsageError: it is a pick of the page itself, or of what is banned there.
        """
        if source_id == target_id:
            raise UsageError(f"{source_id!r} cannot stand under itself")
        for id_ in (source_id, target_id):
            self._article(id_)
        row = self._store.page_states([source_id]).get(source_id)
        if row and target_id in row.bans:
            raise UsageError(f"{target_id!r} is banned under {source_id!r}: lift the ban first, by `simrec unban`")
        return self._change(lambda: (), [PickEntry(Pick(source_id, target_id, rank), BY_HAND)])

    def pin(self, source_id: str, target_id: str, rank: int = 1, who: str = "simrec") -> Change:
        """Pins an article under a page, as one act: see `simrec.pipeline.acts.Desk`, whose errors it raises."""
        acting = Acting(who, "pin", source_id, target_id, rank=rank)
        return self.act(lambda store: plan_act(store, acting, self._clock()))

    def act(self, plan: Plan) -> Change:
        """Stores an editor's act, with the blocks that are others by it: see `simrec.pipeline.acts`.

        Args:
            plan: makes the act; it is asked again where another process was faster.

        Raises:
            StaleError: the page was changed meanwhile, and the act may not be planned again.
        """
        return self._change(lambda: (), plan=plan)

    @property
    def clock(self) -> Clock:
        """What tells the time."""
        return self._clock

    @contextmanager
    def reading(self) -> Iterator[LiveSite]:
        """The site, for one who changes nothing that stays: nothing is published meanwhile."""
        with self._lock:
            yield self._live()

    def drift(self) -> Drift:
        """How far the site has moved from what it was fitted on."""
        with self._lock:
            return self._live().drift()

    def tidy(self) -> bool:
        """Reads the site anew where versions of articles that came and went hold much memory; returns whether it did.

        For a moment when nobody waits: of a large site it takes seconds, and changes wait for it.
        """
        with self._lock:
            if not self._live().is_loose:
                return False
            self._site = None
            gc.collect()  # its parts refer to one another
            self._open()
            return True

    def _take_out(self, ids: Sequence[str], status: Status) -> Change:
        return self._change(lambda: [taken_out(self._article(id_), status, self._clock()) for id_ in ids])

    def _article(self, id_: str) -> Article:
        found = self._store.article(id_)
        if found is None:
            raise NotFoundError(f"there is no article {id_!r}: see `simrec ingest`")
        return found

    def _change(
        self, make: Callable[[], Sequence[Article]], picks: Sequence[PickEntry] = (), plan: Plan | None = None
    ) -> Change:
        with self._lock:
            start = time.perf_counter()
            for _ in range(TRIES):
                # what these raise is no conflict that another try settles, and the site is as it was
                act, articles = plan(self._store) if plan else None, make()
                try:
                    found = self._try(articles, picks, act)
                    return Change(tuple(block.source_id for block in found), time.perf_counter() - start)
                except ConflictError as error:
                    logger.info("%s: its changes are taken over", error)
                    self._site = None
                except BaseException:  # also where it is told to end: what was read may be ahead of the store
                    self._site = None  # it may be ahead of the store
                    raise
            raise ConflictError("other processes keep changing the blocks: try again")

    def _try(self, articles: Sequence[Article], picks: Sequence[PickEntry], act: NewAct | None) -> list[StoredBlock]:
        site, now = self._live(), self._clock()
        assert self._snapshot is not None  # noqa: S101 - `_live` has opened it
        found: dict[str, StoredBlock] = {}
        inputs = Inputs({article.id: article_hash(article) for article in articles})
        for article in articles:
            found |= {block.source_id: block for block in site.put(article, inputs.hashes[article.id], now).blocks}
        if picks or act:
            changed = {act.source_id: act.after} if act else {}
            placed = placed_of(self.workspace, self._store, changed=changed, picked=[entry.pick for entry in picks])
            found |= {block.source_id: block for block in site.place(placed, now)}
            inputs = replace(inputs, pins=placed.pins, bans=placed.bans)
        entries = [Entry(article, BY_HAND) for article in articles]
        self._snapshot = self._store.change(
            entries, picks, DESK, found.values(), self._snapshot, entry_keys, len(site.engine.row_of), inputs, act, now
        )
        return list(found.values())

    def _live(self) -> LiveSite:
        if self._site is None:
            self._open()
        assert self._site is not None  # noqa: S101 - `_open` raises where there is none
        return self._site

    def _open(self) -> None:
        """Reads what was fitted, and brings it and the active snapshot up to date with the store."""
        snapshot = active_snapshot(self._store)
        if snapshot is None or find_fitted(self.workspace, snapshot) is None:
            raise UsageError(why_not(snapshot))
        start, now, found = time.perf_counter(), self._clock(), list[StoredBlock]()
        hashes, placed = self._store.article_hashes(), placed_of(self.workspace, self._store)
        site = catch_up(self.workspace, self._store, snapshot, hashes, placed, now, found)
        if site is None:
            raise UsageError("what was fitted of the site is damaged: run `simrec build --full`")
        behind = found or waiting(self._store, snapshot, hashes, placed) != 0
        inputs = Inputs(hashes, placed.pins, bans=placed.bans)
        self._snapshot = self._follow(found, snapshot, inputs, now) if behind else snapshot
        note_synced(self.workspace, self._snapshot, hashes, placed, site.engine.next_change(now))
        self._site = site
        self.opened = Change(tuple(block.source_id for block in found), time.perf_counter() - start)

    def _follow(self, found: Sequence[StoredBlock], snapshot: Snapshot, inputs: Inputs, now: datetime) -> Snapshot:
        with aside():  # what was stored before is not what a request asks for
            return self._store.change((), (), DESK, found, snapshot, entry_keys, len(inputs.hashes), inputs, now=now)


def hide(workspace: Workspace, ids: Sequence[str], status: Status, clock: Clock = _now) -> Change:
    """Takes articles out of all blocks, whatever snapshot is active.

    Where it is none that articles can be published into, the articles' new state is stored alone. Who shows a block
    leaves them out from then on; their places are filled from the spares, and by the next build.

    Raises:
        NotFoundError: there is no such article.
    """
    try:
        with Pipeline(workspace, clock) as pipeline:
            return pipeline.withdraw(*ids) if status == "withdrawn" else pipeline.unpublish(*ids)
    except UsageError as error:
        logger.info("%s", error)
    start = time.perf_counter()
    with workspace.store() as store:
        known = [store.article(id_) for id_ in ids]
        if None in known:
            raise NotFoundError(f"there is no article {ids[known.index(None)]!r}: see `simrec ingest`")
        entries = [Entry(taken_out(article, status, clock()), BY_HAND) for article in known if article]
        store.put(entries, entry_keys)
    return Change((), time.perf_counter() - start, waiting=True)


def check_article(article: Article) -> None:
    """Raises InputError for what a source would have had rejected."""
    if not article.id.strip():
        raise InputError("an article needs an id")
    if article.status not in STATUSES:
        raise InputError(f"article {article.id!r}: status must be one of {', '.join(STATUSES)}, got {article.status!r}")
    for name in DATES:
        date = getattr(article, name)
        if date is not None and date.tzinfo is None:
            raise InputError(f"article {article.id!r}: {name} needs a zone, say UTC")


__all__ = ["Change", "Pipeline", "hide"]
