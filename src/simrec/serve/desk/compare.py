"""Blind comparison: two models' blocks, side by side in random order."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData

from simrec.errors import NotFoundError, UsageError
from simrec.serve.desk import words
from simrec.serve.desk.backend import Judgement
from simrec.serve.desk.guard import Desk, DeskRoute, desk_of, form_of, go, page, session_of, text, texts
from simrec.serve.desk.lists import Place, said_at
from simrec.serve.desk.patience import NotReadyError
from simrec.serve.desk.rows import titles
from simrec.serve.desk.views import desk_url
from simrec.store.desk_sessions import StoredSession

router = APIRouter(prefix="/desk/compare", route_class=DeskRoute, include_in_schema=False)
DRAWN = {"random": "at random, a fair sample of the site", "differing": "where the two differ most"}
PREFERRED = ("left", "right", "tie")

SignedIn = Annotated[StoredSession, Depends(session_of)]
TheDesk = Annotated[Desk, Depends(desk_of)]


@router.get("")
def start(request: Request, desk: TheDesk, session: SignedIn) -> Response:
    """Chooses what is compared, and shows what came of it so far."""
    backend = desk.backend
    return page(request, "compare.html", models=list(backend.models), tallies=backend.tallies(), drawn=DRAWN)


@router.get("/trial")
def trial(
    request: Request, desk: TheDesk, session: SignedIn, a: str = "", b: str = "", drawn: str = "random",
    source: str = "", judged: str = "", done: Place | None = None,
) -> Response:  # fmt: skip
    """A page to judge."""
    models = list(desk.backend.models)
    if a not in models or b not in models or a == b:
        raise UsageError(f"choose two of {', '.join(models)}")
    drawn = drawn if drawn in DRAWN else "random"
    stored = said_at(desk.backend, done, of_models=True)
    given: dict[str, Any] = {
        "a": a, "b": b, "how": drawn, "judged": judged, "by_me": _by(desk, session.name, {a, b}), "stored": stored,
        "names": titles(desk.backend, [stored[0].source_id] if stored else ()), "words": words,
    }  # fmt: skip
    try:
        found = desk.backend.trial(session.name, (a, b), source or None, drawn)
    except NotReadyError:
        return page(request, "trial_none.html", message="", **given)
    except NotFoundError as error:
        return page(request, "trial_none.html", message=str(error), **given)
    return page(request, "trial.html", trial=found, **given)


@router.post("/judge")
def judge(desk: TheDesk, session: SignedIn, form: Annotated[FormData, Depends(form_of)]) -> Response:
    """Stores what a judge says, and goes on to the next page."""
    preferred, good, bad = text(form, "preferred"), texts(form, "good"), texts(form, "bad")
    if preferred not in (*PREFERRED, "skip"):
        raise UsageError("say which side is better, or that neither is: go back to the comparison")
    if both := set(good) & set(bad):
        raise UsageError(f"{sorted(both)[0]!r} is marked as good and as bad: go back, and choose one")
    number = None
    if preferred != "skip":
        number = desk.backend.judge(session.name, Judgement(text(form, "trial"), preferred, tuple(good), tuple(bad)))
    given = {"a": text(form, "a"), "b": text(form, "b"), "drawn": text(form, "drawn"), "done": number}
    return go(desk_url("/compare/trial", **given, judged=preferred))


def _by(desk: Desk, who: str, models: set[str]) -> int:
    """How many pages a judge has judged for two models."""
    for tally in desk.backend.tallies():
        if {tally.a, tally.b} == models:
            return sum(tally.judges.get(who, (0, 0, 0)))
    return 0
