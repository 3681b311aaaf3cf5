"""How a site's blocks are rendered: what all formats are made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from simrec.settings import Settings


@dataclass(frozen=True)
class Style:
    """How a site's blocks are rendered.

    Attributes:
        template: the HTML template's file, None for simrec's own.
        templates: templates by language, in place of `template`.
        headings: headings by language, in place of simrec's own.
        level: of the HTML heading, 1 to 6.
        images: show the items' images in HTML.
        excerpt_words: words of a page's own excerpt.
        site_url: the site's address, "" where it is not known.
        site_title: its name.
        feed_url: where its JSON Feed will stand, "" where it is not known.
        lang: its language.
        model: what ranked the blocks.
    """

    template: Path | None = None
    templates: Mapping[str, Path] = field(default_factory=dict)
    headings: Mapping[str, str] = field(default_factory=dict)
    level: int = 2
    images: bool = True
    excerpt_words: int = 25
    site_url: str = ""
    site_title: str = ""
    feed_url: str = ""
    lang: str = "en"
    model: str = "hybrid"

    @classmethod
    def of(cls, settings: Settings, folder: Path, *, lang: str, model: str) -> Self:
        """What the settings of the site in a folder say."""
        block, site = settings.block, settings.site
        return cls(
            template=folder / block.template if block.template else None,
            templates={name: folder / path for name, path in block.templates.items()},
            headings=block.heading,
            level=block.heading_level,
            images=block.images,
            excerpt_words=block.excerpt_words,
            site_url=f"{site.url.rstrip('/')}/" if site.url else "",
            site_title=site.title,
            feed_url=site.feed_url,
            lang=lang,
            model=model,
        )
