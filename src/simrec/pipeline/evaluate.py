"""Models measured against editors' picks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.errors import StoreError, UsageError
from simrec.evaluate import measures, slices, trec
from simrec.evaluate.compare import Comparison, Interval, compare, correct, interval, interval_of_all
from simrec.evaluate.protocol import SPLITS, Split, Truth, folds, truth
from simrec.pipeline import blind
from simrec.pipeline.build import check_k
from simrec.pipeline.described import articles_hash, describe
from simrec.pipeline.files import cache_folder, read_files
from simrec.pipeline.quality import record_evaluation
from simrec.pipeline.ratings import rate, read_ratings
from simrec.pipeline.runs import Found, Point, Trial, importances, learning_curve
from simrec.pipeline.site import MODELS, Site
from simrec.pipeline.workspace import Workspace
from simrec.rank.catalogue import LEARNED, Feature
from simrec.settings import Settings
from simrec.store import Whose
from simrec.store.judgements import WHOSE
from simrec.types import NO_ROW, Corpus, Pick, Progress, Rows, no_progress

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        protocol: how, with all that is needed to do it again.
        models: for each model, each measure's mean and interval.
        comparisons: each pair of models, on each measure that has a value a source.
        corpus: the articles.
        sources: (s,) the rows that were tested.
        picks: their picks' rows.
        runs: for each model the (s, depth) rows that it ranked best.
        values: for each model and measure the (s,) values.
        slices: kinds of sources, with each model's main measure.
        candidates: how many of the picks each source of candidates finds.
        learned: for each fold what was learned, where `learned` was measured.
        importances: what the learned rankers looked at.
        curve: quality of `learned` by the number of pages that it learned from, where that was asked for.
        ratings: for each model the agreement of its scores with people's ratings, where there are any.
        by_editors: what editors preferred in blind comparisons of two models.
        rejected: for each model the share of the first five that editors rejected, where they rejected any.
    """

    protocol: Mapping[str, Any]
    models: Mapping[str, Mapping[str, Interval]]
    comparisons: Sequence[Comparison]
    corpus: Corpus
    sources: Rows
    picks: Sequence[frozenset[int]]
    runs: Mapping[str, Rows]
    values: Mapping[str, Mapping[str, NDArray[np.float64]]]
    slices: Sequence[Mapping[str, Any]] = ()
    candidates: Sequence[Found] = ()
    learned: Sequence[Mapping[str, Any]] = ()
    importances: Mapping[str, float] = field(default_factory=dict)
    curve: Sequence[Point] = ()
    ratings: Mapping[str, Interval] = field(default_factory=dict)
    by_editors: Sequence[blind.Tally] = ()
    rejected: Mapping[str, Interval] = field(default_factory=dict)

    @property
    def features(self) -> Mapping[str, Feature]:
        """What the features are that `importances` names."""
        return {feature.name: feature for feature in LEARNED}

    def as_json(self) -> dict[str, Any]:
        """`evaluate --json`; None where too few sources give no interval."""
        values: dict[str, Any] = {
            "protocol": dict(self.protocol),
            "models": {
                name: {measure: found._asdict() for measure, found in self._with_rejected(name).items()}
                for name in self.models
            },
            "comparisons": [found._asdict() for found in self.comparisons],
            "slices": [dict(found) for found in self.slices],
            "candidates": [found._asdict() for found in self.candidates],
            "learned": [dict(found) for found in self.learned],
            "importances": dict(self.importances),
            "curve": [found._asdict() for found in self.curve],
            "ratings": {name: found._asdict() for name, found in self.ratings.items()},
            "comparisons_by_editors": [blind.as_json(found) for found in self.by_editors],
        }
        plain: dict[str, Any] = _plain(values)
        return plain

    def _with_rejected(self, model: str) -> dict[str, Interval]:
        found = dict(self.models[model])
        return found | {measures.REJECTED: self.rejected[model]} if model in self.rejected else found

    def as_saved(self) -> dict[str, Any]:
        """`evaluate --save`: what a later comparison needs."""
        ids = self.corpus.ids
        values = {
            "protocol": dict(self.protocol),
            "sources": [ids[row] for row in self.sources.tolist()],
            "values": {
                model: {name: np.round(found, 6).tolist() for name, found in values.items()}
                for model, values in self.values.items()
            },
            "runs": {
                model: [
                    [ids[row] for row in ranked if row != NO_ROW] for ranked in run[:, : self.protocol["k"]].tolist()
                ]
                for model, run in self.runs.items()
            },
        }
        plain: dict[str, Any] = _plain(values)
        return plain

    def as_frame(self) -> Any:
        """One row a source and model, one column a measure: a pandas DataFrame."""
        import pandas as pd

        ids = [self.corpus.ids[row] for row in self.sources.tolist()]
        frames = [pd.DataFrame({"source_id": ids, "model": model, **found}) for model, found in self.values.items()]
        return pd.concat(frames, ignore_index=True)


@dataclass(frozen=True)
class Task:
    """What to measure, and how: the options of `evaluate`."""

    models: Sequence[str] = ("tfidf", "sentence", "hybrid")
    split: Split = "kfold"
    k: int = 10
    as_published: bool = False
    rules: bool = False
    external: Sequence[Path] = ()
    """TREC runs of other systems, measured beside the models."""
    ratings: Path | None = None
    """Table id_a,id_b,human_similarity of people's ratings of pairs."""
    curve: bool = False
    """Measure `learned` with fewer picks, too."""
    judgements: Whose = "all"
    """Whose judgements are the truth."""

    def check(self) -> None:
        """Raises UsageError for what cannot be."""
        check_k(self.k)
        if self.split not in SPLITS:
            raise UsageError(f"there is no split {self.split!r}: choose from {', '.join(SPLITS)}")
        for model in self.models:
            if model not in MODELS:
                raise UsageError(f"there is no model {model!r}: choose from {', '.join(MODELS)}")
        if self.judgements not in WHOSE:
            raise UsageError(f"there are no judgements {self.judgements!r}: choose from {', '.join(WHOSE)}")


def evaluate(workspace: Workspace, task: Task | None = None, progress: Progress = no_progress) -> Evaluation:
    """Evaluates models on a workspace's articles and picks, see `evaluate_corpus`; the store keeps the main figures."""
    task = task or Task()
    task.check()
    with workspace.store() as store:
        corpus, whose = Corpus(store.articles()), task.judgements
        picks, rejected, by_editors = store.picks(whose), store.rejected(whose), blind.tallies(store)
    found = evaluate_corpus(
        corpus, picks, workspace.settings, task, cache=workspace.vectors, progress=progress, rejected=rejected
    )
    try:
        with workspace.store() as store:
            record_evaluation(store, found, datetime.now(UTC))
    except StoreError as error:  # what was measured holds all the same
        logger.warning("the figures are not kept: %s", error)
    return replace(found, by_editors=by_editors)


def evaluate_corpus(
    corpus: Corpus,
    picks: Sequence[Pick],
    settings: Settings,
    task: Task | None = None,
    *,
    cache: Path | None = None,
    progress: Progress = no_progress,
    rejected: Sequence[Pick] = (),
) -> Evaluation:
    """Ranks every tested source as if it were new, and measures the rankings against its picks.

    Neither its picks nor what was `rejected` under it has any part in its ranking.

    Raises:
        UsageError: the task cannot be done with these articles and picks.
        ModelError: the sentence model cannot be loaded.
    """
    task = task or Task()
    task.check()
    known = truth(corpus, picks, as_published=task.as_published, rejected=rejected)
    dealt = folds(known, corpus, task.split)
    tested = np.sort(np.concatenate([fold.test for fold in dealt]))
    sources, hidden = known.sources[tested], [known.picks[place] for place in tested]
    depth = max(settings.rank.candidates, task.k)
    others = [trec.read_run(path) for path in task.external]  # before the work, which is long, not after it
    rows_of_others = [trec.as_rows(run, corpus.row_of, sources, corpus.ids, depth) for run in others]
    rated = read_ratings(task.ratings, corpus) if task.ratings else None
    site = Site(corpus, settings, cache, progress)
    trial = Trial(site, known, dealt, task.split, task.k, task.as_published, task.rules, progress)
    runs = {model: trial.run(model)[tested] for model in task.models}
    for other, rows in zip(others, rows_of_others, strict=True):
        runs[_free_name(other.tag, runs)] = rows
    values = {model: _values(site, run, hidden, known, task.k) for model, run in runs.items()}
    main = f"nDCG@{task.k}"
    kinds = slices.slices(corpus, sources, hidden)
    return Evaluation(
        protocol=describe(task, corpus, known, dealt, runs, settings),
        models={model: _intervals(run, values[model], len(corpus)) for model, run in runs.items()},
        comparisons=_comparisons(list(runs), values),
        corpus=corpus,
        sources=sources,
        picks=hidden,
        runs=runs,
        values=values,
        slices=slices.measure(kinds, {model: found[main] for model, found in values.items()}),
        candidates=trial.candidates() if set(task.models) & {"fusion", "hybrid", "learned"} else (),
        learned=[found.decision.as_json() for found in trial.learned],
        importances=importances(trial.learned),
        curve=learning_curve(trial) if task.curve else (),
        ratings=rate(site, rated, task.models) if rated else {},
        rejected=_rejected(runs, known.rejections(tested.tolist())),
    )


def _rejected(runs: Mapping[str, Rows], rejections: Sequence[frozenset[int]]) -> dict[str, Interval]:
    """For each model the share of the first five that editors rejected, over the pages where they rejected any."""
    judged = np.flatnonzero([bool(rows) for rows in rejections])
    if not len(judged):
        return {}
    there = [rejections[place] for place in judged.tolist()]
    return {model: interval(measures.rejected(run[judged], there)) for model, run in runs.items()}


def _values(
    site: Site, run: Rows, hidden: Sequence[frozenset[int]], known: Truth, k: int
) -> dict[str, NDArray[np.float64]]:
    values = measures.per_source(run, hidden, k)
    popularity = np.bincount([row for targets in known.picks for row in targets], minlength=len(site.corpus))
    values["novelty@5"] = measures.novelty(run, popularity.astype(np.float64))
    values["fresh@5"] = measures.freshness(run, site.corpus.published)
    values["ild@5"] = measures.diversity(run, site.fusion("tfidf").parts[0].part.pairs)
    return values


def _free_name(tag: str, taken: Mapping[str, Any]) -> str:
    name = tag
    while name in taken:
        name += "'"
    return name


def _intervals(run: Rows, values: Mapping[str, NDArray[np.float64]], n: int) -> dict[str, Interval]:
    found = {measure: interval(of_sources) for measure, of_sources in values.items()}
    for measure in measures.OF_ALL:
        found[measure] = interval_of_all(run, n, measure)
    order = [name for name in values if name not in measures.BESIDE]
    return {measure: found[measure] for measure in [*order, *measures.OF_ALL, *measures.BESIDE]}


def _comparisons(models: Sequence[str], values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> list[Comparison]:
    pairs = [(a, b) for place, a in enumerate(models) for b in models[place + 1 :]]
    found = [
        compare(b, a, measure, values[b][measure], values[a][measure])
        for a, b in pairs
        for measure in values[a]
        if measure not in measures.BESIDE
    ]
    return correct(found)


def evaluate_files(
    articles: Path, picks: Path, task: Task | None = None, progress: Progress = no_progress
) -> Evaluation:
    """Evaluates models on a file of articles and a table of picks, without a workspace; see `read_files`.

    Raises:
        InputError: a file cannot be read, or no article in it can.
    """
    files = read_files(articles, picks, progress)
    return evaluate_corpus(files.corpus, files.picks, files.settings, task, cache=files.cache, progress=progress)


def _plain(values: Any) -> Any:
    """Values as JSON has them: None where there is no number."""
    if isinstance(values, Mapping):
        return {name: _plain(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [_plain(value) for value in values]
    return None if isinstance(values, float) and not np.isfinite(values) else values


__all__ = ["Evaluation", "Task", "articles_hash", "cache_folder", "evaluate", "evaluate_corpus", "evaluate_files"]
