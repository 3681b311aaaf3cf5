"""Picks: what editors put under articles, as a table `source_id,target_id,rank[,grade]`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from simrec.errors import InputError
from simrec.ingest import delimited, jsonl, parquet
from simrec.ingest.record import FieldError, is_missing, shown, to_id
from simrec.ingest.source import MEGABYTE, READ_ERRORS, SourceFile, plain_reason
from simrec.settings import IngestSettings
from simrec.types import Pick, PickEntry, Reject

COLUMNS = ("source_id", "target_id", "rank")
MOST_RANK = 1_000_000
NEEDED = "picks need the columns source_id, target_id, rank (1 is first), and may have grade"


def read_picks(path: str | Path) -> Iterator[PickEntry | Reject]:
    """The picks of a file: CSV, JSON lines (``.jsonl``) or Parquet (``.parquet``), each also as ``.gz``.

    Raises:
        InputError: the file is not there, cannot be opened, or has other columns.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no file {path}: name a table of picks")
    source = SourceFile(path.name, path.name, lambda: path.open("rb"), on_disk=True)
    if path.name.lower().endswith(".gz"):
        source = source.unzipped()
    return _read(source, path)


def _read(source: SourceFile, path: Path) -> Iterator[PickEntry | Reject]:
    line = None
    try:
        for line, record in _records(source):
            pick = record if isinstance(record, str) else to_pick(record)
            yield (Reject(source.file, line, pick) if isinstance(pick, str) else PickEntry(pick, source.file, line))
    except delimited.HeaderError as error:
        raise InputError(f"{path}: {error}; {NEEDED}") from error
    except READ_ERRORS as error:
        if line is None:
            raise InputError(f"{path} cannot be read: {plain_reason(error)}") from error
        yield Reject(source.file, line + 1, f"nothing is read from here on: {plain_reason(error)}")


def _records(source: SourceFile) -> Iterator[tuple[int | None, Any]]:
    name = source.path.lower().removesuffix(".gz")
    settings = IngestSettings()
    if name.endswith(".parquet"):
        return parquet.rows(source, COLUMNS, settings.max_record_mb * MEGABYTE)
    if name.endswith((".jsonl", ".ndjson", ".json")):
        return jsonl.records(source, settings)
    return delimited.rows(source, COLUMNS, settings.max_record_mb * MEGABYTE)


def to_pick(record: Mapping[str, Any]) -> Pick | str:
    """The pick that a record describes, or the reason why it describes none."""
    missing = [name for name in COLUMNS if is_missing(record.get(name))]
    if missing:
        return f"no {', '.join(missing)}: {NEEDED}"
    try:
        source, target = to_id(record["source_id"], "source_id"), to_id(record["target_id"], "target_id")
    except FieldError as error:
        return str(error)
    rank, grade = _number(record["rank"]), record.get("grade")
    if rank is None or not 1 <= rank <= MOST_RANK or rank != int(rank):
        return f"rank {shown(record['rank'])} is no whole number from 1 to {MOST_RANK:,}"
    if source == target:
        return f"{source} is picked for itself: take the row out"
    value = None if is_missing(grade) else _number(grade)
    if value is None and not is_missing(grade):
        return f"grade {shown(grade)} is no number"
    return Pick(source, target, int(rank), value)


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) and not isinstance(value, bool) else None
