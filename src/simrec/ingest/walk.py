"""Walks sources: folders, archives and files become source files, in a fixed order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from simrec.ingest import archive
from simrec.ingest.project import DRAFTS, OutsideError, Project, is_markdown, is_no_article, project_of
from simrec.ingest.source import MEGABYTE, READ_ERRORS, SourceFile, plain_reason
from simrec.settings import IngestSettings
from simrec.types import Reject

ASSETS = frozenset(
    [
        "css",
        "js",
        "mjs",
        "map",
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "avif",
        "ico",
        "bmp",
        "tif",
        "tiff",
        "woff",
        "woff2",
        "ttf",
        "otf",
        "eot",
        "mp3",
        "mp4",
        "m4a",
        "m4v",
        "webm",
        "ogg",
        "ogv",
        "wav",
        "mov",
        "avi",
        "swf",
        "wasm",
        "less",
        "scss",
    ]
)
"""Files that a page needs, by extension; they hold no article."""

MARKS = ("_success", "_metadata", "_common_metadata")
"""What writers of datasets put beside the data: a mark that it is whole, and what its files have in common."""
UNFINISHED = "_temporary"
"""The folder of what writers of datasets are at."""
ASSET_NAMES = frozenset(("robots.txt", "humans.txt", "ads.txt", "security.txt", "thumbs.db", "desktop.ini", *MARKS))
PICKS_NAMES = frozenset(f"picks.{kind}{gz}" for kind in ("csv", "jsonl", "parquet") for gz in ("", ".gz"))
"""Picks beside the articles; the pipeline reads them with `read_picks`."""
WORKSPACE_STORE = "simrec.db"
"""A folder with this file is a workspace, not a part of a site."""

MEMBER_RECORDS = 256
"""An archive's member may be this many times the longest record."""


def walk(path: Path, settings: IngestSettings) -> Iterator[SourceFile | Reject]:
    """The files of a source.

    A folder is walked to its depths, in the order of names. Hidden files, assets (pictures, styles, scripts, fonts),
    picks and workspaces are passed over. Links are not followed: one that leads out of the folder is a reject. Of the
    folder of a static site generator, only its content is taken, and its Markdown counts from there.
    """
    try:
        project = project_of(path) if path.is_dir() or is_markdown(path.name) else None
    except OutsideError as error:
        yield Reject(path.name, None, str(error))
        return
    if not path.is_dir():
        if project and not project.makes_page(project.inner(path)):
            yield Reject(path.name, None, "its site makes no page of this file: name another")
            return
        yield from _expand(path, path.name, project.inner(path) if project else path.name, "", settings, project)
        return
    root = path.resolve()
    is_site = project is not None and root in (project.root, project.content)
    root = project.content if project and root == project.root else root
    for file in _files(root, root):
        if isinstance(file, Reject):
            yield file
            continue
        inner, of = file.relative_to(root).as_posix(), project if is_markdown(file.name) else None
        if of and not of.makes_page(of.inner(file)):
            continue
        if not passed_over(inner) and not (project and is_site and not project.holds(inner)):
            yield from _expand(file, _shown(file, root), of.inner(file) if of else inner, root.name, settings, of)


def picks_in(folder: Path) -> list[Path]:
    """The tables of picks in a folder and its subfolders, in the order of their paths; no link that leads out of it."""
    root = folder.resolve()
    found = (path for path in folder.rglob("picks.*") if path.name.lower() in PICKS_NAMES and path.is_file())
    return sorted(path for path in found if path.resolve().is_relative_to(root))


def passed_over(path: str) -> bool:
    """Whether a file in a folder or an archive is hidden, an asset, picks, or a site's list page or notes."""
    if is_no_article(PurePosixPath(path).name):
        return True
    parts = PurePosixPath(path.lower()).parts
    if any(part.startswith(".") or part == UNFINISHED for part in parts) or parts[:1] == ("__macosx",):
        return True
    name = parts[-1] if parts else ""
    return name in ASSET_NAMES or name in PICKS_NAMES or name.rpartition(".")[2] in ASSETS


def _files(folder: Path, root: Path) -> Iterator[Path | Reject]:
    try:
        with os.scandir(folder) as listing:
            items = sorted(listing, key=lambda item: item.name)
    except OSError as error:
        yield Reject(_shown(folder, root), None, f"the folder cannot be read: {plain_reason(error)}")
        return
    for item in items:
        file = Path(item.path)
        if item.name.startswith("."):
            continue
        if item.is_symlink():
            if not file.resolve().is_relative_to(root):
                yield Reject(
                    _shown(file, root),
                    None,
                    "a link that leads out of the folder: name its target as a source",
                )
        elif item.is_dir():
            if item.name != "node_modules" and not (file / WORKSPACE_STORE).exists():
                yield from _files(file, root)
        elif item.is_file():
            yield file
        else:
            yield Reject(_shown(file, root), None, "neither a file nor a folder: take it out")


def _shown(path: Path, root: Path) -> str:
    return (root.name / path.relative_to(root)).as_posix()


def _expand(
    path: Path, shown: str, inner: str, folder: str, settings: IngestSettings, project: Project | None
) -> Iterator[SourceFile | Reject]:
    """The file itself, or the files in it where it is an archive."""
    if not archive.is_archive(path.name):
        drafts = DRAFTS in path.resolve().parts[:-1]
        yield SourceFile(shown, inner, lambda: path.open("rb"), folder, on_disk=True, project=project, drafts=drafts)
        return
    stem = path.name[: -len(next(end for end in archive.ZIP + archive.TAR[::-1] if path.name.lower().endswith(end)))]
    max_bytes = settings.max_record_mb * MEGABYTE * MEMBER_RECORDS
    try:
        with path.open("rb") as stream:
            for member in archive.members(stream, shown, max_bytes):
                if isinstance(member, Reject):
                    yield member
                elif archive.is_archive(member.name):
                    yield Reject(f"{shown}:{member.name}", None, "an archive in an archive: unpack it first")
                elif PurePosixPath(member.name).name.lower() in PICKS_NAMES:
                    yield Reject(f"{shown}:{member.name}", None, "picks in an archive: unpack them, and use --picks")
                elif not passed_over(member.name):
                    yield SourceFile(f"{shown}:{member.name}", member.name, member.open, stem)
    except READ_ERRORS as error:
        yield Reject(shown, None, f"the archive cannot be opened: {plain_reason(error)}")
