"""The part of the store that holds the sessions of those who are signed in at the desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, insert, or_, select, update

from simrec.store.base import Connected
from simrec.store.tables import desk_sessions


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session, as it is stored.

    Attributes:
        id: the hash of what the browser holds.
        key_id, name, scopes: of the key that was shown.
        csrf: what each form of the session carries.
        created_at, seen_at: when it began, and when it was last used.
    """

    id: str
    key_id: str
    name: str
    scopes: Sequence[str]
    csrf: str
    created_at: datetime
    seen_at: datetime


class DeskSessionStore(Connected):
    """The part of the store that holds the sessions of those who are signed in at the desk."""

    def open_session(self, session: StoredSession, *, expired: tuple[datetime, datetime]) -> None:
        """Stores a new session, and forgets those that began before the first moment, or were last used before the
        second."""
        began, seen = (moment.isoformat() for moment in expired)
        row = asdict(session) | {
            "scopes": list(session.scopes),
            "created_at": session.created_at.isoformat(),
            "seen_at": session.seen_at.isoformat(),
        }
        with self._write(alone=False) as connection:
            connection.execute(
                delete(desk_sessions).where(or_(desk_sessions.c.created_at < began, desk_sessions.c.seen_at < seen))
            )
            connection.execute(insert(desk_sessions).values(row))

    def session(self, id_: str) -> StoredSession | None:
        """The session of that hash."""
        with self._read() as connection:
            row = connection.execute(select(desk_sessions).where(desk_sessions.c.id == id_)).mappings().first()
        if row is None:
            return None
        moments = {name: datetime.fromisoformat(row[name]) for name in ("created_at", "seen_at")}
        return StoredSession(**{**row, **moments})

    def touch_session(self, id_: str, now: datetime) -> None:
        """Says that a session was used."""
        with self._write(alone=False) as connection:
            connection.execute(update(desk_sessions).where(desk_sessions.c.id == id_).values(seen_at=now.isoformat()))

    def close_session(self, id_: str) -> None:
        """Forgets a session."""
        with self._write(alone=False) as connection:
            connection.execute(delete(desk_sessions).where(desk_sessions.c.id == id_))
