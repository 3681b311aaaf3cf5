"""One command at a time; full disks, read-only folders and damaged files take nothing away."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simrec.cli import main
from simrec.errors import LockedError
from simrec.files import clean_parts, part_prefix
from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.locks import HOLDER, read_holder, working
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.status import status
from simrec.pipeline.workspace import Workspace
from simrec.types import Article

Town = Callable[..., Workspace]
HOLD = """
import sys, time
from pathlib import Path
from simrec.pipeline.locks import working
from simrec.pipeline.workspace import Workspace
with working(Workspace.open(Path(sys.argv[1])), "build"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def shown(workspace: Workspace) -> dict[str, list[str]]:
    """What is shown."""
    with workspace.store() as store:
        return dict(store.listed(store.snapshot().id))


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Another process that holds a workspace's lock for some seconds."""
    made: list[subprocess.Popen[str]] = []

    def start(workspace: Workspace, seconds: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLD, str(workspace.path), str(seconds)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        made.append(process)
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in made:
        process.kill()
        process.communicate()


def test_a_second_build_says_who_holds_the_lock(town: Town, hold: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Process, host, command and since when; exit code 1, and nothing is built."""
    workspace = town("[run]\nlock_wait = 0\n")
    process = hold(workspace, 60)
    assert str(process.pid) in str(status(workspace).at_work)
    assert main(["build", "-w", str(workspace.path)]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"simrec: `simrec build` (process {process.pid} on ")
    assert "is at work in" in err
    assert len(err.splitlines()) == 1
    with workspace.store() as store:
        assert len(store.snapshots()) == 1


def test_a_second_build_waits_with_a_note_and_then_works(
    town: Town, hold: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The note names who is waited for."""
    workspace = town("[run]\nlock_wait = 30\n")
    process = hold(workspace, 0.5)
    with caplog.at_level(logging.WARNING):
        assert build(workspace).snapshot == 2
    assert f"waiting up to 30 s for `simrec build` (process {process.pid}" in caplog.text


def test_the_lock_of_a_dead_process_is_taken_over(town: Town, hold: Any, caplog: pytest.LogCaptureFixture) -> None:
    """At once, and what it was writing is deleted."""
    workspace = town("[run]\nlock_wait = 0\n")
    process = hold(workspace, 60)
    part = workspace.vectors / f"simrec-{process.pid}-abc.part"
    part.mkdir()
    (part / "half").write_text("x")
    own = workspace.vectors / f"{part_prefix()}abc.part"
    own.write_text("x")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert read_holder(workspace)["pid"] == process.pid
    assert status(workspace).at_work is None
    with caplog.at_level(logging.INFO):
        assert build(workspace).snapshot == 2
    assert "ended before it was done" in caplog.text
    assert not part.exists()
    assert own.exists()  # this process may still be at it
    assert not (workspace.path / HOLDER).exists()


def test_threads_wait_for_each_other_and_a_command_within_another_one_does_not(town: Town) -> None:
    """The lock is a thread's: what it runs inside is let through, another thread is not."""
    workspace = town("[run]\nlock_wait = 0\n")
    found: list[str] = []

    def other() -> None:
        try:
            build(workspace)
        except LockedError as error:
            found.append(str(error))

    with working(workspace, "run"):
        with working(workspace, "build"):
            pass
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(found) == 1
    assert "`simrec run`" in found[0]
    assert build(workspace).snapshot == 2


def test_parts_of_the_running_stay_until_they_are_old(tmp_path: Path) -> None:
    """A process that runs keeps what it writes for a day; files that only look alike are not touched."""
    own, other = tmp_path / f"{part_prefix()}x.part", tmp_path / "mine.part"
    for path in (own, other):
        path.write_text("x")
    assert clean_parts(tmp_path) == []
    os.utime(own, (1e9, 1e9))
    assert clean_parts(tmp_path) == [own]
    assert other.exists()
    assert clean_parts(tmp_path / "nowhere") == []


def test_two_ingests_at_once_lose_nothing(town: Town) -> None:
    """All articles of both are there."""
    workspace = town()
    for name in "xy":
        records = [{"id": f"{name}{n}", "title": "T", "body": f"harbor ferry {name} {n}"} for n in range(300)]
        (workspace.path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, records)))
    threads = [
        threading.Thread(target=ingest, args=(Workspace.open(workspace.path), [workspace.path / f"{name}.jsonl"]))
        for name in "xy"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with workspace.store() as store:
        assert store.article_count() == 640


def test_what_is_published_during_a_build_is_in_its_blocks(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that fits anew takes over what came into the blocks of before meanwhile."""
    workspace = town()
    other = Workspace.open(workspace.path)

    def publish_meanwhile(*arguments: Any) -> Any:
        with Pipeline(other) as pipeline:
            pipeline.publish(Article("meanwhile", "Bridge", "bridge crack anchor engineer lorries", lang="en"))
        return start(*arguments)

    from simrec.pipeline import build as building

    start = building.start
    monkeypatch.setattr(building, "start", publish_meanwhile)
    assert build(workspace, full=True).snapshot == 2
    found = shown(workspace)
    assert "meanwhile" in found
    assert any("meanwhile" in ids for ids in found.values())


def test_locks_cost_no_time_when_nobody_holds_them(town: Town) -> None:
    """Two commands one after the other do not wait."""
    workspace = town()
    start = time.perf_counter()
    for _ in range(20):
        with working(workspace, "build"):
            pass
    assert time.perf_counter() - start < 2
