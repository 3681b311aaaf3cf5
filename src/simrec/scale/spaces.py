"""The spaces that articles are near each other in, read from the columns of a build: as many rows as are asked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.pipeline.live.compare import spaces_of
from simrec.pipeline.live.scans import COLUMN_OF
from simrec.pipeline.nearby import Found
from simrec.policy.pairs import Group, PairRules
from simrec.scale.ground import FIT, NAMES, PARTS, WIDTHS, Ground
from simrec.types import NO_ROW, Rows

FOUND = "near-{}-rows", "near-{}-scores"
"""The names of a space's lists: (n, w) int32 and float32, what `simrec.pipeline.nearby.Nearby.lists` holds."""

BY_JOB = "pairs-{}-{}"
"""The names of what the jobs of a space found, by its field: see `simrec.pipeline.nearby.Found`."""
SIDES = "neighbors-rows", "neighbors-others"
"""The names of the groups' rows, and of those that may be shown under them."""

ALL = slice(None)


def spaces_with_lists(model: str) -> tuple[str, ...]:
    """The spaces in which a model looks at each article's nearest ones; by words everybody does, for copies."""
    return tuple(sorted({"tfidf", *spaces_of(model)} - {"time"}))


class Space:
    """A column whose rows are vectors.

    Args:
        ground: of the build.
        name: of the space: see `simrec.pipeline.sources.WIDE`.
    """

    def __init__(self, ground: Ground, name: str) -> None:
        self.name = name
        self._ground = ground
        self._column = COLUMN_OF.get(name, name)

    @cached_property
    def dense(self) -> bool:
        """Whether its vectors have no zeros to leave out."""
        return not self._ground.has(f"column-{self._column}.1")

    @cached_property
    def width(self) -> int:
        """Of a vector."""
        if self.dense:
            return int(self._arrays[0].shape[1])
        widths = json.loads((self._ground.engine / WIDTHS).read_text(encoding="utf-8"))
        return max(int(widths[self._column]), 1)

    @cached_property
    def _arrays(self) -> list[Any]:
        count = 1 if self.dense else 3
        return [self._ground.array(f"column-{self._column}.{number}") for number in range(count)]

    def lengths(self, rows: Rows) -> NDArray[np.int64]:
        """(r,) how many values some rows have that are held."""
        if self.dense:
            return np.full(len(rows), self.width, dtype=np.int64)
        starts = self._arrays[0]
        return np.asarray(starts[_after(rows)] - starts[_run(rows)], dtype=np.int64)

    def vectors(self, rows: Rows) -> Any:
        """(r, width) some rows, in memory: an array, or a sparse matrix."""
        if self.dense:
            return np.array(self._arrays[0][_run(rows)])
        from scipy.sparse import csr_matrix

        starts, terms, weights = self._arrays
        lengths = self.lengths(rows)
        ends = np.cumsum(lengths)
        pointers = np.concatenate([[0], ends])
        if isinstance(_run(rows), slice):
            first = int(starts[rows[0]]) if len(rows) else 0
            at: Any = slice(first, first + int(pointers[-1]))
        else:
            at = np.repeat(starts[rows] - pointers[:-1], lengths) + np.arange(pointers[-1])
        return csr_matrix((np.array(weights[at]), np.array(terms[at]), pointers), shape=(len(rows), self.width))


def _run(rows: Rows) -> Any:
    """Rows as a slice, where they are one after the other: what is read is then no copy."""
    if len(rows) and int(rows[-1]) - int(rows[0]) + 1 == len(rows):
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _after(rows: Rows) -> Any:
    run = _run(rows)
    return slice(run.start + 1, run.stop + 1) if isinstance(run, slice) else rows + 1


# Groups of articles


def put_groups(ground: Ground) -> list[Group]:
    """Notes who looks among whom by language; returns the groups, their rows as maps of their files."""
    names = json.loads((ground.folder / FIT / NAMES).read_text(encoding="utf-8"))
    rules = PairRules(ground.settings.policy, names["languages"])
    groups = rules.groups(ground.array("column-languages.0"))
    for number, group in enumerate(groups):
        for name, rows in zip(SIDES, group, strict=True):
            ground.put(name, number, rows)
    return [group_of(ground, number) for number in range(len(groups))]


def group_of(ground: Ground, number: int) -> Group:
    """A group, its rows as maps of their files."""
    return Group(*(ground.part(name, number) for name in SIDES))


def places_in(rows: Rows, wanted: Rows) -> Rows:
    """(w,) int32: the places of some rows among others, ascending; -1 for those that are not there.

    >>> places_in(np.array([2, 5, 9]), np.array([5, 6])).tolist()
    [1, -1]
    """
    at = np.minimum(np.searchsorted(rows, wanted), len(rows) - 1)
    return np.where(rows[at] == wanted, at, NO_ROW).astype(np.int32)


# What was found


def nothing(b: int, k: int) -> Found:
    """Nobody, for b queries."""
    blank = np.full((b, k), -np.inf, dtype=np.float32)
    return Found(np.full((b, k), NO_ROW, dtype=np.int32), blank, blank.copy())


def merged(one: Found, other: Found) -> Found:
    """The best of two lists that were found for the same queries, as if they had been found together.

    >>> one = Found(np.array([[4, -1]]), np.array([[0.5, -np.inf]]), np.array([[0.5, -np.inf]]))
    >>> merged(one, Found(np.array([[2, 7]]), np.array([[0.5, 0.4]]), np.array([[0.5, 0.4]]))).rows
    array([[2, 4]])
    """
    rows, scores, exact = (np.concatenate(both, axis=1) for both in zip(one, other, strict=True))
    order = np.lexsort((rows, -scores), axis=1)[:, : one.rows.shape[1]]
    return Found(*(np.take_along_axis(array, order, 1) for array in (rows, scores, exact)))


def add(best: Found, at: Any, found: Found) -> None:
    """Puts what was found for some of the queries among their best."""
    held = Found(*(array[at] for array in best))
    new = found if (held.rows == NO_ROW).all() else merged(held, found)
    for array, values in zip(best, new, strict=True):
        array[at] = values


def put_found(ground: Ground, name: str, number: int, found: Found) -> int:
    """Writes what a job found in a space; returns its bytes."""
    return sum(ground.put(BY_JOB.format(name, field), number, array) for field, array in found._asdict().items())


def found_by(ground: Ground, name: str, number: int, at: slice = ALL) -> Found:
    """What a job found, for some of its queries."""
    rows, scores, exact = (np.asarray(ground.part(BY_JOB.format(name, field), number)[at]) for field in Found._fields)
    return Found(rows, scores, exact)


def drop(ground: Ground, *names: str) -> None:
    """Removes all parts of some arrays."""
    for name in names:
        shutil.rmtree(ground.folder / PARTS / name, ignore_errors=True)


def drop_jobs(ground: Ground, name: str, numbers: Iterable[int]) -> None:
    """Removes what some jobs found in a space."""
    for number, field in product(numbers, Found._fields):
        (ground.folder / PARTS / BY_JOB.format(name, field) / f"{number:06d}.npy").unlink(missing_ok=True)


def drop_found(ground: Ground, name: str) -> None:
    """Removes what jobs found in a space, and the parts of its lists."""
    drop(ground, *(BY_JOB.format(name, field) for field in Found._fields), *(array.format(name) for array in FOUND))


# Blocks of rows


def narrowed(base: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Rows without the terms that none of them has, and what leaves the same ones out of others.

    The terms of a large site are many more than those of a block, and an index has memory for each. Products are the
    same, to the bit; dense rows stay as they are.

    >>> from scipy.sparse import csr_matrix
    >>> base, narrow = narrowed(csr_matrix([[0, 2, 0, 1]]))
    >>> base.toarray(), narrow(csr_matrix([[5, 6, 7, 0]])).toarray()
    (array([[2, 1]]), array([[6, 0]]))
    """
    if isinstance(base, np.ndarray):
        return base, lambda vectors: vectors
    from scipy.sparse import csr_matrix

    numbers = np.full(base.shape[1], NO_ROW, dtype=np.int32)
    numbers[base.indices] = 0
    known = np.flatnonzero(numbers == 0)
    numbers[known] = np.arange(len(known), dtype=np.int32)
    width = max(len(known), 1)

    def narrow(vectors: Any) -> Any:
        terms = numbers[vectors.indices]
        there = terms != NO_ROW
        pointers = np.concatenate([[0], np.cumsum(there)])[vectors.indptr]
        return csr_matrix((vectors.data[there], terms[there], pointers), shape=(vectors.shape[0], width))

    base = csr_matrix((base.data, numbers[base.indices], base.indptr), shape=(base.shape[0], width))
    return base, narrow


def blocks(costs: NDArray[np.int64], most: int) -> list[slice]:
    """Runs of rows whose costs are at most that together; a row that costs more is a run by itself.

    >>> blocks(np.array([3, 3, 3, 9, 1]), 6)
    [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None), slice(4, 5, None)]
    """
    ends, found, begin = np.cumsum(costs), [], 0
    while begin < len(costs):
        before = int(ends[begin - 1]) if begin else 0
        end = max(int(np.searchsorted(ends, before + most, side="right")), begin + 1)
        found.append(slice(begin, end))
        begin = end
    return found


__all__ = [
    "ALL", "FOUND", "Space", "add", "blocks", "drop", "drop_found", "drop_jobs", "found_by", "group_of", "merged",
    "narrowed", "nothing", "places_in", "put_found", "put_groups", "spaces_with_lists",
]  # fmt: skip
