"""One contract for every index: exact, eligible rows only, the own row masked by its number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array
from threadpoolctl import threadpool_info

from simrec.blas import one_blas_thread
from simrec.index import dense
from simrec.index.dense import DenseIndex
from simrec.index.masked import masked_top_k
from simrec.index.sparse import SparseIndex
from simrec.types import Neighbors

Search = Callable[[np.ndarray, int, np.ndarray], Neighbors]


def by_dense(vectors: np.ndarray, k: int, eligible: np.ndarray) -> Neighbors:
    """DenseIndex, every row for every other."""
    return DenseIndex(vectors, eligible).query(vectors, k, exclude=np.arange(len(vectors), dtype=np.int32))


def by_sparse(vectors: np.ndarray, k: int, eligible: np.ndarray) -> Neighbors:
    """SparseIndex, the same."""
    sparse = csr_matrix(vectors)
    return SparseIndex(sparse, eligible).query(sparse, k, exclude=np.arange(len(vectors), dtype=np.int32))


def by_product(vectors: np.ndarray, k: int, eligible: np.ndarray) -> Neighbors:
    """SparseIndex by the whole product."""
    sparse = csr_matrix(vectors)
    index = SparseIndex(sparse, eligible, method="product")
    return index.query(sparse, k, exclude=np.arange(len(vectors), dtype=np.int32))


def by_postings(vectors: np.ndarray, k: int, eligible: np.ndarray) -> Neighbors:
    """SparseIndex by all postings lists."""
    sparse = csr_matrix(vectors)
    index = SparseIndex(sparse, eligible, method="postings")
    return index.query(sparse, k, exclude=np.arange(len(vectors), dtype=np.int32))


def by_mask(vectors: np.ndarray, k: int, eligible: np.ndarray) -> Neighbors:
    """masked_top_k, the same."""
    mask = np.tile(eligible, (len(vectors), 1))
    np.fill_diagonal(mask, False)
    return masked_top_k(vectors, vectors, k, mask)


def by_sparse_mask(vectors: np.ndarray, k: int, eligible: np.ndarray) -> Neighbors:
    """masked_top_k of sparse rows."""
    mask = np.tile(eligible, (len(vectors), 1))
    np.fill_diagonal(mask, False)
    return masked_top_k(csr_matrix(vectors), csr_matrix(vectors), k, mask)


every_index = pytest.mark.parametrize("search", [by_dense, by_sparse, by_postings, by_product, by_mask, by_sparse_mask])


def unit_rows(n: int, d: int = 6, seed: int = 0) -> np.ndarray:
    """Positive unit rows, so that all pairs share something."""
    rows = np.random.default_rng(seed).random((n, d)).astype(np.float32) + 0.01
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def reference(vectors: np.ndarray, k: int, eligible: np.ndarray) -> np.ndarray:
    """(n, k) scores by brute force, -inf where there are fewer."""
    scores = vectors @ vectors.T
    scores[:, ~eligible] = -np.inf
    np.fill_diagonal(scores, -np.inf)
    ordered = -np.sort(-scores, axis=1)
    found = np.full((len(vectors), k), -np.inf, dtype=np.float32)
    found[:, : min(k, len(vectors))] = ordered[:, :k]
    return found


@every_index
@settings(deadline=None, max_examples=25)
@given(n=st.integers(1, 30), k=st.integers(1, 40), seed=st.integers(0, 1000), share=st.floats(0, 1))
def test_scores_are_those_of_brute_force(search: Search, n: int, k: int, seed: int, share: float) -> None:
    """For any number of rows, neighbors and eligible rows."""
    vectors = unit_rows(n, seed=seed)
    eligible = np.random.default_rng(seed).random(n) < share
    found = search(vectors, k, eligible)
    assert found.rows.shape == found.scores.shape == (n, k)
    assert found.rows.dtype == np.int32
    assert found.scores.dtype == np.float32
    np.testing.assert_allclose(found.scores, reference(vectors, k, eligible), atol=1e-5)
    assert ((found.rows == -1) == np.isneginf(found.scores)).all()
    for row, ranked in enumerate(found.rows.tolist()):
        real = [other for other in ranked if other != -1]
        assert row not in real
        assert len(set(real)) == len(real)
        assert all(eligible[other] for other in real)


@every_index
def test_the_own_row_is_masked_by_number_among_equals(search: Search) -> None:
    """With many copies of a row, each finds the others, never itself: position 0 may be anybody."""
    vectors = np.tile(unit_rows(1), (50, 1))
    found = search(vectors, 49, np.ones(50, dtype=bool))
    for row, ranked in enumerate(found.rows.tolist()):
        assert sorted(ranked) == [other for other in range(50) if other != row]


@every_index
def test_texts_without_words_are_nobodys_neighbors(search: Search) -> None:
    """A row of zeros finds nobody, and nobody finds it."""
    vectors = unit_rows(5)
    vectors[2] = 0
    found = search(vectors, 4, np.ones(5, dtype=bool))
    assert 2 not in found.rows
    assert (found.rows[2] == -1).all()
    assert (np.delete(found.rows, 2, axis=0)[:, :3] >= 0).all()


@every_index
def test_k_below_one_is_an_error(search: Search) -> None:
    """Rather than an empty answer."""
    with pytest.raises(ValueError, match="k must be at least 1"):
        search(unit_rows(3), 0, np.ones(3, dtype=bool))


def articles(n: int, seed: int = 0) -> csr_matrix:
    """Unit TF-IDF rows of n articles on topics, of words whose frequencies follow Zipf's law; some say nothing."""
    rng = np.random.default_rng(seed)
    words = 4000
    own = rng.permutation(words)[: words // 2].reshape(20, -1)
    counts = np.zeros((n, words), dtype=np.float32)
    for row in range(n):
        length = rng.integers(5, 300) if row % 50 else 0
        anywhere = np.minimum(rng.zipf(1.3, length) - 1, words - 1)
        topic = own[rng.integers(20)][np.minimum(rng.zipf(1.3, length // 2) - 1, own.shape[1] - 1)]
        np.add.at(counts[row], np.concatenate([anywhere, topic]), 1)
    df = (counts > 0).sum(0)
    weights = np.log1p(counts) * np.log((n + 1) / np.maximum(df, 1))
    norms = np.linalg.norm(weights, axis=1, keepdims=True)
    return csr_matrix((weights / np.where(norms > 0, norms, 1)).astype(np.float32))


def cosines(queries: csr_matrix, vectors: csr_matrix) -> np.ndarray:
    """All products, added up in double precision."""
    return np.asarray((queries.astype(np.float64) @ vectors.astype(np.float64).T).toarray())


@settings(deadline=None, max_examples=20)
@given(
    n=st.integers(1, 400),
    k=st.integers(1, 300),
    seed=st.integers(0, 1000),
    share=st.floats(0.02, 1),
    terms=st.integers(1, 60),
)
def test_bounds_leave_out_nothing(n: int, k: int, seed: int, share: float, terms: int) -> None:
    """For rows of any density, queries of another matrix and any eligible rows: the scores of brute force."""
    rng = np.random.default_rng(seed)
    matrix = random_array((n + 9, terms), density=float(rng.random()), rng=rng, dtype=np.float32, format="csr")
    vectors, queries = csr_matrix(matrix[:n]), csr_matrix(matrix[n:])
    eligible = rng.random(n) < share
    exclude = rng.integers(-1, n, 9).astype(np.int32)
    found = SparseIndex(vectors, eligible).query(queries, k, exclude)
    truth = np.where(eligible, cosines(queries, vectors), 0)
    truth[np.flatnonzero(exclude >= 0), exclude[exclude >= 0]] = 0
    ordered = np.zeros((9, max(k, n)))
    ordered[:, :n] = -np.sort(-truth, axis=1)
    np.testing.assert_allclose(np.where(found.rows >= 0, found.scores, 0), ordered[:, :k], rtol=1e-5, atol=1e-6)
    for query, ranked in enumerate(found.rows):
        real = ranked[ranked >= 0]
        np.testing.assert_allclose(truth[query, real], found.scores[query, : len(real)], rtol=1e-5, atol=1e-6)
        assert len(np.unique(real)) == len(real)


@pytest.mark.parametrize("k", [1, 10, 100, 300])
def test_bounds_are_exact_on_texts(k: int) -> None:
    """On articles whose words follow Zipf's law, short, long and empty: to the bit the scores of the whole product."""
    vectors = articles(1500)
    rows = np.arange(1500, dtype=np.int32)
    eligible = np.random.default_rng(1).random(1500) < 0.9
    found = SparseIndex(vectors, eligible).query(vectors, k, rows)
    truth = SparseIndex(vectors, eligible, method="product").query(vectors, k, rows)
    np.testing.assert_array_equal(found.scores, truth.scores)
    assert (found.rows[::50] == -1).all()
    assert (found.rows[1::50, 0] >= 0).all()
    again = SparseIndex(vectors, eligible, method="postings").query(vectors, k, rows)
    np.testing.assert_array_equal(found.rows, again.rows)
    np.testing.assert_array_equal(found.scores, again.scores)


def test_most_articles_are_left_out() -> None:
    """Bounds are tight enough to be worth it: few articles are completed."""
    from simrec.index.bounds import arrays, invert, scratch
    from simrec.index.sparse_kernels import _begin, _floor, _survivors

    vectors = articles(1500)
    lists = invert(vectors)
    at = scratch(lists, 10)
    starts, terms, weights = arrays(vectors)
    part = slice(starts[7], starts[8])
    _begin(lists, at, terms[part], weights[part], 7)
    assert 10 <= _survivors(lists, at, 0, _floor(lists, at, 0)) < 300


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_a_score_hangs_on_its_two_rows_alone(kind: str) -> None:
    """The same to the bit whoever else is indexed, asked, or eligible, and whichever of the two asks."""
    sparse = articles(600)
    rows = np.arange(600, dtype=np.int32)
    vectors = sparse if kind == "sparse" else unit_rows(600, 384)
    index = SparseIndex if kind == "sparse" else DenseIndex
    whole = index(vectors).query(vectors, 599, rows)
    score = {
        (row, other): value
        for row in range(600)
        for other, value in zip(whole.rows[row].tolist(), whole.scores[row].tolist(), strict=True)
    }
    some = np.random.default_rng(0).random(600) < 0.3
    part = index(vectors, some).query(vectors[5:6], 50, rows[5:6])
    for other, value in zip(part.rows[0].tolist(), part.scores[0].tolist(), strict=True):
        if other >= 0:
            assert value == score[5, other] == score[other, 5]


@settings(deadline=None, max_examples=20)
@given(n=st.integers(2, 120), k=st.integers(1, 40), kinds=st.integers(1, 4), seed=st.integers(0, 1000))
def test_articles_of_the_same_tags_find_what_each_finds_alone(n: int, k: int, kinds: int, seed: int) -> None:
    """They are asked for together, but each is nobody's neighbor but others'."""
    drawn = np.random.default_rng(seed).integers(kinds, size=n)
    vectors = csr_matrix(unit_rows(kinds, 3)[drawn])
    rows, eligible = np.arange(n, dtype=np.int32), drawn != 3
    found, bounds = (
        SparseIndex(vectors, eligible, method).query(vectors, k, rows) for method in ("postings", "bounds")
    )
    alone = [SparseIndex(vectors, eligible, "postings").query(vectors[[row]], k, rows[[row]]) for row in range(n)]
    for wanted in (bounds, Neighbors(*map(np.concatenate, zip(*alone, strict=True)))):
        np.testing.assert_array_equal(found.rows, wanted.rows)
        np.testing.assert_array_equal(found.scores, wanted.scores)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_equal_scores_are_in_order_of_rows(kind: str) -> None:
    """Copies of one article come in the order of the corpus, also where k cuts them."""
    vectors = np.tile(unit_rows(3), (40, 1))
    found = (
        by_dense(vectors, 20, np.ones(120, dtype=bool))
        if kind == "dense"
        else by_sparse(vectors, 20, vectors[:, 0] > 0)
    )
    same = [row for row in range(0, 120, 3) if row != 6]
    assert found.rows[6].tolist() == same[:20]


@settings(deadline=None, max_examples=20)
@given(copies=st.integers(1, 400), others=st.integers(0, 300), k=st.integers(1, 30), seed=st.integers(0, 1000))
def test_more_equals_than_are_kept_at_a_time(copies: int, others: int, k: int, seed: int) -> None:
    """However many copies of one article there are, the first of them are found, and none twice."""
    vectors = np.concatenate([np.tile(unit_rows(1), (copies, 1)), unit_rows(others + 1)[1:]])
    vectors = vectors[np.random.default_rng(seed).permutation(len(vectors))]
    found = by_dense(vectors, k, np.ones(len(vectors), dtype=bool))
    for row, (others_, scores) in enumerate(zip(found.rows, found.scores, strict=True)):
        there = others_[others_ >= 0].tolist()
        assert len({*there, row}) == len(there) + 1 == min(k, len(vectors) - 1) + 1
        assert there == sorted(there, key=lambda other: (-scores[there.index(other)], other))
    np.testing.assert_allclose(found.scores, reference(vectors, k, np.ones(len(vectors), dtype=bool)), atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(n=st.integers(1, 200), k=st.integers(1, 60), seed=st.integers(0, 1000))
def test_tiles_do_not_show(n: int, k: int, seed: int) -> None:
    """A product cut into many tiles, and queries into many batches, give what one gives, negative cosines too."""
    vectors = np.random.default_rng(seed).normal(size=(n, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    whole = by_dense(vectors, k, np.ones(n, dtype=bool))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense, "COLUMNS", 37)
        patch.setattr(dense, "QUERIES", 20)
        cut = by_dense(vectors, k, np.ones(n, dtype=bool))
    np.testing.assert_array_equal(whole.rows, cut.rows)
    np.testing.assert_array_equal(whole.scores, cut.scores)
    np.testing.assert_allclose(whole.scores, reference(vectors, k, np.ones(n, dtype=bool)), atol=1e-5)


def test_weights_need_no_order() -> None:
    """Rows whose terms are not sorted, come twice or weigh nothing are the rows that they add up to."""
    messy = csr_matrix(
        (np.array([0.3, 0.8, 0.3, 1, 0], dtype=np.float32), np.array([1, 0, 1, 0, 1]), np.array([0, 3, 5])),
        shape=(2, 2),
    )
    found = SparseIndex(messy).query(messy, 1, np.arange(2, dtype=np.int32))
    np.testing.assert_allclose(found.scores, [[0.8], [0.8]], rtol=1e-6)
    assert messy.nnz == 5


@pytest.mark.parametrize("method", ["bounds", "postings", "product"])
def test_queries_over_other_terms_are_an_error(method: Any) -> None:
    """Rather than products of terms that have nothing to do with each other."""
    with pytest.raises(ValueError, match="must have the index's 6 terms, got 5"):
        SparseIndex(csr_matrix(unit_rows(3)), method=method).query(csr_matrix(unit_rows(3, 5)), 1)


def test_bad_arguments_are_errors_that_say_what_to_do() -> None:
    """A wrong width, mask, exclusion, method or norm is named, before anything is computed."""
    index = DenseIndex(unit_rows(3))
    with pytest.raises(ValueError, match="must have the index's 6 dimensions, got 5"):
        index.query(unit_rows(3, 5), 1)
    with pytest.raises(ValueError, match="one row for each of 3 queries"):
        index.query(unit_rows(3), 1, exclude=np.zeros(2, dtype=np.int32))
    with pytest.raises(ValueError, match="rows from 0 to 2, or -1 for none"):
        index.query(unit_rows(3), 1, exclude=np.array([0, 1, 3], dtype=np.int32))
    with pytest.raises(ValueError, match=r"eligible must be \(3,\) bool"):
        DenseIndex(unit_rows(3), np.ones(2, dtype=bool))
    with pytest.raises(ValueError, match="normalize the vectors first"):
        DenseIndex(np.full((2, 2), np.nan, dtype=np.float32))
    with pytest.raises(ValueError, match="must be 'bounds', 'postings' or 'product', got 'pruned'"):
        SparseIndex(csr_matrix(unit_rows(3)), method="pruned")  # type: ignore[arg-type]


def test_matrix_products_have_all_their_threads_again_when_the_last_is_done() -> None:
    """Whoever began first: the limit is one of the whole process."""

    def threads() -> list[int]:
        return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]

    before = threads()
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert {*threads()} == {1}
    second.__exit__(None, None, None)
    assert threads() == before
