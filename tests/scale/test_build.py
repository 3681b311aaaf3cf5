"""A build on a cluster from end to end: the blocks of a build on one machine, whatever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scale_works import Held, paths, places

from simrec.errors import UsageError
from simrec.pipeline.build import build as build_here
from simrec.pipeline.ingest import ingest
from simrec.pipeline.publish import hide
from simrec.pipeline.workspace import Workspace
from simrec.scale.build import FOLDER, build
from simrec.scale.output import BLOCKS, read_blocks
from simrec.scale.published import Published
from simrec.scale.runner import RayRunner
from simrec.scale.tasks import Task
from simrec.scale.watching import SUMMARY
from simrec.settings import write_settings
from simrec.store import StoredBlock
from simrec.types import no_progress

DATA = Path(__file__).parents[2] / "data" / "newsroom"
NOW = datetime(2025, 6, 1, tzinfo=UTC)
ROWS = 40


def site(folder: Path, **settings: Any) -> Workspace:
    """The sample newsroom."""
    folder.mkdir(parents=True)
    write_settings(folder, settings)
    workspace = Workspace.open(folder, create=True)
    ingest(workspace, [str(DATA / "articles.jsonl")], picks=[DATA / "picks.csv"])
    return workspace


def shown(workspace: Workspace) -> dict[str, StoredBlock]:
    """The blocks of the active snapshot."""
    with workspace.store() as store:
        return {block.source_id: block for block in store.blocks(store.snapshot().id)}


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")  # Ray Data warns of its own settings
def test_the_blocks_are_those_of_a_local_build(tmp_path: Path, ray_cluster: Any, toy_model: Path) -> None:
    """Row for row, with all rules that need the whole site; and the next build has nothing to do."""
    rules: dict[str, Any] = {"policy": {"hub_limit": 0.05, "copies": "newest"}, "build": {"speed": "fast"}}
    rules["sentence"] = {"model": str(toy_model)}
    here, there = site(tmp_path / "here", **rules), site(tmp_path / "there", **rules)
    build_here(here, now=NOW)
    report = build(there, address=ray_cluster.address, rows_per_part=ROWS, now=NOW)
    assert shown(there) == shown(here)
    assert report.blocks == 163
    assert not [path for path in (there.path / FOLDER).iterdir() if path.is_dir()]
    assert set(build_here(there, now=NOW).stages) == {"read", "write"}


@pytest.mark.ray
@pytest.mark.slow
def test_a_node_that_is_killed_changes_nothing(
    tmp_path: Path, ray_cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """One dies in the middle of a task of each of some stages: it is counted, and done elsewhere."""
    here, there = (site(tmp_path / name, build={"model": "tfidf"}) for name in ("here", "there"))
    build_here(here, now=NOW)
    nodes: dict[str, Any] = dict.fromkeys(["merge-tfidf", "rank", "compose"])
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    submit, over, killers = RayRunner.submit, threading.Event(), list[threading.Thread]()

    def kill(stage: str, folder: Path) -> None:
        there: set[int] = set()
        while not there and not over.wait(0.02):
            there = {process for where, process in places(folder) if where == nodes[stage].node_id}
        for process in there:
            os.kill(process, signal.SIGKILL)
        ray_cluster.remove_node(nodes[stage], allow_graceful=False)

    def held(runner: RayRunner, stage: str, work: Any, task: Task, memory: int) -> Any:
        if stage not in nodes:
            return submit(runner, stage, work, task, memory)
        if nodes[stage] is not None:
            return submit(runner, stage, work, task, memory)
        node = nodes[stage] = ray_cluster.add_node(num_cpus=1, memory=1 << 30, object_store_memory=100 << 20)
        killers.append(threading.Thread(target=kill, args=(stage, runner.folder)))
        killers[-1].start()
        there = NodeAffinitySchedulingStrategy(node.node_id, soft=False)
        first = runner._attempt.options(num_cpus=1, max_retries=0, scheduling_strategy=there)
        return first.remote(str(runner.folder), runner.token, stage, Held(work, stage), task)

    monkeypatch.setattr(RayRunner, "submit", held)
    monkeypatch.setenv("PYTHONPATH", paths())
    try:
        report = build(there, address=ray_cluster.address, rows_per_part=ROWS, now=NOW)
    finally:
        over.set()
        for killer in killers:
            killer.join()
    assert shown(there) == shown(here)
    assert {stage for stage in nodes if report.stages[stage]["retries"]} == set(nodes)


@pytest.mark.ray
@pytest.mark.slow
def test_a_driver_that_is_killed_is_gone_on_with(tmp_path: Path, ray_cluster: Any) -> None:
    """What its tasks have done stays done; nothing appears before all is there."""
    here, there = (site(tmp_path / name, build={"model": "tfidf"}) for name in ("here", "there"))
    build_here(here, now=NOW)
    code = f"""
from datetime import datetime
from pathlib import Path
from simrec.pipeline.workspace import Workspace
from simrec.scale.build import build
build(Workspace.open(Path({str(there.path)!r})), address={ray_cluster.address!r}, rows_per_part=10,
      now=datetime.fromisoformat({NOW.isoformat()!r}))
"""
    driver = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths()})
    while not list((there.path / FOLDER).glob("*/done/columns/*.json")):
        assert driver.poll() is None
        time.sleep(0.02)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    done = {path: path.stat().st_mtime_ns for path in (there.path / FOLDER).glob("*/done/words/*.json")}
    assert done
    with there.store() as store:
        assert not store.snapshots()
    report = build(there, address=ray_cluster.address, rows_per_part=10, now=datetime.now(UTC))
    assert shown(there) == shown(here)
    assert report.stages["words"]["rows"] == 163


@pytest.mark.ray
def test_what_is_withdrawn_during_a_build_is_in_no_block(tmp_path: Path, ray_cluster: Any) -> None:
    """A build on a cluster may take hours: what changes meanwhile is taken over when its blocks are shown."""
    there = site(tmp_path / "there", build={"model": "tfidf"})
    build(there, address=ray_cluster.address, rows_per_part=ROWS, now=NOW)
    gone = next(item.id for block in shown(there).values() for item in block.items)

    def progress(stage: str, total: int) -> Any:
        if stage == "compose":
            hide(there, [gone], "withdrawn")
        return no_progress(stage, total)

    build(there, address=ray_cluster.address, rows_per_part=ROWS, now=NOW, progress=progress)
    assert gone not in {item.id for block in shown(there).values() for item in block.items}


@pytest.mark.ray
def test_hybrid_without_its_prior_is_refused(tmp_path: Path, ray_cluster: Any) -> None:
    """Its candidates come from columns that are there for the prior's sake."""
    there = site(tmp_path / "there", rank={"prior": 0.0}, build={"speed": "fast"})
    with pytest.raises(UsageError, match=r"rank\.prior"):
        build(there, address=ray_cluster.address, rows_per_part=ROWS, now=NOW)


@pytest.mark.ray
def test_datasets_in_and_out(tmp_path: Path, ray_cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No store is in the way: Parquet in, blocks and candidates as Parquet out, with what was turned away and what it
    took; paths are those of the driver."""
    here = site(tmp_path / "here", build={"model": "tfidf"})
    build_here(here, now=NOW)
    (tmp_path / "in").mkdir()
    records = map(json.loads, (DATA / "articles.jsonl").read_text(encoding="utf-8").splitlines())
    pd.DataFrame([*records, {"id": "none", "title": "", "body": ""}]).to_parquet(tmp_path / "in" / "a.parquet")
    (tmp_path / "there").mkdir()
    write_settings(tmp_path / "there", {"build": {"model": "tfidf"}})
    monkeypatch.chdir(tmp_path)
    report = build(
        Workspace.open(tmp_path / "there", create=True), address=ray_cluster.address, rows_per_part=ROWS,
        articles="in", out="out", now=NOW,
    )  # fmt: skip
    assert (report.articles, report.rejected, [one.line for one in report.rejects]) == (163, 1, [164])
    assert list(pd.read_parquet(tmp_path / "out" / "rejects.parquet")["line"]) == [164]
    said = json.loads((tmp_path / "out" / SUMMARY).read_text(encoding="utf-8"))
    assert said["counts"] == {"records": 164, "stored": 163, "unchanged": 0, "rejected": 1}
    assert {"join words", "columns", "join columns", "rank"} <= {one["name"] for one in said["stages"]}
    assert report.stages["check"].keys() >= {"rows", "bytes", "retries", "seconds"}
    found = {block.source_id: block for block in read_blocks(Published(str(tmp_path / "out" / "blocks"), BLOCKS))}
    assert found == shown(here)
    assert len(pd.read_parquet(tmp_path / "out" / "candidates")) > 163 * 5


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"model": "learned"}, "one machine"),
        ({"model": "best"}, "no model"),
        ({"articles": "a.parquet"}, "--out"),
        ({"k": 0}, "-k"),
    ],
)
def test_what_cannot_be_built_is_said_before_anything_starts(tmp_path: Path, asked: dict[str, Any], why: str) -> None:
    """With what to do in its place."""
    tmp_path.joinpath("site").mkdir()
    with pytest.raises(UsageError, match=why):
        build(Workspace.open(tmp_path / "site", create=True), **asked)
