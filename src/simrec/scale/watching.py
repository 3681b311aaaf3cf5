"""How far a build is: bars, lines of the log, and a summary of each stage."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simrec.files import write_whole
from simrec.types import Bar, Progress, no_progress

logger = logging.getLogger(__name__)

SUMMARY = "summary.json"
"""The file of the summary, in the folder of a build; written anew while a stage is under way."""
EVERY = 30.0
"""Seconds between two lines of the log, and two times that the file is written."""
RUNNING, DONE, FAILED = "running", "done", "failed"
"""States of a stage; one that is "running" in the file of a build that does not run was killed."""
COLUMNS = ("stage", "tasks", "before", "rows", "MB", "seconds", "of tasks", "retries", "MB a task", "with files")


@dataclass
class StageSummary:
    """A stage, in all runs of its build.

    Attributes:
        name: its name.
        state: "running", "done" or "failed".
        tasks: of the stage that are done.
        total: of the stage.
        skipped: tasks that this run found done.
        rows, bytes: what its tasks said.
        seconds: that it took, from its begin to its end.
        work: seconds of its tasks, one after the other.
        retries: attempts at tasks that came to nothing.
        memory: the most bytes of its own that a task took.
        resident: the same with the pages of files that it looked at.
        left: seconds that are left, by what is done; 0 where nothing is done yet.
    """

    name: str
    state: str = RUNNING
    tasks: int = 0
    total: int = 0
    skipped: int = 0
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    work: float = 0.0
    retries: int = 0
    memory: int = 0
    resident: int = 0
    left: float = 0.0

    def line(self) -> str:
        """It in words.

        >>> StageSummary("tfidf", "done", 8, 8, 2, 40_000, 3_000_000, 1.5, 2.0, 1, 50_000_000).line()
        'tfidf: done, 8 of 8 tasks (2 before), 40000 rows, 3.0 MB, 1 retries, at most 50 MB a task, 1.5 s'
        """
        left = f", about {self.left:.0f} s left" if self.left else ""
        before = f" ({self.skipped} before)" if self.skipped else ""
        made = f"{self.rows} rows, {self.bytes / 1e6:.1f} MB, {self.retries} retries"
        memory = f"at most {self.memory / 1e6:.0f} MB a task, {self.seconds:.1f} s{left}"
        return f"{self.name}: {self.state}, {self.tasks} of {self.total} tasks{before}, {made}, {memory}"

    def told(self) -> dict[str, float]:
        """It as a report tells it."""
        counts = {"tasks": self.tasks, "bytes": self.bytes, "retries": self.retries, "memory": self.memory}
        return {"seconds": self.seconds, "rows": self.rows, **counts}

    def cells(self) -> list[str]:
        """A row of the table; see `COLUMNS`."""
        numbers = [f"{self.seconds:.1f}", f"{self.work:.1f}", str(self.retries)]
        memory = [f"{self.memory / 1e6:.0f}", f"{self.resident / 1e6:.0f}"]
        made = [f"{self.rows}", f"{self.bytes / 1e6:.1f}"]
        return [self.name, f"{self.tasks}/{self.total}", str(self.skipped), *made, *numbers, *memory]


class Summary:
    """All stages of a build, kept in its folder: a run that goes on with one adds to what was there.

    Args:
        folder: of the build.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / SUMMARY
        self.stages = {stage.name: stage for stage in _read(self._path)}

    def table(self) -> str:
        """The stages for a terminal, a line each."""
        rows = [list(COLUMNS), *(stage.cells() for stage in self.stages.values())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [[cell.rjust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
        return "\n".join("  ".join([row[0].ljust(widths[0]), *line[1:]]) for row, line in zip(rows, lines, strict=True))

    def save(self) -> None:
        """Writes it.

        Raises:
            StoreError: it cannot be written.
        """
        text = json.dumps([asdict(stage) for stage in self.stages.values()], indent=1)
        write_whole(self._path, text.encode(), "free some space and run it again")

    @contextmanager
    def watch(self, name: str, total: int = 1, before: int = 0, progress: Progress = no_progress) -> Iterator[Watch]:
        """Watches a stage from its begin to its end; also what the driver does by itself, as one task.

        Args:
            name: the stage's.
            total: its tasks.
            before: those that are done already.
            progress: shows how far it is.
        """
        known = self.stages.get(name, StageSummary(name))
        stage = StageSummary(name, total=total, skipped=before, seconds=known.seconds, retries=known.retries)
        self.stages[name] = stage
        logger.info("%s: begins, %d of %d tasks are done", name, before, total)
        with progress(name, total - before) as bar:
            watch = Watch(self, stage, bar)
            try:
                yield watch
                stage.state = DONE
            except BaseException:
                stage.state = FAILED
                raise
            finally:
                watch.close()


class Watch:
    """A stage that is under way.

    Args:
        summary: of the build.
        stage: of this stage.
        bar: shows what is done.

    Attributes:
        finished: seconds of each task that is done.
    """

    def __init__(self, summary: Summary, stage: StageSummary, bar: Bar) -> None:
        self.stage = stage
        self.finished: list[float] = []
        self._summary, self._bar = summary, bar
        self._start = self._told = time.monotonic()
        self._before = stage.seconds

    def found(self, said: Mapping[str, Any]) -> None:
        """A task was done before this run."""
        stage = self.stage
        stage.tasks += 1
        stage.rows += int(said.get("rows", 0))
        stage.bytes += int(said.get("bytes", 0))
        if "seconds" in said:
            self.finished.append(float(said["seconds"]))
            stage.work += self.finished[-1]
        stage.memory = max(stage.memory, int(said.get("memory", 0)))
        stage.resident = max(stage.resident, int(said.get("resident", 0)))

    def done(self, said: Mapping[str, Any]) -> None:
        """A task is done."""
        self.found(said)
        self._bar.update()
        self.tell()

    def retried(self) -> None:
        """An attempt came to nothing."""
        self.stage.retries += 1

    def tell(self, *, now: bool = False) -> None:
        """Logs how far it is, and writes it down, when it is time to."""
        if not now and time.monotonic() - self._told < EVERY:
            return
        self._take()
        logger.info("%s", self.stage.line())
        self._summary.save()
        self._told = time.monotonic()

    def close(self) -> None:
        """The stage is over."""
        self.tell(now=True)

    def _take(self) -> None:
        stage, spent = self.stage, time.monotonic() - self._start
        made = max(stage.tasks - stage.skipped, 0)
        stage.seconds = round(self._before + spent, 3)
        stage.work = round(stage.work, 3)
        over = stage.state != RUNNING or not made
        stage.left = 0.0 if over else round(spent / made * max(stage.total - stage.tasks, 0), 1)


@contextmanager
def by_driver(runner: Any, name: str, total: int = 1) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Watches what a driver does by itself, as a stage, where its runner keeps a summary.

    Args:
        runner: of the build.
        name: the stage's.
        total: its steps.

    Yields:
        what is called at the end of each step with its `rows` and `bytes`.
    """
    summary: Summary | None = getattr(runner, "summary", None)
    if summary is None:
        yield lambda said: None
        return
    with summary.watch(name, total, 0, runner.progress) as watch:
        yield watch.done


def _read(path: Path) -> list[StageSummary]:
    try:
        return [StageSummary(**found) for found in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
