"""Blocks as JSON-LD, in the words of schema.org, for a page's `<script type="application/ld+json">`."""

from __future__ import annotations

import json
from typing import Any

from simrec.block.compose import from_site, page_url
from simrec.block.headings import heading
from simrec.block.jsons import filled
from simrec.block.style import Style
from simrec.text import content_hash
from simrec.types import Block, BlockItem

_ESCAPED = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})
"""Signs that could end or change the script element around it; in JSON they stand in strings only."""


class JsonLdRenderer:
    """Renders blocks as a `WebPage` with its `relatedLink`s, which mentions the block as an `ItemList`.

    `relatedLink` is a property of web pages, not of articles; `isRelatedTo` is for products. The text can stand in a
    script element as it is, whatever titles hold.
    """

    extension = "jsonld"

    def __init__(self, style: Style | None = None) -> None:
        self._style = style or Style()

    def render(self, block: Block) -> str:
        """The block as one JSON-LD object; without links where it has no items."""
        graph = {"@context": "https://schema.org", "@graph": self._graph(block)}
        return json.dumps(graph, ensure_ascii=False, indent=1).translate(_ESCAPED) + "\n"

    def _graph(self, block: Block) -> list[dict[str, Any]]:
        url = page_url(block, self._style.site_url) if self._style.site_url else None
        page: dict[str, Any] = {
            "@type": "WebPage",
            "@id": url,
            "url": url,
            "name": block.page.title,
            "inLanguage": block.lang,
            "relatedLink": [link for item in block.items if (link := self._link(block, item.url))],
        }
        if not block.items:
            return [filled(page)]
        list_id = f"{url or ''}#similar-{content_hash(block.source_id)[:8]}"
        items = {
            "@type": "ItemList",
            "@id": list_id,
            "name": heading(block.lang, self._style.headings),
            "numberOfItems": len(block.items),
            "itemListElement": [
                {"@type": "ListItem", "position": place, "item": self._item(block, item)}
                for place, item in enumerate(block.items, start=1)
            ],
        }
        return [filled(page) | {"mentions": {"@id": list_id}}, items]

    def _item(self, block: Block, item: BlockItem) -> dict[str, Any]:
        url = self._link(block, item.url)
        return filled(
            {
                "@type": "Article",
                "@id": url,
                "url": url,
                "headline": item.title,
                "datePublished": item.published_at.isoformat() if item.published_at else None,
                "inLanguage": item.lang,
                "image": self._link(block, item.image),
            }
        )

    def _link(self, block: Block, url: str | None) -> str | None:
        """Absolute where that can be; else as the page that it stands in must write it."""
        return from_site(block, url, self._style.site_url) if self._style.site_url else url
