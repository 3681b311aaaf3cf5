"""A whole build with the sentence model, from articles to a snapshot that is shown."""

from __future__ import annotations

from speed.build import of_whole, warm, workspace
from speed.context import Context, Job
from speed.report import Measured, Outcome, Row
from speed.texts import source_of

SECONDS = 1500.0
"""Of the whole corpus, on two cores."""
PART = 5
"""One in so many articles is enough where the profile is not the whole corpus: each takes its time."""


def bench(context: Context) -> Outcome:
    """Runs it."""
    warm(context)
    whole = context.profile.whole
    folder = workspace(context, context.profile.build // (1 if whole else PART), "best")
    if isinstance(folder, Measured):
        return Outcome({}, {"ingest": folder}, [Row("whole build", None, unit="s", reason=folder.missing)])
    found = context.run(Job("speed.build:whole", {"folder": folder}, 1))
    n = found.figures.get("articles")
    sizes = {"source": source_of(context), "articles": n, "model": "hybrid, best"}
    what = f"whole build of {n:,} articles with the sentence model" if n else "whole build with the sentence model"
    return Outcome(sizes, {"whole": found}, of_whole(what, found, (SECONDS if whole else None, None)))
