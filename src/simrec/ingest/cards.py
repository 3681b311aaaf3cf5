"""Ghost's editor documents, Lexical and Mobiledoc, as simple HTML: text and paragraphs, no looks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

TEXTS = ("text", "markdown", "html", "calloutText", "heading", "content", "caption", "code", "toggleHeading")
"""Fields of a card that hold text or HTML, in the order in which they are shown."""
NOT_TEXT = frozenset(("image", "gallery", "video", "audio", "file", "bookmark", "embed", "signup", "button", "email",
                      "email-cta", "paywall", "horizontalrule", "product", "header"))  # fmt: skip
"""Cards that are no part of an article's text."""
INLINE = frozenset(("text", "extended-text", "link", "autolink", "linebreak", "tab"))
MARKUP, IMAGE, LIST, CARD = 1, 2, 3, 10
"""Kinds of a Mobiledoc's sections."""


def lexical_html(document: object) -> str:
    """A Lexical document; "" for what is none."""
    parsed = _parsed(document)
    root = parsed.get("root") if isinstance(parsed, dict) else None
    return "".join(_lexical(root)) if isinstance(root, dict) else ""


def mobiledoc_html(document: object) -> str:
    """A Mobiledoc; "" for what is none."""
    parsed = _parsed(document)
    if not isinstance(parsed, dict):
        return ""
    sections, cards = _list(parsed.get("sections")), _list(parsed.get("cards"))
    return "".join(f"<p>{text}</p>" for section in sections for text in _section(_list(section), cards))


def _parsed(document: object) -> Any:
    try:
        return json.loads(document) if isinstance(document, str) and document.strip() else document
    except (ValueError, RecursionError):
        return None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _lexical(root: dict[str, Any]) -> Iterator[str]:
    """The texts of a tree, in its order, with its blocks as paragraphs; any depth."""
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            kind = str(node.get("type"))
            children = _list(node.get("children"))
            if kind == "linebreak":
                yield "<br>"
            elif kind not in NOT_TEXT or children:
                inline = kind in INLINE
                yield "" if inline else "<p>"
                yield from _card(node)
                stack += ["" if inline else "</p>", *reversed(children)]


def _card(node: dict[str, Any]) -> Iterator[str]:
    """What a node says itself."""
    for name in TEXTS:
        if isinstance(text := node.get(name), str) and text:
            yield escape(text) if name in ("text", "code") else f"<div>{text}</div>"


def _section(section: list[Any], cards: list[Any]) -> Iterator[str]:
    """The paragraphs of a section of a Mobiledoc."""
    kind = section[0] if section else None
    if kind == MARKUP and len(section) > 2:
        yield _markers(section[2])
    elif kind == LIST and len(section) > 2:
        yield from (_markers(item) for item in _list(section[2]))
    elif kind == CARD and len(section) > 1:
        number = section[1]
        card = cards[number] if isinstance(number, int) and 0 <= number < len(cards) else None
        if isinstance(card, list) and len(card) > 1 and isinstance(card[1], dict) and str(card[0]) not in NOT_TEXT:
            yield from _card(card[1])


def _markers(markers: object) -> str:
    """A line of text: of each marker what is said, not how it looks."""
    found = [_list(marker) for marker in _list(markers)]
    return "".join(escape(marker[3]) for marker in found if len(marker) > 3 and isinstance(marker[3], str))
