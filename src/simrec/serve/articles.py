"""Routes that read: blocks and articles."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urljoin

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt
from starlette.responses import Response

from simrec.errors import NotFoundError
from simrec.serve.lane import Key, Ready, is_same
from simrec.serve.models import Article, Articles, Block, Blocks
from simrec.serve.paths import ArticleId
from simrec.serve.problems import ProblemError, responses
from simrec.serve.rendering import TYPES, Format, article_values, as_json
from simrec.serve.security import Reader
from simrec.serve.seen import NEVER
from simrec.serve.state import Service
from simrec.text import safe_url
from simrec.types import Article as Stored

READING = "reading"
"""Tag of the routes that anybody may ask, where reading is open."""
router = APIRouter(tags=[READING])

PAGE = 100
"""Articles of a page of the list, unless asked otherwise."""
MOST_PAGE = 500
Items = Annotated[int | None, Query(ge=1, le=100, description="items; as many as were built, where it is left out")]
Excluded = Annotated[
    list[str],
    Query(
        max_length=100, description="an id that must not stand in it, since it stands elsewhere on the page; repeat it"
    ),
]
Explained = Annotated[bool, Query(description="say which words and parts of the score brought each item; JSON only")]


class Batch(BaseModel):
    """Blocks that are asked for at once."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"ids": ["bridge-closed", "ferry-back"], "k": 3}]}
    )

    ids: Annotated[list[Annotated[str, Field(max_length=2000)]], Field(min_length=1, description="ids of pages")]
    k: Annotated[StrictInt | None, Field(ge=1, le=100)] = None
    exclude: Annotated[list[str], Field(max_length=100)] = []
    explain: StrictBool = False


class Choice(BaseModel):
    """What a block may be asked for with."""

    model_config = ConfigDict(extra="forbid")

    k: Items = None
    format: Annotated[Format, Query(description="of the answer")] = "json"
    exclude: Excluded = []
    explain: Explained = False


class Several(BaseModel):
    """What blocks of several pages may be asked for with."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[str], Query(min_length=1, description="the page's id; repeat it")]
    k: Items = None
    exclude: Excluded = []
    explain: Explained = False


class Listing(BaseModel):
    """Which part of the list of articles is asked for."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[
        str, Query(max_length=8000, pattern="^([0-9a-f]{2})*$", description="`next` of the page before")
    ] = ""
    limit: Annotated[int, Query(ge=1, le=MOST_PAGE, description="articles of a page")] = PAGE


_FORMATS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The block. An empty one has no items; its HTML is empty.",
        "content": {
            "text/html": {"schema": {"type": "string"}, "example": '<nav class="similar-articles">…</nav>'},
            "application/ld+json": {"schema": {"type": "object"}},
        },
    },
    304: {"description": "It is what the ETag in If-None-Match says"},
}


@router.get(
    "/v1/articles/{id}/similar",
    summary="The block of an article",
    response_model=Block,
    responses={**_FORMATS, **responses(401, 403, 404, 422, 429, 503)},
)
async def similar(request: Request, id: ArticleId, asked: Annotated[Choice, Query()], caller: Reader) -> Response:
    """The "Similar articles" block of a page, as readers see it at this moment.

    It can be held by a cache for as long as Cache-Control says. An article that is not public is not found, as one that
    does not exist.
    """
    service: Service = request.app.state.service
    k, lane = asked.k or service.shown.snapshot.k, service.lane
    if not asked.exclude:
        ready = lane.get(Key(id, k, asked.format, asked.explain), _address(request))
    else:
        ready = lane.once(Key(id, k, asked.format, asked.explain), asked.exclude)
    if ready.is_empty:
        service.metrics.empty.inc()
    return given(request, ready)


@router.get(
    "/v1/similar",
    summary="The blocks of several articles",
    response_model=Blocks,
    responses=responses(401, 403, 422, 429, 503),
)
async def several(request: Request, asked: Annotated[Several, Query()], caller: Reader) -> Response:
    """Blocks of several pages at once. Pages that are unknown, or not public, are named in `missing`."""
    service: Service = request.app.state.service
    body, until = _blocks(service, asked.ids, asked.k, asked.exclude, explain=asked.explain)
    return given(request, service.lane.dressed(body, "json", until))


@router.post(
    "/v1/similar:batch",
    summary="The blocks of several articles, whose ids are in the body",
    response_model=Blocks,
    responses=responses(400, 401, 403, 413, 415, 422, 429, 503),
)
async def batch(request: Request, asked: Batch, caller: Reader) -> Response:
    """The same as `GET /v1/similar`, for ids that do not fit into an address."""
    body, _ = _blocks(request.app.state.service, asked.ids, asked.k, asked.exclude, explain=asked.explain)
    return Response(body, media_type="application/json")


@router.get(
    "/v1/articles",
    summary="The articles that readers may see",
    response_model=Articles,
    responses=responses(401, 403, 422, 429, 503),
)
async def articles(request: Request, asked: Annotated[Listing, Query()], caller: Reader) -> Response:
    """Articles by id, a page after the other: `next` is the cursor of the next one, null at the end."""
    service: Service = request.app.state.service
    after = bytes.fromhex(asked.cursor).decode("utf-8", "replace")
    found = service.shown.public_after(after, asked.limit + 1)
    more = len(found) > asked.limit
    found = found[: asked.limit]
    cursor = found[-1].id.encode("utf-8", "replace").hex() if more else None
    body = as_json({"articles": [_values(service, one) for one in found], "next": cursor})
    response = Response(body, media_type="application/json", headers=_private(service))
    if cursor:
        response.headers["link"] = f'</v1/articles?cursor={cursor}&limit={asked.limit}>; rel="next"'
    return response


@router.get(
    "/v1/articles/{id}",
    summary="An article",
    response_model=Article,
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def article(request: Request, id: ArticleId, caller: Reader) -> Response:
    """An article that readers may see, without its text."""
    service: Service = request.app.state.service
    body = as_json(_values(service, service.shown.public(id)))
    return Response(body, media_type="application/json", headers=_private(service))


def given(request: Request, ready: Ready) -> Response:
    """A body with its headers, or 304 where who asks has it."""
    service: Service = request.app.state.service
    said = request.headers.get("if-none-match")
    same = is_same(said.encode("latin-1") if said is not None else None, ready.etag)
    response = Response(b"" if same else ready.body, 304 if same else 200)
    response.raw_headers = list(service.lane.headers(ready, brief=same))
    return response


def _blocks(
    service: Service, ids: list[str], k: int | None, exclude: list[str], *, explain: bool
) -> tuple[bytes, float]:
    """The body, and how long it lasts; what is missing says nothing of that, or it would tell what is to come."""
    most = service.settings.max_batch
    if len(ids) > most:
        raise ProblemError(422, f"ids: at most {most} at once, not {len(ids)}")
    k = k or service.shown.snapshot.k
    found, missing, until = [], [], NEVER
    for id_ in dict.fromkeys(ids):
        key = Key(id_, k, "json", explain)
        try:
            ready = service.lane.once(key, exclude) if exclude else service.lane.get(key)
        except NotFoundError:
            missing.append(id_)
        else:
            found.append(ready.body)
            if ready.is_empty:
                service.metrics.empty.inc()
            until = min(until, ready.until)
    return b'{"blocks":[' + b",".join(found) + b'],"missing":' + as_json(missing) + b"}", until


def _values(service: Service, article: Stored) -> dict[str, Any]:
    base = service.workspace.settings.site.url
    base = f"{base.rstrip('/')}/" if base else ""
    return article_values(article, _absolute(base, article.url), _absolute(base, article.image))


def _absolute(base: str, url: str | None) -> str | None:
    url = safe_url(url)
    try:
        return urljoin(base, url) if url else None
    except ValueError:
        return None


def _address(request: Request) -> bytes:
    query, raw = request.scope["query_string"], request.scope.get("raw_path") or b""
    return bytes(raw + b"?" + query if query else raw)


def _private(service: Service) -> dict[str, str]:
    who = "private" if service.settings.reads == "keyed" else "public"
    headers = {"cache-control": f"{who}, max-age=0, must-revalidate"}
    return headers | ({"vary": "Authorization"} if who == "private" else {})


__all__ = ["TYPES", "router"]
