"""Tasks of a stage on a Ray cluster: a few at a time, again where one comes to nothing, and none that is done."""

from __future__ import annotations

import heapq
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from simrec import errors
from simrec.errors import ClusterError, SimrecError
from simrec.scale.attempt import OTHER, REFUSED, SAID, THROWN, TRANSIENT, UNSEEN, attempt, line
from simrec.scale.cluster import Cluster
from simrec.scale.hanging import Sweeper
from simrec.scale.tasks import DONE, Task, Work, said_before
from simrec.scale.watching import Summary, Watch
from simrec.types import Progress, no_progress

logger = logging.getLogger(__name__)

ERRORS = "errors"
"""The folder, in that of a build, with a file for each task that threw: all that it threw."""
AHEAD = 3
"""Tasks that are given to Ray at once, for each cpu: no node waits for the driver, and no queue grows."""
THROWS, LOSSES = 3, 8
"""Attempts at a task that may throw; and that may be lost with their worker or node, or meet a disk or a network that
fails, for which the task may not be to blame."""
FIRST_WAIT, LONGEST_WAIT = 0.25, 30.0
"""Seconds before a task is tried again: they double with each time."""
LOOK = 1.0
"""Seconds after which the driver looks about, where no task ends."""
PATIENCE = 300.0
"""Seconds that a cluster may be without any cpu."""
KEPT = "what is done is kept"
"""The end of what is said where a build ends before it is done."""


class Try(NamedTuple):
    """A task, and what became of earlier attempts at it.

    Attributes:
        place: its number in the stage.
        task: the task.
        throws, losses: attempts that threw; that were lost, or met a disk or a network that failed.
        memory: bytes to ask for.
    """

    place: int
    task: Task
    throws: int = 0
    losses: int = 0
    memory: int = 0

    @property
    def wait(self) -> float:
        """Seconds before the next attempt."""
        return min(FIRST_WAIT * 2.0 ** (self.throws + self.losses - 1), LONGEST_WAIT)


class RayRunner:
    """Does the tasks of stages on a cluster; see `simrec.scale.tasks.Runner`.

    Args:
        folder: of the build; all nodes see it.
        cluster: see `simrec.scale.cluster.connect`.
        progress: shows how far a stage is.
        patience: seconds that the cluster may be without any cpu.

    Attributes:
        cluster, patience: the same.
        summary: of all stages.
    """

    def __init__(
        self, folder: Path, cluster: Cluster, progress: Progress = no_progress, *, patience: float = PATIENCE
    ) -> None:
        self.folder = folder.resolve()
        self.cluster = cluster
        self.summary = Summary(self.folder)
        self._progress = progress
        self.patience = patience
        self._token = cluster.claim(self.folder)
        self._attempt = cluster.ray.remote(attempt)

    def run(self, stage: str, work: Work, tasks: Sequence[Task], *, memory: int = 0) -> list[dict[str, Any]]:
        """Does those tasks of a stage that are not done yet; what each of all of them said, in their order.

        A task that throws, is lost with its worker or its node, or meets a disk or a network that fails, is done again.
        Where one fails for good, where the build is interrupted, or where an error is the user's, what is done is kept;
        what is under way ends with the connection: to cancel a task at the moment at which it ends can bring Ray down,
        and the driver with it.

        Raises:
            ClusterError: a task failed for good, a node does not see the folder, or there are no cpus.
            SimrecError: a task raised it: it is the user's, or came again and again.
        """
        self.cluster.prove(self.folder, self._token)
        said = self._said_before(stage, tasks)
        todo = (Try(place, task, memory=memory) for place, task in enumerate(tasks) if not said[place])
        before = sum(one is not None for one in said)
        with self.summary.watch(stage, len(tasks), before, self._progress) as watch:
            for one in filter(None, said):
                watch.found(one)

            def done(place: int, value: dict[str, Any]) -> None:
                said[place] = value
                watch.done(value)

            if before < len(tasks):
                _Stage(self, stage, work, watch, done, self.patience).run(todo)
        return [one or {} for one in said]

    def _said_before(self, stage: str, tasks: Sequence[Task]) -> list[dict[str, Any] | None]:
        try:
            with os.scandir(self.folder / DONE / stage) as entries:
                there = {entry.name for entry in entries}
        except FileNotFoundError:
            there = set()
        return [said_before(self.folder, stage, task) if f"{task.name}.json" in there else None for task in tasks]

    @property
    def token(self) -> str:
        """Proves to workers that the folder is this driver's."""
        return self._token

    @property
    def progress(self) -> Progress:
        """Shows how far a stage is."""
        return self._progress

    def submit(self, stage: str, work: Work, task: Task, memory: int) -> Any:
        """Gives an attempt at a task, for which it asks for so many bytes, to Ray."""
        asked = {"memory": memory} if memory else {}
        remote = self._attempt.options(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD", **asked)
        return remote.remote(str(self.folder), self._token, stage, work, task)


class _Stage:
    """A stage that is being run.

    Args:
        runner: whose it is.
        name: of the stage.
        work: does a task.
        watch: counts what happens.
        done: takes a task's place and what it said.
        patience: seconds that the cluster may be without any cpu.
    """

    def __init__(
        self,
        runner: RayRunner,
        name: str,
        work: Work,
        watch: Watch,
        done: Callable[[int, dict[str, Any]], None],
        patience: float,
    ) -> None:
        self._runner, self._cluster, self._ray = runner, runner.cluster, runner.cluster.ray
        self._name, self._work, self._watch, self._done = name, work, watch, done
        self._patience = patience
        self._flying: dict[Any, Try] = {}
        self._sweeper = Sweeper(runner.folder, name)
        self._again: list[tuple[float, int, Try]] = []
        self._order = count()
        self._looked = self._alive = 0.0
        self._cpus = self._memory = 0

    def run(self, todo: Iterator[Try]) -> None:
        """Does all of them."""
        self._look(force=True)
        more = True
        while more or self._flying or self._again:
            more = self._fill(todo) and more
            self._collect()
            self._look()

    def _fill(self, todo: Iterator[Try]) -> bool:
        """Submits as many as there is room for; whether there may be more in `todo`."""
        while len(self._flying) < AHEAD * max(self._cpus, 1):
            if self._again and self._again[0][0] <= time.monotonic():
                one = heapq.heappop(self._again)[2]
            elif (found := next(todo, None)) is not None:
                one = found
            else:
                return False
            asked = min(one.memory, self._memory)
            self._flying[self._runner.submit(self._name, self._work, one.task, asked)] = one
        return True

    def _collect(self) -> None:
        """Takes what has ended, after a while that ends with the first one."""
        due = self._again[0][0] - time.monotonic() if self._again else LOOK
        wait = min(max(due, 0.0), LOOK)
        if not self._flying:
            time.sleep(wait)
            return
        ready, rest = self._ray.wait(list(self._flying), num_returns=1, timeout=wait)
        if ready and rest:
            ready += self._ray.wait(rest, num_returns=len(rest), timeout=0)[0]
        for ref in ready:
            self._sweeper.moved()
            self._take(self._flying.pop(ref), ref)
        self._watch.tell()

    def _take(self, one: Try, ref: Any) -> None:
        """What an attempt came to."""
        raised = self._ray.exceptions
        try:
            found = self._ray.get(ref)
        except (raised.RayTaskError, raised.RuntimeEnvSetupError) as error:  # the worker could not even begin
            self._threw(one, {THROWN: str(error).strip().splitlines()[-1], "trace": str(error), "where": "a worker"})
        except raised.OutOfMemoryError as error:
            self._lost(one._replace(memory=self._larger(one.memory)), error)
        except raised.RayError as error:
            self._lost(one, error)
        else:
            if SAID in found:
                self._done(one.place, found[SAID])
            elif REFUSED in found:
                raise _user_error(found["kind"], found[REFUSED])
            elif UNSEEN in found:
                advice = "give them one disk, and let one build at a time work in it"
                raise ClusterError(
                    f"node {found['where']} sees another {self._runner.folder} than the driver: {advice}"
                )
            elif OTHER in found:
                raise ClusterError(f"node {found['where']} has {found[OTHER]}: install that")
            else:
                self._threw(one, found)

    def _threw(self, one: Try, found: Mapping[str, str]) -> None:
        file = self._runner.folder / ERRORS / self._name / f"{one.task.name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as kept:
            kept.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} on {found['where']}\n{found['trace'].rstrip()}\n\n")
        if TRANSIENT in found:
            kind = found["kind"]
            self._try_again(one._replace(losses=one.losses + 1), found[TRANSIENT], f"{file} has all of it", kind)
        else:
            advice = f"{file} has all of it; put it right"
            self._try_again(one._replace(throws=one.throws + 1), found[THROWN], advice)

    def _lost(self, one: Try, error: Exception) -> None:
        kind = type(error).__name__
        advice = "its parts may be too large for the nodes' memory: make them smaller, or take larger nodes"
        if kind != "OutOfMemoryError":
            advice = "look at `ray status` and at the nodes' logs in /tmp/ray/session_latest/logs"
        self._try_again(one._replace(losses=one.losses + 1), f"{kind}: {line(error)}", advice)

    def _try_again(self, one: Try, told: str, advice: str, kind: str = "") -> None:
        self._watch.retried()
        if one.throws >= THROWS or one.losses >= LOSSES:
            if _is_ours(kind):
                raise _user_error(kind, f"{told}; {one.throws + one.losses} attempts failed, {KEPT}: run it again")
            times = one.throws + one.losses
            failed = f"{self._name}, part {one.task.name}: failed {times} times, {told}"
            raise ClusterError(f"{failed}; {advice}, then run it again: {KEPT}")
        logger.warning("%s, part %s is tried again: %s", self._name, one.task.name, told)
        self._sweeper.moved(one.task.name)
        heapq.heappush(self._again, (time.monotonic() + one.wait, next(self._order), one))

    def _larger(self, memory: int) -> int:
        """Bytes to ask for where a task was ended since memory was short: fewer run beside it."""
        return min(max(4 * memory, self._memory // 4), self._memory)

    def _look(self, *, force: bool = False) -> None:
        """Nodes come and go: looks how many cpus there are, and how much memory one has."""
        now = time.monotonic()
        if not force and now - self._looked < LOOK:
            return
        self._looked = now
        before, self._memory, self._cpus = self._memory, self._cluster.memory, self._cluster.cpus
        if self._cpus or force:
            self._alive = now
        elif now - self._alive > self._patience:
            raise ClusterError(
                f"no node of the cluster has a cpu: start some with `ray start`, and run it again: {KEPT}"
            )
        for ref, one in self._flying.items():
            if min(one.memory, before) > self._memory:  # it would wait for ever
                self._ray.cancel(ref)
        hang = {found.name for found in self._sweeper.sweep(self._watch.finished, len(self._flying) + len(self._again))}
        for ref in [ref for ref, one in self._flying.items() if one.task.name in hang]:
            self._ray.cancel(ref, force=True)


def _is_ours(kind: str) -> bool:
    found = getattr(errors, kind, None)
    return isinstance(found, type) and issubclass(found, SimrecError)


def _user_error(kind: str, told: str) -> SimrecError:
    found: type[SimrecError] = getattr(errors, kind) if _is_ours(kind) else SimrecError
    return found(told)
