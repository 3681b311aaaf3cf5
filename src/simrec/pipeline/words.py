"""Why two articles are alike, in the words of an editor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simrec.rank.catalogue import SAYS
from simrec.types import Article

TERMS = 4
"""Shared terms that are named."""
SOME = 1.0
"""A part, dampened, from which two articles are alike in it: near 2 standard deviations above random pairs."""


MEANING = {"static": "sentence"}
COMMON = {"tags": "tags: ", "section": "same section: ", "age": "published "}
"""How what is said of a part begins where it can be named."""


def words_of(reasons: Mapping[str, Any], page: Article, other: Article) -> list[str]:
    """What an item's reasons say, and what both articles have in common; the strongest first.

    >>> page = Article("a", "A", "...", section="News", tags=("Bridge", "Road"))
    >>> other = Article("b", "B", "...", section="News", tags=("bridge",))
    >>> words_of({"terms": ["bridge", "lorry"], "parts": {"tfidf": 3.0}}, page, other)
    ['shares many words: bridge, lorry', 'tags: bridge', 'same section: News']
    >>> from datetime import datetime
    >>> page, other = (Article("a", "A", "...", published_at=datetime(2024, 3, day)) for day in (1, 2))
    >>> words_of({}, page, other), words_of({}, other, page)
    (['published 1 day later'], ['published 1 day earlier'])
    """
    parts: Mapping[str, float] = reasons.get("parts") or {}
    terms, common = ", ".join((reasons.get("terms") or ())[:TERMS]), _in_common(page, other)
    found = _by_hand(reasons)
    for name, value in sorted(parts.items(), key=lambda part: (-part[1], part[0])):
        if value >= SOME and not any(line.startswith(COMMON.get(name, "?")) for line in common):
            says = SAYS[MEANING.get(name, name)]
            found.append(f"{says}: {terms}" if name == "tfidf" and terms else says)
    if terms and not any(line.endswith(terms) for line in found):
        found.append(f"words in common: {terms}")
    return found + common


def _by_hand(reasons: Mapping[str, Any]) -> list[str]:
    found = ["an editor put it there"] if reasons.get("pinned") else []
    if reasons.get("fallback"):
        found.append(f"nothing more similar was found: {reasons['fallback']}")
    return found


def _in_common(page: Article, other: Article) -> list[str]:
    found = []
    tags = {tag.casefold() for tag in page.tags} & {tag.casefold() for tag in other.tags}
    if tags:
        found.append(f"tags: {', '.join(sorted(tags)[:TERMS])}")
    if page.section and page.section == other.section:
        found.append(f"same section: {page.section}")
    authors = sorted({*page.authors} & {*other.authors})
    if authors:
        found.append(f"same author: {', '.join(authors[:TERMS])}")
    if page.published_at and other.published_at:
        days = round((other.published_at - page.published_at).total_seconds() / 86_400)
        if abs(days) <= 30:
            apart = f"{abs(days)} day{'s' if abs(days) > 1 else ''}"
            ago = "the same day" if days == 0 else f"{apart} {'later' if days > 0 else 'earlier'}"
            found.append(f"published {ago}")
    return found
