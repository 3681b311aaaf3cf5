"""Compiled work on all cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from joblib import cpu_count


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
