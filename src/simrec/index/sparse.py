"""Exact nearest neighbors of sparse unit rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from joblib import cpu_count

from simrec.index.bounds import arrays, invert, scratch
from simrec.index.dense import check_eligible, check_exclude, check_k, no_neighbors, places_of, trim
from simrec.index.threads import in_chunks
from simrec.types import NO_ROW, Mask, Neighbors, Rows

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

CHUNK = 32
"""Queries that a thread takes at a time."""


class SparseIndex:
    """Exact cosine neighbors; an article that shares no term is no neighbor.

    Args:
        vectors: (n, terms) float32 unit rows, or rows of zeros.
        eligible: (n,) bool; a row that is False is nobody's neighbor. None: all are eligible.
        method: "bounds" leaves out products that cannot matter (see `simrec.index.bounds`); "postings" adds all of
            them up (see `simrec.index.postings`), which is quicker for short rows. Of both, equal scores are in order
            of rows, and scores are the same to the bit. "product" is sparse_dot_topn's whole matrix product, which
            keeps each row's best; the order of equal scores is its own. All are exact (ADR 0008).

    Raises:
        ValueError: the method is none of them, or the mask has another length.

    >>> from scipy.sparse import csr_matrix
    >>> rows = csr_matrix(np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32))
    >>> SparseIndex(rows).query(rows, 1, exclude=np.arange(3)).rows.ravel().tolist()
    [1, 2, 1]
    """

    def __init__(
        self,
        vectors: csr_matrix,
        eligible: Mask | None = None,
        method: Literal["bounds", "postings", "product"] = "bounds",
    ) -> None:
        if method not in ("bounds", "postings", "product"):
            raise ValueError(f"the method must be 'bounds', 'postings' or 'product', got {method!r}")
        vectors = _canonical(vectors)
        n, self._width = vectors.shape
        check_eligible(eligible, n)
        has_text = np.diff(vectors.indptr) > 0
        self._rows = np.flatnonzero(has_text if eligible is None else has_text & eligible).astype(np.int32)
        self._places = places_of(self._rows, n)
        kept = vectors if len(self._rows) == n else vectors[self._rows]
        self._product = kept.T.tocsr() if method == "product" else None
        self._lists = invert(kept) if method == "bounds" else None
        self._postings = _post(kept) if method == "postings" else None

    def query(self, vectors: csr_matrix, k: int, exclude: Rows | None = None) -> Neighbors:
        """As `DenseIndex.query`, of sparse rows over the same terms.

        Raises:
            ValueError: k is less than 1, the queries have other terms, or `exclude` does not fit.
        """
        check_k(k)
        if vectors.shape[1] != self._width:
            raise ValueError(f"the queries must have the index's {self._width} terms, got {vectors.shape[1]}")
        check_exclude(exclude, vectors.shape[0], len(self._places) - 1)
        if not len(self._rows) or not vectors.nnz:
            return no_neighbors(vectors.shape[0], k)
        if self._product is not None:
            return self._by_product(vectors, k, exclude)
        own = np.full(vectors.shape[0], NO_ROW, dtype=np.int32) if exclude is None else self._places[exclude]
        queries = _canonical(vectors)
        found = self._search_once(queries, k, own) if self._postings is not None else self._search(queries, k, own)
        return Neighbors(np.where(found.rows == NO_ROW, NO_ROW, self._rows[found.rows]).astype(np.int32), found.scores)

    def _search_once(self, queries: csr_matrix, k: int, own: Rows) -> Neighbors:
        """As `_search`; queries that are the same, as those of one tag are, are answered together."""
        first, same = _alike(queries)
        if 2 * len(first) > len(own):
            return self._search(queries, k, own)
        found = self._search(queries[first], min(k + 1, len(self._rows)), np.full(len(first), NO_ROW, dtype=np.int32))
        return trim(found.rows[same], found.scores[same], k, own)

    def _search(self, queries: csr_matrix, k: int, own: Rows) -> Neighbors:
        """The neighbors of queries, as places among the rows that can be found."""
        starts, terms, weights = arrays(queries)
        rows, scores = no_neighbors(len(own), k)

        def worker() -> Callable[[slice], None]:
            search = self._searcher(k)

            def work(part: slice) -> None:
                search((starts[part.start : part.stop + 1], terms, weights), own[part], rows[part], scores[part])

            return work

        in_chunks(worker, len(own), CHUNK)
        return Neighbors(rows, scores)

    def _searcher(self, k: int) -> Callable[..., None]:
        """A search, see `simrec.index.postings.add_up`, with scratch memory of its own, for one thread."""
        from simrec.index.postings import add_up
        from simrec.index.sparse_kernels import search

        if self._postings is not None:
            sums = np.zeros(self._postings.n, dtype=np.float32)
            return partial(add_up, self._postings, sums, np.empty(len(sums) + 1, dtype=np.int32))
        assert self._lists is not None  # noqa: S101 - there is no third
        return partial(search, self._lists, scratch(self._lists, k))

    def _by_product(self, vectors: csr_matrix, k: int, exclude: Rows | None) -> Neighbors:
        from sparse_dot_topn import sp_matmul_topn

        best = min(k + 1, len(self._rows))
        found = sp_matmul_topn(vectors, self._product, top_n=best, sort=True, n_threads=cpu_count())
        counts = np.diff(found.indptr)
        filled = np.arange(max(int(counts.max(initial=0)), 1)) < counts[:, None]
        rows = np.full(filled.shape, NO_ROW, dtype=np.int32)
        scores = np.full(filled.shape, -np.inf, dtype=np.float32)
        rows[filled] = self._rows[found.indices]
        scores[filled] = found.data
        return trim(rows, scores, k, exclude)


def _post(vectors: csr_matrix) -> Any:
    from simrec.index.postings import post

    return post(vectors)


def _alike(vectors: csr_matrix) -> tuple[Rows, Rows]:
    """The first of each set of rows that are the same, (m,), and for each row the place of its own among them, (b,)."""
    places: dict[bytes, int] = {}
    starts = vectors.indptr.tolist()
    first: list[int] = []
    same: list[int] = []
    for row, (begin, end) in enumerate(pairwise(starts)):
        key = vectors.indices[begin:end].tobytes() + vectors.data[begin:end].tobytes()
        place = places.setdefault(key, len(places))
        if place == len(first):
            first.append(row)
        same.append(place)
    return np.array(first, dtype=np.int32), np.array(same, dtype=np.int32)


def _canonical(vectors: csr_matrix) -> csr_matrix:
    """The same matrix: each row's terms ascending, each once, none of weight 0; a copy where that takes a change."""
    matrix = vectors.tocsr()
    if matrix.has_canonical_format and matrix.data.all() and matrix.dtype == np.float32:
        return matrix
    matrix = matrix.astype(np.float32, copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix
