"""Errors as RFC 9457 has them: `application/problem+json`, for everything that goes wrong."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from simrec.errors import (
    ConflictError,
    GateError,
    InputError,
    LockedError,
    NotFoundError,
    SettingsError,
    SimrecError,
    StoreError,
    UsageError,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
NO_ARTICLE = "there is no such article"
"""What is said of an article that is unknown, and of one that is not public: nobody can tell the two apart."""
AGAIN = "5"
"""Seconds after which to ask again, where something is away or busy."""

_STATUS: tuple[tuple[type[SimrecError], int], ...] = (
    (NotFoundError, 404),
    (SettingsError, 500),
    (UsageError, 422),
    (InputError, 422),
    (ConflictError, 409),
    (GateError, 409),
    (LockedError, 503),
    (StoreError, 503),
)
"""The first that fits; what is in none of them is a fault of simrec, 500."""


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str = Field("about:blank", description="`about:blank`: the title says it")
    title: str = Field(description="the status in words", examples=["Not Found"])
    status: int = Field(description="the status", examples=[404])
    detail: str = Field(description="what went wrong, and what to do", examples=[NO_ARTICLE])
    request_id: str = Field(description="names this request in the log", examples=["6f1c2a9be07d4c55"])
    errors: list[dict[str, Any]] | None = Field(None, description="what is wrong with which value, with status 422")


class ProblemError(Exception):
    """What a route raises to answer with a problem.

    Args:
        status: of HTTP.
        detail: what went wrong, and what to do, in words that anybody may read.
        headers: further ones.
        more: further members.
    """

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, dict(headers or {}), dict(more or {})


def body_of(status: int, detail: str, request_id: str, more: Mapping[str, Any] | None = None) -> bytes:
    """A problem's body."""
    values = {"type": "about:blank", "title": phrase(status), "status": status, "detail": detail}
    text = json.dumps({**values, "request_id": request_id, **(more or {})}, ensure_ascii=False)
    return text.encode("utf-8", "replace")


def phrase(status: int) -> str:
    """A status in words."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def answer(request: Request, error: ProblemError) -> Response:
    """A problem as a response."""
    body = body_of(error.status, error.detail, request_id(request), error.more)
    return Response(body, error.status, {"cache-control": "no-store", **error.headers}, MEDIA_TYPE)


def request_id(request: Request) -> str:
    """What names a request in the log."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def as_problem(error: SimrecError) -> ProblemError:
    """An error of the library as a problem; what it says of files and databases stays in the log."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    headers = {"retry-after": AGAIN} if status == 503 else {}
    detail = " ".join(str(error).split())
    if status >= 500:
        logger.error("%s: %s", type(error).__name__, detail)
        detail = "the store is away or busy: ask again" if status == 503 else "the request failed, the log says why"
    if isinstance(error, LockedError):
        detail = "another command is at work: ask again"
    return ProblemError(status, detail, headers)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: that a route may answer with these problems."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        example = {"type": "about:blank", "title": phrase(status), "status": status, "detail": _EXAMPLES[status]}
        example["request_id"] = "6f1c2a9be07d4c55"
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
        found[status] = {"description": phrase(status), "content": content}
    return found


_EXAMPLES = {
    400: "the request cannot be read",
    401: "this needs a key: send `Authorization: Bearer sr_…`",
    403: "the key has not the scope edit",
    404: NO_ARTICLE,
    405: "there is no PATCH here",
    409: "another editor has changed this page meanwhile",
    412: "there is an article 'mill-bridge-closed': leave If-None-Match out to replace it",
    413: "a request has at most 2048 kB",
    415: "send application/json",
    422: "k: Input should be less than or equal to 100",
    429: "too many requests: ask again in 3 seconds",
    500: "the request failed, the log says why",
    503: "the store is away or busy: ask again",
}


def add_handlers(app: FastAPI) -> None:
    """Makes an application answer with problems, whatever goes wrong."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(SimrecError, _simrec)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - what it is registered for
    return answer(request, error)


async def _simrec(request: Request, error: Exception) -> Response:
    assert isinstance(error, SimrecError)  # noqa: S101 - what it is registered for
    return answer(request, as_problem(error))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    found = [_told(one) for one in error.errors()]
    detail = "; ".join(f"{one['where']}: {one['message']}" for one in found[:3])
    return answer(request, ProblemError(422, detail, more={"errors": found}))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    detail = error.detail
    if detail == phrase(error.status_code):
        said = {404: "there is nothing at this address", 405: f"there is no {request.method} here"}
        detail = said.get(error.status_code, detail)
    return answer(request, ProblemError(error.status_code, detail, error.headers))


async def _fault(request: Request, error: Exception) -> Response:
    del error  # `simrec.serve.front` notes it, for it is raised again
    return answer(request, ProblemError(500, "the request failed, the log says why"))


def _told(error: Mapping[str, Any]) -> dict[str, str]:
    """Where a value is wrong, and why; the value itself is not said back."""
    where: Sequence[Any] = error["loc"]
    return {"where": ".".join(str(part) for part in where[1:]) or str(where[0]), "message": str(error["msg"])}
