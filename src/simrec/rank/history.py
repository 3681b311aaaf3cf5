"""What editors picked before, as features of a pair: what a page may know of it depends on the page.

A page is treated as new: its own picks are hidden, and so are other pages' picks of it. Whose picks are hidden besides
is said by a mask, so that a ranker is trained on what it will see.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from simrec.rank import kernels_picks
from simrec.rank.features import Table
from simrec.types import NO_ROW, Mask, Neighbors, Rows, Scores

PEERS = 30
"""The nearest pages with picks that are asked what they pick."""
SEEDS = 10
"""The nearest articles whose company in others' blocks is looked at."""


class History:
    """Editors' picks that rankings may look at.

    Args:
        n: articles.
        sources: (s,) rows that have picks.
        picks: for each of them its picks' rows.
        nearest: for each row of the corpus, the pages with picks nearest to it by the fusion: places in `sources`
            (n, p), and scores.
        near: for each row the nearest articles by the fusion, and scores.
    """

    def __init__(
        self, n: int, sources: Rows, picks: Sequence[AbstractSet[int]], nearest: Neighbors, near: Neighbors
    ) -> None:
        from scipy.sparse import csr_matrix

        self.n = n
        self.sources = sources
        counts = np.array([len(targets) for targets in picks], dtype=np.int64)
        indptr = np.concatenate([[0], np.cumsum(counts)])
        indices = np.array([target for targets in picks for target in sorted(targets)], dtype=np.int32)
        shape = (len(sources), n)
        self.picks: Any = csr_matrix((np.ones(len(indices), dtype=np.float32), indices, indptr), shape=shape)
        self.number = np.full(n, NO_ROW, dtype=np.int32)
        self.number[sources] = np.arange(len(sources), dtype=np.int32)
        self.nearest = nearest
        self.near = near

    def own(self, rows: Rows) -> Mask:
        """(b, s) bool: each page's own picks."""
        return np.asarray(self.sources[None, :] == rows[:, None])

    def candidates(self, rows: Rows, hidden: Mask, most: int, allowed: Mask | None = None) -> Neighbors:
        """What the nearest pages with picks pick, the most voted first: (b, most); `allowed` (b, n) or (n,) may be."""
        peers, weights = self._peers(rows, hidden)
        place, column = np.nonzero(peers != NO_ROW)
        votes = self._votes(rows, peers, weights, place, column)
        if allowed is not None:
            votes = np.where(allowed, votes, 0)
        width = min(most, votes.shape[1])
        best = np.argpartition(-votes, max(width - 1, 0), axis=1)[:, :width]
        scores = np.take_along_axis(votes, best, 1)
        order = np.argsort(-scores, axis=1, kind="stable")
        scores = np.take_along_axis(scores, order, 1)
        found = np.take_along_axis(best, order, 1).astype(np.int32)
        return Neighbors(np.where(scores > 0, found, NO_ROW), np.where(scores > 0, scores, -np.inf))

    def features(self, rows: Rows, candidates: Rows, hidden: Mask) -> Table:
        """(b, c, f) float32, a column for each of `simrec.rank.catalogue.OF_PICKS`.

        Args:
            rows: (b,) the pages.
            candidates: (b, c), -1 for none.
            hidden: (b, s) bool: sources whose picks each page may not look at; itself among them.
        """
        peers, weights = self._peers(rows, hidden)
        picks = (self.picks.indptr, self.picks.indices)
        votes = kernels_picks.votes(picks, self.n, peers, weights, rows, candidates)
        own = kernels_picks.picks_of_candidates(
            picks, self.number, hidden, self.near.rows, self.near.scores, rows, candidates
        )
        visible = np.maximum((~hidden).sum(axis=1), 1)[:, None]
        picked = self._at(self._picked(rows, hidden), candidates)
        best = weights.max(axis=1, initial=0)[:, None]
        together = self._at(self._together(rows, hidden), candidates)
        table = np.stack(
            [
                picked,
                picked / visible,
                *np.moveaxis(votes, 2, 0),
                np.broadcast_to(best, candidates.shape),
                *np.moveaxis(own, 2, 0),
                together,
            ],
            axis=2,
        ).astype(np.float32)
        table[candidates == NO_ROW] = np.nan
        return table

    def _peers(self, rows: Rows, hidden: Mask) -> tuple[Rows, Scores]:
        """(b, PEERS) source numbers of the nearest pages that may be looked at, -1 for none, and weights."""
        places, scores = self.nearest.rows[rows], self.nearest.scores[rows]
        gone = (places == NO_ROW) | np.take_along_axis(hidden, np.maximum(places, 0), 1)
        order = np.argsort(gone, axis=1, kind="stable")[:, :PEERS]
        gone = np.take_along_axis(gone, order, 1)
        weights = (1 + np.maximum(np.take_along_axis(scores, order, 1), 0)) ** 2
        peers = np.where(gone, NO_ROW, np.take_along_axis(places, order, 1))
        return peers.astype(np.int32), np.where(gone, 0, weights).astype(np.float32)

    def _votes(self, rows: Rows, peers: Rows, weights: Scores, place: Any, column: Any) -> Any:
        from scipy.sparse import csr_matrix

        entries = (weights[place, column], (place, peers[place, column]))
        votes = (csr_matrix(entries, shape=(len(rows), len(self.sources))) @ self.picks).toarray()
        votes[np.arange(len(rows)), rows] = 0
        return votes

    def _picked(self, rows: Rows, hidden: Mask) -> Any:
        """(b, n) how many sources that may be looked at pick each article."""
        from scipy.sparse import csr_matrix

        everyone = np.asarray(self.picks.sum(axis=0)).ravel()
        counts = everyone - (csr_matrix(hidden, dtype=np.float32) @ self.picks).toarray()
        counts[np.arange(len(rows)), rows] = 0
        return counts

    def _together(self, rows: Rows, hidden: Mask) -> Any:
        """(b, n) how much of what is picked beside the nearest articles is each article."""
        from scipy.sparse import csr_matrix

        near, scores = self.near.rows[rows, :SEEDS], self.near.scores[rows, :SEEDS]
        place, column = np.nonzero(near != NO_ROW)
        weights = np.maximum(scores[place, column], 0)
        seeds = csr_matrix((weights, (place, near[place, column])), shape=(len(rows), self.n))
        beside = (seeds @ self.picks.T).toarray()
        beside[hidden] = 0
        found = csr_matrix(beside) @ self.picks
        found = found.toarray()
        found[np.arange(len(rows)), rows] = 0
        return found / np.maximum(found.sum(axis=1, keepdims=True), 1e-9)

    @staticmethod
    def _at(values: Any, candidates: Rows) -> Any:
        return np.take_along_axis(values, np.maximum(candidates, 0), 1)
