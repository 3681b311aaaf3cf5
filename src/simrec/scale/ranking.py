"""Pages ranked part by part, each as one machine does it; then the hub limit, which looks at the blocks of all."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import numpy as np

from simrec.pipeline.live.compose import Choice
from simrec.pipeline.live.start import rank_pages
from simrec.pipeline.nearby import Nearby, ordered
from simrec.rank.candidates import by_date
from simrec.scale.comparing import nearest
from simrec.scale.copying import find_copies
from simrec.scale.fitted import FAR, note_fitted
from simrec.scale.ground import FIT, Ground, save
from simrec.scale.lacking import drop_again, found_again, look_again
from simrec.scale.limiting import limit_hubs
from simrec.scale.opened import DATED, OF_PARTS, TOLLS, named, notes, open_engine
from simrec.scale.postings import put_postings
from simrec.scale.site import open_fitted, widths_of
from simrec.scale.spaces import Space
from simrec.scale.standards import lists_of
from simrec.scale.tasks import Runner, Task
from simrec.types import Mask, Neighbors, Rows

logger = logging.getLogger(__name__)

MEMORY = 2_000_000_000
"""Bytes that a task may take, beside the maps of files that it looks at."""


def rank(ground: Ground, runner: Runner) -> None:
    """Leaves each page's list and choice, and all that a saved engine keeps of pages."""
    find_copies(ground, runner)
    put_postings(ground, runner)
    if not ground.has(DATED):
        save(ground.engine / f"{DATED}.npy", by_date(ground.array("column-published.0"), np.ones(ground.n, dtype=bool)))
    tasks = [Task(f"{span.part:06d}", (span.part,)) for span in ground.spans]
    if "rounds" not in ground.about:
        look_again(ground, runner)
        said = runner.run("rank", rank_part, tasks, memory=MEMORY)
        deep = sum(int(one["deep"]) for one in said)
        logger.info("%d of %d pages look beyond their lists: each was compared with all articles", deep, ground.n)
        ground.say(rounds=limit_hubs(ground, runner), deep=deep)
        drop_again(ground)
    _join(ground, ground.about["rounds"])


def rank_part(folder: str, part: int) -> Mapping[str, Any]:
    """Ranks the pages of a part."""
    ground, engine = Ground(folder), open_engine(folder)
    span = ground.spans[part]
    engine.forget()
    choices: dict[int, Choice] = {}
    for batch, found in rank_pages(engine, _nearby(folder), span.rows):
        choices.update(zip(batch.tolist(), found, strict=True))
    written = sum(
        ground.put(f"column-{name}.0", part, engine.shelf[name][span.begin : span.end])
        for name in widths_of(engine.fitted)
    )
    written += engine.write(span, [choices[row] for row in span.rows.tolist()])
    return {"rows": len(choices), "bytes": written, "deep": int((engine.level.array[span.begin : span.end] > 0).sum())}


class Listed(Nearby):
    """The lists of a build, as maps of their files; who asks for more is answered from what was looked for again, or by
    comparing rows block by block.

    Args:
        ground: of a build whose lists are there.
    """

    def __init__(self, ground: Ground) -> None:
        super().__init__(cast(Any, None))
        self._ground = ground

    def lists(self, name: str) -> Neighbors:
        """See `Nearby`."""
        return lists_of(self._ground, name)

    def query(self, name: str, rows: Rows, k: int, members: Mask) -> Neighbors:
        """See `Nearby`: the members must be among those that may be shown under the rows by their language."""
        lists = self.lists(name)
        if k > lists.rows.shape[1]:
            return self._search(name, rows, k, members)
        found, enough = self.among(lists, rows, k, members)
        if not enough.all():
            lacking = rows[~enough]
            again = found_again(self._ground, name, lacking) or self._search(name, lacking, k, members)
            found.rows[~enough], found.scores[~enough] = again
        return found

    def _search(self, name: str, rows: Rows, k: int, members: Mask) -> Neighbors:
        others = np.flatnonzero(members).astype(np.int32)
        return ordered(nearest(Space(self._ground, name), rows, others, k))


@lru_cache(maxsize=1)
def _nearby(folder: str) -> Listed:
    return Listed(Ground(folder))


def _join(ground: Ground, rounds: int) -> None:
    """Joins what a saved engine keeps of pages."""
    widths = widths_of(open_fitted(ground))
    for name in OF_PARTS:
        if not ground.has(f"page-{name}"):
            ground.join(f"page-{name}", of=named(f"page-{name}", rounds))
    for name in widths:
        if not ground.has(f"column-{name}.0"):
            ground.join(f"column-{name}.0")
    toll = ground.part(TOLLS, rounds) if rounds else np.zeros(ground.n, dtype=np.float32)
    save(ground.engine / "page-toll.npy", toll)
    save(ground.engine / "page-alive.npy", np.ones(ground.n, dtype=bool))
    far: dict[str, Any] = {}
    for span in ground.spans:
        far |= ground.read_json(notes(ground, span, rounds))["far"]
    ground.write_json(ground.folder / FIT / FAR, far)
    note_fitted(ground, columns=dict.fromkeys(widths))


__all__ = ["rank"]
