"""Vectors that were made before, of a whole site or more: found in a sorted index, read as maps of the cache's files.

`VectorCache` holds all that a cache has in memory, which no machine could for such a site. The index is made once a
build: a sorted file a shard of the cache, then merged by the first bits of the keys into files of bounded size.
"""

from __future__ import annotations

import json
import logging
import zipfile
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.embed.cache import Passages, listed, sha256
from simrec.scale.ground import Ground, opened, save
from simrec.scale.tasks import Runner, Task
from simrec.types import Dense

logger = logging.getLogger(__name__)

FOLDER = "kept"
"""Of the indexes, in the folder of a build."""
PLACE = np.dtype([("key", "S32"), ("shard", np.int32), ("start", np.int64), ("length", np.int32)])
"""Where the passages of a text are: 48 bytes a text."""
AT_ONCE = 1_000_000
"""Keys that are sorted at a time."""
MEMORY = 500_000_000
"""Bytes that a task may take."""


def index(ground: Ground, runner: Runner, cache: Path, fingerprint: str) -> None:
    """Makes the index of the vectors that a cache has by one model; what comes to them later is not in it.

    Args:
        ground: the folder of the build.
        runner: does the tasks.
        cache: folder of the cache.
        fingerprint: of the model.
    """
    folder = _folder(ground, fingerprint)
    if not (folder / "shards.json").exists():
        ground.write_json(folder / "shards.json", listed(cache / fingerprint))
    names = _names(folder)
    tasks = [Task(f"{number:06d}", (str(cache), fingerprint, number)) for number in range(len(names))]
    keys = sum(said["rows"] for said in runner.run(f"kept-{fingerprint}", sort_shard, tasks, memory=MEMORY))
    count = -(-keys // AT_ONCE)
    if not (folder / "index.json").exists():
        merged = [Task(f"{number:06d}", (fingerprint, number, count)) for number in range(count)]
        said = runner.run(f"kept-{fingerprint}-merged", merge, merged, memory=MEMORY)
        about = {"cache": str(cache), "pieces": count, "keys": sum(one["rows"] for one in said)}
        ground.write_json(folder / "index.json", about)


# Tasks


def sort_shard(folder: str, cache: str, fingerprint: str, number: int) -> Mapping[str, Any]:
    """Sorts the keys of one shard; one that is damaged has none."""
    ground = Ground(folder)
    found = _folder(ground, fingerprint)
    name, checksum = sorted(_names(found).items())[number]
    path = Path(cache) / fingerprint / name
    keys, lengths = np.zeros(0, dtype="S64"), np.zeros(0, dtype=np.int64)
    try:
        if sha256(path) == checksum:
            with np.load(path, allow_pickle=False) as stored:
                keys, lengths = stored["keys"], stored["lengths"]
        else:
            logger.warning("%s does not match its checksum and is made again", path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        logger.warning("%s cannot be read, its vectors are made again: %s", path, error)
    places = np.zeros(len(keys), dtype=PLACE)
    places["key"], places["shard"], places["length"] = as_bytes(keys.astype(str).tolist()), number, lengths
    places["start"] = np.cumsum(lengths) - lengths
    written = save(found / f"shard-{number:06d}.npy", places[np.argsort(places["key"], kind="stable")])
    return {"rows": len(places), "bytes": written}


def merge(folder: str, fingerprint: str, piece: int, pieces: int) -> Mapping[str, Any]:
    """Merges a range of keys of all shards; where two have a key, the later one holds, as in `VectorCache`."""
    found = _folder(Ground(folder), fingerprint)
    cut = [np.zeros(0, dtype=PLACE)]
    for number in range(len(_names(found))):
        shard = opened(found / f"shard-{number:06d}.npy")
        begin, end = (_first_of(shard["key"], one, pieces) for one in (piece, piece + 1))
        cut.append(shard[begin:end])
    places = np.concatenate(cut)
    places = places[np.argsort(places["key"], kind="stable")]
    last = np.ones(len(places), dtype=bool)
    last[:-1] = places["key"][:-1] != places["key"][1:]
    written = save(found / f"piece-{piece:06d}.npy", places[last])
    return {"rows": int(last.sum()), "bytes": written}


# What is found


class Kept:
    """The vectors that were there when an index was made.

    Args:
        ground: the folder of the build.
        fingerprint: of the model that made them.
    """

    def __init__(self, ground: Ground, fingerprint: str) -> None:
        self._folder = _folder(ground, fingerprint)
        self._about = _read(self._folder / "index.json")
        self._cache = Path(self._about["cache"]) / fingerprint
        self._shards = sorted(_names(self._folder))

    def __len__(self) -> int:
        return int(self._about["keys"])

    def find(self, keys: Sequence[str]) -> Any:
        """(n,) `PLACE`: where the vectors of each key are; a shard of -1 where there are none."""
        wanted = as_bytes(keys)
        places = np.zeros(len(keys), dtype=PLACE)
        places["shard"] = -1
        pieces = int(self._about["pieces"])
        if not pieces:
            return places
        of_each = _piece_of(wanted, pieces)
        for piece in np.unique(of_each).tolist():
            known = _opened(self._folder / f"piece-{piece:06d}.npy")
            asked = np.flatnonzero(of_each == piece)
            at = np.searchsorted(known["key"], wanted[asked])
            there = at < len(known)
            there[there] = known["key"][at[there]] == wanted[asked[there]]
            places[asked[there]] = known[at[there]]
        return places

    def found(self, keys: Sequence[str]) -> Iterator[tuple[list[str], Passages]]:
        """Those of some keys that have vectors, and these, by shards."""
        different = list(dict.fromkeys(keys))
        places = self.find(different)
        for shard in np.unique(places["shard"][places["shard"] >= 0]).tolist():
            try:
                vectors = mapped(self._cache / self._shards[shard], "vectors")
            except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:  # it was deleted meanwhile
                logger.warning("%s cannot be read, its vectors are made again: %s", self._shards[shard], error)
                continue
            asked = np.flatnonzero(places["shard"] == shard)
            starts, lengths = places["start"][asked], places["length"][asked].astype(np.int64)
            rows = np.arange(lengths.sum()) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
            yield [different[place] for place in asked], Passages(np.array(vectors[rows]), lengths)


def as_bytes(keys: Sequence[str]) -> NDArray[np.bytes_]:
    """(n,) S32: SHA-256 in hexadecimal as bytes.

    >>> as_bytes(["00" * 31 + "41"])[0][-1:]
    b'A'
    """
    return np.frombuffer(b"".join(map(bytes.fromhex, keys)), dtype="S32") if keys else np.zeros(0, dtype="S32")


def mapped(path: Path, name: str) -> Dense:
    """An array of an .npz file that is not compressed, as a map of it."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        member = archive.getinfo(f"{name}.npy")
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        header = file.tell()
    with path.open("rb") as file:
        file.seek(member.header_offset + 26)  # the lengths of the name and of what is said beside it
        beside = sum(int.from_bytes(file.read(2), "little") for _ in range(2))
    begin = member.header_offset + 30 + beside + header
    if not np.prod(shape):
        return np.zeros(shape, dtype=dtype)
    return np.memmap(path, dtype, mode="r", offset=begin, shape=shape)


def _piece_of(keys: Any, pieces: int) -> NDArray[np.int64]:
    """(n,) the piece of an index that each key is in, by its first two bytes."""
    raw = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), 32)
    return ((raw[:, 0].astype(np.int64) << 8 | raw[:, 1]) * pieces) >> 16


def _first_of(keys: Any, piece: int, pieces: int) -> int:
    """Where a piece begins in sorted keys, of which only a few are looked at."""
    if piece == pieces:
        return len(keys)
    low = (-(-(piece << 16) // pieces)).to_bytes(2, "big").rstrip(b"\0")  # numpy's bytes end before zeros, too
    return bisect_left(range(len(keys)), low, key=lambda at: bytes(keys[at]))


@lru_cache(maxsize=256)
def _opened(path: Path) -> Any:
    return opened(path)


def _folder(ground: Ground, fingerprint: str) -> Path:
    return ground.folder / FOLDER / fingerprint


def _names(folder: Path) -> dict[str, str]:
    found: dict[str, str] = _read(folder / "shards.json")
    return found


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
