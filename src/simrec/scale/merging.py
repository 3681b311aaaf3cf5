"""Runs become parts: each range of ids is merged by a task, which settles what one id is given twice."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simrec.pipeline.ingest import FIRST, LATER, UNKNOWN, Taken, duplicate
from simrec.scale.files import write_through
from simrec.scale.ground import Ground
from simrec.scale.reading import REJECTS, RUNS, write_rejects
from simrec.scale.rows import as_table, from_entry_record, schema, to_record
from simrec.store.records import told
from simrec.types import HIDING, Article, Entry, Reject, primary

MERGED = "merged"
"""The folder of parts that have no number yet."""
RANGE_BYTES = 128 << 20
"""Of the articles of a range; they are in memory together."""
MERGE_MEMORY = 1 << 30
"""Bytes that a task of `merge` may take, whatever it merges."""


class Settled(NamedTuple):
    """What became of the records of one id: the article, if any, how many were equal to another, and those refused."""

    article: Article | None
    unchanged: int
    rejects: list[Reject]


def settle(entries: Iterable[Entry], hashes: Iterable[str]) -> Settled:
    """What an ingest makes of the records of one id, in their order; the first counts, unless a later one hides it."""
    known: Taken | None = None
    kept: Entry | None = None
    unchanged, rejects = 0, list[Reject]()
    for entry, hashed in zip(entries, hashes, strict=True):
        new = Taken.of(entry, hashed)
        if known is None:
            known, kept = new, entry
            if entry.article.is_notice:
                kept = None
                rejects.append(Reject(entry.file, entry.line, f"article {entry.article.id!r} {UNKNOWN}"))
        elif known.hashed == hashed:
            unchanged += 1
        elif not new.supersedes(known):
            rejects.append(duplicate(entry, FIRST.format(known.where)))
        else:
            before, known = kept, new
            if before is None:
                raise AssertionError("only what does not hide is superseded, and that is a whole article")
            rejects.append(duplicate(before, LATER.format(new.where)))
            whole = told(before.article, entry.article) if entry.article.is_notice else entry.article
            kept = Entry(whole, entry.file, entry.line)
    return Settled(kept.article if kept else None, unchanged, rejects)


def borders(runs: Sequence[Path], range_bytes: int = RANGE_BYTES) -> list[str]:
    """The first ids of all ranges but the first, so that each has about as many bytes, by the runs' first ids."""
    import pyarrow as pa

    starts, size = list[str](), 0
    for path in runs:
        with pa.memory_map(str(path)) as file:
            about = pa.ipc.open_file(file).schema.metadata
        starts += json.loads(about[b"starts"])
        size += int(about[b"bytes"])
    starts.sort()
    ranges = max(-(-size // range_bytes), 1)
    wanted = (starts[len(starts) * number // ranges] for number in range(1, ranges))
    return sorted(set(wanted) - set(starts[:1]))


def merge(folder: str, number: int, low: str | None, high: str | None, rows_per_part: int) -> dict[str, Any]:
    """Merges the articles of a range of ids, and writes them as parts that follow one another.

    Args:
        folder: of the build.
        number: of the range.
        low, high: its first id, and that of the next; None for no end.
        rows_per_part: about how many articles a part shall have.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    ground = Ground(folder)
    found = [_slice(path, low, high) for path in sorted((ground.folder / RUNS).glob("*.arrow"))]
    table = pa.concat_tables([schema(place=True).empty_table(), *found])
    del found
    placed = table.select(["id"]).append_column("place", pa.array(range(len(table)), pa.int64()))
    order = pc.sort_indices(placed, [("id", "ascending"), ("place", "ascending")]).to_numpy()
    rows, extra, unchanged, rejects = _kept(table, order)
    write_rejects(ground.folder / REJECTS / f"b{number:06d}.parquet", rejects)
    if extra:
        table = pa.concat_tables([table, as_table(extra, place=True)])
    sizes, written, langs = [], 0, Counter[str]()
    for part, some in enumerate(_cut(rows, rows_per_part)):
        one = table.take(pa.array(some)).select(schema().names).replace_schema_metadata()
        langs.update(primary(lang) for lang in one["lang"].to_pylist() if lang)
        written += write_part(named(ground, number, part), one)
        sizes.append(len(some))
    return {
        "rows": len(rows), "bytes": written, "parts": sizes, "langs": dict(langs), "unchanged": unchanged,
        "rejected": len(rejects),
    }  # fmt: skip


def named(ground: Ground, number: int, part: int) -> Path:
    """The file of a range's part."""
    return ground.folder / MERGED / f"{number:06d}-{part:04d}.parquet"


def write_part(path: Path, table: Any) -> int:
    """Writes a part's articles; returns the file's bytes."""
    import pyarrow.parquet as pq

    return write_through(path, lambda file: pq.write_table(table, file, compression="zstd"))


def _slice(path: Path, low: str | None, high: str | None) -> Any:
    """The rows of a run whose ids are in a range; only batches that may have some are read."""
    import pyarrow as pa
    import pyarrow.compute as pc

    with pa.memory_map(str(path)) as file:
        run = pa.ipc.open_file(file)
        starts = json.loads(run.schema.metadata[b"starts"])
        begin = max(bisect_left(starts, low) - 1, 0) if low is not None else 0
        end = bisect_left(starts, high) if high is not None else len(starts)
        batches = [run.get_batch(number) for number in range(begin, end)]
        table = pa.Table.from_batches(batches, run.schema).replace_schema_metadata()
    if low is not None:
        table = table.filter(pc.greater_equal(table["id"], low))
    return table.filter(pc.less(table["id"], high)) if high is not None else table


def _kept(table: Any, order: Any) -> tuple[Any, list[dict[str, Any]], int, list[Reject]]:
    """Which rows stay, one an id, in order of id.

    Returns:
        Row numbers, those from the table's length on of further rows; these; how many records were equal to another;
        and those refused.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(order):
        return order, [], 0, []
    ids = table["id"].take(pa.array(order)).combine_chunks()
    first = np.concatenate([[True], ~pc.equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)])
    hides = pc.is_in(table["status"], value_set=pa.array(HIDING, pa.string())).to_numpy()[order]
    bounds = np.append(np.flatnonzero(first), len(order))
    rows = order[bounds[:-1]].copy()
    extra: list[dict[str, Any]] = []
    unchanged, rejects, gone = 0, list[Reject](), list[int]()
    for at in np.flatnonzero((np.diff(bounds) > 1) | hides[bounds[:-1]]).tolist():
        records = table.take(pa.array(order[bounds[at] : bounds[at + 1]])).to_pylist()
        settled = settle(map(from_entry_record, records), [one["hash"] for one in records])
        unchanged += settled.unchanged
        rejects += settled.rejects
        if settled.article is None:
            gone.append(at)
        elif settled.article != from_entry_record(records[0]).article:
            rows[at] = len(table) + len(extra)
            extra.append(to_record(settled.article) | {"file": "", "line": None})
    return np.delete(rows, gone), extra, unchanged, rejects


def _cut(rows: Any, most: int) -> Iterator[Any]:
    """Rows in as few pieces as can be, of nearly one size."""
    yield from np.array_split(rows, -(-len(rows) // most)) if len(rows) else ()


__all__ = ["MERGED", "MERGE_MEMORY", "RANGE_BYTES", "borders", "merge", "named", "settle", "write_part"]
