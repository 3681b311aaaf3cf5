"""Long work without Python's search for garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_wanted: list[bool] = []
"""For each that wants none, whether it was the one that ended the search."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Nobody looks for cycles of garbage meanwhile, in all threads of the process, until the last that wants it ends.

    Where millions of objects are made that stay, every look goes through all of them, again and again, and finds
    nothing: a fourth of the time of a build that follows changes. What has no cycle is freed as ever.
    """
    with _lock:
        _wanted.append(not _wanted and gc.isenabled())
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            if len(_wanted) > 1:
                _wanted.pop()
            elif _wanted.pop(0):
                gc.enable()


__all__ = ["uncollected"]
