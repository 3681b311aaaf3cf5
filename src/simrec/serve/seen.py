"""What readers see, held in memory as it was at one mark of the store; the next mark makes another one of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any

from simrec.pipeline.patched import patched
from simrec.pipeline.viewer import Viewer
from simrec.policy.articles import ArticleRules
from simrec.serve.following import Changes, Mark
from simrec.settings import Settings
from simrec.store import Snapshot, Store, StoredBlock, StoredItem
from simrec.types import Article, Corpus, Pick

NEVER = math.inf


@dataclass(frozen=True, eq=False)
class Seen:
    """Articles, the active snapshot and its blocks, at one mark. It never changes.

    Attributes:
        mark: of the store.
        snapshot: the active one; None without one.
        corpus: all articles.
        packed: the snapshot's blocks by page, each as `pack` has it.
        picks: editors' picks, where a fallback asks what is popular.
        settings: of the site.
    """

    mark: Mark
    snapshot: Snapshot | None
    corpus: Corpus
    packed: Mapping[str, bytes]
    picks: Sequence[Pick]
    settings: Settings
    _viewers: dict[int, tuple[Viewer, float]] = field(default_factory=dict)
    _lock: Any = field(default_factory=Lock)

    @classmethod
    def read(cls, store: Store, mark: Mark, settings: Settings) -> Seen:
        """All that the store holds; `mark` was read before, so that what is written meanwhile is read again."""
        corpus = Corpus(store.articles())
        return cls(mark, _snapshot(store, mark), corpus, _blocks(store, mark), _picks(store, settings), settings)

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
        corpus = patched(self.corpus, changes.articles)
        return Seen(mark, _snapshot(store, mark), corpus, packed, _picks(store, self.settings), self.settings)

    def stored(self, source_id: str) -> StoredBlock | None:
        """A page's block as the snapshot has it; None where it has none."""
        found = self.packed.get(source_id)
        return unpack(source_id, found) if found is not None else None

    def viewer(self, k: int, now: datetime) -> Viewer:
        """The viewer of blocks of k items: kept until the moment at which any article may come or go."""
        at = now.timestamp()
        kept = self._viewers.get(k)
        if kept and kept[0].now.timestamp() <= at < kept[1]:
            return kept[0]
        with self._lock:
            made = Viewer(self.corpus, self.settings, k, now=now, picks=self.picks)
            self._viewers[k] = (made, self.changes_at(now))
        return made

    def changes_at(self, now: datetime) -> float:
        """The next moment at which any article may come or go, in seconds since 1970."""
        return self.settled(self.corpus.articles, now)

    def settled(self, articles: Sequence[Article], now: datetime) -> float:
        """The next moment at which any of these articles may come or go, in seconds since 1970."""
        rules = ArticleRules(self.settings.policy)
        return min((next_change(article, rules, now) for article in articles), default=NEVER)


def next_change(article: Article, rules: ArticleRules, now: datetime) -> float:
    """The next moment at which an article may come or go, in seconds since 1970; infinite where there is none."""
    found = NEVER
    for moment in (article.embargo_until, article.expires_at, article.published_at, rules.too_old_from(article)):
        if moment is not None and moment > now:
            found = min(found, moment.timestamp())
    return found


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


def _snapshot(store: Store, mark: Mark) -> Snapshot | None:
    return None if mark.snapshot is None else store.snapshot(mark.snapshot)


def _blocks(store: Store, mark: Mark) -> dict[str, bytes]:
    return {} if mark.snapshot is None else {one.source_id: pack(one) for one in store.blocks(mark.snapshot)}


def _picks(store: Store, settings: Settings) -> Sequence[Pick]:
    return store.picks() if "popular" in settings.policy.fallback else ()
