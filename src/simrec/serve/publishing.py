"""Articles published, changed, taken out, and looked at before they are."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field

from simrec.serve.asking import SHARE, IdempotencyKey, ask, off, service_of, writer_of
from simrec.serve.drafting import Drafter
from simrec.serve.examples import example
from simrec.serve.forms import ArticleIn, BatchIn, DraftIn, to_record
from simrec.serve.paths import ArticleId
from simrec.serve.problems import ProblemError, responses
from simrec.serve.security import Publisher
from simrec.types import Article

router = APIRouter(prefix="/v1", tags=["publishing"])


class Published(BaseModel):
    """What publishing did: it is in all blocks now, unless they wait."""

    model_config = example("Published")

    articles: list[str] = Field(description="ids of the articles", examples=[["mill-bridge-closed"]])
    new: list[str] = Field(description="those of them that were not there before", examples=[["mill-bridge-closed"]])
    blocks: list[str] = Field(
        description="ids of the public pages, and of these articles, whose blocks were made again",
        examples=[["mill-bridge-closed", "ferry-strike"]],
    )
    waiting: bool = Field(description="the articles are stored, and the blocks follow with the next `simrec build`")
    snapshot: int | None = Field(None, description="the snapshot that has the change", examples=[12])
    revision: int | None = Field(None, description="how often that was changed", examples=[345])


class DraftItem(BaseModel):
    """An article that would stand in the block."""

    id: str
    title: str
    url: str | None
    score: float
    reasons: dict[str, Any]


class Drafted(BaseModel):
    """The block that a text would have."""

    model_config = example("Drafted")

    items: list[DraftItem]


@router.put(
    "/articles/{id}",
    response_model=Published,
    summary="Publish an article, or its new version",
    responses={
        201: {"model": Published, "description": "It is new"},
        **responses(400, 401, 403, 404, 409, 412, 413, 415, 422, 503),
    },
)
async def put_article(
    request: Request, response: Response, id: ArticleId, body: ArticleIn, caller: Publisher,
    idempotency_key: IdempotencyKey = None,
    if_none_match: Annotated[str | None, Header(description="`*`: only where there is no such article yet")] = None,
) -> dict[str, Any]:  # fmt: skip
    """Answers when the article is in all blocks that it belongs into, and out of those it does not."""
    article = _checked(request, body, id)
    if if_none_match not in (None, "*"):
        raise ProblemError(422, "If-None-Match is understood as * alone: only where there is no such article yet")
    payload = {"articles": [to_record(article)]} | ({"only_new": True} if if_none_match else {})
    done = await ask(request, caller, "publish", payload, idempotency_key)
    if done.get("exists"):
        raise ProblemError(412, f"there is an article {id!r}: leave If-None-Match out to replace it")
    response.status_code = 201 if article.id in done["new"] else 200
    return done


@router.post(
    "/articles:batch",
    response_model=Published,
    summary="Publish several articles together",
    responses=responses(400, 401, 403, 404, 409, 413, 415, 422, 503),
)
async def post_articles(
    request: Request, body: BatchIn, caller: Publisher, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """All of them or, where one cannot be used, none."""
    settings = service_of(request).settings
    if len(body.articles) > settings.max_batch:
        raise ProblemError(422, f"{len(body.articles)} articles in one request: send at most {settings.max_batch}")
    ingest = service_of(request).workspace.settings.ingest
    found = [one.checked(ingest) for one in body.articles]
    wrong = [{"where": f"articles.{at}", "message": one} for at, one in enumerate(found) if isinstance(one, str)]
    articles = [one for one in found if isinstance(one, Article)]
    twice = {one.id for one in articles if sum(one.id == other.id for other in articles) > 1} if not wrong else set()
    wrong += [{"where": "articles", "message": f"the id {id_!r} is there twice"} for id_ in sorted(twice)]
    if wrong:
        told = "; ".join(f"{one['where']}: {one['message']}" for one in wrong[:3])
        raise ProblemError(422, f"{told}: nothing was published", more={"errors": wrong[:100]})
    return await ask(request, caller, "publish", {"articles": [to_record(one) for one in articles]}, idempotency_key)


@router.delete(
    "/articles/{id}",
    response_model=Published,
    summary="Take an article out of all blocks",
    responses=responses(401, 403, 404, 409, 422, 503),
)
async def delete_article(
    request: Request, id: ArticleId, caller: Publisher, idempotency_key: IdempotencyKey = None,
    draft: Annotated[bool, Query(description="it becomes a draft again, in place of withdrawn")] = False,
) -> dict[str, Any]:  # fmt: skip
    """It stays in the store, and no ingest brings it back: publish it again to do that."""
    return await ask(request, caller, "withdraw", {"ids": [id], "draft": draft}, idempotency_key)


@router.post(
    "/similar",
    response_model=Drafted,
    summary="The block that a text would have",
    responses=responses(400, 401, 403, 413, 415, 422, 503),
)
async def post_similar(request: Request, body: DraftIn, _: Drafter) -> dict[str, Any]:
    """An editor's draft, before it is saved: nothing of it stays. docs/publish-http.md says where it passes through."""
    article = _checked(request, body, None if body.id is not None else f"draft:{uuid.uuid4()}", also=("k", "explain"))
    if article.is_notice:  # its state says that it may be short of a text
        raise ProblemError(422, "there is no text to find similar articles for: send title and body")
    payload = {"article": to_record(article), "k": body.k, "explain": body.explain}
    service = service_of(request)
    call = partial(writer_of(service).call, "similar", payload, timeout=service.settings.timeout * SHARE)
    return await off(service, call)


def _checked(request: Request, body: ArticleIn, id_: str | None, also: tuple[str, ...] = ()) -> Article:
    """The article that was sent; `also` names what was sent beside it."""
    article = body.model_copy(update=dict.fromkeys(also)).checked(service_of(request).workspace.settings.ingest, id_)
    if isinstance(article, str):
        raise ProblemError(422, article)
    return article
