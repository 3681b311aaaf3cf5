"""What routes that read give back, for OpenAPI."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_ITEM: dict[str, Any] = {
    "id": "ferry-back",
    "title": "The ferry is back",
    "url": "ferry-back.html",
    "score": 3.21,
    "reason": "similar",
    "published_at": "2025-03-01T08:00:00+00:00",
    "lang": "en",
    "image": None,
    "image_alt": None,
    "excerpt": "After two weeks of storms …",
}
_BLOCK: dict[str, Any] = {"id": "bridge-closed", "lang": "en", "heading": "Similar articles", "items": [_ITEM]}
_ARTICLE: dict[str, Any] = {
    **{name: _ITEM[name] for name in ("id", "title", "published_at", "lang", "image", "image_alt")},
    "url": "https://news.example/ferry-back.html",
    "updated_at": None,
    "section": "Local",
    "tags": ["harbor"],
    "authors": ["Ada Lane"],
}


class Item(BaseModel):
    """An item of a block."""

    id: str
    title: str
    url: str | None = Field(description="as the page must write it: relative where the articles' own are")
    score: float
    reason: str = Field(description="`similar`, `pinned`, or the fallback that brought it")
    published_at: str | None
    lang: str | None
    image: str | None
    image_alt: str | None
    excerpt: str
    reasons: dict[str, Any] | None = Field(None, description="with `explain`: shared terms, and parts of the score")


class Block(BaseModel):
    """A page's block, best first."""

    model_config = ConfigDict(json_schema_extra={"examples": [_BLOCK]})

    id: str = Field(description="of the page")
    lang: str
    heading: str
    items: list[Item]


class Blocks(BaseModel):
    """Blocks of several pages."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"blocks": [_BLOCK], "missing": ["no-such-page"]}]})

    blocks: list[Block] = Field(description="in the order in which they were asked for")
    missing: list[str] = Field(description="ids that are unknown, or not public")


class Article(BaseModel):
    """An article, without its text."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ARTICLE]})

    id: str
    title: str
    url: str | None
    published_at: str | None
    updated_at: str | None
    section: str | None
    tags: list[str]
    authors: list[str]
    lang: str | None
    image: str | None
    image_alt: str | None


class Articles(BaseModel):
    """A page of the list of articles."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"articles": [_ARTICLE], "next": "66657272792d6261636b"}]}
    )

    articles: list[Article]
    next: str | None = Field(description="the cursor of the next page; null at the end")


class Health(BaseModel):
    """How the service is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ready", "snapshot": 41, "following": True}]})

    status: str
    snapshot: int | None = Field(None, description="number of the snapshot that is shown")
    following: bool | None = Field(None, description="whether the store answers; else what was read before is shown")
