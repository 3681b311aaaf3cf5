"""Features of pairs and the ranker's scores of them, in batches: pairs a second, and what it holds in memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from speed.build import workspace
from speed.child import NotThere, Work, watch_memory
from speed.context import Context, Job
from speed.report import Measured, Outcome, Row
from speed.texts import source_of

WIDTH = 200
"""Candidates a page."""
ARTICLES = 57_000
"""That seconds are told for, whatever was measured."""
MEMORY, SECONDS = 1000.0, 60.0


def bench(context: Context) -> Outcome:
    """Runs it."""
    folder = workspace(context, context.profile.build)
    if isinstance(folder, Measured):
        return Outcome({}, {"ingest": folder}, [Row("features", None, reason=folder.missing)])
    job = Job("speed.features:stream", {"folder": folder, "pages": context.profile.sources}, 1)
    found = context.run(job)
    sizes = {"source": source_of(context), "articles": context.profile.build, "candidates": WIDTH}
    return Outcome(sizes, {"stream": found}, rows_of(found))


def rows_of(found: Measured) -> list[Row]:
    """The table's lines."""
    if found.missing:
        return [Row("features of pairs", None, reason=found.missing)]
    figures = found.figures
    scale = ARTICLES * WIDTH / figures["pairs"]
    note = f"{figures['pairs']:,} pairs of {figures['articles']:,} articles"
    note += "" if round(scale, 2) <= 1 else "; seconds are extrapolated"
    said = f"{ARTICLES:,} x {WIDTH} candidates"
    rise = figures["rise_mb"]
    return [
        Row("features", figures["pairs"] / figures["features"], "pairs/s", note=note),
        Row(f"features of {said}", figures["features"] * scale, "s", note=note),
        Row(f"the ranker's scores of {said}", figures["ranker"] * scale, "s", at_most=SECONDS, note=note),
        Row(
            "memory that features and scores add to what the site holds", rise, "MB",
            at_most=MEMORY, reason="" if rise is not None else "the system does not tell",
        ),
    ]  # fmt: skip


# Contender


def stream(folder: str, pages: int) -> Work:
    """Candidates of pages, their features and their scores, batch by batch, as a build does it.

    The site's own signals are made before; a batch's scores take its features and then the ranker.
    """
    from simrec.pipeline.site import Site
    from simrec.pipeline.workspace import Workspace
    from simrec.types import Corpus

    opened = Workspace.open(Path(folder))
    with opened.store() as store:
        corpus = Corpus(store.articles())
    site = Site(corpus, opened.settings, opened.vectors)
    scorer: Any = site.scorer("hybrid")
    if not hasattr(scorer, "features"):
        raise NotThere("hybrid has no ranker here")
    step = max(len(corpus) // pages, 1)
    sources = np.arange(0, len(corpus), step, dtype=np.int32)
    batches = list(_candidates(site, sources))
    risen = watch_memory()
    scorer.score(*batches[0])  # compiles, and makes what is made once
    scorer.features.of(*batches[0])

    def work() -> dict[str, Any]:
        features, scores, pairs = 0.0, 0.0, 0
        for rows, candidates in batches:
            features += _seconds(scorer.features.of, rows, candidates)
            scores += _seconds(scorer.score, rows, candidates)
            pairs += int((candidates >= 0).sum())
        found = {"articles": len(corpus), "pairs": pairs, "features": features, "ranker": max(scores - features, 0.0)}
        return {**found, "rise_mb": risen()}

    return work


def _candidates(site: Any, sources: Any) -> Any:
    from simrec.pipeline.sources import WIDE

    depth = WIDTH // 2
    for rows, lists in site.lists(tuple(WIDE), sources, depth):
        yield rows, site.merge(lists, depth)[:, :WIDTH]


def _seconds(function: Any, *arguments: Any) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start
