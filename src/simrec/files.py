"""Files that appear whole or not at all."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from simrec.errors import StoreError

PART = ".part"
"""Ending of files and folders that are being written."""
STALE = 24 * 3600
"""Seconds after which what is being written is given up, whoever writes it."""


def part_prefix() -> str:
    """The beginning of the name of what this process is writing: it says whose it is."""
    return f"simrec-{os.getpid()}-"


def clean_parts(folder: Path, *, deep: bool = True) -> list[Path]:
    """Deletes what processes that are gone were writing, and returns what it deleted.

    Files are renamed when they are whole: what still has the name of a part is of no use to anybody.

    Args:
        folder: to look in; it need not be there.
        deep: look into all folders below it, too.
    """
    found = []
    for path in [*(folder.rglob if deep else folder.glob)(f"simrec-*{PART}*")]:
        named = re.fullmatch(rf"simrec-(\d+)-.*{re.escape(PART)}(-journal|-wal|-shm)?", path.name)
        if named and not (_is_running(int(named[1])) and _is_fresh(path)):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            found.append(path)
    return found


def _is_running(pid: int) -> bool:
    if pid == os.getpid() or os.name == "nt":  # there, this would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it is another user's
    return True


def _is_fresh(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < STALE
    except OSError:
        return False  # it is gone


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
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=part_prefix(), suffix=PART)
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield part, file
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}; {advice}") from error
    finally:
        if part:
            part.unlink(missing_ok=True)
