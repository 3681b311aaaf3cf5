"""From a request of HTTP to the writer, and back: with keys of requests that may come twice, and limits of time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Header, Request

from simrec.serve.forms import canonical
from simrec.serve.problems import AGAIN, ProblemError
from simrec.serve.security import Caller
from simrec.serve.state import Service
from simrec.serve.writer import Writer

T = TypeVar("T")

MOST_WAITING = 64
"""Requests of a process that wait for the writer at once; more of them wait for their turn."""
SHARE = 0.9
"""Of the time that a request may take: so much is left to the writer."""
_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,200})"?')

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=202,
        description="names this request: sent again with the same key within 24 hours, it is not done again, and has "
        "the same answer",
        examples=["7f6b5a0e-2f0c-4f7e-9d0a-5f6f0f0f8a11"],
    ),
]

_limiters: dict[int, CapacityLimiter] = {}


def service_of(request: Request) -> Service:
    """The service that a request is sent to."""
    found = request.app.state.service
    assert isinstance(found, Service)  # noqa: S101 - `create_app` has put it there
    return found


async def ask(
    request: Request, caller: Caller, kind: str, payload: Mapping[str, Any], key: str | None = None
) -> dict[str, Any]:
    """Has the writer do something.

    Args:
        request: that asks for it.
        caller: whose keys it counts among.
        kind, payload: see `Writer.call`.
        key: as the header says it.

    Raises:
        ProblemError: the key came with another request (422), or with one that is not done yet (409).
        SimrecError: it cannot be done.
    """
    service = service_of(request)
    named = None if key is None else _named(caller, key)
    fingerprint = _digest(request.method, request.url.path, canonical({"kind": kind, "payload": payload}).decode())
    return await off(service, partial(_asked, service, kind, payload, named, fingerprint))


async def off(service: Service, work: Callable[[], T]) -> T:
    """Does something that waits, beside the loop that answers readers."""
    limiter = _limiters.setdefault(id(service), CapacityLimiter(MOST_WAITING))
    return await to_thread.run_sync(work, limiter=limiter)


def writer_of(service: Service) -> Writer:
    """The writer.

    Raises:
        ProblemError: this service changes nothing (503).
    """
    if service.writer is None:
        raise ProblemError(503, "this service only reads", {"retry-after": AGAIN})
    writer: Writer = service.writer
    return writer


def _asked(
    service: Service, kind: str, payload: Mapping[str, Any], key: str | None, fingerprint: str
) -> dict[str, Any]:
    writer = writer_of(service)
    receipt = writer.ask(kind, payload, key, fingerprint)
    if receipt.fingerprint != fingerprint:
        raise ProblemError(422, "this Idempotency-Key came with another request: send one of its own with each")
    if not receipt.new and not writer.answered(receipt):
        raise ProblemError(409, "the request with this Idempotency-Key is not done yet", {"retry-after": "1"})
    done = writer.wait(receipt, service.settings.timeout * SHARE)
    service.metrics.publishes.labels(kind).inc()
    return done


def _named(caller: Caller, key: str) -> str:
    found = _KEY.fullmatch(key.strip())
    if found is None:
        raise ProblemError(422, "an Idempotency-Key is 1 to 200 visible characters of ASCII, best a UUID")
    return _digest(caller.key_id or "", found[1])


def _digest(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()
