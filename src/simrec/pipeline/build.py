"""Articles in the store become blocks in a snapshot: all of them, or those that are others now."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from simrec.errors import UsageError
from simrec.pipeline.chooser import Chooser, may_show
from simrec.pipeline.live.site import LiveSite, is_current
from simrec.pipeline.live.start import all_blocks, fit, start
from simrec.pipeline.models import use_learned
from simrec.pipeline.site import Site, describe
from simrec.pipeline.synced import active_snapshot, catch_up, is_synced, note_synced, pins_of, read_synced
from simrec.pipeline.workspace import Workspace
from simrec.store import Snapshot, Store, StoredBlock
from simrec.types import Corpus, Pick, Progress, no_progress

logger = logging.getLogger(__name__)


@dataclass
class Report:
    """What a build did: `build --json`; `recalls` are those of `simrec.pipeline.nearby.Nearby`."""

    snapshot: int = 0
    articles: int = 0
    blocks: int = 0
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    peak_rss_mb: float = 0.0
    recalls: dict[str, float] = field(default_factory=dict)
    decision: str = ""

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, float]]:
        """Times a stage; its rows are to be set in what it yields."""
        values: dict[str, float] = {"seconds": 0.0, "rows": 0}
        start = time.perf_counter()
        yield values
        values["seconds"] = round(time.perf_counter() - start, 3)
        self.stages[name] = values


def build(
    workspace: Workspace, *, model: str | None = None, k: int | None = None, full: bool = False,
    progress: Progress = no_progress, now: datetime | None = None,
) -> Report:  # fmt: skip
    """Brings all blocks up to date, and activates them as a new snapshot.

    What was fitted on the site by an earlier build stays in use, and only blocks that changes can concern are made
    again; the result is the same. The site is fitted anew where settings are others, where too much has changed, or
    where `full` asks for it.

    Args:
        workspace: of the site.
        model: its name; None for the setting.
        k: items a block; None for the setting.
        full: fit the site anew.
        progress: shows long work.
        now: the moment that decides who may be shown; None for this one.

    Raises:
        UsageError: there are no articles, no such model, or k is out of range.
        ModelError: the sentence model cannot be loaded.
        StoreError: the store cannot be read or written; the snapshot before stays.
    """
    settings = workspace.settings
    model, k, now = model or settings.build.model, settings.block.k if k is None else k, now or datetime.now(UTC)
    check_k(k)
    report = Report()
    with workspace.store() as store:
        if not store.article_count():
            raise UsageError("there are no articles yet: run `simrec ingest SOURCE` first")
        work = _Work(workspace, store, model, k, now, report, progress)
        followed = None if full or model == "learned" else work.follow()
        written = followed or (work.learned() if model == "learned" else work.whole())
    report.snapshot, report.articles, report.blocks = written.id, written.articles, written.blocks
    report.peak_rss_mb = peak_rss_mb()
    return report


@dataclass
class _Work:
    """A build under way."""

    workspace: Workspace
    store: Store
    model: str
    k: int
    now: datetime
    report: Report
    progress: Progress

    def follow(self) -> Snapshot | None:
        """Makes again what changes concern; None where the site has to be fitted anew."""
        about, active = is_current(self.workspace, self.model, self.k), active_snapshot(self.store)
        if about is None or active is None or active.fitted != about["name"]:
            return None
        with self.report.stage("read") as stage:
            hashes, pins = self.store.article_hashes(), pins_of(self.workspace, self.store)
            stage["rows"] = len(hashes)
        if is_synced(self.workspace, active, hashes, pins, self.now):
            until = read_synced(self.workspace)["until"]
            return self._write((), about["name"], active.id, hashes, pins, until)
        found: list[StoredBlock] = []
        with self.report.stage("update") as stage:
            site = catch_up(self.workspace, self.store, active, hashes, pins, self.now, found)
            if site is None:
                return None
            drift = site.drift()
            stage["rows"] = len(found)
        if drift.due:
            self.report.decision = f"fitted anew: {drift.why}"
            return None
        written = self._write(found, about["name"], active.id, hashes, pins, site.engine.next_change(self.now))
        with self.report.stage("save") as stage:  # never before its blocks are stored: it would pass for up to date
            if site.save(self.workspace, self.now):
                self.store.settle_blocks(written.id)
        return written

    def whole(self) -> Snapshot:
        """Fits the site, and makes all blocks."""
        report, progress = self.report, self.progress
        with report.stage("read") as stage:
            corpus = Corpus(self.store.articles())
            hashes, pins = self.store.article_hashes(), pins_of(self.workspace, self.store)
            stage["rows"] = len(corpus)
        site = Site(corpus, self.workspace.settings, self.workspace.vectors, progress)
        with report.stage("words") as stage:
            _ = site.tfidf, site.sequences
            stage["rows"] = len(corpus)
        with report.stage("embed") as stage:
            _ = site.static if self.model == "static" else site.sentence if self.model != "tfidf" else None
            stage["rows"] = len(corpus)
        with report.stage("neighbors") as stage:
            site.find_neighbors(self.model)
            report.recalls = site.nearby.recalls
            stage["rows"] = len(corpus)
        with report.stage("standardize") as stage:
            fitted = fit(site, self.model, self.now)
            stage["rows"] = len(corpus)
        with report.stage("rank") as stage:
            engine, choices = start(site, fitted, self.k, self.now, pins, progress)
            stage["rows"] = len(corpus)
        del site
        live = LiveSite.fresh(engine, hashes, report.recalls)
        with report.stage("compose") as stage:  # not while the store waits
            found = list(all_blocks(engine, choices, progress))
            stage["rows"] = len(found)
        with report.stage("save") as stage:
            live.save(self.workspace, self.now, always=True)
        return self._write(found, live.name, None, hashes, pins, engine.next_change(self.now))

    def learned(self) -> Snapshot:
        """Trains the site's own ranker where picks are new, and makes all blocks."""
        report, settings = self.report, self.workspace.settings
        with report.stage("read") as stage:
            corpus, picks = Corpus(self.store.articles()), self.store.picks()
            stage["rows"] = len(corpus)
        site = Site(corpus, settings, self.workspace.vectors, self.progress)
        with report.stage("embed") as stage:
            _ = site.tfidf, site.sentence
            stage["rows"] = len(corpus)
        with report.stage("standardize") as stage:
            site.fusion(self.model)
            stage["rows"] = len(corpus)
        with report.stage("learn") as stage:
            described = use_learned(site, picks, self.workspace.learned, fresh=True, progress=self.progress)
            report.decision = described["decision"]["why"]
            stage["rows"] = described["sources"]
        with report.stage("rank") as stage:
            pins = pins_of(self.workspace, self.store)
            chosen = [Pick(source, target, 1) for source, targets in pins.items() for target in targets]
            chooser = Chooser(site, self.model, chosen, now=self.now, ahead=True)
            rows = np.arange(len(corpus), dtype=np.int32)
            blocks = list(chooser.blocks(rows, self.k, spares=settings.build.spares, progress=self.progress))
            stage["rows"] = len(blocks)
        return self._write(blocks, None, None, {}, {}, None)

    def _write(
        self, found: Any, name: str | None, like: int | None, hashes: Mapping[str, str], pins: Mapping[str, Any],
        until: str | None,
    ) -> Snapshot:  # fmt: skip
        settings = self.workspace.settings
        with self.report.stage("write") as stage:
            written = self.store.write_snapshot(
                found, model=self.model, k=self.k, settings=describe(settings), keep=settings.build.keep_snapshots,
                fitted=name, like=like,
            )  # fmt: skip
            stage["rows"] = written.articles
            if name:
                note_synced(self.workspace, written, hashes, pins, until)
        return written


def check_k(k: int) -> None:
    """Raises UsageError where k is not from 1 to 100."""
    if not 1 <= k <= 100:
        raise UsageError(f"-k must be from 1 to 100, got {k}")


def peak_rss_mb() -> float:
    """The most memory that this process has held, in megabytes; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


__all__ = ["Chooser", "Report", "Snapshot", "build", "check_k", "may_show", "peak_rss_mb"]
