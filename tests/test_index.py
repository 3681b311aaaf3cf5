"""One contract for every index: exact, eligible rows only, the own row masked by its number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

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


every_index = pytest.mark.parametrize("search", [by_dense, by_sparse, by_mask, by_sparse_mask])


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
    assert (np.delete(found.rows, 2, axis=0)[:, :3] >= 0).all()


@every_index
def test_k_below_one_is_an_error(search: Search) -> None:
    """Rather than an empty answer."""
    with pytest.raises(ValueError, match="k must be at least 1"):
        search(unit_rows(3), 0, np.ones(3, dtype=bool))
