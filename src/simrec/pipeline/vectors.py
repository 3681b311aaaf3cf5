"""A site's articles as vectors of many kinds, each made when first used."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.embed.cache import Passages, is_intact, keep_newest, write_folder
from simrec.embed.sentence import SentenceEmbedder
from simrec.embed.static import StaticEmbedder
from simrec.embed.tfidf import TfidfEmbedder
from simrec.embed.views import Views
from simrec.embed.words import Words, analyze, sequences
from simrec.pipeline.distilled import distill
from simrec.pipeline.vectorizers import Vectorizers, tag_texts
from simrec.rank.features import Sequences
from simrec.settings import Settings
from simrec.text import content_hash
from simrec.types import Corpus, Dense, Progress, Scores, no_progress

KEEP_TFIDF = 2
"""TF-IDF matrices that a cache keeps: of the site as it is, and as it was."""


class Vectors:
    """A corpus and its vectors.

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

    @cached_property
    def tfidf(self) -> tuple[TfidfEmbedder, Any]:
        """The TF-IDF embedder and its (n, terms) sparse unit rows."""
        from scipy.sparse import load_npz, save_npz

        embedder = TfidfEmbedder(**self.settings.tfidf.model_dump())
        texts = self.corpus.texts
        if self.cache is None:
            return embedder, embedder.fit_transform_words(self.words)
        key = content_hash(*(part for text in texts for part in text))
        folder = self.cache / f"{embedder.fingerprint}-{key[:16]}"
        if is_intact(folder):
            return embedder.load(folder), load_npz(folder / "vectors.npz")
        words = self.words
        with self.progress("count terms", len(texts)) as bar:
            vectors = embedder.fit_transform_words(words)
            bar.update(len(texts))

        def write(part: Path) -> None:
            embedder.save(part)
            save_npz(part / "vectors.npz", vectors, compressed=False)

        write_folder(folder, write)
        keep_newest(self.cache, embedder.fingerprint, KEEP_TFIDF)
        return embedder, vectors

    @cached_property
    def embedder(self) -> SentenceEmbedder | StaticEmbedder:
        """What gives texts their meaning: the sentence model, or, where speed is asked for, static vectors."""
        if self.settings.build.speed == "fast":
            return self.static_embedder
        return SentenceEmbedder(**self.settings.sentence.model_dump(), cache=self.cache)

    def succeed(self, last: Vectors) -> None:
        """Takes the place of a site of the same settings: its sentence model is taken over, where it has loaded one.

        All else that the other one holds is let go of at once, though its parts refer to one another and to it.
        """
        loaded = last.__dict__.get("embedder")
        if isinstance(loaded, SentenceEmbedder):  # static vectors were made for the words of the other site
            self.embedder = loaded
        last.__dict__.clear()

    @cached_property
    def static_embedder(self) -> StaticEmbedder:
        """The sentence model, distilled to static vectors on this site's words."""
        embedder = StaticEmbedder(**self.settings.sentence.model_dump(), cache=self.cache)
        return distill(embedder, self.corpus.texts, self.progress)

    @cached_property
    def static(self) -> Dense:
        """(n, d) static vectors of title and body."""
        if self.settings.build.speed == "fast":
            return self.sentence
        found: Dense = self.static_embedder.transform(self.corpus.texts, self.progress)
        return found

    @cached_property
    def sentence(self) -> Dense:
        """(n, d) vectors of meaning: title and body."""
        return self._views.articles

    @cached_property
    def _views(self) -> Views:
        return self.embedder.views(self.corpus.texts, self.progress)

    @property
    def titles(self) -> Dense:
        """(n, d) the same, of the titles alone."""
        return self._views.titles

    @property
    def bodies(self) -> Dense:
        """(n, d) the same, of the bodies alone."""
        return self._views.bodies

    @property
    def passages(self) -> Passages:
        """The vectors of the bodies' passages."""
        return self._views.passages

    @cached_property
    def tags_embedder(self) -> TfidfEmbedder:
        """Counts the words of the tags; fitted by `tags`."""
        return TfidfEmbedder(ngrams=1)

    @cached_property
    def tags(self) -> Any:
        """(n, terms) TF-IDF of the words of the tags."""
        return self.tags_embedder.fit_transform(tag_texts(self.corpus.articles, self.corpus.texts))

    @cached_property
    def title_embedder(self) -> TfidfEmbedder:
        """Counts the words of the titles; fitted by `title_words`."""
        return TfidfEmbedder()

    @cached_property
    def title_words(self) -> Any:
        """(n, terms) TF-IDF of the titles alone."""
        return self.title_embedder.fit_transform_words(self.words.titles_as_bodies())

    @cached_property
    def words(self) -> Words:
        """The words of the texts, read once."""
        with self.progress("read words", len(self.corpus)) as bar:
            found = analyze(self.corpus.texts)
            bar.update(len(self.corpus))
        return found

    @cached_property
    def sequences(self) -> tuple[Sequences, Sequences, Scores]:
        """The stems of titles and of bodies in their order, and the IDF of each stem."""
        titles, bodies, weights = sequences(self.words)
        return Sequences(*titles), Sequences(*bodies), weights

    @cached_property
    def vectorizers(self) -> Vectorizers:
        """What turns the rest of an article into features; fitted by `features`."""
        return Vectorizers()

    @cached_property
    def sections(self) -> NDArray[np.int32]:
        """(n,) equal numbers for equal sections, -1 for none."""
        return self.vectorizers.sections.of([article.section for article in self.corpus.articles])
