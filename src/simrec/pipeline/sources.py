"""Where candidates come from, and how many each source brings."""

from __future__ import annotations

import numpy as np

from simrec.types import Neighbors, Rows

WIDE = ("tfidf", "sentence", "title_words", "titles", "tags", "time")
"""Sources of candidates; the first two are models of their own."""
SHARES = {"title_words": 0.5, "titles": 0.5, "tags": 0.4, "time": 0.2, "picks": 0.6}
"""Candidates that a source of them brings for each one that an embedder brings."""
POOL = 2
"""Candidates that are ranked for each one that an embedder brings."""


def quota(name: str, depth: int) -> int:
    """How many candidates a source of them brings, where an embedder brings `depth`."""
    return max(int(SHARES.get(name, 1.0) * depth), 1)


def as_neighbors(rows: Rows) -> Neighbors:
    """Rows whose order says nothing."""
    return Neighbors(rows, np.zeros(rows.shape, dtype=np.float32))


DEEPER = 3
"""How much deeper to look, each time, for an article whose block is not full yet."""
