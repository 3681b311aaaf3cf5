"""`evaluate` with its gate and files, `compare`, `train`, and the reasons of a learned model."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import ir_measures
import pytest

from simrec.cli import main
from simrec.cli.options import MODELS, SPLITS
from simrec.evaluate.gate import read_floors
from simrec.evaluate.protocol import SPLITS as KNOWN_SPLITS
from simrec.pipeline import train
from simrec.pipeline.sample import newsroom
from simrec.pipeline.site import MODELS as KNOWN_MODELS
from simrec.pipeline.workspace import Workspace
from simrec.rank.catalogue import LEARNED
from simrec.rank.learned import LambdaRanker

FIRST = json.loads((newsroom() / "articles.jsonl").read_text(encoding="utf-8").splitlines()[0])["id"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small rankers."""

    def small(**parameters: Any) -> LambdaRanker:
        return LambdaRanker(features=train.ALL_NAMES, **(parameters | {"trees": 5}))

    monkeypatch.setattr(train, "make_ranker", small)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command: exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, *capsys.readouterr()

    return run


def test_the_parser_knows_what_the_pipeline_knows() -> None:
    """Names that are said twice, so that the parser loads nothing heavy, are the same."""
    assert MODELS == KNOWN_MODELS
    assert SPLITS == KNOWN_SPLITS


def test_the_gate_holds_breaks_and_is_raised(cli: Any, built: Path, tmp_path: Path) -> None:
    """Floors are written once, hold for the same figures, and a higher floor makes the command fail with a line."""
    floors = tmp_path / "floors.toml"
    gate = ("evaluate", "-w", built, "--model", "tfidf", "--gate", floors)
    code, out, err = cli(*gate)
    assert (code, out) == (1, "")
    assert "--raise-floors" in err
    code, out, err = cli(*gate, "--raise-floors", "news")
    assert code == 0
    assert "floor: news: nDCG@10 of tfidf new" in err
    assert cli("evaluate", "-w", built, "--gate", floors)[0] == 0  # the models with floors are measured
    floor = read_floors(floors)["news"]["floors"]["tfidf"]["nDCG@10"]
    floors.write_text(floors.read_text(encoding="utf-8").replace(str(floor), "0.99"), encoding="utf-8")
    for more in ((), ("--raise-floors", "news")):
        code, _, err = cli(*gate, *more)
        assert code == 1
        assert err.startswith("gate: news: nDCG@10 of tfidf is 0.")
        assert len(err.splitlines()) == 1
    assert cli(*gate, "--raise-floors", "news", "--lower-floors")[0] == 0
    assert read_floors(floors)["news"]["floors"]["tfidf"]["nDCG@10"] == floor


def test_a_changed_corpus_does_not_pass_the_gate(cli: Any, built: Path, site: Workspace, tmp_path: Path) -> None:
    """One tag more on one article, and the floors are for another corpus; the message says so."""
    floors = tmp_path / "floors.toml"
    options = ("--model", "tfidf", "--gate", floors)
    assert cli("evaluate", "-w", built, *options, "--raise-floors", "news")[0] == 0
    article = json.loads((newsroom() / "articles.jsonl").read_text(encoding="utf-8").splitlines()[0])
    changed = tmp_path / "one.jsonl"
    changed.write_text(json.dumps(article | {"tags": ["planted"]}) + "\n", encoding="utf-8")
    assert cli("ingest", changed, "-w", site.path)[0] == 0
    code, _, err = cli("evaluate", "-w", site.path, *options)
    assert code == 1
    assert "the articles have changed" in err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--lower-floors",), "--raise-floors"),
        (("--raise-floors", "x"), "--gate"),
        (("--articles", "a.jsonl"), "go together"),
    ],
)
def test_options_that_do_not_go_together_are_bad_usage(cli: Any, built: Path, options: Any, says: str) -> None:
    """Exit code 2 and a line, before anything is measured."""
    code, out, err = cli("evaluate", "-w", built, *options)
    assert (code, out) == (2, "")
    assert says in err


def test_runs_go_out_and_come_in(cli: Any, built: Path, tmp_path: Path) -> None:
    """A model's own run read back scores what the model scores; ir_measures says the same of the files."""
    code, _, _ = cli(
        "evaluate", "-w", built, "--model", "tfidf", "--trec-run", tmp_path / "my.run", "--qrels", tmp_path / "q"
    )
    assert code == 0
    code, out, err = cli("evaluate", "-w", built, "--model", "tfidf", "--run", tmp_path / "my.run", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["models"]["tfidf'"] == found["models"]["tfidf"]
    theirs = ir_measures.calc_aggregate(
        [ir_measures.nDCG @ 10],
        ir_measures.read_trec_qrels(str(tmp_path / "q")),
        ir_measures.read_trec_run(str(tmp_path / "my.run")),
    )
    assert theirs[ir_measures.nDCG @ 10] == pytest.approx(found["models"]["tfidf"]["nDCG@10"]["mean"], abs=1e-9)


def test_ratings_are_correlated_with_scores(cli: Any, built: Path, tmp_path: Path) -> None:
    """People's ratings of pairs, for every model; a table that cannot be used says what it needs."""
    lines = (newsroom() / "articles.jsonl").read_text(encoding="utf-8").splitlines()
    ids = sorted(json.loads(line)["id"] for line in lines)[:12]
    rows = [f"{a},{b},{i % 5}" for i, (a, b) in enumerate(pairwise(ids))]
    table = tmp_path / "r.csv"
    table.write_text("\n".join(["id_a,id_b,human_similarity", *rows, "gone,away,3", f"{ids[0]},{ids[5]},none"]))
    code, out, _ = cli("evaluate", "-w", built, "--model", "tfidf", "--ratings", table, "--json")
    assert code == 0
    found = json.loads(out)["ratings"]["tfidf"]
    assert -1 <= found["low"] <= found["mean"] <= found["high"] <= 1
    table.write_text("a,b\n1,2\n")
    code, _, err = cli("evaluate", "-w", built, "--model", "tfidf", "--ratings", table)
    assert code == 1
    assert "human_similarity" in err


def test_the_json_is_json(cli: Any, built: Path) -> None:
    """Slices with too few sources for an interval have null, which NaN is not."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    code, out, _ = cli("evaluate", "-w", built, "--model", "tfidf", "--json")
    assert code == 0
    found = json.loads(out, parse_constant=refuse)
    assert any(model["low"] is None for one in found["slices"] for model in one["models"].values())


def test_saved_runs_are_compared(cli: Any, built: Path, tmp_path: Path) -> None:
    """Figures, the difference with its interval and p, what differs, the pages that moved."""
    for model in ("tfidf", "hybrid"):
        assert cli("evaluate", "-w", built, "--model", model, "--save", tmp_path / f"{model}.json")[0] == 0
    runs = (tmp_path / "tfidf.json", tmp_path / "hybrid.json")
    code, out, err = cli("compare", *runs)
    assert (code, err) == (0, "")
    assert "hybrid: hybrid against tfidf: tfidf" in out
    assert "measured alike" in out
    assert "pages that moved most, by nDCG@10" in out
    code, out, _ = cli("compare", *runs, "--json")
    found = json.loads(out)
    main_one = found["comparisons"][0]
    assert (code, main_one["measure"], main_one["delta"] > 0) == (0, "nDCG@10", True)
    before, after = (found["models"][name]["nDCG@10"]["mean"] for name in ("tfidf: tfidf", "hybrid: hybrid"))
    assert after - before == pytest.approx(main_one["delta"])
    assert len(found["moved"]) == 10
    code, _, err = cli("compare", runs[0], tmp_path / "none.json")
    assert code == 1
    assert "there is no saved run" in err


@pytest.mark.sentence
@pytest.mark.usefixtures("quick")
def test_a_ranker_is_trained_told_built_with_and_explained(cli: Any, site: Workspace) -> None:
    """`train` says what it decided; `build` uses it as it is; `similar --explain` gives up to three reasons."""
    code, out, err = cli("train", "-w", site.path)
    assert (code, err) == (0, "")
    for part in ("decided: ", "evidence, nDCG@10", "what it looks at most", "simrec build"):
        assert part in out
    trained = (site.learned / "decision.json").read_bytes()
    code, out, _ = cli("build", "-w", site.path, "--model", "learned")
    assert code == 0
    assert "learned: " in out
    assert (site.learned / "decision.json").read_bytes() == trained
    code, out, _ = cli("similar", FIRST, "-w", site.path, "--explain", "--json")
    assert code == 0
    known = {feature.words for feature in LEARNED}
    reasons = [item["reasons"]["because"] for item in json.loads(out)["items"]]
    assert all(len(set(found)) == len(found) <= 3 and set(found) <= known for found in reasons)
    assert any(reasons)
    assert "because" not in json.loads(cli("similar", FIRST, "-w", site.path, "--json")[1])["items"][0]["reasons"]
    assert "moved up, since it " in cli("similar", FIRST, "-w", site.path, "--explain")[1]


@pytest.mark.sentence
@pytest.mark.usefixtures("quick")
def test_evaluating_learned_says_what_each_fold_decided(cli: Any, built: Path) -> None:
    """And how many of the picks are among the candidates, and how quality grows with picks."""
    options = ("--model", "learned", "--split", "time", "--curve")
    code, out, _ = cli("evaluate", "-w", built, *options)
    assert code == 0
    for part in ("learned, fold 1: ", "picks among the candidates", "learned by the pages with picks"):
        assert part in out


def test_training_from_files_needs_a_place_to_write(cli: Any) -> None:
    """There is no workspace that it could go to."""
    files = ("--articles", newsroom() / "articles.jsonl", "--picks", newsroom() / "picks.csv")
    code, _, err = cli("train", *files)
    assert code == 2
    assert "--out" in err


def test_too_few_picks_train_to_hybrid_and_say_so(cli: Any, make_site: Any) -> None:
    """Nothing is lost: the decision is hybrid, and the build goes on."""
    articles = "\n".join(
        json.dumps({"id": f"a{i}", "title": f"Bridge {i}", "body": f"The bridge number {i} is open again."})
        for i in range(8)
    )
    workspace = make_site(articles, "a0,a1,1\na1,a2,1\n")
    code, out, err = cli("train", "-w", workspace.path, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["decision"]["weight"] == 0
    assert "too few to learn from" in found["decision"]["why"]
