"""nDCG@10 of the fusion under many settings, quickly: what a setting does not change is computed once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.embed.sentence import SentenceEmbedder, mix
from simrec.evaluate.measures import ndcg
from simrec.pipeline.site import Site
from simrec.pipeline.space import DEPTHS
from simrec.rank.candidates import union
from simrec.rank.fusion import Fusion, Ranked, Weighted, sort
from simrec.rank.parts import Part
from simrec.settings import Settings
from simrec.types import NO_ROW, Corpus, Dense, Mask, Neighbors, Progress, Rows, no_progress

CUTOFF = 10
EMBEDDERS = ("tfidf", "sentence")
KEPT = 2
"""Views that are kept: of the settings of now, and of those under trial."""


class Views(NamedTuple):
    """All that a fusion of some sources needs, whatever its weights.

    Attributes:
        parts: the similarities.
        candidates: (s, c) rows, -1 for none.
        places: (s, c) the best place that an embedder gives each candidate, from 0.
        own, back: (s, c, m), see `Fusion.views`.
        labels: (s, c) whether an editor picked it.
    """

    parts: Sequence[Part]
    candidates: Rows
    places: NDArray[np.int32]
    own: NDArray[np.float32]
    back: NDArray[np.float32]
    labels: Mask


class Bench:
    """Measures settings on some sources.

    Args:
        corpus: the articles.
        rows: (s,) the sources, ascending.
        picks: for each of them its picks' rows.
        cache: folder of the sentence vectors.
        progress: shows long work.
    """

    def __init__(
        self,
        corpus: Corpus,
        rows: Rows,
        picks: Sequence[AbstractSet[int]],
        cache: Path | None = None,
        progress: Progress = no_progress,
    ) -> None:
        self.corpus = corpus
        self.rows = rows
        self.picks = picks
        self.cache = cache
        self.progress = progress
        self._counts = np.array([len(targets) for targets in picks], dtype=np.float64)
        self._views: dict[str, Views] = {}
        self._values: dict[str, NDArray[np.float64]] = {}
        self._pieces: dict[str, tuple[Dense, Dense]] = {}
        self._tags: Any = None

    def values(self, settings: Settings) -> NDArray[np.float64]:
        """(s,) nDCG@10 of each source under the fusion with these settings."""
        key = _name(settings, "tfidf", "sentence", "rank")
        if key not in self._values:
            self._values[key] = self._measure(self._look(settings), settings)
        return self._values[key]

    def mean(self, settings: Settings) -> float:
        """The mean of `values`."""
        return float(self.values(settings).mean())

    def _measure(self, views: Views, settings: Settings) -> NDArray[np.float64]:
        weights = [getattr(settings.rank, part.name) for part in views.parts]
        if not any(weights):
            return np.zeros(len(self.rows))
        fusion = Fusion([Weighted(*pair) for pair in zip(views.parts, weights, strict=True)], settings.rank.back)
        candidates = np.where(views.places < settings.rank.candidates, views.candidates, NO_ROW)
        scores = np.where(candidates == NO_ROW, -np.inf, fusion.mean(views.own, views.back)).astype(np.float32)
        numbers = np.broadcast_to(np.arange(candidates.shape[1], dtype=np.float32), candidates.shape)[:, :, None]
        ranking = sort(candidates, Ranked(scores, numbers), self.corpus.tie_order)
        best = ranking.parts[:, :CUTOFF, 0].astype(np.int64)
        hits = np.take_along_axis(views.labels, best, 1) & (ranking.rows[:, :CUTOFF] != NO_ROW)
        return ndcg(hits, self._counts, CUTOFF)

    def _look(self, settings: Settings) -> Views:
        key = _name(settings, *EMBEDDERS)
        if key not in self._views:
            while len(self._views) >= KEPT:
                del self._views[next(iter(self._views))]
            self._views[key] = self._make(settings)
        self._views[key] = self._views.pop(key)  # the last one used goes last
        return self._views[key]

    def _make(self, settings: Settings) -> Views:
        site = Site(self.corpus, settings, None, no_progress)
        vars(site)["sentence"] = self._sentence(settings)
        if self._tags is not None:
            vars(site)["tags"] = self._tags
        self._tags = site.tags
        fusion = site.fusion("fusion")
        place = np.full(len(self.corpus), NO_ROW, dtype=np.int64)
        place[self.rows] = np.arange(len(self.rows))
        width = len(EMBEDDERS) * max(*DEPTHS, settings.rank.candidates)
        shape = (len(self.rows), min(width, len(self.corpus)))
        found = Views(
            [part for part, _ in fusion.parts],
            np.full(shape, NO_ROW, dtype=np.int32),
            np.full(shape, np.iinfo(np.int32).max, dtype=np.int32),
            np.zeros((*shape, len(fusion.parts)), dtype=np.float32),
            np.zeros((*shape, len(fusion.parts)), dtype=np.float32),
            np.zeros(shape, dtype=bool),
        )
        for batch, lists in site.lists(EMBEDDERS, self.rows, width // len(EMBEDDERS)):
            candidates = union(list(lists.values()))
            at, columns = place[batch], slice(0, candidates.shape[1])
            found.candidates[at, columns] = candidates
            found.places[at, columns] = _best_place(list(lists.values()), candidates, len(self.corpus))
            found.own[at, columns], found.back[at, columns] = fusion.views(batch, candidates)
            for number, row in zip(at.tolist(), candidates, strict=True):
                found.labels[number, columns] = np.isin(row, list(self.picks[number]))
        return found

    def _sentence(self, settings: Settings) -> Dense:
        """Titles and bodies are embedded apart, so that another share of the title embeds nothing."""
        values = settings.sentence.model_dump()
        share = values.pop("title_weight")
        key = json.dumps(values, sort_keys=True)
        if key not in self._pieces:
            texts = self.corpus.texts
            titles, bodies = (
                SentenceEmbedder(**values, title_weight=of_title, cache=self.cache).transform(texts, self.progress)
                for of_title in (1.0, 0.0)
            )
            self._pieces[key] = titles, bodies
        return mix(*self._pieces[key], share)


def _best_place(lists: Sequence[Neighbors], candidates: Rows, n: int) -> NDArray[np.int32]:
    """(b, c) the least place of each candidate in the lists."""
    last = np.iinfo(np.int32).max
    places = np.full((len(candidates), n + 1), last, dtype=np.int32)
    for neighbors in lists:
        number = np.broadcast_to(np.arange(neighbors.rows.shape[1], dtype=np.int32), neighbors.rows.shape)
        known = np.take_along_axis(places, neighbors.rows, 1)  # -1 is the column behind the last
        np.put_along_axis(places, neighbors.rows, np.minimum(known, number), 1)
    places[:, n] = last
    return np.take_along_axis(places, candidates, 1)


def _name(settings: Settings, *sections: str) -> str:
    return settings.model_dump_json(include=set(sections))
