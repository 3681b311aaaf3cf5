"""A site's articles as vectors, and the ranking of any of them for any other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.embed.cache import is_intact, keep_newest, write_folder
from simrec.embed.sentence import SentenceEmbedder
from simrec.embed.tfidf import TfidfEmbedder
from simrec.errors import UsageError
from simrec.index.dense import DenseIndex
from simrec.index.masked import masked_top_k
from simrec.index.sparse import SparseIndex
from simrec.rank.candidates import union
from simrec.rank.explain import SharedTerms
from simrec.rank.fusion import Fusion, Weighted
from simrec.rank.parts import AgePart, DensePart, SectionPart, SparsePart
from simrec.settings import Settings
from simrec.text import content_hash
from simrec.types import Corpus, Dense, Mask, Neighbors, Progress, Rows, Similar, Text, no_progress

MODELS = ("tfidf", "sentence", "hybrid")
BATCH = 256
KEEP_TFIDF = 2
"""TF-IDF matrices that a cache keeps: of the site as it is, and as it was."""


class Site:
    """A corpus with all that rankings of it need, each made when first used.

    Args:
        corpus: the articles.
        settings: of the workspace.
        cache: folder of the cached vectors; None keeps none.
        progress: shows long work.
    """

    def __init__(
        self, corpus: Corpus, settings: Settings, cache: Path | None = None, progress: Progress = no_progress
    ) -> None:
        self.corpus = corpus
        self.settings = settings
        self.cache = cache
        self.progress = progress
        self._fusions: dict[str, Fusion] = {}

    @cached_property
    def tfidf(self) -> tuple[TfidfEmbedder, Any]:
        """The TF-IDF embedder and its (n, terms) sparse unit rows."""
        from scipy.sparse import load_npz, save_npz

        embedder = TfidfEmbedder(**self.settings.tfidf.model_dump())
        texts = self.corpus.texts
        if self.cache is None:
            return embedder, embedder.fit_transform(texts)
        key = content_hash(*(part for text in texts for part in text))
        folder = self.cache / f"{embedder.fingerprint}-{key[:16]}"
        if is_intact(folder):
            return embedder.load(folder), load_npz(folder / "vectors.npz")
        with self.progress("count terms", len(texts)) as bar:
            vectors = embedder.fit_transform(texts)
            bar.update(len(texts))

        def write(part: Path) -> None:
            embedder.save(part)
            save_npz(part / "vectors.npz", vectors, compressed=False)

        write_folder(folder, write)
        keep_newest(self.cache, embedder.fingerprint, KEEP_TFIDF)
        return embedder, vectors

    @cached_property
    def sentence(self) -> Dense:
        """(n, d) sentence vectors."""
        embedder = SentenceEmbedder(**self.settings.sentence.model_dump(), cache=self.cache)
        return embedder.transform(self.corpus.texts, self.progress)

    @cached_property
    def tags(self) -> Any:
        """(n, terms) TF-IDF of the words of the tags."""
        articles, texts = self.corpus.articles, self.corpus.texts
        words = [Text("", "\n".join(a.tags), text.lang) for a, text in zip(articles, texts, strict=True)]
        return TfidfEmbedder(ngrams=1).fit_transform(words)

    @cached_property
    def shared_terms(self) -> SharedTerms:
        """Names the terms that two articles share."""
        embedder, vectors = self.tfidf
        return SharedTerms(vectors, embedder.show, embedder.telling())

    def fusion(self, model: str) -> Fusion:
        """The scorer of a model, fitted on this site.

        Raises:
            UsageError: there is no such model.
        """
        if model not in self._fusions:
            self._fusions[model] = self._make_fusion(model).fit(len(self.corpus), self.progress)
        return self._fusions[model]

    def neighbors_of(self, embedder: str) -> Any:
        """The vectors of an embedder, by its name."""
        return self.tfidf[1] if embedder == "tfidf" else self.sentence

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
            depth: candidates that each embedder brings.
            eligible: (n,) bool, who may be a candidate of anybody; None for all.
            groups: (n,) numbers; candidates come from the source's group only.
            allowed: for (b,) sources, who may be a candidate of each, (b, n) bool.
            extra: for (b,) sources, further candidates (b, p), -1 for none.

        Yields:
            The sources of a batch, in an order of their own, and their ranking.
        """
        fusion = self.fusion(model)
        embedders = ["tfidf", "sentence"] if model == "hybrid" else [model]
        groups = np.zeros(len(self.corpus), dtype=np.int32) if groups is None else groups
        for group in np.unique(groups[rows]):
            members = groups == group if eligible is None else (groups == group) & eligible
            search = self._masked(embedders, members, allowed) if allowed else self._indexed(embedders, members)
            sources = rows[groups[rows] == group]
            for start in range(0, len(sources), BATCH):
                batch = sources[start : start + BATCH]
                found = search(batch, depth)
                if extra:
                    further = extra(batch)
                    found.append(Neighbors(further, np.zeros(further.shape, dtype=np.float32)))
                yield batch, fusion.rank(batch, union(found), self.corpus.tie_order)

    def _indexed(self, embedders: Sequence[str], members: Mask) -> Callable[[Rows, int], list[Neighbors]]:
        kinds: dict[str, Any] = {"tfidf": SparseIndex, "sentence": DenseIndex}
        vectors = [self.neighbors_of(name) for name in embedders]
        indexes = [kinds[name](v, members) for name, v in zip(embedders, vectors, strict=True)]
        return lambda batch, depth: [
            index.query(v[batch], depth, exclude=batch) for index, v in zip(indexes, vectors, strict=True)
        ]

    def _masked(
        self, embedders: Sequence[str], members: Mask, allowed: Callable[[Rows], Mask]
    ) -> Callable[[Rows, int], list[Neighbors]]:
        vectors = [self.neighbors_of(name) for name in embedders]

        def search(batch: Rows, depth: int) -> list[Neighbors]:
            mask = allowed(batch) & members
            mask[np.arange(len(batch)), batch] = False
            return [masked_top_k(v[batch], v, depth, mask) for v in vectors]

        return search

    def _make_fusion(self, model: str) -> Fusion:
        if model not in MODELS:
            raise UsageError(f"there is no model {model!r}: choose from {', '.join(MODELS)}")
        if model == "tfidf":
            return Fusion([Weighted(SparsePart("tfidf", self.tfidf[1]), 1)])
        if model == "sentence":
            return Fusion([Weighted(DensePart("sentence", self.sentence), 1)])
        weights, articles = self.settings.rank, self.corpus.articles
        parts = [
            Weighted(SparsePart("tfidf", self.tfidf[1]), weights.tfidf),
            Weighted(DensePart("sentence", self.sentence), weights.sentence),
            Weighted(SparsePart("tags", self.tags), weights.tags),
            Weighted(SectionPart([article.section for article in articles]), weights.section),
            Weighted(AgePart(self.corpus.published), weights.age),
        ]
        return Fusion(parts, weights.back)


def describe(settings: Settings) -> dict[str, Any]:
    """Settings as plain values, for a snapshot."""
    values: dict[str, Any] = json.loads(settings.model_dump_json())
    return values
