"""Jobs in waves: what those of a wave found is put together, page by page, before the next one begins.

Each pair of blocks leaves the nearest ones of its pages. Of a large site these are more, by far, than the lists that
come of them: a page has as many as there are blocks of others. So disks hold those of a wave, and the best so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from simrec.scale.comparing import MEMORY, Job
from simrec.scale.ground import Ground
from simrec.scale.spaces import add, blocks, drop_jobs, found_by, nothing, put_found
from simrec.scale.tasks import Runner, Task

PILE = 64_000_000_000
"""Bytes of a wave's files, at most, but for those of one job."""
ONE = 12
"""Bytes of a neighbor that was found."""
PIECE = 4096
"""Pages that are put together at a time."""


def in_waves(
    ground: Ground, runner: Runner, name: str, jobs: Sequence[Job], k: int, numbers: Iterator[int],
    work: Callable[[str, Sequence[Job]], object],
) -> list[Job]:  # fmt: skip
    """Does jobs, and returns those that together hold what all of them found.

    Args:
        ground: of the build.
        runner: does the tasks.
        name: of the space.
        jobs: all of them.
        k: neighbors a page.
        numbers: that no job of the space has: the same ones whenever a build is gone on with.
        work: does some jobs; it is given the end of their stage's name.
    """
    held: list[Job] = []
    waves = blocks(np.array([ONE * k * (job.end - job.begin) for job in jobs], dtype=np.int64), PILE)
    for wave, run in enumerate(waves):
        end = f"-{wave}" if wave else ""
        work(end, jobs[run])
        held += jobs[run]
        if wave + 1 < len(waves):
            held = _put_together(ground, runner, f"fold-{name}{end}", name, held, k, numbers)
    return held


def _put_together(
    ground: Ground, runner: Runner, stage: str, name: str, jobs: Sequence[Job], k: int, numbers: Iterator[int]
) -> list[Job]:
    """Leaves one job's files for the same pages, in the place of those of several."""
    of_pages: dict[tuple[int, int, int], list[Job]] = {}
    for job in jobs:
        of_pages.setdefault((job.group, job.begin, job.end), []).append(job)
    made = [Job(next(numbers), *pages, 0, 0) for pages in of_pages]
    tasks = [
        Task(f"{one.number:06d}", (name, one.number, one.end - one.begin, [job.number for job in found], k))
        for one, found in zip(made, of_pages.values(), strict=True)
    ]
    runner.run(stage, fold, tasks, memory=MEMORY)
    drop_jobs(ground, name, [job.number for job in jobs])
    return made


def fold(folder: str, name: str, number: int, rows: int, jobs: Sequence[int], k: int) -> Mapping[str, Any]:
    """Leaves the k nearest of some pages, from what several jobs found of the same ones."""
    ground, best = Ground(folder), nothing(rows, k)
    for begin in range(0, rows, PIECE):
        at = slice(begin, begin + PIECE)
        for job in jobs:
            add(best, at, found_by(ground, name, job, at))
    return {"rows": rows, "bytes": put_found(ground, name, number, best)}


__all__ = ["in_waves"]
