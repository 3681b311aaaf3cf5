"""Rows into tables, many at a time, by whichever way is fast in the store's database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import JSON, insert

MANY = 500
"""Values in one SQL statement: below SQLite's least limit."""


@cache
def replacing(table: Table) -> Any:
    """Inserts rows of a table, and replaces those that are there; made once, for it takes longer than it runs."""
    return _in_place(insert(table), table, tuple(column.name for column in table.columns))


@cache
def adding(table: Table) -> Any:
    """Inserts rows of a table whose keys are not there yet."""
    return insert(table).on_conflict_do_nothing()  # PostgreSQL's, whose clauses SQLite takes as they are


def put_rows(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]], many: int = MANY) -> None:
    """Stores rows in place of those that have their keys.

    Args:
        connection: in a transaction.
        table: which one.
        rows: all with the same columns, no key twice.
        many: rows a statement.
    """
    _store(connection, table, rows, many, keep=False)


def add_rows(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]], many: int = MANY) -> None:
    """Stores rows whose keys are not there yet; of two with one key the first. The same otherwise as `put_rows`."""
    _store(connection, table, rows, many, keep=True)


def _store(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]], many: int, *, keep: bool) -> None:
    waiting = iter(rows)
    while some := [dict(row) for row in islice(waiting, many)]:
        if connection.dialect.name == "postgresql":  # a value each takes its driver, in Python, ten times as long
            connection.execute(_unpacking(table, tuple(some[0]), keep=keep), {"rows": some})
        else:
            connection.execute(adding(table) if keep else replacing(table), some)


@cache
def _unpacking(table: Table, names: tuple[str, ...], *, keep: bool) -> Any:
    """Stores rows that come as one value, in JSON."""
    columns = [column(name, table.c[name].type) for name in names]
    rows = func.json_to_recordset(bindparam("rows", type_=JSON(none_as_null=True)))
    given = rows.table_valued(*columns).render_derived(name="given", with_types=True)
    statement = insert(table).from_select(names, select(*given.c))
    return statement.on_conflict_do_nothing() if keep else _in_place(statement, table, names)


def _in_place(statement: Any, table: Table, names: tuple[str, ...]) -> Any:
    keys = [column.name for column in table.primary_key]
    values = {name: statement.excluded[name] for name in names if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=values)


__all__ = ["MANY", "add_rows", "adding", "put_rows", "replacing"]
