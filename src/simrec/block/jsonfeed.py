"""All blocks as a JSON Feed 1.1: an item an article, with its block in an extension.

Source: https://jsonfeed.org/version/1.1
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, BinaryIO

from simrec.block.compose import from_site, page_url
from simrec.block.jsons import encoded, filled
from simrec.block.reasons import reason_of
from simrec.block.style import Style
from simrec.text import excerpt, safe_url
from simrec.types import Block, BlockItem

VERSION = "https://jsonfeed.org/version/1.1"
ABOUT = "Similar articles, best first, as simrec chose them; score is in standard deviations above random pairs."
"""The extension in a sentence, for people who look at the feed; the format asks for one."""


class JsonFeed:
    """Writes a feed of all pages; each has its block under `_simrec`, as `{"about", "items"}`."""

    file_name = "feed.json"

    def __init__(self, style: Style) -> None:
        self._style = style

    def write(self, file: BinaryIO, blocks: Iterable[Block]) -> None:
        """Writes the feed, an item a line."""
        head = {
            "version": VERSION,
            "title": self._style.site_title or "Similar articles",
            "home_page_url": self._style.site_url,
            "feed_url": self._style.feed_url,
            "language": self._style.lang,
        }
        file.write(encoded(json.dumps(filled(head), ensure_ascii=False)[:-1] + ', "items": ['))
        before = "\n"
        for block in blocks:
            file.write(encoded(before + json.dumps(self._page(block), ensure_ascii=False)))
            before = ",\n"
        file.write(b"\n]}\n")

    def _page(self, block: Block) -> dict[str, Any]:
        page, base = block.page, self._style.site_url
        text = excerpt(page.body, self._style.excerpt_words) if self._style.excerpt_words else ""
        values = {
            "id": page.id,
            "url": page_url(block, base),
            "title": page.title,
            "content_text": text or page.title,
            "image": from_site(block, safe_url(page.image), base),
            "date_published": page.published_at.isoformat() if page.published_at else None,
            "date_modified": page.updated_at.isoformat() if page.updated_at else None,
            "authors": [{"name": name} for name in page.authors],
            "tags": list(page.tags),
            "language": block.lang,
        }
        related = {"about": ABOUT, "items": [self._item(block, item) for item in block.items]}
        return {"content_text": ""} | filled(values) | {"_simrec": related}

    def _item(self, block: Block, item: BlockItem) -> dict[str, Any]:
        values = {
            "id": item.id,
            "url": from_site(block, item.url, self._style.site_url),
            "title": item.title,
            "score": item.score,
            "reason": reason_of(item),
            "summary": item.excerpt,
            "image": from_site(block, item.image, self._style.site_url),
            "date_published": item.published_at.isoformat() if item.published_at else None,
            "language": item.lang,
        }
        return filled(values)
