"""Who may do what needs one of two scopes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials

from simrec.serve.security import BEARER, Caller, caller_of, needs

_edit = needs("edit")


async def _either(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None
) -> Caller:
    caller = caller_of(request)
    if caller.scopes & {"publish", "edit"}:
        return caller
    found: Caller = await _edit(request, credentials)
    return found


Drafter = Annotated[Caller, Depends(_either)]
"""Who may publish or edit."""
