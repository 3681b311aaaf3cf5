"""A dataset's files become runs: checked articles sorted by id, as many at a time as fit into memory.

Tasks of two stages: `survey` looks at files' footers, `check` reads row groups. A run is an Arrow file of small batches
whose first ids stand in its schema, so that a range of ids can be read without the rest of it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from simrec.errors import InputError
from simrec.filesystems import Place
from simrec.ingest.delimited import HeaderError
from simrec.ingest.parquet import EMPTY, checked, group_rows, opened
from simrec.ingest.record import REQUIRED
from simrec.ingest.source import MEGABYTE
from simrec.ingest.walk import passed_over
from simrec.scale.faults import is_transient
from simrec.scale.files import write_through
from simrec.scale.ground import Ground
from simrec.scale.rows import as_table, to_entry_record
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

RUNS, REJECTS = "runs", "rejects"
"""Folders of what is sorted, and of what was turned away."""
RUN_BYTES, RUN_ROWS = 48 << 20, 16_384
"""Of texts, and of articles, that are sorted together in memory."""
BATCH_ROWS = 128
"""Articles that are read from a run together."""
CHECK_MEMORY = 768 << 20
"""Bytes that a task of `check` may take, whatever it reads."""
TRIES, PAUSE = 3, 1.0
"""How often a file is read that fails in the middle, and seconds in between."""


class Piece(NamedTuple):
    """Row groups of a file, one behind the other.

    Attributes:
        file: its path in the dataset, "" where that is one file.
        begin, end: numbers of its row groups.
        first: the number of the first row, from 1.
    """

    file: str
    begin: int
    end: int
    first: int


def listed(source: str) -> tuple[list[str], list[Reject]]:
    """The Parquet files of a dataset, in the order of an ingest, and what else is there.

    Raises:
        InputError: there is no such dataset, or no file in it.
    """
    place = Place.of(source)
    if place.is_file():
        return [""], []
    if not place.is_there():
        raise InputError(f"no file or folder {place.name}: name a dataset that exists")
    files = [inner for inner in place.files() if not passed_over(inner)]
    found = [inner for inner in files if inner.lower().endswith(".parquet")]
    if not found:
        raise InputError(f"no Parquet file in {place.name}: name a folder with .parquet files")
    others = sorted(set(files) - set(found))
    return found, [Reject(shown(place, inner), None, "not a .parquet file: ingest it by itself") for inner in others]


def shown(place: Place, inner: str) -> str:
    """What rejects call a file: as an ingest of the same folder does."""
    return f"{place.stem}/{inner}" if inner else place.stem


def survey(folder: str, source: str, files: Sequence[str]) -> dict[str, Any]:
    """The rows and bytes of the row groups of some files; None for a file that is damaged, which is rejected.

    Raises:
        InputError: the disk or the network fails.
    """
    del folder
    place = Place.of(source)
    found: list[list[tuple[int, int]] | None] = []
    rejects: list[tuple[str, str]] = []
    for inner in files:
        try:
            there = place / inner if inner else place
            with there.reading(), there.open() as stream:
                about = opened(stream, REQUIRED).metadata
                groups = [about.row_group(number) for number in range(about.num_row_groups)]
                found.append([(group.num_rows, group.total_byte_size) for group in groups])
            if not about.num_rows:
                rejects.append((shown(place, inner), EMPTY))
        except HeaderError as error:
            found.append(None)
            rejects.append((shown(place, inner), str(error)))
    return {"rows": len(files), "bytes": 0, "groups": found, "rejects": rejects}


def cut(files: Sequence[str], groups: Sequence[Sequence[tuple[int, int]] | None]) -> list[list[Piece]]:
    """Pieces of files as tasks of about `RUN_ROWS` rows or `RUN_BYTES`; a row group is never divided."""
    tasks: list[list[Piece]] = []
    pieces: list[Piece] = []
    rows = size = 0
    for file, found in zip(files, groups, strict=True):
        first = 1
        for number, (group_rows_, group_bytes) in enumerate(found or ()):
            if pieces and (rows + group_rows_ > RUN_ROWS or size + group_bytes > RUN_BYTES):
                tasks.append(pieces)
                pieces, rows, size = [], 0, 0
            if pieces and pieces[-1].file == file:
                pieces[-1] = pieces[-1]._replace(end=number + 1)
            else:
                pieces.append(Piece(file, number, number + 1, first))
            rows, size, first = rows + group_rows_, size + group_bytes, first + group_rows_
    return [*tasks, pieces] if pieces else tasks


def check(folder: str, number: int, source: str, pieces: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Reads pieces, checks each record, and writes runs of articles sorted by id, and rejects with their reasons.

    Raises:
        InputError: the disk or the network fails.
    """
    ground = Ground(folder)
    settings, place = ground.settings.ingest, Place.of(source)
    records: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    size = rows = written = runs = 0
    for item in (item for piece in pieces for item in _read(place, Piece(*piece), settings)):
        rows += 1
        if isinstance(item, Reject):
            rejects.append(item)
            continue
        records.append(to_entry_record(item))
        size += len(item.article.title) + len(item.article.body)
        if size >= RUN_BYTES or len(records) >= RUN_ROWS:
            written += write_run(ground.folder / RUNS / f"{number:06d}-{runs:04d}.arrow", records)
            records, size, runs = [], 0, runs + 1
    if records:
        written += write_run(ground.folder / RUNS / f"{number:06d}-{runs:04d}.arrow", records)
        runs += 1
    write_rejects(ground.folder / REJECTS / f"a{number:06d}.parquet", rejects)
    return {"rows": rows, "bytes": written, "rejected": len(rejects), "runs": runs}


def _read(place: Place, piece: Piece, settings: IngestSettings) -> Iterator[Entry | Reject]:
    """The records of a piece, by row groups; one that is damaged leaves the next ones."""
    name, there, first = shown(place, piece.file), place / piece.file if piece.file else place, piece.first
    with there.reading(), there.open() as stream:
        rows = [opened(stream, REQUIRED).metadata.row_group(at).num_rows for at in range(piece.begin, piece.end)]
    for group, count in zip(range(piece.begin, piece.end), rows, strict=True):
        for found in _read_group(there, group, first, settings):
            yield from checked([found], name, settings)
        first += count


def _read_group(place: Place, group: int, first: int, settings: IngestSettings) -> Iterator[tuple[int, Any]]:
    """The rows of a group; where reading fails in the middle, the file is opened again."""
    done = tries = 0
    while True:
        try:
            with place.reading(), place.open() as stream:
                file = opened(stream, REQUIRED)
                found = group_rows(file, [group], first, settings.max_record_mb * MEGABYTE)
                for one in islice(found, done, None):
                    done += 1
                    yield one
        except InputError as error:
            tries += 1
            if tries == TRIES or not is_transient(error):
                raise
            time.sleep(PAUSE)
        else:
            return


def write_run(path: Path, records: Sequence[Mapping[str, Any]]) -> int:
    """Writes articles sorted by id, those of one id in the order given; returns the file's bytes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = as_table(records, place=True)
    placed = table.select(["id"]).append_column("place", pa.array(range(len(table)), pa.int64()))
    table = table.take(pc.sort_indices(placed, [("id", "ascending"), ("place", "ascending")]))
    starts = table["id"].to_pylist()[::BATCH_ROWS]
    named = table.schema.with_metadata({"starts": json.dumps(starts), "bytes": str(table.nbytes)})
    options = pa.ipc.IpcWriteOptions(compression="zstd")

    def fill(file: Any) -> None:
        with pa.ipc.new_file(file, named, options=options) as writer:
            writer.write_table(table.cast(named), BATCH_ROWS)

    return write_through(path, fill)


def write_rejects(path: Path, rejects: Iterable[Reject]) -> int:
    """Writes what was turned away, with where it stood; returns the file's bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = [{"file": one.file, "line": one.line, "reason": one.reason} for one in rejects]
    schema = pa.schema([("file", pa.string()), ("line", pa.int64()), ("reason", pa.string())])
    fill: Callable[[Any], object] = partial(pq.write_table, pa.Table.from_pylist(found, schema=schema))
    return write_through(path, fill)


__all__ = ["CHECK_MEMORY", "REJECTS", "RUNS", "Piece", "check", "cut", "listed", "survey", "write_rejects"]
