"""The folder of a build, on a disk that all machines see: parts of the site's arrays, and the arrays that they join to.

A *part* is a run of the site's articles, which are numbered in order of id. An array that has a row an article is made
part by part, and joined when all parts are there; it is then opened as a map of its file, of which a process holds in
memory what it looks at. All names of joined arrays are those of a saved engine: `simrec.pipeline.live.saved`.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from numpy.lib.format import write_array_header_1_0

from simrec.files import write_whole
from simrec.settings import Settings

ABOUT = "about.json"
PARTS, ARRAYS, ARTICLES = "parts", "engine", "articles"
"""Folders: of parts of arrays, of joined ones with all else that a saved engine consists of, and of the articles."""
UNRESERVED = getattr(mmap, "MAP_NORESERVE", 0x4000) if sys.platform == "linux" else 0
"""What asks the system to set no memory aside for a map; 0 where it knows no such thing."""
FIT = "fit"
"""The folder of what is counted and fitted on the way."""
NAMES, LEXICON, WIDTHS = "names.json", "lexicon.json", "columns.json"
"""Files: in that folder, the names that have numbers, and all words; in the engine's, the widths of sparse columns."""
AGAIN = "free some space and run it again"


class Span(NamedTuple):
    """The rows of a part: from `begin` to before `end`."""

    part: int
    begin: int
    end: int

    @property
    def rows(self) -> Any:
        """(r,) int32."""
        return np.arange(self.begin, self.end, dtype=np.int32)


class Ground:
    """The folder of a build; see the module.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @cached_property
    def about(self) -> dict[str, Any]:
        """What is fixed when a build begins: `n`, `borders` (first row of each part, and n), `model`, `k`, `now`,
        `settings`, `main_lang`."""
        found: dict[str, Any] = json.loads((self.folder / ABOUT).read_text(encoding="utf-8"))
        return found

    @property
    def is_begun(self) -> bool:
        """Whether anything is said of a build in it."""
        return (self.folder / ABOUT).exists()

    def say(self, **values: Any) -> None:
        """Adds to `about`; the driver's to do."""
        known = self.about if self.is_begun else {}
        self.write_json(self.folder / ABOUT, {**known, **values})
        self.__dict__.pop("about", None)

    @property
    def n(self) -> int:
        """Articles."""
        return int(self.about["n"])

    @cached_property
    def spans(self) -> list[Span]:
        """The parts."""
        borders = self.about["borders"]
        return [Span(part, *pair) for part, pair in enumerate(pairwise(borders))]

    @cached_property
    def settings(self) -> Settings:
        """Of the workspace."""
        return Settings(**self.about["settings"])

    @property
    def now(self) -> datetime:
        """The moment that decides who may be shown."""
        return datetime.fromisoformat(self.about["now"])

    # Arrays

    @property
    def engine(self) -> Path:
        """The folder of joined arrays."""
        return self.folder / ARRAYS

    def put(self, name: str, part: int, array: Any) -> int:
        """Writes an array's part, whole or not at all; returns its bytes."""
        folder = self.folder / PARTS / name
        folder.mkdir(parents=True, exist_ok=True)
        return save(folder / f"{part:06d}.npy", array)

    def part(self, name: str, part: int) -> Any:
        """An array's part, as a map of its file."""
        return opened(self.folder / PARTS / name / f"{part:06d}.npy")

    def has_part(self, name: str, part: int) -> bool:
        """Whether an array's part is there."""
        return (self.folder / PARTS / name / f"{part:06d}.npy").exists()

    def array(self, name: str) -> Any:
        """(n, ...) a joined array, as a map of its file."""
        return opened(self.engine / f"{name}.npy")

    def save_array(self, name: str, array: Any) -> int:
        """Writes an array that is no column of the engine, by its path in the folder without ending; its bytes."""
        path = self.folder / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        return save(path, array)

    def folder_array(self, name: str) -> Any:
        """What `save_array` wrote, as a map of its file."""
        return opened(self.folder / f"{name}.npy")

    def has(self, name: str) -> bool:
        """Whether an array is joined."""
        return (self.engine / f"{name}.npy").exists()

    def join(self, name: str, parts: int | None = None, *, of: str | None = None) -> int:
        """Joins the parts of an array along their rows; returns its bytes. The parts may have another name, `of`."""
        return self._join(name, [self.part(of or name, part) for part in range(self._count(parts))])

    def join_ragged(self, name: str, values: int, parts: int | None = None) -> int:
        """Joins the parts of rows of any length: `name.0` starts (r + 1,), `name.1` and on what they point into.

        Args:
            name: of all.
            values: arrays beside the starts.
            parts: how many; None: as many as the site has.
        """
        count = self._count(parts)
        starts = [self.part(f"{name}.0", part) for part in range(count)]
        offsets = np.concatenate([[0], np.cumsum([int(one[-1]) for one in starts])])
        shifted = [
            one[:-1].astype(np.int64) + offset for one, offset in zip(starts, offsets[:-1].tolist(), strict=True)
        ]
        kind = starts[0].dtype if offsets[-1] <= np.iinfo(starts[0].dtype).max else np.int64
        whole = np.concatenate([*shifted, offsets[-1:]]).astype(kind)
        self.engine.mkdir(parents=True, exist_ok=True)
        written = save(self.engine / f"{name}.0.npy", whole)
        return written + sum(self.join(f"{name}.{number}", parts) for number in range(1, values + 1))

    def _count(self, parts: int | None) -> int:
        return len(self.spans) if parts is None else parts

    def _join(self, name: str, arrays: Sequence[Any]) -> int:
        path = self.engine / f"{name}.npy"
        self.engine.mkdir(parents=True, exist_ok=True)
        shape = (sum(len(array) for array in arrays), *arrays[0].shape[1:])
        described = {"descr": np.lib.format.dtype_to_descr(arrays[0].dtype), "fortran_order": False, "shape": shape}
        partial = path.with_name(f".{path.name}.{uuid4().hex}")
        try:
            with partial.open("wb") as file:
                write_array_header_1_0(file, described)
                for array in arrays:
                    np.ascontiguousarray(array).tofile(file)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path.stat().st_size

    # JSON

    def write_json(self, path: Path, values: Any) -> int:
        """Writes plain values, whole or not at all; returns their bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        data = json.dumps(values, ensure_ascii=False).encode()
        write_whole(path, data, AGAIN)
        return len(data)

    def read_json(self, path: Path) -> Any:
        """Reads plain values."""
        return json.loads(path.read_text(encoding="utf-8"))


def opened(path: Path) -> Any:
    """An array as a map of its file. Loops are compiled for arrays that can be written to: what is, stays here.

    No memory is set aside for what may be written: else a file larger than the memory could not be opened.
    """
    if not UNRESERVED:
        return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, of_columns, dtype = np.lib.format.read_array_header_1_0(file)
        held = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE | UNRESERVED, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        return np.ndarray(shape, dtype, held, file.tell(), order="F" if of_columns else "C")


def blank(shape: tuple[int, ...], dtype: Any) -> Any:
    """An array of zeros that takes memory only where it is written to."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if not UNRESERVED or not size:
        return np.zeros(shape, dtype=dtype)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | UNRESERVED
    return np.ndarray(shape, dtype, mmap.mmap(-1, size, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE))


def save(path: Path, array: Any) -> int:
    """Writes an array, whole or not at all; returns its bytes."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.{uuid4().hex}")
    try:
        with partial.open("wb") as file:
            np.save(file, np.asarray(array), allow_pickle=False)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path.stat().st_size
