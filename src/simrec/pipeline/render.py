"""All blocks of the active snapshot, written for whoever shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from simrec.block.formats import NAMES, PAGE_FORMATS, SITE_FORMATS, PageFormat, SiteFormat
from simrec.block.html import STYLESHEET
from simrec.block.style import Style
from simrec.errors import UsageError
from simrec.files import write_streamed
from simrec.pipeline.folder import ADVICE, Folder
from simrec.pipeline.locks import writing_out
from simrec.pipeline.viewer import Viewer
from simrec.pipeline.workspace import Workspace
from simrec.store import StoredBlock
from simrec.types import Bar, Block, Progress, no_progress


def render(
    workspace: Workspace,
    out: Path,
    *,
    format: str = "html",
    stylesheet: bool = False,
    now: datetime | None = None,
    progress: Progress = no_progress,
) -> dict[str, int | str]:
    """Writes the blocks of the active snapshot: a file an article and `index.json` that names them, or one file of all.

    A file is written only where its bytes change. Where each article has a file, those that an earlier render wrote and
    that no block needs any more are deleted; a format with one file of all leaves the rest of the folder alone. The
    HTML of an empty block is empty, so that a page can include it all the same. A page that may not be shown itself has
    none.

    Args:
        workspace: the site.
        out: the folder.
        format: a name in `simrec.block.formats.NAMES`.
        stylesheet: write `block.css` beside the HTML.
        now: the moment that decides who may be shown; None for this one.
        progress: shows long work.

    Returns:
        "snapshot" and "format", how many files were "written", "unchanged" and "deleted", how many blocks are "empty",
        and how many pages are "hidden".

    Raises:
        UsageError: there is no such format, or it is none that a stylesheet is for.
        SettingsError: a template cannot be used.
        StoreError: there is no snapshot, or a file cannot be written; each file is as before, or whole.
        LockedError: another process writes blocks out.
    """
    with writing_out(workspace, "render"), workspace.store() as store:
        snapshot, blocks = store.active_blocks()
        with closing(blocks):
            viewer = Viewer.open(store, workspace.settings, snapshot.k, now)
            made = Made(blocks, snapshot.id, snapshot.model)
            return render_blocks(
                workspace, made, viewer, out, format=format, stylesheet=stylesheet, progress=progress
            )  # fmt: skip


class Made(NamedTuple):
    """Blocks that are to be shown.

    Attributes:
        blocks: all of them, by source id, read as they are asked for.
        snapshot: the number of theirs; 0 where they are none's.
        model: what ranked them.
    """

    blocks: Iterable[StoredBlock]
    snapshot: int
    model: str


def render_blocks(
    workspace: Workspace, made: Made, viewer: Viewer, out: Path, *, format: str = "html", stylesheet: bool = False,
    progress: Progress = no_progress,
) -> dict[str, int | str]:  # fmt: skip
    """Writes blocks from wherever they are, as `render` writes those of the active snapshot; see there.

    Args:
        workspace: says how they look; its lock of `writing_out` is held.
        made: the blocks.
        viewer: makes of each what readers may see.
        out, format, stylesheet, progress: see `render`.
    """
    if format not in NAMES:
        raise UsageError(f"there is no format {format!r}: choose from {', '.join(NAMES)}")
    if stylesheet and format != "html":
        raise UsageError("the stylesheet goes with the format html")
    corpus = viewer.corpus
    style = Style.of(workspace.settings, workspace.path, lang=corpus.main_lang, model=made.model)
    write = _writer(format, style, out, stylesheet)
    with progress("render", len(corpus)) as bar:
        shown = _Shown(made, viewer, bar)
        files = write(shown)
    return {"snapshot": made.snapshot, "format": format, **files, "empty": shown.empty, "hidden": shown.hidden}


@dataclass
class _Shown:
    """Blocks as readers may see them, one by one; counts what is not there to see."""

    made: Made
    viewer: Viewer
    bar: Bar
    empty: int = 0
    hidden: int = 0

    def __iter__(self) -> Iterator[Block]:
        for stored in self.made.blocks:
            self.bar.update(1)
            if self.viewer.reason_hidden(stored.source_id):
                self.hidden += 1
                continue
            block = self.viewer.view(stored)
            self.empty += not block.items
            yield block


def _writer(format: str, style: Style, out: Path, stylesheet: bool) -> Callable[[_Shown], dict[str, int]]:
    if format in PAGE_FORMATS:
        page_format = PAGE_FORMATS[format](style)
        return lambda shown: _write_pages(page_format, Folder(out, format, page_format.extension), shown, stylesheet)
    site_format = SITE_FORMATS[format](style)
    return lambda shown: _write_site(site_format, out, shown)


def _write_pages(renderer: PageFormat, folder: Folder, shown: _Shown, stylesheet: bool) -> dict[str, int]:
    for block in shown:
        folder.write(block.source_id, renderer.extension, renderer.render(block))
    if stylesheet:
        folder.add(STYLESHEET.name, STYLESHEET.read_bytes())
    folder.finish(shown.made.snapshot)
    return {"written": folder.written, "unchanged": folder.unchanged, "deleted": folder.deleted}


def _write_site(renderer: SiteFormat, out: Path, shown: _Shown) -> dict[str, int]:
    changed = write_streamed(out / renderer.file_name, lambda file: renderer.write(file, shown), ADVICE)
    return {"written": int(changed), "unchanged": int(not changed), "deleted": 0}
