"""An attempt at a task, in a worker: the work itself, what it said, and how much memory it held."""

from __future__ import annotations

import json
import platform
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from simrec import __version__
from simrec.errors import SimrecError
from simrec.scale.faults import is_transient
from simrec.scale.hanging import noted
from simrec.scale.tasks import Task, Work, do

CLAIM = "driver"
"""A file in the build's folder: the token of the driver that the build belongs to."""
SAID, THROWN, TRANSIENT, REFUSED = "said", "thrown", "transient", "refused"
"""What an attempt comes to: the work said something, threw, met a disk or a network that failed, or ended in an error
that is the user's."""
UNSEEN, OTHER = "unseen", "other"
"""What it comes to where there is no work: the folder that is seen here, or the code, is not the driver's."""
SMALL = 64 << 10
"""Bytes of what a task may say: so little travels in Ray's messages, and its object store stays empty."""
SIGHT = 5.0
"""Seconds after which what was written elsewhere has to be seen here: network file systems look again after some."""


def attempt(folder: str, token: str, stage: str, work: Work, task: Task) -> dict[str, Any]:
    """Does a task, where this node sees what the driver sees.

    Args:
        folder: of the build.
        token: of the driver.
        stage: its name.
        work: see `simrec.scale.tasks.Work`.
        task: its name and arguments.

    Returns:
        one of `SAID` (with what it said), `THROWN`, `TRANSIENT` and `REFUSED` (a line; `trace` has the whole, `kind` is
        the error's class), `UNSEEN` (True) and `OTHER` (a line); and `where`, the node's address.
    """
    where = node()
    if not sees(folder, token):
        return {UNSEEN: True, "where": where}
    if differs := unlike(token):
        return {OTHER: differs, "where": where}
    try:
        with noted(folder, stage, task.name, where):
            return {SAID: do(folder, stage, Measured(work), task), "where": where}
    except Exception as error:  # whatever it is, the driver decides what becomes of it
        trace = "".join(traceback.format_exception(error))[-SMALL:]
        return {kind_of(error): told(error), "kind": type(error).__name__, "trace": trace, "where": where}


def kind_of(error: Exception) -> str:
    """What an attempt that ended in an error comes to."""
    if is_transient(error):
        return TRANSIENT
    return REFUSED if isinstance(error, SimrecError) else THROWN


def told(error: Exception) -> str:
    """An error in a line; those of simrec say what to do, others are named by their class.

    >>> told(ValueError("no number"))
    'ValueError: no number'
    """
    return line(error) if isinstance(error, SimrecError) else f"{type(error).__name__}: {line(error)}"


def new_token(unique: str) -> str:
    """A token of a driver, which also names what has to be the same everywhere."""
    return json.dumps({"driver": unique, **versions()})


def unlike(token: str) -> str:
    """What is another here than where a token was made, in a line; nothing where all is the same."""
    return next((f"{name} {here}, the driver {there}" for name, here, there in _pairs(token) if here != there), "")


def _pairs(token: str) -> list[tuple[str, str, str]]:
    there = json.loads(token)
    return [(name, here, there.get(name, "another")) for name, here in versions().items()]


def versions() -> dict[str, str]:
    """What has to be the same everywhere for the same result."""
    import numpy as np

    return {"Python": platform.python_version(), "simrec": __version__, "numpy": np.__version__}


def sees(folder: str, token: str, patience: float = SIGHT) -> bool:
    """Whether the folder that is seen here is the one in which a driver left its token."""
    end = time.monotonic() + patience
    while True:
        with suppress(OSError):
            if (Path(folder) / CLAIM).read_text(encoding="utf-8") == token:
                return True
        if time.monotonic() > end:
            return False
        time.sleep(0.2)


def node() -> str:
    """The address of the node that this worker is on."""
    from ray import util

    told: Any = util  # it carries no types
    return str(told.get_node_ip_address())


def line(error: BaseException) -> str:
    """An error's first line.

    >>> line(ValueError("no number\\nat all"))
    'no number'
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class Measured:
    """Work that also says how much memory it held.

    It adds `memory` and `resident`: see `Meter`.

    Args:
        work: see `simrec.scale.tasks.Work`.
    """

    def __init__(self, work: Work) -> None:
        self._work = work

    def __call__(self, folder: str, *arguments: Any) -> Mapping[str, Any]:
        """Does it.

        Raises:
            ValueError: it says more than a message may carry.
        """
        with Meter() as meter:
            said = dict(self._work(folder, *arguments))
        size = len(json.dumps(said))
        if size > SMALL:
            raise ValueError(f"a task says {size} bytes, more than {SMALL}: write what it makes into files")
        return {**said, "memory": meter.memory, "resident": meter.resident}


class Meter:
    """The most memory that this process holds, beside what it holds before, while the meter is on.

    Attributes:
        memory: bytes of its own, looked at fifty times a second.
        resident: bytes with the pages of files that it has looked at: those the system takes back when it needs them.
    """

    EVERY = 0.02

    def __init__(self) -> None:
        self.memory = self.resident = 0
        self._off = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Meter:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is counted from here on
        self._before = _held()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._off.set()
        self._thread.join()
        self._take()

    def _look(self) -> None:
        while not self._off.wait(self.EVERY):
            self._take()

    def _take(self) -> None:
        memory, _, peak = _held()
        self.memory = max(self.memory, memory - self._before[0])
        self.resident = max(self.resident, peak - self._before[1])


def _held() -> tuple[int, int, int]:
    """Bytes of this process: its own, resident ones, and the peak of these; where it is not told, that peak thrice."""
    try:
        told = dict(found.split(":", 1) for found in Path("/proc/self/status").read_text("ascii").splitlines())
        memory, resident, peak = (int(told[name].split()[0]) << 10 for name in ("RssAnon", "VmRSS", "VmHWM"))
    except (OSError, KeyError, ValueError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << (0 if sys.platform == "darwin" else 10)
        return peak, peak, peak
    return memory, resident, peak
