"""The application: routes, errors, and what stands before them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.telemetry import TelemetryConfig
from starlette.routing import Match

from simrec import __version__
from simrec.pipeline.workspace import Workspace
from simrec.serve import articles, editing, health, publishing, switching, webhooks
from simrec.serve.articles import READING
from simrec.serve.front import Front
from simrec.serve.problems import Problem, add_handlers
from simrec.serve.state import Service, utc_now
from simrec.serve.writer import Writer

ROUTERS: tuple[APIRouter, ...] = (
    articles.router, publishing.router, editing.router, switching.router, webhooks.router, health.router,
)  # fmt: skip
"""All routes; a router names its own prefix, so that logs and metrics know the whole path."""
SILENT: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI's own reports would name paths and addresses; the service has its own, which do not."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
DESCRIPTION = """\
The "Similar articles" blocks of a site. Errors are `application/problem+json`
([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)). Keys are sent as `Authorization: Bearer sr_…`.
"""


def create_app(
    workspace: Workspace, *, clock: Callable[[], datetime] = utc_now, service: Service | None = None
) -> FastAPI:
    """The service of a workspace, as an ASGI application.

    Args:
        workspace: the site.
        clock: says what time it is.
        service: what the routes share; None: made of the workspace.

    Raises:
        StoreError: the store cannot be opened.
    """
    shared = service or Service(workspace, clock=clock, writer=Writer(workspace, clock=clock))
    if shared.writer is not None:
        shared.writer.listen(shared.refresh)

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        shared.start()
        try:
            yield
        finally:
            shared.stop()

    app = FastAPI(
        title="simrec",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would send whoever asks to the host that they name
        lifespan=living,
        telemetry=SILENT,
    )
    app.state.service = shared
    add_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    if shared.settings.desk:
        from simrec.serve.desk.wired import add_desk

        add_desk(app, shared)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # as FastAPI's documentation extends it
    inner = app.build_middleware_stack  # `add_middleware` would put the front inside of what answers faults
    app.build_middleware_stack = lambda: Front(inner(), shared, partial(_allowed, app))  # type: ignore[method-assign]
    return app


def _allowed(app: FastAPI, scope: MutableMapping[str, Any]) -> list[str]:
    """The methods that there are at a request's path."""
    found = []
    for method in METHODS:
        asked = {**scope, "method": method}
        if any(route.matches(asked)[0] is Match.FULL for route in app.router.routes):
            found += [method, "HEAD"] if method == "GET" else [method]
    return [*found, "OPTIONS"] if found else []


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema:
        return app.openapi_schema
    schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    if app.state.service.settings.reads == "open":
        for operation in (one for path in schema["paths"].values() for one in path.values()):
            if READING in operation.get("tags", ()):
                operation["security"] = [{}, *operation["security"]]
    app.openapi_schema = schema
    return schema
