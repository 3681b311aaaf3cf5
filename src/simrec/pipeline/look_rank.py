"""What each model that a site was fitted for makes of one page: all models whose vectors the site holds."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from typing import NamedTuple

import numpy as np

from simrec.pipeline.live.engine import Engine
from simrec.policy.eligibility import reason_hidden
from simrec.rank import scan
from simrec.rank.fusion import dampen, undampen
from simrec.types import DECIMALS, NO_ROW, Mask, Rows, Scores

DEEP = 200
"""Candidates that a model is asked for: ranks beyond are not told."""
HOLDS = {"hybrid": ("hybrid", "fusion", "tfidf", "sentence"), "fusion": ("fusion", "tfidf", "sentence")}
"""Models that can be asked, by the model that a site was fitted for; of others, that one alone."""


class Ranking(NamedTuple):
    """A page's candidates by a model, best first: rows (c,) and scores (c,)."""

    rows: Rows
    scores: Scores


class Ranker:
    """Ranks a page's candidates by several models.

    Args:
        engine: the site; nothing of it is changed.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.served = engine.fitted.model
        self.models = HOLDS.get(self.served, (self.served,))

    def members(self, row: int) -> Mask:
        """(n,) bool: who may be shown under a page."""
        found: Mask = self.engine.is_member(row) & ~self.engine.is_copy(row)
        return found

    def everyone(self, row: int) -> Mask:
        """(n,) bool: all articles but the page."""
        found: Mask = self.engine.alive.array.copy()
        found[row] = False
        return found

    def rank(self, model: str, row: int, among: Mask, least: int) -> Ranking:
        """A page's candidates among some, at least so many where there are.

        Raises:
            KeyError: the model is none of `models`.
        """
        if model not in self.models:
            raise KeyError(model)
        if model == self.served and model not in ("tfidf", "sentence", "static"):
            rows = self._reaching(row, among, least)
            return self._sorted(rows, self.scores(row, rows))
        if model == "fusion":
            best = [scan.best(self.engine.comparer.scan(row, name), among, DEEP) for name in ("tfidf", "sentence")]
            rows = np.unique(np.concatenate(best)).astype(np.int32)
            return self._sorted(rows, self._fused(row, rows))
        most = max(DEEP, least)
        rows = np.asarray(scan.best(self.engine.comparer.scan(row, model), among, most), dtype=np.int32)
        return self._sorted(rows, self.scores(row, rows) if model == self.served else self._alone(model, row, rows))

    @staticmethod
    def only(ranking: Ranking, members: Mask) -> Ranking:
        """A ranking of some of its rows."""
        kept = members[ranking.rows]
        return Ranking(ranking.rows[kept], ranking.scores[kept])

    def scores(self, row: int, rows: Rows) -> Scores:
        """(c,) what the served model gives some rows under a page."""
        return np.asarray(self.engine.comparer.score(np.array([row], dtype=np.int32), rows[None, :])[0])

    def block(self, row: int, ranking: Ranking, now: datetime) -> list[int]:
        """The rows that the house rules leave of a ranking, as many as a block has, without what was put first."""
        engine = self.engine
        choice = engine.composer.choose(row, ranking.rows, ranking.scores, engine.k, pins=())
        shown = [r for r in choice.rows.tolist() if reason_hidden(engine.articles[r], now) is None]
        found: list[int] = engine.composer.stand_ins(row, np.array(shown[: engine.k], dtype=np.int32)).tolist()
        return found

    def _reaching(self, row: int, among: Mask, least: int) -> Rows:
        """Candidates as the engine finds them, looking deeper until there are enough that may be shown."""
        comparer, members = self.engine.comparer, self.members(row)
        for level in count(int(self.engine.level.array[row])):
            marks = comparer.marks(row, level)
            rows = comparer.candidates(row, marks, among, [])
            if int(members[rows].sum()) >= least or np.isneginf(marks).all():
                return np.asarray(rows)
        raise AssertionError  # the marks end

    def _fused(self, row: int, rows: Rows) -> Scores:
        comparer = self.engine.comparer
        scores = comparer.fusion.score(np.array([row], dtype=np.int32), rows[None, :]).scores
        return np.asarray(comparer.weighed(np.round(undampen(scores), DECIMALS).astype(np.float32), rows[None, :])[0])

    def _alone(self, name: str, row: int, rows: Rows) -> Scores:
        """Scores by one space: standard deviations above random pairs, as of the model of that name."""
        comparer, shelf = self.engine.comparer, self.engine.shelf
        mean, sd = (float(shelf[f"{of}_{name}"][row]) for of in ("mean", "sd"))
        z = (comparer.scan(row, name)[rows] - mean) / sd if sd > 1e-6 else np.zeros(len(rows), dtype=np.float32)
        scores = np.round(undampen(dampen(z)), DECIMALS).astype(np.float32)
        return np.asarray(comparer.weighed(scores[None, :], rows[None, :])[0])

    def _sorted(self, rows: Rows, scores: Scores) -> Ranking:
        return Ranking(*self.engine.sort(rows, scores))


def places(ranking: Ranking) -> dict[int, int]:
    """The rank of each row, from 1."""
    return {row: place for place, row in enumerate(ranking.rows.tolist()[:DEEP], start=1) if row != NO_ROW}
