"""The formats, and how a file's is found. A new format is a module with `read`, and a row here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from simrec.ingest import delimited, html, jsonl, markdown, page, parquet
from simrec.ingest.project import MARKDOWN
from simrec.ingest.source import SourceFile
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

Reader: TypeAlias = Callable[[SourceFile, IngestSettings], Iterator[Entry | Reject]]

SNIFFED_BYTES = 1024


@dataclass(frozen=True)
class Format:
    """A format: its reader, the extensions of its files, and how their content begins, where that tells."""

    read: Reader
    extensions: tuple[str, ...]
    starts: tuple[bytes, ...] = ()


FORMATS: dict[str, Format] = {
    "jsonl": Format(jsonl.read, ("jsonl", "ndjson", "json"), (b"{",)),
    "csv": Format(delimited.read, ("csv", "tsv")),
    "parquet": Format(parquet.read, ("parquet",), (b"PAR1",)),
    "html": Format(html.read, ("html", "htm", "xhtml"), (b"<!doctype html", b"<html")),
    "markdown": Format(markdown.read, MARKDOWN),
    "page": Format(page.read, ("txt", "page")),
}


def by_name(path: str) -> Format | None:
    """The format of a file, by its extension."""
    extension = path.lower().removesuffix(".gz").rpartition(".")[2]
    return next((one for one in FORMATS.values() if extension in one.extensions), None)


def by_content(start: bytes) -> Format | None:
    """The format of a file, by its first bytes."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = text.lower()
    for one in FORMATS.values():
        if any(text.startswith(begin) or lower.startswith(begin) for begin in one.starts):
            return one
    return None
