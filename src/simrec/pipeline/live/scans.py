"""Scores of rows with all other rows, or with a few of them, in every space that candidates come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.pipeline.live.shelf import Shelf
from simrec.rank import kernels, scan
from simrec.rank.features import arrays
from simrec.types import NO_ROW, Mask, Rows, Scores

COLUMN_OF = {"titles": "title_sentence", "time": "published", "static": "sentence"}
"""The column that a space's scores come from, where it has another name."""

MANY = 64
"""Added rows from which it is worth listing them by their terms."""


class Scans:
    """Compares rows of a shelf with all its rows; what was found of the rows at hand is kept.

    A score is the same, to the last bit, whether two rows are compared alone or among others, and either way round.

    Args:
        shelf: the rows.
        spaces: the names of the s spaces.
    """

    def __init__(self, shelf: Shelf, spaces: Sequence[str]) -> None:
        self.shelf = shelf
        self.spaces = tuple(spaces)
        self._inverted: dict[str, scan.Inverted] = {}
        self._later: dict[str, scan.Inverted] = {}
        self._known: dict[tuple[int, str], Scores] = {}
        self._ahead: dict[int, NDArray[np.float32]] = {}

    def refresh(self) -> None:
        """Takes notice of rows that were added."""
        self._known, self._ahead = {}, {}
        for name, lists in list(self._inverted.items()):
            later = self._later.get(name)
            if later and lists.rows + later.rows > len(self.shelf):  # rows were taken away
                del self._later[name]
            if lists.rows > len(self.shelf):
                del self._inverted[name]

    def forget(self) -> None:
        """Lets go of all that can be made again."""
        self._known, self._ahead, self._inverted, self._later = {}, {}, {}, {}

    def use_inverted(self, name: str, lists: scan.Inverted) -> None:
        """Takes the rows of each term of a sparse column as they are, in place of making them when they are needed."""
        self._inverted[name] = lists

    def invert(self) -> None:
        """Makes the rows of each term of all sparse columns now, so that the first scan need not."""
        for name in {COLUMN_OF.get(space, space) for space in self.spaces}:
            column = self.shelf[name]
            if not isinstance(column, np.ndarray) and name not in self._inverted:
                self._inverted[name] = scan.invert(column)

    def ahead(self, rows: Sequence[int]) -> None:
        """Scans some rows together that will be asked for next, in the place of those that were: quicker, by far."""
        if self._ahead.keys() >= set(rows):
            return
        self._known, asked = {}, np.array(rows, dtype=np.int32)
        found = np.empty((len(rows), len(self.spaces), len(self.shelf)), dtype=np.float32)
        for number, space in enumerate(self.spaces):
            self._scan(asked, space, found, number)
        self._ahead = dict(zip(rows, found, strict=True))

    def of(self, row: int, space: str) -> Scores:
        """(n,) float32: the scores of a row with all rows in a space; 0 or NaN where they share nothing."""
        if row in self._ahead and space in self.spaces:
            ahead: Scores = self._ahead[row][self.spaces.index(space)]
            return ahead
        key = (row, space)
        if key not in self._known:
            found = np.empty((1, 1, len(self.shelf)), dtype=np.float32)
            self._scan(np.array([row], dtype=np.int32), space, found, 0)
            self._known = {known: scores for known, scores in self._known.items() if known[0] == row}
            self._known[key] = found[0, 0]
        scores: Scores = self._known[key]
        return scores

    def all(self, row: int) -> NDArray[np.float32]:
        """(s, n) the same, for all spaces."""
        if row in self._ahead:
            return self._ahead[row]
        return np.stack([self.of(row, space) for space in self.spaces])

    def reached(self, pages: Rows, others: Rows, marks: Scores) -> Mask:
        """(b, c) bool: whether a score of page and other reaches the page's own marks, (b, s), in some space."""
        found = np.zeros(others.shape, dtype=bool)
        for number, space in enumerate(self.spaces):
            scores = self._pairs(pages, others, COLUMN_OF.get(space, space))
            found |= (scores != 0) & (scores >= marks[:, number : number + 1])
        return np.asarray(found & (others != NO_ROW))

    def _scan(self, rows: Rows, space: str, out: NDArray[np.float32], number: int) -> None:
        name = COLUMN_OF.get(space, space)
        column = self.shelf[name]
        if name == "published":
            scan.time_scans(column, rows, out, number)
        elif isinstance(column, np.ndarray):
            kernels.dense_scans(column, rows, out, number)
        else:
            if name not in self._inverted:
                self._inverted[name] = scan.invert(column)
            lists = self._inverted[name]
            scan.sparse_scans(lists, column, rows, out, number, self._listed_since(name, column, lists.rows))

    def _listed_since(self, name: str, column: Any, first: int) -> scan.Inverted | None:
        """The rows of each term among those that were added since; None while they are few."""
        last, known = column.shape[0], self._later.get(name)
        if last - first < MANY:
            return None
        if known is None or last - first - known.rows >= MANY:
            known = self._later[name] = scan.invert(column, first)
        return known

    def _pairs(self, pages: Rows, others: Rows, name: str) -> Any:
        column = self.shelf[name]
        if name == "published":
            return scan.time_pairs(column, pages, others)
        if isinstance(column, np.ndarray):
            return kernels.dense_pairs(column, column, pages, others)
        return kernels.sparse_pairs(arrays(column), arrays(column), column.shape[1], pages, others)
