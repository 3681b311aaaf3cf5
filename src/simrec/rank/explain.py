"""Why an article is in a block: the terms that it shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

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
        self._spread = np.zeros(vectors.shape[1], dtype=np.float32)

    def of(self, row: int, others: Rows, most: int = 6) -> list[list[str]]:
        """For each of the `others`, the terms that it shares with `row`, the weightiest first.

        A term that repeats words of one already named is left out: "river" beside "river bank".
        """
        indptr, indices, data = self._vectors.indptr, self._vectors.indices, self._vectors.data
        own = slice(indptr[row], indptr[row + 1])
        self._spread[indices[own]] = data[own]
        found = []
        for other in others:
            columns = indices[indptr[other] : indptr[other + 1]]
            weights = data[indptr[other] : indptr[other + 1]] * self._spread[columns]
            shared = weights > 0
            if (shared & self._telling[columns]).any():
                shared &= self._telling[columns]
            columns, weights = columns[shared], weights[shared]
            best = columns[np.lexsort((columns, -weights))[: 8 * most]]
            found.append(_distinct([self._show(int(column)) for column in best], most))
        self._spread[indices[own]] = 0
        return found


def _distinct(terms: list[str], most: int) -> list[str]:
    named: list[str] = []
    for term in terms:
        if len(named) == most:
            break
        if not any(_overlap(term, other) for other in named):
            named.append(term)
    return named


def _overlap(one: str, other: str) -> bool:
    if is_unspaced(one) and is_unspaced(other):
        return one in other or other in one
    return not set(one.split()).isdisjoint(other.split())
