"""Full disks, read-only folders and damaged files take nothing away."""

from __future__ import annotations

import json
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from simrec.cli import main
from simrec.errors import StoreError
from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.workspace import Workspace
from simrec.store import Store
from simrec.types import Article, Entry

Town = Callable[..., Workspace]


def shown(workspace: Workspace) -> dict[str, list[str]]:
    """What is shown."""
    with workspace.store() as store:
        return dict(store.listed(store.snapshot().id))


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
        capsys.readouterr()
        with workspace.store() as store:  # what another process has just written there is read, too
            store.put([Entry(Article("late", "Late", "news"), "x")], lambda entry: ())
            with Workspace.open(path).store() as reading:
                assert reading.article("late")
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
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


def test_a_store_that_cannot_be_copied_is_not_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy comes first: without room for it nothing is changed."""
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
