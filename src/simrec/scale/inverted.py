"""Nearest ones among very many dense rows: by cells, of which a page looks into the few that are nearest to it.

The vectors of a sample are clustered (faiss), and each article is in the cell of the nearest centre: an inverted file
(Jegou, Douze and Schmid 2011). Its lists are laid one after another into files, the parts; a job looks for some pages
in one part. How many cells a page looks into is measured: on two samples of pages, whose true neighbors are found by
comparing all, the least number that finds enough of each; the recall that is told is that of the one that needs fewer.
Where that is hardly less work than comparing all, all are.

Scores are those of exact lists, to the bit: what is found is scored in the same order of additions.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from simrec.index.approximate import AT, FLOOR
from simrec.index.dense import COLUMNS
from simrec.pipeline.nearby import Found, pair_scores
from simrec.scale.comparing import MEMORY, Job, nearest, runs
from simrec.scale.ground import PARTS, Ground
from simrec.scale.spaces import ALL, Space, add, blocks, found_by, group_of, nothing, places_in, put_found
from simrec.scale.tasks import Runner, Task
from simrec.types import NO_ROW, Dense, Rows

CELLS = 4
"""Cells, in roots of the number of rows."""
TRAINED_ON = 39
"""Rows of a cell that are clustered: fewer leave its centre to chance."""
ROUNDS = 10
"""Of clustering."""
SAMPLE = 500
"""Pages of a sample."""
WORTH = 0.12
"""Share of the cells from which looking into them is hardly less work than comparing all: products of small matrices,
and of rows that are picked out, are slower."""
PART = 1_000_000
"""Rows of a part of the lists."""
PIECE = 1024
"""Pages that are multiplied together."""
CHUNK = 65_536
"""Rows that a task assigns, or has in memory while it writes a part."""


class Cells(NamedTuple):
    """How the pages of a group look for others.

    Attributes:
        space: its name.
        group: its number.
        probes: cells that a page looks into.
        recall: recall@10 on the sample that did not decide how many.
        parts: the first cell of each part, and the one after its last.
    """

    space: str
    group: int
    probes: int
    recall: float
    parts: list[tuple[int, int]]


def prepare(ground: Ground, runner: Runner, space: str, group: int) -> Cells | None:
    """Makes the cells of those that may be shown under a group's pages.

    Returns:
        How the pages look into them; None where comparing all is hardly more work.
    """
    name, others = _name(space, group), group_of(ground, group).others
    runner.run(f"{name}-train", train, [Task("all", (space, group))], memory=MEMORY)
    pieces = _pieces(len(others), CHUNK)
    tasks = [Task(f"{at:06d}", (space, group, at, *piece)) for at, piece in enumerate(pieces)]
    runner.run(f"{name}-assign", assign, tasks, memory=MEMORY)
    trials = [Task(f"{at:06d}", (space, group, at, *piece)) for at, piece in enumerate(_pieces(len(others), PART))]
    runner.run(f"{name}-true", find_true, trials, memory=MEMORY)
    cells = np.concatenate([ground.part(f"{name}-cells", part) for part in range(len(pieces))])
    probes, recall = _measured(ground, Space(ground, space), group, cells, len(trials))
    counts = np.bincount(cells[cells != NO_ROW], minlength=len(ground.part(f"{name}-centres", 0)))
    if probes > WORTH * len(counts):
        return None
    order = np.argsort(cells, kind="stable")[int((cells == NO_ROW).sum()) :]
    ground.put(f"{name}-rows", 0, others[order])
    ground.put(f"{name}-starts", 0, np.concatenate([[0], np.cumsum(counts)]))
    parts = [(part.start, part.stop) for part in blocks(counts, PART)]
    tasks = [Task(f"{at:06d}", (space, group, at, *part)) for at, part in enumerate(parts)]
    runner.run(f"{name}-lists", lay, tasks, memory=MEMORY)
    return Cells(space, group, probes, recall, parts)


def jobs_of(cells: Cells, rows: int, k: int, number: int) -> list[Job]:
    """The jobs, from a number on, that look for k neighbors of each of a group's pages in the cells near to them."""
    pairs = product(range(len(cells.parts)), runs(rows, k))
    return [Job(at, cells.group, *run, part, part) for at, (part, run) in enumerate(pairs, start=number)]


def look(runner: Runner, cells: Cells, k: int, end: str, jobs: Sequence[Job]) -> None:
    """Does some of those jobs, each of which leaves the k nearest of its pages; `end` is that of their stage's name."""
    tasks = [
        Task(f"{job.number:06d}", (cells.space, *job[:5], *cells.parts[job.first], cells.probes, k)) for job in jobs
    ]
    runner.run(f"{_name(cells.space, cells.group)}-look{end}", probe, tasks, memory=MEMORY)


def clean(ground: Ground, space: str) -> None:
    """Removes the cells of a space."""
    for folder in (ground.folder / PARTS).glob(f"*{_name(space, '*')}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _name(space: str, group: Any) -> str:
    return f"inverted-{space}-{group}"


def _pieces(count: int, size: int) -> list[tuple[int, int]]:
    return [(begin, min(begin + size, count)) for begin in range(0, count, size)]


def _measured(ground: Ground, space: Space, group: int, cells: NDArray[np.int32], trials: int) -> tuple[int, float]:
    """How many cells to look into, and the recall: see `_enough`.

    A true neighbor is found where its cell is looked into: nothing needs to be searched again.
    """
    name = _name(space.name, group)
    sampled, centres = ground.part(f"{name}-sampled", 0), ground.part(f"{name}-centres", 0)
    best = nothing(len(sampled), AT)
    for trial in range(trials):
        add(best, ALL, found_by(ground, name, trial))
    places = np.empty((len(sampled), len(centres)), dtype=np.int32)
    order = np.argsort(-(space.vectors(sampled) @ centres.T), axis=1, kind="stable")
    np.put_along_axis(places, order.astype(np.int32), np.arange(len(centres), dtype=np.int32)[None, :], 1)
    asking, at = np.nonzero(best.rows != NO_ROW)
    if not len(asking):
        return 1, 1.0
    true = cells[places_in(group_of(ground, group).others, best.rows[asking, at])]
    needed = places[asking, true]
    return _enough([needed[asking % 2 == half] for half in (0, 1)])


def _enough(samples: Sequence[Rows]) -> tuple[int, float]:
    """The least number of cells that finds enough of two samples' neighbors, and the share found of the other sample
    than that which decides: what is chosen on pages is better on them than on others.

    Args:
        samples: the place of each true neighbor's cell among those nearest to its page.

    >>> _enough([np.array([0, 0, 1, 1]), np.array([0, 3, 0, 0])])
    (4, 1.0)
    """
    found = [sample for sample in samples if len(sample)]
    least = [int(np.sort(sample)[int(np.ceil(FLOOR * len(sample))) - 1]) + 1 for sample in found]
    other = found[int(np.argmin(least))]
    return max(least), float((other < max(least)).mean())


# Tasks


def train(folder: str, space: str, group: int) -> Mapping[str, Any]:
    """Leaves the centres of a group's cells, and the pages that recall is measured on: every other is one sample."""
    import faiss

    ground = Ground(folder)
    pages, others = group_of(ground, group)
    of, name, rng = Space(ground, space), _name(space, group), np.random.default_rng(0)
    most = min(len(others), MEMORY // (8 * of.width))
    count = max(min(int(CELLS * len(others) ** 0.5), most // TRAINED_ON), 1)
    drawn = np.sort(rng.choice(len(others), min(most, 2 * TRAINED_ON * count), replace=False))
    vectors = of.vectors(others[drawn])
    vectors = vectors[vectors.any(axis=1)]
    count = max(min(count, len(vectors)), 1)
    means = faiss.Kmeans(
        of.width, count, niter=ROUNDS, seed=0, spherical=True,
        min_points_per_centroid=1, max_points_per_centroid=len(others),
    )  # fmt: skip
    means.train(vectors)
    sampled = np.sort(rng.choice(len(pages), min(2 * SAMPLE, len(pages)), replace=False))
    written = ground.put(f"{name}-centres", 0, means.centroids) + ground.put(f"{name}-sampled", 0, pages[sampled])
    return {"rows": len(vectors), "bytes": written}


def assign(folder: str, space: str, group: int, number: int, begin: int, end: int) -> Mapping[str, Any]:
    """Leaves the cells of some of those that may be shown: -1 where a vector is zeros."""
    ground = Ground(folder)
    name = _name(space, group)
    vectors = Space(ground, space).vectors(group_of(ground, group).others[begin:end])
    cells = nearest_cells(vectors, ground.part(f"{name}-centres", 0), 1)[:, 0]
    return {"rows": end - begin, "bytes": ground.put(f"{name}-cells", number, cells)}


def find_true(folder: str, space: str, group: int, number: int, first: int, last: int) -> Mapping[str, Any]:
    """Leaves the nearest of the samples among some of those that may be shown."""
    ground = Ground(folder)
    name = _name(space, group)
    sampled, others = ground.part(f"{name}-sampled", 0), group_of(ground, group).others[first:last]
    found = nearest(Space(ground, space), sampled, others, AT)
    return {"rows": len(sampled), "bytes": put_found(ground, name, number, found)}


def lay(folder: str, space: str, group: int, number: int, first: int, last: int) -> Mapping[str, Any]:
    """Writes a part of the lists: the vectors of its cells, one cell after the other."""
    ground = Ground(folder)
    name, of = _name(space, group), Space(ground, space)
    begin, end = ground.part(f"{name}-starts", 0)[[first, last]].tolist()
    rows = ground.part(f"{name}-rows", 0)[begin:end]
    path = ground.folder / PARTS / f"{name}-vectors" / f"{number:06d}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        written = np.lib.format.open_memmap(partial, "w+", np.float32, (len(rows), of.width))
        for start, stop in _pieces(len(rows), CHUNK):
            written[start:stop] = of.vectors(rows[start:stop])
        written.flush()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return {"rows": len(rows), "bytes": path.stat().st_size}


def probe(
    folder: str, space: str, number: int, group: int, begin: int, end: int, part: int, first: int, last: int,
    probes: int, k: int,
) -> Mapping[str, Any]:  # fmt: skip
    """Leaves the k nearest of some pages in those cells of a part that are among their nearest.

    Args:
        folder: of the build.
        space: its name.
        number: of the job.
        group: its number.
        begin, end: of the pages.
        part: of the lists.
        first, last: its cells.
        probes: cells that a page looks into, of all.
        k: neighbors a page.
    """
    from simrec.index.dense_kernels import sort

    ground = Ground(folder)
    name, pages = _name(space, group), group_of(ground, group).rows[begin:end]
    vectors = Space(ground, space).vectors(pages)
    base = np.asarray(ground.part(f"{name}-vectors", part))
    starts = ground.part(f"{name}-starts", 0)[first : last + 1]
    rows = ground.part(f"{name}-rows", 0)[int(starts[0]) : int(starts[-1])]
    cells = nearest_cells(vectors, ground.part(f"{name}-centres", 0), probes)
    best = nothing(len(pages), k)
    heaps = best.scores, best.rows, np.zeros(len(pages), dtype=np.int64)
    for cell, asking in _by_cell(cells, first, last):
        span = slice(*(starts[cell - first : cell - first + 2] - starts[0]).tolist())
        own = places_in(rows[span], pages[asking])
        own = np.where(own == NO_ROW, NO_ROW, own + span.start).astype(np.int32)
        _take(vectors, base, span, asking, own, heaps)
    sort(heaps)
    places = best.rows
    exact = pair_scores(vectors, base, np.arange(len(pages), dtype=np.int32), places)
    near = np.where(places == NO_ROW, NO_ROW, rows[places]).astype(np.int32)
    return {"rows": len(pages), "bytes": put_found(ground, space, number, Found(near, best.scores, exact))}


def nearest_cells(vectors: Dense, centres: Dense, probes: int) -> Rows:
    """(b, probes) int32: the cells whose centres are nearest to each vector, in any order; -1 for zeros."""
    found = np.full((len(vectors), probes), NO_ROW, dtype=np.int32)
    for begin, end in _pieces(len(vectors), PIECE):
        products = vectors[begin:end] @ centres.T
        found[begin:end] = np.argpartition(-products, probes - 1, axis=1)[:, :probes]
    found[~vectors.any(axis=1)] = NO_ROW
    return found


def _by_cell(cells: Rows, first: int, last: int) -> Iterator[tuple[int, Rows]]:
    """The cells of a part that are looked into, each with the places of the pages that do."""
    inside = (cells >= first) & (cells < last)
    pages, wanted = np.nonzero(inside)[0].astype(np.int32), cells[inside]
    order = np.argsort(wanted, kind="stable")
    found, begins = np.unique(wanted[order], return_index=True)
    yield from zip(found.tolist(), np.split(pages[order], begins[1:]), strict=True) if len(found) else ()


def _take(vectors: Dense, base: Dense, span: slice, asking: Rows, own: Rows, heaps: tuple[Any, Any, Any]) -> None:
    """Puts what a cell holds among the best of the pages that look into it."""
    from simrec.index.dense_kernels import take

    for begin, end in _pieces(len(asking), PIECE):
        some, mine = asking[begin:end], own[begin:end]
        queries = vectors[some]
        held = tuple(array[some] for array in heaps)
        for start in range(span.start, span.stop, COLUMNS):
            tile = queries @ base[start : min(start + COLUMNS, span.stop)].T
            take(tile, start, queries, base, mine, held)
        for array, values in zip(heaps, held, strict=True):
            array[some] = values


__all__ = ["Cells", "clean", "jobs_of", "look", "prepare"]
