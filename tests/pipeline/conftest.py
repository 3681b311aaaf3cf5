"""A workspace of the sample newsroom, built once."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.sample import newsroom
from simrec.pipeline.site import Site
from simrec.pipeline.workspace import Workspace
from simrec.types import Corpus


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The newsroom, ingested and built with `hybrid`; copy it before writing to it."""
    path = tmp_path_factory.mktemp("newsroom")
    workspace = Workspace.open(path, create=True)
    ingest(workspace, [newsroom() / "articles.jsonl"], picks=[newsroom() / "picks.csv"])
    build(workspace)
    return path


@pytest.fixture(scope="module")
def newsroom_site(built: Path) -> Site:
    """The newsroom with its vectors."""
    workspace = Workspace.open(built)
    with workspace.store() as store:
        return Site(Corpus(store.articles()), workspace.settings, workspace.vectors)


@pytest.fixture
def site(built: Path, tmp_path: Path) -> Workspace:
    """A copy of the built newsroom."""
    shutil.copytree(built, tmp_path / "site")
    return Workspace.open(tmp_path / "site")


@pytest.fixture
def make_site(tmp_path: Path) -> Callable[..., Workspace]:
    """Makes a workspace of the articles, picks and settings given as text."""

    def make(articles: str, picks: str = "", settings: str = "") -> Workspace:
        path = tmp_path / "made"
        path.mkdir(exist_ok=True)
        (path / "simrec.toml").write_text(settings, encoding="utf-8")
        (path / "articles.jsonl").write_text(articles, encoding="utf-8")
        (path / "picks.csv").write_text(f"source_id,target_id,rank\n{picks}", encoding="utf-8")
        workspace = Workspace.open(path, create=True)
        ingest(workspace, [path / "articles.jsonl"], picks=[path / "picks.csv"])
        return workspace

    return make


TOWN = (
    "bridge crack anchor engineer lorries closed county repair",
    "harbor ferry tide crew sailing storm dock fuel",
    "library books readers reading children shelves loans evening",
    "football match goal keeper season league striker coach",
)


def town_article(number: int, **values: Any) -> dict[str, Any]:
    """An article of a small town, made of the words of one topic, and of another one's."""
    rng = random.Random(number)
    words = [*TOWN[number % len(TOWN)].split() * 2, *rng.choice(TOWN).split()]
    body = ". ".join(" ".join(rng.choices(words, k=8)) for _ in range(5))
    return {"id": f"t{number:03}", "title": " ".join(rng.sample(words, 3)), "body": body, "lang": "en", **values}


def make_town(path: Path, settings: str = "", articles: int = 40) -> Workspace:
    """Ingests and builds a town in a folder."""
    path.mkdir(exist_ok=True)
    (path / "simrec.toml").write_text(f'[build]\nmodel = "tfidf"\n{settings}', encoding="utf-8")
    text = "\n".join(json.dumps(town_article(number)) for number in range(articles))
    (path / "articles.jsonl").write_text(text, encoding="utf-8")
    workspace = Workspace.open(path, create=True)
    ingest(workspace, [path / "articles.jsonl"])
    build(workspace)
    return workspace


@pytest.fixture(scope="session")
def town_built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town of forty articles without settings; copy it before writing to it."""
    return make_town(tmp_path_factory.mktemp("town") / "built").path


@pytest.fixture
def town(town_built: Path, tmp_path: Path) -> Callable[..., Workspace]:
    """Makes a workspace of forty articles, ranked by their words and built, with settings given as text."""

    def make(settings: str = "", *, articles: int = 40, name: str = "town") -> Workspace:
        if settings or articles != 40:
            return make_town(tmp_path / name, settings, articles)
        return Workspace.open(shutil.copytree(town_built, tmp_path / name))

    return make
