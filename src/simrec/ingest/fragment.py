"""HTML of an article's body as systems export it: no page, a part of one, all of it the article."""

from __future__ import annotations

import re

from lxml.html import HtmlElement

from simrec.ingest.body import block_text, without_chrome
from simrec.ingest.markup import parse_html
from simrec.text import clean

_MARKUP = re.compile(r"<[!/?a-zA-Z]|&[#\w]")
_BLANK_LINE = re.compile(r"\r?\n[ \t]*\r?\n\s*")


def fragment_text(html: str) -> str:
    """The readable text of a piece of HTML, in paragraphs; a blank line in it divides paragraphs, too.

    >>> fragment_text("<p>One<br>two</p><script>x()</script><ul><li>three</li></ul>")
    'One\\ntwo\\n\\nthree'
    """
    tree = _parsed(html)
    return clean(html) if tree is None else block_text(without_chrome(tree))


def first_image(html: str) -> dict[str, str]:
    """The source and alternative text of the first picture of an article; nothing where there is none."""
    tree = _parsed(html) if "<img" in html else None
    for image in [] if tree is None else tree.iter("img"):
        if image.get("src", "").startswith(("http://", "https://", "/")):
            return {"image": image.get("src", ""), "image_alt": image.get("alt", "")}
    return {}


def _parsed(html: str) -> HtmlElement | None:
    if not _MARKUP.search(html):
        return None
    return parse_html(f"<div>{_BLANK_LINE.sub('<br><br>', html)}</div>")
