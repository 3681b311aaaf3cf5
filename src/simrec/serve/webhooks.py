"""Webhooks of WordPress and Ghost: signed, or not looked at."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from simrec.serve.asking import SHARE, off, service_of, writer_of
from simrec.serve.examples import example
from simrec.serve.problems import ProblemError, responses
from simrec.serve.security import NOBODY, Caller
from simrec.serve.signatures import ghost_signed, wordpress_signed
from simrec.serve.state import Service
from simrec.serve.told import Told, by_ghost, by_wordpress
from simrec.settings import IngestSettings

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

Read = Callable[[object, IngestSettings, datetime], Told | None]


class Heard(BaseModel):
    """What a webhook did."""

    model_config = example("Heard")

    articles: list[str] = Field(description="ids of the articles")
    blocks: int = Field(description="pages whose blocks were made again")
    waiting: bool = Field(description="the articles are stored, and the blocks follow with the next `simrec build`")


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": Heard, "description": "It is in all blocks"},
    204: {"description": "Nothing had to be done"},
    **responses(400, 401, 404, 413, 415, 422, 503),
}
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


@router.post("/wordpress", summary="WordPress tells of a post", responses=_ANSWERS, openapi_extra=_BODY)
async def post_wordpress(request: Request) -> Response:
    """Signed with HMAC-SHA256 of the body in `X-Hub-Signature-256` or `X-WP-Webhook-Signature`, as hex or base64."""
    service = service_of(request)
    body = await request.body()
    secret = _secret(service.settings.wordpress_secret)
    if not wordpress_signed(request.headers, body, secret):
        raise _refused()
    return await _do(request, "wordpress", body, by_wordpress)


@router.post("/ghost", summary="Ghost tells of a post or page", responses=_ANSWERS, openapi_extra=_BODY)
async def post_ghost(request: Request) -> Response:
    """Signed as Ghost does, in `X-Ghost-Signature`, no longer than five minutes ago."""
    service = service_of(request)
    body = await request.body()
    secret = _secret(service.settings.ghost_secret)
    if not ghost_signed(request.headers, body, secret, service.clock()):
        raise _refused()
    return await _do(request, "ghost", body, by_ghost)


def _secret(secret: str) -> str:
    if not secret:
        raise ProblemError(404, "there is nothing at this address")
    return secret


def _refused() -> ProblemError:
    return ProblemError(401, "the signature is missing, wrong, or too old")


async def _do(request: Request, sender: str, body: bytes, read: Read) -> Response:
    """Does what a webhook tells, once, and answers when it is in all blocks."""
    service = service_of(request)
    request.state.caller = Caller(None, f"webhook of {sender}", frozenset())
    told = await off(service, partial(_read, service, body, read))
    if told is None:
        request.state.caller = NOBODY  # it changes nothing, and leaves no row in the audit
        return Response(status_code=204)
    request.state.target = told.id
    done = await off(service, partial(_asked, service, f"{sender}:{hashlib.sha256(body).hexdigest()}", told))
    if not done["articles"]:
        return Response(status_code=204)
    shown = {"articles": done["articles"], "blocks": len(done["blocks"]), "waiting": done["waiting"]}
    return Response(json.dumps(shown), media_type="application/json")


def _read(service: Service, body: bytes, read: Read) -> Told | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProblemError(422, "the body is no JSON") from error
    return read(value, service.workspace.settings.ingest, service.clock())


def _asked(service: Service, key: str, told: Told) -> dict[str, Any]:
    """What is sent again is not done again: it has the same answer."""
    writer = writer_of(service)
    done = writer.wait(writer.ask(told.kind, told.payload, key), service.settings.timeout * SHARE)
    service.metrics.publishes.labels(told.kind).inc()
    return done
