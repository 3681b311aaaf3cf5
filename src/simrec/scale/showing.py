"""Blocks of a dataset written for whoever shows them, with the articles of a dataset or of a workspace's store.

Articles of a dataset are sorted into a folder of the system's for temporary files, and looked at there: what is held in
memory of each are a few numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from simrec.pipeline.locks import writing_out
from simrec.pipeline.render import Made, render_blocks
from simrec.pipeline.site import describe
from simrec.pipeline.viewer import Viewer
from simrec.pipeline.workspace import Workspace
from simrec.pipeline.write_back import COMMAND, WriteBackReport, write_blocks
from simrec.scale import meta
from simrec.scale.dataset import dataset
from simrec.scale.ground import Ground
from simrec.scale.mapped import MappedCorpus
from simrec.scale.output import BLOCKS, read_blocks
from simrec.scale.published import Published
from simrec.scale.tasks import Serial
from simrec.types import Progress, no_progress


def render(
    workspace: Workspace, blocks: str, out: Path, *, articles: str | None = None, format: str = "html",
    stylesheet: bool = False, now: datetime | None = None, progress: Progress = no_progress,
) -> dict[str, int | str]:  # fmt: skip
    """Writes the blocks of a dataset as `simrec.pipeline.render.render` writes those of a snapshot; its number is 0.

    Args:
        workspace: says how they look; its folder needs no store where `articles` is given.
        blocks: the folder or URL of a dataset of blocks.
        articles: the dataset that they were made of; None for the articles of the workspace's store, with what editors
            did to its pages.
        out, format, stylesheet, now, progress: see there.

    Raises:
        InputError: a dataset cannot be read, or is not whole.
    """
    with writing_out(workspace, "render"), _opened(workspace, blocks, articles, now) as (made, viewer):
        return render_blocks(
            workspace, made, viewer, out, format=format, stylesheet=stylesheet, progress=progress
        )  # fmt: skip


def write_back(
    workspace: Workspace, blocks: str, *, articles: str | None = None, url: str | None = None,
    now: datetime | None = None, progress: Progress = no_progress,
) -> WriteBackReport:  # fmt: skip
    """Writes the blocks of a dataset to the table of `[write_back]`; see `render` and `simrec.pipeline.write_back`."""
    with writing_out(workspace, COMMAND), _opened(workspace, blocks, articles, now) as (made, viewer):
        return write_blocks(workspace, made, viewer, url=url, progress=progress)


@contextmanager
def _opened(
    workspace: Workspace, blocks: str, articles: str | None, now: datetime | None
) -> Iterator[tuple[Made, Viewer]]:
    found = Published(blocks, BLOCKS)
    about: dict[str, Any] = found.about
    made = Made(read_blocks(found), 0, about["model"])
    if articles is None:
        with workspace.store() as store:
            yield made, Viewer.open(store, workspace.settings, about["k"], now)
        return
    with TemporaryDirectory(prefix="simrec-", ignore_cleanup_errors=True) as folder:
        ground = Ground(folder)
        ground.say(settings=describe(workspace.settings))
        dataset(ground, Serial(ground.folder), articles)
        meta.write(ground, Serial(ground.folder), bodies=True)
        yield made, Viewer(MappedCorpus.open(ground), workspace.settings, about["k"], now=now)


__all__ = ["render", "write_back"]
