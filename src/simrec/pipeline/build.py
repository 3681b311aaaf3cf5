"""Articles in the store become blocks in a snapshot: all of them, or those that are others now."""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from simrec.errors import ConflictError, StoreError, UsageError
from simrec.garbage import uncollected
from simrec.pipeline import gate
from simrec.pipeline.chooser import Chooser, article_rules, may_show
from simrec.pipeline.kept import aside_folder, find_fitted, restore_fitted
from simrec.pipeline.live.site import LiveSite, made_with
from simrec.pipeline.live.start import all_blocks, fit, start
from simrec.pipeline.locks import reading_fitted, working
from simrec.pipeline.models import use_learned
from simrec.pipeline.placed import Placed, placed_of
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.quality import record
from simrec.pipeline.site import Site, describe
from simrec.pipeline.snapshots import note_fitting
from simrec.pipeline.synced import active_snapshot, catch_up, is_synced, note_synced, read_synced
from simrec.pipeline.workspace import Workspace
from simrec.store import Inputs, Judge, Snapshot, Store, StoredBlock
from simrec.types import Corpus, Progress, Reject, no_progress

logger = logging.getLogger(__name__)


@dataclass
class Report:
    """What a build did: `build --json`.

    Attributes:
        recalls: see `simrec.pipeline.nearby.Nearby`.
        refused: why the gate did not let the snapshot be activated.
        rejected: records of a dataset that were turned away; None where it was made of the store's articles.
        rejects: the first of them: file, line and reason.
    """

    snapshot: int = 0
    articles: int = 0
    blocks: int = 0
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    peak_rss_mb: float = 0.0
    recalls: dict[str, float] = field(default_factory=dict)
    decision: str = ""
    refused: str = ""
    rejected: int | None = None
    rejects: list[Reject] = field(default_factory=list)

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
    """Brings all blocks up to date, as a new snapshot, and activates it where it holds what `[gate]` asks for.

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
    check_fill(k, settings.block.min_items)
    report = Report()
    with working(workspace, "build"), workspace.store() as store, uncollected():
        if not store.article_count():
            raise UsageError("there are no articles yet: run `simrec ingest SOURCE` first")
        work = _Work(workspace, store, model, k, now, report, progress)
        followed = None if full or model == "learned" else work.follow()
        written = followed or (work.learned() if model == "learned" else work.whole())
        if written.fitted and not written.refused and work.is_behind():
            take_over(workspace)
        if not written.refused:
            _measure(store, written, now)
    report.snapshot, report.articles, report.blocks = written.id, written.articles, written.blocks
    report.refused = written.refused or ""
    report.peak_rss_mb = peak_rss_mb()
    return report


def _measure(store: Store, written: Snapshot, now: datetime) -> None:
    """Adds to the site's quality over time; the blocks are shown already, whether or not that can be kept."""
    try:
        record(store, written, now)
    except StoreError as error:
        logger.warning("the quality of the blocks is not noted: %s", error)


def take_over(workspace: Workspace) -> None:
    """Takes what was published during a build, into the blocks of before it, over into those that it made."""
    try:
        Pipeline(workspace).close()
    except ConflictError as error:  # who published does it
        logger.info("%s", error)


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
    hashes: dict[str, str] = field(default_factory=dict)
    placed: Placed = field(default_factory=lambda: Placed({}, {}))

    def is_behind(self) -> bool:
        """Whether articles, pins or bans are others by now than those that the blocks were made of."""
        placed = placed_of(self.workspace, self.store)
        return bool(self.store.article_hashes() != self.hashes or placed.differing(self.placed))

    def follow(self) -> Snapshot | None:
        """Makes again what changes concern; None where the site has to be fitted anew."""
        active = active_snapshot(self.store)
        if active is None or (active.model, active.k) != (self.model, self.k):
            return None
        about = find_fitted(self.workspace, active)
        if about is None:
            return None
        with self.report.stage("read") as stage:
            self.hashes, self.placed = self.store.article_hashes(), placed_of(self.workspace, self.store)
            stage["rows"] = len(self.hashes)
        if is_synced(self.workspace, active, self.hashes, self.placed, self.now):
            return self._write((), active, about["made_with"], read_synced(self.workspace)["until"])
        found: list[StoredBlock] = []
        with self.report.stage("update") as stage:
            site = catch_up(self.workspace, self.store, active, self.hashes, self.placed, self.now, found)
            if site is None:
                return None
            drift = site.drift()
            stage["rows"] = len(found)
        if drift.due:
            self.report.decision = f"fitted anew: {drift.why}"
            return None
        until = site.engine.next_change(self.now)
        counts = gate.count(site.engine.articles.values(), site.engine.rules, self.now, self.placed.pins)
        written = self._write(found, active, about["made_with"], until, counts=counts)
        if not written.refused:
            self._save(site, written)
        return written

    def _save(self, site: LiveSite, written: Snapshot) -> None:
        """Saves what was brought up to date; never before its blocks are stored: it would pass for up to date."""
        with self.report.stage("save") as stage, reading_fitted(self.workspace):
            many = 2 * len(self.store.changed_blocks(written.id)) > written.articles
            if site.save(self.workspace, self.now, always=many):
                self.store.settle_blocks(written)
            stage["rows"] = written.articles

    def whole(self) -> Snapshot:
        """Fits the site, and makes all blocks."""
        report, progress, since = self.report, self.progress, time.time()
        with report.stage("read") as stage:
            held = self.store.held()
            corpus, self.hashes, self.placed = Corpus(held.articles), held.hashes, placed_of(self.workspace, self.store)
            stage["rows"] = len(corpus)
        site = Site(corpus, self.workspace.settings, self.workspace.vectors, progress)
        with report.stage("words") as stage:
            _ = site.tfidf, site.sequences
            stage["rows"] = len(corpus)
        with report.stage("embed") as stage:
            _ = site.static if self.model == "static" else site.sentence if self.model != "tfidf" else None
            gc.collect()  # models go in circles
            stage["rows"] = len(corpus)
        with report.stage("neighbors") as stage:
            site.find_neighbors(self.model)
            report.recalls = site.nearby.recalls
            stage["rows"] = len(corpus)
        with report.stage("standardize") as stage:
            fitted = fit(site, self.model, self.now)
            stage["rows"] = len(corpus)
        with report.stage("rank") as stage:
            engine, choices = start(site, fitted, self.k, self.now, self.placed, progress)
            stage["rows"] = len(corpus)
        del site
        engine.comparer.held.forget()
        gc.collect()
        live = LiveSite.fresh(engine, self.hashes, report.recalls)
        with report.stage("compose") as stage:  # not while the store waits
            found = list(all_blocks(engine, choices, progress))
            stage["rows"] = len(found)
        with report.stage("save") as stage, reading_fitted(self.workspace):
            live.save(self.workspace, self.now, always=True, folder=aside_folder(self.workspace))
        counts = gate.count(engine.articles.values(), engine.rules, self.now, self.placed.pins)
        made, until = made_with(self.workspace, self.model), engine.next_change(self.now)
        written = self._write(found, None, made, until, name=live.name, counts=counts)
        if not written.refused:
            restore_fitted(self.workspace, written)
            note_fitting(self.workspace, since)
        return written

    def learned(self) -> Snapshot:
        """Trains the site's own ranker where picks are new, and makes all blocks."""
        report, settings = self.report, self.workspace.settings
        with report.stage("read") as stage:
            held, picks, rejected = self.store.held(), self.store.picks(), self.store.rejected()
            corpus, self.hashes, self.placed = Corpus(held.articles), held.hashes, placed_of(self.workspace, self.store)
            stage["rows"] = len(corpus)
        site = Site(corpus, settings, self.workspace.vectors, self.progress)
        with report.stage("embed") as stage:
            _ = site.tfidf, site.sentence
            stage["rows"] = len(corpus)
        with report.stage("standardize") as stage:
            site.fusion(self.model)
            stage["rows"] = len(corpus)
        with report.stage("learn") as stage:
            described = use_learned(
                site, picks, self.workspace.learned, rejected=rejected, fresh=True, progress=self.progress
            )
            report.decision = described["decision"]["why"]
            stage["rows"] = described["sources"]
        with report.stage("rank") as stage:
            chooser = Chooser(site, self.model, placed=self.placed, now=self.now, ahead=True)
            rows = np.arange(len(corpus), dtype=np.int32)
            blocks = list(chooser.blocks(rows, self.k, spares=settings.build.spares, progress=self.progress))
            stage["rows"] = len(blocks)
        made = made_with(self.workspace, self.model) | {"picks": described["picks_hash"]}
        counts = gate.count(corpus.articles, chooser.articles, self.now, self.placed.pins)
        return self._write(blocks, None, made, None, counts=counts)

    def _write(
        self, found: Sequence[StoredBlock], like: Snapshot | None, made: Mapping[str, Any], until: str | None, *,
        name: str | None = None, counts: gate.Counts | None = None,
    ) -> Snapshot:  # fmt: skip
        """Stores a snapshot, and activates it where it may be.

        Args:
            found: its blocks.
            like: the active snapshot, whose blocks it takes over where `found` has none.
            made: names the models that made it.
            until: when time will change it next.
            name: of what was fitted for it.
            counts: of the articles; None where nothing has changed.
        """
        settings, name = self.workspace.settings, like.fitted if like else name
        noted = {key: value for key, value in made.items() if key != "settings"}
        with self.report.stage("write") as stage:
            written = self.store.write_snapshot(
                found, model=self.model, k=self.k, settings=describe(settings), keep=settings.build.keep_snapshots,
                fitted=name, like=like.id if like else None,
                inputs=Inputs(self.hashes, self.placed.pins, noted, self.placed.bans),
                judge=self._judge(like, counts), now=self.now,
            )  # fmt: skip
            stage["rows"] = written.articles
            if name and not written.refused:
                note_synced(self.workspace, written, self.hashes, self.placed, until)
        return written

    def _judge(self, like: Snapshot | None, counts: gate.Counts | None) -> Judge:
        settings = self.workspace.settings
        if like and counts is None and like.figures:
            known, limits = like.figures, settings.gate
            if limits.min_ndcg is None:
                return lambda new, before: gate.verdict(gate.unchanged(known), limits)
        before, counts = like or active_snapshot(self.store), counts or self._count()
        seen = len(self.store.block_ids(like.id) - counts.hidden) if like else 0
        k, least, filled = before.k if before else self.k, settings.block.min_items, bool(settings.policy.fallback)
        return gate.make_judge(
            settings.gate, gate.Site(self.k, k, seen, self.store.picks(), counts, least, filled)
        )  # fmt: skip

    def _count(self) -> gate.Counts:
        """The articles of the store, as the gate counts them."""
        articles = self.store.articles()
        rules = article_rules(self.workspace.settings.policy, Corpus(articles).published)
        return gate.count(articles, rules, self.now, self.placed.pins)


def check_k(k: int) -> None:
    """Raises UsageError where k is not from 1 to 100."""
    if not 1 <= k <= 100:
        raise UsageError(f"-k must be from 1 to 100, got {k}")


def check_fill(k: int, min_items: int) -> None:
    """Raises UsageError where blocks of k items are shorter than a block may be."""
    if k < min_items:
        raise UsageError(f"-k is {k}, fewer than block.min_items, {min_items}: no block would be shown")


def peak_rss_mb() -> float:
    """The most memory that this process has held, in megabytes; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


__all__ = ["Chooser", "Report", "Snapshot", "build", "check_fill", "check_k", "may_show", "peak_rss_mb", "take_over"]
