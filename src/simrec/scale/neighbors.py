"""Each article's nearest ones in every space, by pairs of blocks: some pages against some of those shown under them.

The lists are those of `simrec.pipeline.nearby.Nearby`, to the bit: the same indexes, each of a block of the articles
that is small enough for the memory of a task, and of all that they find the best, by the score that an index orders by.
Only articles that may be shown under a page by their language are looked at. Spaces that are too large for that are
searched by cells: see `simrec.scale.inverted`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from simrec.index.approximate import EXACT_UP_TO
from simrec.pipeline.nearby import ordered, width
from simrec.policy.pairs import Group
from simrec.scale import inverted
from simrec.scale.comparing import MEMORY, Job, compare, jobs_of
from simrec.scale.folding import in_waves
from simrec.scale.ground import Ground, Span
from simrec.scale.spaces import (
    FOUND,
    Space,
    add,
    drop_found,
    found_by,
    group_of,
    nothing,
    put_groups,
    spaces_with_lists,
)  # fmt: skip
from simrec.scale.tasks import Runner, Task


def find_neighbors(ground: Ground, runner: Runner) -> dict[str, float]:
    """Leaves the lists of all spaces that the model looks at: see `simrec.scale.spaces.FOUND`.

    Returns:
        recall@10 on a sample, by the name of each space that was too large to be compared exactly.
    """
    names = spaces_with_lists(ground.about["model"])
    missing = [name for name in names if not all(ground.has(array.format(name)) for array in FOUND)]
    groups = put_groups(ground) if missing else []
    for name in missing:
        find_space(ground, runner, Space(ground, name), groups)
    return dict(ground.about.get("recalls", {}))


def find_space(ground: Ground, runner: Runner, space: Space, groups: Sequence[Group]) -> None:
    """Leaves the lists of a space; says the lowest recall of its groups, where some of them were too large."""
    name, k = space.name, width(space.name, ground.settings.rank.candidates, ground.n)
    ways, held = _ways(ground, runner, space, groups, k), list[Job]()
    numbers = count(sum(len(jobs) for jobs, _ in ways))
    for jobs, work in ways:
        held += in_waves(ground, runner, name, jobs, k, numbers, work)
    of = dict(enumerate(groups))
    tasks = [Task(f"{span.part:06d}", (name, span.part, touching(held, of, span), k)) for span in ground.spans]
    runner.run(f"merge-{name}", merge, tasks, memory=MEMORY)
    for array in FOUND:
        ground.join(array.format(name))
    drop_found(ground, name)
    inverted.clean(ground, name)


def _ways(
    ground: Ground, runner: Runner, space: Space, groups: Sequence[Group], k: int
) -> list[tuple[list[Job], Callable[[str, Sequence[Job]], object]]]:
    """The jobs of a space, those of a kind together, and what does them: see `simrec.scale.folding.in_waves`."""
    jobs, cells = list[Job](), list[inverted.Cells]()
    for number, group in enumerate(groups):
        large = space.dense and len(group.others) > EXACT_UP_TO
        found = inverted.prepare(ground, runner, space.name, number) if large else None
        if found:
            cells.append(found)
        else:
            jobs += jobs_of(number, len(group.rows), len(group.others), k, len(jobs))
    ways: list[tuple[list[Job], Callable[[str, Sequence[Job]], object]]] = [
        (jobs, partial(compare_all, runner, f"compare-{space.name}", space.name, k))
    ]
    for found in cells:
        first = sum(len(of) for of, _ in ways)
        some = inverted.jobs_of(found, len(groups[found.group].rows), k, first)
        ways.append((some, partial(inverted.look, runner, found, k)))
    if cells:
        recall = round(min(found.recall for found in cells), 4)
        ground.say(recalls={**ground.about.get("recalls", {}), space.name: recall})
    return ways


def compare_all(runner: Runner, stage: str, name: str, k: int, end: str, jobs: Sequence[Job]) -> None:
    """Does jobs in a space; `end` is that of their stage's name."""
    tasks = [Task(f"{job.number:06d}", (name, *job, k)) for job in jobs]
    runner.run(f"{stage}{end}", compare, tasks, memory=MEMORY)


def touching(jobs: Sequence[Job], groups: Mapping[int, Group], span: Span) -> list[Job]:
    """The jobs that have pages of a part; groups by their numbers."""
    places = {at: np.searchsorted(group.rows, (span.begin, span.end)).tolist() for at, group in groups.items()}
    return [job for job in jobs if max(places[job.group][0], job.begin) < min(places[job.group][1], job.end)]


def merge(
    folder: str, name: str, part: int, jobs: Sequence[Sequence[int]], k: int, out: str | None = None
) -> Mapping[str, Any]:
    """The lists of a part, from what the jobs found that have pages of it; under another name, `out`, if given."""
    ground = Ground(folder)
    span = ground.spans[part]
    best = nothing(span.end - span.begin, k)
    for job in (Job(*values) for values in jobs):
        rows = group_of(ground, job.group).rows[job.begin : job.end]
        begin, end = np.searchsorted(rows, (span.begin, span.end)).tolist()
        add(best, rows[begin:end] - span.begin, found_by(ground, name, job.number, slice(begin, end)))
    lists = ordered(best)
    written = [ground.put(array.format(out or name), part, values) for array, values in zip(FOUND, lists, strict=True)]
    return {"rows": len(lists.rows), "bytes": sum(written)}


__all__ = ["compare_all", "find_neighbors", "find_space", "merge", "touching"]
