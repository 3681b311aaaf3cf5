"""What may be sent to the service to change the site, with examples; each article is checked as ingests check it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, model_validator

from simrec.ingest.fragment import fragment_text
from simrec.ingest.record import FieldError, to_article, to_id
from simrec.settings import IngestSettings
from simrec.store.records import DATES, LISTS, PLAIN
from simrec.text import safe_url
from simrec.types import Article

ARTICLE: dict[str, Any] = {
    "title": "Mill Bridge closed after crack is found",
    "body": "Engineers found a crack in the second anchor.\n\nLorries are sent over the ring road.",
    "url": "https://news.example/mill-bridge-closed",
    "published_at": "2025-05-31T10:00:00Z",
    "section": "city",
    "tags": ["bridge", "traffic"],
    "authors": ["Ann Lee"],
    "lang": "en",
}


def _an_id(text: str) -> str:
    return to_id(text)


def plain(text: str) -> str:
    """A text that every store can hold.

    Raises:
        ValueError: it is none.
    """
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("it holds a NUL or half of a character: remove it")
    return text


Id = Annotated[str, AfterValidator(_an_id), Field(min_length=1, max_length=512, examples=["mill-bridge-closed"])]
"""An article's id."""
Plain = Annotated[str, AfterValidator(plain)]
"""A text that every store can hold."""
Note = Annotated[Plain, Field(max_length=1000)]


class ArticleIn(BaseModel):
    """An article, as a line of `articles.jsonl` has it; what has another name is kept in `extra`."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [ARTICLE]})

    id: str | StrictInt | None = Field(None, description="its id; where the address has one, it has to be the same")
    title: str | None = Field(None, description="plain text; needed, unless `status` takes the article out of sight")
    body: str | None = Field(None, description="plain text, paragraphs divided by an empty line; or `body_html`")
    body_html: str | None = Field(None, description="the body as HTML: what can be read of it is kept, and no markup")
    url: str | None = Field(None, description="http or https, or a path on the site")
    published_at: str | None = Field(None, description="ISO 8601; no zone means UTC")
    updated_at: str | None = Field(None, description="ISO 8601; no zone means UTC")
    section: str | None = None
    tags: list[str] | str | None = None
    authors: list[str] | str | None = None
    lang: str | None = Field(None, description="BCP 47; found out where it is missing")
    image: str | None = Field(None, description="address of a picture")
    image_alt: str | None = None
    status: Literal["published", "draft", "embargoed", "withdrawn"] | None = None
    embargo_until: str | None = Field(None, description="ISO 8601; no zone means UTC")
    expires_at: str | None = Field(None, description="ISO 8601; no zone means UTC")
    canonical_id: str | StrictInt | None = Field(None, description="id of the article that this is a copy of")

    @model_validator(mode="after")
    def _one_body(self) -> ArticleIn:
        if self.body is not None and self.body_html is not None:
            raise ValueError("send body or body_html, not both")
        return self

    def checked(self, settings: IngestSettings, id_: str | None = None) -> Article | str:
        """The article, or the reason why it is none.

        Args:
            settings: of the site.
            id_: the id that it must have; None: its own.
        """
        record = {name: value for name, value in self.model_dump().items() if value is not None}
        html = record.pop("body_html", None)
        if html is not None:
            record["body"] = fragment_text(html)
        try:
            if id_ is not None and "id" in record and to_id(record["id"]) != to_id(id_):
                return f"the address says {id_!r} and the body {record['id']!r}: send the id once, or the same twice"
        except FieldError as error:
            return str(error)
        article = to_article(record if id_ is None else record | {"id": id_}, settings)
        return article if isinstance(article, str) else reason_unsafe(article) or article


class BatchIn(BaseModel):
    """Articles that are published together: all of them, or none."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"articles": [{"id": "mill-bridge-closed", **ARTICLE}]}]}
    )

    articles: list[ArticleIn] = Field(min_length=1, description="at most `max_batch` of them, no id twice")


class DraftIn(ArticleIn):
    """A text that is not published yet."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{**ARTICLE, "k": 5}]})

    k: StrictInt | None = Field(None, ge=1, le=100, description="items; as many as a block has, where it is missing")
    explain: StrictBool = Field(False, description="say in words why each item is there")


class ActIn(BaseModel):
    """What an editor does to the block of a page."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"action": "pin", "target_id": "mill-bridge-fund", "rank": 1, "version": 0}]},
    )

    action: Literal["pin", "unpin", "ban", "unban", "order", "accept", "unaccept"]
    target_id: Id | None = Field(None, description="the article; not for `order`")
    targets: list[Id] = Field([], max_length=100, description="for `order`: all that is pinned, the first first")
    rank: StrictInt | None = Field(None, ge=1, le=100, description="for `pin`: the place among the pins")
    version: StrictInt | None = Field(
        None, ge=0, le=2**53, description="of the page that was looked at; another one now is a conflict"
    )
    note: Note | None = Field(None, description="why, for the log")


class UndoIn(BaseModel):
    """Takes an act back."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 12}]})

    version: StrictInt | None = Field(None, ge=0, le=2**53, description="of the page that was looked at")


class PickIn(BaseModel):
    """An article that belongs into the block of a page, for training and evaluation."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"target_id": "mill-bridge-fund"}]})

    target_id: Id
    note: Note | None = None


class ActivateIn(BaseModel):
    """Shows a snapshot."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"force": False}]})

    force: StrictBool = Field(False, description="also where the gate refused it")


def reason_unsafe(article: Article) -> str | None:
    """Why an article's addresses cannot be used; None where they can."""
    for name in ("url", "image"):
        value = getattr(article, name)
        if value and safe_url(value) is None:
            return f"{name} must be http or https, or a path on the site"
    return None


def to_record(article: Article) -> dict[str, Any]:
    """An article as a line of `articles.jsonl` has it: what `to_article` makes the same article of."""
    values: dict[str, Any] = {name: getattr(article, name) for name in PLAIN}
    values |= {name: getattr(article, name).isoformat() for name in DATES if getattr(article, name)}
    values |= {name: list(getattr(article, name)) for name in LISTS}
    return {**article.extra, **{name: value for name, value in values.items() if value not in (None, "")}}


def canonical(payload: Mapping[str, Any]) -> bytes:
    """A payload as bytes that are the same for the same payload."""
    return json.dumps(payload, sort_keys=True, ensure_ascii=True).encode()
