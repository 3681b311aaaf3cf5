"""Token numbers of many texts, fast: what stands between two spaces is tokenized once, and looked up ever after."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.types import Dense

REMEMBERED = 4_000_000
"""Characters of what is remembered: with more than these, all is forgotten when the next texts come."""

Ints = NDArray[np.int64]


class Ragged(NamedTuple):
    """Rows of different lengths, one after the other.

    Attributes:
        values: (m,) int32.
        starts: (n + 1,) where each row starts, and the last one ends.
    """

    values: NDArray[np.int32]
    starts: Ints

    @property
    def lengths(self) -> Ints:
        """(n,) of each row."""
        return np.diff(self.starts)

    def take(self, rows: Ints) -> Ragged:
        """Some rows, in any order, as often as they are named."""
        return self.cut(self.starts[rows], self.starts[rows + 1])

    def cut(self, starts: Ints, ends: Ints) -> Ragged:
        """The values from each of some starts to its end, as rows."""
        bounds = np.concatenate([[0], np.cumsum(ends - starts)])
        return Ragged(self.values[np.arange(bounds[-1]) + np.repeat(starts - bounds[:-1], ends - starts)], bounds)


class Pieces:
    """Cuts texts into token numbers.

    Words do not look at their neighbors: what stands between two spaces gets the tokens that it would get alone.

    Args:
        tokenizer: of the `tokenizers` library.
        dropped: token numbers that are left out.
    """

    def __init__(self, tokenizer: Any, dropped: Collection[int]) -> None:
        self.tokenizer = tokenizer
        self._dropped = np.array(sorted(dropped), dtype=np.int32)
        self._number: dict[str, int] = {}
        self._known = _nothing()
        self._characters = 0

    def of(self, texts: Sequence[str]) -> Ragged:
        """The tokens of each text."""
        chunks = [text.split() for text in texts]
        bounds = np.concatenate([[0], np.cumsum([len(of_text) for of_text in chunks], dtype=np.int64)])
        tokens = self.of_chunks(list(chain.from_iterable(chunks)))
        return Ragged(tokens.values, tokens.starts[bounds])

    def of_chunks(self, chunks: Sequence[str]) -> Ragged:
        """The tokens of each of some chunks without spaces."""
        if self._characters > REMEMBERED:
            self._number, self._known, self._characters = {}, _nothing(), 0
        new = [chunk for chunk in dict.fromkeys(chunks) if chunk not in self._number]
        if new:
            self._learn(new)
        return self._known.take(np.fromiter(map(self._number.__getitem__, chunks), np.int64, len(chunks)))

    def _learn(self, chunks: Sequence[str]) -> None:
        encoded = [found.ids for found in self.tokenizer.encode_batch_fast(chunks, add_special_tokens=False)]
        lengths = np.array([len(ids) for ids in encoded], dtype=np.int64)
        values = np.fromiter(chain.from_iterable(encoded), np.int32, lengths.sum())
        kept = ~np.isin(values, self._dropped)
        before = np.concatenate([[0], np.cumsum(kept)])
        starts = before[np.concatenate([[0], np.cumsum(lengths)])]
        self._number.update(zip(chunks, range(len(self._number), len(self._number) + len(chunks)), strict=True))
        self._characters += sum(map(len, chunks))
        known = self._known
        self._known = Ragged(
            np.concatenate([known.values, values[kept]]), np.concatenate([known.starts, known.starts[-1] + starts[1:]])
        )


def _nothing() -> Ragged:
    return Ragged(np.zeros(0, dtype=np.int32), np.zeros(1, dtype=np.int64))


def sums(rows: Ragged, table: Dense) -> Dense:
    """(n, d) float32: for each row of token numbers the sum of their vectors, added in the row's order.

    Args:
        rows: of n texts.
        table: (tokens, d) float32.
    """
    from scipy.sparse import csr_matrix

    shape = len(rows.starts) - 1, len(table)
    ones = np.ones(len(rows.values), dtype=np.float32)
    return np.asarray(csr_matrix((ones, rows.values, rows.starts), shape=shape) @ table, dtype=np.float32)
