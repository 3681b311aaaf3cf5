"""How a driver decides, on a cluster that is made up: it does what it is given when it is waited for."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from simrec.errors import ClusterError, InputError
from simrec.scale import embedding_workers, hanging, watching
from simrec.scale import runner as running
from simrec.scale.attempt import SAID, THROWN, TRANSIENT, UNSEEN
from simrec.scale.runner import AHEAD, LOSSES, RayRunner
from simrec.scale.tasks import Task, do
from simrec.scale.watching import StageSummary, Summary


class LostError(Exception):
    """As Ray's RayError."""


class NoMemoryError(LostError):
    """As Ray's OutOfMemoryError."""


class CancelledError(LostError):
    """As Ray's TaskCancelledError."""


class BrokenError(LostError):
    """As Ray's RayTaskError."""


class MadeUp:
    """A cluster and its Ray.

    Args:
        answer: what an attempt comes to, by its task and the memory that it asks for: a value, or an error to raise.
    """

    exceptions = SimpleNamespace(
        RayError=LostError, OutOfMemoryError=NoMemoryError, RayTaskError=BrokenError, RuntimeEnvSetupError=BrokenError
    )

    def __init__(self, answer: Callable[[Task, int], Any]) -> None:
        self.answer = answer
        self.ray = self
        self.cpus, self.memory = 2, 8 << 30
        self.flying: dict[int, tuple[Task, int]] = {}
        self.most, self.cancelled = 0, list[int]()
        self._numbers = itertools.count()

    def claim(self, folder: Path) -> str:
        """Nobody asks."""
        return "token"

    def prove(self, folder: Path, token: str) -> None:
        """Nobody asks."""

    def remote(self, work: Any) -> Any:
        """Notes what is submitted."""
        return SimpleNamespace(
            options=lambda **options: SimpleNamespace(remote=lambda *all_: self._fly(all_[-1], options))
        )

    def _fly(self, task: Task, options: dict[str, Any]) -> int:
        assert options["num_cpus"] == 1
        number = next(self._numbers)
        self.flying[number] = (task, options.get("memory", 0))
        self.most = max(self.most, len(self.flying))
        return number

    def wait(self, refs: list[int], num_returns: int, timeout: float) -> tuple[list[int], list[int]]:
        """The first that ends; none that waits for memory that no node has."""
        able = [ref for ref in refs if ref in self.cancelled or self.flying[ref][1] <= self.memory]
        able = able if self.cpus else []
        return able[:1], [ref for ref in refs if ref not in able[:1]]

    def get(self, ref: int) -> Any:
        """What it came to."""
        task, memory = self.flying.pop(ref)
        found = CancelledError("cancelled") if ref in self.cancelled else self.answer(task, memory)
        if isinstance(found, Exception):
            raise found
        return found

    def cancel(self, ref: int, force: bool = False) -> None:
        """Notes it."""
        self.cancelled.append(ref)


def tasks(count: int) -> list[Task]:
    """So many."""
    return [Task(f"{number:06d}", (number,)) for number in range(count)]


def fine(task: Task, memory: int) -> Any:
    """Every attempt says something."""
    return {SAID: {"rows": 1, "number": task.arguments[0], "asked": memory}, "where": "here"}


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here takes its time."""
    monkeypatch.setattr(running, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(running, "LOOK", 0.01)


def test_a_few_tasks_are_under_way_at_once_of_however_many(tmp_path: Path) -> None:
    """What they said is in the order of the tasks."""
    made = MadeUp(fine)
    said = RayRunner(tmp_path, made).run("many", print, tasks(5_000))  # type: ignore[arg-type]
    assert [one["number"] for one in said] == [*range(5_000)]
    assert made.most == AHEAD * 2


def test_a_task_whose_memory_was_short_asks_for_more(tmp_path: Path) -> None:
    """Until it has a node for itself; after so many losses the build ends with advice."""
    asked: list[int] = []

    def short(task: Task, memory: int) -> Any:
        asked.append(memory)
        return fine(task, memory) if memory >= 8 << 30 else NoMemoryError("worker was killed\nsince memory was short")

    made = MadeUp(short)
    RayRunner(tmp_path, made).run("big", print, tasks(1), memory=1 << 30)  # type: ignore[arg-type]
    assert [one >> 30 for one in asked] == [1, 4, 8]
    made.answer = lambda task, memory: NoMemoryError("worker was killed")
    with pytest.raises(ClusterError, match=rf"failed {LOSSES} times, NoMemoryError: worker was killed; .*run it again"):
        RayRunner(tmp_path, made).run("huge", print, tasks(1))  # type: ignore[arg-type]
    assert Summary(tmp_path).stages["huge"].retries == LOSSES


def test_a_task_that_waits_for_a_node_that_is_gone_asks_for_less(tmp_path: Path) -> None:
    """Ray would let it wait for ever."""
    made = MadeUp(fine)

    def shrinking(task: Task, memory: int) -> Any:
        made.memory = 2 << 30
        return fine(task, memory)

    made.answer = shrinking
    runner = RayRunner(tmp_path, made)  # type: ignore[arg-type]
    said = runner.run("less", print, tasks(8), memory=6 << 30)
    asked = [one["asked"] >> 30 for one in said]
    assert (asked[0], asked[-1], {*asked}) == (6, 2, {6, 2})
    assert runner.summary.stages["less"].retries == len(made.cancelled) == AHEAD * 2


def test_a_cluster_without_cpus_is_waited_for_and_then_given_up(tmp_path: Path) -> None:
    """In a line that says what to do."""
    made = MadeUp(fine)
    made.cpus = 0
    with pytest.raises(ClusterError, match=r"no node of the cluster has a cpu: start some with `ray start`"):
        RayRunner(tmp_path, made, patience=0.05).run("none", print, tasks(2))  # type: ignore[arg-type]
    assert made.flying
    assert not made.cancelled  # what is under way ends with the connection


def test_a_node_that_loses_the_folder_ends_the_build(tmp_path: Path) -> None:
    """By name."""
    made = MadeUp(lambda task, memory: {UNSEEN: True, "where": "10.0.0.9"})
    with pytest.raises(ClusterError, match=r"^node 10\.0\.0\.9 sees another /.* than the driver: give them one disk"):
        RayRunner(tmp_path, made).run("seen", print, tasks(2))  # type: ignore[arg-type]


def test_work_that_a_worker_cannot_load_is_told(tmp_path: Path) -> None:
    """By its last line, as Python tells it."""
    made = MadeUp(lambda task, memory: BrokenError("trace\nModuleNotFoundError: no module simrec"))
    with pytest.raises(ClusterError, match=r"3 times, ModuleNotFoundError: no module simrec; "):
        RayRunner(tmp_path, made).run("load", print, tasks(1))  # type: ignore[arg-type]


def test_a_disk_or_a_network_that_fails_is_waited_for(tmp_path: Path) -> None:
    """What comes again and again ends the build as it is."""
    told = "s3://news/a cannot be read: slow down; check the address"
    fails = iter(range(3))

    def slow(task: Task, memory: int) -> Any:
        found = {TRANSIENT: told, "kind": "InputError", "trace": told, "where": "here"}
        return fine(task, memory) if next(fails, None) is None else found

    made = MadeUp(slow)
    runner = RayRunner(tmp_path, made)  # type: ignore[arg-type]
    assert len(runner.run("read", print, tasks(1))) == 1
    assert runner.summary.stages["read"].retries == 3
    fails = iter(range(99))
    with pytest.raises(InputError, match=rf"slow down; check the address; {LOSSES} attempts failed, .* is kept: run"):
        RayRunner(tmp_path, made).run("again", print, tasks(1))  # type: ignore[arg-type]


class Hanging(MadeUp):
    """The third task does not end the first time, though a worker is at it."""

    def wait(self, refs: list[int], num_returns: int, timeout: float) -> tuple[list[int], list[int]]:
        """See `MadeUp`."""
        stuck = [ref for ref in refs if self.flying[ref][0].arguments[0] == 2 and not self.cancelled]
        ready, rest = super().wait([ref for ref in refs if ref not in stuck], num_returns, timeout)
        return ready, rest + stuck


def test_a_task_that_hangs_is_ended_and_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When it takes far longer than others; before, the stage says what it waits for."""
    monkeypatch.setattr(hanging, "EVERY", 0.0)
    monkeypatch.setattr(hanging, "STILL", 0.01)
    monkeypatch.setattr(hanging, "LEAST", 0.1)
    made = Hanging(lambda task, memory: {SAID: {"rows": 1, "seconds": 0.001}, "where": "here"})
    runner = RayRunner(tmp_path, made)  # type: ignore[arg-type]
    with hanging.noted(str(tmp_path), "long", "000002", "10.0.0.7"):
        runner.run("long", print, tasks(5))
        assert not list((tmp_path / hanging.RUNNING / "long").iterdir())
    assert len(made.cancelled) == runner.summary.stages["long"].retries == 1
    assert "no task has ended for 0 minutes; 1 are not done, workers are at 000002 on node 10.0.0.7" in caplog.text
    assert "long, part 000002 runs for over 0 s, 20 times as long as others" in caplog.text


def test_rows_that_do_not_come_are_not_waited_for_in_vain() -> None:
    """What is looked at meanwhile may end it; errors of who gives them are told."""
    never = threading.Event()

    def rows() -> Iterator[int]:
        yield 1
        never.wait()

    def look() -> None:
        raise ClusterError("no node has a GPU")

    given = hanging.awaited(rows(), look, 0.01)
    assert next(given) == 1
    with pytest.raises(ClusterError, match="no node has a GPU"):
        next(given)
    never.set()
    with pytest.raises(ZeroDivisionError):
        list(hanging.awaited((1 // n for n in (1, 0)), look, 10))


def test_time_left_counts_what_was_done_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what workers embed, too: it is never less than nothing."""
    monkeypatch.setattr(watching, "EVERY", 0.0)
    todo = [Task(f"{part:06d}", (part,)) for part in range(8)]
    for task in todo[:6]:
        do(str(tmp_path), "embed", lambda folder, part: {"rows": 1}, task)
    saved = list[StageSummary]()

    def stream(runner: Any, stage: str, work: Any, left: Any, gpus: int) -> Iterator[tuple[int, str]]:
        for place, task in enumerate(left):
            do(str(tmp_path), stage, lambda folder, part: {"rows": 1}, task)
            yield place, ""

    monkeypatch.setattr(embedding_workers, "_stream", stream)
    monkeypatch.setattr(Summary, "save", lambda summary: saved.append(replace(summary.stages["embed"])))
    made: Any = MadeUp(fine)
    runner = RayRunner(tmp_path, made)
    embedding_workers._run_on_ray(runner, "embed", print, todo, 0)
    assert {(one.tasks, one.rows) for one in saved} == {(7, 7), (8, 8)}
    assert all(one.left >= 0 for one in saved)


def test_a_run_adds_to_the_summary_of_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its seconds and retries count; while a stage is under way its file says how long it will take."""
    monkeypatch.setattr(watching, "EVERY", 0.0)
    lefts: list[float] = []

    def look(task: Task, memory: int) -> Any:
        found = json.loads((tmp_path / watching.SUMMARY).read_text()) if task.arguments[0] else [{"left": 1.0}]
        lefts.append(found[0]["left"])
        return fine(task, memory) if len(lefts) < 3 else {THROWN: "ValueError: x", "trace": "x", "where": "here"}

    with pytest.raises(ClusterError, match="x"):
        RayRunner(tmp_path, MadeUp(look)).run("stage", print, tasks(3))  # type: ignore[arg-type]
    first = Summary(tmp_path).stages["stage"]
    assert (first.state, first.tasks, first.retries, first.left) == ("failed", 2, 3, 0.0)
    runner = RayRunner(tmp_path, MadeUp(fine))  # type: ignore[arg-type]
    with runner.summary.watch("join") as watch:
        watch.done({"rows": 3, "bytes": 2_000_000})
    runner.run("stage", print, tasks(3))
    last = Summary(tmp_path).stages["stage"]
    assert (last.state, last.tasks, last.retries) == ("done", 3, 3)
    assert last.seconds >= first.seconds
    assert runner.summary.table().splitlines()[2].split()[:5] == ["join", "1/1", "0", "3", "2.0"]
