"""The process that a contender runs in: makes its work ready, times it, and writes what it found.

A contender is a function that takes plain arguments, imports and loads what it needs, warms up, and returns the
function that is timed. What that one returns is a dict: arrays are written beside the result, all else is a figure;
a function in it is called when the time has been taken.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

Work = Callable[[], dict[str, Any]]

RUNS = 3
LONG = 10.0
"""Seconds of all runs from which there is no further one."""
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class NotThere(Exception):  # noqa: N818  no error, a reason
    """A contender cannot be run here, and why."""


def main() -> None:
    """Reads the task from the command line: target, arguments, runs at most, and the file to write to."""
    task = json.loads(sys.argv[1])
    out = Path(task["out"])
    try:
        found = time_it(prepare(task["target"], task["arguments"]), task["runs"], out.with_suffix(".npz"))
    except NotThere as reason:
        found = {"skipped": str(reason)}
    except ModuleNotFoundError as error:
        found = {"skipped": missing(error.name or str(error))}
    found["peak_rss_mb"] = peak_mb()
    out.write_text(json.dumps(found), encoding="utf-8")


def prepare(target: str, arguments: dict[str, Any]) -> Work:
    """What `module:function` makes of its arguments."""
    module, name = target.split(":")
    work: Work = getattr(import_module(module), name)(**arguments)
    return work


def time_it(work: Work, runs: int, arrays: Path) -> dict[str, Any]:
    """Runs it up to so many times, fewer where that takes long; keeps the last result."""
    seconds: list[float] = []
    result: dict[str, Any] = {}
    while not seconds or (len(seconds) < runs and sum(seconds) < LONG):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    import numpy as np

    result = {name: value() if callable(value) else value for name, value in result.items()}
    made: Any = {name: value for name, value in result.items() if isinstance(value, np.ndarray)}
    if made:
        np.savez(arrays, **made)
    figures = {name: value for name, value in result.items() if name not in made}
    return {
        "seconds": min(seconds),
        "runs": [round(value, 4) for value in seconds],
        "figures": figures,
        "arrays": str(arrays) if made else "",
    }


def missing(module: str) -> str:
    """Why a module is not there."""
    if module.startswith("simrec"):
        return f"this simrec has no {module}"
    return f"{module} is not installed: pip install simrec[bench]"


def peak_mb() -> float:
    """The most memory that this process has held, in megabytes; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


def watch_memory() -> Callable[[], float | None]:
    """Gives a function that says how far memory rose at most since now, in megabytes; None where that is not known."""
    try:
        CLEAR.write_text("5", encoding="ascii")  # the peak starts from here
        before = _status("VmRSS")
    except OSError:
        return lambda: None
    return lambda: round(_status("VmHWM") - before, 1)


def _status(name: str) -> float:
    lines = STATUS.read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))
