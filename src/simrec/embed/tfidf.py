"""TF-IDF over word and character n-grams."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from simrec.embed.counts import Vocabulary, learn
from simrec.embed.inputs import Texts, as_texts
from simrec.embed.words import Words, analyze
from simrec.text import content_hash, is_unspaced
from simrec.types import Mask

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

COMMON = 0.15
"""Share of the articles from which a word says little about any of them."""

SHORTEST = 4
"""Letters; shorter words are mostly those that every text has."""

FORMAT = 2
"""Raise it when the same texts and settings give other vectors: caches made before are then left alone."""


def idf(df: NDArray[np.int64], n: int) -> NDArray[np.float32]:
    """(terms,) float32: inverse document frequencies of terms in `df` (terms,) of n texts."""
    return np.log((n + 1) / np.maximum(df, 1)).astype(np.float32)


class TfidfEmbedder(TransformerMixin, BaseEstimator):
    """Sparse unit rows: logarithmic term frequency times inverse document frequency.

    The weight of a term with frequency f in an article, in d of n articles, is (1 + ln f) · ln((n + 1) / d) (Salton and
    Buckley 1988, `ltc`); the title's terms count `title_weight` times. Terms of one article alone match nothing and
    would only shorten the rest of its vector, so `min_df` is 2.

    Args:
        title_weight: how often the title counts beside the body.
        ngrams: the longest n-gram, in words.
        min_df: terms in fewer articles are left out.
        max_df: terms in a larger share of the articles are left out.
        stem: cut words to their stems where the language has a Snowball stemmer.

    Attributes:
        terms_: the terms, by column.
        idf_: (terms,) float32.
        surface_: the words to show for stems.

    >>> from simrec.types import Text
    >>> texts = [Text("Bridge closed", "The bridge is shut.", "en"), Text("Bridges", "All bridges are open.", "en")]
    >>> embedder = TfidfEmbedder().fit(texts)
    >>> embedder.terms_
    ['bridg']
    >>> embedder.transform(texts).toarray()
    array([[1.],
           [1.]], dtype=float32)
    """

    name = "tfidf"
    _vocabulary: Vocabulary | None = None

    def __init__(
        self, title_weight: int = 3, ngrams: int = 2, min_df: int = 2, max_df: float = 1.0, stem: bool = True
    ) -> None:
        self.title_weight = title_weight
        self.ngrams = ngrams
        self.min_df = min_df
        self.max_df = max_df
        self.stem = stem

    @property
    def fingerprint(self) -> str:
        """Names everything but the texts that the vectors depend on."""
        import Stemmer

        parameters = json.dumps(self.get_params(), sort_keys=True)
        return "tfidf-" + content_hash(str(FORMAT), Stemmer.version(), parameters)[:16]

    def fit(self, X: Texts, y: object = None) -> Self:
        """Learns terms and their document frequencies from `X`, all articles of a site."""
        self.fit_transform(X)
        return self

    def fit_transform(self, X: Texts, y: object = None, **_: Any) -> csr_matrix:
        """`fit`, then `transform` of the same texts, in one pass over them."""
        return self.fit_transform_words(analyze(as_texts(X)))

    def fit_words(self, words: Words) -> Self:
        """`fit` to texts that were read before."""
        self.fit_transform_words(words)
        return self

    def fit_transform_words(self, words: Words) -> csr_matrix:
        """`fit_transform` of texts that were read before."""
        n = len(words)
        stemming = words.lexicon.stemming(self.stem)
        vocabulary, df, counts = learn(words, stemming, self.ngrams, self.title_weight, *self.limits(n))
        seen = np.bincount(words.bodies.numbers, minlength=len(words.lexicon))
        seen += np.bincount(words.titles.numbers, minlength=len(words.lexicon))
        return self.use(vocabulary, df, n, stemming.surface(seen, vocabulary.in_terms())).weigh(counts)

    def limits(self, n: int) -> tuple[int, float]:
        """In how many of n texts a term is at least, and at most."""
        return min(self.min_df, n), self.max_df * n

    def use(self, vocabulary: Vocabulary, df: NDArray[np.int64], n: int, surface: dict[str, str]) -> Self:
        """Takes terms that were counted: `df` (terms,) says in how many of n texts each is; `surface` as `surface_`."""
        self._vocabulary = vocabulary
        self.terms_: list[str] = vocabulary.names()
        self.idf_ = idf(df, n)
        self.surface_ = surface
        return self

    def transform(self, X: Texts) -> csr_matrix:
        """(n, terms) float32 unit rows; a text without a known term is a row of zeros."""
        return self.transform_words(analyze(as_texts(X)))

    def transform_words(self, words: Words) -> csr_matrix:
        """`transform` of texts that were read before; words that are new to the embedder have no column."""
        check_is_fitted(self)
        return self.weigh(self._known().count(words, words.lexicon.stemming(self.stem), self.title_weight))

    def _known(self) -> Vocabulary:
        if self._vocabulary is None:
            self._vocabulary = Vocabulary.of_terms(self.terms_, self.ngrams)
        return self._vocabulary

    def weigh(self, counts: csr_matrix) -> csr_matrix:
        """(n, terms) unit rows of counted terms; changed in place."""
        from sklearn.utils.sparsefuncs_fast import inplace_csr_row_normalize_l2

        if counts.shape[1]:
            counts.data = (1 + np.log(counts.data)) * self.idf_[counts.indices]
            inplace_csr_row_normalize_l2(counts)
        return counts

    def save(self, folder: Path) -> None:
        """Writes what `fit` learned into `folder`, as JSON and .npy."""
        vocabulary = self._known()
        learned = {"terms": self.terms_, "surface": self.surface_, "words": list(vocabulary.words)}
        (folder / "terms.json").write_text(json.dumps(learned, ensure_ascii=False), encoding="utf-8")
        np.save(folder / "keys.npy", vocabulary.keys, allow_pickle=False)
        np.save(folder / "idf.npy", self.idf_, allow_pickle=False)

    def load(self, folder: Path) -> Self:
        """Reads what `save` wrote."""
        learned = json.loads((folder / "terms.json").read_text(encoding="utf-8"))
        self.terms_, self.surface_ = learned["terms"], learned["surface"]
        self._vocabulary = None
        if "words" in learned:  # else a folder of an earlier version
            keys = np.load(folder / "keys.npy", allow_pickle=False)
            self._vocabulary = Vocabulary(learned["words"], self.ngrams, keys)
        self.idf_ = np.load(folder / "idf.npy", allow_pickle=False)
        return self

    def telling(self) -> Mask:
        """(terms,) bool: worth naming to people: no word of it is very short, or in many of the articles."""
        weight = dict(zip(self.terms_, self.idf_.tolist(), strict=True))
        least = -np.log(COMMON)

        @cache
        def tells(stem: str) -> bool:
            shown = self.surface_.get(stem, stem)
            return (len(shown) >= SHORTEST or is_unspaced(shown)) and weight.get(stem, least) >= least

        return np.array([all(map(tells, term.split(" "))) for term in self.terms_], dtype=bool)

    def show(self, column: int) -> str:
        """The term of a column as people write it."""
        return " ".join(self.surface_.get(stem, stem) for stem in self.terms_[column].split(" "))
