"""Blocks as readers get them over HTTP: in the formats of a site's pages, without what is for editors alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias, get_args

from simrec.block.headings import heading
from simrec.block.html import HtmlRenderer
from simrec.block.jsonld import JsonLdRenderer
from simrec.block.jsons import encoded
from simrec.block.reasons import reason_of
from simrec.block.style import Style
from simrec.pipeline.workspace import Workspace
from simrec.types import Article, Block, BlockItem

Format: TypeAlias = Literal["json", "html", "jsonld"]
FORMATS: tuple[Format, ...] = get_args(Format)
TYPES: Mapping[str, bytes] = {
    "json": b"application/json",
    "html": b"text/html; charset=utf-8",
    "jsonld": b"application/ld+json",
}
"""Media types of the formats."""
TOLD = ("terms", "parts")
"""Reasons that readers may see with `explain`: words and figures, never the id of another article."""


class Renderer:
    """Makes the bytes of blocks.

    Args:
        workspace: the site.
        lang: its language.
        model: that ranked the blocks.

    Raises:
        SettingsError: a template cannot be used.
    """

    def __init__(self, workspace: Workspace, lang: str, model: str) -> None:
        style = Style.of(workspace.settings, workspace.path, lang=lang, model=model)
        self._headings = style.headings
        self._makers: dict[str, Callable[[Block], str]] = {
            "html": HtmlRenderer(style).render,
            "jsonld": JsonLdRenderer(style).render,
        }

    def render(self, block: Block, format: Format, *, explain: bool = False) -> bytes:
        """A block in a format; `explain` adds reasons to JSON."""
        if format == "json":
            return as_json(self.values(block, explain=explain))
        return encoded(self._makers[format](_public(block)))

    def values(self, block: Block, *, explain: bool = False) -> dict[str, Any]:
        """A block as JSON values."""
        items = [item_values(item, explain=explain) for item in block.items]
        lang = block.lang
        return {"id": block.source_id, "lang": lang, "heading": heading(lang, self._headings), "items": items}


def item_values(item: BlockItem, *, explain: bool = False) -> dict[str, Any]:
    """An item as JSON values."""
    values = {
        "id": item.id,
        "title": item.title,
        "url": item.url,
        "score": item.score,
        "reason": reason_of(item),
        "published_at": item.published_at.isoformat() if item.published_at else None,
        "lang": item.lang,
        "image": item.image,
        "image_alt": item.image_alt,
        "excerpt": item.excerpt,
    }
    return {**values, "reasons": told_of(item.reasons)} if explain else values


def article_values(article: Article, url: str | None, image: str | None) -> dict[str, Any]:
    """An article as JSON values: what its page shows of it in lists, not its text."""
    return {
        "id": article.id,
        "title": article.title,
        "url": url,
        "published_at": article.published_at.isoformat() if article.published_at else None,
        "updated_at": article.updated_at.isoformat() if article.updated_at else None,
        "section": article.section,
        "tags": list(article.tags),
        "authors": list(article.authors),
        "lang": article.lang,
        "image": image,
        "image_alt": article.image_alt,
    }


def as_json(values: Any) -> bytes:
    """Values as JSON; what UTF-8 cannot hold becomes "?"."""
    return encoded(json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False))


def told_of(reasons: Mapping[str, Any], *more: str) -> dict[str, Any]:
    """What may be told of an item's reasons; `more` names further ones."""
    return {name: reasons[name] for name in (*TOLD, *more) if name in reasons}


def _public(block: Block) -> Block:
    """A block for templates, which may print whatever they see."""
    items = tuple(replace(item, reasons=told_of(item.reasons, "pinned", "fallback")) for item in block.items)
    return replace(block, items=items, shortfall=None)
