"""The state of the site: how fresh, how full, how good its blocks are, and what ran."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from simrec.serve.desk.chart import charts
from simrec.serve.desk.guard import Desk, DeskRoute, desk_of, page, session_of
from simrec.store.desk_sessions import StoredSession

router = APIRouter(prefix="/desk", route_class=DeskRoute, include_in_schema=False)


@router.get("/site")
def site(
    request: Request, desk: Annotated[Desk, Depends(desk_of)], session: Annotated[StoredSession, Depends(session_of)]
) -> Response:
    """The state of the site."""
    found = desk.backend.overview()
    return page(request, "site.html", found=found, charts=charts(found.quality))
