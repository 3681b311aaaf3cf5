"""`simrec tune`: settings chosen on some sources with picks, and confirmed on others.

The first fold of the evaluation's split deals the sources. All that is chosen is chosen on its training sources, at
most `MOST` of them; its test sources are looked at once, at the end, and decide whether anything is changed at all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.errors import UsageError
from simrec.evaluate.protocol import SEED, SPLITS, Split, Truth, folds, truth
from simrec.pipeline.bench import Bench
from simrec.pipeline.confirm import Confirmed, Sources, Varied, both, confirm, decide, standard_error, vary
from simrec.pipeline.search import Searched, Searcher
from simrec.pipeline.site import Site
from simrec.pipeline.space import changes, get_value, make_stages, with_values
from simrec.settings import Settings
from simrec.text import content_hash
from simrec.types import Corpus, Pick, Progress, no_progress

FORMAT = 1
"""Raise it when the same settings measure otherwise: trials made before are then left alone."""
LEAST_SOURCES = 30
"""With picks on fewer pages nothing is tuned: too little to tell a gain from chance."""
MOST = 2000
"""Tuning sources that are looked at; more are drawn from at random."""
SLACK = 0.5
"""Standard errors that a setting's change must gain on the tuning sources to be worth a line in simrec.toml."""


@dataclass(frozen=True)
class TuneTask:
    """What to search: the options of `tune`."""

    trials: int = 60
    minutes: float | None = None
    split: Split = "kfold"
    embeddings: bool = False

    def check(self) -> None:
        """Raises UsageError for what cannot be."""
        if self.trials < 1:
            raise UsageError(f"--trials must be at least 1, got {self.trials}")
        if self.minutes is not None and not self.minutes > 0:
            raise UsageError(f"--minutes must be more than 0, got {self.minutes:g}")
        if self.split not in SPLITS:
            raise UsageError(f"there is no split {self.split!r}: choose from {', '.join(SPLITS)}")


@dataclass(frozen=True)
class Tuning:
    """What was tuned.

    Attributes:
        protocol: how, with all that is needed to do it again.
        before: the settings of now.
        settings: the settings to use: those of now, where nothing is clearly better.
        kept: what is changed, by section and name.
        found: what the search chose, whether it is kept or not.
        why: the decision in words.
        searched: the stages.
        tuning: the fusion before and after, on the tuning sources, where the choice was made.
        confirmed: models before and after, on the held-out sources.
        varied: what values of `policy.diversity` do to blocks of tuning sources; the first is the value of now.
    """

    protocol: Mapping[str, Any]
    before: Settings
    settings: Settings
    kept: Mapping[str, Any]
    found: Mapping[str, Any]
    why: str
    searched: Sequence[Searched]
    tuning: Confirmed
    confirmed: Sequence[Confirmed]
    varied: Sequence[Varied]

    def as_json(self) -> dict[str, Any]:
        """`tune --json`, but for the trials."""
        return {
            "protocol": dict(self.protocol),
            "changes": dict(self.kept),
            "found": dict(self.found),
            "why": self.why,
            "tuning": self.tuning.as_json(),
            "held_out": [found.as_json() for found in self.confirmed],
            "importances": {found.stage: dict(found.importances) for found in self.searched},
            "diversity": [found._asdict() for found in self.varied],
        }


def tune_corpus(
    corpus: Corpus,
    picks: Sequence[Pick],
    settings: Settings,
    task: TuneTask | None = None,
    *,
    study: Path | None = None,
    cache: Path | None = None,
    progress: Progress = no_progress,
) -> Tuning:
    """Searches settings on the training sources of the split's first fold, and confirms them on its test sources.

    Args:
        corpus: the articles.
        picks: editors' picks.
        settings: of now; where the search starts, and what its end is compared with.
        task: what to search.
        study: a database that keeps the trials, so that a search that was stopped goes on; None keeps none.
        cache: folder of the cached vectors.
        progress: shows long work.

    Raises:
        UsageError: the task cannot be done with these articles and picks.
        ModelError: Optuna is not installed, or the sentence model cannot be loaded.
        StoreError: the database cannot be read or written.
    """
    task = task or TuneTask()
    task.check()
    known = truth(corpus, picks)
    if len(known.sources) < LEAST_SOURCES:
        raise UsageError(
            f"{len(known.sources)} pages with picks are too few to tune on, {LEAST_SOURCES} are needed: ingest more"
        )
    fold = folds(known, corpus, task.split)[0]
    tuned_on = _sources(known, np.random.default_rng(SEED).permutation(fold.train)[:MOST])
    held_out = _sources(known, fold.test)
    bench = Bench(corpus, *tuned_on, cache, progress)
    searched, found = _search(Searcher(study, _key(corpus, tuned_on), progress), bench, settings, task)
    sites = Site(corpus, settings, cache, progress), Site(corpus, found, cache, progress)
    confirmed = confirm(sites, held_out)
    keys = [key for stage in make_stages(settings, 1, embeddings=True) for key in stage.grid]
    changed = changes(settings, found, keys)
    accepted, why = decide(changed, confirmed[-1])
    varied, diversity, told = vary(sites[accepted], tuned_on, held_out, progress)
    kept = (changed if accepted else {}) | ({"policy.diversity": diversity} if diversity else {})
    return Tuning(
        protocol=_protocol(task, corpus, tuned_on, held_out, len(fold.train)),
        before=settings,
        settings=with_values(settings, kept),
        kept=kept,
        found=changed,
        why=f"{why}; {told}",
        searched=searched,
        tuning=both("fusion", bench.values(settings), bench.values(found)),
        confirmed=confirmed,
        varied=varied,
    )


def _search(searcher: Searcher, bench: Bench, settings: Settings, task: TuneTask) -> tuple[list[Searched], Settings]:
    """Each stage starts from what the one before it chose; the first takes half of the time at most."""
    start = time.monotonic()
    seconds = task.minutes * 60 if task.minutes else float("inf")
    searched, found = [], settings
    for number, stage in enumerate(make_stages(settings, task.trials, embeddings=task.embeddings)):
        until = start + seconds * (number + 1) / 2
        searched.append(searcher.search(stage, found, bench.mean, until))
        found = _simplify(bench, found, searched[-1].best, list(stage.grid))
    return searched, found


def _simplify(bench: Bench, before: Settings, after: Settings, keys: Sequence[str]) -> Settings:
    """Takes back each change that gains less than `SLACK` standard errors on the tuning sources, the least first."""
    best = bench.values(after)
    old = {key: get_value(before, key) for key in changes(before, after, keys)}
    for key in sorted(old, key=lambda key: -bench.mean(with_values(after, {key: old[key]}))):
        simpler = with_values(after, {key: old[key]})
        loss = best - bench.values(simpler)
        if loss.mean() <= SLACK * standard_error(loss):
            after = simpler
    return after


def _sources(known: Truth, places: NDArray[np.int64]) -> Sources:
    places = np.sort(places)
    return Sources(known.sources[places], [known.picks[place] for place in places.tolist()])


def _key(corpus: Corpus, sources: Sources) -> str:
    """Names what the search measures: the articles, and the picks of the tuning sources, but of no other."""
    told = [f"{a.section} {a.tags} {a.published_at}" for a in corpus.articles]
    picks = [f"{row} {sorted(targets)}" for row, targets in zip(sources.rows.tolist(), sources.picks, strict=True)]
    texts = (part for text in corpus.texts for part in text)
    return content_hash(str(FORMAT), *corpus.ids, *texts, *told, *picks)[:16]


def _protocol(task: TuneTask, corpus: Corpus, tuned_on: Sources, held_out: Sources, available: int) -> dict[str, Any]:
    from simrec import __version__

    return {
        "split": task.split,
        "fold": 1,
        "articles": len(corpus),
        "tuning_sources": len(tuned_on.rows),
        "tuning_sources_available": available,
        "held_out_sources": len(held_out.rows),
        "trials": task.trials,
        "minutes": task.minutes,
        "embeddings": task.embeddings,
        "seed": SEED,
        "key": _key(corpus, tuned_on),
        "simrec": __version__,
    }
