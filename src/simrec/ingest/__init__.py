"""Ingest: sources in, entries and rejects out. One reader a format; nothing is dropped without a reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from simrec.database import shown
from simrec.errors import InputError, UsageError
from simrec.filesystems import Place
from simrec.ingest import sniff
from simrec.ingest.database import DatabaseSource
from simrec.ingest.fetch import fetched
from simrec.ingest.formats import AUTO, FORMATS, Format, find, settled
from simrec.ingest.html import check_selector
from simrec.ingest.kinds import kind_of
from simrec.ingest.picks import read_picks
from simrec.ingest.remote import remote_files
from simrec.ingest.source import READ_ERRORS, SourceFile, TooLargeError, plain_reason
from simrec.ingest.walk import walk
from simrec.settings import DatabaseSettings, IngestSettings
from simrec.types import Entry, Reject

__all__ = ["FORMATS", "read", "read_picks"]


def read(
    sources: Sequence[str | Path],
    settings: IngestSettings,
    *,
    format: str | None = None,
    database: DatabaseSettings | None = None,
    folder: Path | None = None,
) -> Iterator[Entry | Reject]:
    """Reads articles: every record of every source becomes an entry or a reject.

    Args:
        sources: files, folders, archives (zip, tar), and URLs (http, https), which are fetched. A folder is walked in
            the order of names; hidden files, links out of it, pictures, styles and scripts are passed over, and so is
            a table named ``picks.csv``, which `read_picks` reads. Or URLs of files and folders in a filesystem that
            pyarrow or fsspec knows (`simrec.filesystems`), SQLAlchemy URLs of databases, and ``database:`` for the one
            in the settings.
        settings: how they are read.
        format: one of `FORMATS` for all files; None or "auto" decides by each file's name and content.
        database: what to ask databases, and what their columns mean.
        folder: that a path in the settings' URL of a database is meant from; None for the current one.

    Raises:
        InputError: a source is not there, cannot be fetched, or is a folder without files or a database that cannot be
            read (the last three when it is reached).
        UsageError: the format is unknown, or the selector of picks is no CSS selector, or a database's URL or settings
            cannot be used.
    """
    if format not in (None, AUTO, *FORMATS):
        raise UsageError(f"unknown format {format!r}: use one of {', '.join((AUTO, *FORMATS))}")
    check_selector(settings.picks_selector)
    opened = [_opened(source, settings, database or DatabaseSettings(), folder) for source in sources]
    return _read(opened, settings, FORMATS.get(format or ""))


def _opened(
    source: str | Path, settings: IngestSettings, database: DatabaseSettings, folder: Path | None
) -> str | Path | Place | DatabaseSource:
    """A source that is there: a URL as it is, a path, a place in a filesystem, a database with its queries."""
    kind = kind_of(source)
    if kind == "database":
        return DatabaseSource(str(source), database, settings, folder)
    if kind == "path" and not Path(source).exists():
        raise InputError(f"no file or folder {shown(str(source))}: name a source that exists")
    if kind == "place":
        return Place.of(source)
    return source if kind == "web" else Path(source)


def _read(
    sources: Sequence[str | Path | Place | DatabaseSource], settings: IngestSettings, forced: Format | None
) -> Iterator[Entry | Reject]:
    for source in sources:
        if isinstance(source, DatabaseSource):
            yield from source.articles()
            continue
        empty = True
        for found in _files(source, settings):
            empty = False
            name = found.file.encode("utf-8", "replace").decode()
            if name != found.file:
                yield Reject(name, None, "the file's name is not in UTF-8: rename it")
            else:
                yield from [found] if isinstance(found, Reject) else _read_file(found, settings, forced)
        if empty:
            name = source.name if isinstance(source, Place) else shown(str(source))
            raise InputError(f"no file to read in {name}: name a folder with {', '.join(FORMATS)} files")


def _files(source: str | Path | Place, settings: IngestSettings) -> Iterator[SourceFile | Reject]:
    if isinstance(source, Place):
        return remote_files(source)
    return walk(source, settings) if isinstance(source, Path) else fetched(source, settings)


def _read_file(source: SourceFile, settings: IngestSettings, forced: Format | None) -> Iterator[Entry | Reject]:
    """What a file holds; an error of the disk, or a damaged file, keeps what was read before it."""
    last: Entry | Reject | None = None
    try:
        opened, chosen = _prepared(source), forced or settled(source.path)
        if chosen is None:
            start, opened = opened.started(sniff.BYTES)
            chosen = find(opened.path, start)
        if chosen is None:
            yield Reject(source.file, None, f"unknown kind of file: say which it is with --format {'|'.join(FORMATS)}")
            return
        for last in chosen.read(opened, settings):
            yield last
    except TooLargeError as error:
        yield Reject(source.file, None, str(error))
    except (*READ_ERRORS, RuntimeError, NotImplementedError) as error:
        line = last.line if last else None
        since = f"nothing is read after line {line}" if line else "cannot be read"
        yield Reject(source.file, line, f"{since}: {plain_reason(error)}")


def _prepared(source: SourceFile) -> SourceFile:
    return source.unzipped() if source.path.lower().endswith(".gz") else source
