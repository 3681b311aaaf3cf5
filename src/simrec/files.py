"""Files that appear whole or not at all."""

from __future__ import annotations

import filecmp
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from simrec.errors import StoreError


def write_whole(path: Path, data: bytes, advice: str = "free some space or name another place") -> None:
    """Writes a file under another name, then renames it; makes the folders above it.

    Args:
        path: the file.
        data: what it shall hold.
        advice: what to do where it cannot be written, for the error.

    Raises:
        StoreError: it cannot be written; what was there before stays.
    """
    with _part_of(path, advice) as (part, file):
        file.write(data)
        file.close()
        part.chmod(0o644)
        part.replace(path)


def write_streamed(path: Path, fill: Callable[[BinaryIO], object], advice: str) -> bool:
    """As `write_whole`, for what need not fit into memory; a file that holds the same bytes already is left alone.

    Args:
        path: the file.
        fill: writes what it shall hold; an exception of its own passes through, and the file stays as it was.
        advice: what to do where it cannot be written, for the error.

    Returns:
        Whether the file is another one now.

    Raises:
        StoreError: it cannot be written; what was there before stays.
    """
    with _part_of(path, advice) as (part, file):
        fill(file)
        file.close()
        if path.is_file() and filecmp.cmp(part, path, shallow=False):
            return False
        part.chmod(0o644)
        part.replace(path)
    return True


@contextmanager
def _part_of(path: Path, advice: str) -> Iterator[tuple[Path, BinaryIO]]:
    """A file beside another, gone at the end unless it was renamed."""
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield part, file
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}; {advice}") from error
    finally:
        if part:
            part.unlink(missing_ok=True)
