"""A build on a cluster: its stages in their order, in a folder that a build that broke off is gone on with in."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from filelock import FileLock, Timeout

from simrec.errors import ConflictError, UsageError
from simrec.filesystems import absolute
from simrec.pipeline.build import Report, check_fill, check_k, peak_rss_mb, take_over
from simrec.pipeline.kept import restore_fitted
from simrec.pipeline.live.engine import Engine
from simrec.pipeline.locks import working
from simrec.pipeline.placed import hand_placed, placed_of
from simrec.pipeline.site import MODELS, describe
from simrec.pipeline.workspace import Workspace
from simrec.scale import dataset
from simrec.scale.adopt import adopt_blocks
from simrec.scale.cluster import connect
from simrec.scale.columns import make_columns
from simrec.scale.composing import candidates_of, compose, read_blocks
from simrec.scale.embed import embed
from simrec.scale.fitted import note_fitted
from simrec.scale.ground import Ground
from simrec.scale.installing import install, new_name
from simrec.scale.neighbors import find_neighbors
from simrec.scale.output import check_out, prove_out, write_output, write_summary
from simrec.scale.ranking import rank
from simrec.scale.runner import RayRunner
from simrec.scale.site import put_placed
from simrec.scale.standards import measure
from simrec.scale.tasks import Runner
from simrec.text import content_hash
from simrec.types import Progress, no_progress

logger = logging.getLogger(__name__)

MEANING = ("sentence", "title_sentence", "body_sentence", "passages")
"""Columns that an embedder makes."""
FOLDER = "scale"
"""Of the builds, in a workspace."""
REJECTS = 100
"""What was turned away that a report tells; all of it is beside the output."""


def build(
    workspace: Workspace, *, model: str | None = None, k: int | None = None, address: str | None = None,
    cores: int | None = None, articles: str | None = None, out: str | None = None, full: bool = False,
    rows_per_part: int = dataset.ROWS, progress: Progress = no_progress, now: datetime | None = None,
) -> Report:  # fmt: skip
    """Makes all blocks on a cluster: of the workspace's articles, as a new snapshot; or of a dataset, as datasets.

    A build that broke off is gone on with where the same is asked for again: what its tasks have done stays done, and
    the moment that decides who may be shown is the one that it began at.

    Args:
        workspace: its folder has to be on a disk that all nodes see at the same path.
        model: its name; None for the setting.
        k: items a block; None for the setting.
        address: of a cluster, or "auto"; None starts one of this machine alone.
        cores: that such a one has; None: all.
        articles: a Parquet file, a folder of them, or the URL of one; None: those of the store.
        out: a folder or URL, for the blocks and the candidates as datasets; with `articles` it has to be given.
        full: begin anew where a build broke off.
        rows_per_part: about how many articles a part has.
        progress: shows how far each stage is.
        now: the moment that decides who may be shown; None for this one.

    Raises:
        UsageError: there are no articles, no such model, or k is out of range; or other files are where `out` is.
        StoreError: the driver or a node cannot write to `out`.
        ClusterError: Ray is not installed, there is no such cluster, or a task failed for good.
        ConflictError: the same build is under way.
    """
    settings = workspace.settings
    model, k = model or settings.build.model, settings.block.k if k is None else k
    check(model, k, articles, out)
    check_fill(k, settings.block.min_items)
    articles, out = (one and absolute(one) for one in (articles, out))  # workers are started elsewhere
    if out is not None:
        check_out(out)
    asked = {"model": model, "k": k, "settings": describe(settings), "articles": articles}
    with opened(workspace, asked, full, now) as ground, connect(address, cores=cores) as cluster:
        if out is not None:
            prove_out(cluster, out)
        runner = RayRunner(ground.folder, cluster, progress)
        report = Report()
        if articles is None:
            with working(workspace, "build"):
                _of_workspace(workspace, ground, runner, report, rows_per_part)
        else:
            report.rejected = dataset.dataset(ground, runner, articles, rows_per_part=rows_per_part).rejected
            report.rejects = list(islice(dataset.read_rejects(ground.folder), REJECTS))
            put_placed(ground, hand_placed(settings.policy, {}))
            report.recalls = make(ground, runner)
        if out is not None:
            write_output(ground, runner, out, read_blocks, candidates_of)
        write_summary(ground, runner.summary, out or str(workspace.path / "out"), articles is not None)
        _tell(report, ground, runner)
        shutil.rmtree(ground.folder)
    return report


def _of_workspace(workspace: Workspace, ground: Ground, runner: RayRunner, report: Report, rows_per_part: int) -> None:
    """Makes the blocks of the store's articles, and a snapshot of them."""
    with workspace.store() as store:
        dataset.from_store(ground, runner, store, rows_per_part=rows_per_part)
        placed = placed_of(workspace, store)
    put_placed(ground, placed)
    ground.say(vectors=str(workspace.vectors.resolve()))
    report.recalls = make(ground, runner)
    with runner.summary.watch("write") as watch:
        name = new_name()
        install(workspace, ground, runner, placed, name)
        blocks = (block for span in ground.spans for block in read_blocks(ground, span))
        written = adopt_blocks(workspace, ground, placed, blocks, fitted=name, until=next_change(ground))
        if not written.refused:
            restore_fitted(workspace, written)
            if state_of(workspace, None) != ground.about["state"]:
                take_over(workspace)
        watch.done({"rows": written.blocks})
    report.snapshot, report.refused = written.id, written.refused or ""


def next_change(ground: Ground) -> str | None:
    """The next moment at which an article may be shown, or may be no more; None where there is none."""
    return Engine.change_after(ground.array("page-until"), ground.now)


def _tell(report: Report, ground: Ground, runner: RayRunner) -> None:
    """What was done, as a build on one machine tells it."""
    report.articles = report.blocks = ground.n
    report.stages = {name: stage.told() for name, stage in runner.summary.stages.items()}
    report.peak_rss_mb = peak_rss_mb()
    logger.info("stages of the build:\n%s", runner.summary.table())


def check(model: str, k: int, articles: str | None, out: str | None) -> None:
    """Raises UsageError where what is asked for cannot be built on a cluster."""
    check_k(k)
    if model not in MODELS:
        raise UsageError(f"there is no model {model!r}: choose from {', '.join(MODELS)}")
    if model == "learned":
        raise UsageError("`learned` is built on one machine: leave --engine ray out, or build hybrid")
    if articles is not None and out is None:
        raise UsageError("--articles needs --out: the folder or URL that blocks and candidates are written to")


def make(ground: Ground, runner: Runner) -> dict[str, float]:
    """All stages between articles and blocks; returns the recall of approximate neighbors, by space."""
    make_columns(ground, runner)
    embed(ground, runner)
    embedded = [name for name in MEANING if ground.has(f"column-{name}.0")]
    note_fitted(ground, columns=dict.fromkeys(embedded), quantized=bool(ground.about.get("quantized")))
    recalls = find_neighbors(ground, runner)
    measure(ground, runner)
    rank(ground, runner)
    compose(ground, runner)
    return recalls


@contextmanager
def opened(workspace: Workspace, asked: Mapping[str, Any], full: bool, now: datetime | None) -> Iterator[Ground]:
    """The folder of a build: that of one that was asked for the same and broke off, or a new one.

    Raises:
        ConflictError: another process is at it.
    """
    folder = (workspace.path / FOLDER / content_hash(json.dumps(asked, sort_keys=True))[:16]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConflictError(f"the same build is under way in {folder}: wait for it, or stop it") from None
    try:
        state = state_of(workspace, asked["articles"])
        ground = Ground(folder)
        if full or (ground.is_begun and ground.about["state"] != state):
            shutil.rmtree(folder)
            ground = Ground(folder)
        if ground.is_begun:
            logger.warning("going on with the build that broke off in %s", folder)
        else:
            ground.say(**asked, state=state, now=(now or datetime.now(UTC)).isoformat())
        yield ground
    finally:
        lock.release()


def state_of(workspace: Workspace, articles: str | None) -> str:
    """Names what a build starts from: it is not gone on with where that is another by now."""
    if articles is not None:
        return dataset.fingerprint(articles)
    with workspace.store() as store:
        placed = placed_of(workspace, store)
        return content_hash(json.dumps([sorted(store.article_hashes().items()), placed.pins, placed.bans]))
