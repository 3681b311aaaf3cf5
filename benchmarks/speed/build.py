"""A whole build, a build when nothing changed, and one when a hundredth changed, each in a process of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from speed.child import Work
from speed.context import Context, Job
from speed.report import Measured, Outcome, Row, ratio
from speed.texts import articles_file, made_up, read, source_of

SECONDS, MEMORY = 240.0, 3000.0
"""Of the whole corpus, on two cores."""
UNCHANGED, CHANGED = 3.0, 10.0
"""Percent of a full build's seconds."""
FEW = 40
EVERY = 100
"""One in so many articles changes."""

COMPARED = 2000
"""Blocks that are made from nothing, to be compared."""


def bench(context: Context) -> Outcome:
    """Runs it."""
    warm(context)
    blank, folder = workspace(context, context.profile.build), context.work / "site"
    if isinstance(blank, Measured):
        return Outcome({}, {"ingest": blank}, [Row("whole build", None, unit="s", reason=blank.missing)])
    shutil.copytree(blank, folder)
    changed = change(articles_file(context, context.profile.build), context.work / "changed.jsonl")
    found = {"whole": context.run(Job("speed.build:whole", {"folder": folder}, 1))}
    found["again"] = context.run(Job("speed.build:whole", {"folder": folder}, 1))
    put = context.run(Job("speed.build:put", {"folder": folder, "source": changed}, 1))
    found["changed"] = context.run(Job("speed.build:whole", {"folder": folder}, 1)) if not put.missing else put
    found["compare"] = context.run(Job("speed.build:compare", {"folder": folder}, 1))
    sizes = {"source": source_of(context), "articles": found["whole"].figures.get("articles"), "model": "hybrid, fast"}
    return Outcome(sizes, found, rows_of(context.profile.whole, found))


def rows_of(whole: bool, found: dict[str, Measured]) -> list[Row]:
    """The table's lines; seconds and memory have their targets on the whole corpus only."""
    first = found["whole"]
    n = first.figures.get("articles")
    what = f"whole build of {n:,} articles" if n else "whole build"
    rows = [
        *of_whole(what, first, (SECONDS, MEMORY) if whole else (None, None)),
        share("build with nothing changed", found["again"], first, UNCHANGED),
        share("build with 1% of the articles changed", found["changed"], first, CHANGED),
    ]  # fmt: skip
    compared = found["compare"]
    differ = None if compared.missing else compared.figures["differ"]
    rows.append(Row("its blocks that differ from a build from scratch", differ, "", at_most=0, reason=compared.missing))
    return rows


def of_whole(what: str, found: Measured, targets: tuple[float | None, float | None]) -> list[Row]:
    """Seconds and megabytes of a whole build, and what they may be at most."""
    seconds, megabytes = targets
    peak = None if found.missing else found.figures["peak_rss_mb"]
    return [
        Row(what, found.seconds, "s", at_most=seconds, note=stages(found), reason=found.missing),
        Row("its peak memory", peak, "MB", at_most=megabytes, reason=found.missing),
    ]


def share(what: str, found: Measured, whole: Measured, at_most: float) -> Row:
    """Seconds in percent of a whole build's."""
    row = ratio(what, found, whole)
    value = None if row.value is None else 100 * row.value
    return Row(what, value, "%", at_most=at_most, note=row.note, reason=row.reason)


def stages(found: Measured) -> str:
    """Seconds of each stage."""
    return ", ".join(f"{name} {values['seconds']:.1f} s" for name, values in found.figures.get("stages", {}).items())


def workspace(context: Context, n: int, speed: str = "fast") -> Path | Measured:
    """A workspace with n articles that is set to hybrid and was not built yet; or why there is none."""
    folder = context.work / f"workspace-{speed}-{n}"
    if not folder.exists():
        articles = articles_file(context, n)
        made = context.run(Job("speed.build:create", {"folder": folder, "source": articles, "speed": speed}, 1))
        if made.missing:
            shutil.rmtree(folder, ignore_errors=True)
            return made
    return folder


def warm(context: Context) -> None:
    """Builds a few made-up articles once, so that what an installation compiles when it is first used is compiled."""
    folder, articles = context.work / "warm", context.work / "warm.jsonl"
    if not folder.exists():
        articles.write_text("".join(json.dumps(record) + "\n" for record in made_up(FEW)), encoding="utf-8")
        context.run(Job("speed.build:create", {"folder": folder, "source": articles}, 1))
        context.run(Job("speed.build:whole", {"folder": folder}, 1))


def change(source: Path, out: Path) -> Path:
    """Every hundredth article of a file, with a sentence more and its first words taken from its neighbor."""
    records = read(source)
    with out.open("w", encoding="utf-8") as file:
        for place in range(0, len(records), EVERY):
            record, other = records[place], records[place - 1]
            body = f"{record['body']}\n\nUpdated: {' '.join(other['body'].split()[:30])}."
            file.write(json.dumps({**record, "body": body}, ensure_ascii=False) + "\n")
    return out


# Contenders


def create(folder: str, source: str, speed: str = "fast") -> Work:
    """Ingests a file of articles into a new workspace."""
    from simrec.pipeline.ingest import ingest
    from simrec.pipeline.workspace import Workspace
    from simrec.settings import write_settings

    def work() -> dict[str, Any]:
        made = Workspace.open(Path(folder), create=True)
        write_settings(Path(folder), {"build": {"model": "hybrid", "speed": speed}})
        return {"articles": ingest(made, [source]).new}

    return work


def put(folder: str, source: str) -> Work:
    """Ingests changed articles."""
    from simrec.pipeline.ingest import ingest
    from simrec.pipeline.workspace import Workspace

    return lambda: {"changed": ingest(Workspace.open(Path(folder)), [source]).changed}


def whole(folder: str) -> Work:
    """Builds a workspace, with what it has from builds before."""
    from simrec.pipeline.build import build
    from simrec.pipeline.workspace import Workspace

    opened = Workspace.open(Path(folder))

    def work() -> dict[str, Any]:
        report = build(opened)
        values = {"articles": report.articles, "blocks": report.blocks, "stages": report.stages}
        return {**values, "peak_rss_mb": report.peak_rss_mb}

    return work


def compare(folder: str) -> Work:
    """Counts the stored blocks that are not the same bytes as when their pages are ranked from nothing.

    From nothing is: with what was fitted, all articles added at once, no list of candidates kept. Of a large site a
    sample of pages is looked at.
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from simrec.pipeline.live.site import LiveSite
    from simrec.pipeline.placed import placed_of
    from simrec.pipeline.workspace import Workspace

    opened = Workspace.open(Path(folder))

    def work() -> dict[str, Any]:
        with opened.store() as store:
            stored = {block.source_id: block for block in store.blocks(store.snapshot().id)}
            articles, hashes = {a.id: a for a in store.articles()}, store.article_hashes()
            site = LiveSite.load(opened, articles)
            site.follow(articles, hashes, placed_of(opened, store), datetime.now(UTC))
        rows = sorted(site.engine.articles)
        site.engine.lists.array[:] = -1
        made = site.engine.make((), rows[:: -(-len(rows) // COMPARED)])
        differ = sum(json.dumps(asdict(block)) != json.dumps(asdict(stored[block.source_id])) for block in made)
        return {"blocks": len(made), "differ": differ}

    return work
