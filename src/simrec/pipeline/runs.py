"""Rankings of tested sources, fold by fold: what an evaluation measures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.evaluate.compare import interval
from simrec.evaluate.measures import per_source
from simrec.evaluate.protocol import SEED, Fold, Truth, published_before
from simrec.pipeline.build import Chooser
from simrec.pipeline.site import Site
from simrec.pipeline.sources import POOL, WIDE
from simrec.pipeline.train import Learned, Picked, train
from simrec.types import NO_ROW, Mask, Neighbors, Progress, Rows

logger = logging.getLogger(__name__)


class Found(NamedTuple):
    """What a source of candidates found: `candidates` a page at most, and the share of the picks among them."""

    source: str
    candidates: int
    recall: float


@dataclass
class Trial:
    """A site, its picks, and who is tested on what.

    Attributes:
        site: the articles.
        known: the picks.
        dealt: the folds.
        split: how they were dealt.
        k: items that count.
        as_published: whether only articles not younger than a source are candidates.
        rules: whether the house rules apply.
        progress: shows long work.
        learned: what was learned in each fold.
    """

    site: Site
    known: Truth
    dealt: Sequence[Fold]
    split: str
    k: int
    as_published: bool
    rules: bool
    progress: Progress
    learned: list[Learned] = field(default_factory=list)

    @cached_property
    def picked(self) -> Picked:
        """What training shares over the folds."""
        return Picked(self.site, self.known, self.known.sources, self.allowed)

    @property
    def allowed(self) -> Callable[[Rows], Mask] | None:
        """Who may be a candidate of each source, where not everybody may."""
        corpus = self.site.corpus
        return (lambda rows: published_before(corpus, rows)) if self.as_published else None

    def run(self, model: str) -> Rows:
        """(s, depth) the rankings of all tested sources, -1 elsewhere; `learned` sees the training sources' picks."""
        depth = self.k if self.rules else max(self.site.settings.rank.candidates, self.k)
        run = np.full((len(self.known.sources), depth), NO_ROW, dtype=np.int32)
        place_of = {row: place for place, row in enumerate(self.known.sources.tolist())}
        for number, fold in enumerate(self.dealt):
            if model == "learned":
                self._learn(number)
            with self.progress(f"rank with {model}", len(fold.test)) as bar:
                for row, ranked in self.ranked(model, self.known.sources[fold.test], depth):
                    run[place_of[row], : len(ranked)] = ranked
                    bar.update(1)
        return run

    def candidates(self) -> list[Found]:
        """How many of the picks each source of candidates finds, alone, and all of them together after the cut."""
        depth = self.site.settings.rank.candidates
        hits: dict[str, list[float]] = {}
        widths: dict[str, int] = {}
        for number, fold in enumerate(self.dealt):
            history = self.learned[number].history if self.learned else None
            rows = self.known.sources[fold.test]
            picks = {int(row): self.known.picks[place] for row, place in zip(rows, fold.test, strict=True)}
            for batch, lists in self.site.lists(WIDE, rows, depth, history=history, allowed=self.allowed):
                merged = self.site.merge(lists, depth)
                everything = {**lists, "all": Neighbors(merged, np.zeros(merged.shape, dtype=np.float32))}
                for name, found in everything.items():
                    widths[name] = POOL * depth if name == "all" else found.rows.shape[1]
                    for row, ranked in zip(batch.tolist(), found.rows, strict=True):
                        hits.setdefault(name, []).append(float(np.isin(list(picks[row]), ranked).mean()))
        return [Found(name, widths[name], float(np.mean(found))) for name, found in hits.items()]

    def _learn(self, number: int) -> None:
        if len(self.learned) == number:
            learned = self.learn(self.dealt[number].train)
            logger.info("fold %d: %s", number + 1, learned.decision.why)
            self.learned.append(learned)
        self.site.learned = self.learned[number].scorer(self.site, self.picked.features)

    def learn(self, places: NDArray[np.int64]) -> Learned:
        """Learns from the picks of some sources."""
        return train(self.picked, places, split=self.split, progress=self.progress)

    def ranked(self, model: str, rows: Rows, depth: int) -> Any:
        """The rankings of some rows: pairs of a row and its ranked rows, at most `depth`."""
        corpus = self.site.corpus
        if self.rules:
            for block in Chooser(self.site, model).blocks(rows, self.k, allowed=self.allowed):
                yield corpus.row_of[block.source_id], [corpus.row_of[item.id] for item in block.items]
            return
        for batch, ranking in self.site.rank(model, rows, depth, allowed=self.allowed):
            yield from zip(batch.tolist(), ranking.rows[:, :depth], strict=True)


def importances(learned: Sequence[Learned]) -> Mapping[str, float]:
    """Each feature's share of what the folds' rankers gained from splits, the largest first; empty without rankers."""
    rankers = [found.ranker for found in learned if found.ranker]
    if not rankers:
        return {}
    gains = np.mean([ranker.gains_ for ranker in rankers], axis=0)
    order = np.argsort(-gains, kind="stable")
    return {rankers[0].features[place]: round(float(gains[place]), 4) for place in order.tolist()}


class Point(NamedTuple):
    """A point of the learning curve: pages with picks that were learned from, and nDCG@k on the same test sources."""

    pages: int
    mean: float
    low: float
    high: float


SHARES = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Of the first fold's training sources."""


def learning_curve(trial: Trial) -> list[Point]:
    """The quality of `learned` on the first fold's test sources, by the number of training sources; 0 is hybrid."""
    fold = trial.dealt[0]
    rng = np.random.default_rng(SEED)
    order = rng.permutation(fold.train)
    truths = [trial.known.picks[place] for place in fold.test.tolist()]
    points = []
    for share in (0.0, *SHARES):
        places = np.sort(order[: round(share * len(order))])
        if share:
            trial.site.learned = trial.learn(places).scorer(trial.site)
        run = np.full((len(fold.test), trial.k), NO_ROW, dtype=np.int32)
        place_of = {row: place for place, row in enumerate(trial.known.sources[fold.test].tolist())}
        model = "learned" if share else "hybrid"
        for row, ranked in trial.ranked(model, trial.known.sources[fold.test], trial.k):
            run[place_of[row], : len(ranked)] = ranked
        points.append(Point(len(places), *interval(per_source(run, truths, trial.k)[f"nDCG@{trial.k}"])))
    return points
