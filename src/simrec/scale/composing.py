"""The blocks of a build, part by part."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from simrec.files import write_whole
from simrec.pipeline.live.start import CHUNK
from simrec.scale.ground import AGAIN, PARTS, Ground, Span
from simrec.scale.opened import open_engine
from simrec.scale.tasks import Runner, Task
from simrec.store import StoredBlock, StoredItem
from simrec.types import Rows, Scores

MEMORY = 1_000_000_000
"""Bytes that a task may take, beside the maps of files that it looks at."""
Write: TypeAlias = Callable[[Ground, Span, Sequence[StoredBlock]], int]
"""Writes the blocks of a part, whole or not at all; returns their bytes. At the top of a module."""


def compose(ground: Ground, runner: Runner, write: Write | None = None) -> None:
    """Composes the blocks of all pages, and has them written part by part."""
    tasks = [Task(f"{span.part:06d}", (span.part,)) for span in ground.spans]
    runner.run("compose", partial(compose_part, write=write or put_blocks), tasks, memory=MEMORY)


def compose_part(folder: str, part: int, *, write: Write) -> Mapping[str, Any]:
    """Composes the blocks of a part, and writes them."""
    ground = Ground(folder)
    span = ground.spans[part]
    found = blocks_of(folder, span)
    return {"rows": len(found), "bytes": write(ground, span, found)}


def blocks_of(folder: str, span: Span) -> list[StoredBlock]:
    """The blocks of a part, in order of id; all pages are ranked."""
    engine = open_engine(folder, Ground(folder).about["rounds"])
    choices, found = engine.read(span), list[StoredBlock]()
    for begin in range(0, len(choices), CHUNK):
        chunk = choices[begin : begin + CHUNK]
        first = span.begin + begin
        found += engine.composer.blocks(range(first, first + len(chunk)), chunk)
    return found


def candidates_of(folder: str, span: Span) -> tuple[Rows, Scores]:
    """(r, l) the best candidates of each page of a part, -1 for none, and their scores: what its block is made of."""
    rows, scores = (Ground(folder).array(f"page-{name}")[span.begin : span.end] for name in ("lists", "scores"))
    return rows, scores


def put_blocks(ground: Ground, span: Span, blocks: Sequence[StoredBlock]) -> int:
    """Writes the blocks of a part as lines of JSON."""
    path = _path(ground, span)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps(
            [block.source_id, [[item.id, item.score, item.reasons] for item in block.items], block.shortfall],
            ensure_ascii=False,
        )
        + "\n"
        for block in blocks
    ]
    data = "".join(lines).encode()
    write_whole(path, data, AGAIN)
    return len(data)


def read_blocks(ground: Ground, span: Span) -> list[StoredBlock]:
    """What `put_blocks` wrote."""
    with _path(ground, span).open(encoding="utf-8") as file:
        said = [json.loads(line) for line in file]
    return [StoredBlock(id_, tuple(StoredItem(*item) for item in items), why) for id_, items, why in said]


def _path(ground: Ground, span: Span) -> Path:
    return ground.folder / PARTS / "blocks" / f"{span.part:06d}.jsonl"


__all__ = ["blocks_of", "candidates_of", "compose", "put_blocks", "read_blocks"]
