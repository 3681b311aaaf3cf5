"""HTML: one page, one article, and the links of its related block."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urljoin

from lxml.html import HtmlElement

from simrec.ingest.address import from_path, normalize, resolve
from simrec.ingest.body import page_text
from simrec.ingest.headings import normalize_heading
from simrec.ingest.markup import parse_html
from simrec.ingest.metadata import page_facts, page_urls
from simrec.ingest.record import to_article
from simrec.ingest.related import check_selector, cut_related
from simrec.ingest.source import MEGABYTE, SourceFile
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

__all__ = ["check_selector", "read"]

_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)""", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_AS_BROWSERS = {"iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252",
                "ascii": "cp1252",
                "iso-8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "x-sjis": "cp932",
                "ks_c_5601-1987": "cp949", "euc-kr": "cp949", "utf-16": "utf-8"}  # fmt: skip
_HEAD_BYTES = 4096


def read(source: SourceFile, settings: IngestSettings) -> Iterator[Entry | Reject]:
    """The article of a page; its id is its path without the extension."""
    data = source.read(settings.max_record_mb * MEGABYTE)
    try:
        text = decode(data)
    except ValueError as error:
        yield Reject(source.file, None, str(error))
        return
    tree = _parsed(text)
    if tree is None:
        yield Reject(source.file, None, "no text in the page" if data.strip() else "the file is empty")
        return
    yield _entry(tree, source, settings)


def decode(data: bytes) -> str:
    """A page's text, by its byte order mark, else by the charset it declares, else as UTF-8.

    Raises:
        ValueError: the bytes are not what the page says they are.
    """
    for bom, name in _BOMS:
        if data.startswith(bom):
            return _decoded(data[len(bom) :], name)
    found = _CHARSET.search(data[:_HEAD_BYTES]) or _XML_ENCODING.search(data[:_HEAD_BYTES])
    name = found[1].decode("ascii", "replace").lower() if found else "utf-8"
    name = _AS_BROWSERS.get(name, name)
    try:
        codecs.lookup(name)
    except LookupError:
        raise ValueError(f"unknown charset {name!r}: save the page as UTF-8") from None
    return _decoded(data, name)


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode(name)
    except UnicodeDecodeError as error:
        shown = "UTF-8" if name == "utf-8" else name
        raise ValueError(f"invalid {shown} at byte {error.start + 1}: declare the charset or save as UTF-8") from None


def _parsed(text: str) -> HtmlElement | None:
    text = _XML_DECLARATION.sub("", text).replace("\x00", "\ufffd")
    return parse_html(text) if text.strip() else None


def _entry(tree: HtmlElement, source: SourceFile, settings: IngestSettings) -> Entry | Reject:
    urls = page_urls(tree)
    own = next((url for url in urls if url.startswith(("http://", "https://"))), None)
    addresses = _addresses(source, urls)
    base = _base(tree, own or "/" + quote(source.path))
    related = cut_related(tree, settings)
    facts = page_facts(tree)
    body = _without_title(page_text(tree), facts.get("title", ""))
    reason = "" if body else "no text in the page"
    record = {
        **facts,
        "id": source.stem,
        "url": own or source.path,
        "body": body,
        **_whole_image(facts, base),
    }
    article = reason or to_article(record, settings)
    if isinstance(article, str):
        return Reject(source.file, None, article)
    links = None
    if related.found or settings.picks_selector:
        found = (resolve(href, base) for href in related.hrefs)
        links = tuple(dict.fromkeys(link for link in found if link and link not in addresses))
    return Entry(article, source.file, None, links, addresses)


def _addresses(source: SourceFile, urls: list[str]) -> tuple[str, ...]:
    """All addresses of the page: its path with and without extension, from the folder and from above, and its URLs."""
    paths = [source.path.removesuffix(".gz"), source.stem]
    if source.folder:
        paths += [f"{source.folder}/{path}" for path in paths]
    return tuple(dict.fromkeys([*map(from_path, paths), *map(normalize, urls)]))


def _base(tree: HtmlElement, page: str) -> str:
    hrefs = [element.get("href", "").strip() for element in tree.iter("base")]
    try:
        return next((urljoin(page, href) for href in hrefs if href), page)
    except ValueError:
        return page


def _whole_image(facts: dict[str, Any], base: str) -> dict[str, str]:
    image = facts.get("image")
    if not isinstance(image, str):
        return {}
    try:
        whole = urljoin(base, image)
    except ValueError:
        return {}
    return {"image": whole.removeprefix("/") if base.startswith("/") else whole}


def _without_title(body: str, title: str) -> str:
    """The body without a first line that repeats the title."""
    first, _, rest = body.partition("\n")
    same = normalize_heading(first.lstrip("# ")) == normalize_heading(title)
    return rest.strip() if same and rest.strip() else body
