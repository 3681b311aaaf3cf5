"""What readers see, held in memory as it was at one mark of the store; the next mark makes another one of it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.pipeline.patched import patched
from simrec.pipeline.viewer import Viewer, picks_to_view
from simrec.policy.articles import ArticleRules
from simrec.settings import Settings
from simrec.store import PageRow, Snapshot, Store, StoredBlock, StoredItem
from simrec.store.changes import Changes, Mark
from simrec.types import Article, Corpus, Pick

NEVER = math.inf


@dataclass(frozen=True, eq=False)
class Seen:
    """Articles, the active snapshot and its blocks, at one mark. It never changes.

    Attributes:
        mark: of the store.
        snapshot: the active one; None without one.
        corpus: all articles.
        times: (m,) float64, sorted: all moments at which some article comes or goes, in seconds since 1970.
        packed: the snapshot's blocks by page, each as `pack` has it.
        pages: what stands of editors' acts, by page.
        picks: that say what is popular, and those that stand first, see `picks_to_view`.
        settings: of the site.
    """

    mark: Mark
    snapshot: Snapshot | None
    corpus: Corpus
    times: NDArray[np.float64]
    packed: Mapping[str, bytes]
    pages: Mapping[str, PageRow]
    picks: tuple[Sequence[Pick], Sequence[Pick]]
    settings: Settings
    _viewers: list[tuple[Viewer, float]] = field(default_factory=list)
    _lock: Any = field(default_factory=Lock)

    @classmethod
    def read(cls, store: Store, mark: Mark, settings: Settings) -> Seen:
        """All that the store holds; `mark` was read before, so that what is written meanwhile is read again."""
        corpus = Corpus(store.articles())
        times = np.sort(_times(corpus.articles, settings))
        pages, picks = store.page_states(), picks_to_view(store, settings)
        return cls(mark, _snapshot(store, mark), corpus, times, _blocks(store, mark), pages, picks, settings)

    def followed(self, store: Store, changes: Changes) -> Seen:
        """What there is after changes."""
        mark = changes.mark
        if changes.blocks is None:
            packed: Mapping[str, bytes] = _blocks(store, mark)
        elif changes.blocks and mark.snapshot is not None:
            found = {one.source_id: pack(one) for one in store.blocks(mark.snapshot, changes.blocks)}
            packed = {**self.packed, **found}
        else:
            packed = self.packed
        corpus, settings, by_id = patched(self.corpus, changes.articles), self.settings, self.corpus.by_id
        before = [by_id[article.id] for article in changes.articles if article.id in by_id]
        times = _with(_without(self.times, _times(before, settings)), _times(changes.articles, settings))
        pages = {**self.pages, **store.page_states(changes.pages)} if changes.pages else self.pages
        return Seen(
            mark, _snapshot(store, mark), corpus, times, packed, pages, picks_to_view(store, settings), settings
        )

    def stored(self, source_id: str) -> StoredBlock | None:
        """A page's block as the snapshot has it; None where it has none."""
        found = self.packed.get(source_id)
        return unpack(source_id, found) if found is not None else None

    def viewer(self, k: int, now: datetime) -> Viewer:
        """The viewer of blocks of k items: one for all k, kept until the moment at which any article may come or go."""
        at = now.timestamp()
        kept = self._viewers[0] if self._viewers else None
        if kept and kept[0].now.timestamp() <= at < kept[1]:
            return kept[0].of(k)
        with self._lock:
            picks, own = self.picks
            made = Viewer(self.corpus, self.settings, k, now=now, picks=picks, pages=self.pages, own_picks=own)
            self._viewers[:] = [(made, self.changes_at(now))]
        return made

    def warm(self, now: datetime) -> None:
        """Makes what the next request would have to wait for, where that is not there yet."""
        if self.snapshot is None or not len(self.corpus):
            return
        viewer = self.viewer(self.snapshot.k, now)
        if self.settings.policy.fallback:
            viewer.view(StoredBlock(self.corpus.ids[0], (), None))

    def changes_at(self, now: datetime) -> float:
        """The next moment at which any article may come or go, in seconds since 1970."""
        after = int(np.searchsorted(self.times, now.timestamp(), side="right"))
        return float(self.times[after]) if after < len(self.times) else NEVER

    def settled(self, articles: Sequence[Article], now: datetime) -> float:
        """The next moment at which any of these articles may come or go, in seconds since 1970."""
        times = _times(articles, self.settings)
        return min(times[times > now.timestamp()].tolist(), default=NEVER)


def pack(block: StoredBlock) -> bytes:
    """A block in few bytes: a site's blocks are held in memory, and few of them are asked for."""
    items = [(item.id, item.score, dict(item.reasons)) for item in block.items]
    return json.dumps([block.shortfall, items], ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def unpack(source_id: str, packed: bytes) -> StoredBlock:
    """The block that `pack` made it of.

    >>> block = StoredBlock("a", (StoredItem("b", 1.5, {"terms": ["c"]}),), None)
    >>> unpack("a", pack(block)) == block
    True
    """
    shortfall, items = json.loads(packed.decode("utf-8", "surrogatepass"))
    return StoredBlock(source_id, tuple(StoredItem(*item) for item in items), shortfall)


def _times(articles: Iterable[Article], settings: Settings) -> NDArray[np.float64]:
    """The moments at which articles come or go, in no order."""
    rules, found = ArticleRules(settings.policy), []
    for article in articles:
        for moment in (article.embargo_until, article.expires_at, article.published_at, rules.too_old_from(article)):
            if moment is not None:
                found.append(moment.timestamp())
    return np.array(found, dtype=np.float64)


def _without(times: NDArray[np.float64], gone: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sorted times without some of them, each as often as it is named."""
    values, counts = np.unique(gone, return_counts=True)
    first = np.searchsorted(times, values)
    return np.delete(times, [place + more for place, count in zip(first, counts, strict=True) for more in range(count)])


def _with(times: NDArray[np.float64], come: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sorted times with some more."""
    come = np.sort(come)
    return np.insert(times, np.searchsorted(times, come), come)


def _snapshot(store: Store, mark: Mark) -> Snapshot | None:
    return None if mark.snapshot is None else store.snapshot(mark.snapshot)


def _blocks(store: Store, mark: Mark) -> dict[str, bytes]:
    return {} if mark.snapshot is None else {one.source_id: pack(one) for one in store.blocks(mark.snapshot)}
