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
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from simrec.types import Dense

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"


class VectorCache:
    """Dense vectors of texts, made by one model, in shards: .npz with `keys` (n,) S64 and `vectors` (n, d) float32.

    Two processes may write at once: at worst the vectors of one of them are made again later.
    """

    def __init__(self, folder: Path | None, fingerprint: str) -> None:
        self.folder = folder / fingerprint if folder else None  # None: in memory only
        self._row: dict[str, int] = {}
        self._shards: list[Dense] = []
        self._rows = 0
        for shard in intact(self.folder) if self.folder else ():
            try:
                with np.load(shard, allow_pickle=False) as stored:
                    self._add(stored["keys"].astype(str).tolist(), stored["vectors"])
            except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                logger.warning("%s cannot be read, its vectors are made again: %s", shard, error)

    def __len__(self) -> int:
        return len(self._row)

    def missing(self, keys: Sequence[str]) -> list[int]:
        """Places of the keys that have no vector, once for each key, ascending."""
        first = {key: place for place, key in reversed(list(enumerate(keys))) if key not in self._row}
        return sorted(first.values())

    def get(self, keys: Sequence[str]) -> Dense:
        """(n, d) float32: the vectors of keys that are all there.

        Raises:
            KeyError: a key has no vector.
        """
        if len(self._shards) > 1:
            self._shards = [np.concatenate(self._shards)]
        return np.asarray(self._shards[0][[self._row[key] for key in keys]])

    def put(self, keys: Sequence[str], vectors: Dense) -> None:
        """Keeps vectors, in memory and on disk; returns when they are there to stay."""
        self._add(keys, vectors)
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as file:
            np.savez(file, keys=np.array(keys, dtype="S64"), vectors=vectors)
        checksum = sha256(Path(file.name))
        name = f"{checksum[:16]}.npz"
        Path(file.name).replace(self.folder / name)
        _write_manifest(self.folder, {**_manifest(self.folder), name: checksum})

    def _add(self, keys: Sequence[str], vectors: Dense) -> None:
        self._row.update({key: self._rows + place for place, key in enumerate(keys)})
        self._rows += len(keys)
        self._shards.append(vectors)


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def intact(folder: Path) -> list[Path]:
    """The files of a folder that match its manifest; a warning for each one that does not."""
    found = []
    for name, checksum in sorted(_manifest(folder).items()):
        path = folder / name
        if path.is_file() and sha256(path) == checksum:
            found.append(path)
        else:
            logger.warning("%s does not match its checksum and is made again", path)
    return found


def is_intact(folder: Path) -> bool:
    """Whether a folder that `write_folder` made is there and all its files are as they were written."""
    names = _manifest(folder)
    return bool(names) and len(intact(folder)) == len(names)


def write_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Makes a folder with what `write` puts into it, and its manifest; it appears whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, suffix=".part"))
    try:
        write(part)
        _write_manifest(part, {path.name: sha256(path) for path in sorted(part.iterdir())})
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def keep_newest(folder: Path, prefix: str, keep: int) -> None:
    """Deletes all but the `keep` newest subfolders whose names start with `prefix`."""
    found = sorted(folder.glob(f"{prefix}*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in found[keep:]:
        shutil.rmtree(old, ignore_errors=True)


def _manifest(folder: Path) -> dict[str, str]:
    try:
        names = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        logger.warning("%s cannot be read, what it lists is made again: %s", folder / MANIFEST, error)
        return {}
    return names if isinstance(names, dict) else {}


def _write_manifest(folder: Path, names: dict[str, str]) -> None:
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".part", delete=False, encoding="utf-8") as file:
        json.dump(names, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(folder / MANIFEST)
