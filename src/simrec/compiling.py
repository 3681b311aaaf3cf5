"""Compiled loops: numba keeps them on disk, or in memory alone where nothing can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def njit(**options: Any) -> Callable[[Any], Any]:
    """A decorator that compiles a function at its first call, without Python's lock.

    What was compiled is kept beside the source, in the user's cache or in ``NUMBA_CACHE_DIR``. Where none can be
    written, as under a service manager that makes the disk read-only, each process compiles for itself.

    Args:
        options: of `numba.njit`.
    """

    def decorate(function: Any) -> Any:
        try:
            return numba.njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # numba finds no place for its cache
            return numba.njit(nogil=True, **options)(function)

    return decorate
