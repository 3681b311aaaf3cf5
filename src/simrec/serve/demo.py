"""The desk on the sample newsroom, for whoever wants to see it: on this machine only, without a key to type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from simrec.errors import UsageError
from simrec.pipeline.workspace import Workspace
from simrec.serve.app import create_app
from simrec.serve.run import bind

HOST = "127.0.0.1"
NAME = "Demo"
POLICY = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
"""What the demo's own pages may do: they carry their style with them."""


def serve_demo(workspace: Workspace, port: int, tell: Callable[[str], None]) -> None:
    """Serves a demo's site and its desk until it is interrupted; `tell` is given the address that signs in, once.

    Raises:
        UsageError: the port is taken, or the service has no desk.
        StoreError: nothing is built yet.
    """
    with workspace.store() as store:
        store.snapshot()
    listening = bind(HOST, port)
    address = f"http://{HOST}:{listening.getsockname()[1]}"
    app = demo_app(workspace, address)
    with workspace.store() as store:
        known = store.keys()
        for old in [key.id for key in known if key.name == NAME]:  # of a demo that was killed
            store.revoke_key(old)
        key = store.create_key(NAME, ["edit"], days=1)
    token = app.state.desk.sessions.make_link(key.id, NAME, ("edit",))
    tell(f"the desk is at {address}/desk, the site at {address}/demo/; Ctrl-C ends it")
    tell(f"open {address}/desk/enter?token={token}")
    try:
        uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False)).run(sockets=[listening])
    finally:
        with workspace.store() as store:
            store.revoke_key(key.id)


def demo_app(workspace: Workspace, address: str) -> FastAPI:
    """The service of a demo, with the pages of its site beside it.

    Raises:
        UsageError: the settings switch the desk off.
    """
    settings = workspace.settings
    if not settings.serve.desk:
        raise UsageError("the desk is switched off: set serve.desk = true")
    site = settings.site.model_copy(update={"url": f"{address}/demo/", "title": settings.site.title or "Vess Courier"})
    serve = settings.serve.model_copy(update={"hosts": (HOST,), "access_log": False, "workers": 1})
    app = create_app(replace(workspace, settings=settings.model_copy(update={"site": site, "serve": serve})))
    pages = workspace.path / "site"
    if pages.is_dir():
        app.mount("/demo", _Pages(directory=pages, html=True))
    return app


class _Pages(StaticFiles):
    """The pages of the demo's site."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A page, with what it may do."""
        response: Any = await super().get_response(path, scope)
        response.headers["Content-Security-Policy"] = POLICY
        found: Response = response
        return found
