"""Exact nearest neighbors of sparse unit rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from joblib import cpu_count

from simrec.index.dense import check_k, no_neighbors, trim
from simrec.types import NO_ROW, Mask, Neighbors, Rows

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class SparseIndex:
    """Exact cosine neighbors by sparse_dot_topn, a matrix product that keeps each row's best.

    Args:
        vectors: (n, terms) float32 unit rows, or rows of zeros.
        eligible: (n,) bool; a row that is False is nobody's neighbor. None: all are eligible.
    """

    def __init__(self, vectors: csr_matrix, eligible: Mask | None = None) -> None:
        mask = np.ones(vectors.shape[0], dtype=bool) if eligible is None else eligible
        self._rows = np.flatnonzero(mask).astype(np.int32)
        self._transposed = vectors[self._rows].T.tocsr()

    def query(self, vectors: csr_matrix, k: int, exclude: Rows | None = None) -> Neighbors:
        """As `DenseIndex.query`; an article that shares no term is no neighbor."""
        from sparse_dot_topn import sp_matmul_topn

        check_k(k)
        if not len(self._rows) or not vectors.nnz:
            return no_neighbors(vectors.shape[0], k)
        best = min(k + 1, len(self._rows))
        found = sp_matmul_topn(vectors, self._transposed, top_n=best, sort=True, n_threads=cpu_count())
        counts = np.diff(found.indptr)
        filled = np.arange(max(int(counts.max(initial=0)), 1)) < counts[:, None]
        rows = np.full(filled.shape, NO_ROW, dtype=np.int32)
        scores = np.full(filled.shape, -np.inf, dtype=np.float32)
        rows[filled] = self._rows[found.indices]
        scores[filled] = found.data
        return trim(rows, scores, k, exclude)
