"""The rows of a site: every version of an article that was there since the site was fitted has a row of its own.

Rows are added at the end and never change or move. The first `Fitted.n` rows are the articles that the site was fitted
on: they stay what others are measured against, even when their article has changed or is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from simrec.pipeline.live.columns import Column, Ragged, SparseRows
from simrec.pipeline.live.fitted import Fitted
from simrec.rank.catalogue import NEAR
from simrec.rank.features import Sequences, Signals
from simrec.rank.fusion import Fusion, Weighted
from simrec.rank.parts import AgePart, DensePart, Part, SectionPart, SparsePart
from simrec.types import Neighbors, Rows

SPARSE = ("tfidf", "title_words", "title_characters", "title_shares", "tags", "authors", "path")
RAGGED = ("passages", "title_sequences", "body_sequences")
MEASURED = ("hub_tfidf", "hub_fused", *(f"near_{name}" for name in NEAR))
"""What a row has from being compared with the fitted ones, beside the fusion's means."""


class Shelf:
    """The columns of a site's rows.

    Args:
        fitted: the site as it was fitted.
        columns: arrays, sparse matrices, and tuples of starts and values, by name; a row each for the fitted articles.
        weights: of the fusion's parts, by name, in their order.
        back: of the fusion.
    """

    def __init__(self, fitted: Fitted, columns: Mapping[str, Any], weights: Mapping[str, float], back: float) -> None:
        self.fitted = fitted
        self.weights = weights
        self.back = back
        self._columns: dict[str, Any] = {}
        for name, values in columns.items():
            if name in SPARSE:
                self._columns[name] = SparseRows(values)
            elif name in RAGGED:
                self._columns[name] = Ragged(*values)
            else:
                self._columns[name] = Column(values)
        self._words = Column(fitted.weights)

    def __len__(self) -> int:
        return len(self["published"])

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def __getitem__(self, name: str) -> Any:
        """An array, a sparse matrix, or starts and values."""
        column = self._columns[name]
        if isinstance(column, SparseRows):
            return column.matrix
        if isinstance(column, Ragged):
            return (column.starts, *column.values)
        return column.array

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return list(self._columns)

    def extend(self, rows: Mapping[str, Any]) -> int:
        """Adds rows, and returns the number of the first. What is measured is not known yet: see `set`."""
        first, count = len(self), len(rows["published"])
        for name, column in self._columns.items():
            if isinstance(column, SparseRows):
                column.append(rows[name])
            elif isinstance(column, Ragged):
                lengths, values = _ragged(rows[name])
                column.append(lengths, values)
            elif name in rows:
                column.append(rows[name])
            else:
                like = column.array
                column.append(np.zeros((count, *like.shape[1:]), dtype=like.dtype))
        unknown = len(self.fitted.lexicon.stemming().stems) - len(self._words.array)
        if unknown > 0:
            self._words.append(np.full(unknown, np.log(self.fitted.n + 2), dtype=np.float32))
        return first

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Takes the rows away again that are added meanwhile."""
        count, words = len(self), len(self._words.array)
        widths = {name: column.width for name, column in self._columns.items() if isinstance(column, SparseRows)}
        try:
            yield
        finally:
            for name, column in self._columns.items():
                if isinstance(column, SparseRows):
                    column.cut(count, widths[name])
                else:
                    column.cut(count)
            self._words.cut(words)

    def put(self, name: str, values: Any) -> None:
        """Gives all rows another column of plain values, or one that was not there."""
        self._columns[name] = Column(values)

    def set(self, name: str, row: int | Rows, value: Any) -> None:
        """Fills in what was measured of a row, or of some rows."""
        self._columns[name].array[row] = value

    def fusion(self) -> Fusion:
        """The fusion over all rows."""
        made = Fusion([Weighted(self._part(name), weight) for name, weight in self.weights.items()], self.back)
        made.mean_ = [self[f"mean_{name}"] for name in self.weights if f"mean_{name}" in self]
        made.sd_ = [self[f"sd_{name}"] for name in self.weights if f"sd_{name}" in self]
        return made

    def _part(self, name: str) -> Part:
        if name == "section":
            return SectionPart(self["sections"])
        if name == "age":
            return AgePart(self["ages"], self.fitted.usual)
        return SparsePart(name, self[name]) if name in SPARSE else DensePart(name, self["sentence"])

    def signals(self) -> Signals:
        """All that features look at."""
        plain = {name: self[name] for name in Signals.__dataclass_fields__ if name in self and name not in RAGGED}
        starts, passages = self["passages"]
        nearest = np.zeros((0, 1), dtype=np.int32)
        return Signals(
            **plain,
            fusion=self.fusion(),
            near={name: self[f"near_{name}"] for name in NEAR},
            nearest=Neighbors(nearest, nearest.astype(np.float32)),
            hubs={name: self[f"hub_{name}"] for name in ("tfidf", "fused")},
            rare=self.fitted.rare,
            passages=passages,
            passage_starts=starts,
            dates_are_of_publication=self.fitted.dates_are_of_publication,
            titles_are_headlines=self.fitted.titles_are_headlines,
            title_sequences=Sequences(*self["title_sequences"]),
            body_sequences=Sequences(*self["body_sequences"]),
            word_weights=self._words.array,
        )


def _ragged(value: Any) -> tuple[Any, Any]:
    """Lengths and values of added rows, of passages or of sequences."""
    if isinstance(value, Sequences):
        return np.diff(value.starts), value.words
    return value.lengths, value.vectors
