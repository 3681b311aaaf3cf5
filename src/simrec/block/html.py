"""Blocks as HTML: a landmark, labelled by its heading, without style or script of its own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from simrec.block.compose import page_url
from simrec.block.headings import heading
from simrec.block.jsons import write_lines
from simrec.block.languages import by_language, direction
from simrec.block.style import Style
from simrec.errors import SettingsError
from simrec.text import content_hash, one_line
from simrec.types import Block

HERE = Path(__file__).parent / "templates"
DEFAULT_TEMPLATE = HERE / "block.html"
STYLESHEET = HERE / "block.css"
"""For pages that have no style of their own for a block; hides it in print."""


class HtmlRenderer:
    """Renders blocks with a Jinja template, which a publisher may replace, for all languages or for some.

    A template sees `block`, `heading`, `heading_id`, `level`, `images`, and two filters: `day` writes a date as the
    page's language does, `direction` says "ltr" or "rtl" of a language. What it prints is escaped. It may include and
    extend templates of its own folder; it cannot reach into Python.

    Args:
        style: of the site.

    Raises:
        SettingsError: a template cannot be read, or is no Jinja template.
    """

    extension = "html"

    def __init__(self, style: Style | None = None) -> None:
        self.style = style or Style()
        self._default = _load(self.style.template or DEFAULT_TEMPLATE)
        self._templates = {lang: _load(path) for lang, path in self.style.templates.items()}

    def render(self, block: Block) -> str:
        """The block's HTML; nothing at all where it has no items.

        Raises:
            SettingsError: the template fails on this block.
        """
        if not block.items:
            return ""
        template = by_language(self._templates, block.lang) or self._default
        try:
            return template.render(
                block=block,
                heading=heading(block.lang, self.style.headings),
                heading_id=f"similar-{content_hash(block.source_id)[:8]}",
                level=self.style.level,
                images=self.style.images,
            )
        except Exception as error:  # a template may raise whatever it likes
            where = f"template {template.filename} fails on article {block.source_id!r}"
            raise SettingsError(f"{where}: {_said(error)}") from error


class HtmlBundle:
    """All fragments in one file of JSON lines: `{"id", "url", "html"}`; "html" is empty where a block is."""

    file_name = "fragments.jsonl"

    def __init__(self, style: Style) -> None:
        self._renderer = HtmlRenderer(style)

    def write(self, file: BinaryIO, blocks: Iterable[Block]) -> None:
        """Writes a line a block."""
        base = self._renderer.style.site_url
        write_lines(
            file,
            ({"id": b.source_id, "url": page_url(b, base), "html": self._renderer.render(b)} for b in blocks),
        )


def day(moment: datetime, lang: str) -> str:
    """A date in a language's long form.

    >>> day(datetime(2024, 3, 1), "de-AT"), day(datetime(2024, 3, 1), "tlh")
    ('1. März 2024', '2024-03-01')
    """
    try:
        return str(format_date(moment.date(), format="long", locale=Locale.parse(lang, sep="-")))
    except (UnknownLocaleError, ValueError):
        return moment.date().isoformat()


def _load(path: Path) -> Template:
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(path.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"day": day, "direction": direction}
    try:
        return environment.get_template(path.name)
    except TemplateSyntaxError as error:
        raise SettingsError(f"template {path}, line {error.lineno}: {_said(error)}") from error
    except TemplateNotFound as error:
        raise SettingsError(f"template {path} cannot be read: there is no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"template {path} cannot be read: {error}") from error


def _said(error: Exception) -> str:
    if isinstance(error, TemplateNotFound):
        return f"there is no {error.name!r} beside it"
    return one_line(getattr(error, "message", None) or str(error)) or type(error).__name__
