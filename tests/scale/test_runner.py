"""Tasks on a cluster: what is lost is done again, what is done is not."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import scale_works as works
from scale_works import attempts, counts, paths

from simrec.errors import ClusterError, InputError
from simrec.scale import hanging
from simrec.scale.cluster import Cluster
from simrec.scale.runner import ERRORS, THROWS, RayRunner
from simrec.scale.tasks import DONE, Task, said_before
from simrec.scale.watching import SUMMARY, Summary

pytestmark = pytest.mark.ray


def wait_for(happened: Callable[[], bool], seconds: float = 30.0) -> None:
    """Waits until something has happened."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


def test_tasks_are_done_once_on_all_nodes_and_not_again(
    two_nodes: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What they said comes in their order; a second run finds it, and the summary counts both."""
    caplog.set_level(logging.INFO, "simrec")
    first = RayRunner(tmp_path, two_nodes).run("count", works.count, counts(12, 0.2))
    assert [one["name"] for one in first] == [task.name for task in counts(12, 0)]
    assert len({node for node, _ in works.places(tmp_path)}) == 2
    runner = RayRunner(tmp_path, two_nodes)
    assert runner.run("count", works.count, counts(14, 0.2))[:12] == first
    assert attempts(tmp_path) == 14
    resources = [two_nodes.ray.cluster_resources(), two_nodes.ray.available_resources()]
    assert len({one["object_store_memory"] for one in resources}) == 1  # nothing is in it, so nothing is spilled
    assert runner.run("nothing", works.count, []) == []
    stage = Summary(tmp_path).stages["count"]
    assert (stage.tasks, stage.skipped, stage.rows, stage.bytes, stage.retries) == (14, 12, 28, 42, 0)
    assert stage.work >= 2.8 > stage.seconds * 0.9
    assert json.loads((tmp_path / SUMMARY).read_text())[0]["state"] == "done"
    assert "count: done, 14 of 14 tasks (12 before), 28 rows" in caplog.text
    assert runner.summary.table().splitlines()[1].split()[:4] == ["count", "14/14", "12", "28"]


def test_a_task_has_one_thread_and_its_memory_is_told(two_nodes: Cluster, tmp_path: Path) -> None:
    """The summary states the most that one took; a task that asks for more than any node has gets a whole one."""
    runner = RayRunner(tmp_path, two_nodes)
    (said,) = runner.run("hungry", works.hungry, [Task("0", ("0", 100))], memory=1 << 50)
    assert said["threads"] == ["1", "1", "1"]
    assert 100 << 20 <= said["memory"] < 140 << 20
    assert runner.summary.stages["hungry"].memory == said["memory"]
    assert said["resident"] >= 100 << 20


@pytest.mark.parametrize("work", [works.shaky, works.flaky, works.dying])
def test_a_task_that_throws_or_kills_its_worker_is_done_again(work: Any, two_nodes: Cluster, tmp_path: Path) -> None:
    """Others are not; the retries are counted, and what was thrown is kept."""
    runner = RayRunner(tmp_path, two_nodes)
    said = runner.run("bad", work, [Task("bad", ("bad", 2)), *(Task(f"{i}", (f"{i}", 0)) for i in range(5))])
    assert [one["rows"] for one in said] == [1] * 6
    assert (attempts(tmp_path, "bad"), attempts(tmp_path)) == (3, 8)
    assert runner.summary.stages["bad"].retries == 2
    if work is works.shaky:
        assert (tmp_path / ERRORS / "bad" / "bad.txt").read_text().count("ValueError: no luck") == 2


def test_a_task_that_hangs_is_ended(
    two_nodes: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With its worker; it is done again."""
    monkeypatch.setattr(hanging, "LEAST", 0.5)
    monkeypatch.setattr(hanging, "EVERY", 0.1)
    runner = RayRunner(tmp_path, two_nodes)
    tasks = [Task("bad", ("bad", 1)), *(Task(f"{i}", (f"{i}", 0)) for i in range(3))]
    assert [one["rows"] for one in runner.run("stuck", works.stuck, tasks)] == [1] * 4
    assert (attempts(tmp_path, "bad"), runner.summary.stages["stuck"].retries) == (2, 1)
    assert "stuck, part bad runs for over " in caplog.text


def test_what_fails_for_good_ends_the_build_and_keeps_what_is_done(two_nodes: Cluster, tmp_path: Path) -> None:
    """In a line with the stage, the part, what it threw and where all of it is."""
    runner = RayRunner(tmp_path, two_nodes)
    tasks = [*(Task(f"{i}", (f"{i}", 0)) for i in range(4)), Task("bad", ("bad", 99))]
    with pytest.raises(ClusterError, match=r"^bad, part bad: failed 3 times, ValueError: no luck; .*bad\.txt has all"):
        runner.run("bad", works.shaky, tasks)
    assert attempts(tmp_path, "bad") == THROWS
    assert all(said_before(tmp_path, "bad", task) for task in tasks[:4])
    assert Summary(tmp_path).stages["bad"].state == "failed"


@pytest.mark.parametrize(
    ("work", "error", "times"), [(works.wrong, InputError, 1), (works.chatty, ClusterError, THROWS)]
)
def test_an_error_that_is_the_users_is_not_tried_again(
    work: Any, error: type[Exception], times: int, two_nodes: Cluster, tmp_path: Path
) -> None:
    """It comes as it was raised; a task that says too much is a fault."""
    with pytest.raises(error, match=r"add one|write what it makes into files"):
        RayRunner(tmp_path, two_nodes).run("wrong", work, [Task("0", ("0",))])
    assert attempts(tmp_path) == times
    assert not (tmp_path / DONE).exists()


def test_a_node_may_be_killed_in_the_middle(
    ray_cluster: Any, two_nodes: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its tasks are done elsewhere, what it had done is not done again, and nothing is said on stdout."""
    node = ray_cluster.add_node(num_cpus=1, object_store_memory=100 << 20)

    def kill() -> None:
        there: set[int] = set()
        while not there:
            time.sleep(0.1)
            there = {process for where, process in works.places(tmp_path) if where == node.node_id}
        for process in there:
            os.kill(process, signal.SIGKILL)
        ray_cluster.remove_node(node, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    runner = RayRunner(tmp_path, two_nodes)
    said = runner.run("count", works.count, counts(16, 0.5))
    killer.join()
    assert [one["name"] for one in said] == [task.name for task in counts(16, 0)]
    assert 1 <= runner.summary.stages["count"].retries <= 3
    assert attempts(tmp_path) <= 16 + runner.summary.stages["count"].retries
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_driver_may_be_killed(number: signal.Signals, ray_cluster: Any, two_nodes: Cluster, tmp_path: Path) -> None:
    """What it began is stopped; the next run does what is not done, and nothing else."""
    command = [sys.executable, works.__file__, str(tmp_path), ray_cluster.address, "14", "0.3"]
    environment = {**os.environ, "PYTHONPATH": paths()}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as driver:
        wait_for(lambda: len([*(tmp_path / DONE / "count").glob("*.json")]) >= 4)
        driver.send_signal(number)
        out, error = driver.communicate(timeout=20)
    assert driver.returncode == (-signal.SIGKILL if number == signal.SIGKILL else -signal.SIGINT), error
    assert out == b""
    done = len([*(tmp_path / DONE / "count").glob("*.json")])
    before = attempts(tmp_path)
    assert done < 14
    said = RayRunner(tmp_path, two_nodes).run("count", works.count, counts(14, 0.3))
    assert len(said) == 14
    assert attempts(tmp_path) - before <= 14 - done
    assert before - done <= 2  # those under way


def test_a_node_that_does_not_see_the_folder_is_named(two_nodes: Cluster, tmp_path: Path) -> None:
    """Before anything is done; another driver that works in the folder is found the same way."""
    runner = RayRunner(tmp_path, two_nodes)
    RayRunner(tmp_path, two_nodes)
    with pytest.raises(ClusterError, match=r"node [\d.]+ does not see /.*: put the workspace on a disk"):
        runner.run("count", works.count, counts(2, 0))
    assert not (tmp_path / DONE).exists()
