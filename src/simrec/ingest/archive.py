"""Archives: the members of zip and tar files, read in memory, one after the other."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from io import BytesIO
from typing import Any, BinaryIO, NamedTuple, cast

from simrec.ingest.source import READ_ERRORS, plain_reason
from simrec.types import Reject

ZIP = (".zip",)
TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

_OPENERS: dict[bytes, Callable[[BinaryIO], object]] = {
    b"\x1f\x8b": lambda stream: gzip.GzipFile(fileobj=stream, mode="rb"),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
}
_BLOCK = 512


class Member(NamedTuple):
    """A file in an archive: its path, how to open it (once), and its size unpacked, in bytes."""

    name: str
    open: Callable[[], BinaryIO]
    size: int


def is_archive(name: str) -> bool:
    """Whether a file's name is that of an archive."""
    return name.lower().endswith(ZIP + TAR)


def members(stream: BinaryIO, name: str, max_bytes: int) -> Iterator[Member | Reject]:
    """The files of an archive, in its order; nothing is written to disk.

    Links, devices, encrypted members, members larger than `max_bytes`, and names that lead out of the archive are
    rejects. An archive that is damaged or cut off gives what can be read, then one reject.
    """
    listing = _zip_members(stream) if name.lower().endswith(ZIP) else _tar_members(stream)
    try:
        for member, problem in listing:
            path = member.name.replace("\\", "/")
            shown = f"{name}:{''.join(char if char.isprintable() else '?' for char in member.name)}"
            reason = problem or _unsafe(path)
            if not reason and member.size > max_bytes:
                reason = f"{member.size} bytes when unpacked, too large for an archive's member: unpack the archive"
            yield Reject(shown, None, reason) if reason else member._replace(name=path.removeprefix("./"))
    except (*READ_ERRORS, NotImplementedError, ValueError, UnicodeError) as error:
        yield Reject(name, None, f"the archive cannot be read to its end: {plain_reason(error)}")


def _unsafe(path: str) -> str:
    if path.startswith("/") or path[1:2] == ":" or ".." in path.split("/"):
        return "the name leads out of the archive: pack the archive again"
    return ""


def _zip_members(stream: BinaryIO) -> Iterator[tuple[Member, str]]:
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            if info.is_dir() and not _unsafe(info.filename):
                continue
            kind = stat.S_IFMT(info.external_attr >> 16)
            problem = ""
            if info.flag_bits & 1:
                problem = "encrypted: pack the archive without a password"
            elif kind not in (0, stat.S_IFREG):
                problem = "a link or device, not a file: pack the file itself"
            yield Member(info.filename, lambda info=info: archive.open(info), info.file_size), problem  # type: ignore  # mypy knows no defaults of lambdas


def _opened(archive: tarfile.TarFile, info: tarfile.TarInfo) -> BinaryIO:
    return cast(BinaryIO, archive.extractfile(info) or BytesIO())


def _tar_members(stream: BinaryIO) -> Iterator[tuple[Member, str]]:
    tail: Any = _Tail(_decompressed(stream))
    with closing(tarfile.open(fileobj=tail, mode="r|")) as archive:
        for info in archive:
            if info.isdir() and not _unsafe(info.name):
                continue
            problem = "" if info.isfile() else "a link or device, not a file: pack the file itself"
            yield Member(info.name, partial(_opened, archive, info), info.size), problem
    if any(tail.last):  # a whole archive ends in empty blocks
        raise EOFError


def _decompressed(stream: BinaryIO) -> BinaryIO:
    start = stream.read(6)
    stream.seek(0)
    for magic, opener in _OPENERS.items():
        if start.startswith(magic):
            return opener(stream)  # type: ignore  # mypy knows no defaults of lambdas[return-value]
    return stream


class _Tail:
    """A stream that remembers the last block read."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.last = b"\x01"

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        if data:
            self.last = (self.last + data)[-_BLOCK:]
        return data
