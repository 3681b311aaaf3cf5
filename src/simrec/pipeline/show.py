"""Blocks out of the store: one for `similar`, all of them for `render`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import numpy as np

from simrec.block.compose import compose
from simrec.block.render import HtmlRenderer, JsonRenderer
from simrec.errors import NotFoundError, StoreError, UsageError
from simrec.files import write_whole
from simrec.pipeline import why
from simrec.pipeline.build import Chooser, check_k
from simrec.pipeline.models import use_learned
from simrec.pipeline.site import Site
from simrec.pipeline.workspace import Workspace
from simrec.policy.eligibility import reason_hidden
from simrec.settings import BlockSettings, Settings
from simrec.store import StoredBlock
from simrec.text import content_hash
from simrec.types import Article, Block, Corpus, Pick, Progress, no_progress

FORMATS = ("html", "json")
MANIFEST = "index.json"
LONGEST_NAME = 200
"""Bytes of a file's name before its ending; a longer id is hashed."""


class Renderer(Protocol):
    """Turns a block into a file's text."""

    extension: str

    def render(self, block: Block) -> str:
        """The text."""


@dataclass(frozen=True)
class Shown:
    """A block with where it came from: `similar --json`."""

    block: Block
    model: str
    snapshot: int


def similar(
    workspace: Workspace,
    article_id: str,
    *,
    k: int | None = None,
    explain: bool = False,
    progress: Progress = no_progress,
) -> Shown:
    """The block of one article: from the active snapshot, or ranked now where the snapshot holds too few.

    Args:
        workspace: the site.
        article_id: of the page.
        k: items; None: as many as were built.
        explain: say in each item's reasons, as "because", what moved it up, for models that learned.
        progress: shows long work.

    Raises:
        NotFoundError: there is no such article.
        StoreError: there is no snapshot yet, or the store cannot be read.
    """
    settings = workspace.settings
    with workspace.store() as store:
        snapshot = store.snapshot()
        corpus = Corpus(store.articles())
        if article_id not in corpus.row_of:
            raise NotFoundError(f"there is no article {article_id!r}{_like(article_id, corpus.ids)}")
        k = snapshot.k if k is None else k
        check_k(k)
        stored = next(iter(store.blocks(snapshot.id, [article_id])), None)
        picks = store.picks()
    viewer = _Viewer(corpus, settings, k)
    block = viewer.view(stored) if stored else None
    site: Site | None = None
    if block is None or stored is None or (len(block.items) < k and not (k == snapshot.k and stored.shortfall)):
        site = open_site(workspace, corpus, snapshot.model, picks, progress)
        rows = np.array([corpus.row_of[article_id]], dtype=np.int32)
        pins = picks if settings.policy.pin_picks else ()
        block = viewer.view(next(Chooser(site, snapshot.model, pins).blocks(rows, k)))
    if explain and block.items and snapshot.model in why.MODELS:
        site = site or open_site(workspace, corpus, snapshot.model, picks, progress)
        block = _explained(site, snapshot.model, block)
    return Shown(block, snapshot.model, snapshot.id)


def _explained(site: Site, model: str, block: Block) -> Block:
    row_of = site.corpus.row_of
    reasons = why.because(site, model, row_of[block.source_id], [row_of[item.id] for item in block.items])
    if reasons is None:
        return block
    items = (
        replace(item, reasons={**item.reasons, "because": because})
        for item, because in zip(block.items, reasons, strict=True)
    )
    return replace(block, items=tuple(items))


def open_site(
    workspace: Workspace, corpus: Corpus, model: str, picks: Sequence[Pick], progress: Progress = no_progress
) -> Site:
    """The workspace's site, ready to rank with the model of a snapshot."""
    site = Site(corpus, workspace.settings, workspace.vectors, progress)
    if model == "learned":
        use_learned(site, picks, workspace.learned, progress=progress)
    return site


def render(
    workspace: Workspace, out: Path, *, format: str = "html", progress: Progress = no_progress
) -> dict[str, int | str]:
    """Writes a file for every block of the active snapshot, and `index.json` that names them by article.

    A file is written only where its bytes change; files that an earlier render wrote and that no block needs any more
    are deleted. The file of an empty block is empty, so that a page can include it all the same.

    Returns:
        "snapshot", and how many files were "written", "unchanged" and "deleted", and how many blocks are "empty".

    Raises:
        UsageError: there is no such format.
        SettingsError: the template cannot be used.
        StoreError: there is no snapshot, or a file cannot be written.
    """
    renderer = make_renderer(format, workspace)
    with workspace.store() as store:
        snapshot = store.snapshot()
        articles = store.articles()
        viewer = _Viewer(Corpus(articles), workspace.settings, snapshot.k)
        counts: dict[str, int | str] = {"snapshot": snapshot.id}
        folder = _Folder(out)
        with progress("render", len(articles)) as bar:
            for stored in store.blocks(snapshot.id):
                block = viewer.view(stored)
                folder.write(block.source_id, renderer.extension, renderer.render(block))
                folder.empty += not block.items
                bar.update(1)
    folder.finish(snapshot.id)
    return counts | {
        "written": folder.written,
        "unchanged": folder.unchanged,
        "deleted": folder.deleted,
        "empty": folder.empty,
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


class _Viewer:
    """Stored blocks as readers may see them now: what was hidden since the build is left out, spares move up."""

    def __init__(self, corpus: Corpus, settings: Settings, k: int) -> None:
        self._corpus = corpus
        self._articles: Mapping[str, Article] = {article.id: article for article in corpus.articles}
        self._settings = settings.block
        self._k = k
        self._now = datetime.now(UTC)

    def view(self, stored: StoredBlock) -> Block:
        """The block."""
        source = self._articles[stored.source_id]
        chosen = []
        for item in stored.items:
            article = self._articles.get(item.id)
            if article and reason_hidden(article, self._now) is None:
                chosen.append((article, item.score, item.reasons))
        shortfall = stored.shortfall
        if len(chosen) < self._k and not shortfall:
            shortfall = f"{len(chosen)} of {self._k}: the others were withdrawn since the build; run `simrec build`"
        lang = source.lang or self._corpus.main_lang
        words = self._settings.excerpt_words
        return compose(source, lang, chosen[: self._k], excerpt_words=words, shortfall=shortfall)


class _Folder:
    """The folder that a render fills, and keeps free of what earlier ones left."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = self.unchanged = self.deleted = self.empty = 0
        self._names: dict[str, str] = {}
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._before = set(json.loads((path / MANIFEST).read_text(encoding="utf-8"))["files"].values())
        except FileNotFoundError:
            self._before = set()
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise StoreError(f"{path} cannot be used as the output folder: {error}") from error

    def write(self, article_id: str, extension: str, text: str) -> None:
        """Writes an article's file, unless it is there already."""
        name = f"{file_name(article_id)}.{extension}"
        self._names[article_id] = name
        self._write(name, text)

    def finish(self, snapshot: int) -> None:
        """Deletes the files of articles that are gone, and writes the manifest."""
        for name in sorted(self._before - set(self._names.values())):
            if "/" not in name and name != MANIFEST:
                (self.path / name).unlink(missing_ok=True)
                self.deleted += 1
        manifest = {"snapshot": snapshot, "files": dict(sorted(self._names.items()))}
        written, unchanged = self.written, self.unchanged
        self._write(MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1) + "\n")
        self.written, self.unchanged = written, unchanged

    def _write(self, name: str, text: str) -> None:
        path, data = self.path / name, text.encode("utf-8", "replace")
        if path.is_file() and path.read_bytes() == data:
            self.unchanged += 1
        else:
            write_whole(path, data, "free some space or choose another folder with --out")
            self.written += 1


def file_name(article_id: str) -> str:
    """A file's name for an article's id: readable, and safe whatever the id holds.

    >>> file_name("news/2024/bridge"), file_name("..")
    ('news%2F2024%2Fbridge', '%2E%2E')
    """
    name = quote(article_id, safe="")
    if name.startswith("."):
        name = name.replace(".", "%2E")
    return name if len(name) <= LONGEST_NAME else f"{name[:100]}-{content_hash(article_id)[:16]}"


def _like(wanted: str, ids: Sequence[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(wanted, ids, n=3, cutoff=0.5)
    return (
        f"; did you mean {', '.join(map(repr, close))}?" if close else ": see the ids in articles, or ingest it first"
    )
