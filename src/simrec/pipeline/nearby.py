"""Each article's nearest ones in every space of vectors, found once and asked for many times."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from simrec.index.approximate import Chosen, choose_index
from simrec.index.dense import no_neighbors
from simrec.index.sparse import SparseIndex
from simrec.pipeline.sources import quota
from simrec.rank import kernels
from simrec.rank.features import arrays
from simrec.types import NO_ROW, Mask, Neighbors, Rows

if TYPE_CHECKING:
    from simrec.pipeline.site import Site

logger = logging.getLogger(__name__)

LISTED = 100
"""Nearest articles whose places features look at, by words and by meaning."""
SPARE = 28
"""Articles that a list has beyond what is asked of it, so that those that may not be shown can be left out."""
BATCH = 2048
SHORT = 30
"""Terms a row below which the whole product is the quicker way to neighbors (ADR 0008)."""


class Nearby:
    """The lists of a site's nearest articles, by the name of a space: see `simrec.pipeline.sources.WIDE`.

    Scores are those that `simrec.rank.kernels` gives the pairs, to the last bit. Equal ones stand in order of row.

    Attributes:
        recalls: recall@10 on a sample, by the name of each space that was too large for an exact index.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self.recalls: dict[str, float] = {}
        self._found: dict[str, Neighbors] = {}
        self._indexes: dict[tuple[str, bytes], Any] = {}

    def lists(self, name: str) -> Neighbors:
        """(n, w) every article's nearest ones among all others, w at least 100, or what the space's quota asks for."""
        if name not in self._found:
            wanted = max(quota(name, self._site.settings.rank.candidates), LISTED if name in LISTS else 1)
            vectors = self._site.vectors_of(name)
            everyone = np.arange(vectors.shape[0], dtype=np.int32)
            index = make_index(vectors)
            if isinstance(index, Chosen) and index.report.kind != "exact":
                logger.info("%s: neighbors by a graph, recall@10 %.3f on a sample", name, index.report.recall)
                self.recalls[name] = round(index.report.recall, 4)
            width = min(wanted + SPARE, max(len(everyone) - 1, 1))
            self._found[name] = find(index, vectors, everyone, width)
        return self._found[name]

    def query(self, name: str, rows: Rows, k: int, members: Mask) -> Neighbors:
        """The k nearest of each of some rows among the members: (b, k), best first."""
        if k <= self.lists(name).rows.shape[1]:
            found, enough = self._among(name, rows, k, members)
            if enough.all():
                return found
            again = self._search(name, rows[~enough], k, members)
            found.rows[~enough], found.scores[~enough] = again
            return found
        return self._search(name, rows, k, members)

    def _among(self, name: str, rows: Rows, k: int, members: Mask) -> tuple[Neighbors, Mask]:
        """What the lists have of the members, and whether that is certain to be all that is asked for."""
        lists = self.lists(name)
        known, scores = lists.rows[rows], lists.scores[rows]
        gone = (known == NO_ROW) | ~members[known]
        order = np.argsort(gone, axis=1, kind="stable")[:, :k]
        there = ~np.take_along_axis(gone, order, 1)
        found = Neighbors(
            np.where(there, np.take_along_axis(known, order, 1), NO_ROW).astype(np.int32),
            np.where(there, np.take_along_axis(scores, order, 1), -np.inf).astype(np.float32),
        )
        ended = (known == NO_ROW).any(axis=1) | (known.shape[1] >= len(members) - 1)
        return found, there.all(axis=1) | ended

    def _search(self, name: str, rows: Rows, k: int, members: Mask) -> Neighbors:
        vectors = self._site.vectors_of(name)
        key = (name, members.tobytes())
        if key not in self._indexes:
            self._indexes = {other: index for other, index in self._indexes.items() if other[0] != name}
            self._indexes[key] = make_index(vectors, members)
        return find(self._indexes[key], vectors, rows, k)


LISTS = ("tfidf", "sentence", "titles")
"""Spaces whose lists are features, too."""


def make_index(vectors: Any, members: Mask | None = None) -> Any:
    """An index over the rows of a matrix, dense or sparse."""
    if isinstance(vectors, np.ndarray):
        return choose_index(vectors, members)
    short = vectors.nnz < SHORT * vectors.shape[0]
    return SparseIndex(vectors, members, method="product" if short else "bounds")


def find(index: Any, vectors: Any, rows: Rows, k: int) -> Neighbors:
    """(b, k) the nearest of some rows, each but itself, with the scores that kernels give them."""
    found = no_neighbors(len(rows), k)
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        near = index.query(vectors[batch], k, exclude=batch).rows
        scores = pair_scores(vectors, batch, near)
        order = np.lexsort((near, -scores), axis=1)
        end = start + len(batch)
        found.rows[start:end] = np.take_along_axis(near, order, 1)
        found.scores[start:end] = np.take_along_axis(scores, order, 1)
    return found


def pair_scores(vectors: Any, rows: Rows, others: Rows) -> Any:
    """(b, c) cosines of rows with others, -inf where there is none."""
    if isinstance(vectors, np.ndarray):
        scores = kernels.dense_pairs(vectors, vectors, rows, others)
    else:
        scores = kernels.sparse_pairs(arrays(vectors), arrays(vectors), vectors.shape[1], rows, others)
    return np.where(others == NO_ROW, -np.inf, scores).astype(np.float32)
