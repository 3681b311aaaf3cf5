"""The blocks of a snapshot as arrays: what is shown where, with what score, and by how much it has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from simrec.policy.eligibility import reason_hidden
from simrec.store import Snapshot, Store
from simrec.store.history import Facts
from simrec.types import NO_ROW, Article, Mask, Rows, Scores


@dataclass(frozen=True, eq=False)
class Watched:
    """A snapshot's blocks, as readers see them at a moment but for what fallbacks add.

    Attributes:
        snapshot: of which they are.
        ids, titles: of all articles, by row.
        row_of: the row of each id.
        public: (n,) bool: who may be seen.
        pages: (p,) the rows of pages that may be seen and have a block that is not switched off on purpose.
        shown: (p, k) the rows of their items, -1 for none.
        last, next: (p,) the scores of the last item that was not put there by hand, and of the first that is not shown;
            NaN where there is none.
        first: (p,) the score of the first of them.
        shortfall: why a block is short, by page.
        off: how many pages are switched off.
    """

    snapshot: Snapshot
    ids: list[str]
    titles: list[str]
    row_of: Mapping[str, int]
    public: Mask
    pages: Rows
    shown: Rows
    first: Scores
    last: Scores
    next: Scores
    shortfall: list[str | None]
    off: int

    @property
    def filled(self) -> NDArray[np.int64]:
        """(p,) items of each page."""
        return np.asarray((self.shown != NO_ROW).sum(axis=1))

    @property
    def exposure(self) -> NDArray[np.int64]:
        """(n,) how many blocks show each article."""
        return np.bincount(self.shown[self.shown != NO_ROW], minlength=len(self.ids))


def watch(store: Store, snapshot: Snapshot, now: datetime) -> Watched:
    """Reads the blocks of a snapshot."""
    facts = store.facts()
    row_of = {fact.id: row for row, fact in enumerate(facts)}
    public = np.array([_is_public(fact, now) for fact in facts], dtype=bool)
    pages, off, width = [], 0, snapshot.k + 1
    items, scores, shortfall = list[list[int]](), list[list[float]](), list[str | None]()
    for block in store.scored(snapshot.id):
        page = row_of.get(block.source_id, NO_ROW)
        if page == NO_ROW or not public[page]:
            continue
        if not block.ids and (block.shortfall or "").startswith("switched off"):
            off += 1
            continue
        told = zip(block.ids, block.scores, block.pinned, strict=True)
        seen = [(row_of[id_], np.nan if pinned else score) for id_, score, pinned in told if id_ in row_of]
        seen = [(row, score) for row, score in seen if public[row]][:width]
        pages.append(page)
        items.append([row for row, _ in seen] + [NO_ROW] * (width - len(seen)))
        scores.append([score for _, score in seen] + [np.nan] * (width - len(seen)))
        shortfall.append(block.shortfall)
    rows = np.array(items, dtype=np.int32).reshape(-1, width)
    scored = np.array(scores, dtype=np.float32).reshape(-1, width)
    return Watched(
        snapshot, [fact.id for fact in facts], [fact.title for fact in facts], row_of, public,
        np.array(pages, dtype=np.int32), rows[:, : snapshot.k], *_ends(scored[:, : snapshot.k]), scored[:, -1],
        shortfall, off,
    )  # fmt: skip


def overlaps(watched: Watched, before: Sequence[tuple[str, list[str]]]) -> NDArray[np.float64]:
    """(p,) the share of items that both blocks of a page show, of those that either does; 1 without one before."""
    found, place_of = np.ones(len(watched.pages)), {page: place for place, page in enumerate(watched.pages.tolist())}
    shown = watched.shown.tolist()
    for source_id, ids in before:
        place = place_of.get(watched.row_of.get(source_id, NO_ROW))
        if place is None:
            continue
        then = {watched.row_of[id_] for id_ in ids if id_ in watched.row_of}
        now = {row for row in shown[place] if row != NO_ROW}
        if then != now and (then or now):
            found[place] = len(then & now) / len(then | now)
    return found


def _ends(ranked: Scores) -> tuple[Scores, Scores]:
    """(p,) the highest and the lowest score of each row; NaN where there is none."""
    there = ~np.isnan(ranked)
    highest = np.where(there, ranked, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(there, ranked, np.inf).min(axis=1, initial=np.inf)
    return np.where(there.any(axis=1), highest, np.nan), np.where(there.any(axis=1), lowest, np.nan)


def _is_public(fact: Facts, now: datetime) -> bool:
    if fact.status == "published" and not fact.embargo_until and not fact.expires_at and not fact.published_at:
        return True
    dates = {
        name: datetime.fromisoformat(value) if (value := getattr(fact, name)) else None
        for name in ("published_at", "embargo_until", "expires_at")
    }
    article = Article(fact.id, fact.title, "", status=fact.status, **dates)  # type: ignore[arg-type]
    return reason_hidden(article, now) is None


__all__ = ["Watched", "overlaps", "watch"]
