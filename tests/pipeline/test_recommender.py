"""simrec in a notebook: DataFrames in and out, scikit-learn's conventions, rankers of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.utils import estimator_checks

import simrec
from simrec.embed.inputs import as_texts
from simrec.embed.sentence import SentenceEmbedder
from simrec.embed.tfidf import TfidfEmbedder
from simrec.errors import InputError, NotFoundError, SettingsError, UsageError
from simrec.pipeline.recommender import Recommender
from simrec.pipeline.sample import newsroom
from simrec.settings import Settings
from simrec.types import Text

CHECKS = (
    "check_parameters_default_constructible",
    "check_no_attributes_set_in_init",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
)


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Vectors go into a folder that the tests of a session share."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def small() -> pd.DataFrame:
    """Four articles on two matters."""
    return pd.DataFrame(
        {
            "id": ["d", "b", "c", "a"],
            "title": ["Rain at the fair", "Bridge opens again", "Fair in the rain", "Bridge is closed"],
            "body": [
                "The cattle mind the rain.",
                "The bridge carries cars.",
                "Rain on cattle.",
                "No cars on the bridge.",
            ],
            "lang": "en",
        }
    )


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The newsroom's articles and picks."""
    return pd.read_json(newsroom() / "articles.jsonl", lines=True), pd.read_csv(newsroom() / "picks.csv")


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    "estimator", [Recommender(), TfidfEmbedder(), SentenceEmbedder()], ids=lambda e: type(e).__name__
)
def test_estimators_keep_scikit_learns_conventions(check: str, estimator: BaseEstimator) -> None:
    """Parameters are only assigned, can be read, set and cloned."""
    getattr(estimator_checks, check)(type(estimator).__name__, estimator)


def test_a_clone_has_the_parameters_and_nothing_learned(small: pd.DataFrame) -> None:
    """`clone` copies settings too; a fitted estimator stays as it is."""
    recommender = Recommender("tfidf", k=2, settings={"tfidf": {"ngrams": 1}}).fit(small)
    copy = clone(recommender)
    assert copy.get_params() == recommender.get_params()
    with pytest.raises(NotFittedError):
        copy.recommend()
    assert copy.set_params(k=1).fit(small).recommend("a").target_id.tolist() == ["b"]
    assert len(recommender.recommend("a")) == 2


@pytest.mark.parametrize("call", ["recommend", "evaluate", "pairs", "tune"])
def test_nothing_works_before_fit(call: str) -> None:
    """scikit-learn's own error says so."""
    with pytest.raises(NotFittedError):
        getattr(Recommender(), call)()


def test_recommend_gives_a_table_in_the_order_asked_for(small: pd.DataFrame) -> None:
    """Rows follow the ids given, ranks begin at 1, and `explain` adds what items share."""
    recommender = Recommender("tfidf", k=3).fit(small)
    found = recommender.recommend(["d", "a"])
    assert list(found.columns) == ["source_id", "rank", "target_id", "title", "score"]
    assert found.source_id.drop_duplicates().tolist() == ["d", "a"]
    best = found[found["rank"] == 1]
    assert best.target_id.tolist() == ["c", "b"]
    assert best.title.tolist() == ["Fair in the rain", "Bridge opens again"]
    assert set(recommender.recommend().source_id) == set("abcd")
    assert "bridge" in recommender.recommend("a", explain=True).reasons[0]["terms"]
    with pytest.raises(NotFoundError, match="'nowhere'"):
        recommender.recommend("nowhere")
    with pytest.raises(UsageError, match="from 1 to 100"):
        recommender.recommend("a", k=0)


def test_bad_rows_are_left_out_with_reasons_and_a_warning(small: pd.DataFrame) -> None:
    """A table's bad rows become rejects, as those of a file; good rows are used."""
    bad = pd.DataFrame(
        {
            "id": ["e", None, "a", "f"],
            "title": ["No body", "No id", "Twice", "Bad date"],
            "body": [None, "Text.", "Text.", "Text."],
            "published_at": [pd.NaT, pd.NaT, pd.NaT, "yesterday-ish"],
        }
    )
    picks = pd.DataFrame({"source_id": ["a", "a", "b"], "target_id": ["b", "zzz", "b"], "rank": [1, 2, 1]})
    with pytest.warns(UserWarning, match="6 rows are left out, see rejects_; the first, of articles: no body"):
        recommender = Recommender("tfidf").fit(pd.concat([small, bad], ignore_index=True), picks)
    assert recommender.corpus_.ids == ["a", "b", "c", "d"]
    assert [(pick.source_id, pick.target_id) for pick in recommender.picks_] == [("a", "b")]
    rejects = recommender.rejects_
    assert rejects.table.tolist() == ["articles"] * 4 + ["picks"] * 2
    assert rejects.row.tolist() == [4, 5, 6, 7, 1, 2]
    assert "duplicate id 'a'" in rejects.reason[2]
    assert "no article 'zzz'" in rejects.reason[4]


def test_cells_of_every_kind_are_read(small: pd.DataFrame) -> None:
    """Numpy's numbers, arrays, pandas' missing values and timestamps mean what they mean in a file."""
    small["tags"] = [np.array(["x", "y"]), ("x",), "x; y", pd.NA]
    small["published_at"] = pd.to_datetime(["2024-01-01", None, "2024-01-03", "2024-01-04"], utc=True)
    small["id"] = np.arange(4)
    articles = Recommender("tfidf").fit(small.set_index("id")).corpus_.articles
    assert [article.id for article in articles] == ["0", "1", "2", "3"]
    assert [article.tags for article in articles] == [("x", "y"), ("x",), ("x", "y"), ()]
    assert [article.published_at is None for article in articles] == [False, True, False, False]


def test_what_is_no_table_is_one_clear_error(small: pd.DataFrame) -> None:
    """Missing columns are named; so are wrong kinds, empty tables, and parameters that cannot be."""
    for articles, told in (
        (small.drop(columns="body"), "no column body: articles need the columns id, title and body"),
        (small.iloc[:0], "the table is empty"),
        ("articles.jsonl", "a DataFrame or a list of Articles, not str"),
        ([{"id": "a"}], "not a list of dict"),
    ):
        with pytest.raises(InputError, match=told):
            Recommender("tfidf").fit(articles)
    with pytest.raises(InputError, match="no column rank"):
        Recommender("tfidf").fit(small, pd.DataFrame({"source_id": ["a"], "target_id": ["b"]}))
    with pytest.raises(UsageError, match="no model 'best'"):
        Recommender("best").fit(small)
    with pytest.raises(UsageError, match="needs picks"):
        Recommender("learned").fit(small)
    with pytest.raises(SettingsError, match=r"tfidf\.ngrams"):
        Recommender("tfidf", settings={"tfidf": {"ngrams": 9}}).fit(small)


def test_articles_and_settings_objects_do_as_well(small: pd.DataFrame) -> None:
    """The nouns of the library give the same blocks as a table."""
    table = Recommender("tfidf").fit(small)
    articles = list(reversed(table.corpus_.articles))
    picks = [simrec.Pick("a", "b", 1)]
    objects = Recommender("tfidf", settings=Settings()).fit(articles, picks)
    pd.testing.assert_frame_equal(objects.recommend(), table.recommend())
    assert objects.score(picks) == 1.0


@pytest.mark.sentence
def test_pairs_hide_what_a_page_may_not_know(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Test pages' picks are labels, and no feature depends on them: planting others changes labels alone."""
    articles, picks = tables
    first = Recommender().fit(articles, picks).pairs(split="time")
    assert set(first.part) == {"train", "test"}
    assert not set(first[first.part == "train"].source_id) & set(first[first.part == "test"].source_id)
    tested = first[first.part == "test"].source_id.unique()
    planted = picks.copy()
    moved = planted.source_id.isin(tested)
    planted.loc[moved, "target_id"] = planted.loc[moved, "target_id"].sample(frac=1, random_state=0).to_numpy()
    planted = planted[planted.source_id != planted.target_id].drop_duplicates(["source_id", "target_id"])
    second = Recommender().fit(articles, planted).pairs(split="time")
    test = [frame[frame.part == "test"].reset_index(drop=True) for frame in (first, second)]
    assert (test[0].label != test[1].label).any()
    pd.testing.assert_frame_equal(test[0].drop(columns="label"), test[1].drop(columns="label"))


@pytest.mark.sentence
def test_a_ranker_of_ones_own_is_measured_beside_the_models(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """An estimator that repeats the fusion's score ranks as the fusion; regressors and classifiers both do."""

    class Fused(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        def fit(self, X: Any, y: Any, group: Any) -> Fused:
            assert group.sum() == len(X) == len(y)
            return self

        def predict(self, X: Any) -> Any:
            return X["fused"].to_numpy()

    recommender = Recommender().fit(*tables)
    filled = make_pipeline(_Zeros(), LogisticRegression(C=0.01, max_iter=300))
    rankers = {"same": Fused(), "classifier": filled, "regressor": make_pipeline(_Zeros(), LinearRegression())}
    found = recommender.evaluate(models=["fusion"], rankers=rankers, split="time")
    ndcg = found[found.measure == "nDCG@10"].set_index("model")
    assert list(ndcg.index) == ["fusion", "same", "classifier", "regressor"]
    assert ndcg["mean"]["same"] == pytest.approx(ndcg["mean"]["fusion"], abs=0.01)
    assert (ndcg["mean"] > 0.6).all()
    assert ndcg[["gain", "p"]].isna().sum(axis=1).tolist() == [2, 0, 0, 0]
    with pytest.raises(UsageError, match="a ranker needs"):
        recommender.evaluate(rankers={"no": object()}, split="time")
    with pytest.raises(UsageError, match="folds 0 to 0"):
        recommender.pairs(split="time", fold=1)


class _Zeros(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Puts 0 for what is not known."""

    def fit(self, X: Any, y: Any = None) -> _Zeros:
        """Learns nothing."""
        return self

    def transform(self, X: Any) -> Any:
        """Without NaN."""
        return np.nan_to_num(np.asarray(X))


def test_embedders_go_into_pipelines_and_take_what_a_notebook_has(small: pd.DataFrame) -> None:
    """A DataFrame, its texts, and strings; within FeatureUnion and Pipeline, cloned."""
    texts = [Text(*row) for row in small[["title", "body", "lang"]].itertuples(index=False)]
    plain = TfidfEmbedder().fit_transform(texts).toarray()
    np.testing.assert_array_equal(TfidfEmbedder().fit_transform(small).toarray(), plain)
    union = FeatureUnion([("words", TfidfEmbedder(ngrams=1)), ("all", TfidfEmbedder())])
    pipeline = clone(make_pipeline(union, Normalizer()))
    assert pipeline.fit_transform(small).shape[0] == 4
    assert pipeline.transform(small.body).shape[0] == 4
    assert as_texts(pd.Series(["a", None, pd.NA, np.nan])) == [Text("", "a"), *[Text("", "")] * 3]
    with pytest.raises(InputError, match="a column title or body"):
        as_texts(pd.DataFrame({"text": ["a"]}))
    with pytest.raises(InputError, match="put it into a list"):
        as_texts("a")
    with pytest.raises(NotFittedError):
        TfidfEmbedder().transform(texts)


@pytest.mark.sentence
def test_sentence_embedder_takes_strings_and_cuts_where_it_is_told(tmp_path: Path) -> None:
    """Shorter passages are kept under another fingerprint; 0 is the longest that the model reads."""
    body = "The bridge is closed and the ferry is full. " * 8
    whole, short = SentenceEmbedder(cache=tmp_path), SentenceEmbedder(passage_tokens=16, cache=tmp_path)
    assert whole.fingerprint != short.fingerprint
    assert whole.passages([body]).lengths.tolist() == [1]
    assert short.passages([body]).lengths[0] > 4
    np.testing.assert_allclose(whole.transform([body]), whole.transform([Text("", body)]))
