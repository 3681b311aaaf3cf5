"""PostgreSQL by pg8000: options, values, and what may go wrong on the way to a server and back."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from getpass import getuser
from multiprocessing import get_context
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError, InterfaceError, ProgrammingError

from simrec.database import open_database, parse_url, said, sqlstate
from simrec.errors import InputError, StoreError, UsageError
from simrec.ingest.database import DatabaseSource
from simrec.postgres import Dialect
from simrec.settings import DatabaseSettings, IngestSettings, WriteBackSettings
from simrec.store.target import Target, may_pass
from simrec.types import Entry

GREETING = b"R\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"
"""A server asks for a password by SCRAM."""


def arguments(url: str) -> dict[str, Any]:
    """What pg8000 is called with."""
    return Dialect().create_connect_args(parse_url(url))[1]  # type: ignore[no-untyped-call]


def source(url: str, query: str, batch: int = 100) -> DatabaseSource:
    """A source of a query."""
    return DatabaseSource(url, DatabaseSettings(query=query, batch=batch), IngestSettings())


def values(url: str, expressions: str) -> tuple[Any, ...]:
    """What a SELECT of them gives."""
    engine = open_database(parse_url(url), read_only=True)
    with engine.connect() as connection:
        return tuple(connection.exec_driver_sql(f"SELECT {expressions}").one())


@pytest.fixture
def server() -> Iterator[Callable[[bytes | None], int]]:
    """Makes a server that answers so, or not at all, and gives its port."""
    opened: list[socket.socket] = []

    def make(answer: bytes | None) -> int:
        listening = socket.create_server(("127.0.0.1", 0))
        opened.append(listening)

        def serve() -> None:
            connection, _ = listening.accept()
            opened.append(connection)
            connection.recv(9999)
            if answer is not None:
                with suppress(OSError):  # who asked has ended already, and the test with it
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)

        threading.Thread(target=serve, daemon=True).start()
        return int(listening.getsockname()[1])

    yield make
    for one in opened:
        one.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h/n", {"user": "u", "password": "p", "host": "h", "port": 5432, "database": "n"}),
        ("postgresql:///n", {"user": getuser(), "ssl_context": None}),
        ("postgresql://u@/n?host=/run/pg/&port=5433", {"unix_sock": "/run/pg/.s.PGSQL.5433", "ssl_context": False}),
        ("postgresql://u@h:1/n?sslmode=disable", {"ssl_context": False, "port": 1}),
        ("postgresql://u@h/n?connect_timeout=7&application_name=a", {"connect_timeout": 7, "application_name": "a"}),
        ("postgresql://u@h/n?options=-csearch_path=cms", {"startup_params": {"options": "-csearch_path=cms"}}),
    ],
)
def test_options_are_those_of_other_drivers(url: str, expected: dict[str, object]) -> None:
    """A URL that libpq understands is understood."""
    found = arguments(url)
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("mode", "checked", "named"), [("require", False, False), ("verify-ca", True, False), ("verify-full", True, True)]
)
def test_encryption_is_as_the_url_wants_it(mode: str, checked: bool, named: bool) -> None:
    """Required without a look at the certificate, with one, and with one at its name."""
    context = arguments(f"postgresql://u@h/n?sslmode={mode}")["ssl_context"]
    assert (context.verify_mode == ssl.CERT_REQUIRED, context.check_hostname) == (checked, named)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("keepalives=1", "unknown option keepalives: there are .*name another driver"),
        ("port=x", "port in the database's URL must be a number, not 'x'"),
        ("host=a&host=b", "more than one host"),
        ("sslmode=maybe", "sslmode in the database's URL must be one of disable"),
        ("sslmode=verify-full&sslrootcert=no/such.pem", "certificate in the database's URL cannot be read"),
    ],
)
def test_options_that_cannot_be_used(query: str, reason: str) -> None:
    """One line, which shows no password."""
    with pytest.raises(UsageError, match=reason) as caught:
        source(f"postgresql://u:s3cr%40t@h/n?{query}", "SELECT 1")
    assert "s3cr" not in str(caught.value)


def test_values_are_as_python_says_them_or_text(postgres: str) -> None:
    """Dates that Python has none of, and types of PostgreSQL's own, are text; whatever the server's settings."""
    url = f"{postgres}&options=-cDateStyle=German%20-cbytea_output=escape%20-cTimeZone=Asia/Kolkata"
    found = values(
        url,
        "'infinity'::date, '0044-03-15 BC'::timestamp, '12024-01-01'::timestamptz, '2024-01-31'::date,"
        "'2024-01-31 10:00:00.5'::timestamp, '2024-01-31 10:00:00+00'::timestamptz, '24:00'::time, '1 day'::interval,"
        "'10.0.0.1'::inet, int4range(1, 3), 1.50::numeric, 'NaN'::numeric, '{\"a\": [1, null]}'::jsonb, 'null'::json,"
        "ARRAY['a,b', NULL, 'ä'], '\\x46ff'::bytea, true, 1.5::float8, 9007199254740993",
    )
    assert found[:6] == (
        "infinity",
        "0044-03-15 00:00:00 BC",
        "12024-01-01 00:00:00+05:30",
        date(2024, 1, 31),
        datetime(2024, 1, 31, 10, 0, 0, 500000),
        datetime(2024, 1, 31, 10, tzinfo=UTC),
    )
    assert found[6:11] == ("24:00:00", "1 day", "10.0.0.1", "[1,3)", Decimal("1.50"))
    assert found[11].is_nan()
    assert found[12:] == ({"a": [1, None]}, None, ["a,b", None, "ä"], b"F\xff", True, 1.5, 9007199254740993)


def rows_and_peak(url: str) -> tuple[int, int]:
    """Articles read of 12 MB of rows, and the most bytes held at once for it."""
    query = (
        "SELECT i AS id, 'T' AS title, repeat('x ', 2000) AS body, 'en' AS lang FROM generate_series(1, 3000) AS s(i)"
    )
    tracemalloc.start()
    try:
        found = sum(isinstance(entry, Entry) for entry in source(url, query).articles())
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_rows_are_not_held_in_memory(postgres: str) -> None:
    """Of 12 MB of rows, a batch is there at a time (in a process of its own: other tests' garbage counts as held)."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        alone.submit(rows_and_peak, postgres).result()  # what is loaded at first use
        found, peak = alone.submit(rows_and_peak, postgres).result()
    assert found == 3_000
    assert peak < 3_000_000


@pytest.mark.parametrize(
    "query",
    [
        "SELECT setval('counter', 9) AS id, 'T' AS title, 'B' AS body",
        "SELECT 1 AS id, 'T' AS title, 'B' AS body; COMMIT; DROP SEQUENCE counter",
        "WITH gone AS (DELETE FROM kept RETURNING a) SELECT a AS id, 'T' AS title, 'B' AS body FROM gone",
    ],
)
def test_no_way_round_reading(postgres: str, query: str) -> None:
    """Functions that write, further statements and deletions within a query are refused."""
    engine = open_database(parse_url(postgres), read_only=False)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SEQUENCE counter; CREATE TABLE kept AS SELECT 1 AS a")
    try:
        with pytest.raises(InputError, match=r"read-only transaction|data-modifying"):
            list(source(postgres, query).articles())
        assert values(postgres, "nextval.last_value, (SELECT count(*) FROM kept) FROM counter AS nextval") == (1, 1)
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SEQUENCE counter; DROP TABLE kept")


def test_percent_signs_and_colons_in_a_query_stay(postgres: str) -> None:
    """They name no parameters."""
    query = "SELECT 5 % 3 AS id, '%s %d :name'::text AS title, 'a%' AS body WHERE 'abc' LIKE '%b%'"
    (found,) = source(postgres, query).articles()
    assert isinstance(found, Entry)
    assert (found.article.id, found.article.title, found.article.body) == ("2", "%s %d :name", "a%")


def test_a_server_that_goes_away_is_one_line(postgres: str, caplog: pytest.LogCaptureFixture) -> None:
    """After so many rows; and no traceback of the library in the log."""
    query = "SELECT pg_backend_pid() AS id, 'T' AS title, 'B' AS body FROM generate_series(1, 100000)"
    rows = source(postgres, query, batch=10).articles()
    first = next(rows)
    assert isinstance(first, Entry)
    values(postgres, f"pg_terminate_backend({first.article.id})")
    with pytest.raises(
        InputError, match=r"broke off after row \d+: .*(network error|terminating connection|reset by peer).*again"
    ):
        list(rows)
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


def test_the_timeout_is_for_connecting_alone(postgres: str) -> None:
    """A query may take longer."""
    assert values(f"{postgres}&connect_timeout=1", "pg_sleep(1.3) IS NULL") == (False,)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "cannot connect: timed out"),
        (b"", "network error"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "cannot connect|network error"),
        (b"E\x00\x00\x00\x04\xff\xff", "cannot connect|network error"),
        (GREETING, "asks for a password, and the URL has none"),
    ],
)
def test_what_answers_may_be_no_database(
    server: Callable[[bytes | None], int], answer: bytes | None, reason: str
) -> None:
    """One line, and within the time."""
    url = f"postgresql://u@127.0.0.1:{server(answer)}/n?connect_timeout=1&sslmode=disable"
    with pytest.raises(InputError, match=reason) as caught:
        list(source(url, "SELECT 1").articles())
    assert "\n" not in str(caught.value)


def test_a_message_is_the_servers_own_with_its_code(postgres: str) -> None:
    """Not the fields that pg8000 gives."""
    with pytest.raises(DBAPIError) as caught:
        values(postgres, "1 / 0")
    assert said(caught.value, parse_url(postgres)) == "division by zero"
    assert sqlstate(caught.value) == "22012"


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ProgrammingError("", {}, Exception({"C": "40P01", "M": "deadlock detected"})), True),
        (ProgrammingError("", {}, Exception({"C": "57P03", "M": "the database system is starting up"})), True),
        (InterfaceError("", {}, Exception({"C": "28000", "M": "no pg_hba.conf entry"})), False),
        (ProgrammingError("", {}, Exception({"C": "42601", "M": "syntax error"})), False),
        (InterfaceError("", {}, Exception("network error")), True),
        (InterfaceError("", {}, Exception("Server refuses SSL")), False),
        (InterfaceError("", {}, Exception("the server asks for a password, and the URL has none")), False),
    ],
)
def test_errors_that_another_try_may_mend(error: DBAPIError, passes: bool) -> None:
    """They are known by the server's code, or, where no server answered, by their text."""
    assert may_pass(error, "postgresql") == passes


def test_what_the_server_said_is_told_though_closing_fails(postgres: str) -> None:
    """Which of both comes first is a race: each of many tries has the same end."""
    url = parse_url(postgres.replace("/postgres?", "/none?"))
    for _ in range(30):
        with pytest.raises(DBAPIError) as caught:
            open_database(url, read_only=True).connect()
        assert sqlstate(caught.value) == "3D000"


@pytest.mark.parametrize(("change", "waits"), [(("@/", "@127.0.0.1:1/"), 2), (("/postgres?", "/none?"), 0)])
def test_which_connections_are_tried_again(postgres: str, change: tuple[str, str], waits: int) -> None:
    """One that is refused, but not one to a database that does not exist."""
    url, waited = postgres.replace(*change), list[float]()
    url = url.partition("?")[0] if waits else url
    with pytest.raises(StoreError, match="Connection refused" if waits else "does not exist") as caught:
        Target(parse_url(url), WriteBackSettings(url=url, retries=2), sleep=waited.append)
    assert len(waited) == waits
    assert "s3cr" not in str(caught.value)


def test_a_locked_table_is_waited_for(postgres: str) -> None:
    """A lock that another program holds is no reason to give up."""
    engine = open_database(parse_url(postgres), read_only=False)
    settings = WriteBackSettings(url=postgres, create=True, table="locked")
    target = Target(
        parse_url(f"{postgres}&options=-clock_timeout=50"), settings, sleep=lambda seconds: other.rollback()
    )
    try:
        with engine.connect() as other:
            other.exec_driver_sql("LOCK TABLE locked")
            target.delete(["a"])
    finally:
        target.close()
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE locked")
