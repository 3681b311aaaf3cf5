"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from pathlib import Path

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
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=part_prefix(), suffix=PART)
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}; {advice}") from error
    finally:
        if part:
            part.unlink(missing_ok=True)
