"""The desk in a real browser, before a real server."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from desk_fakes import KEY, FakeBackend
from fastapi import FastAPI

from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.sample import newsroom
from simrec.pipeline.workspace import Workspace
from simrec.serve.desk import mount

PAGE = "mill-bridge-crack"
SETTINGS = '[build]\nmodel = "tfidf"\nspares = 25\n[serve]\nport = 0\n'


@dataclass
class Served:
    """A desk that is being served: its address, and what is behind it."""

    url: str
    backend: Any
    app: FastAPI


@pytest.fixture(scope="session")
def newsroom_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The newsroom, built by its words; copy it before writing to it."""
    path = tmp_path_factory.mktemp("desk")
    (path / "simrec.toml").write_text(SETTINGS, encoding="utf-8")
    workspace = Workspace.open(path, create=True)
    ingest(workspace, [newsroom() / "articles.jsonl"], picks=[newsroom() / "picks.csv"])
    build(workspace)
    return path


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serves an application at a free port of this machine."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        until = time.monotonic() + 20
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.fixture(scope="session")
def _server(newsroom_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path = tmp_path_factory.mktemp("served") / "site"
    shutil.copytree(newsroom_site, path)
    workspace = Workspace.open(path)
    backend, app = FakeBackend(workspace), FastAPI(openapi_url=None)
    mount(app, backend, workspace.store)
    with serving(app) as url:
        yield Served(url, backend, app)


@pytest.fixture
def served(_server: Served) -> Served:
    """A desk that is being served, as nobody has touched it."""
    backend = _server.backend
    for kept in (backend.states, backend.acts, backend.looked, backend.judged, backend.revoked):
        kept.clear()
    backend.moment = None
    return _server


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("there is no Chromium on this machine: install chromium")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Any, served: Served) -> Iterator[Callable[..., Any]]:
    """Opens the desk in a browser of its own, signed in; what goes wrong in its console fails the test."""
    contexts, troubles = [], []

    def make(*, key: str | None = KEY, path: str = "/desk", **options: Any) -> Any:
        context = browser.new_context(base_url=served.url, **options)
        context.set_default_timeout(5000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: said.type == "error" and troubles.append(said.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        if key:
            page.goto("/desk/login")
            page.get_by_label("Your key").fill(key)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("**/desk")
        page.goto(path)
        page.troubles = troubles
        return page

    yield make
    for context in contexts:
        context.close()
    said = [trouble for trouble in troubles if "the server responded with a status of" not in trouble]
    assert not said, said


@pytest.fixture
def shot() -> Callable[[Any, str], None]:
    """Keeps a picture of a page in the folder that SIMREC_SHOTS names, if it does."""
    folder = os.environ.get("SIMREC_SHOTS")

    def take(page: Any, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=False)

    return take


def violations(page: Any) -> list[str]:
    """What axe finds, also what it calls minor."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['target']} {node.get('failureSummary', '')}" for rule in found for node in rule["nodes"]
    ]
