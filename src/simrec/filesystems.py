"""Files and folders wherever they are: on this machine, or behind the URL of a filesystem that pyarrow or fsspec knows.

pyarrow itself knows `file`, `s3`, `gs` and `hdfs`; any other scheme is that of an fsspec package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TypeVar, cast
from uuid import uuid4

from simrec.database import shown
from simrec.errors import InputError, StoreError, UsageError

OWN = ("file", "s3", "gs", "gcs", "hdfs", "viewfs")
"""Schemes of URLs that pyarrow itself opens."""
WHOLE = frozenset(("s3", "gcs", "abfs"))
"""Filesystems whose files appear when they are whole: to rename one is to copy it."""

T = TypeVar("T")
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://", re.IGNORECASE)


def is_place(source: str | Path) -> bool:
    """Whether a source is the URL of a file or folder.

    >>> is_place("s3://bucket/articles"), is_place("articles"), is_place("postgresql://host/news")
    (True, False, False)
    """
    scheme = scheme_of(source)
    return bool(scheme) and scheme in _schemes()


def scheme_of(source: str | Path) -> str:
    """The scheme of a URL, in small letters; empty for a path.

    >>> scheme_of("S3://bucket/articles"), scheme_of("articles")
    ('s3', '')
    """
    found = _URL.match(source) if isinstance(source, str) else None
    return found["scheme"].lower() if found else ""


def absolute(source: str) -> str:
    """A path as any process understands it, wherever it was started; a URL as it is."""
    return source if scheme_of(source) else str(Path(source).absolute())


@cache
def _schemes() -> frozenset[str]:
    """All that name a file or folder: pyarrow's, and those that fsspec has a package for."""
    try:
        from fsspec import available_protocols
    except ImportError:
        return frozenset(OWN)
    return frozenset((*OWN, "abfss", *available_protocols()))


@dataclass(frozen=True)
class Place:
    """A file or a folder in a filesystem.

    Attributes:
        filesystem: of pyarrow.
        path: in it.
        name: as a message may call it, without passwords and keys.
    """

    filesystem: Any
    path: str
    name: str

    @classmethod
    def of(cls, source: str | Path) -> Place:
        """The place that a path or a URL means.

        Raises:
            UsageError: there is no such filesystem, or its package is not installed.
            InputError: the filesystem cannot be reached.
        """
        name = shown(str(source))
        if is_place(source):
            return cls(*_found(str(source), name), name)
        if scheme := scheme_of(source):
            advice = "name a path, or a URL that one of them knows"
            raise UsageError(f"{name}: neither pyarrow nor fsspec knows {scheme}://: {advice}")
        from pyarrow import fs

        return cls(fs.LocalFileSystem(), str(Path(source).absolute()), name)

    @property
    def stem(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name

    def __truediv__(self, inner: str) -> Place:
        return replace(self, path=f"{self.path.rstrip('/')}/{inner}", name=f"{self.name.rstrip('/')}/{inner}")

    def is_there(self) -> bool:
        """Whether there is a file or a folder."""
        return bool(self._try(self._kind) != 0)

    def is_file(self) -> bool:
        """Whether there is a file."""
        return bool(self._try(self._kind) == 2)

    def size(self) -> int | None:
        """The file's bytes; None where there is none."""
        found: int | None = self._try(lambda: self.filesystem.get_file_info([self.path])[0].size)
        return found

    def state(self) -> tuple[int | None, int | None]:
        """The file's bytes, and when it was written, in nanoseconds since 1970; each None where it is not known."""
        found = self._try(lambda: self.filesystem.get_file_info([self.path])[0])
        return found.size, found.mtime_ns

    def files(self) -> list[str]:
        """The paths of the files in the folder and the folders below it, from there, in the order of their parts."""
        from pyarrow import fs

        found = self._try(lambda: self.filesystem.get_file_info(fs.FileSelector(self.path, recursive=True)))
        root = PurePosixPath("/", self.path)
        paths = [PurePosixPath("/", one.path).relative_to(root) for one in found if one.is_file]
        return [path.as_posix() for path in sorted(paths, key=lambda path: path.parts)]

    def open(self) -> Any:
        """Opens the file for reading, at any place in it; as pyarrow has it."""
        return self._try(lambda: self.filesystem.open_input_file(self.path))

    def stream(self) -> BinaryIO:
        """Opens the file for reading, as Python has it."""
        return cast(BinaryIO, BufferedReader(self.open()))

    def read(self) -> bytes:
        """The whole file."""

        def read() -> bytes:
            with self.filesystem.open_input_file(self.path) as file:
                return bytes(file.read())

        return self._try(read)

    def write(self, data: bytes) -> None:
        """Writes the file, whole or not at all, with the folders above it.

        Raises:
            StoreError: it cannot be written; what was there before stays.
        """
        whole = self.filesystem.type_name in WHOLE
        into = self if whole else replace(self, path=f"{PurePosixPath(self.path).parent}/.{self.stem}.{uuid4().hex}")

        def write() -> None:
            self.filesystem.create_dir(str(PurePosixPath(self.path).parent), recursive=True)
            with self.filesystem.open_output_stream(into.path) as file:
                file.write(data)
            if not whole:
                self.filesystem.move(into.path, self.path)

        self._store(write)

    def move(self, target: Place) -> None:
        """Moves the file to another place of the same filesystem, in place of what is there.

        Raises:
            StoreError: it cannot be moved.
        """

        def move() -> None:
            self.filesystem.create_dir(str(PurePosixPath(target.path).parent), recursive=True)
            self.filesystem.move(self.path, target.path)

        self._store(move)

    def delete(self) -> None:
        """Deletes the file, or the folder with all that is in it, where it is there.

        Raises:
            StoreError: it cannot be deleted.
        """
        kind = self._try(self._kind)
        if kind == 2:
            self._store(lambda: self.filesystem.delete_file(self.path))
        elif kind:
            self._store(lambda: self.filesystem.delete_dir(self.path))

    def _kind(self) -> int:
        """0 for nothing, 2 for a file, another number for a folder."""
        from pyarrow import fs

        found = self.filesystem.get_file_info([self.path])[0].type
        return 0 if found == fs.FileType.NotFound else 2 if found == fs.FileType.File else 3

    def _try(self, work: Callable[[], T]) -> T:
        with self.reading():
            return work()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Errors of the disk and the network, while what it holds is read, become InputError."""
        try:
            yield
        except OSError as error:
            why = error.strerror or " ".join(str(error).split())[:200]
            raise InputError(
                f"{self.name} cannot be read: {shown(why)}; check the address and who may read it"
            ) from error

    def _store(self, work: Callable[[], object]) -> None:
        try:
            work()
        except OSError as error:
            why = error.strerror or " ".join(str(error).split())[:200]
            raise StoreError(
                f"{self.name} cannot be written: {shown(why)}; free some space or name another place"
            ) from error


@lru_cache(maxsize=64)
def _filesystem(url: str) -> tuple[Any, str]:
    from pyarrow import fs

    scheme = url.partition("://")[0].lower()
    if scheme in OWN:
        filesystem, path = fs.FileSystem.from_uri(url)
        return filesystem, str(path)
    from fsspec.core import url_to_fs

    filesystem, path = url_to_fs(url)
    return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), str(path)


def _found(url: str, name: str) -> tuple[Any, str]:
    scheme = url.partition("://")[0].lower()
    try:
        return _filesystem(url)
    except ImportError as error:
        known = error.name and f"the package {error.name} is not installed: pip install it to read {scheme}"
        raise UsageError(f"{name}: {known or ' '.join(str(error).split())}") from None  # fsspec says what to install
    except (OSError, ValueError, NotImplementedError) as error:  # pyarrow's errors are of these
        why = shown(" ".join(str(error).split())[:200])
        raise InputError(f"{name} cannot be opened: {why}; check the address and who may read it") from error


__all__ = ["Place", "absolute", "is_place", "scheme_of"]
