"""Long work, and processes that answer, without Python's search for garbage."""

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


def keep() -> None:
    """What there is by now is left out of every search for garbage: a site that is held in memory, and all modules.

    For a process that answers: all its threads stop for a search, 0.2 s for a service without its site, longer for a
    large site. What is kept is freed as ever, unless it has cycles.
    """
    gc.freeze()


__all__ = ["keep", "uncollected"]
