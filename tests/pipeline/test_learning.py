"""Features, candidates, rankers, the prior: what is learned, and when it may rank."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from simrec.embed.cache import write_folder
from simrec.embed.words import analyze, sequences
from simrec.errors import ModelError
from simrec.evaluate.protocol import Truth, truth
from simrec.pipeline import models, prior, prior_train
from simrec.pipeline import train as training
from simrec.pipeline.dates import are_of_publication, are_spread
from simrec.pipeline.decision import choose
from simrec.pipeline.prior import find_prior, prior_weight
from simrec.pipeline.prior_train import PublicSite, choose_weight, fit_prior, save_prior
from simrec.pipeline.site import Site
from simrec.pipeline.train import Picked, train
from simrec.pipeline.workspace import Workspace
from simrec.rank import kernels_titles
from simrec.rank.candidates import by_date, nearest_in_time, places_in_time, pool
from simrec.rank.catalogue import LEARNED, OF_PAIRS
from simrec.rank.features import NAMES, RELATIVE, Remembered
from simrec.rank.learned import LambdaRanker
from simrec.types import Article, Corpus, Neighbors

DAY0 = datetime(2020, 1, 1, tzinfo=UTC)


def lists(*rows: Sequence[int]) -> Neighbors:
    """One source's list of neighbors a row."""
    array = np.array(rows, dtype=np.int32)
    return Neighbors(array, np.zeros(array.shape, dtype=np.float32))


def test_a_pool_reads_all_lists_to_the_same_share_of_their_quota() -> None:
    """Of a list with a small quota the first is worth as much as the first of a long one."""
    long, short = lists(range(10)), lists([20, 21])
    assert pool([long, short], [10, 2], 4).tolist() == [[0, 1, 2, 20]]


def test_a_pool_has_each_row_once() -> None:
    """A row in several lists takes one place."""
    assert pool([lists([3, 1]), lists([1, 3])], [2, 2], 9).tolist() == [[1, 3]]


def test_dates_are_found_without_reading_all_of_them() -> None:
    """The place of a moment is that of a search in the sorted dates."""
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 8, 100):
        days = rng.integers(0, 20, n).astype(np.float64)
        days[rng.random(n) < 0.2] = np.nan
        dated, moments = by_date(days, np.ones(n, dtype=bool)), np.arange(-1.0, 21, 0.5)
        np.testing.assert_array_equal(places_in_time(days, dated, moments), np.searchsorted(days[dated], moments))


def test_nearest_in_time_looks_both_ways_and_skips_what_has_no_date() -> None:
    """Neither the page itself nor an undated article is found; an undated page finds nobody."""
    days = np.array([0.0, 1.0, np.nan, 3.0, 10.0]) * 86_400
    found = nearest_in_time(days, np.array([1, 2], dtype=np.int32), 3, by_date(days, np.ones(5, dtype=bool)))
    assert found.rows.tolist() == [[0, 3, 4], [-1, -1, -1]]


def run_of(title: str, body: str, *more: str) -> float:
    """What the kernel says of a title in another article's body."""
    texts = [Article("page", "Nothing alike", body).text, Article("other", title, "Else.").text]
    titles, bodies, weights = sequences(analyze([*texts, *(Article(word, word, word).text for word in more)]))
    rows, others = np.array([0], dtype=np.int32), np.array([[1]], dtype=np.int32)
    return float(kernels_titles.title_runs(titles, bodies, weights, rows, others)[0, 0, 0])


@pytest.mark.parametrize(
    ("title", "body", "low", "high"),
    [
        ("The old bridge closes", "We wrote that the old bridge closes on Monday.", 1, 1),
        ("The old bridge closes", "It closes: a bridge, an old one, the last.", 0, 0),
        ("The old bridge closes", "The old bridge is open.", 0.4, 0.9),
        ("Bridges", "All about bridges.", 1, 1),
        ("bridge bridge river", "bridge bridge bridge river", 1, 1),
        ("", "Some text.", np.nan, np.nan),
    ],
)
def test_a_title_is_found_in_a_text_by_its_longest_run(title: str, body: str, low: float, high: float) -> None:
    """All of it counts 1, part of it by its words' weight, single words of it nothing; no title, nothing known."""
    found = run_of(title, body)
    assert np.isnan(found) if np.isnan(low) else low - 1e-6 <= found <= high + 1e-6


def dated(days: Sequence[float | None], **fields: object) -> Corpus:
    """Articles with these days of publication."""
    articles = []
    for number, day in enumerate(days):
        published = None if day is None else DAY0 + timedelta(days=day)
        values = {name: value(number, published) if callable(value) else value for name, value in fields.items()}
        articles.append(replace(Article(f"a{number:03}", f"Title {number}", "Text."), published_at=published, **values))
    return Corpus(articles)


def trusted(corpus: Corpus) -> bool:
    """Whether the dates are said to be those of publication."""
    near = np.array([[(row + i) % len(corpus) for i in (1, 2, 3)] for row in range(len(corpus))], dtype=np.int32)
    return are_of_publication(corpus, near, *sequences(analyze(corpus.texts)))


def in_address(number: int, published: datetime) -> str:
    """A URL with the month."""
    return f"https://example.org/{published:%Y/%m}/{number}"


def test_dates_are_trusted_where_addresses_hold_them() -> None:
    """/2020/05/ in the URLs of most articles."""
    assert trusted(dated(range(0, 300, 3), url=in_address))
    assert not trusted(dated(range(0, 300, 3), url=lambda number, _: f"https://example.org/{number}"))


def test_dates_are_not_trusted_after_a_migration() -> None:
    """A day with a tenth of the articles or more is no day of publication, whatever the addresses say."""
    assert not trusted(dated([0] * 20 + list(range(1, 81)), url=in_address))


def test_dates_of_a_migration_take_no_part_in_the_fusion() -> None:
    """Being of the same day says nothing there."""
    assert not are_spread(dated([0] * 20 + list(range(1, 81))))
    assert are_spread(dated(range(100)))
    assert are_spread(dated([None] * 5))


def test_few_dates_are_not_trusted() -> None:
    """Where most articles have none, the order says little."""
    assert not trusted(dated([*range(20), *([None] * 40)], url=lambda n, day: in_address(n, day) if day else None))


def test_texts_that_name_younger_articles_speak_against_the_dates() -> None:
    """A text can name only what is there: dates of reviews give themselves away."""
    names_next = {"body": lambda n, _: f"As we said in title of article number {n + 1}, it is so.", "url": in_address}
    named = {**names_next, "title": lambda n, _: f"Title of article number {n}"}
    assert not trusted(dated(range(0, 300, 3), **named))
    assert trusted(dated(range(300, 0, -3), **named))


@pytest.mark.sentence
def test_remembered_features_are_the_computed_ones(newsroom_site: Site) -> None:
    """Whatever was asked for before, and in whatever company."""
    rng = np.random.default_rng(0)
    n = len(newsroom_site.corpus)
    rows = np.arange(0, n, 3, dtype=np.int32)
    remembered = Remembered(newsroom_site.features, rows, n)
    for _ in range(3):
        batch = rng.choice(rows, 8, replace=False).astype(np.int32)
        candidates = np.sort(rng.permuted(np.tile(np.arange(n), (8, 1)), axis=1)[:, :20], axis=1).astype(np.int32)
        candidates[::2, 15:] = -1
        found = remembered.of(batch, candidates)
        np.testing.assert_array_equal(found, newsroom_site.features.of(batch, candidates))
        assert np.isnan(found[candidates == -1]).all()


@pytest.mark.sentence
def test_only_relative_features_depend_on_the_other_candidates(newsroom_site: Site) -> None:
    """A candidate's other features are the same in any company."""
    row, pair = np.array([5], dtype=np.int32), np.array([[7, 9]], dtype=np.int32)
    both, alone = newsroom_site.features.of(row, pair), newsroom_site.features.of(row, pair[:, :1])
    kept = [place for place, name in enumerate(NAMES) if name not in RELATIVE]
    np.testing.assert_array_equal(both[:, :1, kept], alone[:, :, kept])


def table(pages: int = 40, width: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs whose second column says which of them are picks."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(pages * width, 3)).astype(np.float32)
    y = (X[:, 1] > 1).astype(np.int64)
    return X, y, np.full(pages, width)


def small(**parameters: object) -> LambdaRanker:
    """A ranker of three features."""
    return LambdaRanker(features=("a", "b", "c"), trees=20, least_in_leaf=5, **parameters)


def test_a_ranker_learns_what_tells_picks_from_others(tmp_path: Path) -> None:
    """It finds the column, and says the same after it was saved and loaded."""
    X, y, group = table()
    ranker = small().fit(X, y, group)
    assert ranker.gains_.argmax() == 1
    scores = ranker.predict(X)
    assert np.quantile(scores[y == 1], 0.02) > np.quantile(scores[y == 0], 0.98)
    ranker.save(tmp_path)
    again = LambdaRanker.load(tmp_path)
    np.testing.assert_array_equal(again.predict(X), scores)
    assert clone(ranker).get_params() == ranker.get_params()


def test_a_score_may_only_rise_with_what_speaks_for_a_candidate() -> None:
    """With the sign turned round, the telling column cannot be used."""
    X, y, group = table()
    up = small(signs=(0, 1, 0)).fit(X, y, group).predict(X)
    down = small(signs=(0, -1, 0)).fit(X, y, group).predict(X)
    assert np.corrcoef(up, y)[0, 1] > 0.8 > np.corrcoef(down, y)[0, 1]


def test_a_ranker_refuses_columns_that_it_does_not_know() -> None:
    """As many columns as features."""
    X, y, group = table()
    with pytest.raises(ValueError, match="3 columns, got 2"):
        small().fit(X[:, :2], y, group)


def test_a_broken_ranker_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    """Not a stack trace."""
    (tmp_path / "ranker.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="train it again"):
        LambdaRanker.load(tmp_path)


def test_nothing_ranks_that_is_not_clearly_better_than_hybrid() -> None:
    """A gain within one standard error is none; a clear one ranks, and the words say so."""
    rng = np.random.default_rng(0)
    base = rng.random(60)
    noise = {("hybrid", 0.0): base, ("hybrid", 1.0): base + rng.normal(0, 0.3, 60) * (np.arange(60) % 2)}
    noise["hybrid", 1.0] += 0.001 - (noise["hybrid", 1.0] - base).mean()
    assert choose(noise).weight == 0
    clear = choose({("hybrid", 0.0): base, ("hybrid", 0.5): base + 0.1})
    assert (clear.below, clear.weight) == ("hybrid", 0.5)
    assert "held-out training pages" in clear.why


@pytest.mark.sentence
def test_a_site_with_thirty_picks_gains_nothing_and_loses_nothing(newsroom_site: Site) -> None:
    """`learned` ranks as `hybrid` does."""
    rows = np.arange(30, dtype=np.int32)
    known = Truth(rows, tuple(frozenset({(row + 1) % 60, 70}) for row in range(30)), {})
    learned = train(Picked(newsroom_site, known), np.arange(30))
    assert learned.ranker is None
    assert "too few" in learned.decision.why
    ask, candidates = rows[:4], np.tile(np.arange(40, 60, dtype=np.int32), (4, 1))
    ours = learned.scorer(newsroom_site).score(ask, candidates).scores
    np.testing.assert_array_equal(ours, newsroom_site.scorer("hybrid").score(ask, candidates).scores)


@pytest.mark.sentence
@pytest.mark.parametrize("split", ["kfold", "group"])
def test_of_many_pages_some_are_learned_from(newsroom_site: Site, monkeypatch: pytest.MonkeyPatch, split: str) -> None:
    """The decision stands on those drawn, and the history is that of all."""
    rows = np.arange(80, dtype=np.int32)
    picks = tuple(frozenset({(row + 1) % 80, (row + 2) % 80}) for row in range(80))
    monkeypatch.setattr(training, "MOST_PAGES", 60)
    monkeypatch.setattr(training, "make_ranker", lambda **_: LambdaRanker(features=training.ALL_NAMES, trees=3))
    learned = train(Picked(newsroom_site, Truth(rows, picks, {})), np.arange(80), split=split)
    assert "60 held-out" in learned.decision.why
    assert len(learned.history.sources) == 80


@pytest.mark.sentence
def test_training_pages_are_grouped_by_their_own_picks_alone(newsroom_site: Site) -> None:
    """A tested page's list that overlaps with two others does not join them."""
    picks = (frozenset({50, 51}), frozenset({52, 53}), frozenset({50, 51, 52, 53}))
    picked = Picked(newsroom_site, Truth(np.array([1, 2, 3], dtype=np.int32), picks, {}))
    assert len(set(picked.only(np.array([0, 1])).groups[:2].tolist())) == 2
    assert len(set(picked.only(np.arange(3)).groups.tolist())) == 1


def public(name: str, seed: int) -> PublicSite:
    """A site where picks are what has a long run of the title."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(30, 20, len(OF_PAIRS))).astype(np.float32)
    labels = values[:, :, NAMES.index("title_run_here")] > 1
    candidates = np.tile(np.arange(20, dtype=np.int32), (30, 1))
    sketch = [f"{name}{number:02}" for number in range(20)]
    return PublicSite(name, name, candidates, values, labels, np.maximum(labels.sum(axis=1), 1).astype(float), sketch)


def test_a_prior_learns_what_holds_on_sites_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is measured on each site without it, and the site's own texts choose the ranker that has not seen it."""
    monkeypatch.setattr(prior_train, "fit_prior", lambda sites: fit_prior(sites, trees=15))
    folder = tmp_path / "prior"
    described = save_prior([public(name, seed) for seed, name in enumerate("xyz")], folder)
    assert all(found["1.0"] > found["fusion"] + 0.2 for found in described["figures"].values())
    assert prior_weight(5000, folder) == described["weight"] == choose_weight(described["figures"])
    assert prior_weight(250, folder) == pytest.approx(described["weight"] / 2)
    seen = {"x": ["x00", "x01", "x02"], "xy": ["x00", "x01", "y00", "y01"], "new": ["n00"]}
    corpus = Corpus([Article("a", "Title", "Text.")])
    monkeypatch.setattr(prior, "text_hashes", lambda texts: seen["x"])
    without = find_prior(corpus, folder)
    monkeypatch.setattr(prior, "text_hashes", lambda texts: seen["new"])
    everything = find_prior(corpus, folder)
    assert without is not None
    assert everything is not None
    assert without.gains_.tolist() != everything.gains_.tolist()
    monkeypatch.setattr(prior, "text_hashes", lambda texts: seen["xy"])
    assert find_prior(corpus, folder) is None  # nothing has seen neither
    prior._load.cache_clear()
    trees = next((folder / "all").glob("trees-*.txt"))
    trees.write_text(trees.read_text(encoding="utf-8").replace("num_leaves=", "num_leaves=1", 1), encoding="utf-8")
    monkeypatch.setattr(prior, "text_hashes", lambda texts: seen["new"])
    with pytest.raises(ModelError, match="checksums"):
        find_prior(corpus, folder)


def test_the_weight_of_the_prior_loses_on_no_site() -> None:
    """A larger mean gain does not make up for a loss."""
    safe = {"fusion": 0.5, "0.3": 0.51, "0.5": 0.52, "0.7": 0.505, "1.0": 0.49}
    steep = {"fusion": 0.4, "0.3": 0.42, "0.5": 0.44, "0.7": 0.47, "1.0": 0.6}
    assert choose_weight({"safe": safe, "steep": steep}) == 0.7
    assert choose_weight({"steep": steep}) == 1.0


def test_the_catalogue_names_each_feature_once() -> None:
    """Names are keys of models and of the documentation; words are there for all."""
    names = [feature.name for feature in LEARNED]
    assert len(names) == len(set(names))
    assert all(feature.words and feature.meaning for feature in LEARNED)


@pytest.mark.sentence
@pytest.mark.parametrize("age", [0, 1])
def test_a_ranker_of_an_old_format_is_trained_again(newsroom_site: Site, built: Path, tmp_path: Path, age: int) -> None:
    """`build` does not fail on what an earlier version wrote; one of this version, for these picks, is kept."""
    with Workspace.open(built).store() as store:
        picks = store.picks()
    hashed = models.picks_hash(newsroom_site, truth(newsroom_site.corpus, picks))
    described = json.dumps({"format": models.FORMAT - age, "picks_hash": hashed})
    write_folder(tmp_path / "learned", lambda part: (part / models.FILE).write_text(described, encoding="utf-8"))
    assert models._is_fresh(newsroom_site, picks, (), tmp_path / "learned") == (age == 0)
