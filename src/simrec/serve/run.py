"""Starts the service: one process that answers, or several at one port, and those beside them."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from simrec.errors import UsageError
from simrec.pipeline.workspace import Workspace
from simrec.serve.app import create_app
from simrec.serve.beside import FOLDER, Beside
from simrec.serve.ending import SOON, heed
from simrec.serve.metrics import prepared
from simrec.serve.protocol import Protocol
from simrec.serve.state import Service
from simrec.serve.writer import Writer
from simrec.settings import ServeSettings

SWITCH = 0.001
"""Seconds after which a thread lets another one run: what follows the store must not hold up requests."""
KEEP_ALIVE = 75
"""Seconds for which an idle connection is kept: longer than a proxy's, which then is the one to end it."""
BACKLOG = 2048
LOOK = 0.05
"""Seconds between two looks whether another signal has come."""
READING = 120
"""Seconds that a process has to read the site before it takes the place of another one."""


def serve(workspace: Workspace, host: str, port: int, workers: int, tell: Callable[[str], None]) -> None:
    """Serves a workspace until the process is told to end (SIGTERM, or Ctrl-C).

    Requests under way are answered first; `tell` is given the address, once it listens.

    Raises:
        UsageError: the port is taken, or the host is none of this machine's.
        StoreError: nothing is built yet.
    """
    with workspace.store() as store:
        store.snapshot()
    listening = bind(host, port)
    where = f"http://{_shown(host)}:{listening.getsockname()[1]}"
    tell(f"serving {workspace.path} at {where}")
    os.environ[FOLDER] = str(workspace.path.resolve())
    settings = workspace.settings.serve
    with Beside(desk=settings.desk) as beside:
        if workers == 1:
            signal.signal(
                signal.SIGTERM, lambda *_: sys.exit()
            )  # after its server's end, so that the writer's is awaited
            if hasattr(signal, "SIGHUP"):  # as its end would be, but requests under way are answered first
                signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
            uvicorn.Server(_config(settings, 1)).run(sockets=[listening])
            return
        with tempfile.TemporaryDirectory(prefix="simrec-metrics-") as folder:
            prepared(folder)
            config = _config(settings, workers)
            _Processes(config, [listening], beside, settings.drain).run()


class _Processes(Multiprocess):
    """Processes that answer at one port; SIGHUP replaces them one by one, and those beside them."""

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], beside: Beside, drain: float = 0.0
    ) -> None:
        super().__init__(config, sockets=sockets)
        self._beside, self._drain = beside, drain

    def handle_term(self) -> None:
        """Called by uvicorn: all processes say that they are about to end, and a while later they do."""
        for process in self.processes:
            if SOON is not None and process.pid is not None and process.exitcode is None:
                os.kill(process.pid, SOON)
        until = time.monotonic() + self._drain
        while time.monotonic() < until and not self.signal_queue:  # told again, they end at once
            time.sleep(LOOK)
        super().handle_term()

    def handle_hup(self) -> None:
        """Called by uvicorn, whose own patience with a process that starts is too short for a large site."""
        self._beside.renew()
        usual = self.config.timeout_worker_healthcheck
        self.config.timeout_worker_healthcheck = READING
        try:
            super().handle_hup()
        finally:
            self.config.timeout_worker_healthcheck = usual


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        UsageError: the port is taken, or the host is none of this machine's.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        said = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        raise UsageError(f"{host} port {port}: {said}; choose others with --host and --port") from error


def from_environment() -> FastAPI:
    """The application of a process that was started for a workspace."""
    sys.setswitchinterval(SWITCH)
    logging.basicConfig(level=logging.WARNING, format="simrec: %(message)s")
    workspace = Workspace.open(Path(os.environ[FOLDER]))
    service = Service(workspace, writer=Writer(workspace, stands=False))
    app = create_app(workspace, service=service)
    around = app.router.lifespan_context

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[Any]:
        async with around(app) as state:
            heed(service, service.settings.drain)
            yield state

    app.router.lifespan_context = living
    return app


def _config(settings: ServeSettings, workers: int) -> uvicorn.Config:
    return uvicorn.Config(
        "simrec.serve.run:from_environment",
        factory=True,
        workers=workers,
        http=Protocol,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=int(settings.timeout) + 1,
        backlog=BACKLOG,
    )


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


__all__ = ["bind", "from_environment", "serve"]
