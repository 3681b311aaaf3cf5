"""The formats, and how a file's is found. A new format is a module with `read`, and a row here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from simrec.ingest import delimited, feed, ghost, html, jsonl, markdown, ninjs, page, parquet, sitemap, sniff, wordpress
from simrec.ingest.project import MARKDOWN
from simrec.ingest.source import SourceFile
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

Reader: TypeAlias = Callable[[SourceFile, IngestSettings], Iterator[Entry | Reject]]

AUTO = "auto"
"""In place of a format's name: by each file's name and content."""


def _never(start: bytes) -> bool:
    return False


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        read: its reader.
        extensions: of files that are of this format, unless their content says that they are of a special one.
        shared: extensions that such files may have, but others, too: their content decides.
        recognises: whether a file is of this format, by its first `sniff.BYTES`, whitespace before them cut off.
    """

    read: Reader
    extensions: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    recognises: Callable[[bytes], bool] = _never


FORMATS: dict[str, Format] = {
    "wordpress": Format(wordpress.read, ("wxr",), ("xml", "rss"), sniff.is_wordpress),
    "sitemap": Format(sitemap.read, (), ("xml",), sniff.is_sitemap),
    "feed": Format(feed.read, ("rss", "atom", "rdf"), ("xml", "json"), sniff.is_feed),
    "ghost": Format(ghost.read, (), ("json",), sniff.is_ghost),
    "ninjs": Format(ninjs.read, ("ninjs",), ("json", "jsonl", "ndjson"), sniff.is_ninjs),
    "jsonl": Format(jsonl.read, ("jsonl", "ndjson", "json"), (), sniff.is_json),
    "csv": Format(delimited.read, ("csv", "tsv")),
    "parquet": Format(parquet.read, ("parquet",), (), sniff.is_parquet),
    "html": Format(html.read, ("html", "htm", "xhtml"), ("xml",), sniff.is_html),
    "markdown": Format(markdown.read, MARKDOWN),
    "page": Format(page.read, ("txt", "page")),
}
"""By name. Where several recognise a file, the first does."""


def settled(path: str) -> Format | None:
    """The format of a file whose extension says it alone; None where its content has to be looked at."""
    extension = _extension(path)
    shared = any(extension in one.shared for one in FORMATS.values())
    return None if shared else next((one for one in FORMATS.values() if extension in one.extensions), None)


def find(path: str, start: bytes) -> Format | None:
    """The format of a file, by its extension and its first bytes; None where neither tells.

    A file whose extension no format has is what its content says.
    """
    extension = _extension(path)
    start = sniff.plain(start)
    sharing = [one for one in FORMATS.values() if extension in one.shared]
    named = [one for one in FORMATS.values() if extension in one.extensions]
    candidates = sharing if sharing or named else list(FORMATS.values())
    return next((one for one in candidates if one.recognises(start)), next(iter(named), None))


def _extension(path: str) -> str:
    return path.lower().removesuffix(".gz").rpartition(".")[2]
