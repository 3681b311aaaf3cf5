"""Blocks as ninjs 3, IPTC's JSON for news: an object an article, with its block as associations.

Source: https://www.iptc.org/std/ninjs/ninjs-schema_3.0.json; it allows no property that it does not name.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import quote

from simrec.block.compose import from_site, page_url
from simrec.block.jsons import filled
from simrec.block.style import Style
from simrec.types import Block

STANDARD = {"name": "ninjs", "version": "3.0", "schema": "https://www.iptc.org/std/ninjs/ninjs-schema_3.0.json"}
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_URI_SIGNS = "%/:=&?~#+!$,;'@()*[]"
_MINUTE_ZONE = re.compile(r"([+-]\d\d:\d\d):\d\d(\.\d+)?$")


class NinjsRenderer:
    """Renders blocks as ninjs objects of type "text", without the page's body.

    `uri` is an article's id where that is a URI, else its absolute address, else a URN made of the id; the id itself is
    in `altIds`. The block is in `associations`, best first, named `similar-1` and so on.
    """

    extension = "json"

    def __init__(self, style: Style | None = None) -> None:
        self._style = style or Style()

    def render(self, block: Block) -> str:
        """The block as one ninjs object."""
        page, base = block.page, self._style.site_url
        values = news(page.id, page.title, page_url(block, base), block.lang, page.published_at)
        if page.updated_at:
            values["versionCreated"] = _rfc3339(page.updated_at)
        related = [
            {"name": f"similar-{place}"}
            | news(item.id, item.title, from_site(block, item.url, base), item.lang, item.published_at)
            | ({"descriptions": [{"role": "summary", "value": item.excerpt}]} if item.excerpt else {})
            for place, item in enumerate(block.items, start=1)
        ]
        whole = {"standard": STANDARD} | values | ({"associations": related} if related else {})
        return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def news(id_: str, title: str, url: str | None, lang: str | None, published_at: datetime | None) -> dict[str, Any]:
    """What pages and items have in common."""
    link = quote(url, safe=_URI_SIGNS, errors="replace") if url else ""
    absolute = _URI.fullmatch(link) is not None
    return filled(
        {
            "uri": uri(id_, link if absolute else ""),
            "type": "text",
            "representationType": "partial",
            "contentCreated": _rfc3339(published_at) if published_at else None,
            "language": lang,
            "headlines": [{"value": title}],
            "altIds": [{"role": "simrec", "value": id_}],
            "renditions": [{"name": "web", "href": link, "contentType": "text/html"}] if absolute else None,
        }
    )


def uri(id_: str, link: str) -> str:
    """The URI of an article.

    >>> uri("https://x.example/1", ""), uri("a b", "https://x.example/2"), uri("a b", "")
    ('https://x.example/1', 'https://x.example/2', 'urn:simrec:a%20b')
    """
    return id_ if _URI.fullmatch(id_) else link or f"urn:simrec:{quote(id_, safe='', errors='replace')}"


def _rfc3339(moment: datetime) -> str:
    """ISO 8601 as RFC 3339 has it, whose zones have no seconds."""
    return _MINUTE_ZONE.sub(r"\1", moment.isoformat())
