"""Each article's nearest ones in every space of vectors, found once and asked for many times."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simrec.index.approximate import Chosen, choose_index
from simrec.index.dense import no_neighbors, places_of
from simrec.index.sparse import SparseIndex
from simrec.pipeline.sources import quota
from simrec.policy.pairs import Group, PairRules
from simrec.rank import kernels
from simrec.rank.features import arrays
from simrec.types import NO_ROW, Mask, Neighbors, Rows, Scores

if TYPE_CHECKING:
    from simrec.pipeline.site import Site

logger = logging.getLogger(__name__)

LISTED = 100
"""Nearest articles whose places features look at, by words and by meaning."""
SPARE = 28
"""Articles that a list has beyond what is asked of it, so that those that may not be shown can be left out."""
BATCH = 2048
SHORT = 30
"""Terms a row below which adding all products up is the quicker way to neighbors (ADR 0008)."""


class Nearby:
    """The lists of a site's nearest articles, by the name of a space: see `simrec.pipeline.sources.WIDE`.

    A row's list has the articles that may be shown under it by their language: no work is done for others. Who asks
    for more is answered from lists over everyone, which are made then.

    Scores are those that `simrec.rank.kernels` gives the pairs, to the last bit. Equal ones stand in order of row.

    Attributes:
        recalls: recall@10 on a sample, by the name of each space that was too large for an exact index.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self.recalls: dict[str, float] = {}
        self._found: dict[tuple[str, bool], Neighbors] = {}
        self._indexes: dict[tuple[str, bytes], Any] = {}

    @cached_property
    def rules(self) -> PairRules:
        """Which languages may be shown under which."""
        return PairRules(self._site.settings.policy, self._site.corpus.languages)

    @cached_property
    def groups(self) -> list[Group]:
        """The rows that look among the same others."""
        return self.rules.groups(self._site.corpus.lang_codes)

    def lists(self, name: str) -> Neighbors:
        """(n, w) every article's nearest ones among all others that may be shown under it by their language.

        w is at least 100, or what the space's quota asks for.
        """
        return self._lists(name, self.groups)

    def _lists(self, name: str, groups: Sequence[Group]) -> Neighbors:
        key = name, groups is self.groups
        if key not in self._found:
            vectors = self._site.vectors_of(name)
            n = vectors.shape[0]
            found = no_neighbors(n, width(name, self._site.settings.rank.candidates, n))
            for group in groups:
                near = self._near(name, vectors, group, found.rows.shape[1])
                found.rows[group.rows], found.scores[group.rows] = near
            self._found[key] = found
        return self._found[key]

    def _near(self, name: str, vectors: Any, group: Group, k: int) -> Neighbors:
        """(r, k) the nearest of a group's rows among its others."""
        base = vectors if len(group.others) == vectors.shape[0] else vectors[group.others]
        index = make_index(base)
        if isinstance(index, Chosen) and index.report.kind != "exact":
            logger.info("%s: neighbors by a graph, recall@10 %.3f on a sample", name, index.report.recall)
            recall = round(index.report.recall, 4)
            self.recalls[name] = min(recall, self.recalls.get(name, recall))
        own = places_of(group.others, vectors.shape[0])[group.rows]
        near, scores = ordered(search(index, base, vectors, group.rows, own, k))
        return Neighbors(np.where(near == NO_ROW, NO_ROW, group.others[near]).astype(np.int32), scores)

    def _for(self, rows: Rows, members: Mask) -> Sequence[Group]:
        """The groups whose lists have all members that are near to some rows."""
        languages, count = self._site.corpus.lang_codes, len(self.rules.table)
        asking, asked = (np.bincount(languages[of], minlength=count) > 0 for of in (rows, members))
        if len(self.groups) == 1 or self.rules.speaks(*np.ix_(np.flatnonzero(asking), np.flatnonzero(asked))).all():
            return self.groups
        everyone = np.arange(len(languages), dtype=np.int32)
        return [Group(everyone, everyone)]

    def query(self, name: str, rows: Rows, k: int, members: Mask) -> Neighbors:
        """The k nearest of each of some rows among the members: (b, k), best first."""
        lists = self._lists(name, self._for(rows, members))
        if k <= lists.rows.shape[1]:
            found, enough = self.among(lists, rows, k, members)
            if enough.all():
                return found
            again = self._search(name, rows[~enough], k, members)
            found.rows[~enough], found.scores[~enough] = again
            return found
        return self._search(name, rows, k, members)

    @staticmethod
    def among(lists: Neighbors, rows: Rows, k: int, members: Mask) -> tuple[Neighbors, Mask]:
        """What lists have of the members, and whether that is certain to be all that is asked for."""
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


def width(name: str, depth: int, n: int) -> int:
    """How many articles a space's lists have on a site of n, where an embedder brings `depth` candidates."""
    wanted = max(quota(name, depth), LISTED if name in LISTS else 1)
    return min(wanted + SPARE, max(n - 1, 1))


def make_index(vectors: Any, members: Mask | None = None) -> Any:
    """An index over the rows of a matrix, dense or sparse."""
    return choose_index(vectors, members) if isinstance(vectors, np.ndarray) else sparse_index(vectors, members)


def sparse_index(vectors: Any, members: Mask | None = None) -> SparseIndex:
    """The quicker index over the rows of a sparse matrix; what they find is the same."""
    short = vectors.nnz < SHORT * vectors.shape[0]
    return SparseIndex(vectors, members, method="postings" if short else "bounds")


class Found(NamedTuple):
    """What an index found for b queries, each (b, k).

    Attributes:
        rows: of the index, -1 for none.
        scores: that the index ordered them by; equal ones are in order of row.
        exact: that kernels give the pairs, -inf for none.
    """

    rows: Rows
    scores: Scores
    exact: Scores


def search(index: Any, base: Any, vectors: Any, rows: Rows, own: Rows, k: int) -> Found:
    """The k nearest of some rows of a matrix, among the rows of another that is indexed.

    Args:
        index: of the rows of `base`.
        base: (m, d).
        vectors: (n, d).
        rows: (b,) of `vectors`.
        own: (b,) the row of `base` that each may not find; -1 for none.
        k: neighbors a row.
    """
    found = Found(*no_neighbors(len(rows), k), np.full((len(rows), k), -np.inf, dtype=np.float32))
    for start in range(0, len(rows), BATCH):
        part = slice(start, start + BATCH)
        near = index.query(vectors[rows[part]], k, exclude=own[part])
        found.rows[part], found.scores[part] = near
        found.exact[part] = pair_scores(vectors, base, rows[part], near.rows)
    return found


def ordered(found: Found) -> Neighbors:
    """What was found, by the scores that kernels give, equal ones in order of row."""
    order = np.lexsort((found.rows, -found.exact), axis=1)
    return Neighbors(np.take_along_axis(found.rows, order, 1), np.take_along_axis(found.exact, order, 1))


def find(index: Any, vectors: Any, rows: Rows, k: int) -> Neighbors:
    """(b, k) the nearest of some rows, each but itself, with the scores that kernels give them."""
    return ordered(search(index, vectors, vectors, rows, rows, k))


def pair_scores(vectors: Any, base: Any, rows: Rows, others: Rows) -> Any:
    """(b, c) cosines of rows of one matrix with rows of another, -inf where there is none."""
    if isinstance(vectors, np.ndarray):
        scores = kernels.dense_pairs(vectors, base, rows, others)
    else:
        scores = kernels.sparse_pairs(arrays(vectors), arrays(base), vectors.shape[1], rows, others)
    return np.where(others == NO_ROW, -np.inf, scores).astype(np.float32)
