"""What turns articles into the rows that features are computed from: fitted once, then applied to any article.

A word, name, folder or section that was not there when a site was fitted gets a number of its own where numbers only
have to differ; where it would need a weight of its own it is left out, until the site is fitted again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from simrec.types import NO_ROW, Article, Text

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FOLDERS = 6
"""Folders of a path that are looked at."""
_PARTS = re.compile(r"[^\W_]+")


class Codes:
    """Numbers for names: equal ones for equal names, -1 for none; a new name gets the next one.

    >>> Codes().of(["news", None, "sport", "news"])
    array([ 0, -1,  1,  0], dtype=int32)
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._number = {name: number for number, name in enumerate(names)}

    def of(self, names: Sequence[str | None]) -> NDArray[np.int32]:
        """(n,) the number of each name."""
        number = self._number
        found = [number.setdefault(name, len(number)) if name else NO_ROW for name in names]
        return np.array(found, dtype=np.int32)

    def __len__(self) -> int:
        return len(self._number)

    def cut(self, count: int) -> None:
        """Forgets the names from that number on."""
        while len(self._number) > count:
            self._number.popitem()

    def as_json(self) -> list[str]:
        """The names, in the order of their numbers."""
        return list(self._number)


class Grams:
    """TF-IDF of what an analyzer of scikit-learn makes of strings; strings that have nothing of it are empty rows.

    Args:
        sublinear: count a term's repetitions by their logarithm.
        parameters: of scikit-learn's CountVectorizer.
    """

    def __init__(self, *, sublinear: bool = False, **parameters: Any) -> None:
        self.sublinear = sublinear
        self.parameters = {"dtype": np.float32, **parameters}
        self._counter: Any = None
        self._weights: Any = None

    def fit_transform(self, strings: Sequence[str]) -> csr_matrix:
        """(n, terms) unit rows; learns the terms and their weights."""
        terms, counts = self.count(strings)
        self.learn(terms, np.bincount(counts.indices, minlength=len(terms)), len(strings))
        return self._weigh(counts) if terms else empty(len(strings))

    def count(self, strings: Sequence[str]) -> tuple[list[str], csr_matrix]:
        """The terms of some strings, sorted, and (n, terms) how often each string has each; nothing is learned."""
        from sklearn.feature_extraction.text import CountVectorizer

        counter = CountVectorizer(**self.parameters)
        try:
            counts = counter.fit_transform(strings).tocsr()
        except ValueError:  # no string has a term
            return [], empty(len(strings))
        counts.sort_indices()
        return counter.get_feature_names_out().tolist(), counts

    def learn(self, terms: Sequence[str], df: NDArray[np.int64], n: int) -> Self:
        """Takes terms, sorted, that were counted: `df` (terms,) says in how many of n strings each is."""
        return self._use(terms, np.log(np.float32(n + 1) / (df[: len(terms)].astype(np.float32) + 1)) + np.float32(1))

    def transform(self, strings: Sequence[str]) -> csr_matrix:
        """(n, terms) unit rows, with the terms and weights that were learned."""
        if self._counter is None:
            return empty(len(strings))
        counts = self._counter.transform(strings).tocsr()
        counts.sort_indices()
        return self._weigh(counts)

    def _weigh(self, counts: csr_matrix) -> csr_matrix:
        found: csr_matrix = self._weights.transform(counts, copy=False)
        return found

    def _use(self, terms: Sequence[str], idf: NDArray[np.float32]) -> Self:
        from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

        if terms:  # else no string has one
            self._counter = CountVectorizer(**self.parameters, vocabulary=terms)
            self._weights = TfidfTransformer(sublinear_tf=self.sublinear)
            self._weights.idf_ = idf
        return self

    def save(self, path: Path) -> None:
        """Writes what was learned as JSON."""
        learned: dict[str, Any] = {}
        if self._counter is not None:
            learned = {"terms": list(self._counter.vocabulary), "idf": self._weights.idf_.astype(float).tolist()}
        path.write_text(json.dumps(learned, ensure_ascii=False), encoding="utf-8")

    def load(self, path: Path) -> Self:
        """Reads what `save` wrote."""
        learned = json.loads(path.read_text(encoding="utf-8"))
        return self._use(learned.get("terms", ()), np.array(learned.get("idf", ()), dtype=np.float32))


def make_characters() -> Grams:
    """n-grams of the characters of titles."""
    return Grams(analyzer="char_wb", ngram_range=(3, 5), sublinear=True)


def make_paths() -> Grams:
    """The parts of ids and addresses."""
    return Grams(analyzer=str.split)


def names_of(articles: Sequence[Article], codes: Codes) -> csr_matrix:
    """(n, names) unit rows, a column an author."""
    from scipy.sparse import csr_matrix

    found = [np.unique(codes.of(article.authors)) for article in articles]
    counts = np.array([len(row) for row in found], dtype=np.int64)
    data = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    indices = np.concatenate([np.zeros(0, dtype=np.int32), *found]).astype(np.int32)
    return csr_matrix((data, indices, indptr), shape=(len(articles), max(len(codes), 1)))


def path_strings(articles: Sequence[Article]) -> list[str]:
    """The parts of each article's id and address, spaced."""
    return [" ".join(_PARTS.findall(f"{article.id} {_path(article)}".lower())) for article in articles]


def folders_of(articles: Sequence[Article], codes: Codes) -> NDArray[np.int32]:
    """(n, FOLDERS) numbers of each article's folders, from the top; -1 below the last."""
    return codes.of(folder_names(articles)).reshape(len(articles), FOLDERS)


def folder_names(articles: Sequence[Article]) -> list[str | None]:
    """The folders of each article, from the top, `FOLDERS` of each; None below the last."""
    paths = [[part for part in (_path(a) if "/" not in a.id else a.id).split("/") if part][:-1] for a in articles]
    return ["/".join(path[: i + 1]) if i < len(path) else None for path in paths for i in range(FOLDERS)]


def tag_texts(articles: Sequence[Article], texts: Sequence[Text]) -> list[Text]:
    """The tags alone, to be counted as bodies are."""
    return [Text("", "\n".join(a.tags), text.lang) for a, text in zip(articles, texts, strict=True)]


class Vectorizers:
    """The vectorizers of a site that are no embedders of their own.

    Attributes:
        characters: of titles.
        paths: of ids and addresses.
        authors, sections, folders: numbers of names.
    """

    def __init__(self) -> None:
        self.characters = make_characters()
        self.paths = make_paths()
        self.authors = Codes()
        self.sections = Codes()
        self.folders = Codes()


def _path(article: Article) -> str:
    try:
        return urlsplit(article.url or "").path
    except ValueError:
        return ""


def empty(n: int) -> csr_matrix:
    """n rows without anything."""
    from scipy.sparse import csr_matrix

    return csr_matrix((n, 1), dtype=np.float32)
