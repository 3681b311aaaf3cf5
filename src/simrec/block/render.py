"""Blocks as HTML and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from simrec.block.headings import heading
from simrec.errors import SettingsError
from simrec.text import content_hash
from simrec.types import Block, BlockItem

DEFAULT_TEMPLATE = Path(__file__).parent / "templates" / "block.html"


class HtmlRenderer:
    """Renders blocks with a Jinja template, which a publisher may replace.

    The template sees `block`, `heading`, `heading_id`, `level`, `images`, and the filter `day`, which writes a date as
    the page's language does. What it prints is escaped.

    Args:
        template: the template's file, None for simrec's own.
        headings: headings by language in place of simrec's own.
        level: of the heading, 1 to 6.
        images: show the items' images.

    Raises:
        SettingsError: the template cannot be read, or is no Jinja template.
    """

    extension = "html"

    def __init__(
        self,
        template: Path | None = None,
        *,
        headings: Mapping[str, str] | None = None,
        level: int = 2,
        images: bool = True,
    ) -> None:
        self.path = template or DEFAULT_TEMPLATE
        self.headings = headings or {}
        self.level = level
        self.images = images
        self._template = self._load()

    def render(self, block: Block) -> str:
        """The block's HTML; nothing at all where it has no items."""
        if not block.items:
            return ""
        try:
            return self._template.render(
                block=block,
                heading=heading(block.lang, self.headings),
                heading_id=f"similar-{content_hash(block.source_id)[:8]}",
                level=self.level,
                images=self.images,
            )
        except (TemplateError, TypeError, AttributeError) as error:
            raise SettingsError(f"template {self.path} fails on article {block.source_id!r}: {error}") from error

    def _load(self) -> Template:
        environment = SandboxedEnvironment(
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        environment.filters["day"] = day
        try:
            return environment.from_string(self.path.read_text(encoding="utf-8"))
        except TemplateSyntaxError as error:
            raise SettingsError(f"template {self.path}, line {error.lineno}: {error.message}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"template {self.path} cannot be read: {error}") from error


class JsonRenderer:
    """Renders blocks as JSON objects, one block a file."""

    extension = "json"

    def __init__(self, headings: Mapping[str, str] | None = None) -> None:
        self.headings = headings or {}

    def render(self, block: Block) -> str:
        """The block as one JSON object, with all that a page needs to show it."""
        values = {
            "id": block.source_id,
            "lang": block.lang,
            "heading": heading(block.lang, self.headings),
            "items": [item_values(item) for item in block.items],
            "shortfall": block.shortfall,
        }
        return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


def item_values(item: BlockItem) -> dict[str, Any]:
    """An item as JSON values."""
    return {
        "id": item.id,
        "title": item.title,
        "url": item.url,
        "score": item.score,
        "reasons": dict(item.reasons),
        "published_at": item.published_at.isoformat() if item.published_at else None,
        "lang": item.lang,
        "image": item.image,
        "image_alt": item.image_alt,
        "excerpt": item.excerpt,
    }


def day(moment: datetime, lang: str) -> str:
    """A date in a language's long form.

    >>> day(datetime(2024, 3, 1), "de-AT"), day(datetime(2024, 3, 1), "tlh")
    ('1. März 2024', '2024-03-01')
    """
    try:
        return format_date(moment.date(), format="long", locale=Locale.parse(lang, sep="-"))
    except (UnknownLocaleError, ValueError):
        return moment.date().isoformat()
