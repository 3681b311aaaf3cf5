"""A table in a database of others, that blocks are written to in batches, each a transaction."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from time import sleep as _sleep
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import (
    CHAR,
    JSON,
    URL,
    Column,
    Connection,
    DateTime,
    Float,
    Inspector,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    Uuid,
    delete,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.types import TypeEngine

from simrec.database import open_database, said, shown, sqlstate
from simrec.errors import SettingsError, StoreError
from simrec.settings import KEYS, WRITTEN, WriteBackSettings

Row: TypeAlias = dict[str, Any]
"""A row's values, by what they are: `source_id`, `rank`, …"""
T = TypeVar("T")

MANY = 500
"""Ids in one statement."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds before the second try, and the most before any; each wait is twice the last."""
PASSING = ("08", "40", "53", "55P03", "57014", "57P01", "57P02", "57P03", "58")
"""How the codes of PostgreSQL's errors start that another try may mend: no connection, a conflict or deadlock, no room,
a lock, a query that was cancelled, a server that starts or stops, a disk."""
LASTING = (
    "authentication failed", "does not exist", "permission denied", "access denied", "no such", "readonly", "password",
    "refuses ssl", "certificate verify", "not supported by pg8000",
)  # fmt: skip
"""In errors that another try does not mend, though drivers class them with those that it does."""
UPSERTS: dict[str, Callable[[Table], Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}

TYPES: dict[str, TypeEngine[Any]] = {
    "source_id": String(512), "rank": Integer(), "target_id": String(512), "score": Float(), "title": Text(),
    "url": Text(), "published_at": DateTime(timezone=True), "lang": String(64), "reason": Text(), "terms": JSON(),
    "reasons": JSON(), "snapshot": Integer(), "json": JSON(), "html": Text(), "heading": Text(),
}  # fmt: skip
"""Of the columns of a table that is made."""


class Target:
    """The table.

    Args:
        url: of its database.
        settings: which table, its columns, whether it may be made.
        sleep: waits for so many seconds, before another try.

    Raises:
        SettingsError: the table or a column is missing, or has a type that a value does not fit.
        StoreError: from any method: the database cannot be reached or written after all tries, or refuses a statement.
    """

    def __init__(self, url: URL, settings: WriteBackSettings, *, sleep: Callable[[float], None] = _sleep) -> None:
        self.url = url
        self.settings = settings
        self.name = f"{shown(url)}, table {settings.table}"
        self._sleep = sleep
        self._keys = KEYS[settings.rows]
        self._engine = open_database(url, read_only=False)
        self.columns: dict[str, str] = {}
        self._table, self._upserts = self._tried(self._opened)

    def close(self) -> None:
        """Closes the connections."""
        self._engine.dispose()

    def counts(self) -> dict[str, int]:
        """How many rows the table has of each article, by the article's `key`."""
        id_ = self._column("source_id")
        statement = select(id_, func.count()).group_by(id_)
        found: Counter[str] = Counter()
        for value, count in self._tried(lambda connection: connection.execute(statement).all()):
            found[self.key(value)] += int(count)
        return found

    def key(self, id_: Any) -> str:
        """One spelling of an article's id, whether it is as simrec has it or as the column gives it back.

        A column of numbers gives 7 for "007", one of UUIDs small letters, and one of CHAR(n) fills up with spaces.
        """
        fitted = self._fit("source_id", id_)
        if isinstance(fitted, Decimal):
            return f"{fitted.normalize():f}"
        return str(fitted).rstrip(" ") if isinstance(self._column("source_id").type, CHAR) else str(fitted)

    def write(self, blocks: Mapping[str, Sequence[Row]]) -> None:
        """Writes the rows of articles in place of those that they have, in one transaction."""
        rows = [self._fitted(row) for found in blocks.values() for row in found]
        self._tried(
            lambda connection: self._write(connection, {id_: len(found) for id_, found in blocks.items()}, rows)
        )

    def delete(self, ids: Sequence[str]) -> None:
        """Deletes all rows of articles, in one transaction."""
        self._tried(lambda connection: self._delete(connection, ids))

    def _write(self, connection: Connection, counts: Mapping[str, int], rows: Sequence[Row]) -> None:
        if not self._upserts:
            self._delete(connection, list(counts))
            if rows:
                connection.execute(insert(self._table), rows)
            return
        if rows:
            statement = UPSERTS[connection.dialect.name](self._table)
            keys = [self.columns[name] for name in self._keys]
            others = {name: statement.excluded[name] for name in self.columns.values() if name not in keys}
            conflict = {"index_elements": keys}
            if others:
                upsert = statement.on_conflict_do_update(**conflict, set_=others)
            else:
                upsert = statement.on_conflict_do_nothing(**conflict)
            if connection.dialect.name == "postgresql":
                upsert = upsert.returning(self._column("source_id"))  # then SQLAlchemy sends many rows a statement
            connection.execute(upsert, rows)
        self._delete(connection, [id_ for id_, count in counts.items() if not count])
        if "rank" in self._keys:
            for last in sorted(set(counts.values()) - {0}):
                self._delete(connection, [id_ for id_, count in counts.items() if count == last], after=last)

    def _delete(self, connection: Connection, ids: Sequence[str], after: int = 0) -> None:
        """Deletes rows of articles: all, or those of a rank after this."""
        statement = delete(self._table)
        if after:
            statement = statement.where(self._column("rank") > after)
        fitted = [self._fit("source_id", id_) for id_ in ids]
        for start in range(0, len(fitted), MANY):
            connection.execute(statement.where(self._column("source_id").in_(fitted[start : start + MANY])))

    def _column(self, name: str) -> Column[Any]:
        return self._table.c[self.columns[name]]

    # The table

    def _opened(self, connection: Connection) -> tuple[Table, bool]:
        """The table, made where it is missing and may be; and whether its keys are unique: rows then replace others."""
        schema, _, name = self.settings.table.rpartition(".")
        wanted = self.settings.columns or {value: value for value in WRITTEN[self.settings.rows]}
        inspector = inspect(connection)
        if not inspector.has_table(name, schema=schema or None):
            return self._made(connection, name, schema or None, wanted), connection.dialect.name in UPSERTS
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a type that SQLAlchemy does not know is taken as text
            types = {column["name"]: column["type"] for column in inspector.get_columns(name, schema=schema or None)}
        self.columns = wanted if self.settings.columns else {one: one for one in wanted if one in types}
        missing = [one for one in self.columns.values() if one not in types]
        missing += [one for one in self._keys if one not in self.columns]
        if missing:
            has = ", ".join(types)[:200]
            raise SettingsError(
                f"{self.name} has no column {', '.join(missing)}: name its own under [write_back]; it has {has}"
            )
        columns = [Column(one, types[one]) for one in self.columns.values()]
        table = Table(name, MetaData(), *columns, schema=schema or None)
        return table, connection.dialect.name in UPSERTS and self._unique(inspector, name, schema or None)

    def _made(self, connection: Connection, name: str, schema: str | None, wanted: Mapping[str, str]) -> Table:
        if not self.settings.create:
            raise SettingsError(f"{self.name}: there is none; make it, or set create = true under [write_back]")
        self.columns = dict(wanted)
        columns = [
            Column(
                column,
                TYPES[value],
                primary_key=value in self._keys,
                autoincrement=False,
                nullable=value not in self._keys,
            )
            for value, column in wanted.items()
        ]
        table = Table(name, MetaData(), *columns, schema=schema)
        table.create(connection)
        return table

    def _unique(self, inspector: Inspector, name: str, schema: str | None) -> bool:
        """Whether the database itself holds the keys to be unique."""
        keys = {self.columns[one] for one in self._keys}
        found = [inspector.get_pk_constraint(name, schema=schema).get("constrained_columns") or []]
        found += [list(one["column_names"]) for one in inspector.get_unique_constraints(name, schema=schema)]
        return any(set(columns) == keys for columns in found)

    # Values

    def _fitted(self, row: Row) -> Row:
        return {column: self._fit(value, row[value]) for value, column in self.columns.items()}

    def _fit(self, name: str, value: Any) -> Any:
        """A value as its column's type takes it."""
        kind = self._column(name).type
        if isinstance(kind, JSON):
            return value
        if isinstance(value, list | dict):
            return json.dumps(value, ensure_ascii=False, sort_keys=True)
        try:
            if isinstance(kind, Integer) and isinstance(value, str):
                return int(value)
            if isinstance(kind, Numeric) and isinstance(value, str):
                return Decimal(value)
            if isinstance(kind, Uuid) and isinstance(value, str):
                return UUID(value)
        except (ValueError, InvalidOperation):
            column = self.columns[name]
            raise SettingsError(
                f"{self.name}: {name} {value!r} does not fit column {column}: choose one of text"
            ) from None
        return self._moment(value, kind) if isinstance(value, datetime) else value

    def _moment(self, value: datetime, kind: TypeEngine[Any]) -> datetime | str:
        """A moment in UTC, with its zone where the column has one."""
        value = value.astimezone(UTC)
        if not isinstance(kind, DateTime):
            return value.isoformat()
        return value if kind.timezone and self._engine.dialect.name == "postgresql" else value.replace(tzinfo=None)

    # Tries

    def _tried(self, work: Callable[[Connection], T]) -> T:
        """Does work in a transaction; again, after a while, where the database was away or busy."""
        attempt = 0
        while True:
            try:
                with self._engine.begin() as connection:
                    return work(connection)
            except SQLAlchemyError as error:
                if attempt >= self.settings.retries or not may_pass(error, self._engine.dialect.name):
                    tries = f" after {attempt + 1} tries" if attempt else ""
                    advice = "what was written stays, run it again to go on"
                    raise StoreError(f"{self.name}{tries}: {said(error, self.url)}; {advice}") from None
            self._sleep(min(FIRST_WAIT * 2**attempt, LONGEST_WAIT))
            attempt += 1


def may_pass(error: SQLAlchemyError, dialect: str) -> bool:
    """Whether an error is of a kind that another try may mend: the database was away, busy, or in a deadlock."""
    if not isinstance(error, DBAPIError):
        return False
    text = str(error.orig).lower()
    if dialect == "sqlite":
        return "locked" in text or "busy" in text
    if dialect == "postgresql" and (code := sqlstate(error)):
        return code.startswith(PASSING)
    passing = error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return passing and not any(words in text for words in LASTING)
