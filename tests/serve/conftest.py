"""A service over a small town's workspace, with a clock that tests set."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.workspace import Workspace
from simrec.serve.app import create_app

TOWN = (
    "bridge crack anchor engineer lorries closed county repair",
    "harbor ferry tide crew sailing storm dock fuel",
    "library books readers reading children shelves loans evening",
    "football match goal keeper season league striker coach",
)
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
SETTINGS = '[build]\nmodel = "tfidf"\n'
SECRET = "zanzibar"  # noqa: S105 - it opens nothing
"""A word that stands in unpublished articles alone."""


def town_article(number: int, **values: Any) -> dict[str, Any]:
    """An article of a small town, made of the words of one topic, and of another one's."""
    rng = random.Random(number)
    words = [*TOWN[number % len(TOWN)].split() * 2, *rng.choice(TOWN).split()]
    body = ". ".join(" ".join(rng.choices(words, k=8)) for _ in range(5))
    return {
        "id": f"t{number:03}",
        "title": " ".join(rng.sample(words, 3)),
        "body": body,
        "lang": "en",
        "url": f"news/t{number:03}.html",
        **values,
    }


def at(**delta: float) -> str:
    """A moment from NOW on, as articles.jsonl has it."""
    return (NOW + timedelta(**delta)).isoformat()


def unpublished() -> list[dict[str, Any]]:
    """One of each kind that nobody may see at NOW, on the first topic; the word SECRET is in all of them."""
    kinds: list[dict[str, Any]] = [
        {"id": "draft", "status": "draft"},
        {"id": "withdrawn", "status": "withdrawn"},
        {"id": "embargoed", "embargo_until": at(minutes=5)},
        {"id": "scheduled", "published_at": at(hours=1)},
        {"id": "expired", "expires_at": at(days=-1)},
    ]
    return [
        town_article(100 + 4 * at, **{"title": f"bridge crack {SECRET} {kind['id']}"} | kind)
        for at, kind in enumerate(kinds)
    ]


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """The moment that it was set to."""
        return self.now

    def later(self, **delta: float) -> None:
        """Goes on."""
        self.now += timedelta(**delta)


@pytest.fixture
def clock() -> Clock:
    """At NOW."""
    return Clock()


@pytest.fixture(scope="session")
def town_built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty articles, one that expires in an hour, some that nobody may see, and odd ids; built by their words."""
    path = tmp_path_factory.mktemp("town")
    (path / "simrec.toml").write_text(SETTINGS, encoding="utf-8")
    articles = [town_article(number) for number in range(40)]
    articles.append(town_article(60, id="ending", expires_at=at(seconds=30)))
    articles += [town_article(64 + 4 * n, id=id_) for n, id_ in enumerate(ODD)]
    articles += unpublished()
    (path / "articles.jsonl").write_text("\n".join(map(json.dumps, articles)), encoding="utf-8")
    workspace = Workspace.open(path, create=True)
    ingest(workspace, [path / "articles.jsonl"])
    build(workspace, now=NOW)
    return path


ODD = ("news/2024/a.html", "a/similar", "grüße & co?#", "..", "50%25", "x;y=z", "a b+c", "日本")
"""Ids that an address cannot hold as they are."""


@pytest.fixture
def town(town_built: Path, tmp_path: Path) -> Callable[..., Workspace]:
    """Copies the town, with settings of the service given as text."""

    def copy(settings: str = "", more: str = "") -> Workspace:
        path = tmp_path / "town"
        shutil.copytree(town_built, path)
        (path / "simrec.toml").write_text(
            f"{SETTINGS}{more}\n[serve]\naccess_log = false\n{settings}", encoding="utf-8"
        )
        return Workspace.open(path)

    return copy


@pytest.fixture
def served(town: Callable[..., Workspace], clock: Clock) -> Iterator[Callable[..., TestClient]]:
    """Starts a service of the town in the test's process; its client has the service as `client.app.state.service`."""
    with ExitStack() as stack:

        def start(settings: str = "", more: str = "", **options: Any) -> TestClient:
            app = create_app(town(settings, more), clock=clock)
            return stack.enter_context(TestClient(app, base_url="http://localhost", **options))

        yield start
