"""Snapshots: listed, compared with reasons, gone back to, deleted without harm."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simrec.cli import main
from simrec.errors import NotFoundError, UsageError
from simrec.pipeline import snapshots
from simrec.pipeline.build import build
from simrec.pipeline.diff import diff
from simrec.pipeline.ingest import ingest
from simrec.pipeline.live.site import state_folder
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.status import status
from simrec.pipeline.workspace import Workspace
from simrec.types import Article

Town = Callable[..., Workspace]
BRIDGE = "bridge crack anchor engineer lorries closed county repair"


def shown(workspace: Workspace) -> dict[str, list[str]]:
    """What is shown, spares among it."""
    with workspace.store() as store:
        return dict(store.listed(store.snapshot().id))


def add(workspace: Workspace, *records: dict[str, Any]) -> None:
    """Ingests records."""
    path = workspace.path / "more.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
    ingest(workspace, [path])


def set_settings(workspace: Workspace, text: str) -> Workspace:
    """The workspace with other settings."""
    (workspace.path / "simrec.toml").write_text(f'[build]\nmodel = "tfidf"\n{text}', encoding="utf-8")
    return Workspace.open(workspace.path)


def run_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    """The one object that `--json` prints."""
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_list_says_what_each_snapshot_is(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """The newest first, with its state, and what was measured."""
    workspace = town()
    build(workspace)
    found = run_json(capsys, "snapshots", "-w", workspace.path)["snapshots"]
    assert [(one["snapshot"], one["state"], one["parent"]) for one in found] == [(2, "active", 1), (1, "kept", None)]
    assert found[0]["figures"]["changed"] == 0.0
    assert found[1]["figures"]["empty"] == 0.0
    assert 0.3 < found[0]["figures"]["coverage"] <= 1


def test_a_diff_names_what_changed_and_why(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """A new article, a changed and a withdrawn one, a pin; each block with its own reasons."""
    workspace = town()
    before = shown(workspace)
    with workspace.store() as store:
        page = store.article("t000")
    assert page
    build(workspace)  # what is published changes the active snapshot: the first one stays as it was
    gone = before["t000"][0]
    with Pipeline(workspace) as pipeline:
        pipeline.publish(Article("new", "Bridge", f"{BRIDGE}. {page.body}", lang="en"))
        pipeline.withdraw(gone)
        pipeline.pin("t001", "t002")
    found = diff(workspace, 1, 2)
    changes = {change.source_id: change for change in found.blocks}
    assert found.changed == len(changes)
    assert "new page" in changes["new"].why
    assert f"withdrawn article {gone}" in changes["t000"].why
    assert gone in changes["t000"].left
    assert "new pins" in changes["t001"].why
    assert any("new article new" in change.why for change in changes.values())
    assert all(change.why != ("not noted",) for change in changes.values())
    assert found.why["withdrawn article"] >= 1
    unchanged = found.pages - found.changed
    assert 0 < found.overlap < 1
    assert unchanged > 0
    printed = run_json(capsys, "diff", 1, 2, "-w", workspace.path)
    assert set(printed) >= {"a", "b", "pages", "changed", "entered", "left", "moved", "overlap", "why", "blocks"}
    assert len(printed["blocks"]) == found.changed


def test_a_diff_follows_the_clock_that_is_given(town: Town) -> None:
    """Not the machine's: what expired between the moments of two builds is the reason; changes have theirs, too."""
    workspace, ends = town(), datetime(2025, 6, 2, tzinfo=UTC)
    add(workspace, {"id": "soon", "title": "Bridge", "body": BRIDGE, "lang": "en", "expires_at": ends.isoformat()})
    first, second = ends - timedelta(days=1), ends + timedelta(days=1)
    assert (build(workspace, now=first).snapshot, build(workspace, now=second).snapshot) == (2, 3)
    with workspace.store() as store:
        assert [store.snapshot(number).created_at for number in (2, 3)] == [first, second]
    left = [change for change in diff(workspace, 2, 3).blocks if "soon" in change.left]
    assert left
    assert all("time came soon" in change.why for change in left)
    with Pipeline(workspace, lambda: second + timedelta(days=1)) as pipeline:
        pipeline.withdraw("t000")
    with workspace.store() as store:
        assert store.snapshot().changed_at == second + timedelta(days=1)


def test_a_diff_says_which_setting_was_changed(town: Town) -> None:
    """By its name, with both values, and that the site was fitted anew; without arguments the last two are compared."""
    workspace = set_settings(town(), "[tfidf]\ntitle_weight = 9\n")
    build(workspace)
    found = diff(workspace)
    assert (found.a, found.b) == (1, 2)
    assert "other setting tfidf.title_weight 3 -> 9" in found.everywhere
    assert "fitted anew" in found.everywhere
    assert found.why["other setting tfidf.title_weight 3 -> 9"] == found.changed > 0


def test_nothing_to_compare_with_is_said(town: Town) -> None:
    """One snapshot only, an unknown number, nothing to go back to."""
    workspace = town()
    for call in (lambda: diff(workspace), lambda: diff(workspace, 1, 9), lambda: snapshots.activate(workspace, 9)):
        with pytest.raises(NotFoundError):
            call()
    with pytest.raises(NotFoundError, match="to go back to"):
        snapshots.rollback(workspace)
    with pytest.raises(UsageError, match="at least 1"):
        snapshots.prune(workspace, 0)


def test_a_rollback_shows_what_was_shown_and_can_be_published_into(town: Town) -> None:
    """Going back, and on from there: each time the blocks are those of the articles there are."""
    workspace = town()
    before = shown(workspace)
    add(workspace, {"id": "new", "title": "Bridge", "body": BRIDGE, "lang": "en"})
    build(workspace)
    after = shown(workspace)
    assert "new" in after
    assert snapshots.rollback(workspace).id == 1
    assert shown(workspace) == before
    assert status(workspace).waiting == 1
    with Pipeline(workspace) as pipeline:  # brings in what waits
        assert "new" in pipeline.opened.blocks
    assert shown(workspace) == after
    assert snapshots.activate(workspace, 2).active
    assert shown(workspace) == after
    with Pipeline(workspace) as pipeline:
        pipeline.withdraw("new")
        assert all("new" not in ids for ids in shown(workspace).values())


def test_a_rollback_to_what_was_fitted_otherwise_can_be_published_into(town: Town) -> None:
    """What the snapshot before was made with was set aside, and is laid back; and forth again."""
    workspace = town()
    before = shown(workspace)
    add(workspace, *({"id": f"n{i}", "title": f"Numbat {i}", "body": f"numbat wombat quokka {i}"} for i in range(9)))
    assert "rank" in build(workspace, full=True).stages
    snapshots.rollback(workspace)
    assert shown(workspace) == before
    with Pipeline(workspace) as pipeline:
        pipeline.publish(Article("new", "Bridge", BRIDGE, lang="en"))
    assert "new" in shown(workspace)
    snapshots.activate(workspace, 2)
    with Pipeline(workspace) as pipeline:
        assert "new" in pipeline.opened.blocks


def test_a_rollback_to_other_settings_says_what_to_do(town: Town) -> None:
    """Its blocks are shown; publishing into them, with the settings of now, is refused with the way out."""
    workspace = set_settings(town(), "[tfidf]\ntitle_weight = 9\n")
    build(workspace)
    snapshots.rollback(workspace)
    with pytest.raises(UsageError, match="run `simrec build`"):
        Pipeline(workspace)
    assert not build(workspace).refused
    Pipeline(workspace).close()


def test_blocks_of_a_build_after_a_rollback_are_those_of_a_build_from_nothing(town: Town) -> None:
    """Whatever was fitted, saved, refused and gone back from before."""
    workspace = town()
    with workspace.store() as store:
        first = store.article("t000")
    assert first
    for number in range(3):
        add(workspace, {"id": f"n{number}", "title": "Harbor", "body": f"harbor ferry tide {number}", "lang": "en"})
        build(workspace)
    snapshots.rollback(workspace)
    with Pipeline(workspace) as pipeline:
        pipeline.publish(replace(first, body="library books readers reading"))
    snapshots.rollback(workspace)
    build(workspace)
    found = shown(workspace)
    with workspace.store() as store:
        wanted = store.article_count()
    assert len(found) == wanted
    Pipeline(workspace).close()
    with workspace.store() as store:  # all is made again from what is kept
        store.activate(1)
        store.activate(store.snapshots()[0].id)
    Pipeline(workspace).close()
    assert shown(workspace) == found


def test_prune_keeps_what_is_shown_and_what_can_be_gone_back_to(town: Town) -> None:
    """Whatever its age; refused ones do not push out good ones; their articles and blocks go with them."""
    workspace = town()
    for _ in range(4):
        build(workspace)
    snapshots.activate(workspace, 1)
    assert snapshots.prune(workspace, 2).snapshots == [2, 3]
    assert [found.id for found in snapshots.list_snapshots(workspace)] == [5, 4, 1]
    workspace = set_settings(workspace, "keep_snapshots = 2\n[gate]\nmin_coverage = 1.0\nmax_hub = 0.01\n")
    for _ in range(5):
        assert build(workspace).refused
    found = snapshots.list_snapshots(workspace)
    assert [one.id for one in found if not one.refused] == [5, 4, 1]
    assert len([one for one in found if one.refused]) == 2
    with sqlite3.connect(workspace.path / "simrec.db") as connection:
        for table in ("blocks", "snapshot_articles"):
            numbers = {number for (number,) in connection.execute(f"SELECT DISTINCT snapshot_id FROM {table}")}  # noqa: S608 - names of our own
            assert numbers == {one.id for one in found}
    connection.close()


def test_prune_deletes_vectors_that_were_not_read_since_the_site_was_fitted(town: Town) -> None:
    """Those of other settings; never those of now, nor what articles are published with."""
    workspace = town()
    old = {folder.name for folder in workspace.vectors.glob("tfidf-*")}
    for folder in old:
        os.utime(workspace.vectors / folder, (1e9, 1e9))
    workspace = set_settings(workspace, "[tfidf]\ntitle_weight = 9\n")
    build(workspace)
    now = {folder.name for folder in workspace.vectors.glob("tfidf-*")} - old
    shards = [workspace.vectors / "sentence-x" / f"{name}.npz" for name in ("listed", "left", "new")]
    shards[0].parent.mkdir()
    for shard in shards:
        shard.write_bytes(b"x")
        os.utime(shard, (1e9, 1e9) if shard.stem != "new" else None)
    (shards[0].parent / "manifest.json").write_text(json.dumps({"listed.npz": "checksum"}))
    found = snapshots.prune(workspace, 1)
    assert [shard.exists() for shard in shards] == [True, False, True]  # what may still be listed stays
    assert old == set(found.folders) - {"site.aside"}
    assert {folder.name for folder in workspace.vectors.glob("tfidf-*")} == now
    assert state_folder(workspace.path).is_dir()
    with Pipeline(workspace) as pipeline:
        pipeline.publish(Article("new", "Bridge", BRIDGE, lang="en"))


def test_a_store_of_before_snapshots_were_compared_still_works(town: Town, tmp_path: Path) -> None:
    """What was not noted then is not made up: the next build notes it."""
    workspace = town()
    with sqlite3.connect(workspace.path / "simrec.db") as connection:
        connection.execute("DELETE FROM snapshot_articles")
        connection.execute("UPDATE snapshots SET figures = NULL, made_with = NULL, parent = NULL")
    connection.close()
    assert status(workspace).problems == []
    build(workspace)
    assert diff(workspace).changed == 0
    add(workspace, {"id": "new", "title": "Bridge", "body": BRIDGE, "lang": "en"})
    assert status(workspace).waiting == 1


def test_a_warm_process_goes_on_after_another_one_went_back(town: Town) -> None:
    """It takes over what is shown now, and publishes into that."""
    workspace = town()
    add(workspace, {"id": "new", "title": "Bridge", "body": BRIDGE, "lang": "en"})
    build(workspace)
    with Pipeline(workspace) as pipeline:
        snapshots.rollback(Workspace.open(workspace.path))
        pipeline.publish(Article("newer", "Bridge", BRIDGE, lang="en"))
        assert {"new", "newer"} <= shown(workspace).keys()
        with workspace.store() as store:
            assert store.snapshot().id == 1
        build(Workspace.open(workspace.path))
        pipeline.withdraw("newer")
    assert all("newer" not in ids for ids in shown(workspace).values())
    assert status(workspace).problems == []


@pytest.mark.parametrize(
    "state", ["published into", "gone back to", "refused", "of other settings", "fitted for is gone"]
)
def test_deleted_posts_are_not_shown(state: str, town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever snapshot is active, and whether or not anything can be published into it."""
    workspace = town()
    gone = shown(workspace)["t000"][0]
    if state == "gone back to":
        build(workspace, full=True)
        snapshots.rollback(workspace)
    elif state == "refused":
        assert build(set_settings(workspace, "[gate]\nmax_hub = 0.01\n"), full=True).refused
    elif state == "of other settings":
        set_settings(workspace, "[tfidf]\ntitle_weight = 9\n")
    elif state == "fitted for is gone":
        shutil.rmtree(workspace.vectors)
    capsys.readouterr()
    assert main(["withdraw", gone, "-w", str(workspace.path)]) == 0
    assert "1 withdrawn" in capsys.readouterr().out
    assert main(["render", "-w", str(workspace.path), "--format", "json", "--out", str(workspace.path / "json")]) == 0
    files = list((workspace.path / "json").glob("t*.json"))
    assert len(files) == 39  # none for the page that is gone
    for file in files:
        items = [item["id"] for item in json.loads(file.read_text())["items"]]
        assert gone not in items
        assert len(items) == 5 or file.stem == gone
    assert main(["withdraw", "nobody", "-w", str(workspace.path)]) == 1
    assert "there is no article 'nobody'" in capsys.readouterr().err
