"""Measures, protocols, intervals and tests of evaluation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, Judged, R, Success, nDCG

from simrec.errors import UsageError
from simrec.evaluate import measures, slices
from simrec.evaluate.compare import Comparison, compare, correct, interval, interval_of_all, randomization_test
from simrec.evaluate.protocol import folds, group_sources, published_before, truth
from simrec.types import Article, Corpus, Pick

DEPTH = 20
ROWS = 40


@st.composite
def runs_and_truths(draw: st.DrawFn) -> tuple[np.ndarray, list[frozenset[int]]]:
    """Rankings of different lengths, some empty, and picks of which some are never found."""
    n = draw(st.integers(1, 6))
    run = np.full((n, DEPTH), -1, dtype=np.int32)
    picks = []
    for place in range(n):
        ranked = draw(st.lists(st.integers(0, ROWS - 1), unique=True, max_size=DEPTH))
        run[place, : len(ranked)] = ranked
        picks.append(draw(st.frozensets(st.integers(0, ROWS - 1), min_size=1, max_size=15)))
    return run, picks


@settings(deadline=None, max_examples=60)
@given(runs_and_truths(), st.sampled_from([1, 3, 5, 10, 20]))
def test_measures_equal_those_of_ir_measures(case: tuple[np.ndarray, list[frozenset[int]]], k: int) -> None:
    """Every accuracy measure is ir_measures' own, source by source, to 1e-9."""
    run, picks = case
    ours = measures.per_source(run, picks, k)
    qrels = {f"q{place}": {f"d{row}": 1 for row in rows} for place, rows in enumerate(picks)}
    ranked = {
        f"q{place}": {f"d{row}": float(DEPTH - rank) for rank, row in enumerate(rows) if row >= 0}
        for place, rows in enumerate(run.tolist())
    }
    wanted = {"nDCG@5": nDCG @ 5, f"nDCG@{k}": nDCG @ k, f"R@{k}": R @ k, "RR": RR, "AP": AP, "Success@5": Success @ 5}
    found = {name: np.zeros(len(picks)) for name in wanted}
    by_measure = {measure: name for name, measure in wanted.items()}
    for metric in ir_measures.iter_calc(list(by_measure), qrels, ranked):
        for name, measure in wanted.items():
            if measure == metric.measure:
                found[name][int(metric.query_id[1:])] = metric.value
    for name, values in found.items():
        np.testing.assert_allclose(ours[name], values, atol=1e-9, err_msg=name)
    answered = {query: found for query, found in ranked.items() if found}  # ir_measures divides by their length
    for metric in ir_measures.iter_calc([Judged @ k], qrels, answered) if answered else ():
        assert ours[f"Judged@{k}"][int(metric.query_id[1:])] == pytest.approx(metric.value, abs=1e-9)


def exchangeable(rng: np.random.Generator, s: int, systems: int) -> np.ndarray:
    """(systems, s) values like those of nDCG, many of them 0; systems differ by chance alone."""
    pages = rng.random(s)
    values = np.clip(pages + rng.normal(0, 0.2, (systems, s)), 0, 1)
    return np.where(rng.random((systems, s)) < 0.25, 0.0, values)


def test_two_equal_systems_are_told_apart_in_5_of_100_cases_at_5_percent() -> None:
    """A/A: the paired test's false alarms are neither more nor fewer than its level says."""
    rng = np.random.default_rng(7)
    cases = 800
    pairs = (exchangeable(rng, 40, 2) for _ in range(cases))
    alarms = sum(randomization_test(a - b) < 0.05 for a, b in pairs)
    assert abs(alarms / cases - 0.05) < 3 * np.sqrt(0.05 * 0.95 / cases)


def test_holm_keeps_any_false_alarm_among_several_systems_at_5_percent() -> None:
    """A/A of four: six pairs give an alarm far too often by themselves, and not after the correction."""
    rng = np.random.default_rng(8)
    cases, alone, corrected = 150, 0, 0
    for _ in range(cases):
        systems = exchangeable(rng, 30, 4)
        pairs = [(i, j) for i in range(4) for j in range(i)]
        ps = [randomization_test(systems[i] - systems[j]) for i, j in pairs]
        found = correct([Comparison(f"{i}", f"{j}", "AP", 0, 0, 0, p) for (i, j), p in zip(pairs, ps, strict=True)])
        alone += any(c.p < 0.05 for c in found)
        corrected += any(c.p_holm < 0.05 for c in found)
    bound = 0.05 + 3 * np.sqrt(0.05 * 0.95 / cases)
    assert corrected / cases < bound < alone / cases


def test_holm_is_the_textbooks() -> None:
    """The smallest p times the number of pairs, the next times one less, never falling, for each measure alone."""
    ps = [("AP", 0.01), ("AP", 0.04), ("AP", 0.03), ("RR", 0.5)]
    found = correct([Comparison("a", "b", measure, 0, 0, 0, p) for measure, p in ps])
    assert [c.p_holm for c in found] == pytest.approx([0.03, 0.06, 0.06, 0.5])


def test_slices_part_the_sources_by_what_they_are() -> None:
    """Sections, languages, thirds of age and length, and numbers of picks; in an order that reads well."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    articles = Corpus(
        [
            Article(
                f"a{i:02}",
                "Title",
                "word " * (i + 1),
                published_at=start + timedelta(days=i),
                section="News" if i < 8 else "Sport" if i < 11 else None,
                lang="en-GB" if i % 2 else "de",
            )
            for i in range(12)
        ]
    )
    picks = [frozenset(range(1 + i)) for i in range(12)]
    found = slices.slices(articles, np.arange(12, dtype=np.int32), picks)
    by: dict[str, dict[str, list[int]]] = {}
    for one in found:
        by.setdefault(one.by, {})[one.value] = one.places.tolist()
    assert by["section"] == {"News": list(range(8)), "Sport": [8, 9, 10]}
    assert by["language"] == {"de": [0, 2, 4, 6, 8, 10], "en": [1, 3, 5, 7, 9, 11]}
    assert list(by["age"]) == ["newest third", "middle third", "oldest third"]
    assert by["age"]["newest third"] == [8, 9, 10, 11]
    assert list(by["length"]) == ["shortest third", "middle third", "longest third"]
    assert by["length"]["shortest third"] == [0, 1, 2, 3]
    assert by["picks"] == {
        "1": [0],
        "2": [1],
        "3 to 5": [2, 3, 4],
        "6 to 10": [5, 6, 7, 8, 9],
        "more than 10": [10, 11],
    }


def test_the_interval_of_a_slice_is_that_of_its_sources() -> None:
    """A mean and bootstrap over these sources alone; no interval with fewer than five."""
    values = np.random.default_rng(0).random(30)
    kinds = [slices.Slice("section", "A", np.arange(10)), slices.Slice("section", "B", np.array([3, 4]))]
    a, b = slices.measure(kinds, {"m": values})
    assert a["models"] == {"m": interval(values[:10])._asdict()}
    assert b["models"]["m"]["mean"] == pytest.approx(values[3:5].mean())  # type: ignore[index]
    assert np.isnan(b["models"]["m"]["low"])  # type: ignore[index]


def test_many_sections_are_folded_into_the_last() -> None:
    """The largest are shown, and no source is lost."""
    n = slices.MOST + 10
    articles = Corpus([Article(f"a{i:02}", "T", "B", section=f"S{i}") for i in range(n)])
    found = slices.slices(articles, np.arange(n, dtype=np.int32), [frozenset({0})] * n)
    assert [one.value for one in found][-1] == slices.OTHERS
    assert sorted(np.concatenate([one.places for one in found]).tolist()) == list(range(n))


def test_a_source_without_an_answer_scores_zero() -> None:
    """A ranking of nothing is not left out of the mean."""
    values = measures.per_source(np.full((1, 5), -1, dtype=np.int32), [frozenset({1, 2})], 10)
    assert all(value.tolist() == [0.0] for value in values.values())


def test_a_run_shorter_than_the_cutoff_is_measured_as_it_is() -> None:
    """nDCG@10 of a run of two finds what is there."""
    values = measures.per_source(np.array([[3, 4]], dtype=np.int32), [frozenset({3, 4})], 10)
    assert values["nDCG@10"].tolist() == pytest.approx([1.0])


def test_coverage_and_gini_tell_hubs_from_spread() -> None:
    """Lists that all show the same few cover less, and less equally, than lists that differ."""
    hubs = np.tile(np.arange(5, dtype=np.int32), (10, 1))
    spread = np.arange(50, dtype=np.int32).reshape(10, 5)
    assert measures.coverage(measures.exposure(hubs, 50)) == 0.1
    assert measures.coverage(measures.exposure(spread, 50)) == 1.0
    assert measures.gini(measures.exposure(hubs, 50)) == pytest.approx(0.9)
    assert measures.gini(measures.exposure(spread, 50)) == pytest.approx(0.0)


def test_intra_list_diversity_is_one_minus_the_mean_similarity() -> None:
    """Five equal items have no diversity, a single item has none to measure."""
    run = np.array([[0, 1, 2, 3, 4, 9], [7, -1, -1, -1, -1, -1]], dtype=np.int32)
    values = measures.diversity(run, lambda rows, others: np.full(others.shape, 0.25, dtype=np.float32))
    assert values.tolist() == [0.75, 0.0]


def test_the_interval_is_the_same_on_every_call_and_holds_the_mean() -> None:
    """The bootstrap is seeded."""
    values = np.random.default_rng(3).random(200)
    found = interval(values)
    assert found == interval(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.low < found.mean < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(200), rel=0.15)


def test_the_interval_of_coverage_holds_its_value() -> None:
    """Resampled lists cover less than all lists: the interval is centered on what all cover."""
    run = np.random.default_rng(0).integers(0, 300, size=(100, 5)).astype(np.int32)
    for measure in measures.OF_ALL:
        found = interval_of_all(run, 300, measure)
        assert found.low <= found.mean <= found.high


def test_a_clear_difference_is_significant_and_none_is_not() -> None:
    """The paired test sees a shift that every source shares, and none between equal systems."""
    rng = np.random.default_rng(1)
    base = rng.random(100)
    clear = compare("a", "b", "AP", base + 0.1, base)
    none = compare("a", "b", "AP", base, base.copy())
    noise = compare("a", "b", "AP", base + rng.normal(0, 0.1, 100), base)
    assert clear.p < 0.001
    assert clear.delta == pytest.approx(0.1)
    assert none.p == 1.0
    assert noise.p > 0.01


def test_the_paired_test_agrees_with_all_sign_changes_counted() -> None:
    """With few sources, p is near the share of all 2^n sign changes that are as extreme."""
    differences = np.array([0.3, 0.2, -0.1, 0.4, 0.25, 0.05, -0.02, 0.15])
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(differences))).reshape(len(differences), -1).T
    exact = (np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12).mean()
    assert compare("a", "b", "RR", differences, np.zeros(8)).p == pytest.approx(exact, abs=0.01)


def corpus(n: int, *, dated: bool = True) -> Corpus:
    """n articles, a day apart."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    return Corpus(
        [
            Article(f"a{i:03}", f"Title {i}", "Body", published_at=start + timedelta(days=i) if dated else None)
            for i in range(n)
        ]
    )


def test_kfold_tests_every_source_once() -> None:
    """Five folds, disjoint, that cover all sources; the same on every call."""
    articles = corpus(30)
    known = truth(articles, [Pick(f"a{i:03}", f"a{i + 1:03}", 1) for i in range(23)])
    dealt = folds(known, articles, "kfold")
    assert sorted(np.concatenate([fold.test for fold in dealt]).tolist()) == list(range(23))
    assert all(not set(fold.train) & set(fold.test) for fold in dealt)
    again = folds(known, articles, "kfold")
    assert [fold.test.tolist() for fold in dealt] == [fold.test.tolist() for fold in again]


def test_group_keeps_copied_lists_together() -> None:
    """Sources whose picks overlap by half or more, and so on transitively, are never apart."""
    lists = [{1, 2}, {1, 2, 3}, {1, 3, 9}, {20}, {21}, {22, 23}, {24}, {25, 26}]
    found = group_sources([frozenset(picks) for picks in lists])
    assert found[0] == found[1] == found[2]
    assert len(set(found.tolist())) == 6
    articles = corpus(40)
    picks = [Pick(f"a{i + 30:03}", f"a{row:03}", 1) for i, rows in enumerate(lists) for row in rows]
    for fold in folds(truth(articles, picks), articles, "group"):
        assert len({0, 1, 2} & set(fold.test.tolist())) in (0, 3)


def test_time_trains_on_the_oldest_and_tests_on_the_newest() -> None:
    """No tested source is older than one that was learned from."""
    articles = corpus(20)
    known = truth(articles, [Pick(f"a{i:03}", f"a{(i + 7) % 20:03}", 1) for i in range(20)])
    (fold,) = folds(known, articles, "time")
    assert len(fold.train) == 14
    assert fold.train.max() < fold.test.min()


def test_as_published_drops_later_picks_and_counts_them() -> None:
    """A pick may be at most a day younger than its source; later ones are dropped from the truth."""
    articles = corpus(10)
    picks = [Pick("a005", "a004", 1), Pick("a005", "a006", 2), Pick("a005", "a007", 3), Pick("a001", "a009", 1)]
    known = truth(articles, picks, as_published=True)
    assert known.sources.tolist() == [5]
    assert known.picks == (frozenset({4, 6}),)
    assert known.dropped == {"published later": 2}
    allowed = published_before(articles, np.array([5], dtype=np.int32))
    assert np.flatnonzero(allowed[0]).tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_picks_that_cannot_count_are_dropped_by_reason() -> None:
    """Unknown articles and self-picks are left out, and said to be."""
    known = truth(corpus(3), [Pick("a000", "a000", 1), Pick("a000", "gone", 2), Pick("a000", "a001", 3)])
    assert known.dropped == {"of itself": 1, "unknown article": 1}
    assert known.picks == (frozenset({1}),)


@pytest.mark.parametrize(
    ("picks", "split", "says"),
    [
        ([], "kfold", "no picks"),
        ([Pick("a000", "gone", 1)], "kfold", "1 unknown article"),
        ([Pick("a000", "a001", 1)], "kfold", "at least 5"),
        ([Pick(f"a00{i}", "a009", 1) for i in range(8)], "group", "at least 5"),
    ],
)
def test_too_little_to_evaluate_says_what_is_missing(picks: list[Pick], split: str, says: str) -> None:
    """An evaluation that cannot be done is a usage error that names what to add."""
    articles = corpus(10)
    with pytest.raises(UsageError, match=says):
        folds(truth(articles, picks), articles, split)  # type: ignore[arg-type]


def test_time_needs_dates() -> None:
    """Without dates there is no order of time."""
    articles = corpus(10, dated=False)
    with pytest.raises(UsageError, match="published_at"):
        folds(truth(articles, [Pick("a000", "a001", 1)]), articles, "time")
