"""Arrays that grow at their end: a row is added now and then, and what is there never moves within it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Sparse(NamedTuple):
    """A sparse matrix as kernels read it: that of scipy without its checks."""

    indptr: Any
    indices: Any
    data: Any
    shape: tuple[int, int]


class Roomy(NamedTuple):
    """The first `rows` of an array that has room for more."""

    held: Any
    rows: int

    def __len__(self) -> int:
        return self.rows


def read_array(path: Path) -> Roomy:
    """Reads a .npy file, with room for rows to be added: the first one that is makes no copy of all others.

    Raises:
        ValueError: it is no array of plain values.
    """
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_column, dtype = read(file)
        if dtype.hasobject or by_column:
            raise ValueError(f"{path.name} is no array of plain values in order of row")
        held = np.empty((_roomy(shape[0]), *shape[1:]), dtype=dtype)
        room = held[: shape[0]].reshape(-1).view(np.uint8)
        if file.readinto(room.data) < len(room):
            raise ValueError(f"{path.name} ends too early")
    return Roomy(held, shape[0])


def _roomy(count: int) -> int:
    return count + count // 8 + 64


class Column:
    """An array with a row an article, or one of `read_array`."""

    def __init__(self, array: Any) -> None:
        self._held: Any
        self._held, self._count = array if isinstance(array, Roomy) else (np.ascontiguousarray(array), len(array))

    @property
    def array(self) -> Any:
        """What is there."""
        return self._held[: self._count]

    def replace(self, array: Any) -> None:
        """Puts another array in the place of what is there."""
        self._held, self._count = np.ascontiguousarray(array), len(array)

    def append(self, rows: Any) -> None:
        """Adds rows, (r, ...) as those that are there."""
        wanted = self._count + len(rows)
        if wanted > len(self._held):
            held = np.empty((_roomy(wanted), *self._held.shape[1:]), dtype=self._held.dtype)
            held[: self._count] = self.array
            self._held = held
        self._held[self._count : wanted] = rows
        self._count = wanted

    def cut(self, count: int) -> None:
        """Takes away the rows from that one on."""
        self._count = min(self._count, count)


class Ragged:
    """Rows of any length, end to end: `starts` (n + 1,), and one or more arrays that they point into."""

    def __init__(self, starts: Any, *values: Any) -> None:
        self._starts = Column(starts)
        self._values = [Column(array) for array in values]

    @property
    def starts(self) -> Any:
        """(n + 1,) where each row begins."""
        return self._starts.array

    @property
    def values(self) -> list[Any]:
        """The arrays."""
        return [column.array for column in self._values]

    def append(self, lengths: Sequence[int], *values: Any) -> None:
        """Adds rows of these lengths."""
        last = int(self.starts[-1])
        self._starts.append(last + np.cumsum(np.asarray(lengths, dtype=np.int64)))
        for column, array in zip(self._values, values, strict=True):
            column.append(array)

    def cut(self, count: int) -> None:
        """Takes away the rows from that one on."""
        self._starts.cut(count + 1)
        for column in self._values:
            column.cut(int(self.starts[-1]))


class SparseRows:
    """A sparse matrix that grows at its end, and may get wider."""

    def __init__(self, matrix: Any) -> None:
        self._rows = Ragged(matrix.indptr, matrix.indices, matrix.data)
        self.width = matrix.shape[1]

    @property
    def matrix(self) -> Sparse:
        """What is there."""
        indices, data = self._rows.values
        return Sparse(self._rows.starts, indices, data, (len(self._rows.starts) - 1, self.width))

    def append(self, matrix: Any) -> None:
        """Adds the rows of a matrix."""
        self._rows.append(np.diff(matrix.indptr), matrix.indices, matrix.data)
        self.width = max(self.width, matrix.shape[1])

    def cut(self, count: int, width: int) -> None:
        """Takes away the rows from that one on; so wide it was then."""
        self._rows.cut(count)
        self.width = width
