"""A page at the desk: its block as readers see it, beside its candidates."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from simrec.errors import NotFoundError, SimrecError
from simrec.pipeline.look_types import PageLook
from simrec.serve.desk import words
from simrec.serve.desk.backend import Backend
from simrec.serve.desk.guard import Desk, DeskRoute, desk_of, page, said, session_of
from simrec.serve.desk.patience import NotReadyError
from simrec.serve.desk.rows import Lists, Maker, titles
from simrec.serve.desk.views import clean
from simrec.store.desk_sessions import StoredSession

router = APIRouter(prefix="/desk", route_class=DeskRoute, include_in_schema=False)
VIEWS = ("block", "models", "changes")
FOUND = 12
"""Articles that a search on a page shows."""


@router.get("/article")
def article(
    request: Request,
    desk: Annotated[Desk, Depends(desk_of)],
    session: Annotated[StoredSession, Depends(session_of)],
    id: str = "",
    view: str = "block",
    find: str = "",
    done: int | None = None,
    waiting: bool = False,
    moved: str = "",
) -> Response:
    """A page: one of its views."""
    return show(request, desk.backend, id, view=view, find=find, done=done, waiting=waiting, moved=moved)


def show(
    request: Request, backend: Backend, id_: str, *, view: str = "block", find: str = "", done: int | None = None,
    waiting: bool = False, moved: str = "", failed: str | None = None, status: int = 200,
) -> Response:  # fmt: skip
    """Renders a page.

    Raises:
        NotFoundError: there is no such article.
    """
    source, state = backend.article(id_), backend.state(id_)
    look, missing = _look(backend, id_)
    maker = Maker(backend, state, look)
    lists = maker.lists(block := backend.block(id_), backend.search(find, FOUND) if find.strip() else ())
    log = backend.log(source_id=id_, limit=50)
    act = next((act for act in log if act.id == done), None)
    context: dict[str, Any] = {
        "source": source, "state": state, "block": block, "lists": lists, "look": look, "missing": missing,
        "view": view if view in VIEWS else "block", "find": find, "failed": failed, "log": log,
        "hidden": backend.why_hidden(source), "preview": clean(backend.preview(block)), "words": words,
        "names": titles(backend, [id_, *(name for act in log for name in words.named(act))]),
        "models": maker.of_models(look) if look else {}, "model_names": _names(look),
        "done": act, "waiting": waiting,
        "waits": next((row for row in lists.waiting if row.id in (moved, act and act.target_id)), None),
        "last": words.last(log), "moved": next((row for row in lists.block if row.id == moved), None),
        "places": _places(lists),
    }  # fmt: skip
    return page(request, "article.html", status=status, **context)


def _look(backend: Backend, id_: str) -> tuple[PageLook | None, str | None]:
    """A page's candidates, or why there are none; neither while they are being made.

    The block can be worked on all the same.
    """
    try:
        return backend.look(id_), None
    except NotReadyError:
        return None, None
    except NotFoundError:
        return None, "they are there after the next build"
    except SimrecError as error:
        return None, said(error)


def _names(look: PageLook | None) -> list[str]:
    return list(look.models) if look else []


def _places(lists: Lists) -> dict[str, int]:
    """The place of each item of the block."""
    return {row.id: row.place for row in lists.block if row.place is not None}
