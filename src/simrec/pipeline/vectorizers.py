"""What turns articles into the rows that features are computed from: fitted once, then applied to any article.

A word, name, folder or section that was not there when a site was fitted gets a number of its own where numbers only
have to differ; where it would need a weight of its own it is left out, until the site is fitted again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
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
        parameters: of scikit-learn's TfidfVectorizer.
    """

    def __init__(self, **parameters: Any) -> None:
        self.parameters = {"dtype": np.float32, **parameters}
        self._vectorizer: Any = None

    def fit_transform(self, strings: Sequence[str]) -> csr_matrix:
        """(n, terms) unit rows; learns the terms and their weights."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(**self.parameters)
        try:
            found = vectorizer.fit_transform(strings).tocsr()
        except ValueError:  # no string has a term
            return empty(len(strings))
        self._vectorizer = vectorizer
        found.sort_indices()
        return found

    def transform(self, strings: Sequence[str]) -> csr_matrix:
        """(n, terms) unit rows, with the terms and weights that were learned."""
        if self._vectorizer is None:
            return empty(len(strings))
        found = self._vectorizer.transform(strings).tocsr()
        found.sort_indices()
        return found

    def save(self, path: Path) -> None:
        """Writes what was learned as JSON."""
        learned: dict[str, Any] = {}
        if self._vectorizer is not None:
            terms = self._vectorizer.get_feature_names_out().tolist()
            learned = {"terms": terms, "idf": self._vectorizer.idf_.astype(float).tolist()}
        path.write_text(json.dumps(learned, ensure_ascii=False), encoding="utf-8")

    def load(self, path: Path) -> Grams:
        """Reads what `save` wrote."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        learned = json.loads(path.read_text(encoding="utf-8"))
        if learned:
            self._vectorizer = TfidfVectorizer(**self.parameters, vocabulary=learned["terms"])
            self._vectorizer.idf_ = np.array(learned["idf"], dtype=np.float32)
        return self


def make_characters() -> Grams:
    """n-grams of the characters of titles."""
    return Grams(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)


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
    paths = [[part for part in (_path(a) if "/" not in a.id else a.id).split("/") if part][:-1] for a in articles]
    prefixes = [["/".join(path[: i + 1]) if i < len(path) else None for i in range(FOLDERS)] for path in paths]
    return codes.of([prefix for row in prefixes for prefix in row]).reshape(len(articles), FOLDERS)


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
