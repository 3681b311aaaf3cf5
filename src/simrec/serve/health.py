"""Routes for whoever watches the service."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from simrec.serve.metrics import CONTENT_TYPE
from simrec.serve.models import Health
from simrec.serve.problems import AGAIN, ProblemError, responses
from simrec.serve.security import NOBODY, caller_of
from simrec.serve.state import Service

router = APIRouter(tags=["watching"])


@router.get("/healthz", summary="Whether the process lives", response_model=Health, response_model_exclude_none=True)
async def healthz() -> dict[str, Any]:
    """Always 200 while the process answers: where it does not, start it anew."""
    return {"status": "alive"}


@router.get("/readyz", summary="Whether there are blocks to show", response_model=Health, responses=responses(503))
async def readyz(request: Request) -> dict[str, Any]:
    """200 where a snapshot is in memory and the process is not about to end: where not, send nobody here."""
    service: Service = request.app.state.service
    if service.stopping or not service.shown.is_ready:
        raise ProblemError(503, "not ready: nothing is built yet, or the process ends", {"retry-after": AGAIN})
    return {"status": "ready", "snapshot": service.shown.snapshot.id, "following": service.following}


@router.get(
    "/metrics",
    summary="What is counted, for Prometheus",
    response_class=Response,
    openapi_extra={"security": [{"HTTPBearer": []}]},
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **responses(401, 404, 429)},
)
async def metrics(request: Request) -> Response:
    """Needs a key, unless the setting `serve.metrics` opens it; 404 where it is off."""
    service: Service = request.app.state.service
    if service.settings.metrics == "off":
        raise ProblemError(404, "there is nothing at this address")
    if service.settings.metrics == "keyed" and (caller_of(request) or NOBODY).key_id is None:
        raise ProblemError(401, "this needs a key: send `Authorization: Bearer sr_…`", {"www-authenticate": "Bearer"})
    body = service.metrics.text(service.shown, service.clock)
    return Response(body, media_type=CONTENT_TYPE, headers={"cache-control": "no-store"})
