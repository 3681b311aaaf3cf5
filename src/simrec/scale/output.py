"""What a build on a cluster gives out: blocks and candidates, as datasets of Parquet files, a file a part.

`blocks` has a row an item, by page and rank from 1; a page without items has one row of rank 0. `candidates` has a row
a candidate, as ranked before the house rules, which say what of it may be shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import cache, partial
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np

from simrec.errors import StoreError
from simrec.filesystems import Place
from simrec.scale import published
from simrec.scale.cluster import Cluster
from simrec.scale.faults import patiently
from simrec.scale.ground import Ground, Span
from simrec.scale.meta import Ids, Meta
from simrec.scale.published import Published
from simrec.scale.tasks import Runner, Task
from simrec.scale.watching import SUMMARY, Summary
from simrec.store import StoredBlock, StoredItem
from simrec.text import content_hash
from simrec.types import NO_ROW, Rows, Scores

BLOCKS, CANDIDATES = "blocks", "candidates"
"""Kinds of datasets, and their folders."""

BlocksOf: TypeAlias = Callable[[Ground, Span], Iterable[StoredBlock]]
"""The blocks of a part, by row."""
CandidatesOf: TypeAlias = Callable[[str, Span], tuple[Rows, Scores]]
"""The candidates of a part, from a build's folder: rows (r, c) int32, best first, -1 for none, and their scores."""


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
    targets = targets_of(out)
    for kind in works:
        published.check_free(targets[kind])
    for kind, work in works.items():
        where = content_hash(targets[kind])[:8]  # what is done for one target is not done for another
        tasks = [Task(f"{where}-{span.part:06d}", (span.part, targets[kind])) for span in ground.spans]
        said = runner.run(f"write {kind}", work, tasks)
        patiently(partial(published.finish, targets[kind], kind, said, about))


def targets_of(out: str) -> dict[str, str]:
    """The folder of each kind of dataset."""
    return {kind: f"{out.rstrip('/')}/{kind}" for kind in (BLOCKS, CANDIDATES)}


def check_out(out: str) -> None:
    """Looks, before a build begins, whether it can end: its datasets can be written where they shall be.

    Raises:
        UsageError: there are other files in the folders.
        StoreError: nothing can be written there.
    """
    for target in targets_of(out).values():
        published.check_free(target)
    with published.left(out):
        pass


def prove_out(cluster: Cluster, out: str) -> None:
    """Has a worker of each node prove that it writes where the driver does.

    Raises:
        StoreError: one does not.
        ClusterError: one does not answer.
    """
    with published.left(out) as name:
        for node, why in cluster.on_each(published.fault, out, name):
            if why:
                raise StoreError(f"node {node.address}: {why}")


def write_summary(ground: Ground, summary: Summary, out: str, rejects: bool) -> None:
    """Leaves beside the output what the build took, and what was turned away of the dataset that it was made of.

    Raises:
        StoreError: it cannot be written.
    """
    place = Place.of(out)
    if rejects:
        (place / "rejects.parquet").write((ground.folder / "rejects.parquet").read_bytes())
    said = {"counts": ground.about["counts"], "stages": [asdict(stage) for stage in summary.stages.values()]}
    (place / SUMMARY).write(json.dumps(said, indent=1).encode())


def _write_blocks(blocks_of: BlocksOf, folder: str, part: int, target: str) -> dict[str, Any]:
    ground = Ground(folder)
    span = ground.spans[part]
    meta, main = Meta(ground), ground.about["main_lang"]
    langs = (meta.field("lang", row) or main for row in range(span.begin, span.end))
    return put_blocks(target, part, blocks_of(ground, span), langs)


def _write_candidates(candidates_of: CandidatesOf, folder: str, part: int, target: str) -> dict[str, Any]:
    ground = Ground(folder)
    span = ground.spans[part]
    return put_candidates(target, part, Ids(Meta(ground)), span, *candidates_of(folder, span))


def put_blocks(
    target: str, part: int, blocks: Iterable[StoredBlock], langs: Iterable[str | None]
) -> dict[str, Any]:  # fmt: skip
    """Writes a part's blocks, by source id, with the language of each page; see `published.put`."""
    import pyarrow as pa

    pairs = zip(blocks, langs, strict=True)
    rows = [row for block, lang in pairs for row in block_rows(block, lang)]
    return published.put(target, part, pa.Table.from_pylist(rows, schema=block_schema()))


def put_candidates(
    target: str, part: int, ids: Ids, span: Span, rows: Rows, scores: Scores
) -> dict[str, Any]:  # fmt: skip
    """Writes a part's candidates, best first, -1 for none; see `published.put`."""
    import pyarrow as pa

    there = rows != NO_ROW
    pages, _ = np.nonzero(there)
    ranks = np.cumsum(there, axis=1)[there].astype(np.int32)
    unique, at = np.unique(np.concatenate([rows[there], span.rows[pages]]), return_inverse=True)
    names = pa.array([ids[row] for row in unique.tolist()], pa.string())
    targets, sources = np.split(at.astype(np.int32), [len(ranks)])
    columns = {
        "source_id": names.take(pa.array(sources)),
        "rank": pa.array(ranks),
        "target_id": names.take(pa.array(targets)),
        "score": pa.array(scores[there].astype(np.float32)),
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


__all__ = [
    "BLOCKS",
    "CANDIDATES",
    "check_out",
    "prove_out",
    "put_blocks",
    "put_candidates",
    "read_blocks",
    "write_output",
    "write_summary",
]
