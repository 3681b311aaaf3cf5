"""Snapshots listed, compared and switched over HTTP, and how the site stands."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from simrec.errors import StoreError
from simrec.pipeline.diff import diff
from simrec.pipeline.locks import at_work
from simrec.pipeline.locks import describe as described
from simrec.pipeline.snapshots import describe
from simrec.serve.asking import IdempotencyKey, ask, off, service_of, writer_of
from simrec.serve.drafting import Drafter
from simrec.serve.examples import example
from simrec.serve.forms import ActivateIn
from simrec.serve.problems import responses
from simrec.serve.security import Admin, Editor
from simrec.serve.state import Service

router = APIRouter(prefix="/v1", tags=["snapshots"])

Number = Annotated[int, Path(ge=1, le=2**53, description="number of a snapshot", examples=[12])]
SHOWN = 100
"""Blocks that a comparison names."""


class SnapshotOut(BaseModel):
    """A snapshot, as `simrec snapshots --json` has it."""

    model_config = example("SnapshotOut")

    snapshot: int
    state: str = Field(description="active, refused or kept")
    created_at: str
    changed_at: str | None
    model: str
    k: int
    articles: int
    blocks: int
    revision: int
    parent: int | None
    refused: str | None
    figures: dict[str, float | None]


class Snapshots(BaseModel):
    """Snapshots, the newest first."""

    model_config = example("Snapshots")

    snapshots: list[SnapshotOut]


class DiffOut(BaseModel):
    """What differs between two snapshots, as `simrec diff --json` has it; the blocks that changed most."""

    model_config = example("DiffOut")

    a: int
    b: int
    pages: int
    changed: int
    entered: int
    left: int
    moved: int
    overlap: float
    everywhere: list[str]
    why: dict[str, int]
    blocks: list[dict[str, Any]]


class StatusOut(BaseModel):
    """How the site stands."""

    model_config = example("StatusOut")

    articles: int
    snapshot: int | None
    model: str | None = None
    blocks: int = 0
    revision: int | None = None
    current_at: str | None = Field(None, description="when the blocks were last brought up to date")
    age_hours: float | None = Field(None, description="since then")
    has_writer: bool = Field(description="whether some process is the writer")
    asked: int = Field(description="requests that wait for the writer")
    asked_since: str | None = Field(description="when the oldest of them came")
    at_work: str | None = Field(description="the command that is at work, in words")
    problems: list[str] = Field(description="what somebody has to look at")


@router.get("/snapshots", response_model=Snapshots, summary="All snapshots", responses=responses(401, 403, 422))
async def get_snapshots(
    request: Request, caller: Editor,
    before: Annotated[int | None, Query(ge=1, le=2**53, description="those with smaller numbers only")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:  # fmt: skip
    """The newest first."""
    found = await off(service_of(request), service_of(request).store.snapshots)
    return {"snapshots": [describe(one) for one in found if before is None or one.id < before][:limit]}


@router.get(
    "/snapshots/{number}/diff",
    response_model=DiffOut,
    summary="What a snapshot changed",
    responses=responses(401, 403, 404, 422),
)
async def get_diff(
    request: Request, number: Number, caller: Editor,
    against: Annotated[int | None, Query(ge=1, le=2**53, description="another one; else its parent")] = None,
) -> dict[str, Any]:  # fmt: skip
    """Compared with the one that was shown before, or with another one."""
    return await off(service_of(request), partial(_diff, service_of(request), number, against))


@router.post(
    "/snapshots/{number}/activate",
    response_model=SnapshotOut,
    summary="Show a snapshot",
    responses=responses(400, 401, 403, 404, 409, 422, 503),
)
async def post_activate(
    request: Request, number: Number, caller: Admin, body: ActivateIn | None = None,
    idempotency_key: IdempotencyKey = None,
) -> dict[str, Any]:  # fmt: skip
    """One that the gate refused needs `force`."""
    payload = {"snapshot": number, "force": bool(body and body.force)}
    return await ask(request, caller, "activate", payload, idempotency_key)


@router.post(
    "/snapshots:rollback",
    response_model=SnapshotOut,
    summary="Show the snapshot before",
    responses=responses(401, 403, 404, 409, 422, 503),
)
async def post_rollback(request: Request, caller: Admin, idempotency_key: IdempotencyKey = None) -> dict[str, Any]:
    """Send an Idempotency-Key: done twice, it goes back twice."""
    return await ask(request, caller, "rollback", {}, idempotency_key)


@router.get("/status", response_model=StatusOut, summary="How the site stands", responses=responses(401, 403, 422))
async def get_status(request: Request, caller: Drafter) -> dict[str, Any]:
    """For who publishes: is it up to date, and does anything wait?"""
    return await off(service_of(request), partial(_status, service_of(request)))


def _diff(service: Service, number: int, against: int | None) -> dict[str, Any]:
    before = against if against is not None else service.store.snapshot(number).parent
    found = diff(service.workspace, number if before is None else before, number)
    plain = {name: getattr(found, name) for name in DiffOut.model_fields if name != "blocks"}
    blocks = [
        {"source_id": one.source_id, "entered": one.entered, "left": one.left, "moved": one.moved,
         "overlap": round(one.overlap, 4), "why": one.why}
        for one in found.blocks[:SHOWN]
    ]  # fmt: skip
    return {**plain, "blocks": blocks}


def _status(service: Service) -> dict[str, Any]:
    store, workspace = service.store, service.workspace
    waiting, since = store.asked_count()
    holder = at_work(workspace)
    found: dict[str, Any] = {
        "articles": store.article_count(),
        "snapshot": None,
        "has_writer": writer_of(service).has_writer,
        "asked": waiting,
        "asked_since": since.isoformat() if since else None,
        "at_work": described(holder) if holder else None,
    }
    try:
        snapshot = store.snapshot()
    except StoreError as error:
        return {**found, "problems": [str(error)]}
    hours = (service.clock() - snapshot.current_at).total_seconds() / 3600
    most = workspace.settings.gate.max_age_hours
    late = [f"too old: the blocks are of {hours:.0f} hours ago, max_age_hours is {most:g}: run `simrec build`"]
    place = {"snapshot": snapshot.id, "model": snapshot.model, "blocks": snapshot.blocks}
    place |= {"revision": snapshot.revision, "current_at": snapshot.current_at.isoformat(timespec="seconds")}
    return {**found, **place, "age_hours": round(hours, 2), "problems": late if hours > most else []}
