"""Static sentence embeddings: a sum of token vectors, distilled from a sentence model on the site's own words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from simrec.embed.cache import Passages, VectorCache, is_intact, keep_newest, write_folder
from simrec.embed.distill import SMOOTH, Distilled, Teacher, add_words, split_words, weigh
from simrec.embed.inputs import Texts, as_texts
from simrec.embed.pieces import Pieces, Ragged, sums
from simrec.embed.sentence import DEFAULT, mix, unit
from simrec.embed.views import Views
from simrec.text import content_hash
from simrec.types import Bar, Dense, Progress, Text, no_progress

FORMAT = 1
"""Raise it when the same text gives another vector: what was cached before is then left alone."""
BATCH = 4096
"""Texts that are embedded at a time."""
SHARD = 16384
"""Texts that are embedded before they are put into the cache."""
KEEP = 4
"""Models, and folders of their vectors, that a cache keeps."""
OF_MODELS = "distilled-"
"""What the names of the models' folders in the cache begin with."""


class StaticEmbedder(TransformerMixin, BaseEstimator):
    """Dense unit rows, as `SentenceEmbedder` gives, a hundred times as fast and a little less good.

    `fit` distills the sentence model on the words of some texts; `transform` looks tokens up and adds their vectors, so
    that a text's row does not depend on the texts beside it, to the last bit. Passages are cut as a sentence model's.
    Source: model2vec (Tulkens and van Dongen 2024).

    Args:
        model: the teacher, as `SentenceEmbedder` takes it.
        overlap: tokens that neighboring passages share.
        title_weight: the title's share of the vector, from 0 to 1.
        batch_size: not used here; a sentence embedder has it.
        device: of the teacher: "cpu", "cuda", "mps"; empty for the best there is.
        cache: folder of the models and vectors made so far; None keeps none.
        passage_tokens: tokens of a passage; 0 for as many as the teacher reads.
        backend: not used here; a sentence embedder has it.
        dimensions: of the vectors; no more than the teacher's.
        vocabulary: words of the site that get a vector of their own, at most.
    """

    name = "static"

    def __init__(
        self,
        model: str = DEFAULT,
        overlap: int = 32,
        title_weight: float = 0.3,
        batch_size: int = 32,
        device: str = "",
        cache: Path | None = None,
        passage_tokens: int = 0,
        backend: str = "auto",
        dimensions: int = 256,
        vocabulary: int = 10_000,
    ) -> None:
        self.model = model
        self.overlap = overlap
        self.title_weight = title_weight
        self.batch_size = batch_size
        self.device = device
        self.cache = cache
        self.passage_tokens = passage_tokens
        self.backend = backend
        self.dimensions = dimensions
        self.vocabulary = vocabulary

    def fit(self, X: Texts, y: object = None, progress: Progress = no_progress) -> Self:
        """Distills the teacher on the words of these texts, or reads from the cache what was distilled on the same.

        Raises:
            ModelError: the teacher cannot be loaded, or cannot be distilled.
        """
        chunks = count_chunks(as_texts(X))
        teacher = self.teacher(progress)
        words = split_words(teacher.base.tokenizer, chunks, self.vocabulary)
        return self.fit_words(words, count_tokens(teacher.base, words, chunks), progress)

    def teacher(self, progress: Progress = no_progress) -> Teacher:
        """What is distilled.

        Raises:
            ModelError: it cannot be found.
        """
        return Teacher(self.model, self.device, self.cache, progress)

    def fit_words(self, words: Sequence[str], counts: NDArray[np.int64], progress: Progress = no_progress) -> Self:
        """As `fit`, of what was counted in the texts.

        Args:
            words: that get a vector of their own.
            counts: what `count_tokens` gives for them.
            progress: shows long work.

        Raises:
            ModelError: the teacher cannot be loaded, or cannot be distilled.
        """
        teacher = self.teacher(progress)
        base = teacher.base
        made_of = (FORMAT, SMOOTH, base.key, self.dimensions, *words, *counts.tolist())
        key = content_hash(*map(str, made_of))[:16]
        folder = self.cache / f"{OF_MODELS}{key}" if self.cache else None
        if folder and is_intact(folder):
            return self.load(folder)
        vectors = np.concatenate([base.vectors, teacher.embed(words)])
        tokenizer, said = add_words(base.tokenizer, words), vectors.any(axis=1)
        table = np.zeros((len(vectors), min(self.dimensions, vectors.shape[1])), dtype=np.float32)
        table[said] = weigh(vectors[said], counts[said], self.dimensions)
        self._use(Distilled(tokenizer, table, base.window, key))
        if folder and self.cache:
            write_folder(folder, self.save)
            keep_newest(self.cache, OF_MODELS, KEEP)
        return self

    def _use(self, model: Distilled) -> Self:
        self.model_ = model
        self._pieces = Pieces(model.tokenizer, model.silent)
        return self

    def save(self, folder: Path) -> None:
        """Writes what `fit` learned into `folder`, as safetensors and JSON."""
        check_is_fitted(self)
        self.model_.save(folder)

    def load(self, folder: Path) -> Self:
        """Reads what `save` wrote.

        Raises:
            ModelError: there is none, or it is damaged.
        """
        return self._use(Distilled.load(folder))

    @property
    def fingerprint(self) -> str:
        """Names the fitted model and everything else that a piece's vector depends on, but the text."""
        check_is_fitted(self)
        return f"static-{content_hash(str(FORMAT), self.model_.key, str(self.overlap), str(self._size))[:16]}"

    def transform(self, X: Texts, progress: Progress = no_progress) -> Dense:
        """(n, d) float32 unit rows; a text without any word is a row of zeros."""
        texts = as_texts(X)
        if not texts:
            return np.zeros((0, 1), dtype=np.float32)
        found = self._look_up([*(text.title for text in texts), *(text.body for text in texts)], progress)
        wholes = _wholes(found)
        return mix(wholes[: len(texts)], wholes[len(texts) :], self.title_weight)

    def passages(self, X: Texts, progress: Progress = no_progress) -> Passages:
        """The vectors of each body's passages; of the title, where there is no body."""
        return _parts(self._look_up([_main(text) for text in as_texts(X)], progress))

    def views(self, X: Texts, progress: Progress = no_progress) -> Views:
        """The vectors of titles, bodies and passages, from one look at the texts."""
        texts = as_texts(X)
        n = len(texts)
        found = self._look_up([*(text.title for text in texts), *map(_main, texts)], progress)
        titles, bodies = np.split(_wholes(found), 2)
        bodies[[not text.body.strip() for text in texts]] = 0
        articles, of_titles, of_bodies = (mix(titles, bodies, share) for share in (self.title_weight, 1.0, 0.0))
        first = int(found.lengths[:n].sum())
        return Views(articles, of_titles, of_bodies, _parts(Passages(found.vectors[first:], found.lengths[n:])))

    def _look_up(self, texts: Sequence[str], progress: Progress) -> Passages:
        """For each text the vector of all of it, then those of its passages, where it has more than one."""
        check_is_fitted(self)
        if self.cache is None or not texts:
            with progress("embed words", len(texts)) as bar:
                return self._embed(texts, bar)
        cache = VectorCache(self.cache, self.fingerprint)
        keys = [content_hash(text) for text in texts]
        missing = cache.missing(keys)
        with progress("embed words", len(missing)) as bar:
            for start in range(0, len(missing), SHARD):
                places = missing[start : start + SHARD]
                cache.put([keys[place] for place in places], self._embed([texts[place] for place in places], bar))
        if missing:
            keep_newest(self.cache, "static-", KEEP)
        return cache.get(keys)

    def _embed(self, texts: Sequence[str], bar: Bar) -> Passages:
        vectors, lengths = (
            [np.zeros((0, self.model_.vectors.shape[1]), dtype=np.float32)],
            [np.zeros(0, dtype=np.int64)],
        )
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            spans, of_each = self._spans(self._pieces.of(batch))
            vectors.append(unit(sums(spans, self.model_.vectors)))
            lengths.append(of_each)
            bar.update(len(batch))
        return Passages(np.concatenate(vectors), np.concatenate(lengths))

    def _spans(self, tokens: Ragged) -> tuple[Ragged, NDArray[np.int64]]:
        """The tokens of each text, then of its passages where there are more; and how many rows each text has."""
        overlap = min(self.overlap, self._size // 2)
        step = self._size - overlap
        lengths = tokens.lengths
        windows = np.where(lengths > self._size, -(-(lengths - overlap) // step), 0)
        rows = np.where(lengths > 0, 1 + windows, 0)
        owners = np.repeat(np.arange(len(rows)), rows)
        place = np.arange(len(owners)) - np.repeat(np.cumsum(rows) - rows, rows)  # 0 is the whole text
        starts = tokens.starts[owners] + np.maximum(place - 1, 0) * step
        ends = tokens.starts[owners + 1]
        return tokens.cut(starts, np.where(place > 0, np.minimum(starts + self._size, ends), ends)), rows

    @property
    def _size(self) -> int:
        return min(self.model_.window, self.passage_tokens or self.model_.window)


def count_chunks(texts: Iterable[Text]) -> Counter[str]:
    """What stands between the spaces of some texts, and how often."""
    chunks = Counter[str]()
    for text in texts:
        chunks.update(text.title.split())
        chunks.update(text.body.split())
    return chunks


def count_tokens(base: Distilled, words: Sequence[str], chunks: Mapping[str, int]) -> NDArray[np.int64]:
    """(tokens,) how often each token of a teacher, then of the words that it learns, stands in some texts.

    Args:
        base: the teacher.
        words: that get a vector of their own.
        chunks: what stands between the texts' spaces, and how often.
    """
    pieces = Pieces(add_words(base.tokenizer, words), base.silent)
    tokens = pieces.of_chunks(list(chunks))
    times = np.repeat(np.fromiter(chunks.values(), np.int64, len(chunks)), tokens.lengths)
    counts = np.zeros(pieces.tokenizer.get_vocab_size(), dtype=np.int64)
    np.add.at(counts, tokens.values, times)
    return counts


def _main(text: Text) -> str:
    return text.body if text.body.strip() else text.title


def _wholes(found: Passages) -> Dense:
    """(n, d): of each text the vector of all of it."""
    wholes = np.zeros((len(found.lengths), found.vectors.shape[1]), dtype=np.float32)
    said = found.lengths > 0
    wholes[said] = found.vectors[(np.cumsum(found.lengths) - found.lengths)[said]]
    return wholes


def _parts(found: Passages) -> Passages:
    """Without the vector of the whole text, where there are passages."""
    kept = np.ones(len(found.vectors), dtype=bool)
    cut = found.lengths > 1
    kept[(np.cumsum(found.lengths) - found.lengths)[cut]] = False
    return Passages(found.vectors[kept], found.lengths - cut)
