"""All blocks of the active snapshot, written for whoever shows them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Protocol

from simrec.block.render import HtmlRenderer, JsonRenderer
from simrec.errors import UsageError
from simrec.pipeline.folder import Folder
from simrec.pipeline.viewer import Viewer
from simrec.pipeline.workspace import Workspace
from simrec.settings import BlockSettings
from simrec.types import Block, Corpus, Progress, no_progress

FORMATS = ("html", "json")


class Renderer(Protocol):
    """Turns a block into a file's text."""

    extension: str

    def render(self, block: Block) -> str:
        """The text."""


def render(
    workspace: Workspace,
    out: Path,
    *,
    format: str = "html",
    now: datetime | None = None,
    progress: Progress = no_progress,
) -> dict[str, int | str]:
    """Writes a file for every block of the active snapshot, and `index.json` that names them by article.

    A file is written only where its bytes change; files that an earlier render wrote and that no block needs any more
    are deleted. The file of an empty block is empty, so that a page can include it all the same. A page that may not
    be shown itself has no file.

    Args:
        workspace: the site.
        out: the folder.
        format: a name in `FORMATS`.
        now: the moment that decides who may be shown; None for this one.
        progress: shows long work.

    Returns:
        "snapshot" and "format", how many files were "written", "unchanged" and "deleted", how many blocks are "empty",
        and how many pages are "hidden".

    Raises:
        UsageError: there is no such format.
        SettingsError: the template cannot be used.
        StoreError: there is no snapshot, or a file cannot be written.
    """
    renderer = make_renderer(format, workspace)
    empty = hidden = 0
    with workspace.store() as store:
        snapshot = store.snapshot()
        articles = store.articles()
        viewer = Viewer(Corpus(articles), workspace.settings, snapshot.k, now=now)
        folder = Folder(out)
        with progress("render", len(articles)) as bar:
            for stored in store.blocks(snapshot.id):
                bar.update(1)
                if viewer.reason_hidden(stored.source_id):
                    hidden += 1
                    continue
                block = viewer.view(stored)
                folder.write(block.source_id, renderer.extension, renderer.render(block))
                empty += not block.items
    folder.finish(snapshot.id)
    return {
        "snapshot": snapshot.id,
        "format": format,
        "written": folder.written,
        "unchanged": folder.unchanged,
        "deleted": folder.deleted,
        "empty": empty,
        "hidden": hidden,
    }


def make_renderer(format: str, workspace: Workspace) -> Renderer:
    """The renderer of a format, as the workspace's settings want it.

    Raises:
        UsageError: there is no such format.
        SettingsError: the template cannot be used.
    """
    settings: BlockSettings = workspace.settings.block
    if format == "json":
        return JsonRenderer(settings.heading)
    if format == "html":
        template = workspace.path / settings.template if settings.template else None
        return HtmlRenderer(template, headings=settings.heading, level=settings.heading_level, images=settings.images)
    raise UsageError(f"there is no format {format!r}: choose from {', '.join(FORMATS)}")
