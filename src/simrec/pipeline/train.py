"""A ranker trained on a site's own picks, and the decision whether it may rank."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.evaluate.measures import ndcg
from simrec.evaluate.protocol import SEED, Truth, group_sources
from simrec.pipeline.decision import Decision, choose
from simrec.pipeline.scorers import (
    ALL_NAMES,
    FusionScorer,
    LearnedScorer,
    PriorScorer,
    Scorer,
    fused,
    learned_table,
)
from simrec.pipeline.site import Site
from simrec.pipeline.sources import POOL, WIDE
from simrec.rank.blend import blend
from simrec.rank.features import PairFeatures, Remembered, Table
from simrec.rank.history import History
from simrec.rank.learned import LambdaRanker
from simrec.types import NO_ROW, Mask, Neighbors, Progress, Rows, Scores, no_progress

logger = logging.getLogger(__name__)

LEAST_SOURCES = 50
"""With picks on fewer pages nothing is learned: too little to tell a gain from chance."""
NEAREST_PAGES = 150
"""Pages with picks that are known for each page, so that enough stay when some are hidden."""
MOST_PAGES = 4000
"""Pages that are learned from, drawn at random where there are more; all picks are looked at all the same."""
INNER_FOLDS = 3
TIME_CUTS = (0.6, 0.8, 1.0)
"""By time, what lies between two cuts is held out from what was learned before the first of them."""
WEIGHTS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the site's ranker that inner validation chooses from, beside 0."""
REJECTED_WEIGHT = 1.0
"""What a rejected candidate weighs in training beside one that nobody has judged: no more, see ADR 17."""
CUTOFF = 10
BATCH = 256


@dataclass(frozen=True)
class Learned:
    """What was learned from a site's picks."""

    ranker: LambdaRanker | None
    decision: Decision
    history: History

    def scorer(self, site: Site, features: PairFeatures | Remembered | None = None) -> Scorer:
        """Ranks the site with it; `features` in place of the site's own, where some are there already."""
        below = base_scorer(site, self.decision.below)
        if self.ranker is None or not self.decision.weight:
            return below
        features = features or site.features
        return LearnedScorer(below, prior_scorer(site), features, self.ranker, self.decision.weight, self.history)


class Picked:
    """A site with its picks: what training and evaluation on it share.

    Args:
        site: the articles.
        known: the picks.
        rows: the pages that will be ranked; None for all.
        allowed: for (b,) pages, who may be a candidate of each, (b, n) bool; None: everyone.
    """

    def __init__(
        self, site: Site, known: Truth, rows: Rows | None = None, allowed: Callable[[Rows], Mask] | None = None
    ) -> None:
        self.site = site
        self.allowed = allowed
        self.known = known
        self.groups = np.full(len(known.sources), -1, dtype=np.int64)
        n = len(site.corpus)
        self.features = Remembered(site.features, known.sources, n)
        is_source = np.zeros(n, dtype=bool)
        is_source[known.sources] = True
        rows = np.arange(n, dtype=np.int32) if rows is None else rows
        found = site.nearest(rows, NEAREST_PAGES, is_source)
        self._nearest = np.full((n, NEAREST_PAGES), NO_ROW, dtype=np.int32)
        self._scores = np.zeros((n, NEAREST_PAGES), dtype=np.float32)
        self._nearest[rows], self._scores[rows] = found.rows, found.scores
        self._at = np.full(n, -1, dtype=np.int64)
        self._at[known.sources] = np.arange(len(known.sources))

    def only(self, places: NDArray[np.int64]) -> Picked:
        """The same, with the groups that these training sources form: no other source's picks link two of them."""
        one = copy(self)
        one.groups = np.full(len(self.known.sources), -1, dtype=np.int64)
        one.groups[places] = group_sources([self.known.picks[place] for place in places.tolist()])
        return one

    def history(self, places: NDArray[np.int64]) -> History:
        """The picks of some of the sources, and of no other."""
        number = np.full(len(self.site.corpus), NO_ROW, dtype=np.int32)
        number[self.known.sources[places]] = np.arange(len(places), dtype=np.int32)
        nearest = np.where(self._nearest == NO_ROW, NO_ROW, number[self._nearest])
        signals = self.features.signals
        return History(
            len(self.site.corpus),
            self.known.sources[places],
            [self.known.picks[place] for place in places.tolist()],
            Neighbors(nearest, self._scores),
            signals.nearest,
        )

    def hidden(self, places: NDArray[np.int64], train: NDArray[np.int64]) -> dict[str, Mask]:
        """By view, which training sources each page may not look at: itself; its whole group.

        A page whose siblings' lists are there, and a page unlike any before: the ranker is trained on both.
        """
        own = places[:, None] == train[None, :]
        return {"own": own, "group": self.groups[places][:, None] == self.groups[train][None, :]}


@dataclass
class Pages:
    """Pages with candidates and features, as one view of the picks shows them; what is picked, and what rejected."""

    places: NDArray[np.int64]
    candidates: Rows
    table: Table
    labels: Mask
    rejected: Mask


def train(
    picked: Picked, places: NDArray[np.int64], *, split: str = "kfold", progress: Progress = no_progress
) -> Learned:
    """Learns from the picks of some sources, and from no other.

    Args:
        picked: the site and its picks.
        places: of the training sources, in `Truth.sources`.
        split: how inner validation deals the training sources: as the pages to come will be, see
            `simrec.evaluate.protocol`.
        progress: shows long work.
    """
    picked = picked.only(places)
    history = picked.history(places)
    if len(places) < LEAST_SOURCES:
        why = f"{len(places)} pages with picks are too few to learn from, {LEAST_SOURCES} are needed: hybrid ranks"
        return Learned(None, Decision("hybrid", 0.0, why), history)
    drawn = np.random.default_rng(SEED).choice(len(places), min(len(places), MOST_PAGES), replace=False)
    learned_from = places[np.sort(drawn)]
    hidden = picked.hidden(learned_from, places)
    with progress("features", 2 * len(learned_from)) as bar:
        views = [make_pages(picked, history, learned_from, mask, bar.update) for mask in hidden.values()]
    decision = _decide(picked, history, places, views, hidden, split, progress)
    if not decision.weight:
        return Learned(None, decision, history)
    with progress("train", 1) as bar:
        ranker = make_ranker().fit(*_flat(views))
        bar.update(1)
    return Learned(ranker, decision, history)


def make_ranker(**parameters: Any) -> LambdaRanker:
    """The ranker of a site's own picks, before it is fitted."""
    return LambdaRanker(features=ALL_NAMES, **parameters)


def make_pages(
    picked: Picked, history: History, places: NDArray[np.int64], hidden: Mask, done: Any = lambda n: None
) -> Pages:
    """Candidates and all features of some pages, where `hidden` (b, s) sources of the history are out of sight."""
    site, known = picked.site, picked.known
    depth = site.settings.rank.candidates
    width = POOL * depth
    candidates = np.full((len(places), width), NO_ROW, dtype=np.int32)
    table = np.full((len(places), width, len(ALL_NAMES)), np.nan, dtype=np.float32)
    prior = prior_scorer(site)
    at = np.full(len(site.corpus), -1, dtype=np.int64)
    at[known.sources[places]] = np.arange(len(places))
    lists = site.lists(
        WIDE, known.sources[places], depth, history=history, hide=lambda rows: hidden[at[rows]], allowed=picked.allowed
    )
    for batch, brought in lists:
        where, found = at[batch], site.merge(brought, depth)
        candidates[where, : found.shape[1]] = found
        table[where, : found.shape[1]] = learned_table(picked.features, prior, history, batch, found, hidden[where])
        done(len(batch))
    labels = _among(candidates, [known.picks[place] for place in places.tolist()])
    return Pages(places, candidates, table, labels, _among(candidates, known.rejections(places.tolist())))


def _among(candidates: Rows, chosen: Sequence[frozenset[int]]) -> Mask:
    """(b, c) which candidates are among those chosen for their page."""
    return np.array([np.isin(row, list(rows)) for rows, row in zip(chosen, candidates, strict=True)])


def prior_scorer(site: Site) -> PriorScorer | None:
    """The fusion with the prior, where there is one."""
    scorer = site.scorer("hybrid")
    return scorer if isinstance(scorer, PriorScorer) else None


def base_scorer(site: Site, below: str) -> FusionScorer | PriorScorer:
    """What a site's ranker is mixed with."""
    scorer = site.scorer(below)
    assert isinstance(scorer, FusionScorer | PriorScorer)  # noqa: S101 - there is no third
    return scorer


def _decide(
    picked: Picked, history: History, places: NDArray[np.int64], views: Sequence[Pages],
    hidden: dict[str, Mask], split: str, progress: Progress,
) -> Decision:  # fmt: skip
    """Holds training pages out in turn, and compares what ranks them best; `places` are those of the history."""
    folds = _inner_folds(picked, views[0].places, split)
    if not folds:
        return Decision("hybrid", 0.0, "the picks are all copies of few lists: nothing can be held out, hybrid ranks")
    values: dict[tuple[str, float], list[NDArray[np.float64]]] = {}
    with progress("validate", len(folds)) as bar:
        for train_fold, test_fold in folds:
            gone = np.isin(places, views[0].places[test_fold])
            parts = [
                _with_history(picked, history, view, train_fold, mask[train_fold] | gone)
                for view, mask in zip(views, hidden.values(), strict=True)
            ]
            ranker = make_ranker(trees=INNER_TREES).fit(*_flat(parts))
            kin = hidden["group" if split == "group" else "own"][test_fold]
            test = _with_history(picked, history, views[0], test_fold, kin | gone)
            for choice, found in _choices(picked, test, ranker).items():
                values.setdefault(choice, []).append(found)
            bar.update(1)
    return choose({choice: np.concatenate(found) for choice, found in values.items()})


INNER_TREES = 100


def _choices(picked: Picked, test: Pages, ranker: LambdaRanker) -> dict[tuple[str, float], NDArray[np.float64]]:
    there = test.candidates != NO_ROW
    learned = ranker.score_table(test.table, there)
    bases = {"fusion": fused(test.table)}
    prior = prior_scorer(picked.site)
    bases["hybrid"] = prior.mix(test.table, there).scores if prior else bases["fusion"]
    counts = np.array([len(picked.known.picks[place]) for place in test.places.tolist()], dtype=np.float64)

    def value(scores: Scores) -> NDArray[np.float64]:
        order = np.argsort(-scores, axis=1, kind="stable")[:, :CUTOFF]
        return ndcg(np.take_along_axis(test.labels, order, 1), counts, CUTOFF)

    found = {(below, 0.0): value(scores) for below, scores in bases.items()}
    for weight in WEIGHTS:
        found["hybrid", weight] = value(blend(bases["hybrid"], learned, weight, there))
    return found


def _with_history(picked: Picked, history: History, pages: Pages, chosen: NDArray[np.int64], hidden: Mask) -> Pages:
    """Some of the pages, with the features of picks computed again, with more of them hidden."""
    rows = picked.known.sources[pages.places[chosen]]
    table = pages.table[chosen].copy()
    first = ALL_NAMES.index("picked")
    for start in range(0, len(rows), BATCH):
        batch = slice(start, start + BATCH)
        found = history.features(rows[batch], pages.candidates[chosen[batch]], hidden[batch])
        table[batch, :, first : first + found.shape[2]] = found
    return Pages(pages.places[chosen], pages.candidates[chosen], table, pages.labels[chosen], pages.rejected[chosen])


def _inner_folds(
    picked: Picked, places: NDArray[np.int64], split: str
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import GroupKFold, KFold

    everyone = np.arange(len(places))
    if split == "group":
        groups = picked.groups[places]
        if len(np.unique(groups)) < INNER_FOLDS:
            return []
        return list(GroupKFold(INNER_FOLDS, shuffle=True, random_state=SEED).split(everyone, groups=groups))
    if split == "time":
        order = np.argsort(picked.site.corpus.published[picked.known.sources[places]], kind="stable")
        cuts = [round(share * len(order)) for share in TIME_CUTS]
        return [(order[:cut], order[cut:end]) for cut, end in pairwise(cuts)]
    return list(KFold(INNER_FOLDS, shuffle=True, random_state=SEED).split(everyone))


def _flat(
    pages: Sequence[Pages],
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32] | None]:
    """Pairs, labels, group sizes and weights, of the pages that have a pick among their candidates.

    What an editor rejected weighs `REJECTED_WEIGHT`. Where that says nothing there are no weights.
    """
    tables, labels, groups, rejected = [], [], [], []
    for view in pages:
        told: Mask = np.asarray(view.labels.any(axis=1))
        there = (view.candidates != NO_ROW) & told[:, None]
        tables.append(view.table[there])
        labels.append(view.labels[there])
        groups.append(there[told].sum(axis=1))
        rejected.append(view.rejected[there])
    hard = np.concatenate(rejected)
    weights = np.where(hard, REJECTED_WEIGHT, 1).astype(np.float32) if hard.any() and REJECTED_WEIGHT != 1 else None
    return np.concatenate(tables), np.concatenate(labels).astype(np.int64), np.concatenate(groups), weights
