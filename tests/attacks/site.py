"""A process of `simrec serve` to be attacked: what it serves, its keys, and how to send it what no client would."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.sample import newsroom
from simrec.pipeline.workspace import Workspace

SCOPES = ("read", "publish", "edit", "admin")
RECORDS = [json.loads(line) for line in (newsroom() / "articles.jsonl").read_text(encoding="utf-8").splitlines()]
PAGE = RECORDS[0]["id"]
WORD = "zanzibar"
"""A word that stands in unpublished articles alone."""
WORDPRESS, GHOST = "w0rdpress-secret", "gh0st-secret"
COMMAND = [sys.executable, "-c", "import sys; from simrec.cli import main; sys.exit(main())"]
KINDS: dict[str, dict[str, Any]] = {
    "draft": {"status": "draft"},
    "withdrawn": {"status": "withdrawn"},
    "embargoed": {"embargo_until": "2999-01-01T00:00:00Z"},
    "scheduled": {"published_at": "2999-01-01T00:00:00Z"},
    "expired": {"expires_at": "2001-01-01T00:00:00Z"},
}
HIDDEN = tuple(f"hidden-{kind}" for kind in KINDS)
"""Ids of articles that no reader may know of: each is as like the first page as can be."""
UNKNOWN = "hidden-unknown"
"""The id of no article, as long as the others."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)

    def plain(self) -> tuple[Any, ...]:
        """All of it but what is of this one request: its number, and the hour."""
        body = re.sub(r'"request_id": ?"[^"]*"', "", self.text)
        return self.status, body, {n: v for n, v in self.headers.items() if n not in ("x-request-id", "date")}


@dataclass
class Site:
    """A service that runs, and what is needed to ask it anything."""

    path: Path
    log: Path
    process: subprocess.Popen[bytes]
    port: int
    keys: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        target: str,
        *,
        key: str | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """A request; `key` a scope or a token, `body` bytes or what becomes JSON."""
        given = {"content-type": "application/json"} if body is not None else {}
        if key is not None:
            given["authorization"] = f"Bearer {self.keys.get(key, key)}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, target, data, {**given, **(headers or {})})
            found = connection.getresponse()
            return Answer(found.status, {n.lower(): v for n, v in found.getheaders()}, found.read())
        finally:
            connection.close()

    def get(self, target: str, **more: Any) -> Answer:
        """A GET."""
        return self.ask("GET", target, **more)

    def connect(self) -> socket.socket:
        """A connection, to send anything over."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def raw(self, data: bytes) -> bytes:
        """Sends bytes as they are, and reads until the service closes, or says nothing for a second."""
        with self.connect() as found:
            found.sendall(data)
            return read_all(found, 1.0)

    def is_up(self) -> bool:
        """Whether it still answers readers."""
        return self.process.poll() is None and self.get(similar(PAGE)).status == 200

    def articles(self) -> int:
        """Articles in the store."""
        return int(self.get("/v1/status", key="admin").json()["articles"])


def read_all(connection: socket.socket, seconds: float) -> bytes:
    """All that comes, until the other side closes, or says nothing for so long."""
    connection.settimeout(seconds)
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except (TimeoutError, ConnectionError):
        pass
    return b"".join(parts)


def similar(id_: str) -> str:
    """The address of a page's block."""
    return f"/v1/articles/{quote(id_, safe='')}/similar"


def settle(path: Path, settings: str = "") -> None:
    """Writes the settings of a workspace; `settings` are further ones of the service, and whatever follows them."""
    path.mkdir(parents=True, exist_ok=True)
    secrets = f'wordpress_secret = "{WORDPRESS}"\nghost_secret = "{GHOST}"\n'
    text = f'[build]\nmodel = "tfidf"\n[serve]\ndrain = 0\n{secrets}{settings}'
    (path / "simrec.toml").write_text(text, encoding="utf-8")


def make(path: Path) -> Workspace:
    """The newsroom, ranked by its words, with articles that nobody may see."""
    hidden = [
        {**RECORDS[0], "id": id_, "title": f"{RECORDS[0]['title']} {WORD}", "tags": [WORD], "authors": [WORD]}
        | {
            "body": f"{RECORDS[0]['body']}\n\nOf {WORD} {kind}.",
            "url": f"/{WORD}/{kind}",
            "extra": WORD,
            **values,
        }
        for id_, (kind, values) in zip(HIDDEN, KINDS.items(), strict=True)
    ]
    lines = [json.dumps({name: value for name, value in one.items() if value is not None}) for one in RECORDS + hidden]
    (path / "articles.jsonl").write_text("\n".join(lines), encoding="utf-8")
    workspace = Workspace.open(path, create=True)
    ingest(workspace, [path / "articles.jsonl"], picks=[newsroom() / "picks.csv"])
    build(workspace)
    return workspace


@contextmanager
def serving(path: Path, *options: str) -> Iterator[Site]:
    """A workspace, served by a process of its own, with a key of each scope."""
    with Workspace.open(path).store() as store:
        keys = {scope: store.create_key(f"the {scope}", [scope]).secret for scope in SCOPES}
    log = path / "log.txt"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
    command = [*COMMAND, "serve", "-w", str(path), "--port", "0", *options]
    with log.open("wb") as errors, subprocess.Popen(command, stderr=errors, env=environment) as process:
        try:
            site = Site(path, log, process, _port(process, log), keys)
            _wait(site)
            yield site
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        found = re.search(r"serving .* at http://[^:]+:(\d+)", log.read_text(encoding="utf-8"))
        if found:
            return int(found[1])
        time.sleep(0.05)
    raise AssertionError(f"the service does not start: {log.read_text(encoding='utf-8')}")


def _wait(site: Site) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if site.get("/readyz").status == 200 and site.get("/v1/status", key="admin").json()["has_writer"]:
                return
        except (OSError, http.client.HTTPException, KeyError):
            pass
        time.sleep(0.05)
    raise AssertionError(f"the service is not ready: {site.log.read_text(encoding='utf-8')}")
