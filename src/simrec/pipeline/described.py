"""What an evaluation says of itself: how it was done, and on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simrec.evaluate.protocol import Fold, Truth
from simrec.pipeline.finetuned import warn_of_leak
from simrec.settings import Settings
from simrec.text import content_hash
from simrec.types import Corpus, Rows

if TYPE_CHECKING:
    from simrec.pipeline.evaluate import Task


def describe(
    task: Task,
    corpus: Corpus,
    known: Truth,
    dealt: Sequence[Fold],
    runs: Mapping[str, Rows],
    settings: Settings,
) -> dict[str, Any]:
    """How models were measured, with all that is needed to do it again."""
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
        **_judged(task, known, dealt),
        "folds": [{"train": len(fold.train), "test": len(fold.test)} for fold in dealt],
        "seed": 0,
        "resamples": 1000,
        "articles_hash": articles_hash(corpus),
        "picks_hash": content_hash(*(f"{source} {targets}" for source, targets in picks))[:16],
        "warnings": warn_of_leak(
            settings.sentence.model, {corpus.ids[known.sources[place]] for fold in dealt for place in fold.test}
        ),
        "settings": settings.model_dump(mode="json", include={"tfidf", "sentence", "rank", "policy"}),
        "simrec": __version__,
    }


def _judged(task: Task, known: Truth, dealt: Sequence[Fold]) -> dict[str, Any]:
    """Whose judgements counted, where not all did, and the rejections under tested sources, where there are any."""
    found: dict[str, Any] = {} if task.judgements == "all" else {"judgements": task.judgements}
    rejections = sum(map(len, known.rejections(place for fold in dealt for place in fold.test.tolist())))
    return found | ({"rejections": rejections} if rejections else {})


def articles_hash(corpus: Corpus) -> str:
    """Names the articles with all that a ranking looks at."""
    parts = [
        [a.id, a.title, a.body, a.lang, a.url, a.section, *a.tags, *a.authors, str(a.published_at), a.status]
        for a in corpus.articles
    ]
    return content_hash(*map(repr, parts))[:16]


__all__ = ["articles_hash", "describe"]
