"""Compiled search of short sparse rows: all products, added up from the postings lists of a query's terms.

Where rows have few terms there is nothing to leave out, and `simrec.index.bounds` costs more than it saves. Products
are added in ascending order of terms, so that a score is the same to the bit as by bounds, and equal scores are in
order of rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.index.compiled import compiled, push, unload
from simrec.types import Rows

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class Postings(NamedTuple):
    """The rows that have each term.

    Attributes:
        n: rows.
        starts: (terms + 1,) int64, where each term's rows begin.
        rows: int32, ascending in each term.
        weights: float32, there.
    """

    n: int
    starts: NDArray[np.int64]
    rows: Rows
    weights: NDArray[np.float32]


def post(vectors: csr_matrix) -> Postings:
    """The postings lists of the rows of a matrix in canonical format."""
    lists = vectors.tocsc()
    return Postings(vectors.shape[0], lists.indptr.astype(np.int64), lists.indices.astype(np.int32), lists.data)


@compiled
def add_up(lists: Any, sums: Any, touched: Any, queries: Any, own: Any, out_rows: Any, out_scores: Any) -> None:
    """Finds the neighbors of some queries; weights are not negative.

    Args:
        lists: `Postings`.
        sums: (n,) float32, zeros, left as such.
        touched: (n,) int32, to write to.
        queries: (starts, terms, weights) of sparse rows, terms ascending.
        own: (b,) int32, the row that each may not find, -1 for none.
        out_rows: (b, k) int32, filled with -1, to write to.
        out_scores: (b, k) float32, filled with -inf, to write to.
    """
    starts, terms, weights = queries
    for query in range(len(own)):
        count = 0
        for at in range(starts[query], starts[query + 1]):
            term, weight = terms[at], weights[at]
            for entry in range(lists.starts[term], lists.starts[term + 1]):
                row = lists.rows[entry]
                before = sums[row]
                sums[row] = before + weight * lists.weights[entry]
                if before == 0 and sums[row] > 0:
                    touched[count] = row
                    count += 1
        size = 0
        for place in range(count):
            row = touched[place]
            if row != own[query]:
                size = push(out_scores[query], out_rows[query], size, sums[row], row)
            sums[row] = 0
        unload(out_scores[query], out_rows[query], size, out_rows[query], out_scores[query])
