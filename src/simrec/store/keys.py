"""The part of the store that holds keys of those who may ask and change, and the audit of what they did."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from sqlalchemy import Connection, RowMapping, insert, select, update

from simrec.errors import NotFoundError, UsageError
from simrec.store.base import Connected
from simrec.store.tables import audit, keys

Scope: TypeAlias = Literal["read", "publish", "edit", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFIX = "sr"
MOST_NAME = 100
"""Characters of a key's name."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of somebody who may ask or change; its secret is known to its holder alone.

    Attributes:
        id: its public part.
        name: whose it is.
        scopes: what it lets do.
        hash: SHA-256 of the secret, in hexadecimal digits; the secret is random, so that it needs no salt.
        created_at, expires_at, revoked_at: its life; None for never.
    """

    id: str
    name: str
    scopes: frozenset[str]
    hash: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Whether it opens anything at a moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class NewKey(NamedTuple):
    """A key that was just made: its id, and what its holder sends, which is not kept anywhere."""

    id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Audited:
    """What somebody did or tried: when, by which key, what, on what, what came of it, in which request."""

    number: int
    at: datetime
    key_id: str | None
    name: str | None
    action: str
    target: str | None
    outcome: str
    request_id: str | None


class KeyStore(Connected):
    """The part of the store that holds keys of those who may ask and change, and the audit of what they did."""

    def create_key(
        self, name: str, scopes: Collection[str], days: int | None = None, *, now: datetime | None = None,
        by: str | None = None,
    ) -> NewKey:  # fmt: skip
        """Makes a key; what its holder sends is returned here, and never again.

        Args:
            name: whose it is; acts are known by it, so that no other good key has it.
            scopes: what it lets do, of `SCOPES`.
            days: after which it opens nothing; None for no end.
            now: when it is made; None for this moment.
            by: who makes it, for the audit; None: it is not noted.

        Raises:
            UsageError: the name, a scope or the days cannot be used, or another good key has the name.
        """
        now = now or datetime.now(UTC)
        number, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        row = {
            "id": number,
            "name": _checked_name(name),
            "scopes": _checked_scopes(scopes),
            "hash": hash_secret(secret),
            "created_at": _text(now),
            "expires_at": _text(_end(now, days)) if days is not None else None,
        }
        with self._write(alone=False) as connection:
            _check_free(connection, row["name"], now)
            connection.execute(insert(keys), row)
            _note(connection, by, "keys create", number, now)
        return NewKey(number, f"{PREFIX}_{number}_{secret}")

    def revoke_key(self, number: str, *, now: datetime | None = None, by: str | None = None) -> Key:
        """Takes a key back; it stays in the list.

        Args:
            number: its id.
            now: when; None for this moment.
            by: who does, for the audit; None: it is not noted.

        Raises:
            NotFoundError: there is no such key.
        """
        now = now or datetime.now(UTC)
        moment = _text(now)
        with self._write(alone=False) as connection:
            living = (keys.c.id == number, keys.c.revoked_at.is_(None))
            connection.execute(update(keys).where(*living).values(revoked_at=moment))
            row = connection.execute(select(keys).where(keys.c.id == number)).mappings().first()
            if row is not None:
                _note(connection, by, "keys revoke", number, now)
        if row is None:
            raise NotFoundError(f"there is no key {number!r}: `simrec keys list` names them")
        return _key(row)

    def keys(self) -> list[Key]:
        """All keys, also those that open nothing any more, the oldest first."""
        with self._read() as connection:
            found = connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id)).mappings()
            return [_key(row) for row in found]

    def audit(
        self, action: str, outcome: str, *, key_id: str | None = None, name: str | None = None,
        target: str | None = None, request_id: str | None = None, now: datetime | None = None,
    ) -> None:  # fmt: skip
        """Notes what somebody did or tried, and what came of it."""
        row = {"at": _text(now or datetime.now(UTC)), "action": action, "outcome": outcome, "key_id": key_id}
        row |= {"name": name, "target": target, "request_id": request_id}
        with self._write(alone=False) as connection:
            connection.execute(insert(audit), row)

    def audited(self, *, before: int | None = None, limit: int = 50) -> list[Audited]:
        """What was noted, the newest first; `before` a number, for the next page."""
        statement = select(audit).order_by(audit.c.number.desc()).limit(limit)
        if before is not None:
            statement = statement.where(audit.c.number < before)
        with self._read() as connection:
            found: list[dict[str, Any]] = [{**row} for row in connection.execute(statement).mappings()]
        return [Audited(**{**row, "at": datetime.fromisoformat(row["at"])}) for row in found]


def _note(connection: Connection, by: str | None, action: str, number: str, now: datetime) -> None:
    """Notes, with the change itself, what was done to a key."""
    if by is not None:
        row = {"at": _text(now), "name": by, "action": action, "target": number, "outcome": "done"}
        connection.execute(insert(audit), row)


def hash_secret(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MOST_NAME or not name.isprintable():
        raise UsageError(f"a key's name has 1 to {MOST_NAME} characters that can be printed, such as `CMS`")
    return name


def _check_free(connection: Connection, name: object, now: datetime) -> None:
    """Raises UsageError where a good key has a name."""
    for row in connection.execute(select(keys).where(keys.c.name == name)).mappings():
        if _key(row).is_good(now):
            raise UsageError(f"the key {row['id']} of that name is still good: revoke it first, or choose another name")


def _checked_scopes(scopes: Collection[str]) -> list[str]:
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        said = f"there is no scope {unknown[0]!r}" if unknown else "a key without a scope opens nothing"
        raise UsageError(f"{said}: choose from {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope in scopes]


def _end(now: datetime, days: int) -> datetime:
    if days < 1:
        raise UsageError(f"a key lasts at least 1 day, not {days}")
    try:
        return now + timedelta(days=days)
    except OverflowError as error:
        raise UsageError(f"{days} days are too many: leave it out for a key without an end") from error


def _key(row: RowMapping) -> Key:
    dates = {name: datetime.fromisoformat(row[name]) if row[name] else None for name in ("expires_at", "revoked_at")}
    made = datetime.fromisoformat(row["created_at"])
    return Key(row["id"], row["name"], frozenset(row["scopes"]), row["hash"], made, **dates)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
