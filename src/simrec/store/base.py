"""What every part of the store stands on: one file, transactions, errors in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import SQLAlchemyError

from simrec.errors import StoreError
from simrec.store import engine
from simrec.store.migrations import migrate

MANY = 500
"""Values in one SQL statement: below SQLite's least limit."""


class Connected:
    """A workspace's SQLite file. Use it as a context manager, or close it.

    Raises:
        StoreError: from any method, where the file cannot be read or written, is no store, or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = engine.open_engine(path)
        self._writer = engine.writing(self._engine)
        with self._guard():
            migrate(self._writer, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._engine.dispose()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._guard(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._guard(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            cause = getattr(error, "orig", None) or error
            raise StoreError(f"{self.path}: {engine.advice(str(cause))}") from error


@cache
def replacing(table: Table) -> Any:
    """Inserts rows of a table, and replaces those that are there; made once, for it takes longer than it runs."""
    statement = upsert(table)
    keys = {column.name for column in table.primary_key}
    values = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=sorted(keys), set_=values)
