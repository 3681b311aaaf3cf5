"""Benchmarks: what they call a pass, what they keep, and that a peer that is not there stops nothing."""

from __future__ import annotations

import argparse
import doctest
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import hotspots
import house_rules
import run
import scale_neighbors
from simrec.embed.tfidf import TfidfEmbedder
from simrec.errors import InputError
from simrec.types import Text
from speed import dense, kept, peers, sparse, texts
from speed.build import change, share
from speed.context import PROFILES, Context, Job, Profile
from speed.report import Measured, Outcome, Row, ratio
from speed.scaling import fit, predict, seconds, whole
from speed.table import markdown, put_between, terminal

ROOT = Path(__file__).parents[1]
QUICK = Profile("tiny", False, 200, (), ("auth0-blog",), 4, 0, 50, 10, 2, (50, 60), 60)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Without real corpora."""
    return Context(QUICK, None, tmp_path, 1)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (Row("a", 1.2, at_most=1.25), "pass"),
        (Row("a", 1.3, at_most=1.25), "miss"),
        (Row("a", 4.0, at_least=3, peer="b"), "pass"),
        (Row("a", 2.0, at_least=3, peer="b"), "miss"),
        (Row("a", 0.9, at_least=3, peer="b"), "miss, beaten by b"),
        (Row("a", 0.9, peer="b"), "beaten by b"),
        (Row("a", 1.1, peer="b"), ""),
        (Row("a", None, at_least=3, reason="b is not installed"), "skipped"),
        (Row("a", None, at_least=3, reason="failed: ValueError"), "failed"),
    ],
)
def test_verdicts(row: Row, verdict: str) -> None:
    """A target is passed or missed; a peer that is better is named; no figure is no pass."""
    assert row.verdict == verdict


def test_ratios_say_why_they_are_missing() -> None:
    """A contender without a time leaves a row with its reason, and no figure."""
    found = ratio("a / b", Measured(seconds=6.0), Measured(seconds=2.0), at_least=2.5)
    assert (found.value, found.verdict) == (3.0, "pass")
    absent = ratio("a / b", Measured(seconds=6.0), Measured(skipped="b is not installed"), at_least=2.5)
    assert (absent.value, absent.verdict, absent.reason) == (None, "skipped", "b is not installed")
    assert share("again", Measured(seconds=2.0), Measured(seconds=40.0), 3).value == pytest.approx(5.0)


def test_outcomes_come_back_from_json() -> None:
    """What is written is what is read, to the row."""
    rows = [Row("a", 0.5, "%", at_most=1, peer="b", note="n"), Row("c", None, "", reason="why")]
    measured = {"a": Measured(1.5, [1.5, 2.0], 10.0, {"texts": 3}), "b": Measured(skipped="why")}
    outcome = Outcome({"rows": 3}, measured, rows, {"points": [1]}, {"commit": "x"})
    again = Outcome.from_json(json.loads(json.dumps(outcome.as_json())))
    assert again == outcome
    assert terminal({"x": again}) == terminal({"x": outcome})


def test_a_contender_runs_in_a_process_of_its_own(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its best time, its figures and its arrays come back; a missing library, an error and a hang are told apart."""
    (tmp_path / "contenders.py").write_text(
        "import os, time\n"
        "import numpy as np\n"
        "from speed.child import NotThere\n"
        "def good(n):\n"
        "    return lambda: {'n': n, 'threads': os.environ['OMP_NUM_THREADS'], 'rows': lambda: np.arange(n)}\n"
        "def absent():\n    import no_such_library\n"
        "def old():\n    raise NotThere('this simrec has no such thing')\n"
        "def broken():\n    raise ValueError('no good')\n"
        "def slow():\n    time.sleep(60)\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = context.run(Job("contenders:good", {"n": 3}))
    assert found.figures == {"n": 3, "threads": "1"}
    assert np.load(found.arrays)["rows"].tolist() == [0, 1, 2]
    assert found.seconds == pytest.approx(min(found.runs), abs=1e-3)
    assert len(found.runs) == 3
    assert context.run(Job("contenders:absent", {})).skipped.startswith("no_such_library is not installed")
    assert context.run(Job("contenders:old", {})).skipped == "this simrec has no such thing"
    assert context.run(Job("contenders:broken", {})).failed == "ValueError: no good"
    hasty = Context(Profile(**{**vars(QUICK), "limit": 0.5}), None, tmp_path, 1)
    assert hasty.run(Job("contenders:slow", {})).skipped == "took more than 0 s"


HOLDER = """
from speed.child import watch_memory
risen = watch_memory()
if risen() is not None:
    held = bytearray(50_000_000)
    held[::4096] = bytes([1]) * len(range(0, 50_000_000, 4096))
    del held
print(risen())
"""


def test_memory_is_watched() -> None:
    """What is held for a moment is in the peak, as far as the system tells.

    In a process of its own, as benchmarks are: this one may hold freed memory to take the block from.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT / "benchmarks")}
    found = subprocess.run([sys.executable, "-c", HOLDER], env=environment, capture_output=True, text=True, check=True)
    if found.stdout.strip() == "None":
        pytest.skip("this system does not tell a process's peak")
    assert 40 < float(found.stdout) < 200


def test_contenders_of_a_race_have_as_many_runs(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take turns, the best run of each counts, and one that is missing is asked once."""
    asked: list[str] = []

    def run_once(self: Context, job: Job) -> Measured:
        asked.append(job.target)
        assert job.runs == 1
        taken = 20.0 - len(asked) if job.target == "slow" else 1.0
        return Measured(skipped="why") if job.target == "absent" else Measured(taken, [taken])

    monkeypatch.setattr(Context, "run", run_once)
    found = context.race({name: Job(name, {}) for name in ("slow", "absent", "quick")})
    assert asked == ["slow", "absent", "quick", "slow", "quick", "slow", "quick"]
    assert {name: len(value.runs) for name, value in found.items()} == {"slow": 3, "absent": 0, "quick": 3}
    assert found["slow"].seconds == 14.0


def fake(name: str, outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark that finds what it is told."""
    module: Any = ModuleType(f"speed.{name}", "A fake.")
    module.bench = lambda context: outcome
    monkeypatch.setitem(sys.modules, f"speed.{name}", module)


def test_results_are_kept_one_benchmark_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Running one leaves the others' figures; a missed target is no failure, a broken contender is."""
    monkeypatch.setattr(run, "describe", lambda threads: {"commit": "x"})
    fake("dense", Outcome({}, {}, [Row("a", 2.0, at_most=1)]), monkeypatch)
    fake(
        "sparse", Outcome({}, {"b": Measured(failed="broken")}, [Row("b", None, reason="failed: broken")]), monkeypatch
    )
    common = ["--profile", "tiny", "--results", str(tmp_path)]
    assert run.main([*common, "--only", "dense"]) == 0
    assert run.main([*common, "--only", "sparse"]) == 1
    found = run.load(tmp_path / "speed-tiny.json")
    assert [row.verdict for outcome in found.values() for row in outcome.rows] == ["miss", "failed"]


def test_what_breaks_a_benchmark_is_told_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A corpus that cannot be read fails its benchmark; results that cannot be read are not written over."""

    def broken(context: Context) -> Outcome:
        raise InputError("no article in it can be used")

    monkeypatch.setattr(run, "describe", lambda threads: {})
    fake("dense", Outcome({}, {}, []), monkeypatch)
    monkeypatch.setattr(sys.modules["speed.dense"], "bench", broken)
    fake("sparse", Outcome({}, {}, [Row("a", 1.0, at_most=1)]), monkeypatch)
    common = ["--profile", "tiny", "--results", str(tmp_path)]
    assert run.main([*common, "--only", "dense", "--only", "sparse"]) == 1
    assert "failed: no article in it can be used" in capsys.readouterr().out
    path = tmp_path / "speed-tiny.json"
    assert set(run.load(path)) == {"dense", "sparse"}
    path.write_text("{", encoding="utf-8")
    assert run.main([*common, "--only", "sparse"]) == 1
    assert "move it away" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "{"


def test_a_folder_of_corpora_that_is_not_there_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIMREC_CORPORA is no folder: made-up articles in place of real ones would be a surprise."""
    monkeypatch.setenv("SIMREC_CORPORA", "/no/such/folder")
    assert run.main(["--profile", "tiny", "--only", "dense"]) == 1
    assert "SIMREC_CORPORA names no folder" in capsys.readouterr().err


def test_every_benchmark_is_there_and_says_what_it_measures(capsys: pytest.CaptureFixture[str]) -> None:
    """--list names each with a sentence, and docs/performance.md names it."""
    assert run.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    page = run.PAGE.read_text(encoding="utf-8")
    for name, line in zip(run.BENCHMARKS, lines, strict=True):
        assert line.startswith(name)
        assert line.endswith(".")
        assert callable(import_module(f"speed.{name}").bench)
        assert f"| {name} |" in page


@pytest.mark.parametrize("profile", sorted(set(PROFILES) - {"tiny"}))
def test_the_page_shows_the_results_that_are_there(profile: str) -> None:
    """`python benchmarks/run.py --page` would change nothing in docs/performance.md."""
    text = run.PAGE.read_text(encoding="utf-8")
    assert run.page(text, profile, run.load(run.RESULTS / f"speed-{profile}.json")) == text


def test_what_house_rules_cost_is_what_was_measured() -> None:
    """`python benchmarks/house_rules.py --page` would change nothing in docs/house-rules.md."""
    text = house_rules.PAGE.read_text(encoding="utf-8")
    assert house_rules.page(text, json.loads(house_rules.RESULTS.read_text(encoding="utf-8"))) == text


def test_a_page_without_marks_is_refused() -> None:
    """A table that has no place is an error, not a page that stays as it was."""
    with pytest.raises(ValueError, match="no marks of speed-small"):
        put_between("# Page\n", "speed-small", "table")


def test_growth_is_fitted() -> None:
    """The exponent of a power law is found; times too short to tell give none."""
    exponent, factor = fit([(1_000, 1.0), (2_000, 2.83), (4_000, 8.0)]) or (0.0, 0.0)
    assert exponent == pytest.approx(1.5, abs=0.01)
    assert factor * 4_000**exponent == pytest.approx(8.0, rel=0.01)
    assert fit([(1_000, 0.001), (2_000, 0.004)]) is None
    report = {"articles": 10, "stages": {"rank": {"seconds": 2.0, "rows": 10}}}
    steep, flat = [(10, 1.0), (100, 100.0)], [(10, 5.0), (100, 50.0)]
    assert predict({"rank": steep, "embed": flat, "whole": flat}, 1_000) == pytest.approx(10_500)
    assert whole({"rank": steep, "whole": flat}).note == "50 s at 100; 2777777.8 h at 1 million, all stages"
    assert seconds([Measured(seconds=3.0, figures=report)]) == {"rank": [(10, 2.0)], "whole": [(10, 3.0)]}


def test_made_up_articles_are_the_same_each_time(context: Context) -> None:
    """The first of many are those of few, words are rare and frequent, and one in a hundred changes."""
    few, many = list(texts.made_up(5)), list(texts.made_up(120))
    assert many[:5] == few
    counts = np.unique(" ".join(record["body"] for record in many).split(), return_counts=True)[1]
    assert counts.max() > 20 * np.median(counts)
    source = texts.articles_file(context, 120)
    changed = texts.read(change(source, context.work / "changed.jsonl"))
    assert [record["id"] for record in changed] == [many[0]["id"], many[100]["id"]]
    assert changed[0]["body"].startswith(many[0]["body"])
    assert changed[0]["body"] != many[0]["body"]


def test_samples_of_a_real_corpus_are_nested(tmp_path: Path) -> None:
    """The articles of a smaller sample are all in a larger one, in the file's order."""
    path = tmp_path / "articles.jsonl"
    path.write_text("".join(json.dumps({"id": number}) + "\n" for number in range(50)), encoding="utf-8")
    small, large = ([record["id"] for record in texts.sample(path, n)] for n in (10, 30))
    assert set(small) < set(large)
    assert large == sorted(large)


def test_dense_contenders_find_the_same(tmp_path: Path) -> None:
    """DenseIndex and the peers' neighbors are as near as those of plain numpy; what is not as near is told."""
    path = str(tmp_path / "dense.npy")
    np.save(path, dense.clustered(QUICK.rows, 16))
    mine, exact = (saved(contender(path)(), tmp_path / name) for name, contender in contenders().items())
    assert dense.same(mine, exact, "recall").value == 1
    worse = saved({"scores": np.load(exact.arrays)["scores"] - 0.1}, tmp_path / "worse")
    assert dense.same(worse, exact, "recall").verdict == "miss"


def contenders() -> dict[str, Callable[[str], Any]]:
    """Ours, and the exact one."""
    return {"mine": dense.simrec, "exact": dense.numpy}


def saved(result: dict[str, Any], path: Path) -> Measured:
    """As a process of its own would have left it."""
    scores = result["scores"]
    np.savez(path, scores=scores() if callable(scores) else scores)
    return Measured(seconds=1.0, arrays=f"{path}.npz")


def test_sparse_contenders_find_the_same(tmp_path: Path) -> None:
    """SparseIndex and sparse_dot_topn agree, each without the article itself."""
    from scipy.sparse import save_npz

    articles = [Text(record["title"], record["body"], "en") for record in texts.made_up(QUICK.rows)]
    path = str(tmp_path / "sparse.npz")
    save_npz(path, TfidfEmbedder().fit_transform(articles))
    mine = saved(sparse.simrec(path, 10)(), tmp_path / "mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        exact = saved(sparse.sparse_dot_topn(path, 10)(), tmp_path / "exact")
    found = np.load(exact.arrays)["scores"]
    assert found.shape == (QUICK.rows, 10)
    assert found.max() < 0.999
    assert dense.same(mine, exact, "recall").value == 1


def test_lists_of_peers_leave_the_article_out() -> None:
    """Ten others, wherever the article itself stands in its list; -1 where there are fewer."""
    rows = peers._without_self([[0, 1, 2], [5, 1, 2]])
    assert rows[:, :3].tolist() == [[1, 2, -1], [5, 2, -1]]


def test_quality_is_compared_with_the_sentence_model() -> None:
    """The share that is left is what counts, against its target."""
    found = {
        "torch": Measured(1.0, figures={"sentence": 0.4, "hybrid": 0.5}),
        "static": Measured(1.0, figures={"sentence": 0.2, "hybrid": 0.48}),
    }
    row = kept.kept("hybrid", "hybrid", "static", found)
    assert (row.value, row.verdict) == (pytest.approx(0.96), "pass")
    assert kept.kept("sentence", "sentence", "static", found).verdict == "miss"


def test_hot_spots_are_told_by_step() -> None:
    """Samples are counted for the function that `build` called, and for the one that was running."""
    build = "main (speed/child.py:30);build (simrec/pipeline/build.py:80)"
    lines = [
        f"{build};tfidf (simrec/pipeline/site.py:70);terms (simrec/embed/terms.py:9) 30",
        f"{build};__get__ (functools.py:981);tfidf (simrec/pipeline/site.py:70);fit (sklearn/text.py:9) 10",
        f"{build};blocks (simrec/pipeline/build.py:150) 60",
        "main (speed/child.py:30);load (json.py:1) 500",
    ]
    table = hotspots.markdown(hotspots.below_build(lines))
    assert "| `site.tfidf` | 40% | `terms.terms` 75%, `text.fit` 25% |" in table
    assert "| `build.blocks` | 60% | `build.blocks` 100% |" in table
    assert "json" not in table


def test_tables_hold_what_is_absent_too() -> None:
    """A peer that is not installed stands in the table with its reason, and is counted."""
    outcome = Outcome({"rows": 1_000}, {}, [Row("a / b", None, at_least=3, reason="b is not installed")])
    for table in (terminal({"x": outcome}), markdown({"x": outcome})):
        assert "b is not installed" in table
        assert "rows 1,000" in table
        assert "1 rows without a figure" in table


def test_what_neighbors_on_a_cluster_cost_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind and size has its place in the file of results; the same one again takes its own."""
    monkeypatch.setattr(scale_neighbors, "RESULTS", tmp_path / "found.json")
    monkeypatch.setattr(scale_neighbors, "describe", lambda threads: {"threads": threads})
    for kind in ("efficiency", "cells"):

        def measured(options: argparse.Namespace, kind: str = kind) -> dict[str, Any]:
            return {kind: options.times}

        measured.__name__ = kind
        monkeypatch.setattr(scale_neighbors, kind, measured)
    for arguments in (["--times", "1"], ["--times", "2"], ["--rows", "9", "--cells", "--articles", "a.jsonl.gz"]):
        monkeypatch.setattr(sys, "argv", ["scale_neighbors.py", *arguments])
        scale_neighbors.main()
    assert json.loads((tmp_path / "found.json").read_text(encoding="utf-8")) == {
        "efficiency 20000": {"about": {"threads": 1}, "rows": 20_000, "source": "made up", "efficiency": 2},
        "cells 9": {"about": {"threads": 1}, "rows": 9, "source": "a.jsonl.gz", "cells": 3},
    }


@pytest.mark.parametrize("name", ["report", "scaling", "publish", "context"])
def test_examples(name: str) -> None:
    """The examples in the docstrings hold."""
    found = doctest.testmod(import_module(f"speed.{name}"))
    assert found.attempted
    assert not found.failed


def test_examples_of_hot_spots() -> None:
    """The examples in the docstrings hold."""
    assert doctest.testmod(hotspots) == (0, 2)
