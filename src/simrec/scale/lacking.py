"""Pages whose lists have too few articles that may be shown: they are compared with all that may be, together.

A list has the nearest articles of a page's languages, whether or not they may be shown: features look at it. Where
drafts, old ones and those that house rules leave out take too many places of it, candidates are looked for beyond it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from simrec.pipeline.live.compare import spaces_of
from simrec.pipeline.nearby import Nearby
from simrec.pipeline.sources import quota
from simrec.policy.pairs import Group, PairRules
from simrec.scale.comparing import MEMORY, Job, jobs_of
from simrec.scale.folding import in_waves
from simrec.scale.ground import Ground
from simrec.scale.neighbors import compare_all, merge, touching
from simrec.scale.opened import open_engine
from simrec.scale.site import said_of
from simrec.scale.spaces import FOUND, SIDES, drop, drop_found, group_of
from simrec.scale.standards import lists_of
from simrec.scale.tasks import Runner, Task
from simrec.types import Mask, Neighbors, Rows

LACKING, AGAIN = "lacking-{}", "again-{}"
"""Names: of the rows of a part whose lists lack some; of what was found for them, in `simrec.scale.spaces.FOUND`."""
FIRST = 1000
"""The number of the first group of them: languages are fewer."""


def look_again(ground: Ground, runner: Runner) -> None:
    """Leaves the nearest ones that may be shown of all pages whose lists lack some, part by part."""
    if ground.array("fitted-eligible").all():
        return
    tasks = [Task(f"{span.part:06d}", (span.part,)) for span in ground.spans]
    runner.run("lacking", find_lacking, tasks, memory=MEMORY)
    first = FIRST
    for name in _spaces(ground):
        first += _search(ground, runner, name, first)


def _search(ground: Ground, runner: Runner, name: str, first: int) -> int:
    """Compares the pages of a space; returns how many groups they are."""
    groups, k = _groups(ground, name, first), _wanted(ground, name)
    jobs: list[Job] = []
    for number, group in groups.items():
        jobs += jobs_of(number, len(group.rows), len(group.others), k, len(jobs))
    again = AGAIN.format(name)
    held = in_waves(ground, runner, name, jobs, k, count(len(jobs)), partial(compare_all, runner, again, name, k))
    touched = [(span.part, touching(held, groups, span)) for span in ground.spans]
    tasks = [Task(f"{part:06d}", (name, part, some, k, again)) for part, some in touched if some]
    runner.run(f"merge-{again}", merge, tasks, memory=MEMORY)
    drop_found(ground, name)
    return len(groups)


def _groups(ground: Ground, name: str, first: int) -> dict[int, Group]:
    """Notes who looks among whom; returns the groups, by their numbers."""
    rows = np.concatenate([ground.part(LACKING.format(name), span.part) for span in ground.spans])
    policy, languages = ground.settings.policy, ground.array("column-languages.0")
    rules, eligible = PairRules(policy, said_of(ground)["languages"]), ground.array("fitted-eligible")
    of = languages[rows] if policy.same_language else np.zeros(len(rows), dtype=np.int32)
    for number, code in enumerate(np.unique(of).tolist(), start=first):
        others = np.flatnonzero(rules.speaks(code, languages) & eligible).astype(np.int32)
        for side, values in zip(SIDES, (rows[of == code], others), strict=True):
            ground.put(side, number, values)
    return {number: group_of(ground, number) for number in range(first, first + len(np.unique(of)))}


def _spaces(ground: Ground) -> list[str]:
    return [name for name in spaces_of(ground.about["model"]) if name != "time"]


def _wanted(ground: Ground, name: str) -> int:
    return quota(name, ground.settings.rank.candidates) + 1


def find_lacking(folder: str, part: int) -> Mapping[str, Any]:
    """Leaves the rows of a part whose lists have too few that may be shown."""
    ground, engine = Ground(folder), open_engine(folder)
    rows, groups, written = ground.spans[part].rows, engine.groups.array, 0
    lacking: dict[str, list[Rows]] = {name: [rows[:0]] for name in _spaces(ground)}
    for group in np.unique(groups[rows]):
        members: Mask = engine.pairs.speaks(group, groups) & engine.fitted.eligible
        pages = rows[groups[rows] == group]
        for name, found in lacking.items():
            lists, k = lists_of(ground, name), _wanted(ground, name)
            if k <= lists.rows.shape[1]:  # else all of them are looked for anyway
                found.append(pages[~Nearby.among(lists, pages, k, members)[1]])
    for name, found in lacking.items():
        written += ground.put(LACKING.format(name), part, np.sort(np.concatenate(found)))
    return {"rows": len(rows), "bytes": written}


def found_again(ground: Ground, name: str, rows: Rows) -> Neighbors | None:
    """What was found for some pages of one part, (b,) ascending; None where nothing was looked for."""
    part = int(np.searchsorted(ground.about["borders"], rows[0], side="right")) - 1
    names = [array.format(AGAIN.format(name)) for array in FOUND]
    if not all(ground.has_part(array, part) for array in names):
        return None
    at = rows - ground.spans[part].begin
    return Neighbors(*(np.asarray(ground.part(array, part)[at]) for array in names))


def drop_again(ground: Ground) -> None:
    """Removes what was found; all pages are ranked."""
    for name in _spaces(ground):
        drop(ground, *(array.format(AGAIN.format(name)) for array in FOUND))


__all__ = ["drop_again", "found_again", "look_again"]
