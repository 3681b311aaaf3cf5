"""Files of a build's folder, which other machines read: whole or not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from simrec.errors import StoreError
from simrec.scale.ground import AGAIN


def write_through(path: Path, fill: Callable[[Any], object]) -> int:
    """Writes a file under another name, then renames it; returns its bytes.

    Args:
        path: the file; the folders above it are made.
        fill: is given the open file, and writes what it shall hold.

    Raises:
        StoreError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            fill(file)
        size = partial.stat().st_size
        partial.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}; {AGAIN}") from error
    finally:
        partial.unlink(missing_ok=True)
    return size


__all__ = ["write_through"]
