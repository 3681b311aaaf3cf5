"""Tasks that take far longer than others of their stage, and stages in which nothing moves."""

from __future__ import annotations

import logging
import os
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple, TypeVar

logger = logging.getLogger(__name__)

RUNNING = "running"
"""The folder, in that of a build, with a file for each task that a worker is at: the worker's node and process."""
LEAST, TIMES = 1800.0, 20.0
"""A task hangs that takes more seconds than these, and so many times those of half of the finished ones."""
STILL = 3600.0
"""Seconds after which a stage in which no task has ended says what it waits for."""
EVERY = 60.0
"""Seconds between two looks at what runs."""

T = TypeVar("T")


class Running(NamedTuple):
    """A task that a worker is at: its name, and where the worker is."""

    name: str
    where: str
    process: int


@contextmanager
def noted(folder: str, stage: str, task: str, where: str) -> Iterator[None]:
    """Notes that this process is at a task."""
    path = Path(folder) / RUNNING / stage / task
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{where} {os.getpid()}", encoding="ascii")
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()


class Sweeper:
    """Looks whether the tasks of a stage move.

    Args:
        folder: of the build.
        stage: its name.
    """

    def __init__(self, folder: Path, stage: str) -> None:
        self._folder, self._stage = folder / RUNNING / stage, stage
        self._since: dict[tuple[Running, int], float] = {}
        self._moved = self._told = self._looked = time.monotonic()

    def moved(self, task: str | None = None) -> None:
        """A task has ended; one that was lost has left its note."""
        self._moved = self._told = time.monotonic()
        if task:
            with suppress(OSError):
                (self._folder / task).unlink()

    def sweep(self, finished: Sequence[float], waiting: int) -> list[Running]:
        """Those that hang, each once; says what the stage waits for, where nothing has moved for long.

        Args:
            finished: seconds of each task of the stage that is done.
            waiting: tasks that are not done.
        """
        now = time.monotonic()
        if now - self._looked < EVERY:
            return []
        self._looked = now
        self._since = {found: self._since.get(found, now) for found in self._found()}
        self._complain(now, waiting)
        limit = max(LEAST, TIMES * statistics.median(finished)) if finished else float("inf")
        over = [found for found, since in self._since.items() if now - since > limit]
        for found in over:
            self._since[found] = now
            task, where, process = found[0]
            logger.warning(
                "%s, part %s runs for over %.0f s, %.0f times as long as others: process %d of node %s is ended",
                self._stage, task, limit, TIMES, process, where,
            )  # fmt: skip
        return [found for found, _ in over]

    def _found(self) -> Iterator[tuple[Running, int]]:
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(OSError, ValueError):  # it has ended meanwhile, or is being written
                    where, process = Path(entry.path).read_text(encoding="ascii").split()
                    yield Running(entry.name, where, int(process)), entry.stat().st_mtime_ns

    def _complain(self, now: float, waiting: int) -> None:
        if now - self._told < STILL:
            return
        self._told = now
        at = ", ".join([f"{found.name} on node {found.where}" for found, _ in self._since][:5])
        logger.warning(
            "%s: no task has ended for %.0f minutes; %d are not done, workers are at %s; look at `ray status`",
            self._stage, (now - self._moved) / 60, waiting, at or "none of them: no cpu or memory is free",
        )  # fmt: skip


def end(process: int) -> bool:
    """Ends a worker of Ray on this node; whether there was one."""
    try:
        if b"ray::" not in Path(f"/proc/{process}/cmdline").read_bytes():
            return False
        os.kill(process, signal.SIGKILL)
    except OSError:
        return False
    return True


def awaited(rows: Iterator[T], look: Callable[[], None], every: float) -> Iterator[T]:
    """Rows that may never come.

    Args:
        rows: read by a thread of its own, which is left to itself where this ends early.
        look: called while none comes; what it raises ends the wait.
        every: seconds between two looks.
    """
    given: SimpleQueue[tuple[list[T], BaseException | None]] = SimpleQueue()

    def read() -> None:
        try:
            for row in rows:
                given.put(([row], None))
        except BaseException as error:  # who waits raises it
            given.put(([], error))
        else:
            given.put(([], None))

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            found, error = given.get(timeout=every)
        except Empty:
            look()
            continue
        if error is not None:
            raise error
        if not found:
            return
        yield from found


__all__ = ["Running", "Sweeper", "awaited", "end", "noted"]
