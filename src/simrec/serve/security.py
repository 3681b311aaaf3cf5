"""Who asks, and what they may do."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from simrec.serve.problems import ProblemError
from simrec.store.keys import PREFIX, SCOPES, Key, Scope, hash_secret

IMPLIED: dict[str, frozenset[str]] = {
    "read": frozenset({"read"}),
    "publish": frozenset({"publish", "read"}),
    "edit": frozenset({"edit", "read"}),
    "admin": frozenset(SCOPES),
}
"""What each scope lets do."""
SCHEME = b"bearer "
_NOBODY = hash_secret("")
"""What the secret of an unknown key is compared with, so that it takes as long as that of a known one."""
BEARER = HTTPBearer(auto_error=False, description="a key, made by `simrec keys create`: `sr_<id>_<secret>`")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a key's id, None for anybody, its name, and all that it may do."""

    key_id: str | None
    name: str
    scopes: frozenset[str]


ANYBODY = Caller(None, "anybody", frozenset({"read"}))
"""Who reads where reading is open."""
NOBODY = Caller(None, "nobody", frozenset())
"""Who asks without a key where one is needed."""


class Keyring:
    """The keys in memory, so that a check asks no database; refreshed by the service every second.

    Args:
        load: reads all keys.
        clock: says what time it is.
    """

    def __init__(self, load: Callable[[], Iterable[Key]], clock: Callable[[], datetime]) -> None:
        self._load, self._clock = load, clock
        self._keys: dict[str, Key] = {}

    def refresh(self) -> None:
        """Reads the keys again."""
        self._keys = {key.id: key for key in self._load()}

    def check(self, token: str) -> Caller | None:
        """Who sends this; None where it opens nothing. It takes the same time whether the key's id is known or not."""
        parts = token.split("_", 2)
        prefix, number, secret = parts if len(parts) == 3 else ("", "", "")
        key = self._keys.get(number)
        same = hmac.compare_digest(hash_secret(secret), key.hash if key else _NOBODY)
        if prefix != PREFIX or key is None or not same or not key.is_good(self._clock()):
            return None
        return Caller(key.id, key.name, frozenset().union(*(IMPLIED.get(scope, frozenset()) for scope in key.scopes)))


def bearer(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The token of a request's Authorization header; None without one, "" where it is of another kind."""
    for name, value in headers:
        if name == b"authorization":
            is_bearer = value[: len(SCHEME)].lower() == SCHEME
            return value[len(SCHEME) :].strip().decode("latin-1") if is_bearer else ""
    return None


def caller_of(request: Request) -> Caller:
    """Who asks, as it was found out when the request came in; nobody where no key was sent, or a wrong one."""
    found = request.scope.get("state", {}).get("caller")
    return found if isinstance(found, Caller) else NOBODY


def needs(scope: Scope) -> Callable[..., Any]:
    """A dependency: whoever asks may do this, or gets 401 (no key, or none that is good) or 403.

    It returns the `Caller`. Where reading is open, anybody may read; a wrong key is refused all the same.
    """

    async def check(
        request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None
    ) -> Caller:
        caller = caller_of(request)
        if scope in caller.scopes:
            return caller
        if caller.key_id is None:
            challenge = {"www-authenticate": "Bearer"}
            raise ProblemError(401, "this needs a key that is good: send `Authorization: Bearer sr_…`", challenge)
        raise ProblemError(403, f"the key {caller.name!r} has not the scope {scope}")

    return check


Reader = Annotated[Caller, Depends(needs("read"))]
Publisher = Annotated[Caller, Depends(needs("publish"))]
Editor = Annotated[Caller, Depends(needs("edit"))]
Admin = Annotated[Caller, Depends(needs("admin"))]
