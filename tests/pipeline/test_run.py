"""The nightly job: all stages, one lock, one log, one line; a run that was killed is gone on with."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from simrec.cli import main
from simrec.errors import LockedError, SimrecError, StoreError
from simrec.pipeline import run as running
from simrec.pipeline.logs import logged
from simrec.pipeline.report import last_report, read_reports
from simrec.pipeline.run import run
from simrec.pipeline.status import status
from simrec.pipeline.workspace import Workspace
from simrec.types import no_progress

RUN = """[build]
model = "tfidf"
[run]
sources = ["articles.jsonl"]
picks = ["picks.csv"]
render = {html = "html", json = "json"}
log = "log/run.jsonl"
"""
BODIES = (
    "bridge crack anchor engineer lorries closed county repair",
    "harbor ferry tide crew sailing storm dock fuel",
)


def lines(count: int, **values: Any) -> str:
    """Articles as JSON lines."""
    records = [
        {"id": f"r{n:02}", "title": f"T {n}", "body": f"{BODIES[n % 2]} {n}. {BODIES[n % 2]}", "lang": "en", **values}
        for n in range(count)
    ]
    return "\n".join(map(json.dumps, records))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with settings and sources, and no store yet."""
    path = tmp_path / "site"
    path.mkdir()
    (path / "simrec.toml").write_text(RUN)
    (path / "articles.jsonl").write_text(lines(20))
    (path / "picks.csv").write_text("source_id,target_id,rank\nr00,r02,1\n")
    return path


def opened(path: Path) -> Workspace:
    """The workspace."""
    return Workspace.open(path, create=True)


def killed(workspace: Workspace, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends without a word in the middle of a stage."""

    class Killed(BaseException):
        pass

    def dies(*_: Any, **__: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(running, stage, dies)
        with pytest.raises(Killed):
            run(workspace)


def test_a_run_does_it_all_and_says_so_in_one_line(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Blocks are rendered, the report is there as JSON and as a page, the log has a line for each stage."""
    assert main(["run", "-w", str(site)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert len(out.splitlines()) == 1
    assert "is done in" in out
    assert "new 20" in out
    assert "snapshot 1" in out
    assert len([*(site / "html").glob("*.html")]) == len([*(site / "json").glob("r*.json")]) == 20
    said = json.loads((site / "out" / "run.json").read_text())
    assert said["state"] == "done"
    assert [stage["name"] for stage in said["stages"]] == ["ingest", "build", "render html", "render json"]
    assert said["stages"][1]["counts"]["figures"]["empty"] == 0.0
    page = (site / "out" / "run.html").read_text()
    assert f"Run {said['id']}: done" in page
    assert "<script" not in page
    logs = [json.loads(line) for line in (site / "log" / "run.jsonl").read_text().splitlines()]
    assert [line.get("stage") for line in logs if "stage" in line] == [stage["name"] for stage in said["stages"]]
    assert all({"time", "level", "logger", "message", "run", "state"} <= set(line) for line in logs)
    assert logs[-1]["state"] == "done"
    assert main(["run", "-w", str(site), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stages"][0]["counts"]["unchanged"] == 20


def test_logs_go_to_stderr_as_json_where_it_is_asked_for(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line is an object; afterwards simrec's logger is as it was."""
    before = (logging.getLogger("simrec").level, list(logging.getLogger("simrec").handlers))
    assert main(["run", "-w", str(site), "--log-json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["state"] for line in found] == ["begun", "done", "done", "done", "done", "done"]
    assert (logging.getLogger("simrec").level, list(logging.getLogger("simrec").handlers)) == before
    assert logging.getLogger("simrec").propagate


@pytest.mark.parametrize(("stage", "done"), [("ingest", 0), ("build", 1), ("render", 2)])
def test_a_killed_run_is_gone_on_with_at_the_stage_that_was_under_way(
    stage: str, done: int, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done is not done again, and the result is that of a run that was never killed."""
    workspace = opened(site)
    killed(workspace, stage, monkeypatch)
    left = last_report(workspace)
    assert left
    assert left.state == "running"
    assert any("did not end" in line for line in status(workspace).problems)
    called: list[str] = []
    for name in ("ingest", "build", "render"):
        original = getattr(running, name)

        def noted(*arguments: Any, name: str = name, original: Any = original, **named: Any) -> Any:
            called.append(name)
            return original(*arguments, **named)

        monkeypatch.setattr(running, name, noted)
    report = run(workspace)
    assert called == ["ingest", "build", "render", "render"][done:]
    assert (report.id, report.resumed, report.state) == (left.id, 1, "done")
    assert [one.name for one in report.stages] == ["ingest", "build", "render html", "render json"]
    assert len([*(site / "html").glob("*.html")]) == 20
    assert status(workspace).problems == []


def test_a_killed_run_is_not_gone_on_with_when_it_is_another_one_or_old(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other sources, `fresh`, or more hours than the setting: all is done again."""
    workspace = opened(site)
    killed(workspace, "render", monkeypatch)
    first = last_report(workspace)
    assert first
    assert run(workspace, fresh=True).id != first.id
    killed(workspace, "render", monkeypatch)
    assert run(workspace, [site / "articles.jsonl", site / "articles.jsonl"]).resumed == 0
    killed(workspace, "render", monkeypatch)
    (site / "simrec.toml").write_text(RUN + "resume_hours = 0\n")
    assert run(opened(site)).resumed == 0


def test_a_refused_snapshot_ends_no_run_and_what_was_withdrawn_goes_all_the_same(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Deleted posts are not shown for as long as the gate refuses; exit code 1, one line with figure and limit."""
    assert main(["run", "-w", str(site)]) == 0
    gone = json.loads((site / "json" / "r00.json").read_text())["items"][0]["id"]
    (site / "simrec.toml").write_text(RUN + "[gate]\nmax_changed = 0.0\n")
    records = [json.loads(line) for line in lines(20).splitlines()]
    changes = {gone: {"status": "withdrawn"}, "r01": {"body": f"{BODIES[0]} 1. {BODIES[0]}"}}
    changed = [record | changes.get(record["id"], {}) for record in records]
    (site / "articles.jsonl").write_text("\n".join(map(json.dumps, changed)))
    capsys.readouterr()
    assert main(["run", "-w", str(site)]) == 1
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "refused after" in err
    assert "max_changed allows 0.0%" in err
    for path in (site / "json").glob("r*.json"):
        assert gone not in [item["id"] for item in json.loads(path.read_text())["items"]]
    report = last_report(opened(site))
    assert report
    assert [stage.state for stage in report.stages] == ["done", "refused", "done", "done"]


def test_a_stage_that_fails_ends_the_run_and_is_named(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The source is gone: exit code 1, one line; the blocks stay, the report says the same; the next run does it."""
    assert main(["run", "-w", str(site)]) == 0
    (site / "articles.jsonl").rename(site / "away")
    capsys.readouterr()
    assert main(["run", "-w", str(site)]) == 1
    err = capsys.readouterr().err
    assert err.startswith("simrec: ingest: no file or folder")
    assert len(err.splitlines()) == 1
    assert len([*(site / "html").glob("*.html")]) == 20
    report = last_report(opened(site))
    assert report
    assert (report.state, report.stages[0].state) == ("failed", "failed")
    assert report.error.startswith("ingest: no file or folder")
    assert any(line.startswith("failed: run") for line in status(opened(site)).problems)
    (site / "away").rename(site / "articles.jsonl")
    assert main(["run", "-w", str(site)]) == 0


def test_a_first_run_that_the_gate_refuses_shows_nothing_and_says_so(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing to render: the run fails."""
    (site / "simrec.toml").write_text(RUN + "[gate]\nmax_hub = 0.0\n")
    assert main(["run", "-w", str(site)]) == 1
    assert "no other is active" in capsys.readouterr().err
    assert not (site / "html").exists()


def test_what_a_killed_run_was_writing_is_deleted(site: Path) -> None:
    """Also among the blocks; a process that runs keeps its own."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for folder in ("html", "out", "out/runs", "vectors", "vectors/site", "models"):
        (site / folder).mkdir(parents=True, exist_ok=True)
        (site / folder / f"simrec-{dead.pid}-x.part").write_text("half")
        (site / folder / f"simrec-{os.getpid()}-x.part").write_text("half")
    run(opened(site))
    left = {path.name for path in site.rglob("*.part")}
    assert left == {f"simrec-{os.getpid()}-x.part"}


def test_reports_of_the_last_runs_are_kept(site: Path) -> None:
    """As many as the setting says."""
    (site / "simrec.toml").write_text(RUN + "keep_reports = 2\n")
    numbers = [run(opened(site)).id for _ in range(3)]
    assert [report.id for report in read_reports(opened(site))] == numbers[:0:-1]


def test_blocks_are_written_back_where_it_is_asked_for(site: Path) -> None:
    """Into the table of `[write_back]`; the counts are in the report, and a run that changes nothing writes nothing."""
    back = f'[write_back]\nurl = "sqlite:///{site}/cms.db"\ntable = "similar"\ncreate = true\n'
    (site / "simrec.toml").write_text(RUN + f"write_back = true\n{back}")
    report = run(opened(site))
    assert report.stages[-1].name == "write back"
    assert report.stages[-1].counts["written"] == 20
    assert run(opened(site)).stages[-1].counts["written"] == 0


def test_the_last_line_adds_up_what_was_written(site: Path) -> None:
    """Files of all formats, not of the last one alone."""
    (site / "simrec.toml").write_text(RUN)
    report = run(opened(site))
    written = [stage.counts["written"] for stage in report.stages if "written" in stage.counts]
    assert written == [20, 20]
    assert f"written {sum(written)}, " in report.line()


def test_a_password_goes_into_no_report(site: Path) -> None:
    """Neither where the run ends well nor where it fails."""
    with pytest.raises(SimrecError):
        run(opened(site), ["postgresql://me:s3cret@nowhere.invalid/db"])
    for path in (site / "out").rglob("*.json"):
        assert "postgresql://me:***@" in path.read_text()
        assert "s3cret" not in json.dumps(json.loads(path.read_text())["plan"])


def test_sources_of_the_settings_are_meant_from_the_workspace(site: Path) -> None:
    """SQLite databases too; addresses, and what names the settings' own database, are left as they are."""
    names = ("a.jsonl", "/b.jsonl", "sqlite:///c.db", "database:")
    (site / "simrec.toml").write_text(f"[run]\nsources = {json.dumps(names)}\n")
    found = running._Run(opened(site), (), None, no_progress).sources
    assert found == [str(site / "a.jsonl"), "/b.jsonl", f"sqlite:///{site / 'c.db'}", "database:"]


def test_two_runs_do_not_work_at_once(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one, in another thread, is told who is at work."""
    import threading

    (site / "simrec.toml").write_text(RUN + "lock_wait = 0\n")
    found: list[BaseException] = []

    def second() -> None:
        try:
            run(opened(site))
        except LockedError as error:
            found.append(error)

    original = running.ingest

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        return original(*arguments, **named)

    monkeypatch.setattr(running, "ingest", meanwhile)
    assert run(opened(site)).state == "done"
    assert "`simrec run` (process" in str(found[0])


def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """A folder in its place, say."""
    (tmp_path / "log").mkdir()
    with pytest.raises(StoreError, match="cannot be written"), logged(None, tmp_path / "log"):
        pass


def test_a_report_comes_back_as_it_went_out(site: Path) -> None:
    """And one that is damaged is none: the next run starts over."""
    report = run(opened(site))
    found = last_report(opened(site))
    assert found
    assert asdict(found) == json.loads(json.dumps(asdict(report)))
    (site / "out" / "run.json").write_text("{")
    assert last_report(opened(site)) is None
    assert run(opened(site)).resumed == 0


def test_a_run_fails_where_no_source_can_be_read_and_the_blocks_stay(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A source of nothing but damage is no night in which nothing changed."""
    run(opened(site))
    with opened(site).store() as store:
        before = [one.id for one in store.snapshots() if one.active]
    (site / "articles.jsonl").write_text("{broken\n[]\n")
    assert main(["run", "-w", str(site)]) == 1
    assert "nothing could be read, 2 rejected" in capsys.readouterr().err
    with opened(site).store() as store:
        assert [one.id for one in store.snapshots() if one.active] == before
        assert store.article_count() == 20


def test_a_run_goes_on_where_all_that_came_is_to_be_left_as_it_is(site: Path) -> None:
    """A withdrawal of an article that is not stored is a reject, and no reason to end the run."""
    run(opened(site))
    (site / "articles.jsonl").write_text(json.dumps({"id": "gone", "status": "withdrawn"}))
    report = run(opened(site))
    assert (report.state, report.stages[0].counts["rejected"]) == ("done", 1)


def test_ingest_and_publish_fail_where_nothing_can_be_read(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where the store has picks, which say nothing of what was given."""
    run(opened(site))
    (site / "bad.jsonl").write_text("{broken\n")
    (site / "good.jsonl").write_text(lines(1) + "\n{broken\n")
    for command in ("ingest", "publish"):
        assert main([command, str(site / "bad.jsonl"), "-w", str(site)]) == 1
        assert main([command, str(site / "good.jsonl"), "-w", str(site)]) == 0
    capsys.readouterr()
