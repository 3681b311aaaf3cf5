"""The approximate index is measured against the exact one, and widens or gives way."""

from __future__ import annotations

import numpy as np
import pytest

from simrec.index.approximate import Graph, choose_index, recall
from simrec.index.dense import DenseIndex
from simrec.types import Neighbors


def around(centers: int, n: int = 5000, d: int = 32, spread: float = 0.5) -> np.ndarray:
    """Unit rows around some centers."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(centers, d))[rng.integers(0, centers, n)] + spread * rng.normal(size=(n, d))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def test_few_rows_are_searched_exactly() -> None:
    """Up to the size that is given, nothing is approximated or measured."""
    chosen = choose_index(around(20), exact_up_to=5000)
    assert isinstance(chosen.index, DenseIndex)
    assert chosen.report.kind == "exact"
    assert chosen.report.recall == 1
    assert chosen.report.tried == ()


def test_many_rows_are_searched_along_the_graph() -> None:
    """The report holds the recall that a fresh comparison finds, at least the floor."""
    vectors = around(40)
    chosen = choose_index(vectors, exact_up_to=1000)
    assert isinstance(chosen.index, Graph)
    assert chosen.report.kind == "graph"
    assert chosen.report.tried[-1] == (chosen.report.width, chosen.report.recall)
    rows = np.arange(5000, dtype=np.int32)
    truth = DenseIndex(vectors).query(vectors, 10, rows)
    assert recall(chosen.query(vectors, 10, rows), truth) > 0.97
    assert chosen.report.recall >= 0.98


def test_a_search_that_finds_too_little_widens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where rows lie in no clusters and the view is narrow, it is doubled until the floor is reached."""
    monkeypatch.setattr("simrec.index.approximate.WIDTH", 10)
    report = choose_index(around(5000, d=64), exact_up_to=1000, floor=0.99).report
    assert report.kind == "graph"
    assert [width for width, _ in report.tried] == [10 * 2**step for step in range(len(report.tried))]
    assert len(report.tried) > 1
    assert all(share < 0.99 for _, share in report.tried[:-1])
    assert report.recall >= 0.99


def test_a_floor_that_cannot_be_reached_gives_the_exact_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the widest search still misses some, the product is used, and the report says what was tried."""
    monkeypatch.setattr("simrec.index.approximate.WIDTH", 10)
    monkeypatch.setattr("simrec.index.approximate.WIDEST", 40)
    chosen = choose_index(around(5000, d=64), exact_up_to=1000, floor=1.0)
    assert isinstance(chosen.index, DenseIndex)
    assert chosen.report.kind == "exact"
    assert chosen.report.recall == 1
    assert [width for width, _ in chosen.report.tried] == [10, 20, 40]
    assert max(share for _, share in chosen.report.tried) < 1


def test_it_answers_as_the_exact_index_does() -> None:
    """Eligible rows only, never the own one, best first, scores to the bit those of the exact index."""
    vectors = around(40)
    vectors[::100] = 0
    eligible = np.random.default_rng(1).random(5000) < 0.5
    rows = np.arange(5000, dtype=np.int32)
    found = Graph(vectors, eligible).query(vectors, 20, rows)
    truth = DenseIndex(vectors, eligible).query(vectors, 2500, rows)
    assert found.rows.shape == found.scores.shape == (5000, 20)
    assert (found.rows[::100] == -1).all()
    assert np.isneginf(found.scores[found.rows == -1]).all()
    assert eligible[found.rows[found.rows >= 0]].all()
    assert not np.isin(found.rows, np.arange(0, 5000, 100)).any()
    assert (found.rows != rows[:, None]).all()
    assert (np.diff(found.scores[1:100]) <= 0).all()
    for row in (1, 2, 3):
        score = dict(zip(truth.rows[row].tolist(), truth.scores[row].tolist(), strict=True))
        assert [score[other] for other in found.rows[row].tolist()] == found.scores[row].tolist()


def test_it_is_the_same_on_every_run() -> None:
    """The graph is built in order and the sample seeded: two builds report and answer alike."""
    vectors = around(40)
    one, two = (choose_index(vectors, exact_up_to=1000) for _ in range(2))
    assert one.report == two.report
    np.testing.assert_array_equal(one.query(vectors[:50], 10).rows, two.query(vectors[:50], 10).rows)


def test_nobody_eligible_is_no_error() -> None:
    """An index without rows finds nobody."""
    vectors = around(3, n=10)
    chosen = choose_index(vectors, np.zeros(10, dtype=bool), exact_up_to=0)
    assert chosen.report.kind == "exact"
    assert (chosen.query(vectors, 3).rows == -1).all()


@pytest.mark.parametrize("floor", [-0.1, 1.1])
def test_a_floor_outside_zero_and_one_is_an_error(floor: float) -> None:
    """Rather than an index that always gives way, or never."""
    with pytest.raises(ValueError, match="floor of recall must be from 0 to 1"):
        choose_index(around(3, n=10), floor=floor)


def test_recall_counts_ties_as_found() -> None:
    """Another row that is as near as the last true neighbor is as right; where there is none, all are found."""
    truth = Neighbors(np.array([[1, 2]], dtype=np.int32), np.array([[0.9, 0.5]], dtype=np.float32))
    assert recall(Neighbors(np.array([[1, 3]], dtype=np.int32), truth.scores), truth) == 1
    nobody = Neighbors(np.array([[-1]], dtype=np.int32), np.array([[-np.inf]], dtype=np.float32))
    assert recall(nobody, nobody) == 1
