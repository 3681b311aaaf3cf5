"""Locks that a session of PostgreSQL holds, over all processes of all hosts: until it ends, however it ends."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import Any

from sqlalchemy import URL, Connection, NullPool, text
from sqlalchemy.exc import SQLAlchemyError

from simrec.store import engine

SECONDS = 10
"""Within which the server has to answer whether a lock is held; after that it passes for lost."""
KEY = "hashtextextended('simrec ' || :purpose || ' ' || current_schema(), 0)"
"""A lock's number: each schema has its own, so that the sites of one database do not wait for each other."""
HELD = f"""
    FROM pg_locks JOIN pg_stat_activity AS session USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
      AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND ((classid::bigint << 32) | objid::bigint) = {KEY}
"""  # noqa: S608 - the lock's number is put in, an expression above
TRY = text(f"SELECT pg_try_advisory_lock({KEY}), pg_backend_pid()")
HOLDER = text(f"SELECT session.application_name, session.backend_start {HELD}")
IS_HELD = text(f"SELECT EXISTS (SELECT 1 {HELD} AND pid = :pid)")
PREPARE = """
    SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('idle_session_timeout', 'statement_timeout');
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3
"""
"""The server must not end a session that only holds a lock, and must notice in half a minute that a host is gone."""


class SessionLock:
    """A lock on a connection of its own.

    Args:
        url: of the database.
        purpose: names the lock.
        command: what the holder does, for those who wait.

    Raises:
        StoreError: from `acquire` and `holder`: the database cannot be reached.
    """

    def __init__(self, url: URL, purpose: str, command: str = "") -> None:
        self.url = url
        self._purpose = {"purpose": purpose}
        self._name = f"simrec:{command or purpose}:{os.getpid()}@{socket.gethostname()}"
        self._engine = engine.open_server(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._connection: Connection | None = None
        self._pid = 0
        self._one = threading.Lock()

    def acquire(self) -> bool:
        """Takes the lock, where nobody has it."""
        with self._one, engine.guard(self.url):
            if self._pid and self._answers():
                return True
            try:
                connection = self._connection or self._connect()
                won, pid = connection.execute(TRY, self._purpose).one()
            except SQLAlchemyError:
                self._drop()
                raise
            self._pid = pid if won else 0
            return bool(won)

    def holds(self) -> bool:
        """Whether the lock is held: asks the server, which takes as long as its answer does."""
        with self._one:
            return bool(self._pid) and self._answers()

    def release(self) -> None:
        """Gives the lock back, and closes the connection."""
        with self._one:
            if self._pid and self._connection is not None:
                with suppress(SQLAlchemyError):  # at once, where the end of a connection is noticed a moment later
                    self._connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")
            self._drop()

    def is_held(self, connection: Connection) -> bool:
        """The same as `holds`, by another connection, in its transaction."""
        return bool(self._pid) and bool(connection.scalar(IS_HELD, {**self._purpose, "pid": self._pid}))

    def holder(self) -> dict[str, Any]:
        """Who has the lock: process, host, command, since when; empty where nobody has it."""
        with engine.guard(self.url), self._engine.connect() as connection:
            found = connection.execute(HOLDER, self._purpose).first()
        if found is None:
            return {}
        _, command, who = (f"{found[0]}::").split(":")[:3]
        pid, _, host = who.partition("@")
        since = found[1].isoformat(timespec="seconds") if hasattr(found[1], "isoformat") else str(found[1])
        return {"pid": pid, "host": host, "command": command, "since": since}

    def _connect(self) -> Connection:
        self._connection = connection = self._engine.connect()
        driver: Any = connection.connection.driver_connection
        if hasattr(driver, "_usock"):  # pg8000 waits for ever otherwise, also for a host that is gone
            driver._usock.settimeout(SECONDS)
        connection.exec_driver_sql(PREPARE)
        connection.execute(text("SELECT set_config('application_name', :name, false)"), {"name": self._name[:63]})
        return connection

    def _answers(self) -> bool:
        """Whether the session that took the lock is alive: no other way but its end takes it away."""
        assert self._connection is not None  # noqa: S101 - `acquire` has set both
        try:
            alive = bool(self._connection.scalar(text("SELECT pg_backend_pid()")) == self._pid)
        except SQLAlchemyError:
            alive = False
        if not alive:
            self._drop()
        return alive

    def _drop(self) -> None:
        self._pid, connection, self._connection = 0, self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError, OSError):
                connection.invalidate()  # closes it: the server frees the lock
                connection.close()


__all__ = ["SessionLock"]
