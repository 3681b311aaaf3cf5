"""HTML text into a tree that can be changed."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""What lxml refuses where a text is set, though its parser lets it through."""
_REFERENCE = re.compile(r"&#\s*[xX]?[0-9a-fA-F]")


def parse_html(text: str) -> HtmlElement | None:
    """The tree of a page or of a part of one, without comments and control characters; None where it has no content.

    >>> parse_html("<p>One\\x0ctwo&#8;</p>").text_content()
    'One two '
    """
    raw = _FORBIDDEN.sub(" ", text).encode("utf-8", "replace")
    parser: Any = HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True)
    try:
        tree = document_fromstring(raw, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None
    if _REFERENCE.search(text):
        for element in tree.iter():
            _clear(element)
    return tree


def _clear(element: HtmlElement) -> None:
    """Takes out the control characters that references made."""
    if element.text and _FORBIDDEN.search(element.text):
        element.text = _FORBIDDEN.sub(" ", element.text)
    if element.tail and _FORBIDDEN.search(element.tail):
        element.tail = _FORBIDDEN.sub(" ", element.tail)
    for name, value in element.attrib.items():
        if _FORBIDDEN.search(value):
            element.set(name, _FORBIDDEN.sub(" ", value))
