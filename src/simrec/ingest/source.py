"""A source file: one thing that a reader reads, on disk or in an archive."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BufferedReader, BytesIO, RawIOBase
from posixpath import splitext
from typing import Any, BinaryIO, cast

from simrec.ingest.project import Project

MEGABYTE = 1_000_000
WHOLE_FILE_RECORDS = 16
"""A file that must be in memory as a whole may be this many times the longest record."""

READ_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)
"""What broken disks, archives and compressed files raise while they are read."""


class TooLargeError(Exception):
    """A file that must be in memory as a whole is larger than the settings allow."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a source.

    Attributes:
        file: what entries and rejects call it, as in ``pages.zip:news/a.html``.
        path: its path in the site, with "/": from the folder or archive that was given.
        open: opens it for reading bytes, from the start. The member of a tar archive can be opened once.
        folder: the name of the folder or archive that was given, "" for a single file.
        on_disk: it can be read at any place, not only from the start on.
        reopens: it can be opened more than once, as a compressed file on disk can.
        project: the static site generator's folder that it is in; its `path` counts from the content folder there.
        drafts: it is in Jekyll's folder of drafts, whichever folder was given.
    """

    file: str
    path: str
    open: Callable[[], BinaryIO]
    folder: str = ""
    on_disk: bool = False
    reopens: bool = False
    project: Project | None = None
    drafts: bool = False

    @property
    def stem(self) -> str:
        """The path without ``.gz`` and the file's extension."""
        return splitext(self.path.removesuffix(".gz"))[0]

    def read(self, max_bytes: int) -> bytes:
        """The whole file.

        Raises:
            TooLargeError: it has more than `max_bytes`.
        """
        with self.open() as stream:
            data = stream.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise TooLargeError(
                f"longer than {max_bytes / MEGABYTE:g} MB: shorten it, or raise max_record_mb under [ingest]"
            )
        return data

    def seekable(self, max_bytes: int) -> BinaryIO:
        """The file, to be read at any place; one that is compressed or archived goes through memory.

        Raises:
            TooLargeError: it would have to go through memory, and has more than `max_bytes`.
        """
        return self.open() if self.on_disk else BytesIO(self.read(max_bytes))

    def reopened(self, max_bytes: int) -> SourceFile:
        """The same file, to be opened as often as is needed; one that is archived goes through memory.

        Raises:
            TooLargeError: it would have to go through memory, and has more than `max_bytes`.
        """
        if self.on_disk or self.reopens:
            return self
        data = self.read(max_bytes)
        return replace(self, open=lambda: BytesIO(data), reopens=True)

    def started(self, size: int) -> tuple[bytes, SourceFile]:
        """The first bytes, and the file to be read from its start, even if it can be opened only once."""
        stream = self.open()
        start = stream.read(size)
        if self.on_disk or self.reopens:
            stream.close()
            return start, self
        return start, replace(self, open=lambda: cast(BinaryIO, BufferedReader(_Restarted(start, stream))))

    def unzipped(self) -> SourceFile:
        """What a ``.gz`` file holds."""
        return replace(
            self,
            open=lambda: cast(BinaryIO, _Gunzip(self.open())),
            on_disk=False,
            reopens=self.on_disk or self.reopens,
        )


class _Restarted(RawIOBase):
    """A stream whose start was read already, with the start put back."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start = start
        self._rest = rest

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Reads the start first, then the rest."""
        data = self._start[: len(buffer)] or self._rest.read(len(buffer))
        self._start = self._start[len(data) :]
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Closes the rest, too."""
        try:
            super().close()
        finally:
            self._rest.close()


class _Gunzip(gzip.GzipFile):
    """A gzip stream that closes the stream it reads."""

    def __init__(self, packed: BinaryIO) -> None:
        super().__init__(fileobj=packed, mode="rb")
        self._packed = packed

    def close(self) -> None:
        """Closes both."""
        try:
            super().close()
        finally:
            self._packed.close()


def plain_reason(error: BaseException) -> str:
    """An error of reading, in plain words on one line."""
    if isinstance(error, EOFError):
        return "the file ends too early: it is cut off; fetch it again"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return f"the file is damaged ({' '.join(str(error).split()) or type(error).__name__}); fetch it again"


def told_by(sender: str) -> SourceFile:
    """Stands for the file of what was not read from one, but told by a system."""
    return SourceFile(f"webhook of {sender}", f"{sender}.json", BytesIO)
