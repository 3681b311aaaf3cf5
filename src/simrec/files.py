"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

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
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
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
