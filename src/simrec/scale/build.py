"""A build on a cluster: its stages in their order, in a folder that a build that broke off is gone on with in."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from simrec.errors import ConflictError, UsageError
from simrec.files import write_whole
from simrec.pipeline.build import Report, check_k, peak_rss_mb
from simrec.pipeline.locks import working
from simrec.pipeline.placed import placed_of
from simrec.pipeline.site import MODELS, describe
from simrec.pipeline.workspace import Workspace
from simrec.scale import dataset
from simrec.scale.adopt import adopt_blocks
from simrec.scale.cluster import Cluster, connect
from simrec.scale.columns import make_columns
from simrec.scale.composing import blocks_of, compose
from simrec.scale.embed import embed
from simrec.scale.ground import PARTS, Ground
from simrec.scale.neighbors import find_neighbors
from simrec.scale.output import write_output
from simrec.scale.ranking import rank
from simrec.scale.runner import RayRunner
from simrec.scale.tasks import DONE, Runner
from simrec.text import content_hash
from simrec.types import Progress, no_progress

logger = logging.getLogger(__name__)

FOLDER = "scale"
"""Of the builds, in a workspace."""
LOCK = ".lock"
"""The file that is locked by the driver of a build."""


def build(
    workspace: Workspace, *, model: str | None = None, k: int | None = None, address: str | None = None,
    cores: int | None = None, articles: str | None = None, out: str | None = None,
    progress: Progress = no_progress, now: datetime | None = None,
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
        progress: shows how far each stage is.
        now: the moment that decides who may be shown; None for this one.

    Raises:
        UsageError: there are no articles, no such model, or k is out of range.
        ClusterError: Ray is not installed, there is no such cluster, or a task failed for good.
        ConflictError: the same build is under way.
    """
    settings = workspace.settings
    model, k = model or settings.build.model, settings.block.k if k is None else k
    check(model, k, articles, out)
    asked = {"model": model, "k": k, "settings": describe(settings), "articles": articles}
    with opened(workspace, asked, now) as ground, connect(address, cores=cores) as cluster:
        runner = RayRunner(ground.folder, cluster, progress)
        report = Report()
        if articles is None:
            with working(workspace, "build"):
                _read_store(workspace, ground, runner)
                report.recalls = make(ground, runner)
                _adopt(workspace, ground, report)
        else:
            dataset.dataset(ground, runner, articles)
            report.recalls = make(ground, runner)
        if out is not None:
            write_output(ground, runner, out)
        _tell(report, ground, runner, cluster)
        _clear(ground)
    return report


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
    recalls = find_neighbors(ground, runner)
    rank(ground, runner)
    compose(ground, runner)
    return recalls


@contextmanager
def opened(workspace: Workspace, asked: dict[str, Any], now: datetime | None) -> Iterator[Ground]:
    """The folder of a build: that of one that was asked for the same and broke off, or a new one.

    Raises:
        ConflictError: another process is at it.
    """
    key = content_hash(json.dumps(asked, sort_keys=True), _state_of(workspace, asked["articles"]))[:16]
    folder = (workspace.path / FOLDER / key).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        with lock.acquire(timeout=0):
            ground = Ground(folder)
            if not (folder / "about.json").exists():
                ground.say(**asked, now=(now or datetime.now(UTC)).isoformat())
            else:
                logger.info("going on with the build in %s", folder)
            yield ground
    except Timeout:
        raise ConflictError(f"the same build is under way in {folder}: wait for it, or stop it") from None
