"""PostgreSQL by pg8000: with the options that URLs have for libpq, and with every failure an error of the driver."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime
from functools import partial
from getpass import getuser
from itertools import count
from typing import Any, Literal

from sqlalchemy import URL, Engine, event
from sqlalchemy.dialects.postgresql.pg8000 import (
    PGDialect_pg8000,
    PGExecutionContext_pg8000,
    ServerSideCursor,
)
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import DataError, InterfaceError, SQLAlchemyError

from simrec.errors import UsageError

OPTIONS = (
    "application_name", "connect_timeout", "host", "options", "port", "sslcert", "sslkey", "sslmode", "sslrootcert",
    "unix_sock",
)  # fmt: skip
MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SESSION = "SET client_encoding = 'UTF8'; SET DateStyle = 'ISO'; SET bytea_output = 'hex'"
"""What pg8000 takes for granted, and a server may have otherwise."""
MOMENTS: dict[int, type[date]] = {1082: date, 1114: datetime, 1184: datetime}
"""Oids of date, timestamp and timestamptz."""
ENDING = ("08", "57P01", "57P02", "57P03", "57P05")
"""How the codes of errors begin after which a connection is of no use."""
AS_TEXT = (
    600, 650, 651, 869, 1041, 1083, 1183, 1186, 1187, 2249, *range(3904, 3928), 4451,
    *range(4532, 4537), *range(6150, 6158),
)  # fmt: skip
"""Oids whose values stay as the server writes them, since Python's types hold only some of them: point, cidr, inet,
time, interval, record, ranges, and lists of these."""


_NUMBERS = count()
"""Of cursors on the server, each open until its transaction is over."""


class _Cursor(ServerSideCursor):
    def close(self) -> None:
        self.cursor.close()  # the transaction's end closes it on the server, where a failed one would refuse to


class _Context(PGExecutionContext_pg8000):
    def create_server_side_cursor(self) -> Any:
        return _Cursor(self._dbapi_connection.cursor(), f"simrec_{next(_NUMBERS)}")  # type: ignore[no-untyped-call]


class Dialect(PGDialect_pg8000):
    """SQLAlchemy's dialect of pg8000, for short connections to databases of others."""

    supports_statement_cache = True
    use_insertmanyvalues_wo_returning = True  # many rows a statement: pg8000 waits for the server after each
    execution_ctx_cls = _Context

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        """Called by SQLAlchemy: has the errors of the engine looked at."""
        event.listen(engine, "handle_error", _told)

    def create_connect_args(self, url: URL) -> tuple[list[Any], dict[str, Any]]:
        """What pg8000 is called with.

        Raises:
            UsageError: the URL has an option that is not known, or a value that cannot be.
        """
        options = {name: _one(name, value) for name, value in url.query.items()}
        if unknown := sorted(set(options) - set(OPTIONS)):
            advice = f"there are {', '.join(OPTIONS)}; for others name another driver, as in postgresql+psycopg://"
            raise UsageError(f"the database's URL has the unknown option {unknown[0]}: {advice}")
        found: dict[str, Any] = url.translate_connect_args(username="user")
        found.setdefault("user", getuser())
        for name in ("host", "application_name", "unix_sock"):
            if name in options:
                found[name] = options[name]
        found["port"] = _number("port", options.get("port", found.get("port") or 5432))
        if "connect_timeout" in options:
            found["connect_timeout"] = _number("connect_timeout", options["connect_timeout"])
        if "options" in options:
            found["startup_params"] = {"options": options["options"]}
        if str(found.get("host", "")).startswith("/"):  # the folder of a socket
            found["unix_sock"] = f"{found.pop('host').rstrip('/')}/.s.PGSQL.{found['port']}"
        found["ssl_context"] = False if "unix_sock" in found else _encryption(options)
        return [], found

    def connect(self, *arguments: Any, connect_timeout: int = 0, **options: Any) -> Any:
        """A connection; the timeout is for its making alone, since a query may take as long as it takes."""
        refused = self.loaded_dbapi.InterfaceError
        try:
            connection = super().connect(*arguments, timeout=connect_timeout or None, **options)
            connection._usock.settimeout(None)
        except Exception as error:  # what answers may be no PostgreSQL, and anything at all
            if fields := _answer(error):
                raise self.loaded_dbapi.ProgrammingError(fields) from error
            if isinstance(error, AttributeError) and not options.get("password"):  # pg8000 has need of one
                raise refused("the server asks for a password, and the URL has none") from error
            cause = error.__cause__
            if isinstance(error, self.loaded_dbapi.Error) and not isinstance(cause, OSError):
                raise
            raise refused(f"cannot connect: {cause or error or type(error).__name__}") from error
        return connection

    def is_disconnect(self, error: Any, connection: Any, cursor: Any) -> bool:
        """Whether an error ends the connection: the network's, or a server that stops or was told to end it."""
        fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        ended = str(fields.get("C", "")).startswith(ENDING)
        return ended or bool(super().is_disconnect(error, connection, cursor))  # type: ignore[no-untyped-call]

    def on_connect(self) -> Callable[[Any], None]:
        """Sets up a connection."""
        before = super().on_connect()  # type: ignore[no-untyped-call]

        def set_up(connection: Any) -> None:
            if before:
                before(connection)
            for oid, kind in MOMENTS.items():
                connection.register_in_adapter(oid, partial(_moment, kind=kind))
            for oid in AS_TEXT:
                connection.register_in_adapter(oid, str)
            cursor = connection.cursor()
            cursor.execute(SESSION)
            connection.commit()
            cursor.close()

        return set_up

    def do_close(self, dbapi_connection: Any) -> None:
        """Closes a connection, which may be broken: the error that broke it is told already."""
        with suppress(self.loaded_dbapi.Error, OSError, ValueError, AttributeError):
            super().do_close(dbapi_connection)  # type: ignore[no-untyped-call]

    def do_terminate(self, dbapi_connection: Any) -> None:
        """The same."""
        self.do_close(dbapi_connection)


def _told(context: ExceptionContext) -> SQLAlchemyError | None:
    """What pg8000 lets through from below, as an error of the database."""
    error = context.original_exception
    if isinstance(error, OSError):
        context.is_disconnect = True
        return InterfaceError(None, None, error)
    if isinstance(error, ValueError):  # a text that cannot be encoded, say: half of the request is sent by then
        context.is_disconnect, context.invalidate_pool_on_disconnect = True, False
        return DataError(None, None, error)
    return None


def _answer(error: BaseException | None) -> dict[str, str] | None:
    """The fields of what the server said; pg8000 may fail once more as it then closes a connection that is closed."""
    while error is not None:
        if error.args and isinstance(error.args[0], dict):
            return error.args[0]
        error = error.__context__
    return None


def _one(name: str, value: str | tuple[str, ...]) -> str:
    if not isinstance(value, str):
        raise UsageError(f"the database's URL has more than one {name}: leave one")
    return value


def _number(name: str, value: str | int) -> int:
    try:
        return int(value)
    except ValueError:
        raise UsageError(f"{name} in the database's URL must be a number, not {value!r}") from None


def _encryption(options: Mapping[str, str]) -> ssl.SSLContext | Literal[False] | None:
    """What pg8000 takes: None to encrypt where the server can, False to do it never, a context to do it always."""
    mode = options.get("sslmode", "prefer")
    if mode not in MODES:
        raise UsageError(f"sslmode in the database's URL must be one of {', '.join(MODES)}, not {mode!r}")
    root, certificate = options.get("sslrootcert"), options.get("sslcert")
    if mode in ("disable", "allow", "prefer"):
        return False if mode == "disable" else None
    try:
        context = ssl.create_default_context(cafile=None if root in (None, "system") else root)
        if certificate:
            context.load_cert_chain(certificate, options.get("sslkey"))
    except (OSError, ValueError) as error:
        raise UsageError(f"a certificate in the database's URL cannot be read: {error}") from None
    context.check_hostname = mode == "verify-full"
    if mode == "require" and not root:
        context.verify_mode = ssl.CERT_NONE
    return context


def _moment(text: str, kind: type[date] = datetime) -> date | str:
    """The value; the text itself where it is one that Python cannot say: infinity, a year before 1 or after 9999."""
    try:
        return kind.fromisoformat(text)
    except ValueError:
        return text
