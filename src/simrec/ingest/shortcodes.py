"""WordPress's shortcodes and block comments, taken out of a post's HTML."""

from __future__ import annotations

import re

WITHOUT_CONTENT = ("embed", "audio", "video", "playlist", "gallery", "youtube", "contact-form-7", "contact-form")
"""What stands between these and their closing tags is no text."""
ALONE = frozenset((*WITHOUT_CONTENT, "caption", "more", "nextpage", "toc", "wp_caption"))
"""Shortcodes that need no attributes to be known as such; any other word in brackets may be prose, as ``[sic]``."""

_COMMENT = re.compile(r"<!--.*?(?:-->|$)", re.DOTALL)
_EMPTY = re.compile(
    rf"(?<!\[)\[({'|'.join(WITHOUT_CONTENT)})\b[^\]\[<>]{{0,2000}}\][^\[\]]{{0,2000}}\[/\1\]", re.IGNORECASE
)
_TAG = re.compile(r"(\[?)\[(/?)([a-z][\w-]{0,60})((?:\s[^\[\]<>]{0,2000})?)\](\]?)", re.IGNORECASE)


def without_shortcodes(html: str) -> str:
    """A post's HTML without comments and shortcodes; text that a shortcode encloses stays.

    A word in brackets is a shortcode where it is a known one, has attributes, or is closed: ``[name]…[/name]``. One in
    double brackets is meant to be read.

    >>> without_shortcodes('<!-- wp:paragraph -->[caption id="a"]The bridge[/caption] was [sic] closed [[gallery]]')
    'The bridge was [sic] closed [gallery]'
    """
    html = _COMMENT.sub("", html)
    if "[" not in html:
        return html
    closed = {found[3].lower() for found in _TAG.finditer(html) if found[2]}
    return _TAG.sub(lambda found: _replaced(found, closed), _EMPTY.sub("", html))


def _replaced(found: re.Match[str], closed: set[str]) -> str:
    name, attributes = found[3].lower(), found[4]
    if found[1] and found[5]:
        return found[0][1:-1]
    if found[2] or name in closed or name in ALONE or "=" in attributes:
        return found[1] + found[5]
    return found[0]
