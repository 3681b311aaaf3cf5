"""Who may be the writer, of all processes on all hosts that share a store."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection

from simrec.errors import LockedError, StoreError
from simrec.store.sessions import SessionLock

PURPOSE = "writer"
LOST = "this process is not the writer any more: nothing was written; send it again"


class Election:
    """A seat that one process has at a time: for a file a lock beside it, for a database one of a session's.

    Whoever ends, however it ends, leaves the seat. A store that was opened with an election (`Store`) writes only while
    the seat is held, so that who has lost it, and does not know yet, changes nothing. Several threads may use one.

    Args:
        place: the store's file, or the URL of its database.

    Raises:
        StoreError: from `try_win` and `holder`: the file's folder cannot be written, or the database not be reached.
    """

    def __init__(self, place: Path | URL) -> None:
        self._seat = _FileSeat(place) if isinstance(place, Path) else SessionLock(place, PURPOSE)

    def try_win(self) -> bool:
        """Takes the seat, where it is free; True where it is this process's."""
        return self._seat.acquire()

    def holds(self) -> bool:
        """Whether the seat is still this process's: one look at the file, or one word with the server."""
        return self._seat.holds()

    def resign(self) -> None:
        """Leaves the seat, for others to take at once."""
        self._seat.release()

    def holder(self) -> dict[str, Any]:
        """Who has the seat: process, host, since when; empty where nobody has, or it cannot be known."""
        return self._seat.holder()

    def check(self, connection: Connection) -> None:
        """Holds a transaction to the seat: until it is over, nobody else writes, whoever wins meanwhile.

        Raises:
            LockedError: it is lost.
        """
        if not self._seat.is_held(connection):
            raise LockedError(LOST)


class _FileSeat:
    """A lock beside a file, that the system takes from a process that ends."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute().with_name(f"{path.name}.writer.lock")
        self._said = self._path.with_suffix(".lock.json")
        self._lock = FileLock(self._path, thread_local=False)
        self._file: os.stat_result | None = None

    def acquire(self) -> bool:
        if self.holds():
            return True
        self.release()
        try:
            self._lock.acquire(timeout=0)
            self._file = self._path.stat()
        except Timeout:
            return False
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written: {error.strerror}; check its permissions") from error
        said = {"pid": os.getpid(), "host": socket.gethostname(), "command": PURPOSE}
        with suppress(OSError):  # it is for people
            self._said.write_text(json.dumps(said | {"since": datetime.now(UTC).isoformat(timespec="seconds")}))
        return True

    def holds(self) -> bool:
        """Held, and under its name still: another process could lock a file that was put in its place."""
        if not self._lock.is_locked or self._file is None:
            return False
        try:
            return os.path.samestat(self._file, self._path.stat())
        except OSError:
            return False

    def is_held(self, _: Connection) -> bool:
        return self.holds()

    def release(self) -> None:
        if self._lock.is_locked:
            with suppress(OSError):
                self._said.unlink(missing_ok=True)
        self._lock.release(force=True)

    def holder(self) -> dict[str, Any]:
        probe = FileLock(self._path)
        with suppress(Timeout, OSError):  # what a process said that was killed stays behind
            probe.acquire(timeout=0)
            probe.release()
            return {}
        try:
            found = json.loads(self._said.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


__all__ = ["Election"]
