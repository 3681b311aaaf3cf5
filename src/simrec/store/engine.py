"""What the store stands on: an SQLite file, or a PostgreSQL database."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from simrec.database import open_database, said, shown, sqlstate
from simrec.errors import SettingsError, StoreError

WAIT = 30
"""Seconds that a command waits for another one that is writing."""
PRAGMAS = ("synchronous=FULL", "foreign_keys=ON")
"""FULL: what a transaction has stored is on the disk when it returns, also where the power goes at that moment."""
SESSION = f"""
    SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET lock_timeout = '{WAIT}s';
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3
"""
"""A transaction that reads sees one state; the server notices within half a minute that a host which wrote is gone."""
WRITING = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
TURN = "SELECT pg_advisory_xact_lock(hashtextextended('simrec write ' || current_schema(), 0))"
"""Of a transaction that writes: it waits until no other one does, and then sees what was written before."""
POOL = {"pool_size": 5, "max_overflow": 15, "pool_timeout": WAIT, "pool_recycle": 1800, "pool_pre_ping": True}
"""Connections to a server are kept; one that broke is made anew."""


def open_engine(place: Path | URL) -> Engine:
    """An engine whose reads see one state, and whose writes wait for each other.

    Where nothing can be written, on a disk that turned read-only, say, it still reads.
    """
    engine = _open_file(place) if isinstance(place, Path) else open_server(place, **POOL)
    event.listen(engine, "begin", _begin)
    return engine


def _open_file(path: Path) -> Engine:
    url = URL.create("sqlite", database=str(path)) if is_writable(path) else _reading(path)  # a path may hold a ?
    engine = create_engine(url, connect_args={"timeout": WAIT}, json_deserializer=_decode)
    if is_writable(path):
        event.listen(engine, "connect", _configure)
    return engine


def _decode(text: str) -> Any:
    """A value; most lists of a site's articles are empty."""
    return [] if text == "[]" else {} if text == "{}" else json.loads(text)


def open_server(url: URL, **options: Any) -> Engine:
    """An engine of a PostgreSQL database.

    Raises:
        SettingsError: it is another kind of database.
        UsageError: its driver is not installed.
    """
    if url.get_backend_name() != "postgresql":
        raise SettingsError(
            f"store.url is of {url.get_backend_name()}: write it as postgresql://user:password@host/name, or leave it "
            "empty for a file in the workspace"
        )
    engine = open_database(url, read_only=False, **options)
    event.listen(engine, "connect", _prepare)
    return engine


def is_writable(path: Path) -> bool:
    """Whether a file, and what SQLite lays beside it, can be written; also where there is none yet."""
    return os.access(path.parent, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))


def _reading(path: Path) -> URL:
    """The address of a file that is only read."""
    log = path.with_name(f"{path.name}-wal")
    whole = not log.exists() or not log.stat().st_size  # else the newest of it is in the log
    query = {"mode": "ro", "uri": "true"} | ({"immutable": "1"} if whole else {})
    return URL.create("sqlite", database=f"file:{quote(str(path.absolute()))}", query=query)


def writing(engine: Engine, *, alone: bool = True) -> Engine:
    """The same engine for transactions that write: they take the write lock at once, not half-way.

    Args:
        engine: of `open_engine`.
        alone: False for those that can go on beside others, where the database lets them; see `take_turn`.
    """
    return engine.execution_options(immediate=True, alone=alone)


def take_turn(connection: Connection) -> None:
    """Waits until no other transaction writes; until this one is over, none does. No harm where it has its turn."""
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(TURN)


def _configure(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself: `_begin` does
    _log_ahead(connection)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Writes to a log first. SQLite itself does not wait for another process that does the same to a new file."""
    end = time.monotonic() + WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _prepare(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute(SESSION)
    connection.commit()
    cursor.close()


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    immediate = options.get("immediate")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
    elif immediate:
        connection.exec_driver_sql(f"{WRITING}; {TURN}" if options["alone"] else WRITING)


@contextmanager
def guard(place: Path | URL) -> Iterator[None]:
    """Turns errors of the store's database into StoreError, in words."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise StoreError(f"{shown(str(place))}: {HALVED}") from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = getattr(error, "orig", None) or error
        if isinstance(place, Path):
            raise StoreError(f"{place}: {advice(str(cause))}") from error
        # not chained: a traceback would show what the server said, a password with it
        raise StoreError(f"{shown(place)}: {server_advice(error, place)}") from None


def advice(message: str) -> str:
    """What SQLite complains of, and what to do about it."""
    if "full" in message:
        return "the disk is full; free some space and run the command again, what was stored before is kept"
    if "I/O error" in message:
        return (
            "the disk fails or is full; free some space or check it, and run the command again, what was stored is kept"
        )
    if "locked" in message:
        return "another command is writing; wait until it is done and run this one again"
    if "not a database" in message or "malformed" in message:
        return "this file is not a simrec store, or is damaged; restore it, or name another workspace with -w"
    if "readonly" in message or "unable to open" in message:
        return "the file cannot be opened for writing; check the folder and its permissions"
    return message


HALVED = "a text holds a NUL character or half of a surrogate pair: take it out"
ANSWERS = {
    "22021": HALVED,
    "22P02": HALVED,
    "22P05": "a text holds a character that the database cannot: take NULs out, or make it in UTF-8",
    "28": "the server refuses the user or the password; check store.url and the server's pg_hba.conf",
    "3D": "there is no such database; make it (`createdb`), or correct store.url",
    "3F": "there is no schema to make tables in; make it, or correct the search_path in store.url",
    "42501": "the user may not do this; let it own its schema (GRANT USAGE, CREATE ON SCHEMA …)",
    "25006": "the server only reads, as a standby does; name the primary in store.url",
    "53100": "the server's disk is full; free some space and run the command again, what was stored before is kept",
    "53300": "the server has no connection left; raise its max_connections, or run fewer processes",
    "53": "the server lacks room; free some and run the command again, what was stored before is kept",
    "54000": "an id, an address or a link is too long for an index of PostgreSQL; shorten it to 500 characters",
    "55P03": "another command is writing; wait until it is done and run this one again",
    "40": "another command was writing the same; run this one again",
    "57P": "the server stops or starts; wait until it is up and run the command again, what was stored before is kept",
}
"""What to do, by how the code of PostgreSQL's error begins; the longest one counts."""


def server_advice(error: BaseException, url: URL) -> str:
    """What PostgreSQL complains of, and what to do about it."""
    if isinstance(getattr(error, "orig", None), UnicodeEncodeError):
        return HALVED
    code, message = sqlstate(error), said(error, url)
    if not code:
        return f"the database cannot be reached ({message}); check that the server is up, and store.url"
    known = [begin for begin in ANSWERS if code.startswith(begin)]
    return f"{ANSWERS[max(known, key=len)]} ({message})" if known else message
