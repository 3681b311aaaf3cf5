"""Editors' acts and picks, over HTTP."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from simrec.errors import UsageError
from simrec.serve.asking import IdempotencyKey, ask, off, service_of
from simrec.serve.examples import example
from simrec.serve.forms import ActIn, PickIn, Plain, UndoIn
from simrec.serve.paths import ArticleId
from simrec.serve.problems import ProblemError, responses
from simrec.serve.security import Editor
from simrec.serve.state import Service

router = APIRouter(prefix="/v1", tags=["editing"])


class Page(BaseModel):
    """What stands of editors' acts on a page."""

    model_config = example("Page")

    source_id: str
    version: int = Field(description="number of the last act on it; 0: none")
    pins: list[str] = Field(description="ids that stand first, in this order")
    bans: list[str] = Field(description="ids that never stand there")
    accepted: list[str] = Field(description="ids that an editor said belong there")


class ActOut(BaseModel):
    """An act, as it stands in the log."""

    id: int
    at: str
    who: str
    action: str = Field(
        description="`pin`, `unpin`, `ban`, `unban`, `order`, `accept`, `unaccept`; `judge`: a blind comparison was "
        "judged; `seen`: the page was found fine; `undo` of another act"
    )
    source_id: str
    target_id: str | None
    before: dict[str, Any]
    after: dict[str, Any]
    undoes: int | None = None
    undone_by: int | None = None
    note: str | None = None
    said: dict[str, Any] | None = Field(
        None,
        description="of `judge`: `models`, which of them was `preferred` (null: neither), items `accepted` and "
        "`rejected`, the `trial`; of `seen`, as of `judge`: a digest of what the block had `shown`; null of an act "
        "that changes the page",
    )


class DoneOut(BaseModel):
    """What an act did."""

    model_config = example("DoneOut")

    act: ActOut
    state: Page
    blocks: list[str] = Field(description="ids of the pages whose blocks were made again")
    waiting: bool = Field(description="what is shown follows it at once, and the stored block with the next build")


class Log(BaseModel):
    """A part of the log, the newest act first."""

    model_config = example("Log")

    acts: list[ActOut]
    next: int | None = Field(description="send it as `before` for the acts before these; null: there are none")


class PickOut(BaseModel):
    """An editor's pick."""

    target_id: str
    rank: int
    grade: float | None
    origin: str = Field(description="where it comes from: a table, a page's own block, or an act")
    who: str | None
    at: str | None


class Picks(BaseModel):
    """The picks of a page."""

    model_config = example("Picks")

    picks: list[PickOut]


@router.get(
    "/pages/{id}/acts", response_model=Page, summary="What editors did to a page", responses=responses(401, 403, 422)
)
async def get_page(request: Request, id: ArticleId, caller: Editor) -> dict[str, Any]:
    """Its version is what the next act has to name, where two editors may be at work at once."""
    return await off(service_of(request), partial(_page, service_of(request), id))


@router.post(
    "/pages/{id}/acts",
    response_model=DoneOut,
    summary="Pin, ban, order or accept",
    responses=responses(400, 401, 403, 404, 409, 422, 503),
)
async def post_act(
    request: Request, id: ArticleId, body: ActIn, caller: Editor, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Where the page was changed since `version`, nothing is done, and the answer says by whom and when: 409."""
    payload = body.model_dump() | {"who": caller.name, "source_id": id}
    return await ask(request, caller, "act", payload, idempotency_key)


@router.get("/acts", response_model=Log, summary="The log of all acts", responses=responses(401, 403, 422))
async def get_acts(
    request: Request, caller: Editor,
    source_id: Annotated[Plain | None, Query(max_length=512, description="on this page only")] = None,
    who: Annotated[Plain | None, Query(max_length=200, description="by this editor only")] = None,
    before: Annotated[int | None, Query(ge=1, le=2**53, description="acts with smaller numbers only")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="acts in one answer")] = 50,
) -> dict[str, Any]:  # fmt: skip
    """A page of it, the newest first."""
    asked = partial(service_of(request).store.acts, source_id=source_id, who=who, before=before, limit=limit + 1)
    found = await off(service_of(request), asked)
    acts = [act.as_json() for act in found[:limit]]
    return {"acts": acts, "next": acts[-1]["id"] if len(found) > limit else None}


@router.post(
    "/acts/{number}/undo",
    response_model=DoneOut,
    summary="Undo an act",
    responses=responses(400, 401, 403, 404, 409, 422, 503),
)
async def post_undo(
    request: Request, number: Annotated[int, Path(ge=1, le=2**53)], caller: Editor, body: UndoIn | None = None,
    idempotency_key: IdempotencyKey = None,
) -> dict[str, Any]:  # fmt: skip
    """It is an act as well, and can be undone. A `version` is looked at only where the act changed the page."""
    payload = {"who": caller.name, "act_id": number, "version": body.version if body else None}
    return await ask(request, caller, "undo", payload, idempotency_key)


@router.get(
    "/articles/{id}/picks", response_model=Picks, summary="The picks of a page", responses=responses(401, 403, 422)
)
async def get_picks(request: Request, id: ArticleId, caller: Editor) -> dict[str, Any]:
    """All that editors chose for it: here, in tables, and in the blocks of pages that were read."""
    said = await off(service_of(request), service_of(request).store.judgements)
    found = [one for one in said if one.source_id == id]
    names = ("target_id", "rank", "grade", "origin", "who")
    dates = [one.at.isoformat() if one.at else None for one in found]
    plain = [{name: getattr(one, name) for name in names} for one in found]
    return {"picks": [values | {"at": date} for values, date in zip(plain, dates, strict=True)]}


@router.put(
    "/articles/{id}/picks",
    response_model=DoneOut,
    summary="Say that an article belongs there",
    responses=responses(400, 401, 403, 404, 409, 422, 503),
)
async def put_pick(
    request: Request, id: ArticleId, body: PickIn, caller: Editor, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """The act `accept`: training and evaluation learn of it."""
    return await _judge(request, id, "accept", body.target_id, caller, idempotency_key, body.note)


@router.delete(
    "/articles/{id}/picks",
    response_model=DoneOut,
    summary="Take that back",
    responses=responses(400, 401, 403, 404, 409, 422, 503),
)
async def delete_pick(
    request: Request, id: ArticleId, caller: Editor,
    target_id: Annotated[Plain, Query(min_length=1, max_length=512, description="the article")],
    idempotency_key: IdempotencyKey = None,
) -> dict[str, Any]:  # fmt: skip
    """The act `unaccept`. Picks of tables and pages are changed where they are made."""
    try:
        return await _judge(request, id, "unaccept", target_id, caller, idempotency_key, None)
    except UsageError as error:
        raise ProblemError(404, f"no editor has accepted {target_id!r} under {id!r}") from error


async def _judge(
    request: Request, id_: str, action: str, target: str, caller: Any, key: str | None, note: str | None
) -> dict[str, Any]:
    payload = {"who": caller.name, "action": action, "source_id": id_, "target_id": target, "note": note}
    return await ask(request, caller, "act", payload, key)


def _page(service: Service, id_: str) -> dict[str, Any]:
    row = service.store.page_states([id_]).get(id_)
    state = {"version": row.version, **row.as_json()} if row else {"version": 0, "pins": [], "bans": [], "accepted": []}
    return {"source_id": id_, **state}
