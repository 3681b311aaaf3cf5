"""The desk's lists: what needs a look, what a search found, and what editors did."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from simrec.serve.desk import words
from simrec.serve.desk.backend import Backend
from simrec.serve.desk.guard import Desk, DeskRoute, desk_of, form_of, go, page, session_of, text
from simrec.serve.desk.rows import titles
from simrec.serve.desk.views import HEADERS, local, telling
from simrec.store.desk_sessions import StoredSession

if TYPE_CHECKING:
    from simrec.pipeline.acts import Act

router = APIRouter(prefix="/desk", route_class=DeskRoute, include_in_schema=False)
KINDS = {
    "low_confidence": "models unsure",
    "few_items": "few items",
    "hub": "shows what is shown too often",
    "changed": "changed much",
    "viewed": "much read",
}
"""The queue's filters, by what the pipeline calls them."""
PART, UNDOINGS = 25, 100
"""Pages that are listed at once; and acts of a page among which what an undoing undid is looked for."""
FOUND = 50
COLUMNS = ("id", "at", "who", "action", "source_id", "target_id", "before", "after", "undoes", "undone_by", "note",
           "said")  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a text for a formula."""

Place = Annotated[int, Query(ge=-(2**53), le=2**53)]
"""A number in an address: beyond these bounds a database cannot hold it."""
SignedIn = Annotated[StoredSession, Depends(session_of)]
TheDesk = Annotated[Desk, Depends(desk_of)]


@router.get("")
@router.get("/queue")
def queue(
    request: Request, desk: TheDesk, session: SignedIn, kind: str = "", after: Place = 0, done: Place | None = None
) -> Response:  # fmt: skip
    """Pages whose blocks most need a look."""
    chosen = kind if kind in KINDS else None
    part = desk.backend.queue(chosen, max(0, after), PART)
    fine = said_at(desk.backend, done, of_models=False)
    names = titles(desk.backend, [fine[0].source_id] if fine else ())
    return page(
        request, "queue.html", part=part, kind=chosen, kinds=KINDS, after=max(0, after), fine=fine, names=names,
        words=words,
    )  # fmt: skip


@router.post("/seen")
def seen(desk: TheDesk, session: SignedIn, form: Annotated[FormData, Depends(form_of)]) -> Response:
    """Takes a page out of the queue: an editor has looked at it."""
    number = desk.backend.seen(session.name, text(form, "source"))
    return go(telling(local(text(form, "back")), number))


def said_at(backend: Backend, number: int | None, *, of_models: bool) -> tuple[Act, bool] | None:
    """What was just said of a page, or of models' blocks for it, or undone: the last such act, by its number.

    And whether what was said stands after it: an undoing may itself undo one.
    """
    for act in backend.log(before=number + 1, limit=1) if number else ():
        if act.id == number and act.undone_by is None and act.said is not None and ("models" in act.said) == of_models:
            return act, words.stands(act, backend.log(source_id=act.source_id, limit=UNDOINGS))
    return None


@router.get("/search")
def search(request: Request, desk: TheDesk, session: SignedIn, q: str = "") -> Response:
    """Articles by words of the title, by id or by address."""
    found = desk.backend.search(q, FOUND) if q.strip() else []
    hidden = {article.id: desk.backend.why_hidden(article) for article in found}
    return page(request, "search.html", query=q, found=found, hidden=hidden, most=FOUND)


@router.get("/log")
def log(
    request: Request, desk: TheDesk, session: SignedIn, who: str = "", source: str = "", before: Place | None = None
) -> Response:
    """What editors did."""
    acts = desk.backend.log(source_id=source or None, who=who or None, before=before, limit=PART + 1)
    names = titles(desk.backend, [id_ for act in acts for id_ in (act.source_id, *words.named(act))])
    return page(
        request, "log.html", acts=acts[:PART], more=len(acts) > PART, who=who, source=source, before=before,
        names=names, words=words,
    )  # fmt: skip


@router.get("/log.{kind}")
def export(desk: TheDesk, session: SignedIn, kind: str, who: str = "", source: str = "") -> Response:
    """What editors did, as a file."""
    if kind not in ("csv", "jsonl"):
        raise HTTPException(404, "the log can be had as csv or as jsonl")
    lines = (_csv if kind == "csv" else _jsonl)(_all(desk.backend, source or None, who or None))
    kinds = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}
    name = f"simrec-acts-{desk.backend.now():%Y-%m-%d}.{kind}"
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(lines, media_type=kinds[kind], headers=headers)


def _all(backend: Backend, source: str | None, who: str | None) -> Iterator[dict[str, Any]]:
    """Every act, the newest first, as a plain row."""
    before: int | None = None
    while acts := backend.log(source_id=source, who=who, before=before, limit=500):
        yield from map(_row, acts)
        before = acts[-1].id


def _row(act: Act) -> dict[str, Any]:
    row = {name: getattr(act, name) for name in COLUMNS}
    return row | {"at": act.at.isoformat(timespec="seconds")}


def _jsonl(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False, default=str) + "\n"


def _csv(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\r\n"
    for row in rows:
        line = io.StringIO()
        csv.writer(line).writerow([_cell(row[name]) for name in COLUMNS])
        yield line.getvalue()


def _cell(value: object) -> object:
    """A value that no spreadsheet takes for a formula."""
    if isinstance(value, dict | list | tuple):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
