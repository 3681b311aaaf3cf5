"""The rows of each term of a sparse column, in files: a page that looks deep is scanned by them.

Each part is inverted by itself; then tasks take a range of terms each, and put together what all parts have of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from simrec.pipeline.live.compare import spaces_of
from simrec.pipeline.live.scans import COLUMN_OF
from simrec.pipeline.live.shelf import SPARSE
from simrec.rank.parts import rows_of
from simrec.rank.scan import Inverted, invert
from simrec.scale.ground import Ground
from simrec.scale.site import column_of, said_of
from simrec.scale.spaces import drop
from simrec.scale.tasks import Runner, Task

MEMORY = 1_000_000_000
"""Bytes that a task may take, beside the maps of files that it looks at."""
SHARE = 8_000_000
"""Values of a column that a task puts together: some 32 bytes each."""
FIELDS = ("terms", "starts", "where", "data")
"""What a part has: its terms, where each begins, the rows that have it, and their values."""


def put_postings(ground: Ground, runner: Runner) -> None:
    """Leaves the rows of each term, for the sparse spaces that the model's candidates come from."""
    for name in sparse_spaces(ground):
        if ground.has(_named(name, "starts")):
            continue
        tasks = [Task(f"{name}-{span.part:06d}", (name, span.part)) for span in ground.spans]
        runner.run("postings by part", invert_part, tasks, memory=MEMORY)
        starts = _starts(ground, name)
        borders = _borders(starts)
        tasks = [Task(f"{name}-{number:06d}", (name, number, *pair)) for number, pair in enumerate(pairwise(borders))]
        runner.run("postings", put_together, tasks, memory=MEMORY)
        for field in ("where", "data"):
            ground.join(_named(name, field), len(tasks), of=_named(name, f"{field}-range"))
        ground.save_array(f"engine/{_named(name, 'starts')}", starts)
        drop(ground, *(_named(name, field) for field in (*FIELDS, "where-range", "data-range")))


def sparse_spaces(ground: Ground) -> list[str]:
    """The columns of the model's sparse spaces."""
    columns = {COLUMN_OF.get(space, space) for space in (*spaces_of(ground.about["model"]), "tfidf")}
    return sorted(columns & {*SPARSE})


def postings_of(ground: Ground, name: str) -> Inverted:
    """The rows of each term of a column, as maps of their files."""
    return Inverted(ground.n, *(ground.array(_named(name, field)) for field in ("starts", "where", "data")))


# Tasks


def invert_part(folder: str, name: str, part: int) -> Mapping[str, Any]:
    """The rows of each term that a part has."""
    ground = Ground(folder)
    span = ground.spans[part]
    found = invert(rows_of(column_of(ground, name, said_of(ground)["columns"][name]), span.rows))
    lengths = np.diff(found.starts)
    terms = np.flatnonzero(lengths).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(lengths[terms])])
    arrays = terms, starts, found.where + np.int32(span.begin), found.data
    written = [ground.put(_named(name, field), part, array) for field, array in zip(FIELDS, arrays, strict=True)]
    return {"rows": span.end - span.begin, "bytes": sum(written)}


def put_together(folder: str, name: str, number: int, first: int, last: int) -> Mapping[str, Any]:
    """The rows of the terms from `first` to before `last`, those of all parts."""
    ground = Ground(folder)
    found: tuple[list[Any], list[Any], list[Any]] = [], [], []
    for span in ground.spans:
        terms, starts, where, data = (ground.part(_named(name, field), span.part) for field in FIELDS)
        begin, end = np.searchsorted(terms, (first, last)).tolist()
        here = slice(int(starts[begin]), int(starts[end]))
        found[0].append(np.repeat(terms[begin:end], np.diff(starts[begin : end + 1])))
        found[1].append(where[here])
        found[2].append(data[here])
    terms, where, data = (np.concatenate(arrays) for arrays in found)
    order = np.argsort(terms, kind="stable")
    written = ground.put(_named(name, "where-range"), number, where[order])
    return {"rows": last - first, "bytes": written + ground.put(_named(name, "data-range"), number, data[order])}


# What the driver does


def _starts(ground: Ground, name: str) -> Any:
    """(terms + 1,) int64: where each term begins."""
    counts = np.zeros(int(said_of(ground)["columns"][name]) + 1, dtype=np.int64)
    for span in ground.spans:
        terms, starts = (ground.part(_named(name, field), span.part) for field in FIELDS[:2])
        counts[terms + 1] += np.diff(starts)
    return np.cumsum(counts)


def _borders(starts: Any) -> list[int]:
    """The first term of each range, and the number of terms: a range has at most `SHARE` values, or one term."""
    borders, terms = [0], len(starts) - 1
    while borders[-1] < terms:
        most = int(np.searchsorted(starts, starts[borders[-1]] + SHARE, side="right")) - 1
        borders.append(min(max(most, borders[-1] + 1), terms))
    return borders


def _named(name: str, field: str) -> str:
    return f"postings-{name}-{field}"


__all__ = ["postings_of", "put_postings", "sparse_spaces"]
