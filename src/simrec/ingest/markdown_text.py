"""Markdown to text: what a reader of the page would read, without the templates' marks.

The Markdown goes to HTML (markdown-it-py, CommonMark with tables), and that to text, so that HTML inside of it is
text, too.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from lxml.html import HtmlElement

from simrec.ingest.body import block_text
from simrec.ingest.markup import parse_html
from simrec.text import one_line

_COMMENTS = (("{{</*", "*/>}}"), ("{{%/*", "*/%}}"), ("{#", "#}"))
_MARKS = (("{{<", ">}}"), ("{{%", "%}}"), ("{%", "%}"), ("{{", "}}"))
_LIQUID_COMMENT = (re.compile(r"\{%-?\s*comment\s*-?%\}"), re.compile(r"\{%-?\s*endcomment\s*-?%\}"))
_RAW = re.compile(r"\{%-?\s*(?:end)?(?:raw|verbatim)\s*-?%\}")
_ATTRIBUTES = re.compile(r"^[ \t]*\{:[^{}\n]*\}[ \t]*$|(?<=\S)[ \t]*\{[:#.][^{}\n]{0,200}\}[ \t]*$", re.MULTILINE)
_FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,60}\]:?")
_MODULE_LINE = re.compile(
    r"^(?:import\s.+?\sfrom\s.+|import\s+['\"].+|export\s+(?:const|default|let|function)\b.*)$", re.MULTILINE
)
_NOT_TEXT = ("script", "style", "template", "iframe", "svg", "noscript", "object")
_HEADINGS = ("h1", "h2", "h3")


def to_text(markdown: str, title: str = "", *, modules: bool = False) -> tuple[str, str]:
    """The title that the text itself gives, "" where it gives none, and its text in paragraphs.

    >>> to_text("# Bridge\\n\\nIt is *open* {{< ref x >}}again.")
    ('Bridge', 'It is open again.')

    Args:
        markdown: the text below the front matter.
        title: the title in the front matter; a first heading that repeats it is left out.
        modules: the file is MDX: lines of its module are no text.
    """
    if modules:
        markdown = _MODULE_LINE.sub("", markdown)
    tree = _tree(without_marks(markdown))
    if tree is None:
        return "", ""
    for element in list(tree.iter(*_NOT_TEXT)):
        element.drop_tree()
    heading = _first_heading(tree)
    if heading is None:
        return "", block_text(tree)
    said = one_line(heading.text_content())
    if (not title and heading.tag == "h1") or (title and said.casefold() == one_line(title).casefold()):
        heading.drop_tree()
    return (said if heading.tag == "h1" else ""), block_text(tree)


def without_marks(markdown: str) -> str:
    """Without the marks of templates (of Hugo, Liquid, Nunjucks); what stands between two of them stays."""
    text = _cut_between(markdown, *_LIQUID_COMMENT) if "{%" in markdown else markdown
    text = _RAW.sub("", text)
    for begin, end in (*_COMMENTS, *_MARKS):
        if begin in text:
            text = _cut(text, begin, end)
    return _FOOTNOTE.sub("", _ATTRIBUTES.sub("", text))


def _cut(text: str, begin: str, end: str) -> str:
    """The text without all that stands between two marks; linear, whatever it holds."""
    parts, at = [], 0
    while (start := text.find(begin, at)) >= 0:
        stop = text.find(end, start + len(begin))
        if stop < 0:
            break
        parts.append(text[at:start])
        at = stop + len(end)
    return "".join([*parts, text[at:]])


def _cut_between(text: str, begin: re.Pattern[str], end: re.Pattern[str]) -> str:
    parts, at = [], 0
    while start := begin.search(text, at):
        stop = end.search(text, start.end())
        if not stop:
            break
        parts.append(text[at : start.start()])
        at = stop.end()
    return "".join([*parts, text[at:]])


def _tree(markdown: str) -> HtmlElement | None:
    html = _renderer().render(markdown)
    return parse_html(f"<div>{html}</div>") if html.strip() else None


@cache
def _renderer() -> Any:
    from markdown_it import MarkdownIt  # slow to import

    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def _first_heading(tree: HtmlElement) -> HtmlElement | None:
    """The heading that the text begins with."""
    for element in tree.iter():
        if element.tag in _HEADINGS:
            return element
        if (
            isinstance(element.tag, str)
            and element.tag not in ("html", "body", "div")
            and element.text_content().strip()
        ):
            return None
    return None
