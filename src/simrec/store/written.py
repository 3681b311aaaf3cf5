"""What was written back to a table: so that only what changed is written, and a run that broke off goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from sqlalchemy import Column, Integer, MetaData, String, Table, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from simrec.errors import StoreError
from simrec.store import engine

FILE_NAME = "write_back.db"

_metadata = MetaData()
_written = Table(
    "written",
    _metadata,
    Column("target", String, primary_key=True),
    Column("source_id", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("rows", Integer, nullable=False),
)


class Note(NamedTuple):
    """What stands in the table for an article: a hash of its rows, and how many they are."""

    digest: str
    rows: int


class Written:
    """Notes beside the store, in a file that may be deleted at any time: all is then written once more.

    Args:
        path: of the file.
        target: names the table that the notes are of.

    Raises:
        StoreError: from any method, where the file cannot be read or written.
    """

    def __init__(self, path: Path, target: str) -> None:
        self.path = path
        self.target = target
        self._engine = engine.open_engine(path)
        self._writer = engine.writing(self._engine)
        with self._guard(), self._writer.begin() as connection:
            _metadata.create_all(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    def all(self) -> dict[str, Note]:
        """The notes by article."""
        statement = select(_written.c.source_id, _written.c.digest, _written.c["rows"])
        with self._guard(), self._engine.connect() as connection:
            found = connection.execute(statement.where(_written.c.target == self.target))
            return {id_: Note(digest, rows) for id_, digest, rows in found}

    def note(self, notes: Mapping[str, Note]) -> None:
        """Notes what was written for some articles."""
        rows = [{"target": self.target, "source_id": id_, **note._asdict()} for id_, note in notes.items()]
        with self._guard(), self._writer.begin() as connection:
            connection.execute(insert(_written).prefix_with("OR REPLACE"), rows)

    def forget(self, ids: Sequence[str]) -> None:
        """Forgets articles whose rows were deleted."""
        with self._guard(), self._writer.begin() as connection:
            for id_ in ids:
                gone = (_written.c.target == self.target, _written.c.source_id == id_)
                connection.execute(delete(_written).where(*gone))

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            cause = getattr(error, "orig", None) or error
            raise StoreError(f"{self.path}: {engine.advice(str(cause))}; or delete the file") from error
