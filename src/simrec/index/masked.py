"""Exact nearest neighbors where each query has eligible rows of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from simrec.index.dense import check_k, no_neighbors
from simrec.types import NO_ROW, Mask, Neighbors


def masked_top_k(queries: Any, vectors: Any, k: int, eligible: Mask) -> Neighbors:
    """The k nearest neighbors of each query among its own eligible rows, by the full product.

    Args:
        queries: (b, d) unit rows, dense or sparse.
        vectors: (n, d) unit rows, of the same kind.
        k: neighbors a row, at least 1.
        eligible: (b, n) bool; each query's own row is False here.

    Returns:
        rows (b, k) and scores (b, k), best first; where fewer are eligible, or share nothing, -1 and -inf.
    """
    check_k(k)
    product = queries @ vectors.T
    scores = product if isinstance(product, np.ndarray) else product.toarray()
    scores = np.where(eligible & (scores != 0), scores, -np.inf).astype(np.float32)
    result = no_neighbors(len(scores), k)
    width = min(k, scores.shape[1])
    if width:
        best = np.argpartition(-scores, width - 1, axis=1)[:, :width]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
        best = np.take_along_axis(best, order, 1)
        result.scores[:, :width] = np.take_along_axis(scores, best, 1)
        result.rows[:, :width] = np.where(np.isfinite(result.scores[:, :width]), best, NO_ROW)
    return result
