"""Why an article is in a block: the terms that it shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simrec.rank import kernels
from simrec.text import is_unspaced
from simrec.types import Mask, Rows

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class SharedTerms:
    """Names the terms that contribute most to the TF-IDF cosine of two articles.

    Args:
        vectors: (n, terms) TF-IDF unit rows.
        show: a column's term, as people write it.
        telling: (terms,) bool; the other terms are named only where no telling one is shared.
    """

    def __init__(self, vectors: csr_matrix, show: Callable[[int], str], telling: Mask) -> None:
        self._telling = telling
        self._vectors = vectors
        self._show = show
        self._shown: dict[int, _Term] = {}

    def use(self, vectors: csr_matrix) -> None:
        """Goes on with the same vectors, and more of them."""
        self._vectors = vectors

    def of(self, row: int, others: Rows, most: int = 6) -> list[list[str]]:
        """For each of the `others`, the terms that it shares with `row`, the weightiest first.

        A term that repeats words of one already named is left out: "river" beside "river bank".
        """
        arrays = (self._vectors.indptr, self._vectors.indices, self._vectors.data)
        columns = kernels.shared_terms(arrays, self._telling, row, np.asarray(others, dtype=np.int32), 8 * most)
        return [self._distinct(best, most) for best in columns.tolist()]

    def _distinct(self, columns: list[int], most: int) -> list[str]:
        named: list[str] = []
        words: set[str] = set()
        unspaced: list[_Term] = []
        known = self._shown
        for column in columns:
            if column < 0 or len(named) == most:
                break
            term = known.get(column) or self._term(column)
            if not words.isdisjoint(term.words) or (unspaced and any(_overlap(term, other) for other in unspaced)):
                continue
            named.append(term.shown)
            if term.unspaced:
                unspaced.append(term)
            else:
                words |= term.words
        return named

    def _term(self, column: int) -> _Term:
        shown = self._show(column)
        found = self._shown[column] = _Term(shown, frozenset(shown.split()), is_unspaced(shown))
        return found


class _Term(NamedTuple):
    """A term as it is shown, its words, and whether its script has no spaces."""

    shown: str
    words: frozenset[str]
    unspaced: bool


def _overlap(one: _Term, unspaced: _Term) -> bool:
    if one.unspaced:
        return one.shown in unspaced.shown or unspaced.shown in one.shown
    return not one.words.isdisjoint(unspaced.words)
