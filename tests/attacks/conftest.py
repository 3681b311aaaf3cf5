"""Services that run while they are attacked; each test leaves them as they were, or they are made for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from simrec.database import open_database, parse_url

from .site import Site, make, serving, settle


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace that is attacked; copy it first."""
    path = tmp_path_factory.mktemp("attacked") / "built"
    settle(path)
    make(path)
    return path


@pytest.fixture(scope="session")
def site(built: Path) -> Iterator[Site]:
    """Reading is open; whoever asks may ask often."""
    path = shutil.copytree(built, built.with_name("site"))
    settle(path, "rate = 100000\nmax_body_kb = 64\n")
    with serving(path) as found:
        yield found


@pytest.fixture(scope="session")
def strict(built: Path) -> Iterator[Site]:
    """Reading needs a key, requests have little time, and there are few of them."""
    path = shutil.copytree(built, built.with_name("strict"))
    settle(
        path,
        'reads = "keyed"\nhosts = ["127.0.0.1", "localhost", "news.example"]\n'
        "rate = 20\ntimeout = 2\nmax_body_kb = 64\n",
    )
    with serving(path) as found:
        yield found


@pytest.fixture(scope="session")
def on_postgres(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> Iterator[Site]:
    """The same as `site`, with its store in PostgreSQL."""
    with open_database(parse_url(postgres), read_only=False).begin() as connection:
        connection.execute(text("CREATE SCHEMA attacked"))
    path = tmp_path_factory.mktemp("attacked") / "postgres"
    url = f"{postgres}&options=-csearch_path%3Dattacked"
    settle(path, f'rate = 100000\nmax_body_kb = 64\n[store]\nurl = "{url}"\n')
    make(path)
    with serving(path) as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def each(request: pytest.FixtureRequest) -> Site:
    """A service on SQLite, and one on PostgreSQL."""
    found = request.getfixturevalue("site" if request.param == "sqlite" else "on_postgres")
    assert isinstance(found, Site)
    return found
