"""Compiled work on all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from threading import Lock
from typing import Any

from joblib import cpu_count


class _OneThread:
    """How many want matrix products by one thread each, and what ends that."""

    def __init__(self) -> None:
        self.lock, self.wanted, self.limit = Lock(), 0, None

    limit: Any


_one_thread = _OneThread()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Matrix products take one thread each, in all threads of the process, until the last that wants it is done.

    That is how threads that multiply side by side get in nobody's way, and how the sums of a product are in one order.
    """
    from threadpoolctl import threadpool_limits

    with _one_thread.lock:
        if not _one_thread.wanted:
            _one_thread.limit = threadpool_limits(1, "blas")
        _one_thread.wanted += 1
    try:
        yield
    finally:
        with _one_thread.lock:
            _one_thread.wanted -= 1
            if not _one_thread.wanted:
                _one_thread.limit.restore_original_limits()


def in_chunks(worker: Callable[[], Callable[[slice], None]], b: int, size: int) -> None:
    """Does the work on b queries in parts, each by a thread that is free; a single part without any.

    Args:
        worker: called once in each thread, for what works on a part; its scratch memory is the thread's own.
        b: queries.
        size: of a part.
    """
    starts = count(0, size)

    def run(_: int) -> None:
        work = worker()
        while (first := next(starts)) < b:
            work(slice(first, min(first + size, b)))

    threads = min(cpu_count(), -(-b // size))
    if threads <= 1:
        run(0)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(threads)))
