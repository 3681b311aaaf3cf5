"""What editors do at the desk: acts, and taking them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from simrec.errors import SimrecError, StaleError, UsageError
from simrec.serve.desk import words
from simrec.serve.desk.article import show
from simrec.serve.desk.backend import Wish
from simrec.serve.desk.guard import (
    Desk,
    DeskRoute,
    desk_of,
    form_of,
    go,
    number,
    page,
    said,
    session_of,
    status_of,
    text,
    texts,
)
from simrec.serve.desk.order import moved, needed
from simrec.serve.desk.rows import titles
from simrec.serve.desk.views import article_url, local, telling
from simrec.store.desk_sessions import StoredSession

if TYPE_CHECKING:
    from simrec.pipeline.acts import PageState

router = APIRouter(prefix="/desk", route_class=DeskRoute, include_in_schema=False)
ACTIONS = ("pin", "unpin", "ban", "unban", "accept", "unaccept")
MOVES = {"up": -1, "down": 1}


@router.post("/act")
def act(
    request: Request,
    form: Annotated[FormData, Depends(form_of)],
    session: Annotated[StoredSession, Depends(session_of)],
    desk: Annotated[Desk, Depends(desk_of)],
) -> Response:
    """Does what a button of a page says."""
    source_id, view = text(form, "source"), text(form, "view")
    try:
        wish = wish_of(form, desk.backend.state(source_id))
        result = desk.backend.act(session.name, wish)
    except StaleError as error:
        return _conflict(request, desk, form, wish, str(error))
    except SimrecError as error:
        return show(request, desk.backend, source_id, view=view, failed=said(error), status=status_of(error))
    moved = text(form, "do").partition(" ")[2] if wish.action == "order" else None
    return go(
        article_url(
            source_id, view=view, find=text(form, "find"), done=_id(result), waiting=_waits(result), moved=moved
        )
    )


@router.post("/undo")
def undo(
    request: Request,
    form: Annotated[FormData, Depends(form_of)],
    session: Annotated[StoredSession, Depends(session_of)],
    desk: Annotated[Desk, Depends(desk_of)],
) -> Response:
    """Takes an act back."""
    wanted, source_id = number(form, "act"), text(form, "source")
    if wanted is None:
        raise HTTPException(422, "no act is named: load the page again")
    try:
        result = desk.backend.undo(session.name, wanted, None)
    except SimrecError as error:
        return show(
            request, desk.backend, source_id, view=text(form, "view"), failed=said(error), status=status_of(error)
        )
    if text(form, "back"):
        return go(telling(local(text(form, "back")), _id(result)))
    return go(article_url(source_id, view=text(form, "view"), done=_id(result), waiting=_waits(result)))


def wish_of(form: FormData, state: PageState) -> Wish:
    """What a form asks for, on a page as it is now.

    Raises:
        UsageError: it asks for nothing that can be done.
    """
    action, _, target = text(form, "do").partition(" ")
    source_id, version, note = text(form, "source"), number(form, "version"), text(form, "note") or None
    if action in (*MOVES, "order"):
        pins = needed(_order(form), target, texts(form, "pinned"), state.pins, state.bans)
        return Wish("order", source_id, None, pins, version, note)
    if action not in ACTIONS or not target:
        raise UsageError("the form asks for nothing that can be done: load the page again")
    return Wish(action, source_id, target, (), version, note)


def _order(form: FormData) -> tuple[str, ...]:
    """The order that a form asks for, of the block that the editor saw."""
    action, _, target = text(form, "do").partition(" ")
    if action == "order":
        return tuple(texts(form, "targets"))
    return moved(texts(form, "seen"), target, MOVES[action])


def _conflict(request: Request, desk: Desk, form: FormData, wish: Wish, message: str) -> Response:
    """A page that says who changed what meanwhile, and lets the editor choose."""
    backend, source_id = desk.backend, wish.source_id
    order = _order(form) if wish.action == "order" else ()
    do = f"{wish.action} {text(form, 'do').partition(' ')[2]}"
    log = backend.log(source_id=source_id, limit=50)
    since = [act for act in log if act.id > (wish.version or 0) and act.said is None]
    ids = [source_id, wish.target_id, *wish.targets, *(id_ for act in since for id_ in words.named(act))]
    target = do.partition(" ")[2]
    context: dict[str, Any] = {
        "source": backend.article(source_id), "wish": wish, "do": do, "order": order, "pinned": texts(form, "pinned"),
        "moved": target, "place": order.index(target) + 1 if target in order else None, "message": message,
        "since": since, "words": words, "names": titles(backend, ids), "state": backend.state(source_id),
    }  # fmt: skip
    return page(request, "conflict.html", status=409, **context)


def _id(result: dict[str, object]) -> object:
    found = result.get("act")
    return found.get("id") if isinstance(found, dict) else getattr(found, "id", None)


def _waits(result: dict[str, object]) -> int | None:
    return 1 if result.get("waiting") else None
