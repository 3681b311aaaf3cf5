"""Works that behave and misbehave, for workers to import; run as a program it is a driver of `count`."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from simrec.errors import InputError, StoreError
from simrec.scale.tasks import Task


def paths() -> str:
    """PYTHONPATH of workers and drivers: the package, and this module."""
    import simrec

    return os.pathsep.join([str(Path(simrec.__file__).parents[1]), str(Path(__file__).parent)])


def begin(folder: str, name: str) -> int:
    """Notes an attempt, its node and its process; how many there were before."""
    import ray

    kept = Path(folder) / "attempts"
    kept.mkdir(exist_ok=True)
    before = attempts(folder, name)
    where = ray.get_runtime_context().get_node_id()
    (kept / f"{name}.{uuid4().hex}").write_text(f"{where} {os.getpid()}", encoding="utf-8")
    return before


def attempts(folder: str | Path, name: str = "*") -> int:
    """Attempts at a task, or at all."""
    return len([*(Path(folder) / "attempts").glob(f"{name}.*")])


def places(folder: str | Path) -> list[tuple[str, int]]:
    """The node and the process of each attempt."""
    told = [path.read_text(encoding="utf-8").split() for path in (Path(folder) / "attempts").glob("*.*")]
    return [(one[0], int(one[1])) for one in told if one]


def count(folder: str, name: str, seconds: float) -> dict[str, Any]:
    """Takes its time."""
    begin(folder, name)
    time.sleep(seconds)
    (Path(folder) / f"{name}.txt").write_text(name, encoding="utf-8")
    return {"rows": 2, "bytes": len(name), "name": name}


def shaky(folder: str, name: str, good: int) -> dict[str, Any]:
    """Throws until it was tried so often."""
    if begin(folder, name) < good:
        raise ValueError("no luck\nat all")
    return {"rows": 1, "bytes": 0}


def flaky(folder: str, name: str, good: int) -> dict[str, Any]:
    """The disk fails until it was tried so often."""
    if begin(folder, name) < good:
        raise StoreError("a.npy cannot be written") from TimeoutError("nfs")
    return {"rows": 1, "bytes": 0}


def dying(folder: str, name: str, good: int) -> dict[str, Any]:
    """Takes its worker with it, until it was tried so often."""
    if begin(folder, name) < good:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"rows": 1, "bytes": 0}


def stuck(folder: str, name: str, good: int) -> dict[str, Any]:
    """Hangs until it was tried so often."""
    if begin(folder, name) < good:
        time.sleep(600)
    return {"rows": 1, "bytes": 0}


def wrong(folder: str, name: str) -> dict[str, Any]:
    """Is given what the user has to put right."""
    begin(folder, name)
    raise InputError("part.parquet has no column id: add one")


def chatty(folder: str, name: str) -> dict[str, Any]:
    """Says too much."""
    begin(folder, name)
    return {"rows": ["x"] * 20_000}


def hungry(folder: str, name: str, megabytes: int) -> dict[str, Any]:
    """Holds memory for a moment."""
    import numpy as np

    held = np.ones(megabytes << 17)
    time.sleep(0.2)
    threads = [os.environ[name] for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT")]
    return {"rows": len(held), "bytes": 0, "threads": threads}


def drive(folder: str, address: str, tasks: int, seconds: float) -> None:
    """A driver: does `count` so often."""
    from simrec.scale.cluster import connect
    from simrec.scale.runner import RayRunner

    with connect(address) as cluster:
        RayRunner(Path(folder), cluster).run("count", count, counts(tasks, seconds))


class Held:
    """Work that takes its time, so that something can happen to it.

    Args:
        work: the same.
        stage: whose it is.
    """

    def __init__(self, work: Any, stage: str) -> None:
        self._work, self._stage = work, stage

    def __call__(self, folder: str, *arguments: Any) -> Any:
        """Notes the attempt before."""
        begin(folder, self._stage)
        time.sleep(30)
        return self._work(folder, *arguments)


def counts(tasks: int, seconds: float) -> list[Task]:
    """So many tasks for `count`."""
    return [Task(f"{number:03d}", (f"{number:03d}", seconds)) for number in range(tasks)]


if __name__ == "__main__":
    drive(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
