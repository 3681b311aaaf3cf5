"""Models measured against editors' picks."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.errors import InputError, UsageError
from simrec.evaluate import measures
from simrec.evaluate.compare import Comparison, Interval, compare, interval, interval_of_all
from simrec.evaluate.protocol import SPLITS, Fold, Split, Truth, folds, published_before, truth
from simrec.pipeline.build import Chooser, check_k
from simrec.pipeline.site import MODELS, Site
from simrec.pipeline.workspace import Workspace
from simrec.settings import Settings
from simrec.text import content_hash
from simrec.types import NO_ROW, Corpus, Mask, Pick, Progress, Rows, no_progress

logger = logging.getLogger(__name__)

SHOWN_REJECTS = 5


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
    """

    protocol: Mapping[str, Any]
    models: Mapping[str, Mapping[str, Interval]]
    comparisons: Sequence[Comparison]
    corpus: Corpus
    sources: Rows
    picks: Sequence[frozenset[int]]
    runs: Mapping[str, Rows]
    values: Mapping[str, Mapping[str, NDArray[np.float64]]]

    def as_json(self) -> dict[str, Any]:
        """`evaluate --json`."""
        return {
            "protocol": dict(self.protocol),
            "models": {
                name: {measure: found._asdict() for measure, found in by_measure.items()}
                for name, by_measure in self.models.items()
            },
            "comparisons": [found._asdict() for found in self.comparisons],
        }


@dataclass(frozen=True)
class Task:
    """What to measure, and how: the options of `evaluate`."""

    models: Sequence[str] = MODELS
    split: Split = "kfold"
    k: int = 10
    as_published: bool = False
    rules: bool = False

    def check(self) -> None:
        """Raises UsageError for what cannot be."""
        check_k(self.k)
        if self.split not in SPLITS:
            raise UsageError(f"there is no split {self.split!r}: choose from {', '.join(SPLITS)}")
        for model in self.models:
            if model not in MODELS:
                raise UsageError(f"there is no model {model!r}: choose from {', '.join(MODELS)}")


def evaluate(workspace: Workspace, task: Task | None = None, progress: Progress = no_progress) -> Evaluation:
    """Evaluates models on a workspace's articles and picks; see `evaluate_corpus`."""
    with workspace.store() as store:
        corpus, picks = Corpus(store.articles()), store.picks()
    return evaluate_corpus(corpus, picks, workspace.settings, task, cache=workspace.vectors, progress=progress)


def evaluate_corpus(
    corpus: Corpus,
    picks: Sequence[Pick],
    settings: Settings,
    task: Task | None = None,
    *,
    cache: Path | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Ranks every tested source as if it were new, and measures the rankings against its picks.

    Raises:
        UsageError: the task cannot be done with these articles and picks.
        ModelError: the sentence model cannot be loaded.
    """
    task = task or Task()
    task.check()
    known = truth(corpus, picks, as_published=task.as_published)
    dealt = folds(known, corpus, task.split)
    tested = np.sort(np.concatenate([fold.test for fold in dealt]))
    site = Site(corpus, settings, cache, progress)
    runs = {model: _run(site, model, task, known, dealt, progress)[tested] for model in task.models}
    hidden = [known.picks[place] for place in tested]
    values = {model: measures.per_source(run, hidden, task.k) for model, run in runs.items()}
    similarity = site.fusion("tfidf").parts[0].part.pairs
    for model, run in runs.items():
        values[model]["ild@5"] = measures.diversity(run, similarity)
    return Evaluation(
        protocol=_protocol(task, corpus, known, dealt, runs, settings),
        models={model: _intervals(runs[model], values[model], len(corpus)) for model in task.models},
        comparisons=_comparisons(task.models, values),
        corpus=corpus,
        sources=known.sources[tested],
        picks=hidden,
        runs=runs,
        values=values,
    )


def _run(
    site: Site, model: str, task: Task, known: Truth, dealt: Sequence[Fold], progress: Progress
) -> NDArray[np.int32]:
    """(s, depth) the rankings of all sources in some test fold; -1 elsewhere. No model here learns from picks."""
    corpus = site.corpus
    depth = task.k if task.rules else max(site.settings.rank.candidates, task.k)
    run = np.full((len(known.sources), depth), NO_ROW, dtype=np.int32)
    place_of = {row: place for place, row in enumerate(known.sources.tolist())}
    allowed: Callable[[Rows], Mask] | None = None
    if task.as_published:
        allowed = lambda rows: published_before(corpus, rows)  # noqa: E731
    chooser = Chooser(site, model) if task.rules else None
    with progress(f"rank with {model}", len(known.sources)) as bar:
        for fold in dealt:
            rows = known.sources[fold.test]
            if chooser:
                for block in chooser.blocks(rows, task.k, allowed=allowed):
                    items = [corpus.row_of[item.id] for item in block.items]
                    run[place_of[corpus.row_of[block.source_id]], : len(items)] = items
            else:
                for batch, ranking in site.rank(model, rows, depth, allowed=allowed):
                    width = min(depth, ranking.rows.shape[1])
                    run[[place_of[row] for row in batch.tolist()], :width] = ranking.rows[:, :width]
            bar.update(len(rows))
    return run


def _intervals(run: Rows, values: Mapping[str, NDArray[np.float64]], n: int) -> dict[str, Interval]:
    found = {measure: interval(of_sources) for measure, of_sources in values.items()}
    for measure in measures.OF_ALL:
        found[measure] = interval_of_all(run, n, measure)
    order = [*(name for name in values if name != "ild@5"), *measures.OF_ALL, "ild@5"]
    return {measure: found[measure] for measure in order}


def _comparisons(models: Sequence[str], values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> list[Comparison]:
    pairs = [(a, b) for place, a in enumerate(models) for b in models[place + 1 :]]
    return [
        compare(b, a, measure, values[b][measure], values[a][measure])
        for a, b in pairs
        for measure in values[a]
        if measure != "ild@5"
    ]


def _protocol(
    task: Task,
    corpus: Corpus,
    known: Truth,
    dealt: Sequence[Fold],
    runs: Mapping[str, Rows],
    settings: Settings,
) -> dict[str, Any]:
    from simrec import __version__

    picks = sorted(
        (corpus.ids[source], sorted(corpus.ids[target] for target in targets))
        for source, targets in zip(known.sources.tolist(), known.picks, strict=True)
    )
    return {
        "split": task.split,
        "k": task.k,
        "depth": max(run.shape[1] for run in runs.values()),
        "as_published": task.as_published,
        "rules": task.rules,
        "articles": len(corpus),
        "sources": sum(len(fold.test) for fold in dealt),
        "picks": sum(len(known.picks[place]) for fold in dealt for place in fold.test),
        "dropped_picks": known.dropped,
        "folds": [{"train": len(fold.train), "test": len(fold.test)} for fold in dealt],
        "seed": 0,
        "resamples": 1000,
        "articles_hash": content_hash(*(part for text in corpus.texts for part in text))[:16],
        "picks_hash": content_hash(*(f"{source} {targets}" for source, targets in picks))[:16],
        "settings": settings.model_dump(mode="json", include={"tfidf", "sentence", "rank", "policy"}),
        "simrec": __version__,
    }


def evaluate_files(
    articles: Path, picks: Path, task: Task | None = None, progress: Progress = no_progress
) -> Evaluation:
    """Evaluates models on a file of articles and a table of picks, without a workspace.

    Vectors are kept in the user's cache folder (XDG_CACHE_HOME, or ~/.cache), so that a second run is fast.

    Raises:
        InputError: a file cannot be read, or no article in it can.
    """
    import tempfile

    from simrec.pipeline.ingest import ingest
    from simrec.settings import load_settings

    settings = load_settings()
    with tempfile.TemporaryDirectory(prefix="simrec-") as folder:
        workspace = Workspace.open(Path(folder), settings, create=True)
        report = ingest(workspace, [articles], picks=[picks], progress=progress)
        for reject in report.rejects[:SHOWN_REJECTS]:
            logger.warning("%s:%s: %s", reject.file, reject.line or "", reject.reason)
        with workspace.store() as store:
            corpus, known = Corpus(store.articles()), store.picks()
    if not len(corpus):
        raise InputError(f"no article in {articles} can be used")
    return evaluate_corpus(corpus, known, settings, task, cache=cache_folder(), progress=progress)


def cache_folder() -> Path:
    """The user's folder of cached vectors."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "simrec" / "vectors"
