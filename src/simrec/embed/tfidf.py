"""TF-IDF over word and character n-grams."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from simrec.embed.inputs import Texts, as_texts
from simrec.embed.terms import Analyzer
from simrec.text import content_hash, is_unspaced
from simrec.types import Mask, Text

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

COMMON = 0.15
"""Share of the articles from which a word says little about any of them."""

SHORTEST = 4
"""Letters; shorter words are mostly those that every text has."""

FORMAT = 2
"""Raise it when the same texts and settings give other vectors: caches made before are then left alone."""


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

    >>> texts = [Text("Bridge closed", "The bridge is shut.", "en"), Text("Bridges", "All bridges are open.", "en")]
    >>> embedder = TfidfEmbedder().fit(texts)
    >>> embedder.terms_
    ['bridg']
    >>> embedder.transform(texts).toarray()
    array([[1.],
           [1.]], dtype=float32)
    """

    name = "tfidf"

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
        from sklearn.feature_extraction.text import CountVectorizer

        texts = as_texts(X)
        analyzer = Analyzer(self.ngrams, self.stem)
        vectorizer = CountVectorizer(analyzer=self._analyze(analyzer), dtype=np.float32)
        try:
            counts = vectorizer.fit_transform(texts)
        except ValueError as error:
            if "empty vocabulary" not in str(error):
                raise
            counts, terms = _empty(len(texts)), np.array([], dtype=object)
        else:
            terms = vectorizer.get_feature_names_out()
        df = np.bincount(counts.indices, minlength=counts.shape[1])
        keep = (df >= min(self.min_df, len(texts))) & (df <= self.max_df * len(texts))
        self.terms_: list[str] = terms[keep].tolist()
        self.idf_ = np.log((len(texts) + 1) / np.maximum(df[keep], 1)).astype(np.float32)
        stems = {stem for term in self.terms_ for stem in term.split(" ")}
        self.surface_ = {stem: word for stem, word in analyzer.surface().items() if stem in stems}
        return self._weigh(counts[:, keep])

    def transform(self, X: Texts) -> csr_matrix:
        """(n, terms) float32 unit rows; a text without a known term is a row of zeros."""
        from sklearn.feature_extraction.text import CountVectorizer

        check_is_fitted(self)
        texts = as_texts(X)
        if not self.terms_:
            return _empty(len(texts))
        analyze = self._analyze(Analyzer(self.ngrams, self.stem))
        return self._weigh(CountVectorizer(analyzer=analyze, vocabulary=self.terms_, dtype=np.float32).transform(texts))

    def _analyze(self, analyzer: Analyzer) -> Any:
        def terms(text: Text) -> list[str]:
            return analyzer.terms(text.title, text.lang) * self.title_weight + analyzer.terms(text.body, text.lang)

        return terms

    def _weigh(self, counts: csr_matrix) -> csr_matrix:
        from sklearn.preprocessing import normalize

        if not counts.shape[1]:
            return _empty(counts.shape[0])
        weighted = counts.tocsr()
        weighted.sort_indices()
        weighted.data = (1 + np.log(weighted.data)) * self.idf_[weighted.indices]
        return normalize(weighted, copy=False)

    def save(self, folder: Path) -> None:
        """Writes what `fit` learned into `folder`, as JSON and .npy."""
        learned = {"terms": self.terms_, "surface": self.surface_}
        (folder / "terms.json").write_text(json.dumps(learned, ensure_ascii=False), encoding="utf-8")
        np.save(folder / "idf.npy", self.idf_, allow_pickle=False)

    def load(self, folder: Path) -> Self:
        """Reads what `save` wrote."""
        learned = json.loads((folder / "terms.json").read_text(encoding="utf-8"))
        self.terms_, self.surface_ = learned["terms"], learned["surface"]
        self.idf_ = np.load(folder / "idf.npy", allow_pickle=False)
        return self

    def telling(self) -> Mask:
        """(terms,) bool: worth naming to people: no word of it is very short, or in many of the articles."""
        weight = dict(zip(self.terms_, self.idf_.tolist(), strict=True))
        least = -np.log(COMMON)

        def tells(stem: str) -> bool:
            shown = self.surface_.get(stem, stem)
            return (len(shown) >= SHORTEST or is_unspaced(shown)) and weight.get(stem, least) >= least

        return np.array([all(map(tells, term.split(" "))) for term in self.terms_], dtype=bool)

    def show(self, column: int) -> str:
        """The term of a column as people write it."""
        return " ".join(self.surface_.get(stem, stem) for stem in self.terms_[column].split(" "))


def _empty(n: int) -> csr_matrix:
    from scipy.sparse import csr_matrix

    return csr_matrix((n, 0), dtype=np.float32)
