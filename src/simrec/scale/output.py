"""What a build on a cluster gives out: blocks and candidates, as datasets of Parquet files, a file a part.

`blocks` has a row an item, by page and rank from 1; a page without items has one row of rank 0. `candidates` has a row
a candidate, as ranked before the house rules, which say what of it may be shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from simrec.scale import published
from simrec.scale.ground import Ground, Span
from simrec.scale.meta import Ids, Meta
from simrec.scale.published import Published
from simrec.scale.tasks import Runner, Task
from simrec.store import StoredBlock, StoredItem
from simrec.types import NO_ROW, Rows, Scores

BLOCKS, CANDIDATES = "blocks", "candidates"
"""Kinds of datasets, and their folders."""

BlocksOf: TypeAlias = Callable[[str, Span], Iterable[StoredBlock]]
"""The blocks of a part, by row, from a build's folder."""


class Ranked(NamedTuple):
    """The candidates of a part's pages: rows (r, c) int32, best first, -1 for none, and scores (r, c) float32."""

    rows: Rows
    scores: Scores


CandidatesOf: TypeAlias = Callable[[str, Span], Ranked]
"""The candidates of a part, from a build's folder."""


def write_output(
    ground: Ground, runner: Runner, out: str, blocks_of: BlocksOf, candidates_of: CandidatesOf | None = None
) -> None:  # fmt: skip
    """Writes the blocks and the candidates of a build below a folder; each is a dataset when it is whole.

    Args:
        ground: of a build whose blocks are made.
        runner: does the tasks, one a part.
        out: a folder, or the URL of one.
        blocks_of, candidates_of: at the top of a module, so that other machines find them.

    Raises:
        UsageError: there are other files in the folders.
        StoreError: they cannot be written.
    """
    about = {name: ground.about.get(name) for name in ("model", "k", "now", "n", "main_lang", "settings")}
    works: dict[str, Any] = {BLOCKS: partial(_write_blocks, blocks_of)}
    if candidates_of is not None:
        works[CANDIDATES] = partial(_write_candidates, candidates_of)
    targets = {kind: f"{out.rstrip('/')}/{kind}" for kind in works}
    for target in targets.values():
        published.check_free(target)
    for kind, work in works.items():
        tasks = [Task(f"{span.part:06d}", (span.part, targets[kind])) for span in ground.spans]
        published.finish(targets[kind], kind, runner.run(f"write {kind}", work, tasks), about)


def _write_blocks(blocks_of: BlocksOf, folder: str, part: int, target: str) -> dict[str, Any]:
    ground = Ground(folder)
    span = ground.spans[part]
    meta, main = Meta(ground), ground.about["main_lang"]
    langs = (meta.field("lang", row) or main for row in range(span.begin, span.end))
    return put_blocks(target, part, blocks_of(folder, span), langs)


def _write_candidates(candidates_of: CandidatesOf, folder: str, part: int, target: str) -> dict[str, Any]:
    ground = Ground(folder)
    span = ground.spans[part]
    return put_candidates(target, part, Ids(Meta(ground)), span, candidates_of(folder, span))


def put_blocks(
    target: str, part: int, blocks: Iterable[StoredBlock], langs: Iterable[str | None]
) -> dict[str, Any]:  # fmt: skip
    """Writes a part's blocks, by source id, with the language of each page; see `published.put`."""
    import pyarrow as pa

    pairs = zip(blocks, langs, strict=True)
    rows = [row for block, lang in pairs for row in block_rows(block, lang)]
    return published.put(target, part, pa.Table.from_pylist(rows, schema=block_schema()))


def put_candidates(target: str, part: int, ids: Ids, span: Span, ranked: Ranked) -> dict[str, Any]:
    """Writes a part's candidates, best first; see `published.put`."""
    import pyarrow as pa

    there = ranked.rows != NO_ROW
    pages, _ = np.nonzero(there)
    ranks = np.cumsum(there, axis=1)[there].astype(np.int32)
    unique, at = np.unique(np.concatenate([ranked.rows[there], span.rows[pages]]), return_inverse=True)
    names = pa.array([ids[row] for row in unique.tolist()], pa.string())
    targets, sources = np.split(at.astype(np.int32), [len(ranks)])
    columns = {
        "source_id": names.take(pa.array(sources)),
        "rank": pa.array(ranks),
        "target_id": names.take(pa.array(targets)),
        "score": pa.array(ranked.scores[there].astype(np.float32)),
    }
    return published.put(target, part, pa.table(columns))


@cache
def block_schema() -> Any:
    """Of the dataset of blocks."""
    import pyarrow as pa

    kinds = {"rank": pa.int32(), "score": pa.float64()}
    names = ("source_id", "lang", "rank", "target_id", "score", "reasons", "shortfall")
    return pa.schema([(name, kinds.get(name, pa.string())) for name in names])


def block_rows(block: StoredBlock, lang: str | None) -> Iterator[dict[str, Any]]:
    """The rows of a block: one an item, or one of rank 0 where it has none."""
    page = {"source_id": block.source_id, "lang": lang, "shortfall": block.shortfall}
    if not block.items:
        yield page | {"rank": 0}
    for rank, item in enumerate(block.items, start=1):
        reasons = json.dumps(dict(item.reasons), ensure_ascii=False)
        yield page | {"rank": rank, "target_id": item.id, "score": item.score, "reasons": reasons}


def read_blocks(dataset: Published) -> Iterator[StoredBlock]:
    """The blocks of a dataset, by source id, as they were written."""
    for table in dataset.tables():
        for source_id, rows in groupby(table.to_pylist(), key=lambda row: row["source_id"]):
            items = list[StoredItem]()
            for row in rows:
                shortfall = row["shortfall"]
                if row["rank"]:
                    items.append(StoredItem(row["target_id"], row["score"], json.loads(row["reasons"])))
            yield StoredBlock(source_id, tuple(items), shortfall)


__all__ = ["BLOCKS", "CANDIDATES", "Ranked", "put_blocks", "put_candidates", "read_blocks", "write_output"]
