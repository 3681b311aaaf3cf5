"""One article at a time, in a warm process: how long until it is in every block that it belongs to."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from speed.build import change, workspace
from speed.child import NotThere, Work
from speed.context import Context, Job
from speed.report import Measured, Outcome, Row
from speed.texts import articles_file, read, source_of

TARGETS = {50: 30.0, 95: 100.0}
"""Milliseconds, by percentile."""
SHOWN = (50, 95, 99)
WARM = 5
"""Articles that are published before time is taken."""


def bench(context: Context) -> Outcome:
    """Runs it."""
    n, times = context.profile.build, context.profile.published
    blank = workspace(context, n)
    if isinstance(blank, Measured):
        return Outcome({}, {"ingest": blank}, [Row("publish", None, "ms", reason=blank.missing)])
    folder = context.work / "published"
    shutil.copytree(blank, folder)
    built = context.run(Job("speed.build:whole", {"folder": folder}, 1))
    if built.missing:
        return Outcome({}, {"build": built}, [Row("publish", None, "ms", reason=built.missing)])
    changed = change(articles_file(context, n), context.work / "to-publish.jsonl")
    job = Job("speed.publish:publish", {"folder": folder, "source": changed, "times": times}, 1)
    found = context.run(job)
    sizes = {"source": source_of(context), "articles": built.figures["articles"], "published": times}
    return Outcome(sizes, {"publish": found}, rows_of(found, built.figures["articles"]))


def rows_of(found: Measured, articles: int) -> list[Row]:
    """Percentiles in milliseconds; the targets hold at any size, since they do at the largest."""
    if found.missing:
        return [Row("publish", None, "ms", reason=found.missing)]
    rows = []
    for what, values in found.figures.items():
        for percentile in SHOWN:
            at_most = TARGETS.get(percentile) if what != "withdraw" else None
            text = f"{what}, p{percentile}, among {articles:,} articles"
            rows.append(Row(text, values[f"p{percentile}"], "ms", at_most=at_most))
    return rows


def percentiles(seconds: list[float]) -> dict[str, float]:
    """The percentiles that are shown, in milliseconds.

    >>> percentiles([0.01] * 99 + [1.0])["p50"]
    10.0
    """
    found = np.percentile(np.array(seconds) * 1000, SHOWN)
    return {f"p{percentile}": round(float(value), 2) for percentile, value in zip(SHOWN, found, strict=True)}


# Contender


def publish(folder: str, source: str, times: int) -> Work:
    """Updates known articles, publishes new ones, and withdraws those."""
    import simrec

    if "Pipeline" not in dir(simrec):
        raise NotThere("this simrec has no Pipeline.publish")
    pipeline: Any = getattr(simrec, "Pipeline").open(Path(folder))  # noqa: B009  not in every version
    known, new = _articles(source, times, "")[:times], _articles(source, times, "new-")[: times + WARM]
    for article in new[:WARM]:
        pipeline.publish(article)

    def work() -> dict[str, Any]:
        return {
            "update": percentiles([_timed(pipeline.publish, article) for article in known]),
            "publish": percentiles([_timed(pipeline.publish, article) for article in new[WARM:]]),
            "withdraw": percentiles([_timed(pipeline.withdraw, article.id) for article in new[WARM:]]),
        }

    return work


def _timed(function: Any, argument: Any) -> float:
    start = time.perf_counter()
    function(argument)
    return time.perf_counter() - start


def _articles(source: str, times: int, prefix: str) -> list[Any]:
    """Changed articles under their own ids, or under new ones; again from the first where there are too few."""
    from simrec.types import Article

    records = read(Path(source))
    records = [records[place % len(records)] for place in range(times + WARM)]
    found = []
    for place, record in enumerate(records):
        kept = {name: record[name] for name in ("title", "body", "section", "lang") if record.get(name)}
        kept["body"] = f"{kept.get('body', '')}\n\nVersion {place}."  # the same one twice would be no change
        found.append(Article(**kept, id=f"{prefix}{place}-{record['id']}" if prefix else record["id"]))
    return found
