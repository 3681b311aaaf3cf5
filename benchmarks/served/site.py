"""What is asked: a service of the sample newsroom, and one that returns constant bytes, each a process of its own."""

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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from served.client import Found
from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.sample import newsroom
from simrec.pipeline.workspace import Workspace

HERE = Path(__file__).parent
SIMREC = [sys.executable, "-c", "import sys; from simrec.cli import main; sys.exit(main())"]
SETTINGS = '[build]\nmodel = "tfidf"\n[serve]\nrate = 1000000\n'
RECORDS = [json.loads(line) for line in (newsroom() / "articles.jsonl").read_text(encoding="utf-8").splitlines()]
TARGETS = [f"/v1/articles/{quote(record['id'])}/similar" for record in RECORDS]
"""Addresses of all blocks; `shown` leaves out those that nobody may see."""


@dataclass
class Served:
    """A service under load."""

    path: Path
    port: int
    process: subprocess.Popen[bytes]
    key: str = ""

    def send(
        self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """A request with the key of an administrator: its status and its body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {"authorization": f"Bearer {self.key}", "content-type": "application/json"} | (headers or {})
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        try:
            connection.request(method, target, data, given)
            found = connection.getresponse()
            return found.status, found.read()
        finally:
            connection.close()

    def shown(self) -> list[str]:
        """The addresses of blocks that readers may see, each asked for once."""
        return [target for target in TARGETS if self.send("GET", target)[0] == 200]

    def publish(self, number: int) -> int:
        """Publishes the new version of an article; returns the status."""
        record = {**RECORDS[number % len(RECORDS)], "title": f"A crane of the harbor, part {number}"}
        record = {name: value for name, value in record.items() if name in ("title", "body", "lang", "section", "tags")}
        return self.send("PUT", f"/v1/articles/load-{number % 20}", record)[0]

    def snapshot(self) -> int:
        """The snapshot that is shown."""
        return int(json.loads(self.send("GET", "/readyz")[1])["snapshot"])


def make(path: Path, settings: str = SETTINGS) -> Path:
    """The newsroom, built by its words."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "simrec.toml").write_text(settings, encoding="utf-8")
    workspace = Workspace.open(path, create=True)
    ingest(workspace, [newsroom() / "articles.jsonl"], picks=[newsroom() / "picks.csv"])
    build(workspace)
    return path


@contextmanager
def serving(path: Path, *options: str) -> Iterator[Served]:
    """A process of `simrec serve`."""
    with Workspace.open(path).store() as store:
        key = store.create_key("Load", ["admin"]).secret
    command = [*SIMREC, "serve", "-w", str(path), "--port", "0", *options]
    with (path / "served.log").open("wb") as log, started(command, log) as process:
        served = Served(path, _port(path / "served.log", process), process, key)
        _wait(served)
        yield served


@contextmanager
def bare(size: int) -> Iterator[int]:
    """The port of a service that returns constant bytes."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with started([sys.executable, str(HERE / "bare.py"), str(port), str(size)], subprocess.DEVNULL):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port


@contextmanager
def started(command: Sequence[str], log: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process, ended in the end."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stderr=log, stdout=quiet, env=environment) as process:  # noqa: S603 - our own
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def load(port: int, targets: Sequence[str], rate: float, seconds: float, connections: int = 32) -> Found:
    """Asks at a constant rate, from a process of its own."""
    command = [sys.executable, "-m", "served.client", *map(str, (port, rate, seconds, connections))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    found = subprocess.run(  # noqa: S603 - our own
        command, input="\n".join(targets), env=environment, capture_output=True, text=True, check=True, cwd=HERE.parent
    )
    return Found(**json.loads(found.stdout))


def _port(log: Path, process: subprocess.Popen[bytes]) -> int:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        found = re.search(r"serving .* at http://[^:]+:(\d+)", log.read_text(encoding="utf-8"))
        if found:
            return int(found[1])
        time.sleep(0.05)
    raise OSError(f"the service does not start: {log.read_text(encoding='utf-8')}")


def _wait(served: Served) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if (
                served.send("GET", "/readyz")[0] == 200
                and json.loads(served.send("GET", "/v1/status")[1])["has_writer"]
            ):
                return
        except (OSError, http.client.HTTPException, KeyError):
            pass
        time.sleep(0.1)
    raise OSError("the service is not ready after a minute")
