"""What stands before all routes: who may ask, how much, and what every response says."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import count
from typing import Any

from simrec.serve.headers import SAFE, Pairs, with_missing, with_vary
from simrec.serve.lane import Ready, is_same
from simrec.serve.limits import WITH_BODY, Buckets, check_type, group_of, read_body
from simrec.serve.paths import routed
from simrec.serve.problems import AGAIN, MEDIA_TYPE, ProblemError, body_of
from simrec.serve.security import ANYBODY, NOBODY, Caller, bearer
from simrec.serve.state import Service

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

UNMATCHED = "unmatched"
"""Route of the requests that none is for, in logs and metrics."""
SIMILAR = "/v1/articles/{id}/similar"
REFUSED = ("/desk/login", 401)
"""Route and status of a failed attempt to sign in."""
READS_BY_POST = frozenset({"/v1/similar:batch"})
OF_THE_HOST = frozenset({"/healthz", "/readyz"})
"""Paths that whoever watches the machine asks for, by whatever name: neither host nor rate is looked at."""


class Asked:
    """A request under way: what is said of it in the log, and in its answer."""

    __slots__ = ("caller", "head", "headers", "id", "method", "path", "size", "start", "started", "status")

    def __init__(self, scope: Scope, number: str) -> None:
        self.id, self.method, self.path = number, str(scope["method"]), str(scope["path"])
        self.head = self.method == "HEAD"
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.caller: Caller = NOBODY
        self.start = time.perf_counter()
        self.started, self.status, self.size = False, 0, 0


class Front:
    """Pure ASGI, around the whole application.

    Args:
        app: the application.
        service: what is served.
        allowed: tells which methods there are at a request's path.
    """

    def __init__(self, app: Any, service: Service, allowed: Callable[[Scope], list[str]]) -> None:
        self._app, self._service, self._allowed = app, service, allowed
        settings = service.settings
        self._settings, self._lane, self._cors, self._hosts = settings, service.lane, service.cors, service.hosts
        self._changes, self._reads = (Buckets(rate, time.monotonic) for rate in (settings.rate, settings.read_rate))
        self._open = settings.reads == "open"
        self._most = settings.max_body_kb * 1024
        self._run, self._numbers = os.urandom(4).hex(), count()

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        asked = Asked(scope, f"{self._run}{next(self._numbers) & 0xFFFFFFFF:08x}")
        if asked.method in ("GET", "HEAD"):
            query = scope["query_string"]
            raw = scope.get("raw_path") or b""
            ready = self._lane.find(raw + b"?" + query if query else raw)
            if ready is not None and self._is_plain(asked, scope):
                await self._give(asked, ready, send)
                return
        await self._slowly(asked, scope, receive, send)

    def _is_plain(self, asked: Asked, scope: Scope) -> bool:
        """Whether a request for what is held ready can be answered at once, with nothing else to look at."""
        headers = asked.headers
        if not self._hosts.has(headers.get(b"host", b"")):
            return False
        if not self._open or b"authorization" in headers:
            asked.caller = self._caller(headers)
            if "read" not in asked.caller.scopes:
                return False
        return not self._settings.read_rate or self._reads.take(self._who(asked, scope)) == 0

    async def _give(self, asked: Asked, ready: Ready, send: Send) -> None:
        same = is_same(asked.headers.get(b"if-none-match"), ready.etag)
        headers = [*self._lane.headers(ready, brief=same), (b"x-request-id", asked.id.encode())]
        if self._cors.is_on:
            headers += self._cors.of(asked.headers.get(b"origin"))
        asked.status = 304 if same else 200
        body = b"" if same or asked.head else ready.body
        asked.size = len(body)
        metrics = self._service.metrics
        metrics.hits += 1
        if ready.is_empty:
            metrics.empty.inc()
        await send({"type": "http.response.start", "status": asked.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self._note(asked, SIMILAR)

    async def _slowly(self, asked: Asked, scope: Scope, receive: Any, send: Send) -> None:
        async def answer(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                asked.started, asked.status = True, message["status"]
                message = {**message, "headers": self._dressed(asked, list(message["headers"]), scope)}
            elif message["type"] == "http.response.body":
                if asked.head:
                    message = {**message, "body": b""}
                asked.size += len(message.get("body", b""))
            await send(message)

        try:
            await self._route(asked, scope, receive, answer)
        except ProblemError as error:
            await _refuse(asked, error, answer)
        except TimeoutError:
            self._service.metrics.errors.labels("timeout").inc()
            late = ProblemError(503, "the request took too long: ask again", {"retry-after": AGAIN})
            await _refuse(asked, late, answer)
        except Exception:  # a fault of our own must not show itself to who asked
            logger.exception("request %s failed", asked.id)
            self._service.metrics.errors.labels("fault").inc()
            await _refuse(asked, ProblemError(500, "the request failed, the log says why"), answer)
        finally:
            route = getattr(scope.get("route"), "path", None) or UNMATCHED
            self._note(asked, route)
            await self._audit(asked, scope, route)

    async def _route(self, asked: Asked, scope: Scope, receive: Any, send: Send) -> None:
        raw = scope.get("raw_path") or asked.path.encode()
        headers, mine = asked.headers, dict(scope.get("state") or {})
        scope["state"] = mine
        mine["request_id"] = asked.id
        if asked.path not in OF_THE_HOST:
            if not self._hosts.has(headers.get(b"host", b"")):
                raise ProblemError(400, "this is not the host of the service: see the setting serve.hosts")
            asked.caller = mine["caller"] = self._caller(headers)
            self._limit(asked, scope)
        if asked.method == "OPTIONS":
            await self._options(asked, scope, send)
            return
        path = routed(raw)
        if path is not None:
            scope["path"] = path
        if asked.head:
            scope["method"] = "GET"
        if asked.method in WITH_BODY:
            body = await read_body(receive, headers, self._most, self._settings.timeout)
            if body is None:
                return
            if body:
                check_type(asked.path, headers)
            receive = _once(body, receive)
        async with asyncio.timeout(self._settings.timeout) as limit:

            async def begun(message: MutableMapping[str, Any]) -> None:
                limit.reschedule(None)  # an answer that has begun is sent whole
                await send(message)

            await self._app(scope, receive, begun)

    def _limit(self, asked: Asked, scope: Scope) -> None:
        reads = asked.method not in WITH_BODY or asked.path in READS_BY_POST
        wait = (self._reads if reads else self._changes).take(self._who(asked, scope))
        if wait:
            said = f"too many requests: ask again in {wait} seconds"
            raise ProblemError(429, said, {"retry-after": str(wait)})

    async def _options(self, asked: Asked, scope: Scope, send: Send) -> None:
        path = routed(scope.get("raw_path") or b"")
        methods = self._allowed({**scope, "path": path or scope["path"]})
        if not methods:
            raise ProblemError(404, "there is nothing at this address")
        headers: Pairs = [(b"allow", ", ".join(methods).encode()), (b"content-length", b"0")]
        if b"access-control-request-method" in asked.headers and "GET" in methods:
            headers += self._cors.preflight(asked.headers)
        await send({"type": "http.response.start", "status": 204, "headers": headers[:1] + headers[2:]})
        await send({"type": "http.response.body", "body": b""})

    def _dressed(self, asked: Asked, headers: Pairs, scope: Scope) -> Pairs:
        """Headers of a response, with what each one has."""
        if asked.status == 405:
            methods = self._allowed({**scope, "method": asked.method})
            headers = [(n, v) for n, v in headers if n.lower() != b"allow"]
            headers.append((b"allow", ", ".join(methods).encode()))
        names = {name.lower() for name, _ in headers}
        if asked.path.startswith("/v1/"):
            if b"cache-control" not in names:
                headers.append((b"cache-control", b"no-store"))
            if self._cors.is_on and asked.method in ("GET", "HEAD"):
                shown = [*self._cors.always, *self._cors.of(asked.headers.get(b"origin"))]
                for name, value in shown if b"etag" not in names else shown[len(self._cors.always) :]:
                    headers = with_vary(headers, value) if name == b"vary" else [*headers, (name, value)]
        headers = with_missing(headers, SAFE)
        return [*headers, (b"x-request-id", asked.id.encode())]

    def _caller(self, headers: dict[bytes, bytes]) -> Caller:
        token = bearer(headers.items())
        if token is None:
            return ANYBODY if self._open else NOBODY
        return self._service.keyring.check(token) or NOBODY

    def _who(self, asked: Asked, scope: Scope) -> str:
        """What a rate is counted for: a key, or else an address."""
        if asked.caller.key_id:
            return f"key {asked.caller.key_id}"
        client = scope.get("client")
        return group_of(str(client[0])) if client else "unknown"

    def _note(self, asked: Asked, route: str) -> None:
        seconds = time.perf_counter() - asked.start
        method = asked.method if asked.method.isalpha() and len(asked.method) < 10 else "OTHER"
        self._service.metrics.count(route, method, asked.status, seconds)
        if self._settings.access_log:
            self._service.log(method, route, asked.status, seconds, asked.size, asked.id, asked.caller.key_id)

    async def _audit(self, asked: Asked, scope: Scope, route: str) -> None:
        """Notes who changed something, or tried to: by a key, by a webhook, or at the desk's door in vain."""
        state = scope.get("state", {})
        found = state.get("caller")
        caller = found if isinstance(found, Caller) else asked.caller
        if asked.method not in WITH_BODY or asked.path in READS_BY_POST:
            return
        if caller in (ANYBODY, NOBODY):
            caller = NOBODY
            if (route, asked.status) != REFUSED:
                return
        target = str(scope.get("path_params", {}).get("id") or state.get("target") or "") or None
        action = f"{asked.method} {route}"
        await asyncio.to_thread(self._service.audit, caller, action, str(asked.status), target, asked.id)


async def _refuse(asked: Asked, error: ProblemError, send: Send) -> None:
    """Answers with a problem, where nothing was answered yet."""
    if asked.started:
        return
    body = body_of(error.status, error.detail, asked.id, error.more)
    headers: Pairs = [(b"content-type", MEDIA_TYPE.encode()), (b"cache-control", b"no-store")]
    headers += [(name.encode(), value.encode("latin-1", "replace")) for name, value in error.headers.items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _once(body: bytes, receive: Any) -> Any:
    """What gives a body that was read already, and then whatever comes."""
    waiting = [body]

    async def again() -> Any:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again
