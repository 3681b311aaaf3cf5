"""Matrix products by one thread each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

_lock = Lock()
_wanted: list[Any] = []
"""For each that wants one thread, what gives the process its threads back; None but for the first."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Matrix products take one thread each, in all threads of the process, until the last that wants it is done.

    That is how threads that multiply side by side get in nobody's way, and how the sums of a product are in one order.
    """
    from threadpoolctl import threadpool_limits

    with _lock:
        _wanted.append(None if _wanted else threadpool_limits(1, "blas"))
    try:
        yield
    finally:
        with _lock:
            if len(_wanted) > 1:
                _wanted.pop()
            else:
                _wanted.pop().restore_original_limits()
