"""Rows compared: with all others one by one, with the fitted ones to learn what is usual, and with their candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simrec.pipeline.live.columns import Column
from simrec.pipeline.live.scans import Scans
from simrec.pipeline.live.shelf import Shelf
from simrec.pipeline.live.standards import Standards, fill, final, measure, shown
from simrec.pipeline.live.tables import FOLD, Tables, fold
from simrec.pipeline.nearby import LISTED
from simrec.pipeline.signals import SPACES
from simrec.pipeline.sources import DEEPER, POOL, WIDE, quota
from simrec.policy.pairs import PairRules
from simrec.rank import scan
from simrec.rank.candidates import pool, union
from simrec.rank.features import HUB, NAMES, PairFeatures
from simrec.rank.fusion import Fusion
from simrec.types import DECIMALS, NO_ROW, Mask, Neighbors, Rows, Scores

GAP = 2e-6
"""The least difference of two scores that no rounding makes."""
TIED = 4
"""Times the candidates that a space is to bring: where more than that reach a mark, since many are equally near, as all
articles of one day are, those bring nothing until it is to bring more."""


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
        self.held = Scans(shelf, self.spaces)
        self._near: dict[tuple[str, int], Scores] = {}
        self.pairs = PairRules(self.fitted.settings.policy, self.fitted.languages.as_json())
        self.weights = Column(np.zeros(0, dtype=np.float32))
        self.weighs = False
        self._tables = Tables()
        self.refresh()

    def refresh(self) -> None:
        """Takes notice of rows that were added."""
        self.held.refresh()
        self.features = PairFeatures(self.shelf.signals()) if self.prior else None
        self.fusion: Fusion = self.features.signals.fusion if self.features else self.shelf.fusion()

    def use_inverted(self, name: str, lists: scan.Inverted) -> None:
        """Takes the rows of each term of a sparse column as they are, in place of making them when they are needed."""
        self.held.use_inverted(name, lists)

    def scan(self, row: int, space: str) -> Scores:
        """(n,) float32: the scores of a row with all rows in a space; 0 or NaN where they share nothing."""
        return self.held.of(row, space)

    # Rows and the fitted ones

    def measure(self, rows: Sequence[int], own: Sequence[int]) -> None:
        """Fills in what new rows have from being compared with the fitted ones; their scans are made ahead.

        Args:
            rows: the b new rows.
            own: of each the fitted row of the same article, which it is not compared with; -1 for none.
        """
        if not rows:
            return
        batch, others = np.array(rows, dtype=np.int32), np.ones((len(rows), self.fitted.n), dtype=bool)
        for among, known in zip(others, own, strict=True):
            if known != NO_ROW:
                among[known] = False
        self._standardize(batch, others)
        languages = self.shelf["languages"]
        own_language, known_ones = languages[batch][:, None], languages[: self.fitted.n]
        shown_there = others & self.pairs.speaks(own_language, known_ones)
        tfidf = self._best(batch, "tfidf", shown_there, LISTED)
        self.shelf.set("near_tfidf", batch, tfidf.scores)
        if self.features:
            self._measure_near(batch, shown_there, others & self.pairs.speaks(known_ones, own_language), tfidf)
        members = shown_there & self.fitted.eligible
        lists = {name: self._best(batch, name, members, quota(name, self.depth) + 1) for name in self.spaces}
        reach, candidates = cut(lists, self.depth)
        self.shelf.set("reach", batch, reach)
        if self.features and self.prior:
            self._set_standards(batch, candidates)

    def _set_standards(self, batch: Rows, candidates: Rows) -> None:
        assert self.features is not None and self.prior is not None  # noqa: S101, PT018 - its only caller has asked
        at, folded, spans = fold([found[found != NO_ROW] for found in candidates])
        tables, there = self.features.absolute(batch[at], folded), folded != NO_ROW
        self._tables.forget()
        for row, (first, last, count) in zip(batch.tolist(), spans, strict=True):
            table = tables[first:last].reshape(1, -1, tables.shape[2])[:, :count]  # no wider: sums are of it alone
            known = there[first:last].reshape(1, -1)[:, :count]
            standards, _ = measure(table, known, POOL * self.depth, self.prior, self.columns)
            for name, values in standards._asdict().items():
                self.shelf.set(name, row, values[0])
            self._tables.hold(row, folded[first:last].ravel()[:count], table[0])

    @property
    def depth(self) -> int:
        """Candidates that an embedder brings."""
        return self.fitted.settings.rank.candidates

    def _same_group(self, row: int) -> Mask:
        languages = self.shelf["languages"]
        return self.pairs.speaks(languages[row], languages[: self.fitted.n])

    def _standardize(self, batch: Rows, others: Mask) -> None:
        """Mean and standard deviation of the rows' similarities to the sample, by part."""
        sample = self.fitted.sample
        everyone = np.ascontiguousarray(np.broadcast_to(sample, (len(batch), len(sample))))
        for part, _ in self.fusion.parts:
            if part.name in ("section", "age"):
                table = part.pairs(batch, everyone)
            else:
                table = np.stack([self.scan(row, part.name)[sample] for row in batch.tolist()])
            for row, among, scores in zip(batch.tolist(), others, table, strict=True):
                known = scores[among[sample]].astype(np.float64)
                self.shelf.set(f"mean_{part.name}", row, known.mean() if len(known) else 0)
                self.shelf.set(f"sd_{part.name}", row, known.std() if len(known) else 0)

    def _measure_near(self, batch: Rows, among: Mask, pages: Mask, tfidf: Neighbors) -> None:
        """The rows' lists of nearest, and how many lists of others they would be in.

        Args:
            batch: (b,) the rows.
            among: (b, n) bool, the fitted rows that may be shown under each by their language.
            pages: (b, n) bool, those under which it may be shown.
            tfidf: (b, LISTED) its nearest by words.
        """
        near = {name: tfidf if name == "tfidf" else self._best(batch, space, among, LISTED)
                for name, space in SPACES.items()}  # fmt: skip
        for name, found in near.items():
            self.shelf.set(f"near_{name}", batch, found.scores)
        candidates = union([near["tfidf"], near["sentence"]])
        scores = np.sort(self.fusion.score(batch, candidates).scores, axis=1)[:, ::-1][:, :LISTED]
        fused = np.full((len(batch), LISTED), -np.inf, dtype=np.float32)
        fused[:, : scores.shape[1]] = scores
        self.shelf.set("near_fused", batch, fused)
        seeing = [self._sees(row, possible) for row, possible in zip(batch.tolist(), pages, strict=True)]
        lengths = list(map(len, seeing))
        everyone = np.concatenate(seeing)
        by_fusion = self.fusion.score(everyone, np.repeat(batch, lengths)[:, None]).scores[:, 0]
        first = by_fusion >= self.shelf["near_fused"][everyone, HUB - 1]
        places = np.repeat(np.arange(len(batch)), lengths)[first]
        counts = np.bincount(places, minlength=len(batch))
        self.shelf.set("hub_fused", batch, (counts / HUB).astype(np.float32))

    def _sees(self, row: int, pages: Mask) -> Rows:
        """Those of some fitted rows in whose lists a row would be by words or by meaning; notes how many by words."""
        sees = np.zeros(len(pages), dtype=bool)
        for name in ("tfidf", "sentence"):
            scanned = self.scan(row, name)[: len(pages)]
            there = pages & (scanned != 0)
            sees |= there & (scanned >= self._fitted_near(name, LISTED - 1))
            if name == "tfidf":
                hub = there & (scanned >= self._fitted_near(name, HUB - 1))
                self.shelf.set("hub_tfidf", row, np.float32(hub.sum() / HUB))
        return np.flatnonzero(sees).astype(np.int32)

    def _fitted_near(self, name: str, place: int) -> Scores:
        """(n,) the score at a place of each fitted row's list."""
        key = (name, place)
        if key not in self._near:
            self._near[key] = np.ascontiguousarray(self.shelf[f"near_{name}"][: self.fitted.n, place])
        return self._near[key]

    def _best(self, batch: Rows, space: str, among: Mask, most: int) -> Neighbors:
        """(b, most) the best of rows' scores among some, (b, m) bool, equal ones in order of row."""
        scores = np.stack([self.scan(row, space)[: among.shape[1]] for row in batch.tolist()])
        rows = scan.bests(scores, among, most)
        known = np.take_along_axis(scores, np.maximum(rows, 0).astype(np.int64), 1)
        return Neighbors(rows, np.where(rows == NO_ROW, -np.inf, known).astype(np.float32))

    # A row and its candidates

    def marks(self, row: int, level: int) -> NDArray[np.float32]:
        """(s,) what candidates of a page must reach: at level 0 as fitted, above so much lower that more of them do.

        Infinity where none can.
        """
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
                found[number] = _mark(known, wanted)
        return found

    def fitted_row(self, row: int) -> int:
        """The fitted row of the article that a row is of; -1 for none."""
        return row if row < self.fitted.n else int(self.shelf["own"][row])

    def candidates(self, row: int, marks: NDArray[np.float32], members: Mask, extra: list[int]) -> Rows:
        """(c,) the members that reach a page's marks, and some more; ascending."""
        reached = scan.reaches(self.held.all(row), marks) & members
        reached[extra] = True
        return np.flatnonzero(reached).astype(np.int32)

    def score_each(self, pages: Sequence[int], candidates: Sequence[Rows]) -> list[Scores]:
        """(c,) scores of each page's own candidates, (c,), as `score` gives them; all pages together, on all cores."""
        at, folded, spans = fold(candidates)
        scores = self.score(np.array(pages, dtype=np.int32)[at], folded)
        return [scores[first:last].ravel()[:count] for first, last, count in spans]

    def score(self, pages: Rows, candidates: Rows) -> Scores:
        """(b, c) scores of candidates, -1 for none, as they are sorted and shown; -inf where there is none."""
        if candidates.size == 0:
            return np.full(candidates.shape, -np.inf, dtype=np.float32)
        if len(pages) == 1 and candidates.shape[1] > FOLD:  # one page's candidates, on all cores
            at, folded, _ = fold([candidates[0]])
            return self.score(pages[at], folded).reshape(1, -1)[:, : candidates.shape[1]]
        if self.features is None or self.prior is None:
            return self.weighed(shown(self.fusion.score(pages, candidates).scores), candidates)
        table, there = self._tables.absolute(self.features, pages, candidates), candidates != NO_ROW
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


def _mark(scores: Scores, wanted: int) -> np.float32:
    """What that many scores reach, or, where too many do, the next higher one; infinity where none is.

    >>> [float(_mark(np.repeat(np.float32([3, 2, 1]), counts), 2)) for counts in ([1, 2, 8], [1, 8, 1], [9, 1, 1])]
    [2.0, 3.0, inf]
    """
    mark = np.partition(scores, len(scores) - wanted)[len(scores) - wanted]
    if np.count_nonzero(scores >= mark) <= TIED * wanted:
        return np.float32(mark)
    return np.float32(scores[scores > mark].min(initial=np.inf))


__all__ = ["Comparer", "cut", "spaces_of"]
