"""simrec in a notebook: a scikit-learn-like estimator, pandas in and out."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from simrec.errors import NotFoundError, UsageError
from simrec.evaluate.compare import compare, interval
from simrec.evaluate.measures import per_source
from simrec.evaluate.protocol import Fold, Split, Truth, folds, truth
from simrec.pipeline.bench import CUTOFF
from simrec.pipeline.build import Chooser, check_k
from simrec.pipeline.confirm import Sources, rank
from simrec.pipeline.evaluate import Task, cache_folder
from simrec.pipeline.frames import as_frame, to_corpus, to_picks
from simrec.pipeline.models import train_site
from simrec.pipeline.pairs import pages_of, rank_with, to_frame
from simrec.pipeline.placed import hand_placed
from simrec.pipeline.runs import Trial
from simrec.pipeline.site import Site
from simrec.pipeline.train import Picked
from simrec.pipeline.tune import TuneTask, Tuning, tune_corpus
from simrec.settings import Settings, check_settings
from simrec.types import no_progress

if TYPE_CHECKING:
    import pandas as pd

GAINS = ("gain", "gain_low", "gain_high", "p")


class Recommender(BaseEstimator):  # type: ignore[misc]  # scikit-learn carries no types
    """Similar articles of a DataFrame of articles.

    Args:
        model: "tfidf", "sentence", "fusion", "hybrid" (needs no picks), or "learned" (trained on the picks).
        k: items a block.
        settings: of simrec.toml, as a mapping of sections: `{"rank": {"tags": 1.0}}`; or `simrec.Settings`.
        cache: folder of the cached vectors; None for the user's, `~/.cache/simrec`.

    Attributes:
        corpus_: the articles that can be used, in the order of their ids.
        picks_: the picks between them.
        rejects_: a DataFrame table, row, id, reason: what cannot be used.
        settings_: all settings.
        site_: `simrec.Site`, with the vectors.
        decision_: of `learned`, which ranker was chosen, and why, as a dict; None for the other models.

    >>> import pandas as pd
    >>> articles = pd.DataFrame({
    ...     "id": ["a", "b", "c"],
    ...     "title": ["Mill Bridge is closed", "Mill Bridge opens again", "Rain at the harvest fair"],
    ...     "body": ["Cars must take the ferry.", "The ferry is empty.", "The cattle did not mind."],
    ...     "lang": "en",
    ... })
    >>> Recommender(model="tfidf", k=1).fit(articles).recommend("a")[["source_id", "rank", "target_id"]]
      source_id  rank target_id
    0         a     1         b
    """

    def __init__(
        self,
        model: str = "hybrid",
        k: int = 5,
        settings: Settings | Mapping[str, Any] | None = None,
        cache: Path | str | None = None,
    ) -> None:
        self.model = model
        self.k = k
        self.settings = settings
        self.cache = cache

    def fit(self, articles: Any, picks: Any = None) -> Self:
        """Reads articles and picks, makes their vectors, and trains `learned`.

        Args:
            articles: a DataFrame with the columns of `articles.jsonl` (`id`, `title` and `body` at least; lists as
                lists or as strings divided by `;`), or `simrec.Article`s.
            picks: a DataFrame source_id, target_id, rank, or `simrec.Pick`s. Rows of both tables that cannot be used
                are left out, with a warning, and stand in `rejects_`.

        Raises:
            InputError: a table has not the columns, or no row of it can be used.
            UsageError: the model, k or a setting cannot be used, or `learned` has no picks.
            ModelError: the sentence model cannot be loaded.
        """
        check_k(self.k)
        Task(models=(self.model,)).check()
        given = self.settings
        settings = given if isinstance(given, Settings) else check_settings(given or {}, "settings")
        corpus, rejects = to_corpus(articles, settings.ingest)
        known, without = to_picks(picks, corpus)
        if self.model == "learned" and not known:
            raise UsageError("`learned` needs picks between the articles: fit(articles, picks)")
        site = Site(corpus, settings, self._cache_folder())
        self.decision_ = None
        if self.model == "learned":
            trained = train_site(site, known)
            site.learned = trained.learned.scorer(site)
            self.decision_ = trained.learned.decision.as_json()
        site.scorer(self.model)
        self.settings_, self.corpus_, self.picks_, self.site_ = settings, corpus, known, site
        self.rejects_ = as_frame([*rejects, *without])
        if len(self.rejects_):
            first = self.rejects_.iloc[0]
            warnings.warn(
                f"{len(self.rejects_)} rows are left out, see rejects_; the first, of {first.table}: {first.reason}",
                stacklevel=2,
            )
        return self

    def recommend(
        self, ids: str | Iterable[str] | None = None, k: int | None = None, *, explain: bool = False
    ) -> pd.DataFrame:
        """The blocks of articles, after the house rules: what a reader would see.

        Args:
            ids: of the articles; None for all.
            k: items a block; None for the parameter.
            explain: add the column `reasons`, a dict with the shared terms and the parts of each score.

        Returns:
            source_id, rank (from 1), target_id, title, score; a block may be short, where nothing more may be shown.

        Raises:
            NotFittedError: `fit` was not called.
            NotFoundError: there is no such article.
            UsageError: k is not from 1 to 100.
        """
        import pandas as pd

        check_is_fitted(self, "site_")
        k = self.k if k is None else k
        check_k(k)
        wanted = self._rows(ids)
        policy = self.settings_.policy
        placed = hand_placed(policy, {}, self.picks_ if policy.pin_picks else ())
        chooser = Chooser(self.site_, self.model, placed=placed)
        blocks = {block.source_id: block for block in chooser.blocks(np.unique(wanted), k)}
        found = []
        for row in wanted.tolist():
            block = blocks[self.corpus_.ids[row]]
            for number, item in enumerate(block.items, start=1):
                title = self.corpus_.articles[self.corpus_.row_of[item.id]].title
                found.append((block.source_id, number, item.id, title, item.score, dict(item.reasons)))
        frame = pd.DataFrame(found, columns=["source_id", "rank", "target_id", "title", "score", "reasons"])
        return frame if explain else frame.drop(columns="reasons")

    def score(self, picks: Any) -> float:
        """nDCG@10 of the model's rankings against picks, before the house rules; unknown articles are left out.

        Give it picks that `fit` did not see: `learned` knows the others.

        Raises:
            NotFittedError: `fit` was not called.
            InputError: it is no table of picks.
            UsageError: no pick joins two articles.
        """
        check_is_fitted(self, "site_")
        known = truth(self.corpus_, to_picks(picks, self.corpus_)[0])
        return float(rank(self.site_, self.model, Sources(known.sources, known.picks)).mean())

    def evaluate(
        self,
        *,
        models: Sequence[str] | None = None,
        rankers: Mapping[str, Any] | None = None,
        split: Split = "kfold",
        k: int = CUTOFF,
    ) -> pd.DataFrame:
        """Measures models, and rankers of one's own, on the picks that `fit` was given: as `simrec evaluate`.

        Args:
            models: their names; None for `hybrid` and this estimator's own. The first is what others are compared with.
            rankers: by name, estimators that learn from `pairs`, see `simrec.pipeline.pairs.rank_with`. Each is cloned
                and fitted on a fold's training pages, and ranks its test pages.
            split: "kfold", "group" or "time".
            k: cutoff of nDCG and recall.

        Returns:
            model, measure, mean, low, high (95% interval), and against the first model: gain, gain_low, gain_high, and
            p of the paired randomization test.

        Raises:
            NotFittedError: `fit` was not called.
            UsageError: there are too few picks for the split, or no such model, or a ranker is no estimator.
        """
        names = tuple(dict.fromkeys(models or ("hybrid", self.model)))
        Task(models=names, split=split, k=k).check()
        known, dealt = self._dealt(split)
        site = copy(self.site_)  # trained anew on each fold
        trial = Trial(site, known, dealt, split, k, as_published=False, rules=False, progress=no_progress)
        tested = np.sort(np.concatenate([fold.test for fold in dealt]))
        runs = {name: trial.run(name)[tested] for name in names}
        for name, ranker in (rankers or {}).items():
            if name in runs:
                raise UsageError(f"{name!r} is a model: give the ranker a name of its own")
            runs[name] = rank_with(ranker, trial.picked, dealt, split, k)[tested]
        picks = [known.picks[place] for place in tested.tolist()]
        return _table({name: per_source(run, picks, k) for name, run in runs.items()})

    def pairs(self, *, split: Split = "kfold", fold: int = 0) -> pd.DataFrame:
        """What a ranker learns from, and is tested on, in one fold: a row for each page with picks and candidate of it.

        Features that look at picks see those of the fold's training pages, never the page's own: see
        `simrec.pipeline.pairs.pages_of`.

        Args:
            split: "kfold", "group" or "time".
            fold: its number, from 0.

        Returns:
            part ("train" or "test"), source_id, target_id, label (1 for a pick), and the features, NaN where a value is
            not known. The pairs of a page stand together.

        Raises:
            NotFittedError: `fit` was not called.
            UsageError: there are too few picks for the split, or it has no such fold.
        """
        import pandas as pd

        known, dealt = self._dealt(split)
        if not 0 <= fold < len(dealt):
            raise UsageError(f"{split} has folds 0 to {len(dealt) - 1}, got {fold}")
        picked = Picked(self.site_, known, known.sources)
        found = pages_of(picked, dealt[fold], split)
        return pd.concat([to_frame(picked, found.train, "train"), to_frame(picked, found.test, "test")])

    def tune(self, trials: int = 60, *, split: Split = "kfold", minutes: float | None = None) -> Tuning:
        """Searches settings as `simrec tune`, and changes nothing here: fit a new `Recommender` with its `settings`.

        Raises:
            NotFittedError: `fit` was not called.
            UsageError: there are too few picks.
            ModelError: Optuna is not installed.
        """
        check_is_fitted(self, "site_")
        task = TuneTask(trials, minutes, split)
        return tune_corpus(self.corpus_, self.picks_, self.settings_, task, cache=self._cache_folder())

    def _cache_folder(self) -> Path:
        return cache_folder() if self.cache is None else Path(self.cache)

    def _rows(self, ids: str | Iterable[str] | None) -> NDArray[np.int32]:
        if ids is None:
            return np.arange(len(self.corpus_), dtype=np.int32)
        wanted = [str(id_) for id_ in ([ids] if isinstance(ids, str) else ids)]
        unknown = [id_ for id_ in wanted if id_ not in self.corpus_.row_of]
        if unknown:
            raise NotFoundError(f"there is no article {unknown[0]!r}: see corpus_.ids and rejects_")
        return np.array([self.corpus_.row_of[id_] for id_ in wanted], dtype=np.int32)

    def _dealt(self, split: Split) -> tuple[Truth, list[Fold]]:
        check_is_fitted(self, "site_")
        Task(models=(), split=split).check()
        known = truth(self.corpus_, self.picks_)
        return known, folds(known, self.corpus_, split)


def _table(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> pd.DataFrame:
    import pandas as pd

    first = next(iter(values))
    found = []
    for name, of_model in values.items():
        for measure, of_sources in of_model.items():
            row = {"model": name, "measure": measure, **interval(of_sources)._asdict()}
            if name != first:
                gain = compare(name, first, measure, of_sources, values[first][measure])
                row |= dict(zip(GAINS, (gain.delta, gain.low, gain.high, gain.p), strict=True))
            found.append(row)
    return pd.DataFrame(found, columns=["model", "measure", "mean", "low", "high", *GAINS])
