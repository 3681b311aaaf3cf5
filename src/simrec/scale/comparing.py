"""Some pages against some of the articles that may be shown under them: how that is cut up, and each piece of it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.index.dense import COLUMNS, QUERIES
from simrec.pipeline.nearby import BATCH, Found, make_index, search
from simrec.scale.ground import Ground
from simrec.scale.spaces import Space, add, blocks, group_of, narrowed, nothing, places_in, put_found
from simrec.types import NO_ROW, Rows

MEMORY = 512 << 20
"""Bytes that a task takes at most, beside those of an interpreter that has loaded what it needs."""
LEAST, MOST = 2048, 65_536
"""Pages of a job."""
SHARES = 8
"""Jobs that a group's pages are cut into at least, where there are enough of them."""
PAIRS = 20_000_000_000
"""Pairs of a job at most: some minutes of a core."""
TILE = 4 * QUERIES * COLUMNS
"""Bytes of a dense index's products."""
ROW, VALUE, TERM = 512, 60, 16
"""Bytes that a sparse index takes while it is made: for a row, for a value of a row, for a term of the space."""


class Job(NamedTuple):
    """Some pages against some of the others of their group, by their places in the group.

    Attributes:
        number: of the job, in its space.
        group: its number.
        begin, end: of the pages.
        first, last: of the others; of a job by cells, the part of the lists that is looked into, twice.
    """

    number: int
    group: int
    begin: int
    end: int
    first: int
    last: int


def runs(rows: int, k: int) -> list[tuple[int, int]]:
    """Where the jobs of a group's pages begin and end; the k that each page finds take an eighth of the memory."""
    most = min(MOST, max(MEMORY // 8 // (12 * k), LEAST))
    size = min(max(-(-rows // SHARES), LEAST), most)
    return [(begin, min(begin + size, rows)) for begin in range(0, rows, size)]


def jobs_of(group: int, rows: int, others: int, k: int, number: int) -> list[Job]:
    """The jobs that compare a group's pages with all their others.

    Args:
        group: its number.
        rows, others: how many there are.
        k: neighbors a page.
        number: of the first job.
    """
    pages = runs(rows, k)
    size = max(PAIRS // max(end - begin for begin, end in pages), 1)
    sides = [(first, min(first + size, others)) for first in range(0, others, size)]
    return [Job(at, group, *page, *side) for at, (side, page) in enumerate(product(sides, pages), start=number)]


def costs(space: Space, rows: Rows) -> NDArray[np.int64]:
    """(r,) bytes that an index of some rows takes for each of them, with the rows themselves."""
    if space.dense:
        return 8 * space.lengths(rows)  # its vectors twice, where some of them are zeros
    return ROW + VALUE * space.lengths(rows)


def room(space: Space) -> int:
    """Bytes that the index of a block may take: the memory less the products, what is found, and a batch of pages."""
    fixed = TILE if space.dense else TERM * space.width
    return max(MEMORY - fixed - MEMORY // 4, MEMORY // 8)


def compare(folder: str, name: str, number: int, group: int, begin: int, end: int, first: int, last: int,
            k: int) -> Mapping[str, Any]:  # fmt: skip
    """Does a job in a space: leaves the k nearest of each page; see `Job`."""
    ground = Ground(folder)
    pages, others = group_of(ground, group)
    found = nearest(Space(ground, name), pages[begin:end], others[first:last], k)
    return {"rows": end - begin, "bytes": put_found(ground, name, number, found)}


def nearest(space: Space, pages: Rows, others: Rows, k: int) -> Found:
    """The k nearest of some rows among others, by rows of the site: each block of these is indexed once.

    Args:
        space: whose vectors are compared.
        pages: (b,) ascending.
        others: (m,) ascending.
        k: neighbors a page.
    """
    best = nothing(len(pages), k)
    for block in blocks(costs(space, others), room(space)):
        rows = others[block]
        base, narrow = narrowed(space.vectors(rows))
        index, own = make_index(base), places_in(rows, pages)
        for begin in range(0, len(pages), BATCH):
            part = slice(begin, begin + BATCH)
            vectors = narrow(space.vectors(pages[part]))
            found = search(index, base, vectors, np.arange(vectors.shape[0], dtype=np.int32), own[part], k)
            near = np.where(found.rows == NO_ROW, NO_ROW, rows[found.rows]).astype(np.int32)
            add(best, part, found._replace(rows=near))
    return best


__all__ = ["MEMORY", "Job", "compare", "jobs_of", "nearest", "runs"]
