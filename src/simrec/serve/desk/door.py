"""The desk's door: signing in and out, files beside the pages, and what is at no address."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from simrec.serve.desk.guard import (
    EDIT,
    Desk,
    DeskRoute,
    desk_of,
    error_page,
    fields_of,
    form_of,
    go,
    page,
    session_of,
    text,
)
from simrec.serve.desk.session import LONGEST
from simrec.serve.desk.views import local
from simrec.store.desk_sessions import StoredSession

router = APIRouter(prefix="/desk", route_class=DeskRoute, include_in_schema=False)
last = APIRouter(prefix="/desk", route_class=DeskRoute, include_in_schema=False)


@router.get("/static/{name}")
def static(name: str, desk: Annotated[Desk, Depends(desk_of)]) -> Response:
    """A file beside the pages."""
    found = desk.pages.file(name)
    if found is None:
        raise HTTPException(404, "there is no such file")
    return found


@router.get("/login")
def login(request: Request, desk: Annotated[Desk, Depends(desk_of)], next: str = "/desk") -> Response:
    """The door."""
    session = desk.signed_in(request)
    if session is not None:
        return go(next)
    ended = desk.cookie(request)[0] in request.cookies
    return page(request, "login.html", next=local(next), failed=None, ended=ended)


@router.post("/login")
def sign_in(
    request: Request, fields: Annotated[FormData, Depends(fields_of)], desk: Annotated[Desk, Depends(desk_of)]
) -> Response:
    """Signs in with a key."""
    user = desk.backend.sign_in(text(fields, "key").strip())
    if user is None:
        why = "This key is not known here, has expired, or was revoked. Ask whoever runs the site for a new one."
        return page(request, "login.html", status=401, next=local(text(fields, "next")), failed=why)
    desk.known(request, user)
    if EDIT.isdisjoint(user.scopes):
        why = "This key may not edit. Ask for one with the scope “edit”."
        return page(request, "login.html", status=403, next=local(text(fields, "next")), failed=why)
    if desk.cookie(request)[1] and request.headers.get("origin", "").startswith("http:"):
        why = (
            "Your browser would not keep you signed in, for this address is not encrypted. Open the desk by https; "
            "whoever runs the site can do without that by serve.secure_cookies = false."
        )
        return page(request, "login.html", status=403, next=local(text(fields, "next")), failed=why)
    desk.sessions.close(request.cookies.get(desk.cookie(request)[0]))
    token = desk.sessions.open(user.key_id, user.name, user.scopes)
    return _with_cookie(request, desk, go(text(fields, "next")), token)


@router.get("/enter")
def enter(request: Request, desk: Annotated[Desk, Depends(desk_of)], token: str = "") -> Response:
    """Signs in with a link that works once."""
    if request.headers.get("sec-purpose", "").startswith("prefetch"):
        return Response(status_code=503)  # a browser that looks ahead must not use the link up
    found = desk.sessions.use_link(token)
    if found is None:
        if desk.signed_in(request):
            return go("/desk")
        why = "This link has been used, or is too old. Sign in with a key, or start the demo again."
        return page(request, "login.html", status=401, next="/desk", failed=why)
    return _with_cookie(request, desk, go("/desk"), found)


@router.post("/logout")
def sign_out(
    request: Request, form: Annotated[FormData, Depends(form_of)], desk: Annotated[Desk, Depends(desk_of)]
) -> Response:
    """Signs out."""
    name, secure = desk.cookie(request)
    desk.sessions.close(request.cookies.get(name))
    response = go("/desk/login")
    response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="strict")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@router.get("/help")
def manual(request: Request, session: Annotated[StoredSession, Depends(session_of)]) -> Response:
    """What an editor can do here."""
    return page(request, "help.html")


@last.api_route("/{rest:path}", methods=["GET", "POST"])
def nothing(request: Request, rest: str) -> Response:
    """What is at no address."""
    if not rest:
        return go("/desk")
    return error_page(request, 404, f"there is no page at /desk/{quote(rest)}: go on from the queue")


def _with_cookie(request: Request, desk: Desk, response: Response, token: str) -> Response:
    name, secure = desk.cookie(request)
    response.set_cookie(
        name, token, max_age=int(LONGEST.total_seconds()), path="/", secure=secure, httponly=True, samesite="strict"
    )
    return response
