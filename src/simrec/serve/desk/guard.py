"""Who may do what at the desk: sessions, forms that came from it, and errors as pages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from simrec.errors import ConflictError, LockedError, NotFoundError, SettingsError, SimrecError, StoreError, UsageError
from simrec.serve.desk.backend import Backend, User
from simrec.serve.desk.session import Sessions, agrees
from simrec.serve.desk.views import HEADERS, Pages, local
from simrec.serve.forms import plain
from simrec.serve.looking import UnavailableError
from simrec.serve.problems import as_problem
from simrec.store.desk_sessions import StoredSession

logger = logging.getLogger(__name__)

LOCAL = ("localhost", "127.0.0.1", "[::1]")
"""Hosts that are this machine."""
EDIT = frozenset({"edit", "admin"})
"""Scopes of keys that open the desk: one of them will do."""
FORM = "application/x-www-form-urlencoded"
FIELDS = 1000
"""Fields of a form, at most."""
STATUS = {
    UsageError: 422,
    NotFoundError: 404,
    ConflictError: 409,
    LockedError: 503,
    StoreError: 503,
    UnavailableError: 503,
}
LATE = "something else is at work: what you did may be done all the same, so look again before you repeat it"
WORDS = {403: "Not allowed", 404: "Not found", 409: "Changed meanwhile", 415: "Not a form", 422: "Not possible"}


@dataclass(frozen=True)
class Desk:
    """What all pages of the desk share."""

    backend: Backend
    sessions: Sessions
    pages: Pages
    secure: bool
    """Whether cookies go over HTTPS only."""
    known: Callable[[Request, StoredSession | User], None]
    """Is told who asks."""

    def cookie(self, request: Request) -> tuple[str, bool]:
        """The cookie's name, and whether it goes over HTTPS only: always, but at this machine."""
        secure = self.secure and request.headers.get("host", "").rpartition(":")[0] not in LOCAL
        secure = secure and request.headers.get("host", "") not in LOCAL
        return ("__Host-simrec-desk" if secure else "simrec-desk"), secure

    def signed_in(self, request: Request) -> StoredSession | None:
        """The session of a request, whose key is still good."""
        session = self.sessions.find(request.cookies.get(self.cookie(request)[0]))
        return session if session and self.backend.still(session.key_id) else None


class SignInError(Exception):
    """Nobody is signed in."""


def desk_of(request: Request) -> Desk:
    """The desk of the application."""
    desk: Desk = request.app.state.desk
    return desk


def session_of(request: Request, desk: Annotated[Desk, Depends(desk_of)]) -> StoredSession:
    """Who is at the desk.

    Raises:
        SignInError: nobody is.
        HTTPException: the address asks for a text that no store can hold.
    """
    session = desk.signed_in(request)
    if session is None:
        raise SignInError
    request.state.session = session
    desk.known(request, session)
    _check_plain(request.query_params.multi_items())
    return session


async def fields_of(request: Request) -> FormData:
    """The fields of a form that one of the desk's own pages sent.

    Raises:
        HTTPException: another site's page sent it, it is no form, or has a text that no store can hold.
    """
    if not _is_own(request):
        raise HTTPException(403, "this form did not come from the desk: open the desk and do it there")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise HTTPException(415, f"the desk takes forms of the type {FORM}")
    fields = await request.form(max_files=0, max_fields=FIELDS)
    _check_plain(fields.multi_items())
    return fields


def form_of(
    fields: Annotated[FormData, Depends(fields_of)], session: Annotated[StoredSession, Depends(session_of)]
) -> FormData:
    """The fields of a form that was made for this session.

    Raises:
        HTTPException: it was made for another one, or nobody.
    """
    if not agrees(session, text(fields, "csrf")):
        raise HTTPException(403, "this form is from another session: load the page again, and do it once more")
    return fields


def text(form: FormData, name: str) -> str:
    """A field's text, "" where there is none."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def texts(form: FormData, name: str) -> list[str]:
    """The texts of all fields of a name."""
    return [value for value in form.getlist(name) if isinstance(value, str)]


def number(form: FormData, name: str) -> int | None:
    """A field's number, None where it has none that can be one."""
    value = text(form, name)
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 16 else None


def go(path: str) -> RedirectResponse:
    """Sends the browser on to a page of the desk."""
    return RedirectResponse(local(path), 303, headers=HEADERS)


def page(
    request: Request, name: str, *, status: int = 200, headers: dict[str, str] | None = None, **context: Any
) -> Response:
    """A page of the desk, with who is signed in."""
    desk, session = desk_of(request), getattr(request.state, "session", None)
    given = {"session": session, "csrf": session.csrf if session else "", "here": request.url.path, "query": ""}
    given["posted"] = request.method == "POST"  # such a page cannot be loaded again by its address
    response = desk.pages.render(name, given | context, status=status)
    response.headers.update(headers or {})
    return response


def error_page(request: Request, status: int, message: str) -> Response:
    """A page that says what went wrong, and what to do."""
    if getattr(request.state, "session", None) is None:
        with suppress(SimrecError):  # the store may be what is away
            request.state.session = desk_of(request).signed_in(request)
    heading = WORDS.get(status, "That did not work")
    return page(request, "error.html", status=status, heading=heading, message=message)


class DeskRoute(APIRoute):
    """A route whose errors are pages, and which sends those who are not signed in to the door."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except SignInError:
                back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                if request.method != "GET":
                    back = _came_from(request)
                return go(f"/desk/login?next={quote(back, safe='')}")
            except HTTPException as error:
                return error_page(request, error.status_code, error.detail)
            except RequestValidationError:
                return error_page(request, 422, "the address, or a field, has a value that cannot be used")
            except SimrecError as error:
                return error_page(request, status_of(error), said(error))
            except Exception:  # a page for editors, also of a fault of our own
                logger.exception("the desk failed at %s", self.path)
                return error_page(request, 500, "this is simrec's fault, and is in the service's log; try it again")

        return handle


def status_of(error: SimrecError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, SettingsError):
        return 500
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)


def _check_plain(fields: Iterable[tuple[str, object]]) -> None:
    for name, value in fields:
        try:
            plain(name), plain(str(value))
        except ValueError as error:
            raise HTTPException(422, f"a field cannot be used, {error}") from error


def said(error: SimrecError) -> str:
    """What a page says of an error; where its words name files, databases or settings, they are in the log alone."""
    if status_of(error) < 500 or not isinstance(error, StoreError | SettingsError):
        return str(error)
    detail = as_problem(error).detail
    return LATE if isinstance(error, LockedError) else detail


def _is_own(request: Request) -> bool:
    """Whether a request that changes something was sent by a page of this very host."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    if origin is None:
        return site is not None
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _came_from(request: Request) -> str:
    """The page of the desk that a form was on."""
    try:
        parts = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return "/desk"
    return local(parts.path + (f"?{parts.query}" if parts.query else ""))
