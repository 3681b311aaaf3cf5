"""Who is signed in at the desk: sessions that the store keeps, so that all processes know them."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock, Thread

from simrec.errors import SimrecError
from simrec.store import Store
from simrec.store.desk_sessions import StoredSession

IDLE = timedelta(hours=2)
"""A session that is not used for so long ends."""
LONGEST = timedelta(hours=12)
"""A session ends after so long, however busy it is."""
TOUCH = timedelta(minutes=1)
"""How often it is written down that a session is in use."""
SHORT = 0.2
"""Seconds that a request waits for that."""
LINK = timedelta(minutes=10)
"""How long a link that signs in without a key works, if nobody has used it."""


class Sessions:
    """The sessions of a store.

    What the browser holds is random, and the store has its hash only: who reads the store can take over no session.

    Args:
        open_store: opens the store.
        clock: says what time it is.
    """

    def __init__(self, open_store: Callable[[], AbstractContextManager[Store]], clock: Callable[[], datetime]) -> None:
        self._open_store = open_store
        self._clock = clock
        self._touching = Lock()
        self._links: dict[str, tuple[str, str, tuple[str, ...], datetime]] = {}

    def open(self, key_id: str, name: str, scopes: tuple[str, ...]) -> str:
        """Begins a session, and gives what the browser is to hold; nothing that it held before counts any longer."""
        token, now = secrets.token_urlsafe(32), self._clock()
        session = StoredSession(_hash(token), key_id, name, scopes, secrets.token_urlsafe(24), now, now)
        with self._open_store() as store:
            store.open_session(session, expired=(now - LONGEST, now - IDLE))
        return token

    def find(self, token: str | None) -> StoredSession | None:
        """The session of what the browser holds; None where there is none, or it has ended."""
        if not token:
            return None
        now = self._clock()
        with self._open_store() as store:
            session = store.session(_hash(token))
            if session is None:
                return None
            if now - session.created_at > LONGEST or now - session.seen_at > IDLE:
                store.close_session(session.id)
                return None
        if now - session.seen_at > TOUCH:
            self._touch(session.id, now)
        return session

    def close(self, token: str | None) -> None:
        """Ends the session of what the browser holds."""
        if token:
            with self._open_store() as store:
                store.close_session(_hash(token))

    def make_link(self, key_id: str, name: str, scopes: tuple[str, ...]) -> str:
        """A token that signs in once, in this process, within ten minutes."""
        token = secrets.token_urlsafe(32)
        self._links[_hash(token)] = (key_id, name, scopes, self._clock() + LINK)
        return token

    def use_link(self, token: str) -> str | None:
        """Begins a session by such a token, which then is used up; None where it is not, or no longer, known."""
        key_id, name, scopes, until = self._links.pop(_hash(token), ("", "", (), None))
        if until is None or self._clock() > until:
            return None
        return self.open(key_id, name, scopes)

    def _touch(self, id_: str, now: datetime) -> None:
        """Writes down that a session is in use; where something else is writing, nobody waits for it."""

        def touch() -> None:
            try:
                with suppress(SimrecError), self._open_store() as store:
                    store.touch_session(id_, now)
            finally:
                self._touching.release()

        if self._touching.acquire(blocking=False):  # else one waits already: it is said with a later request
            thread = Thread(target=touch, daemon=True)
            thread.start()
            thread.join(SHORT)


def agrees(session: StoredSession, csrf: str) -> bool:
    """Whether a form was made for a session, in constant time."""
    return hmac.compare_digest(session.csrf.encode(), csrf.encode("utf-8", "replace"))


def _hash(token: str) -> str:
    return sha256(token.encode("utf-8", "replace")).hexdigest()
