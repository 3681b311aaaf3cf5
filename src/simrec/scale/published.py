"""Datasets that a build gives out: Parquet files in a folder anywhere, which appear when all of them are whole.

A task writes its file under `_temporary`; when all are there, the driver moves them into place, and writes `_SUCCESS`
last, with the number of rows and the checksum of each. Readers refuse a folder without it, and a file that differs.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from simrec.errors import InputError, StoreError, UsageError
from simrec.filesystems import Place

MARK, UNFINISHED = "_SUCCESS", "_temporary"
FORMAT = 1
"""Raise it when what is written, or what it means, changes."""
_PART = re.compile(r"part-\d{6}\.parquet")


def name_of(part: int) -> str:
    """The name of a part's file."""
    return f"part-{part:06d}.parquet"


def check_free(target: str) -> None:
    """Raises UsageError where a folder holds what no build wrote: it is not to be mixed with that."""
    place = Place.of(target)
    found = place.files() if place.is_there() else []
    others = [one for one in found if one != MARK and not one.startswith(f"{UNFINISHED}/") and not _PART.fullmatch(one)]
    if others:
        raise UsageError(f"{place.name} holds {others[0]}, which no build wrote: name an empty folder")


SIGHT = 5.0
"""Seconds after which a node has to see what was written elsewhere."""


@contextmanager
def left(folder: str) -> Iterator[str]:
    """The name of an empty file that is in a folder meanwhile, for `fault`.

    Raises:
        StoreError: it cannot be written, or not be deleted.
    """
    file = Place.of(folder) / f".{uuid4().hex}"
    file.write(b"")
    try:
        yield file.stem
    finally:
        file.delete()


def fault(folder: str, name: str, patience: float = SIGHT) -> str:
    """Why nothing can be written here into a folder in which `left` left a file, in a line; nothing where it can."""
    try:
        there = Place.of(folder) / name
        end = time.monotonic() + patience
        while not there.is_there():
            if time.monotonic() > end:
                return f"{folder} is another folder there than on the driver: name a place that all nodes share"
            time.sleep(0.2)
        with left(folder):
            return ""
    except (StoreError, InputError, UsageError) as error:
        return str(error)


def put(target: str, part: int, table: Any) -> dict[str, Any]:
    """Writes a part's file where nobody looks for it yet; says its rows, bytes and checksum.

    Raises:
        StoreError: it cannot be written.
    """
    import pyarrow.parquet as pq

    held = io.BytesIO()
    pq.write_table(table, held, compression="zstd")
    data = held.getvalue()
    (Place.of(target) / UNFINISHED / name_of(part)).write(data)
    return {"part": part, "rows": len(table), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def finish(target: str, kind: str, parts: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    """Moves all parts into place, in that of an older dataset, and says that the dataset is whole.

    Doing it again after it broke off does what is left.

    Args:
        target: the folder or its URL.
        kind: of the dataset.
        parts: what `put` said of each.
        about: plain values, for who reads it.

    Raises:
        StoreError: a file is not there, or cannot be moved; the folder is then no dataset.
    """
    place = Place.of(target)
    files = [
        {"name": name_of(one["part"])} | {name: one[name] for name in ("rows", "bytes", "sha256")} for one in parts
    ]
    (place / MARK).delete()
    for file in files:
        made, final = place / UNFINISHED / file["name"], place / file["name"]
        if made.is_there():
            made.move(final)
        elif final.size() != file["bytes"]:
            raise StoreError(f"{final.name} is gone since it was written: name another --out, or build with --full")
    names = {file["name"] for file in files}
    for other in place.files() if files else ():
        if _PART.fullmatch(other) and other not in names:
            (place / other).delete()
    (place / UNFINISHED).delete()
    rows = sum(file["rows"] for file in files)
    said = {"format": FORMAT, "kind": kind, "rows": rows, "about": dict(about), "files": files}
    (place / MARK).write(json.dumps(said, ensure_ascii=False, indent=1).encode())


class Published:
    """A dataset that is whole.

    Args:
        source: the folder or its URL.
        kind: that it must be of.

    Raises:
        InputError: it is not whole, or of another kind.
    """

    def __init__(self, source: str, kind: str) -> None:
        self.place = Place.of(source)
        mark = self.place / MARK
        if not mark.is_file():
            raise InputError(f"{self.place.name} is no dataset that is whole, it has no {MARK}: build it again")
        try:
            said = json.loads(mark.read())
            self.kind, self.rows, self.about, self.files = (said[name] for name in ("kind", "rows", "about", "files"))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{mark.name} is damaged: build the dataset again") from error
        if said.get("format") != FORMAT:
            raise InputError(f"{self.place.name} is of another version of simrec: build it again")
        if self.kind != kind:
            raise InputError(f"{self.place.name} holds {self.kind}, not {kind}: name the folder of {kind}")

    def tables(self) -> Iterator[Any]:
        """The files' tables, one by one.

        Raises:
            InputError: a file is not what was written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        for file in self.files:
            there = self.place / file["name"]
            data = there.read()
            if hashlib.sha256(data).hexdigest() != file["sha256"]:
                raise InputError(f"{there.name} is damaged, its checksum differs: build the dataset again")
            yield pq.read_table(pa.BufferReader(data))


__all__ = ["MARK", "Published", "check_free", "fault", "finish", "left", "name_of", "put"]
