"""Compiled loops: what a pair gets does not depend on its batch, trees are scored as LightGBM scores them."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, random_array

from simrec.compiling import njit
from simrec.policy.duplicates import Copies
from simrec.rank import kernels, kernels_lists, scan
from simrec.rank.features import arrays
from simrec.rank.forest import make_forest, predict
from simrec.types import NO_ROW, Article


@pytest.mark.parametrize("width", [1, 15, 16, 33, 100, 256, 384])
def test_a_dense_product_is_the_same_in_every_batch(width: int) -> None:
    """One row with all, all with one row, a whole table: the same bits."""
    rows = np.random.default_rng(0).normal(size=(300, width)).astype(np.float32)
    everyone = np.arange(300, dtype=np.int32)
    table = kernels.dense_pairs(rows, rows, everyone, np.tile(everyone, (300, 1)))
    one = kernels.dense_pairs(rows, rows, everyone, np.full((300, 1), 17, dtype=np.int32))[:, 0]
    alone = kernels.dense_pairs(rows, rows, everyone[17:18], everyone[None, 5:6])[0, 0]
    for chosen in ([17], [3, 17]):
        out = np.full((len(chosen), 2, 300), np.nan, dtype=np.float32)
        kernels.dense_scans(rows, np.array(chosen, dtype=np.int32), out, 1)
        assert (out[:, 1] == table[chosen]).all()
        assert np.isnan(out[:, 0]).all()
    assert (one == table[17]).all()
    assert alone == table[17, 5]
    np.testing.assert_allclose(table, rows @ rows.T, rtol=1e-4, atol=1e-4)


def test_a_sparse_product_is_the_same_in_every_batch() -> None:
    """By inverted lists, or row by row where they do not know a row: as pair by pair."""
    matrix = csr_matrix(random_array((200, 400), density=0.1, rng=np.random.default_rng(0), dtype=np.float32))
    matrix.sort_indices()
    everyone = np.arange(200, dtype=np.int32)
    table = kernels.sparse_pairs(arrays(matrix), arrays(matrix), 400, everyone, np.tile(everyone, (200, 1)))
    inverted = scan.invert(matrix[:150])
    rows = np.array([3, 149, 150, 199], dtype=np.int32)
    for known in (matrix[:150], matrix[:180], matrix):
        later = scan.invert(known, 150) if known.shape[0] > 150 else None
        out = np.full((4, 1, 200), np.nan, dtype=np.float32)
        scan.sparse_scans(inverted, matrix, rows, out, 0, later)
        assert (out[:, 0] == table[rows]).all()


def test_days_between_rows_are_the_same_pair_by_pair() -> None:
    """Minus the days, less 1; NaN where there is no date."""
    published = np.array([0, 86_400, np.nan, 1e9 + 0.5])
    everyone = np.arange(4, dtype=np.int32)
    out = np.empty((4, 1, 4), dtype=np.float32)
    scan.time_scans(published, everyone, out, 0)
    pairs = scan.time_pairs(published, everyone, np.tile(everyone, (4, 1)))
    np.testing.assert_array_equal(out[:, 0], pairs)
    assert pairs[0, 1] == -2
    assert np.isnan(pairs[2]).all()


@given(st.integers(0, 10_000), st.integers(1, 30))
@settings(deadline=None, max_examples=50)
def test_the_best_are_those_of_a_sort(seed: int, most: int) -> None:
    """Highest first, equal ones by row; zeros, NaN and rows that are out are left out."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(-2, 6, size=60).astype(np.float32)
    scores[rng.random(60) < 0.1] = np.nan
    among = rng.random(50) < 0.8
    known = [row for row in range(50) if among[row] and scores[row] != 0 and not np.isnan(scores[row])]
    wanted = sorted(known, key=lambda row: (-scores[row], row))[:most]
    assert scan.best(scores, among, most).tolist() == wanted
    twice = scan.bests(np.stack([scores, scores]), np.stack([among, among]), most)
    assert twice.tolist() == [wanted + [NO_ROW] * (most - len(wanted))] * 2


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=50)
def test_lists_that_rows_leave_and_enter_are_the_best_of_what_is_left(seed: int) -> None:
    """As a sort of the candidates, however many go and come at once; a list that was cut is not filled from beyond."""
    rng = np.random.default_rng(seed)
    n, length = 40, 8
    scores_of = rng.integers(0, 9, size=(n, n)).astype(np.float32)
    published, order = rng.integers(0, 4, size=n).astype(np.float64), rng.permutation(n)
    there = rng.random(n) < 0.3

    def ranked(page: int, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        return rows[np.lexsort((order[rows], -published[rows], -scores_of[page, rows]))]

    before = [ranked(page, np.flatnonzero(there)) for page in range(n)]
    lists, scores = np.full((n, length), NO_ROW, dtype=np.int32), np.full((n, length), -np.inf, dtype=np.float32)
    for page, rows in enumerate(before):
        count = min(len(rows), length)
        lists[page, :count], scores[page, :count] = rows[:count], scores_of[page, rows[:count]]
    more = np.array([len(rows) > length for rows in before])
    gone, come = there & (rng.random(n) < 0.3), np.flatnonzero(~there & (rng.random(n) < 0.2))
    first = kernels_lists.remove(lists, scores, gone)
    pages, rows = (np.repeat(np.arange(n), len(come)).astype(np.int32), np.tile(come, n).astype(np.int32))
    starts = np.arange(n + 1) * len(come)
    kernels_lists.insert(lists, scores, more, starts, pages, rows, scores_of[pages, rows], published, order)
    for page, known in enumerate(before):
        held = known[:length]
        stood = np.flatnonzero(gone[held])
        assert first[page] == (stood[0] if len(stood) else NO_ROW)
        left = held[~gone[held]]
        wanted = ranked(page, np.concatenate([left, come]))
        if len(known) > length:  # who comes behind all that is known may stand behind others
            last = np.flatnonzero(np.isin(wanted, left))
            wanted = wanted[: last[-1] + 1] if len(last) else wanted[:0]
        assert lists[page][lists[page] != NO_ROW].tolist() == wanted[:length].tolist()
        assert more[page] == (len(known) > length or len(wanted) > length)
    assert kernels_lists.hold(lists, there & ~gone).tolist() == (np.isin(lists, np.flatnonzero(there))).any(1).tolist()


@pytest.mark.parametrize("objective", ["lambdarank", "regression"])
def test_a_forest_scores_as_lightgbm(objective: str) -> None:
    """To the same float32; missing values and values on a bound, too."""
    rng = np.random.default_rng(0)
    train = np.round(rng.normal(size=(2000, 6)), 1).astype(np.float32)
    train[rng.random(train.shape) < 0.1] = np.nan
    train[:, 5] = rng.normal(size=2000)  # a column that is never missing in training
    label = (np.nan_to_num(train[:, 0]) + train[:, 5] > 1).astype(int)
    data = lightgbm.Dataset(train, label, group=[100] * 20, params={"verbose": -1})
    booster = lightgbm.train({"objective": objective, "num_leaves": 15, "verbose": -1}, data, 40)
    forest = make_forest([booster, booster])
    assert forest is not None
    for pairs in (1, 63, 64, 65, 500):
        asked = np.round(rng.normal(size=(pairs, 6)), 1).astype(np.float32)
        asked[rng.random(asked.shape) < 0.2] = np.nan
        wanted = np.asarray(booster.predict(asked)) * 2
        assert (predict(forest, asked).astype(np.float32) == wanted.astype(np.float32)).all()


def test_a_tree_with_too_many_leaves_is_left_to_lightgbm() -> None:
    """No forest is made of it."""
    rng = np.random.default_rng(0)
    data = lightgbm.Dataset(rng.normal(size=(500, 3)), rng.normal(size=500), params={"verbose": -1})
    booster = lightgbm.train({"num_leaves": 31, "min_data_in_leaf": 2, "verbose": -1}, data, 3)
    assert make_forest([booster]) is None


def test_copies_come_and_go() -> None:
    """What joins two groups makes one of them; when it goes they are two again; a text that is back is a copy again."""
    starts, words = np.arange(0, 25, 4, dtype=np.int64), np.arange(24, dtype=np.int32)
    words[20:24] = words[0:4]  # the last text is the first again
    nothing = (np.zeros(7, dtype=np.int64), np.zeros(0, dtype=np.int32))
    copies = Copies()
    articles = [Article(f"a{row}", "", "") for row in range(6)]
    ids = {article.id: row for row, article in enumerate(articles)}
    assert copies.add(range(5), articles[:5], ids, nothing, (starts, words)) == set()
    copies.link([(0, 1), (2, 3), (1, 4), (4, 2)])
    assert len(set(copies.numbers[:5].tolist())) == 1
    assert copies.remove(4) == {0, 1, 2, 3}
    assert copies.numbers[0] == copies.numbers[1] != copies.numbers[2] == copies.numbers[3]
    assert copies.add([5], articles[5:], ids, nothing, (starts, words)) == {5}
    assert copies.numbers[5] == copies.numbers[0]
    assert copies.remove(1) == set()
    assert copies.numbers[5] == copies.numbers[0]


def test_a_mark_lies_in_a_gap() -> None:
    """Where the list was cut, or further up where scores there are too close; none where the list ends before."""
    rows = np.array([[3, 1, 4, 5], [3, 1, 4, 5], [3, 1, -1, -1]], dtype=np.int32)
    scores = np.array([[0.9, 0.8, 0.5, 0.2], [0.9, 0.5, 0.5, 0.2], [0.9, 0.5, -np.inf, -np.inf]], dtype=np.float32)
    chosen = np.array([[1, 3, 9], [1, 3, 9], [1, 3, 9]], dtype=np.int32)
    marks = scan.cut_lists(rows, scores, np.array([0, 4]), chosen, 1e-6)[:, 0]
    assert marks.tolist() == pytest.approx([0.65, 0.7, -np.inf])


def test_loops_are_compiled_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """numba finds no place to keep them: they are compiled in memory, and give the same."""
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])

    def twice(number: int) -> int:
        return 2 * number

    assert njit()(twice)(21) == 42
