"""The formats that blocks are written in. A new format is a class, and a row here.

A page format makes a file an article, which a page includes or a site fetches. A site format makes one file of all
blocks, which another system reads; it is given the blocks one by one, and holds few of them at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import BinaryIO, Protocol

from simrec.block.csvfile import CsvTable
from simrec.block.html import HtmlBundle, HtmlRenderer
from simrec.block.jsonfeed import JsonFeed
from simrec.block.jsonld import JsonLdRenderer
from simrec.block.jsons import JsonBundle, JsonRenderer
from simrec.block.ninjs import NinjsRenderer
from simrec.block.parquet import ParquetTable
from simrec.block.style import Style
from simrec.block.trec import TrecRun
from simrec.types import Block


class PageFormat(Protocol):
    """Makes the text of an article's file."""

    extension: str
    """Of the files, without a dot."""

    def render(self, block: Block) -> str:
        """The text."""


class SiteFormat(Protocol):
    """Writes all blocks into one file."""

    file_name: str

    def write(self, file: BinaryIO, blocks: Iterable[Block]) -> None:
        """Writes the blocks, in their order."""


PAGE_FORMATS: Mapping[str, Callable[[Style], PageFormat]] = {
    "html": HtmlRenderer,
    "json": JsonRenderer,
    "jsonld": JsonLdRenderer,
    "ninjs": NinjsRenderer,
}

SITE_FORMATS: Mapping[str, Callable[[Style], SiteFormat]] = {
    "html-bundle": HtmlBundle,
    "json-bundle": JsonBundle,
    "jsonfeed": JsonFeed,
    "csv": CsvTable,
    "parquet": ParquetTable,
    "trec": TrecRun,
}

NAMES = (*PAGE_FORMATS, *SITE_FORMATS)
SITE_FILES = frozenset(make(Style()).file_name for make in SITE_FORMATS.values())
