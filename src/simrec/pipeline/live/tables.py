"""Features of pages and their candidates: folded, and looked up where they were worked out just before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simrec.rank.features import PairFeatures, Table
from simrec.types import NO_ROW, Rows

FOLD = 64
"""Candidates of one page that a core scores together."""


class Tables:
    """The features of candidates of pages that were measured last: a page is ranked next, among nearly the same ones.

    A pair's features depend on its two rows alone, and rows never change.
    """

    def __init__(self) -> None:
        self._held: dict[int, tuple[Rows, Table]] = {}

    def forget(self) -> None:
        """Holds nothing: rows may have been taken away."""
        self._held = {}

    def hold(self, page: int, candidates: Rows, table: Table) -> None:
        """Holds the features, (c, f), of a page's candidates, (c,), ascending."""
        if len(candidates):
            self._held[page] = (candidates, table)

    def absolute(self, features: PairFeatures, pages: Rows, candidates: Rows) -> Table:
        """(b, c, f) as `PairFeatures.absolute`; what is held is not worked out again."""
        held = [(at, page) for at, page in enumerate(pages.tolist()) if page in self._held] if self._held else []
        if not held:
            return features.absolute(pages, candidates)
        asked, known = candidates.copy(), []
        for at, page in held:
            rows, table = self._held[page]
            places = np.minimum(np.searchsorted(rows, candidates[at]), len(rows) - 1)
            found = rows[places] == candidates[at]
            asked[at, found] = NO_ROW
            known.append((at, found, table, places[found]))
        some = np.flatnonzero((asked != NO_ROW).any(axis=1))
        out = np.full((*candidates.shape, known[0][2].shape[-1]), np.nan, dtype=np.float32)
        if len(some):
            out[some] = features.absolute(pages[some], asked[some])
        for at, found, table, places in known:
            out[at, found] = table[places]
        return out


def fold(lists: Sequence[Rows]) -> tuple[Rows, Rows, list[tuple[int, int, int]]]:
    """Lists of any length in rows of `FOLD`, so that cores get equal shares and none works on what is not there.

    Returns:
        The list that each of f rows belongs to, (f,); the rows, (f, FOLD), -1 for none; and for each list its first
        row, the one after its last, and its length.

    >>> at, folded, spans = fold([np.arange(65), np.arange(2)])
    >>> at.tolist(), folded.shape, spans
    ([0, 0, 1], (3, 64), [(0, 2, 65), (2, 3, 2)])
    """
    folds = [max(-(-len(rows) // FOLD), 1) for rows in lists]
    ends = np.cumsum(folds).tolist()
    folded = np.full((sum(folds), FOLD), NO_ROW, dtype=np.int32)
    spans = [(end - size, end, len(rows)) for end, size, rows in zip(ends, folds, lists, strict=True)]
    for (first, last, count), rows in zip(spans, lists, strict=True):
        folded[first:last].ravel()[:count] = rows
    return np.repeat(np.arange(len(lists)), folds), folded, spans


__all__ = ["FOLD", "Tables", "fold"]
