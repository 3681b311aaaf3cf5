"""The command line: what it prints, its exit codes, its one-line errors."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simrec.cli import main
from simrec.pipeline import why
from simrec.pipeline.build import Report
from simrec.pipeline.chooser import may_show
from simrec.pipeline.sample import newsroom
from simrec.pipeline.show import similar
from simrec.pipeline.site import Site
from simrec.pipeline.workspace import Workspace
from simrec.types import Reject


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout, stderr of a command."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def run_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    """The one object that `--json` prints."""
    code, out, err = run(capsys, *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.mark.sentence
def test_each_command_prints_one_json_object(capsys: pytest.CaptureFixture[str], tmp_path: Path, built: Path) -> None:
    """The shapes that others rely on."""
    source = newsroom() / "articles.jsonl"
    found = run_json(capsys, "ingest", source, "--picks", newsroom() / "picks.csv", "-w", tmp_path / "w")
    assert set(found) == {"new", "changed", "unchanged", "rejected", "picks", "rejects"}
    assert found["new"] > 150
    found = run_json(capsys, "build", "-w", tmp_path / "w", "--model", "tfidf", "-k", 3)
    assert set(found) == {"snapshot", "articles", "blocks", "stages", "peak_rss_mb"}
    assert all(set(stage) == {"seconds", "rows"} for stage in found["stages"].values())
    id_ = json.loads(source.read_text(encoding="utf-8").splitlines()[0])["id"]
    found = run_json(capsys, "similar", id_, "-w", tmp_path / "w")
    assert set(found) == {"id", "items", "model", "snapshot"}
    assert [set(item) for item in found["items"]] == [{"id", "title", "url", "score", "reasons"}] * 3
    found = run_json(capsys, "render", "-w", tmp_path / "w", "--out", tmp_path / "out")
    assert found["written"] > 150
    found = run_json(capsys, "evaluate", "-w", built, "--split", "group")
    assert set(found) >= {"protocol", "models", "comparisons"}
    wanted = {"nDCG@5", "nDCG@10", "R@10", "RR", "AP", "Success@5", "coverage@5", "gini@5", "ild@5"}
    for measures in found["models"].values():
        assert set(measures) > wanted
        assert all(0 <= measures[m]["low"] <= measures[m]["mean"] <= measures[m]["high"] <= 1 for m in wanted)
    wanted = {"a", "b", "measure", "delta", "low", "high", "p", "p_holm"}
    assert all(set(c) == wanted for c in found["comparisons"])
    assert {(c["a"], c["b"]) for c in found["comparisons"]} == {
        ("sentence", "tfidf"),
        ("hybrid", "tfidf"),
        ("hybrid", "sentence"),
    }


@pytest.mark.parametrize("option", ["--as-published", "--rules"])
def test_evaluate_takes_the_protocols_options(capsys: pytest.CaptureFixture[str], built: Path, option: str) -> None:
    """Both are noted in the protocol, and change what is measured."""
    plain = run_json(capsys, "evaluate", "-w", built, "--model", "tfidf")
    found = run_json(capsys, "evaluate", "-w", built, "--model", "tfidf", option)
    assert found["protocol"][option.strip("-").replace("-", "_")] is True
    assert found["models"] != plain["models"]


def test_evaluate_of_files_equals_that_of_a_workspace(
    capsys: pytest.CaptureFixture[str], built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--articles` and `--picks` need no workspace, and give the same figures."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    files = ("--articles", newsroom() / "articles.jsonl", "--picks", newsroom() / "picks.csv")
    found = run_json(capsys, "evaluate", *files, "--model", "tfidf", "--split", "time")
    assert found == run_json(capsys, "evaluate", "-w", built, "--model", "tfidf", "--split", "time")


def test_evaluate_writes_its_figures_and_report(
    capsys: pytest.CaptureFixture[str], built: Path, tmp_path: Path
) -> None:
    """`--json FILE` and `--report FILE` write files; the table still goes to stdout."""
    code, out, _ = run(
        capsys,
        "evaluate",
        "-w",
        built,
        "--model",
        "tfidf",
        "--json",
        tmp_path / "a.json",
        "--report",
        tmp_path / "r.html",
    )
    assert code == 0
    assert "nDCG@10" in out
    assert set(json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))) > {"protocol", "models", "comparisons"}
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_explain_names_words_and_parts(capsys: pytest.CaptureFixture[str], built: Path) -> None:
    """For people: what is shared, and what the score is made of."""
    id_ = json.loads((newsroom() / "articles.jsonl").read_text(encoding="utf-8").splitlines()[0])["id"]
    code, out, _ = run(capsys, "similar", id_, "-w", built, "--explain")
    assert code == 0
    assert out.count("shares: ") == 5
    assert out.count("score: tfidf") == 5


def test_what_moved_an_item_up_is_told_of_the_moment_that_is_given(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside what may be shown then: no clock is asked."""
    id_ = json.loads((newsroom() / "articles.jsonl").read_text(encoding="utf-8").splitlines()[0])["id"]
    moments, now = list[datetime](), datetime(2031, 1, 1, tzinfo=UTC)

    def seen(site: Site, moment: datetime) -> Any:
        moments.append(moment)
        return may_show(site, moment)

    monkeypatch.setattr(why, "may_show", seen)
    similar(Workspace.open(built), id_, explain=True, now=now)
    assert moments == [now]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["build", "-w", "nowhere"], 1, "simrec ingest"),
        (["ingest"], 2, "nothing to ingest"),
        (["ingest", "nowhere.jsonl"], 1, "nowhere.jsonl"),
        (["similar", "x", "-w", "nowhere"], 1, "no workspace"),
        (["evaluate", "--articles", "a.jsonl"], 2, "go together"),
        (["evaluate", "--articles", "a.jsonl", "--picks", "p.csv"], 1, "a.jsonl"),
        (["evaluate", "-w", "nowhere", "-k", "0"], 2, "-k"),
        (["build", "--model", "magic"], 2, "invalid choice"),
        (["frobnicate"], 2, "invalid choice"),
        ([], 2, "COMMAND"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    says: str,
) -> None:
    """1 where the work failed, 2 on bad usage; no traceback, and a line that says what to do."""
    monkeypatch.chdir(tmp_path)
    found, out, err = run(capsys, *arguments)
    assert (found, out) == (code, "")
    assert says in err
    assert "Traceback" not in err
    assert err.strip().splitlines()[-1].startswith("simrec")


def test_a_fault_of_simrec_itself_is_one_line_too(
    capsys: pytest.CaptureFixture[str], built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless SIMREC_DEBUG asks for the traceback."""
    from simrec.pipeline import show

    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(show, "similar", fails)
    code, _, err = run(capsys, "similar", "x", "-w", built)
    assert code == 1
    assert "ZeroDivisionError: odd" in err
    monkeypatch.setenv("SIMREC_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run(capsys, "similar", "x", "-w", built)


def test_the_workspace_comes_from_the_environment(
    capsys: pytest.CaptureFixture[str], built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIMREC_WORKSPACE stands in for -w."""
    monkeypatch.setenv("SIMREC_WORKSPACE", str(built))
    code, _, err = run(capsys, "similar", "no such article")
    assert code == 1
    assert "no article" in err


@pytest.mark.sentence
def test_the_demo_ends_with_a_page_to_open(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Blocks, a figure with its interval, what to do next, and every link leads to a file."""
    import lxml.html

    code, out, _ = run(capsys, "demo", "--out", tmp_path / "demo")
    assert code == 0
    assert "index.html" in out.splitlines()[-1]
    pages = [tmp_path / "demo" / "index.html", *(tmp_path / "demo" / "site").glob("*.html")]
    assert len(pages) > 150
    for path in pages:
        tree = lxml.html.fromstring(path.read_text(encoding="utf-8"))
        folder = path.parent / tree.xpath("string(//base/@href)")
        for link in [*tree.xpath("//a/@href"), *tree.xpath("//img/@src")]:
            assert (folder / link.replace("%25", "%")).exists(), (path, link)
    index = pages[0].read_text(encoding="utf-8")
    assert "95% interval" in index
    assert "What to do next" in index


def test_a_source_of_which_nothing_can_be_used_has_failed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Exit code 1, so that a nightly job stops; the reasons are printed all the same."""
    (tmp_path / "half.parquet").write_bytes(b"PAR1 and no more")
    code, out, err = run(capsys, "ingest", tmp_path / "half.parquet", "-w", tmp_path / "w", "--json")
    assert code == 1
    assert json.loads(out)["rejected"] == 1
    assert "half.parquet" in err


def test_a_folder_brings_its_picks_and_is_not_its_own_workspace(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`picks.csv` beside the articles is read; a workspace in the folder is no source."""
    (tmp_path / "site").mkdir()
    for name in ("articles.jsonl", "picks.csv"):
        (tmp_path / "site" / name).write_bytes((newsroom() / name).read_bytes())
    found = run_json(capsys, "ingest", tmp_path / "site", "-w", tmp_path / "site" / "work")
    assert (found["new"], found["picks"] > 300, found["rejected"]) == (163, True, 0)
    again = run_json(capsys, "ingest", tmp_path / "site", "-w", tmp_path / "site" / "work")
    assert (again["unchanged"], again["rejected"]) == (163, 0)


def test_a_build_on_a_cluster_tells_how_far_it_is_and_what_it_turned_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Lines on stderr, each once, where it is no terminal; counts where results are told."""
    report = Report(articles=3, blocks=3, rejected=1, rejects=[Reject("a.parquet", 7, "no title")])

    def build(*_: object, **__: object) -> Report:
        logging.getLogger("simrec.scale.watching").info("columns: begins")
        logging.getLogger("simrec.scale.watching").warning("columns: slow")
        return report

    monkeypatch.setattr("simrec.scale.build.build", build)
    asked = ["build", "--engine", "ray", "--articles", "a", "--out", "o", "-w", tmp_path / "w"]
    code, out, err = run(capsys, *asked)
    assert (code, out.splitlines()[-1]) == (0, "1 rejected: o/rejects.parquet says why")
    lines = ["simrec: columns: begins", "rejected a.parquet:7: no title"]
    assert [line for line in err.splitlines() if "columns" in line or "rejected" in line] == lines
    _, out, _ = run(capsys, *asked, "--json")
    told = json.loads(out)
    assert told["rejected"] == 1
    assert told["rejects"] == [{"file": "a.parquet", "line": 7, "reason": "no title"}]
    report.rejected, report.rejects = 0, []
    _, out, _ = run(capsys, *asked, "--json")
    assert json.loads(out)["rejected"] == 0
    assert "rejects" not in json.loads(out)
