"""The whole way over each kind of store, command by command: the same blocks, byte for byte."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simrec.errors import LockedError, NotFoundError, SettingsError
from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.locks import at_work, working
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.sample import newsroom
from simrec.pipeline.snapshots import rollback
from simrec.pipeline.status import status
from simrec.pipeline.workspace import Workspace
from simrec.types import Article

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def make(path: Path, url: str = "") -> Workspace:
    """A workspace whose store is at that URL."""
    path.mkdir()
    (path / "simrec.toml").write_text(f'[build]\nmodel = "tfidf"\n[store]\nurl = "{url}"\n', encoding="utf-8")
    return Workspace.open(path, create=True)


def stored(workspace: Workspace) -> dict[str, Any]:
    """All that a reader can see of a store, moments apart."""
    with workspace.store() as store:
        snapshots = [one.id for one in store.snapshots()]
        return {
            "articles": store.articles(),
            "hashes": store.article_hashes(),
            "picks": store.picks(),
            "pages": store.page_states(),
            "rejects": store.rejects(),
            "snapshots": [(one.id, one.active, one.blocks, one.revision, one.made_with) for one in store.snapshots()],
            "blocks": {number: [repr(block) for block in store.blocks(number)] for number in snapshots},
            "listed": {number: list(store.listed(number)) for number in snapshots},
            "inputs": {number: store.inputs(number) for number in snapshots},
            "mark": store.mark(),
        }


def go(workspace: Workspace) -> list[dict[str, Any]]:
    """What a site goes through; what is stored after each step."""
    seen = []
    source = newsroom()
    ingest(workspace, [source / "articles.jsonl"], picks=[source / "picks.csv"])
    ingest(workspace, [source / "articles.jsonl"])
    build(workspace, now=NOW)
    seen.append(stored(workspace))
    with Pipeline(workspace, clock=lambda: NOW) as pipeline, workspace.store() as store:
        first, second = store.articles()[:2]
        pipeline.publish(Article("new", f"{first.title} again", first.body, url="/new", lang="en"))
        pipeline.withdraw(second.id)
        pipeline.pin(first.id, "new")
    seen.append(stored(workspace))
    build(workspace, now=NOW)
    build(workspace, now=NOW, full=True)
    seen.append(stored(workspace))
    rollback(workspace)
    with workspace.store() as store:
        store.prune(1)
    seen.append(stored(workspace))
    return seen


def test_a_database_holds_what_a_file_holds(tmp_path: Path, schema: str) -> None:
    """After each of ingest, build, publish, withdraw, pin, a build anew, rollback, prune; and status says the same."""
    file, server = make(tmp_path / "file"), make(tmp_path / "server", schema)
    for there, here in zip(go(file), go(server), strict=True):
        assert here == there
    assert not (server.path / "simrec.db").exists()
    there, here = status(file, NOW), status(server, NOW)
    for name in ("articles", "snapshot", "model", "blocks", "waiting", "refused", "drift", "problems"):
        assert getattr(here, name) == getattr(there, name)


def test_one_command_at_a_time_on_all_hosts(tmp_path: Path, schema: str) -> None:
    """Each host has its own folder, and all one database; who waits is told for whom."""
    here, there = make(tmp_path / "here", schema), make(tmp_path / "there", schema)
    here.store().close()
    with working(here, "build"), working(here, "ingest"):
        assert at_work(there)["command"] == "build"
        with pytest.raises(LockedError, match=r"`simrec build` \(process \d+ on .*\) is at work in postgresql"):
            working(there, "ingest", wait=0).__enter__()
    assert at_work(there) == {}
    with working(there, "ingest", wait=0):
        assert at_work(here)["command"] == "ingest"


def test_a_workspace_of_a_database_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schema: str) -> None:
    """Its folder is enough; the URL may come from a variable, and is in no snapshot."""
    with pytest.raises(NotFoundError, match="no workspace"):
        Workspace.open(tmp_path / "nowhere")
    with pytest.raises(NotFoundError, match="no workspace"):
        Workspace.open(tmp_path)
    monkeypatch.setenv("SIMREC_STORE__URL", "${SITE_STORE}")
    workspace = Workspace.open(tmp_path)
    with pytest.raises(SettingsError, match="SITE_STORE"):
        workspace.store()
    monkeypatch.setenv("SITE_STORE", schema)
    ingest(workspace, [newsroom() / "articles.jsonl"])
    build(workspace, model="tfidf")
    with workspace.store() as store:
        assert "s3cr" not in json.dumps(store.snapshot().settings)
        assert "serve" not in store.snapshot().settings
    for url in ("sqlite:///a.db", "no url"):
        monkeypatch.setenv("SIMREC_STORE__URL", url)
        with pytest.raises(SettingsError, match=r"store\.url"):
            Workspace.open(tmp_path).store()
