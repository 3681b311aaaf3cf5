"""A corpus in which some articles are new or others, made of the one before in little time."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.types import Article, Corpus, primary


def patched(corpus: Corpus, changed: Sequence[Article]) -> Corpus:
    """The corpus with articles in place of those of their ids, or added; the one given stays as it is.

    What was worked out of it already is brought up to date, not worked out again; what is missing is made when it is
    asked for.

    >>> corpus = Corpus([Article("a", "A", "…"), Article("c", "C", "…")])
    >>> patched(corpus, [Article("b", "B", "…")]).ids
    ['a', 'b', 'c']
    """
    if not changed:
        return corpus
    patch = _Patch(corpus, changed)
    new = Corpus(patch.column(list(corpus.articles), lambda article: article))
    made, values = vars(corpus), vars(new)
    values["ids"] = patch.column(list(corpus.ids), lambda article: article.id)
    values["lang_counts"] = patch.counts()
    if "by_id" in made:
        values["by_id"] = made["by_id"] | patch.found
    if "row_of" in made:
        values["row_of"] = dict(zip(new.ids, range(len(new)), strict=True)) if patch.added else made["row_of"]
    if "published" in made:
        values["published"] = patch.array(corpus.published, _seconds)
    if "lang_codes" in made and (new.main_lang, new.languages) == (corpus.main_lang, corpus.languages):
        number = {name: code for code, name in enumerate(new.languages)}
        values["lang_codes"] = patch.array(corpus.lang_codes, lambda a: number[primary(a.lang or new.main_lang)])
    return new


class _Patch:
    """Where articles go.

    Args:
        corpus: before.
        changed: articles, the last of an id counts.
    """

    def __init__(self, corpus: Corpus, changed: Sequence[Article]) -> None:
        self._corpus = corpus
        self.found: Mapping[str, Article] = {article.id: article for article in changed}
        places = {id_: bisect_left(corpus.ids, id_) for id_ in sorted(self.found)}
        self.known = {id_: at for id_, at in places.items() if at < len(corpus) and corpus.ids[at] == id_}
        self.added = {id_: at for id_, at in places.items() if id_ not in self.known}

    def column(self, column: list[Any], value: Callable[[Article], Any]) -> list[Any]:
        """A column as a list, changed in place."""
        for id_, row in self.known.items():
            column[row] = value(self.found[id_])
        for id_, row in reversed(self.added.items()):
            column.insert(row, value(self.found[id_]))
        return column

    def array(self, column: NDArray[Any], value: Callable[[Article], Any]) -> NDArray[Any]:
        """A copy of a column that is an array."""
        column = column.copy()
        for id_, row in self.known.items():
            column[row] = value(self.found[id_])
        if not self.added:
            return column
        return np.insert(column, list(self.added.values()), [value(self.found[id_]) for id_ in self.added])

    def counts(self) -> Any:
        """How many articles name each language."""
        counts = self._corpus.lang_counts.copy()
        counts.subtract(primary(lang) for row in self.known.values() if (lang := self._corpus.articles[row].lang))
        counts.update(primary(article.lang) for article in self.found.values() if article.lang)
        return +counts


def _seconds(article: Article) -> float:
    return article.published_at.timestamp() if article.published_at else math.nan
