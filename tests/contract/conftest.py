"""Stores of each kind: a file, and a schema of a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import URL, NullPool, text
from sqlalchemy.exc import SQLAlchemyError

from simrec.database import open_database, parse_url
from simrec.store import Store

NUMBERS = count()
KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def english(postgres: str) -> str:
    """The URL of a database that sorts words as English dictionaries do, where the server can."""
    engine = open_database(parse_url(postgres), read_only=False, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection, suppress(SQLAlchemyError):
        connection.execute(
            text("CREATE DATABASE english TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'")
        )
        return postgres.replace("/postgres?", "/english?")
    return postgres


@pytest.fixture
def schema(english: str) -> Iterator[str]:
    """The URL of an empty schema."""
    name = f"site{next(NUMBERS)}"
    engine = open_database(parse_url(english), read_only=False)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    yield f"{english}&options=-csearch_path%3D{name}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | URL:
    """Where a store can be made."""
    return tmp_path / "simrec.db" if request.param == "sqlite" else parse_url(request.getfixturevalue("schema"))


@pytest.fixture
def store(place: Path | URL, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store: with what the module's `fill` puts in, where it has one, else empty."""
    with Store(place) as opened:
        getattr(request.module, "fill", lambda _: None)(opened)
        yield opened


@pytest.fixture
def end_sessions(postgres: str) -> Callable[[str], int]:
    """Ends the sessions of the server whose name is like that, as an administrator does; says how many."""

    def end(name: str = "%") -> int:
        with open_database(parse_url(postgres), read_only=False).connect() as connection:
            return connection.execute(
                text(
                    "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND application_name LIKE :name"
                ),
                {"name": name},
            ).scalar_one()

    return end
