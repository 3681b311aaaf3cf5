"""Files and folders in other filesystems than this machine's become source files, as `walk` has it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from simrec.errors import InputError
from simrec.filesystems import Place
from simrec.ingest.archive import is_archive
from simrec.ingest.source import SourceFile
from simrec.ingest.walk import passed_over
from simrec.types import Reject


def remote_files(place: Place) -> Iterator[SourceFile | Reject]:
    """The files of a place: itself, or those of the folder, in the order of `walk`; nothing is copied to this machine.

    Raises:
        InputError: there is nothing, or it cannot be listed.
    """
    if place.is_file():
        yield from _read(place, place.stem, place.stem, "")
        return
    if not place.is_there():
        raise InputError(f"no file or folder {place.name}: name a source that exists")
    for inner in place.files():
        if not passed_over(inner):
            yield from _read(place / inner, f"{place.stem}/{inner}", inner, place.stem)


def _read(place: Place, name: str, inner: str, folder: str) -> Iterator[SourceFile | Reject]:
    if is_archive(inner):
        yield Reject(name, None, "an archive in another filesystem: unpack it there, or copy it here")
    else:
        yield SourceFile(name, inner, partial(Place.stream, place), folder, on_disk=True)


__all__ = ["remote_files"]
