"""The SQLite file behind the store."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event

WAIT = 30
"""Seconds that a command waits for another one that is writing."""
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
"""FULL: what a transaction has stored is on the disk when it returns, also where the power goes at that moment."""


def open_engine(path: Path) -> Engine:
    """An engine whose reads see one state, and whose writes wait for each other.

    Where nothing can be written, on a disk that turned read-only, say, it still reads.
    """
    url = URL.create("sqlite", database=str(path)) if is_writable(path) else _reading(path)  # a path may hold a ?
    engine = create_engine(url, connect_args={"timeout": WAIT})
    if is_writable(path):
        event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
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


def writing(engine: Engine) -> Engine:
    """The same engine for transactions that write: they take the write lock at once, not half-way."""
    return engine.execution_options(immediate=True)


def _configure(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself: `_begin` does
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


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
