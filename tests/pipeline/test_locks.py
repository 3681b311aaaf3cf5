"""One command at a time; full disks, read-only folders and damaged files take nothing away."""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from simrec.cli import main
from simrec.errors import LockedError, StoreError
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


def test_a_full_disk_leaves_what_was_there(town: Town, tmp_path: Path) -> None:
    """No file may grow further: the command fails in one line, what is shown stays, and with room it works."""
    workspace = town()
    before = shown(workspace)
    more = workspace.path / "more"
    more.mkdir()
    body = "harbor ferry tide crew sailing " * 400
    for part in range(15):
        records = [{"id": f"m{part}-{n}", "title": "T", "body": f"{body} {n}", "lang": "en"} for n in range(20)]
        (more / f"{part}.jsonl").write_text("\n".join(map(json.dumps, records)))

    def limited(size: int) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    for arguments, size in ((["ingest", str(more)], 400_000), (["build", "--full"], 40_000)):
        command = [
            sys.executable,
            "-c",
            "from simrec.cli import main; raise SystemExit(main())",
            *arguments,
            "-w",
            str(workspace.path),
        ]
        ended = subprocess.run(command, capture_output=True, text=True, preexec_fn=partial(limited, size), check=False)
        assert ended.returncode == 1, ended.stderr
        assert len(ended.stderr.splitlines()) == 1
        assert "space" in ended.stderr
        assert shown(workspace) == before
    assert ingest(workspace, [more]).rejected == 0
    assert not build(workspace).refused
    with workspace.store() as store:
        assert store.article_count() == 340


def test_a_folder_that_cannot_be_written_says_so(
    town: Town, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line that says what to check."""
    workspace = town()

    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("filelock.FileLock.acquire", denied)
    assert main(["build", "-w", str(workspace.path)]) == 1
    err = capsys.readouterr().err
    assert (
        err == f"simrec: {workspace.path} cannot be written: Permission denied; check the folder and its permissions\n"
    )


def test_a_read_only_mount_says_so(town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A disk that turned read-only: one line that says what to check; what is shown can still be read."""
    workspace = town()
    path = tmp_path / "mounted"
    path.mkdir()
    bound = subprocess.run(["mount", "--bind", str(workspace.path), str(path)], capture_output=True, check=False)
    if bound.returncode:
        pytest.skip("this user may not mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(path)], check=True)
        for command in (["build"], ["ingest", str(path / "articles.jsonl")], ["withdraw", "t000"]):
            assert main([*command, "-w", str(path)]) == 1
            out, err = capsys.readouterr()
            assert out == ""
            assert len(err.splitlines()) == 1
            assert "permissions" in err
        for command in (["similar", "t000"], ["snapshots"], ["render", "--out", str(tmp_path / "html")]):
            assert main([*command, "-w", str(path)]) == 0
        assert len([*(tmp_path / "html").glob("*.html")]) == 40
    finally:
        subprocess.run(["umount", str(path)], check=True)
    assert not build(workspace).refused


def test_a_damaged_vector_file_is_made_again(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    """Found by its checksum, with a warning; the blocks are the same."""
    workspace = town()
    before = shown(workspace)
    for name in ("vectors.npz", "idf.npy"):
        path = next(workspace.vectors.glob(f"tfidf-*/{name}"))
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(bytes(data))
        caplog.clear()
        build(workspace, full=True)
        assert f"{path} does not match its checksum" in caplog.text
        assert shown(workspace) == before
        assert path.read_bytes() != bytes(data)
    column = next((workspace.vectors / "site").glob("column-*.npy"))
    column.write_bytes(b"damaged")
    with workspace.store() as store:
        article = store.article("t000")
    assert article
    more = workspace.path / "more.jsonl"
    more.write_text(json.dumps({"id": "n", "title": "T", "body": "harbor ferry"}))
    ingest(workspace, [more])
    assert "rank" in build(workspace).stages


def test_locks_cost_no_time_when_nobody_holds_them(town: Town) -> None:
    """Two commands one after the other do not wait."""
    workspace = town()
    start = time.perf_counter()
    for _ in range(20):
        with working(workspace, "build"):
            pass
    assert time.perf_counter() - start < 2


def test_a_store_that_cannot_be_copied_is_not_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy comes first: without room for it nothing is changed."""
    import sqlite3

    from simrec.store import Store

    path = tmp_path / "simrec.db"
    Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE schema_version SET version = 2")
    connection.close()

    def full(**_: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("simrec.store.migrations.tempfile.mkstemp", full)
        with pytest.raises(StoreError, match="No space left"):
            Store(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(2,)]
    connection.close()
    Store(path).close()
    assert (tmp_path / "simrec.db.v2.bak").exists()
