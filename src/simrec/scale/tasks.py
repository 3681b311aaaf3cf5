"""What a stage of a build consists of: tasks that can be done anywhere, again, and in any order."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from simrec.files import write_whole

DONE = "done"
"""The folder, in that of a build, with a file for each task that is done."""
Work = Callable[..., Mapping[str, Any]]
"""`work(folder, *arguments)`, at the top of a module: does a task, writes what it makes into the build's folder, each
file whole or not at all, and says of it `rows` and `bytes`, and whatever else the driver asks for, in plain values."""


class Task(NamedTuple):
    """A task.

    Attributes:
        name: unlike that of any other task of its stage, and fit for a file's name.
        arguments: of its work, plain values: small ones, for what is large is in files.
    """

    name: str
    arguments: tuple[Any, ...] = ()


class Runner(Protocol):
    """Does the tasks of a stage."""

    def run(self, stage: str, work: Work, tasks: Sequence[Task], *, memory: int = 0) -> list[dict[str, Any]]:
        """Does those tasks of a stage that are not done yet; what each of all of them said, in their order.

        Args:
            stage: its name.
            work: does one task; doing it twice does no harm.
            tasks: all of them.
            memory: bytes that one of them may take; 0: not known.
        """


class Serial:
    """Does one task after the other, in this process.

    Args:
        folder: of the build.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, stage: str, work: Work, tasks: Sequence[Task], *, memory: int = 0) -> list[dict[str, Any]]:
        """See `Runner`."""
        del memory
        return [said_before(self.folder, stage, task) or do(str(self.folder), stage, work, task) for task in tasks]


def do(folder: str, stage: str, work: Work, task: Task) -> dict[str, Any]:
    """Does a task, and notes that it is done when all that it made is there."""
    start = time.perf_counter()
    said = dict(work(folder, *task.arguments))
    said["seconds"] = round(time.perf_counter() - start, 4)
    path = _path(Path(folder), stage, task)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(said).encode(), "free some space and run it again")
    return said


def said_before(folder: Path, stage: str, task: Task) -> dict[str, Any] | None:
    """What a task said that was done before; None where it was not."""
    try:
        found: dict[str, Any] = json.loads(_path(folder, stage, task).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def _path(folder: Path, stage: str, task: Task) -> Path:
    return folder / DONE / stage / f"{task.name}.json"
