"""Rows compared: with all others one by one, with the fitted ones to learn what is usual, and with their candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simrec.pipeline.live.columns import Column
from simrec.pipeline.live.shelf import Shelf
from simrec.pipeline.live.standards import Standards, fill, final, measure, shown
from simrec.pipeline.nearby import LISTED
from simrec.pipeline.signals import SPACES
from simrec.pipeline.sources import DEEPER, POOL, WIDE, quota
from simrec.policy.pairs import PairRules
from simrec.rank import kernels, scan
from simrec.rank.candidates import pool, union
from simrec.rank.features import HUB, NAMES, PairFeatures
from simrec.rank.fusion import Fusion
from simrec.types import DECIMALS, NO_ROW, Mask, Neighbors, Rows, Scores

GAP = 2e-6
"""The least difference of two scores that no rounding makes."""
FOLD = 64
"""Candidates of one page that a core scores together."""
COLUMN_OF = {"titles": "title_sentence", "time": "published", "static": "sentence"}
"""The column that a space's scores come from, where it has another name."""


def spaces_of(model: str) -> tuple[str, ...]:
    """The spaces that a model's candidates come from."""
    if model == "hybrid":
        return WIDE
    if model == "fusion":
        return ("tfidf", "sentence")
    return (model,)


class Comparer:
    """Compares rows of a shelf.

    Args:
        shelf: the rows.

    Attributes:
        weights: (n,) what is added to each row's scores, where `weighs` says so; whoever uses it sets them.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.fitted = shelf.fitted
        self.spaces = spaces_of(self.fitted.model)
        self.prior = self.fitted.prior
        self.columns = [NAMES.index(name) for name in self.prior.features] if self.prior else []
        self._inverted: dict[str, scan.Inverted] = {}
        self._near: dict[tuple[str, int], Scores] = {}
        self._scans: dict[tuple[int, str], Scores] = {}
        self._kept: set[int] = set()
        self.pairs = PairRules(self.fitted.settings.policy, self.fitted.languages.as_json())
        self.weights = Column(np.zeros(0, dtype=np.float32))
        self.weighs = False
        self.refresh()

    def refresh(self) -> None:
        """Takes notice of rows that were added."""
        self._scans, self._kept = {}, set()
        self.features = PairFeatures(self.shelf.signals()) if self.prior else None
        self.fusion: Fusion = self.features.signals.fusion if self.features else self.shelf.fusion()

    def use_inverted(self, name: str, lists: scan.Inverted) -> None:
        """Takes the rows of each term of a sparse column as they are, in place of making them when they are needed."""
        self._inverted[name] = lists

    # One row and all others

    def scan(self, row: int, space: str) -> Scores:
        """(n,) float32: the scores of a row with all rows in a space; 0 or NaN where they share nothing."""
        key = (row, space)
        if key not in self._scans:
            kept = {row, *self._kept}
            self._scans = {known: found for known, found in self._scans.items() if known[0] in kept}
            self._scans[key] = self._scan(row, COLUMN_OF.get(space, space))
        return self._scans[key]

    def scan_ahead(self, rows: Sequence[int]) -> None:
        """Scans some rows together that will be asked for next: quicker than one by one, for dense spaces."""
        self._scans, self._kept = {}, set(rows)
        for space in self.spaces:
            column = self.shelf[COLUMN_OF.get(space, space)]
            if isinstance(column, np.ndarray) and column.ndim > 1:
                found = kernels.dense_scans(column, np.array(rows, dtype=np.int32))
                self._scans |= {(row, space): scores for row, scores in zip(rows, found, strict=True)}

    def _scan(self, row: int, name: str) -> Scores:
        column = self.shelf[name]
        if name == "published":
            return np.asarray(scan.time_scan(column, row))
        if isinstance(column, np.ndarray):
            return np.asarray(kernels.dense_scan(column, row))
        if name not in self._inverted:
            self._inverted[name] = scan.invert(column)
        return scan.sparse_scan(self._inverted[name], column, row)

    def scans(self, row: int) -> NDArray[np.float32]:
        """(s, n) the same, for all spaces that candidates come from."""
        return np.stack([self.scan(row, space) for space in self.spaces])

    # A row and the fitted ones

    def measure(self, row: int, own: int) -> None:
        """Fills in what a new row has from being compared with the fitted rows.

        Args:
            row: the new row.
            own: the fitted row of the same article, which it is not compared with; -1 for none.
        """
        others = np.ones(self.fitted.n, dtype=bool)
        if own != NO_ROW:
            others[own] = False
        self._standardize(row, others)
        languages = self.shelf["languages"]
        known = languages[: self.fitted.n]
        shown = others & self.pairs.speaks(languages[row], known)
        tfidf = _best(self.scan(row, "tfidf")[: len(shown)], shown, LISTED)
        self.shelf.set("near_tfidf", row, tfidf.scores[0])
        if self.features:
            self._measure_near(row, shown, others & self.pairs.speaks(known, languages[row]), tfidf)
        members = shown & self.fitted.eligible
        lists = {name: self._list(row, name, members) for name in self.spaces}
        reach, candidates = cut(lists, self.depth)
        self.shelf.set("reach", row, reach[0])
        if self.features and self.prior:
            table = self.features.absolute(np.array([row], dtype=np.int32), candidates)
            standards, _ = measure(table, candidates != NO_ROW, POOL * self.depth, self.prior, self.columns)
            for name, values in standards._asdict().items():
                self.shelf.set(name, row, values[0])

    @property
    def depth(self) -> int:
        """Candidates that an embedder brings."""
        return self.fitted.settings.rank.candidates

    def _same_group(self, row: int) -> Mask:
        languages = self.shelf["languages"]
        return self.pairs.speaks(languages[row], languages[: self.fitted.n])

    def _standardize(self, row: int, others: Mask) -> None:
        """Mean and standard deviation of the row's similarities to the sample, by part."""
        sample = self.fitted.sample[others[self.fitted.sample]]
        for part, _ in self.fusion.parts:
            if part.name in ("section", "age"):
                scores = part.pairs(np.array([row], dtype=np.int32), sample[None, :])[0].astype(np.float64)
            else:
                scores = self.scan(row, part.name)[sample].astype(np.float64)
            self.shelf.set(f"mean_{part.name}", row, scores.mean() if len(scores) else 0)
            self.shelf.set(f"sd_{part.name}", row, scores.std() if len(scores) else 0)

    def _measure_near(self, row: int, shown: Mask, pages: Mask, tfidf: Neighbors) -> None:
        """The row's lists of nearest, and how many lists of others it would be in.

        Args:
            row: the row.
            shown: (n,) bool, the fitted rows that may be shown under it by their language.
            pages: (n,) bool, those under which it may be shown.
            tfidf: (1, LISTED) its nearest by words.
        """
        near = {name: tfidf if name == "tfidf" else _best(self.scan(row, space)[: len(shown)], shown, LISTED)
                for name, space in SPACES.items()}  # fmt: skip
        for name, found in near.items():
            self.shelf.set(f"near_{name}", row, found.scores[0])
        rows = np.array([row], dtype=np.int32)
        candidates = union([near["tfidf"], near["sentence"]])
        scores = np.sort(self.fusion.score(rows, candidates).scores, axis=1)[:, ::-1][:, :LISTED]
        fused = np.full(LISTED, -np.inf, dtype=np.float32)
        fused[: scores.shape[1]] = scores[0]
        self.shelf.set("near_fused", row, fused)
        sees = np.zeros(len(pages), dtype=bool)
        for name in ("tfidf", "sentence"):
            scanned = self.scan(row, name)[: len(pages)]
            sees |= pages & (scanned != 0) & (scanned >= self._fitted_near(name, LISTED - 1))
            if name == "tfidf":
                hub = pages & (scanned != 0) & (scanned >= self._fitted_near(name, HUB - 1))
                self.shelf.set("hub_tfidf", row, np.float32(hub.sum() / HUB))
        seeing = np.flatnonzero(sees).astype(np.int32)
        by_fusion = self.fusion.score(seeing, np.full((len(seeing), 1), row, dtype=np.int32)).scores[:, 0]
        among = by_fusion >= self.shelf["near_fused"][seeing, HUB - 1]
        self.shelf.set("hub_fused", row, np.float32(among.sum() / HUB))

    def _fitted_near(self, name: str, place: int) -> Scores:
        """(n,) the score at a place of each fitted row's list."""
        key = (name, place)
        if key not in self._near:
            self._near[key] = np.ascontiguousarray(self.shelf[f"near_{name}"][: self.fitted.n, place])
        return self._near[key]

    def _list(self, row: int, space: str, members: Mask) -> Neighbors:
        return _best(self.scan(row, space)[: len(members)], members, quota(space, self.depth) + 1)

    # A row and its candidates

    def marks(self, row: int, level: int) -> NDArray[np.float32]:
        """(s,) what candidates of a page must reach: at level 0 as fitted, above so much lower that more of them do."""
        if level == 0:
            return np.asarray(self.shelf["reach"][row])
        own = self.fitted_row(row)
        members = self.fitted.eligible & self._same_group(row)
        if own != NO_ROW:
            members[own] = False
        found = np.full(len(self.spaces), -np.inf, dtype=np.float32)
        for number, space in enumerate(self.spaces):
            wanted = quota(space, self.depth) * DEEPER**level
            scores = self.scan(row, space)[: len(members)]
            known = scores[members & (scores != 0) & ~np.isnan(scores)]
            if len(known) > wanted:
                found[number] = np.partition(known, len(known) - wanted)[len(known) - wanted]
        return found

    def fitted_row(self, row: int) -> int:
        """The fitted row of the article that a row is of; -1 for none."""
        return row if row < self.fitted.n else int(self.shelf["own"][row])

    def candidates(self, row: int, marks: NDArray[np.float32], members: Mask, extra: list[int]) -> Rows:
        """(1, c) the members that reach a page's marks, and some more; ascending."""
        reached = scan.reaches(self.scans(row), marks) & members
        reached[extra] = True
        return np.flatnonzero(reached).astype(np.int32)[None, :]

    def score(self, pages: Rows, candidates: Rows) -> Scores:
        """(b, c) scores of candidates, -1 for none, as they are sorted and shown; -inf where there is none."""
        if candidates.size == 0:
            return np.full(candidates.shape, -np.inf, dtype=np.float32)
        if len(pages) == 1 and candidates.shape[1] > FOLD:  # one page's candidates, on all cores
            folds = -(-candidates.shape[1] // FOLD)
            folded = np.full((folds, FOLD), NO_ROW, dtype=np.int32)
            folded.ravel()[: candidates.shape[1]] = candidates[0]
            return self.score(np.repeat(pages, folds), folded).reshape(1, -1)[:, : candidates.shape[1]]
        if self.features is None or self.prior is None:
            return self.weighed(shown(self.fusion.score(pages, candidates).scores), candidates)
        table, there = self.features.absolute(pages, candidates), candidates != NO_ROW
        held = Standards(*(self.shelf[name][pages] for name in ("best", "places", "moments")))
        fill(table, there, np.arange(len(pages), dtype=np.int32), held.best, held.places)
        learned = self.prior.score_table(table[:, :, self.columns], there)
        return self.weighed(shown(final(table, there, learned, held, self.fitted.prior_weight)), candidates)

    def weighed(self, scores: Scores, candidates: Rows) -> Scores:
        """(b, c) scores with what the house rules add to each candidate's."""
        if not self.weighs:
            return scores
        gained = np.round(scores + self.weights.array[candidates], DECIMALS)
        return np.where(candidates == NO_ROW, -np.inf, gained).astype(np.float32)

    def parts(self, pages: Rows, candidates: Rows) -> NDArray[np.float32]:
        """(b, c, m) the fusion's parts, for reasons."""
        own, back = self.fusion.views(pages, candidates)
        return self.fusion.both(own, back)


def cut(lists: dict[str, Neighbors], depth: int) -> tuple[Scores, Rows]:
    """The marks of pages, (b, s), and the candidates that reach them, (b, c) ascending.

    Args:
        lists: for each space the best of each page, one more than the space's quota.
        depth: candidates that an embedder brings.
    """
    chosen = pool(list(lists.values()), [quota(name, depth) for name in lists], POOL * depth)
    rows = np.concatenate([found.rows for found in lists.values()], axis=1)
    scores = np.concatenate([found.scores for found in lists.values()], axis=1)
    starts = np.concatenate([[0], np.cumsum([found.rows.shape[1] for found in lists.values()])])
    marks = scan.cut_lists(rows, scores, starts, chosen, GAP)
    kept = []
    for number, found in enumerate(lists.values()):
        reached = (found.rows != NO_ROW) & (found.scores >= marks[:, number : number + 1])
        kept.append(Neighbors(np.where(reached, found.rows, NO_ROW), found.scores))
    return marks, union(kept)


def _best(scores: Scores, among: Mask, most: int) -> Neighbors:
    """(1, most) the best of a row's scores, equal ones in order of row; those that share nothing are left out."""
    rows = scan.best(scores, among, most)
    found = Neighbors(np.full((1, most), NO_ROW, dtype=np.int32), np.full((1, most), -np.inf, dtype=np.float32))
    found.rows[0, : len(rows)] = rows
    found.scores[0, : len(rows)] = scores[rows]
    return found


__all__ = ["Comparer", "cut", "spaces_of"]
