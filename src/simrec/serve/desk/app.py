"""Puts the desk into an application."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from fastapi import FastAPI, Request

from simrec.serve.desk import acts, article, compare, door, lists, site
from simrec.serve.desk.backend import Backend, User
from simrec.serve.desk.guard import Desk
from simrec.serve.desk.session import Sessions
from simrec.serve.desk.views import Pages
from simrec.store import Store
from simrec.store.desk_sessions import StoredSession


def mount(
    app: FastAPI, backend: Backend, open_store: Callable[[], AbstractContextManager[Store]], *, secure: bool = True,
    known: Callable[[Request, StoredSession | User], None] = lambda request, who: None,
) -> Desk:  # fmt: skip
    """Puts the desk at /desk of an application.

    Args:
        app: the application.
        backend: what the desk shows and does.
        open_store: opens the store, for the sessions.
        secure: cookies go over HTTPS only, but for addresses of this machine.
        known: is told who asks, with each request of a session, and who signs in.
    """
    desk = Desk(backend, Sessions(open_store, backend.now), Pages(backend.title, backend.site_url), secure, known)
    app.state.desk = desk
    for part in (door, article, acts, lists, compare, site):
        app.include_router(part.router)
    app.include_router(door.last)
    return desk
