"""What is usual for each article, and how near its nearest ones are: part by part, as one machine has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from simrec.pipeline.dates import are_enough, older_where_named, speak_for
from simrec.pipeline.live.shelf import Shelf
from simrec.pipeline.live.start import widened
from simrec.pipeline.signals import BATCH as FUSED_AT_ONCE
from simrec.pipeline.signals import HEADLINES, NAMED, SPACES, nearest_fused
from simrec.rank.features import HUB, Sequences
from simrec.rank.fusion import BATCH, sample_of, usual
from simrec.scale.fitted import note_fitted
from simrec.scale.ground import Ground, Span, save
from simrec.scale.site import ADDRESSED, DATED, UPDATED, open_fitted, open_shelf
from simrec.scale.spaces import drop
from simrec.scale.tasks import Runner, Task
from simrec.types import NO_ROW, Neighbors, Rows

MEMORY = 1_000_000_000
"""Bytes that a task may take, beside the maps of files that it looks at."""
FUSED = "near-fused-rows"


def measure(ground: Ground, runner: Runner) -> None:
    """Leaves the columns that come of comparing each article with others, and says what dates and titles are worth.

    These are mean and standard deviation by each part of the fusion, and, for models that look at them, the scores of
    the nearest ones and the shares of lists that an article is in.
    """
    standardize(ground, runner)
    look_around(ground, runner)


def standardize(ground: Ground, runner: Runner) -> None:
    """Leaves the columns of what is usual for each article."""
    if not ground.has("fitted-sample"):
        save(ground.engine / "fitted-sample.npy", sample_of(ground.n))
    parts = list(open_shelf(ground, open_fitted(ground)).weights)
    columns = [f"{kind}_{name}" for name in parts for kind in ("mean", "sd")]
    if not all(ground.has(f"column-{name}.0") for name in columns):
        runner.run("standardize", measure_usual, _tasks(ground), memory=MEMORY)
        for name in columns:
            ground.join(f"column-{name}.0")
        drop(ground, *(f"column-{name}.0" for name in columns))
    note_fitted(ground, columns=dict.fromkeys(columns))


def look_around(ground: Ground, runner: Runner) -> None:
    """Leaves the columns of how near an article's nearest ones are."""
    fitted = open_fitted(ground)
    near = [*SPACES, "fused"] if fitted.prior else ["tfidf"]
    columns = [f"near_{name}" for name in near] + (["hub_tfidf", "hub_fused"] if fitted.prior else [])
    if not all(ground.has(f"column-{name}.0") for name in columns):
        runner.run("nearest", measure_near, _tasks(ground), memory=MEMORY)
        for name in near:
            ground.join(f"column-near_{name}.0")
        for name in ("tfidf", "fused") if fitted.prior else ():
            save(ground.engine / f"column-hub_{name}.0.npy", _hubs(ground, name))
        drop(ground, *(f"column-near_{name}.0" for name in near))
    said: dict[str, bool] = {}
    if fitted.prior:
        said["dates_are_of_publication"] = _dates_are_of_publication(ground)
        said["titles_are_headlines"] = bool(ground.about["cut_off"] <= HEADLINES * ground.n)
    note_fitted(ground, columns=dict.fromkeys(columns), **said)


# Tasks


def measure_usual(folder: str, part: int) -> Mapping[str, Any]:
    """Mean and standard deviation of a part's similarities to the sample, by each part of the fusion.

    A matrix product may round otherwise in another batch: the batches are those of one machine, whatever the part.
    """
    ground = Ground(folder)
    span, sample, written = ground.spans[part], ground.array("fitted-sample"), 0
    for fused, _ in _shelf(folder, "standardize").fusion().parts:
        found = np.zeros((2, span.end - span.begin), dtype=np.float32)
        for begin in range(span.begin - span.begin % BATCH, span.end, BATCH):
            rows = np.arange(begin, min(begin + BATCH, ground.n), dtype=np.int32)
            inside = (rows >= span.begin) & (rows < span.end)
            found[:, rows[inside] - span.begin] = np.stack(usual(fused, rows, sample))[:, inside]
        for kind, values in zip(("mean", "sd"), found, strict=True):
            written += ground.put(f"column-{kind}_{fused.name}.0", part, values)
    return {"rows": span.end - span.begin, "bytes": written}


def measure_near(folder: str, part: int) -> Mapping[str, Any]:
    """The scores of the nearest articles of a part, and who is among the nearest of how many."""
    ground, shelf = Ground(folder), _shelf(folder, "nearest")
    span, written = ground.spans[part], 0
    for name, space in SPACES.items() if shelf.fitted.prior else [("tfidf", "tfidf")]:
        scores = lists_of(ground, space).scores[span.begin : span.end]
        written += ground.put(f"column-near_{name}.0", part, widened(scores))
    if shelf.fitted.prior:
        fused = _fused(ground, shelf, span)
        written += ground.put("column-near_fused.0", part, fused.scores)
        written += ground.put(FUSED, part, fused.rows[:, :NAMED])
        nearest = lists_of(ground, "tfidf").rows[span.begin : span.end]
        written += _put_counts(ground, "tfidf", part, nearest) + _put_counts(ground, "fused", part, fused.rows)
    return {"rows": span.end - span.begin, "bytes": written}


def _fused(ground: Ground, shelf: Shelf, span: Span) -> Neighbors:
    fusion, lists = shelf.fusion(), [lists_of(ground, space) for space in ("tfidf", "sentence")]
    batches = (span.rows[at : at + FUSED_AT_ONCE] for at in range(0, len(span.rows), FUSED_AT_ONCE))
    found = [nearest_fused(fusion, rows, lists) for rows in batches]
    return Neighbors(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))


def _put_counts(ground: Ground, name: str, part: int, lists: Rows) -> int:
    """Writes how many of some lists each article is among the first of: those that are, and their counts."""
    near = lists[:, :HUB]
    rows, counts = np.unique(near[near != NO_ROW], return_counts=True)
    return ground.put(f"hubs-{name}", part, np.stack([rows, counts.astype(np.int32)]))


# What the driver does


def lists_of(ground: Ground, space: str) -> Neighbors:
    """The lists of all articles' nearest ones in a space, as maps of their files."""
    return Neighbors(ground.array(f"near-{space}-rows"), ground.array(f"near-{space}-scores"))


def _hubs(ground: Ground, name: str) -> Any:
    """(n,) float32: see `simrec.rank.features.in_degree`."""
    found = np.zeros(ground.n, dtype=np.int64)
    for span in ground.spans:
        rows, counts = ground.part(f"hubs-{name}", span.part)
        found[rows] += counts
    return (found / HUB).astype(np.float32)


def _dates_are_of_publication(ground: Ground) -> bool:
    """See `simrec.pipeline.dates.are_of_publication`."""
    bits = ground.array("page-dates")
    dated, addressed, updated = (int(np.count_nonzero(bits & bit)) for bit in (DATED, ADDRESSED, UPDATED))
    if not are_enough(dated, ground.n) or not ground.about["ages"]:
        return False
    titles, bodies = (
        Sequences(*(ground.array(f"column-{name}_sequences.{at}") for at in (0, 1))) for name in ("title", "body")
    )
    near: Any = _Parts(ground, FUSED)
    older = older_where_named(ground.array("column-published.0"), near, titles, bodies, ground.array("fitted-weights"))
    return speak_for(older, addressed / dated, updated / dated)


class _Parts:
    """Rows of an array that is in parts."""

    def __init__(self, ground: Ground, name: str) -> None:
        self._ground, self._name = ground, name

    def __getitem__(self, rows: Rows) -> Any:
        parts = np.searchsorted(self._ground.about["borders"], rows, side="right") - 1
        found: Sequence[Any] = [
            self._ground.part(self._name, part)[rows[parts == part] - self._ground.spans[part].begin]
            for part in np.unique(parts).tolist()
        ]
        return np.concatenate(found)


def _tasks(ground: Ground) -> list[Task]:
    return [Task(f"{span.part:06d}", (span.part,)) for span in ground.spans]


@lru_cache(maxsize=1)
def _shelf(folder: str | Path, stage: str) -> Shelf:
    """The rows as they are when a stage begins, opened once a process."""
    del stage
    ground = Ground(folder)
    return open_shelf(ground, open_fitted(ground))


__all__ = ["lists_of", "measure"]
