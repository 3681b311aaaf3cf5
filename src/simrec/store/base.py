"""What every part of the store stands on: a file or a database, transactions, errors in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Self

from sqlalchemy import URL, Connection

from simrec.database import shown
from simrec.store import engine
from simrec.store.migrations import migrate
from simrec.store.rows import MANY, replacing


class Fence(Protocol):
    """Who may write."""

    def check(self, connection: Connection) -> None:
        """Raises LockedError where the transaction must not write."""


class Connected:
    """A workspace's store. Use it as a context manager, or close it.

    Args:
        place: an SQLite file, or the URL of a PostgreSQL database.
        fence: is asked in each transaction that writes, an `Election`, say; None: it may write.

    Raises:
        StoreError: from any method, where the store cannot be reached, read or written, is none, or the disk is full.
    """

    def __init__(self, place: Path | URL, *, fence: Fence | None = None) -> None:
        self.place = place
        self.name = str(place) if isinstance(place, Path) else shown(place)
        self._fence = fence
        self._engine = engine.open_engine(place)
        self._writer = engine.writing(self._engine)
        self._beside = engine.writing(self._engine, alone=False)
        try:
            with self._guard():
                migrate(self._writer, place)
        except BaseException:  # also where it is told to end
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file, or the connections."""
        self._engine.dispose()

    @contextmanager
    def _write(self, *, alone: bool = True) -> Iterator[Connection]:
        """A transaction that writes.

        Args:
            alone: no other one does meanwhile. False for rows that nothing else hangs on, as those of a log: on a
                server they need not wait for a build that is being stored.
        """
        with self._guard(), (self._writer if alone else self._beside).begin() as connection:
            if self._fence:
                self._fence.check(connection)
            yield connection

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._guard(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _guard(self) -> Iterator[None]:
        with engine.guard(self.place):
            yield


__all__ = ["MANY", "Connected", "Fence", "replacing"]
