"""What evaluations leave on disk and read from it: TREC files, saved runs, floors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
import pytest

from simrec.errors import InputError, UsageError
from simrec.evaluate import gate, saved, trec
from simrec.evaluate.measures import per_source

IDS = ["a b", "50% off", "50%25 off", "über/uns", "tab\there", "plain", "no\u00a0break"]


def case() -> tuple[np.ndarray, np.ndarray, list[frozenset[int]]]:
    """Sources, a run of different lengths, and picks."""
    run = np.array([[1, 2, 3, 4], [0, 6, -1, -1], [5, 4, 3, -1]], dtype=np.int32)
    return np.array([0, 1, 2], dtype=np.int32), run, [frozenset({2, 5}), frozenset({0}), frozenset({3, 6})]


def test_a_trec_run_comes_back_as_it_went_out(tmp_path: Path) -> None:
    """Whatever the ids hold: spaces, per cent signs, tabs, letters of any language."""
    sources, run, _ = case()
    (path,) = trec.write_runs(tmp_path, IDS, sources, {"my model": run})
    found = trec.read_run(path)
    assert found.tag == "my model"
    row_of = {id_: row for row, id_ in enumerate(IDS)}
    np.testing.assert_array_equal(trec.as_rows(found, row_of, sources, IDS, 4), run)


def test_ir_measures_reads_runs_and_qrels_and_agrees(tmp_path: Path) -> None:
    """Another tool gives the same figures from the files alone."""
    sources, run, picks = case()
    (path,) = trec.write_runs(tmp_path / "x.run", IDS, sources, {"m": run})
    (tmp_path / "q.txt").write_text(trec.write_qrels(IDS, sources, picks), encoding="utf-8")
    qrels = list(ir_measures.read_trec_qrels(str(tmp_path / "q.txt")))
    ranked = list(ir_measures.read_trec_run(str(path)))
    wanted = {"nDCG@5": ir_measures.nDCG @ 5, "AP": ir_measures.AP, "Judged@10": ir_measures.Judged @ 10}
    theirs = ir_measures.calc_aggregate(list(wanted.values()), qrels, ranked)
    ours = per_source(run, picks, 10)
    for name in ("nDCG@5", "AP"):
        assert ours[name].mean() == pytest.approx(theirs[wanted[name]], abs=1e-9)


def test_several_runs_get_a_file_each(tmp_path: Path) -> None:
    """In a folder by name; beside one another where a file is named; a name never leads out of the folder."""
    sources, run, _ = case()
    runs = {"a": run, "../b": run}
    found = trec.write_runs(tmp_path / "my.run", IDS, sources, runs)
    assert [path.name for path in found] == ["my.a.run", "my...%2Fb.run"]
    assert all(path.parent == tmp_path for path in found)
    assert [path.name for path in trec.write_runs(tmp_path / "d", IDS, sources, runs)] == ["a.run", "..%2Fb.run"]


def test_a_run_is_ordered_by_its_scores(tmp_path: Path) -> None:
    """Not by its lines; the page itself, unknown articles and repetitions are skipped."""
    lines = ["p Q0 x 3 0.1 t", "p Q0 y 1 0.9 t", "p Q0 p 1 5 t", "p Q0 gone 1 4 t", "", "p Q0 y 9 0.05 t"]
    (tmp_path / "r").write_text("\n".join(lines), encoding="utf-8")
    ids = ["p", "x", "y"]
    rows = trec.as_rows(
        trec.read_run(tmp_path / "r"), {id_: row for row, id_ in enumerate(ids)}, np.array([0], np.int32), ids, 3
    )
    assert rows.tolist() == [[2, 1, -1]]


@pytest.mark.parametrize("line", ["too few columns", "p Q0 x first 0.5 t", "p Q0 x 1 nan t", "p Q0 x 1 0.5 t more"])
def test_a_line_that_is_none_of_a_run_is_named(tmp_path: Path, line: str) -> None:
    """File and line, and what was awaited."""
    (tmp_path / "r").write_text(f"p Q0 x 1 0.5 t\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"r:2 is no line of a TREC run: source Q0 target rank score tag"):
        trec.read_run(tmp_path / "r")


def test_a_run_of_another_site_is_an_error(tmp_path: Path) -> None:
    """A run that ranks none of the pages would only look like a bad one."""
    (tmp_path / "r").write_text("p Q0 x 1 0.5 t\n", encoding="utf-8")
    with pytest.raises(InputError, match="none of the tested pages"):
        trec.as_rows(trec.read_run(tmp_path / "r"), {"q": 0}, np.array([0], np.int32), ["q"], 3)


def write(path: Path, ndcg: dict[str, list[float]], sources: list[str], **protocol: Any) -> Path:
    """A saved run."""
    values = {model: {"nDCG@10": found, "RR": found, "ild@5": found} for model, found in ndcg.items()}
    saved.save(path, {"protocol": {"k": 10, **protocol}, "sources": sources, "values": values, "runs": {}})
    return path


def test_two_saved_runs_are_compared_on_the_pages_they_share(tmp_path: Path) -> None:
    """In whatever order they stand; the second against the first, with what differs and what moved most."""
    a = write(tmp_path / "a.json", {"m": [0.1, 0.5, 0.9]}, ["x", "y", "only a"], settings={"rank": {"tags": 0.4}})
    b = write(tmp_path / "b.json", {"m": [0.5, 0.2]}, ["y", "x"], settings={"rank": {"tags": 0.8}})
    found = saved.difference(saved.load(a), saved.load(b))
    assert (found.sources, found.only_a, found.only_b) == (2, 1, 0)
    assert [c.measure for c in found.comparisons] == ["nDCG@10", "RR"]
    assert found.comparisons[0].delta == pytest.approx(0.05)
    assert found.figures["b: m"]["nDCG@10"].mean == pytest.approx(0.35)
    assert found.changed == ["settings.rank.tags: 0.4 → 0.8"]
    assert found.moved == [("x", pytest.approx(0.1))]


def test_comparing_several_models_corrects_for_them(tmp_path: Path) -> None:
    """Holm's p of each measure counts the models that both runs have."""
    rng = np.random.default_rng(0)
    base, sources = rng.random(40), [f"s{i}" for i in range(40)]
    better = base + rng.normal(0.03, 0.05, 40)
    a = write(tmp_path / "a.json", {"m": base.tolist(), "o": base.tolist(), "gone": base.tolist()}, sources)
    b = write(tmp_path / "b.json", {"m": better.tolist(), "o": base.tolist()}, sources)
    found = {(c.a, c.measure): c for c in saved.difference(saved.load(a), saved.load(b)).comparisons}
    one = found["b: m", "nDCG@10"]
    assert one.p < 0.05
    assert one.p_holm == pytest.approx(2 * one.p)


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        (({"m": [0.1]}, ["x"]), ({"m": [0.1]}, ["y"]), "no source in common"),
        (({"m": [0.1], "o": [0.1]}, ["x"]), ({"p": [0.1], "q": [0.1]}, ["x"]), "no model in common"),
    ],
)
def test_runs_that_cannot_be_compared_say_why(tmp_path: Path, a: Any, b: Any, says: str) -> None:
    """Nothing in common is bad usage."""
    one, two = write(tmp_path / "a.json", *a), write(tmp_path / "b.json", *b)
    with pytest.raises(UsageError, match=says):
        saved.difference(saved.load(one), saved.load(two))


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"format": 1}', '{"format": 9}',
        '{"format": 1, "protocol": {}, "sources": ["x"], "values": {"m": {"RR": [1, 2]}}, "runs": {}}',
    ],
)  # fmt: skip
def test_a_file_that_is_no_saved_run_says_what_to_do(tmp_path: Path, text: str) -> None:
    """A damaged one, one of another version, one of something else."""
    (tmp_path / "r.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="--save"):
        saved.load(tmp_path / "r.json")


def figures(value: float, **protocol: Any) -> dict[str, Any]:
    """What `evaluate --json` prints, for one model."""
    described = {"articles_hash": "a1", "picks_hash": "p1", "split": "group", "as_published": False, "rules": False}
    return {"protocol": {**described, **protocol}, "models": {"my model": {"nDCG@10": {"mean": value}}}}


def raise_to(path: Path, value: float, *, lower: bool = False, **protocol: Any) -> list[str]:
    """Raises the floor of nDCG@10."""
    return gate.raise_floors(path, "my site", figures(value, **protocol), ("nDCG@10",), lower=lower)


def floor_of(path: Path) -> float:
    """The floor."""
    found: float = gate.read_floors(path)["my site"]["floors"]["my model"]["nDCG@10"]
    return found


def test_a_floor_holds_or_breaks(tmp_path: Path) -> None:
    """The figure that it was made of holds, with a margin for last digits; a lower one does not."""
    path = tmp_path / "f.toml"
    raise_to(path, 0.5)
    assert floor_of(path) == 0.498
    assert gate.broken(path, gate.read_floors(path), figures(0.4985)) == []
    (line,) = gate.broken(path, gate.read_floors(path), figures(0.497))
    assert line == "my site: nDCG@10 of my model is 0.4970, below its floor 0.498"


def test_a_floor_never_falls_without_the_flag(tmp_path: Path) -> None:
    """It rises by itself, and falls with `lower` only."""
    path = tmp_path / "f.toml"
    raise_to(path, 0.5)
    assert raise_to(path, 0.4) == []
    assert floor_of(path) == 0.498
    assert raise_to(path, 0.6) == ["my site: nDCG@10 of my model 0.498 → 0.598"]
    raise_to(path, 0.4, lower=True)
    assert floor_of(path) == 0.398


def test_a_changed_corpus_is_noticed_and_named(tmp_path: Path) -> None:
    """Other articles or picks never pass on old floors, and never take their name without the flag."""
    path = tmp_path / "f.toml"
    raise_to(path, 0.5)
    floors = gate.read_floors(path)
    (line,) = gate.broken(path, floors, figures(0.9, articles_hash="a2"))
    assert "my site: the articles have changed" in line
    (line,) = gate.broken(path, floors, figures(0.9, picks_hash="p2"))
    assert "my site: the picks have changed" in line
    for other in ({"articles_hash": "a2", "picks_hash": "p2"}, {"split": "time"}, {"rules": True}):
        (line,) = gate.broken(path, floors, figures(0.9, **other))
        assert "no floors for these" in line
    with pytest.raises(UsageError, match="--lower-floors"):
        raise_to(path, 0.9, picks_hash="p2")
    raise_to(path, 0.3, lower=True, picks_hash="p2")
    assert floor_of(path) == 0.298


def test_a_model_with_floors_that_was_not_measured_breaks_the_gate(tmp_path: Path) -> None:
    """Leaving a model out is no way through."""
    path = tmp_path / "f.toml"
    raise_to(path, 0.5)
    (line,) = gate.broken(path, gate.read_floors(path), figures(0.5) | {"models": {}})
    assert "evaluate it with --model my model" in line


@pytest.mark.parametrize("text", ["x = 1", "[n]\nsplit = 1", "= =", "[n"])
def test_a_file_that_holds_no_floors_is_an_error(tmp_path: Path, text: str) -> None:
    """In one line."""
    (tmp_path / "f.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"f\.toml"):
        gate.read_floors(tmp_path / "f.toml")
