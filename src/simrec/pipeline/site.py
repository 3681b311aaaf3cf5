"""A site's articles as vectors, and the ranking of any of them for any other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.errors import UsageError
from simrec.index.dense import no_neighbors
from simrec.index.masked import masked_top_k
from simrec.pipeline.dates import are_spread
from simrec.pipeline.nearby import Nearby
from simrec.pipeline.prior import find_prior, prior_weight
from simrec.pipeline.scorers import FusionScorer, PriorScorer, Scorer
from simrec.pipeline.signals import make_signals
from simrec.pipeline.sources import POOL, WIDE, as_neighbors, quota
from simrec.pipeline.vectors import Vectors
from simrec.rank.candidates import by_date, nearest_in_time, pool, union
from simrec.rank.explain import SharedTerms
from simrec.rank.features import PairFeatures
from simrec.rank.fusion import Fusion, Weighted, sort
from simrec.rank.history import History
from simrec.rank.learned import LambdaRanker
from simrec.rank.parts import AgePart, DensePart, Part, SectionPart, SparsePart
from simrec.settings import Settings
from simrec.types import NO_ROW, Corpus, Mask, Neighbors, Progress, Rows, Similar, no_progress

MODELS = ("tfidf", "sentence", "static", "fusion", "hybrid", "learned")
ALONE = ("tfidf", "sentence", "static")
"""Models that look at one space alone."""
BOTH = ("tfidf", "sentence")
"""Spaces that the fusion takes its candidates from."""
BATCH = 256


class Site(Vectors):
    """A corpus with all that rankings of it need, each made when first used; see `Vectors` for its arguments."""

    def __init__(
        self, corpus: Corpus, settings: Settings, cache: Path | None = None, progress: Progress = no_progress
    ) -> None:
        super().__init__(corpus, settings, cache, progress)
        self.learned: Scorer | None = None
        self._fusions: dict[str, Fusion] = {}
        self._scorers: dict[str, Scorer] = {}

    @cached_property
    def nearby(self) -> Nearby:
        """Finds the nearest articles in each space of vectors."""
        return Nearby(self)

    def vectors_of(self, name: str) -> Any:
        """The vectors that a source of candidates is searched by."""
        return self.tfidf[1] if name == "tfidf" else getattr(self, name)

    @cached_property
    def features(self) -> PairFeatures:
        """Computes the features of pairs."""
        return PairFeatures(make_signals(self))

    def nearest(self, rows: Rows, k: int, eligible: Mask | None = None) -> Neighbors:
        """The k articles nearest to each of some rows by the fusion: (r, k), in the order of `rows`."""
        found = no_neighbors(len(rows), k)
        place = np.full(len(self.corpus), NO_ROW, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        for batch, ranking in self.rank("fusion", rows, k, eligible=eligible):
            width = min(k, ranking.rows.shape[1])
            found.rows[place[batch], :width] = ranking.rows[:, :width]
            found.scores[place[batch], :width] = ranking.scores[:, :width]
        return found

    @cached_property
    def shared_terms(self) -> SharedTerms:
        """Names the terms that two articles share."""
        embedder, vectors = self.tfidf
        return SharedTerms(vectors, embedder.show, embedder.telling())

    def find_neighbors(self, model: str) -> None:
        """Finds the nearest articles in all spaces that a model's candidates come from."""
        names = WIDE if model in ("hybrid", "learned") else (model,) if model in ALONE else BOTH
        for name in {"tfidf", *names} - {"time"}:
            with self.progress(f"neighbors by {name}", len(self.corpus)) as bar:
                self.nearby.lists(name)
                bar.update(len(self.corpus))

    def scorer(self, model: str) -> Scorer:
        """What scores with a model, made when first used.

        Raises:
            UsageError: there is no such model, or it has to be trained first.
        """
        if model == "learned":
            if self.learned is None:
                raise UsageError("there is no learned ranker yet: run `simrec train`, or build another model")
            return self.learned
        if model not in self._scorers:
            self._scorers[model] = self._make_scorer(model)
        return self._scorers[model]

    def fusion(self, model: str) -> Fusion:
        """The fusion that a model starts from, fitted on this site: of one part for tfidf and sentence."""
        name = model if model in ALONE else "fusion"
        if name not in self._fusions:
            self._fusions[name] = self._make_fusion(name).fit(len(self.corpus), self.progress)
        return self._fusions[name]

    def rank(
        self,
        model: str,
        rows: Rows,
        depth: int,
        *,
        eligible: Mask | None = None,
        groups: NDArray[np.int32] | None = None,
        allowed: Callable[[Rows], Mask] | None = None,
        extra: Callable[[Rows], Rows] | None = None,
    ) -> Iterator[tuple[Rows, Similar]]:
        """Ranks candidates for rows of the corpus, in batches.

        Args:
            model: its name.
            rows: (r,) the sources.
            depth: candidates that each embedder brings; titles, tags, dates and picks bring a share of that.
            eligible: (n,) bool, who may be a candidate of anybody; None for all.
            groups: (n,) numbers; candidates come from the source's group only.
            allowed: for (b,) sources, who may be a candidate of each, (b, n) bool.
            extra: for (b,) sources, further candidates (b, p), -1 for none.

        Yields:
            The sources of a batch, in an order of their own, and their ranking.
        """
        scorer = self.scorer(model)
        names = tuple(WIDE if scorer.wide else [model] if model in ALONE else BOTH)
        found = self.lists(
            names, rows, depth, history=scorer.history, eligible=eligible, groups=groups, allowed=allowed
        )
        for batch, lists in found:
            candidates = self.merge(lists, depth) if scorer.wide else union(list(lists.values()))
            if extra:
                candidates = union([as_neighbors(candidates), as_neighbors(extra(batch))])
            yield batch, sort(candidates, scorer.score(batch, candidates), self.corpus.tie_order)

    def lists(
        self,
        names: Sequence[str],
        rows: Rows,
        depth: int,
        *,
        history: History | None = None,
        hide: Callable[[Rows], Mask] | None = None,
        eligible: Mask | None = None,
        groups: NDArray[np.int32] | None = None,
        allowed: Callable[[Rows], Mask] | None = None,
    ) -> Iterator[tuple[Rows, dict[str, Neighbors]]]:
        """What each source of candidates brings for rows of the corpus, in batches.

        Args:
            names: of the sources, of `WIDE`.
            rows: (r,) the pages.
            depth: candidates that an embedder brings.
            history: picks that bring candidates, as "picks".
            hide: for (b,) pages, the sources of the history that they may not look at, (b, s) bool; None: their own.
            eligible, groups, allowed: see `rank`.
        """
        groups = np.zeros(len(self.corpus), dtype=np.int32) if groups is None else groups
        for group in np.unique(groups[rows]):
            members = groups == group if eligible is None else (groups == group) & eligible
            sources = rows[groups[rows] == group]
            search = self._search([name for name in names if name != "time"], members, allowed)
            for start in range(0, len(sources), BATCH):
                batch = sources[start : start + BATCH]
                may = members if allowed is None else members & allowed(batch)
                found = search(batch, depth)
                if "time" in names:
                    found["time"] = self._in_time(batch, members, may, depth)
                if history:
                    hidden = hide(batch) if hide else history.own(batch)
                    found["picks"] = history.candidates(batch, hidden, quota("picks", depth), may)
                yield batch, found

    @staticmethod
    def merge(lists: Mapping[str, Neighbors], depth: int) -> Rows:
        """(b, c) the candidates of all lists, at most `POOL` times `depth`."""
        return pool(list(lists.values()), [quota(name, depth) for name in lists], POOL * depth)

    def _search(
        self, names: Sequence[str], members: Mask, allowed: Callable[[Rows], Mask] | None
    ) -> Callable[[Rows, int], dict[str, Neighbors]]:
        if allowed is None:
            return lambda batch, depth: {
                name: self.nearby.query(name, batch, quota(name, depth), members) for name in names
            }
        vectors: dict[str, Any] = {name: self.vectors_of(name) for name in names}

        def search(batch: Rows, depth: int) -> dict[str, Neighbors]:
            mask = allowed(batch) & members
            mask[np.arange(len(batch)), batch] = False
            return {name: masked_top_k(v[batch], v, quota(name, depth), mask) for name, v in vectors.items()}

        return search

    def _in_time(self, batch: Rows, members: Mask, may: Mask, depth: int) -> Neighbors:
        published = self.corpus.published
        found = nearest_in_time(published, batch, quota("time", depth), by_date(published, members))
        if may.ndim == 1:
            return found
        kept = np.take_along_axis(may, np.maximum(found.rows, 0), 1) & (found.rows != NO_ROW)
        return Neighbors(np.where(kept, found.rows, NO_ROW), found.scores)

    def _make_scorer(self, model: str) -> Scorer:
        if model not in MODELS:
            raise UsageError(f"there is no model {model!r}: choose from {', '.join(MODELS)}")
        share = self.settings.rank.prior
        if model == "hybrid" and share != 0 and self.prior:
            return PriorScorer(self.features, self.prior, prior_weight(len(self.corpus)) if share is None else share)
        return FusionScorer(self.fusion(model))

    @cached_property
    def prior(self) -> LambdaRanker | None:
        """The ranker trained on other sites than this one."""
        return find_prior(self.corpus)

    def _make_fusion(self, model: str) -> Fusion:
        weights, back = fusion_weights(model, self.settings)
        return Fusion([Weighted(self._part(name), weight) for name, weight in weights.items()], back)

    def _part(self, name: str) -> Part:
        if name == "section":
            return SectionPart(self.sections)
        if name == "age":
            return AgePart(self.corpus.published if are_spread(self.corpus) else np.full(len(self.corpus), np.nan))
        vectors = self.vectors_of(name)
        return SparsePart(name, vectors) if name in ("tfidf", "tags") else DensePart(name, vectors)


def fusion_weights(model: str, settings: Settings) -> tuple[dict[str, float], float]:
    """The parts of a model's fusion, in their order, with their weights; and the weight of the candidate's view."""
    if model in ALONE:
        return {model: 1.0}, 0.0
    given = settings.rank
    names = ("tfidf", "sentence", "tags", "section", "age")
    return {name: float(getattr(given, name)) for name in names}, given.back


def describe(settings: Settings) -> dict[str, Any]:
    """Settings as plain values, for a snapshot: but for sections that may hold a secret."""
    values: dict[str, Any] = json.loads(
        settings.model_dump_json(exclude={"database", "write_back", "run", "store", "serve"})
    )
    return values
