"""Databases of others, by SQLAlchemy URLs: opened, and their errors told, without a password in any message."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.dialects import registry
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from simrec.errors import InputError, SettingsError, UsageError

CONNECT_SECONDS = 20
MAX_MESSAGE = 300
POSTGRES, DIALECT = "postgresql+pg8000", "postgresql+simrec"
"""A driver's name, as it is written and shown; and that of the dialect by which simrec uses it."""
DRIVERS = {"postgres": POSTGRES, "postgresql": POSTGRES}
"""What a URL without a driver means."""
EXTRAS = {"pg8000": "pip install 'simrec[postgres]'"}
FORM = "write it as postgresql://user:password@host/name or sqlite:///file.db"

registry.register("postgresql.simrec", "simrec.postgres", "Dialect")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_USER = re.compile(r"(://[^:/@?#\s]*):(?:[^/?#\s]*|(?!\d+/)[^@\s]*)@")
"""A user and password: to the last @ before the path, or, where a password holds a / or ?, to the first."""
_SECRET = re.compile(r"(?<=[?&;])([^=&;#\s]*(?:pass|pwd|token|key|secret)[^=&;#\s]*)=[^&;#\s'\"]*", re.IGNORECASE)


def parse_url(text: str, folder: Path | None = None) -> URL:
    """A URL, with its variables filled in.

    >>> parse_url("postgres://user:secret@host/news")
    postgresql+pg8000://user:***@host/news
    >>> parse_url("sqlite:///cms.db", Path("/srv/site"))
    sqlite:////srv/site/cms.db

    Args:
        text: the URL.
        folder: that the path of an SQLite database is meant from; None for the current one.

    Raises:
        SettingsError: a variable in it is not set.
        UsageError: it is no URL of a database, or one of a URI that SQLite itself would read.
    """
    filled = _VARIABLE.sub(_variable, text.strip())
    try:
        url = make_url(filled)
    except (ArgumentError, ValueError):
        raise UsageError(f"the database's URL cannot be read: {FORM}") from None
    url = url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return url
    if str(url.database).startswith("file:") or "uri" in url.query:
        raise UsageError("an SQLite database is named by its path, without file: and uri: write sqlite:///file.db")
    return url.set(database=str(folder.absolute() / str(url.database))) if folder else url


def _variable(found: re.Match[str]) -> str:
    value = os.environ.get(found[1])
    if value is None:
        raise SettingsError(f"the variable {found[1]} in the database's URL is not set: set it, and run this again")
    inside_user = bool(found.string[: found.start()]) and "@" in found.string[found.end() :]
    return quote(value, safe="") if inside_user else value  # a name or password may hold signs that mean something


def shown(url: URL | str) -> str:
    """A URL, or a text with URLs, as it may be shown: without passwords, keys and tokens, in its query either.

    >>> shown("postgresql://user:secret@host/news?sslpassword=secret")
    'postgresql://user:***@host/news?sslpassword=***'
    """
    text = url if isinstance(url, str) else url.render_as_string(hide_password=True)
    return _SECRET.sub(r"\1=***", _USER.sub(r"\1:***@", text))


def open_database(url: URL, *, read_only: bool, **options: Any) -> Engine:
    """An engine for one task: connections are not kept, where the options do not say so.

    Args:
        url: of `parse_url`.
        read_only: nothing can be written, as far as the database lets itself be held to it.
        options: of SQLAlchemy's `create_engine`.

    Raises:
        UsageError: its driver is not installed, or there is none.
        InputError: the file of an SQLite database is not there.
    """
    path = url.database if url.get_backend_name() == "sqlite" else None
    if read_only and path and path != ":memory:" and not Path(path).is_file():
        raise InputError(f"no database {path}: name a file that exists")
    options = {"hide_parameters": True} | (options or {"poolclass": NullPool})
    timeout = {"sqlite": "timeout", "postgresql": "connect_timeout", "mysql": "connect_timeout"}
    if (name := timeout.get(url.get_backend_name())) and name not in url.query:
        options["connect_args"] = {name: CONNECT_SECONDS}
    if url.drivername == POSTGRES:
        url = url.set(drivername=DIALECT)
    try:
        engine = create_engine(url, **options)
    except NoSuchModuleError:
        raise UsageError(f"there is no kind of database {url.drivername!r}: {FORM}") from None
    except ImportError as error:
        advice = EXTRAS.get(error.name or "", f"pip install its package for {url.drivername}")
        raise UsageError(f"the driver {error.name} is not installed: {advice}") from None
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _sqlite_reads if read_only else _sqlite_writes)
    return engine


def _sqlite_reads(connection: Any, _: object) -> None:
    connection.execute("PRAGMA query_only=ON")
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")


def _sqlite_writes(connection: Any, _: object) -> None:
    connection.execute("PRAGMA foreign_keys=ON")


def read_only(connection: Connection) -> Connection:
    """The connection, whose transaction the database itself holds to reading."""
    if connection.dialect.name == "postgresql":
        connection = connection.execution_options(postgresql_readonly=True)
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")  # a pooler may not keep what a session was told
    if connection.dialect.name in ("mysql", "mariadb"):
        connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
    return connection


def sqlstate(error: BaseException) -> str:
    """The code of an error of PostgreSQL, whichever driver tells it; empty where there is none: no server answered."""
    found = getattr(error, "orig", None) or error
    return str(_fields(found).get("C") or getattr(found, "sqlstate", None) or getattr(found, "pgcode", None) or "")


def _fields(error: BaseException) -> dict[str, str]:
    """What pg8000 gives in place of a message: the fields of the server's answer, by their letters."""
    fields = error.args[0] if error.args else None
    return fields if isinstance(fields, dict) else {}


def said(error: BaseException, url: URL) -> str:
    """What a database complains of, on one line, without its password."""
    found = getattr(error, "orig", None) or error
    text = " ".join(str(_fields(found).get("M") or found).split())
    secrets = {str(url.password or "")}
    for name, values in url.query.items():
        if _SECRET.search(f"?{name}="):
            secrets |= {values} if isinstance(values, str) else set(values)
    spelled = {how(secret) for secret in secrets for how in (str, partial(quote, safe=""), quote_plus)} - {""}
    for secret in sorted(spelled, key=len, reverse=True):
        text = text.replace(secret, "***")
    text = shown(text)
    return text if len(text) <= MAX_MESSAGE else f"{text[: MAX_MESSAGE - 1]}…"
