"""Candidates, parts, fusion, explanations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array

from simrec.embed.tfidf import TfidfEmbedder
from simrec.rank.candidates import union
from simrec.rank.explain import SharedTerms
from simrec.rank.fusion import Fusion, Weighted, dampen, undampen
from simrec.rank.parts import AgePart, DensePart, SectionPart, SparsePart
from simrec.types import NO_ROW, Article, Corpus, Neighbors, Text


def neighbors(*rows: list[int]) -> Neighbors:
    """Neighbors with scores of no interest."""
    array = np.array(rows, dtype=np.int32)
    return Neighbors(array, np.zeros(array.shape, dtype=np.float32))


def vectors(n: int, d: int = 8, seed: int = 0) -> np.ndarray:
    """Unit rows."""
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def everybody(n: int) -> np.ndarray:
    """(n, n - 1) all other rows of each row."""
    return np.array([[other for other in range(n) if other != row] for row in range(n)], dtype=np.int32)


@given(st.lists(st.lists(st.integers(-1, 9), min_size=4, max_size=4), min_size=1, max_size=5))
def test_the_union_has_every_row_once_and_none_at_the_end(lists: list[list[int]]) -> None:
    """Ascending, -1 last, no wider than needed."""
    found = union([neighbors(one) for one in lists])
    wanted = sorted({row for one in lists for row in one} - {-1})
    assert found[0].tolist() == (wanted or [-1])


def test_one_part_keeps_its_order() -> None:
    """`tfidf` and `sentence` alone rank by their cosine, negative ones included."""
    rows = vectors(30)
    fusion = Fusion([Weighted(DensePart("sentence", rows), 1)]).fit(30)
    found = fusion.rank(np.arange(30, dtype=np.int32), everybody(30), np.arange(30))
    cosines = rows @ rows.T
    for row, ranked in enumerate(found.rows):
        assert (np.diff(cosines[row, ranked]) <= 1e-4).all()


def test_scores_are_standard_deviations_above_the_sites_random_pairs() -> None:
    """With one part: (cosine - mean) / sd of the row's similarities to all others."""
    rows = vectors(40)
    found = Fusion([Weighted(DensePart("sentence", rows), 1)]).fit(40)
    ranked = found.rank(np.array([3], dtype=np.int32), everybody(40)[3:4], np.arange(40))
    others = np.delete(rows @ rows[3], 3)
    wanted = -np.sort(-(others - others.mean()) / others.std())
    np.testing.assert_allclose(ranked.scores[0], wanted, atol=2e-4)


@given(st.floats(-50, 50))
def test_dampening_is_monotone_and_has_an_inverse(z: float) -> None:
    """So that a fused score can be read on the same scale."""
    array = np.array([z, z + 0.5])
    assert dampen(array)[0] < dampen(array)[1]
    np.testing.assert_allclose(undampen(dampen(array)), array, rtol=1e-4, atol=1e-4)


def test_ties_go_to_the_newer_then_to_the_lower_id() -> None:
    """The same bytes on every run, whatever order candidates come in."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    ages = [None, 5, 9, 5, None, 9]
    corpus = Corpus(
        [
            Article(f"a{i}", "T", "B", published_at=None if age is None else start + timedelta(days=age))
            for i, age in enumerate(ages)
        ]
    )
    fusion = Fusion([Weighted(DensePart("sentence", np.tile(vectors(1), (6, 1))), 1)]).fit(6)
    for candidates in ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]):
        found = fusion.rank(np.array([0], np.int32), np.array([candidates], np.int32), corpus.tie_order)
        assert found.rows[0].tolist() == [2, 5, 1, 3, 4]


def test_no_candidate_stays_at_the_end() -> None:
    """-1 has the score -inf, in whatever place it came."""
    fusion = Fusion([Weighted(DensePart("sentence", vectors(5)), 1)]).fit(5)
    found = fusion.rank(np.array([0], np.int32), np.array([[-1, 3, -1, 1]], np.int32), np.arange(5))
    assert found.rows[0, 2:].tolist() == [-1, -1]
    assert np.isneginf(found.scores[0, 2:]).all()


def test_hubs_lose_by_their_own_view() -> None:
    """An article that is near to everything is no special neighbor of anything, once `back` counts."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 10)).astype(np.float32)
    rows[0] = rows[1:].mean(axis=0) * 8
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    shown = {}
    for back in (0.0, 1.0):
        fusion = Fusion([Weighted(DensePart("sentence", rows), 1)], back).fit(60)
        found = fusion.rank(np.arange(60, dtype=np.int32), everybody(60), np.arange(60))
        shown[back] = int((found.rows[:, :3] == 0).sum())
    assert shown[1.0] < shown[0.0]


def test_a_part_that_does_not_vary_counts_nothing() -> None:
    """Tags on a site without tags, sections where all are one, dates where there are none."""
    rows = vectors(20)
    text = Weighted(DensePart("sentence", rows), 1)
    idle = [
        Weighted(SparsePart("tags", csr_matrix((20, 0), dtype=np.float32)), 1),
        Weighted(SectionPart(np.full(20, NO_ROW, dtype=np.int32)), 1),
        Weighted(AgePart(np.full(20, np.nan)), 1),
    ]
    orders = []
    for parts in ([text], [text, *idle]):
        found = Fusion(parts).fit(20).rank(np.arange(20, dtype=np.int32), everybody(20), np.arange(20))
        orders.append(found.rows.tolist())
    assert orders[0] == orders[1]


def test_sparse_pairs_are_the_products_of_the_rows() -> None:
    """Candidate by candidate, the same as the whole matrix product."""
    rows = csr_matrix(random_array((30, 50), density=0.2, rng=np.random.default_rng(0), dtype=np.float32))
    part = SparsePart("tfidf", rows)
    dense = (rows @ rows.T).toarray()
    np.testing.assert_allclose(
        part.pairs(np.arange(30), everybody(30)), np.take_along_axis(dense, everybody(30), 1), atol=1e-5
    )
    np.testing.assert_allclose(
        part.to_sample(np.array([4, 7]), np.array([1, 2, 3])), dense[[4, 7]][:, [1, 2, 3]], atol=1e-5
    )


def test_age_is_nearest_at_the_same_time() -> None:
    """A missing date counts as the site's usual distance, neither nearest nor farthest."""
    month = 30 * 86_400.0
    part = AgePart(np.array([0.0, 0.0, 12 * month, 100 * month, np.nan]))
    same, year, far, none = part.pairs(np.array([0]), np.array([[1, 2, 3, 4]]))[0]
    assert same == pytest.approx(0)
    assert same > none > far
    assert same > year > far


def test_shared_terms_are_those_of_both_articles() -> None:
    """The weightiest first, telling ones only where there are any, none that repeats another."""
    texts = [
        Text("Mill bridge closed", "The mill bridge is closed to lorries by order of the harbor office", "en"),
        Text("Mill bridge open", "The mill bridge is open to lorries again", "en"),
        *[Text(f"Other {i}", f"The council is to talk of matter {i} and of the other things", "en") for i in range(20)],
    ]
    embedder = TfidfEmbedder()
    rows = embedder.fit_transform(texts)
    (terms,) = SharedTerms(rows, embedder.show, embedder.telling()).of(0, np.array([1], dtype=np.int32))
    words = [word for term in terms for word in term.split()]
    assert {"mill", "bridge", "lorries"} <= set(words)
    assert "the" not in words
    assert len(words) == len(set(words))
