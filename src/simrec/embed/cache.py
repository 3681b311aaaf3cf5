"""Vectors on disk, keyed by what made them: the model's fingerprint and the text's hash.

Each folder has a `manifest.json` with the SHA-256 of every file in it; what does not match is made again. Files and
folders appear whole or not at all: they are written under another name, then renamed. docs/storage.md has the layout.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.errors import StoreError
from simrec.files import PART, part_prefix
from simrec.types import Dense

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"


class Passages(NamedTuple):
    """Vectors of texts, passage by passage.

    Attributes:
        vectors: (m, d) float32 unit rows, those of a text together and in order.
        lengths: (n,) how many passages each text has; they add up to m.
    """

    vectors: Dense
    lengths: NDArray[np.int64]

    @property
    def owners(self) -> NDArray[np.int64]:
        """(m,) the place of each passage's text."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def sums(self) -> Dense:
        """(n, d) float32: the sum of each text's passages."""
        sums = np.zeros((len(self.lengths), self.vectors.shape[1]), dtype=np.float32)
        np.add.at(sums, self.owners, self.vectors)
        return sums


class VectorCache:
    """Dense vectors of texts' passages, made by one model, in shards of .npz.

    A shard has `keys` (n,) S64, `lengths` (n,) int64 and `vectors` (m, d) float32, as `Passages`. Two processes may
    write at once: at worst the vectors of one of them are made again later.
    """

    def __init__(self, folder: Path | None, fingerprint: str) -> None:
        self.folder = folder / fingerprint if folder else None  # None: in memory only
        self._span: dict[str, tuple[int, int]] = {}
        self._shards: list[Dense] = []
        self._rows = 0
        for shard in intact(self.folder) if self.folder else ():
            try:
                with np.load(shard, allow_pickle=False) as stored:
                    self._add(stored["keys"].astype(str).tolist(), Passages(stored["vectors"], stored["lengths"]))
            except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                logger.warning("%s cannot be read, its vectors are made again: %s", shard, error)

    def __len__(self) -> int:
        return len(self._span)

    def missing(self, keys: Sequence[str]) -> list[int]:
        """Places of the keys that have no vector, once for each key, ascending."""
        first = {key: place for place, key in reversed(list(enumerate(keys))) if key not in self._span}
        return sorted(first.values())

    def get(self, keys: Sequence[str]) -> Passages:
        """The vectors of keys that are all there.

        Raises:
            KeyError: a key has no vector.
        """
        if len(self._shards) > 1:
            self._shards = [np.concatenate(self._shards)]
        starts, lengths = np.array([self._span[key] for key in keys], dtype=np.int64).reshape(-1, 2).T
        offsets = np.cumsum(lengths) - lengths
        rows = np.arange(lengths.sum()) + np.repeat(starts - offsets, lengths)
        return Passages(self._shards[0][rows], lengths)

    def put(self, keys: Sequence[str], passages: Passages) -> None:
        """Keeps vectors, in memory and on disk; returns when they are there to stay."""
        self._add(keys, passages)
        if self.folder is None:
            return
        name, checksum = write_shard(self.folder, keys, passages)
        list_shards(self.folder, {name: checksum})

    def _add(self, keys: Sequence[str], passages: Passages) -> None:
        starts = self._rows + np.cumsum(passages.lengths) - passages.lengths
        self._span.update(zip(keys, zip(starts.tolist(), passages.lengths.tolist(), strict=True), strict=True))
        self._rows += len(passages.vectors)
        self._shards.append(passages.vectors)


def write_shard(folder: Path, keys: Sequence[str], passages: Passages) -> tuple[str, str]:
    """Writes vectors into the folder of a cache; its name and checksum. It is read when it is listed: `list_shards`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=part_prefix(), suffix=PART, delete=False) as file:
        np.savez(file, keys=np.array(keys, dtype="S64"), lengths=passages.lengths, vectors=passages.vectors)
    checksum = sha256(Path(file.name))
    name = f"{checksum[:16]}.npz"
    Path(file.name).replace(folder / name)
    return name, checksum


def list_shards(folder: Path, shards: Mapping[str, str]) -> None:
    """Adds shards that were written, with their checksums, to those that are read."""
    write_manifest(folder, {**listed(folder), **shards})


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def intact(folder: Path) -> list[Path]:
    """The files of a folder that match its manifest; a warning for each one that does not.

    The folder's time of change becomes that of this reading: what was not read for long can be deleted.
    """
    found = []
    with suppress(OSError):  # it is not there, or not ours
        os.utime(folder)
    for name, checksum in sorted(listed(folder).items()):
        path = folder / name
        if path.is_file() and sha256(path) == checksum:
            found.append(path)
        else:
            logger.warning("%s does not match its checksum and is made again", path)
    return found


def unlisted(folder: Path, before: float) -> list[Path]:
    """Shards that no manifest names, and that are older than a moment: of a process that died between the two."""
    known = listed(folder)
    return [path for path in sorted(folder.glob("*.npz")) if path.name not in known and path.stat().st_mtime < before]


def is_intact(folder: Path) -> bool:
    """Whether a folder that `write_folder` made is there and all its files are as they were written."""
    names = listed(folder)
    return bool(names) and len(intact(folder)) == len(names)


def write_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Makes a folder with what `write` puts into it, and its manifest; it appears whole or not at all.

    Raises:
        StoreError: it cannot be written; what was there before stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=part_prefix(), suffix=PART))
    try:
        write(part)
        files = sorted(path for path in part.rglob("*") if path.is_file())
        write_manifest(part, {path.relative_to(part).as_posix(): sha256(path) for path in files})
        gone = part.with_name(f"{part_prefix()}{part.stem[-8:]}-before{PART}")
        if folder.exists():
            folder.rename(gone)  # deleting it takes long: nobody shall find half of it meanwhile
        try:
            part.rename(folder)
        except OSError:
            if gone.exists():
                gone.rename(folder)
            raise
        shutil.rmtree(gone, ignore_errors=True)
    except OSError as error:
        why = f"{folder} cannot be written: {error.strerror or error}"
        raise StoreError(f"{why}; free some space and run it again, what was stored before is kept") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def keep_newest(folder: Path, prefix: str, keep: int) -> None:
    """Deletes all but the `keep` newest subfolders whose names start with `prefix`."""
    found = sorted(folder.glob(f"{prefix}*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in found[keep:]:
        shutil.rmtree(old, ignore_errors=True)


def listed(folder: Path) -> dict[str, str]:
    """The files that the manifest of a folder names, and their checksums."""
    try:
        names = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        logger.warning("%s cannot be read, what it lists is made again: %s", folder / MANIFEST, error)
        return {}
    return names if isinstance(names, dict) else {}


def write_manifest(folder: Path, names: dict[str, str]) -> None:
    """Writes what a folder's files are to be: the SHA-256 of each, by its path in the folder."""
    with tempfile.NamedTemporaryFile(
        "w", dir=folder, prefix=part_prefix(), suffix=PART, delete=False, encoding="utf-8"
    ) as file:
        json.dump(names, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(folder / MANIFEST)
