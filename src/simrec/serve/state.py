"""The service: what all its routes share in one process."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from simrec.errors import SimrecError
from simrec.pipeline.workspace import Workspace
from simrec.serve.headers import Cors, Hosts
from simrec.serve.lane import Lane
from simrec.serve.logs import SOON, AccessLog
from simrec.serve.metrics import Metrics
from simrec.serve.reading import Moved, Shown
from simrec.serve.rendering import Renderer
from simrec.serve.security import Caller, Keyring
from simrec.serve.seen import Seen
from simrec.settings import ServeSettings

logger = logging.getLogger(__name__)

POLL = 0.25
"""Seconds between two looks at whether the store has anything new."""
KEYS = 4
"""Looks at the store between two readings of the keys."""


def utc_now() -> datetime:
    """This moment."""
    return datetime.now(UTC)


class Service:
    """What all routes of a process share; it is at `app.state.service`.

    Attributes:
        workspace: the site.
        settings: of the service.
        clock: says what time it is.
        store: open while the service runs.
        shown: what readers see.
        lane: blocks held ready as bytes.
        keyring: the keys.
        metrics: what is counted.
        hosts, cors: which hosts and origins are let in.
        writer: who changes the site; None where nothing can be changed.
    """

    def __init__(self, workspace: Workspace, *, clock: Callable[[], datetime] = utc_now, writer: Any = None) -> None:
        self.workspace, self.clock, self.writer = workspace, clock, writer
        self.settings: ServeSettings = workspace.settings.serve
        self.store = workspace.store()
        self.metrics = Metrics()
        self.hosts, self.cors = Hosts(self.settings.hosts), Cors(self.settings.origins)
        self.shown = Shown(workspace, self.store, clock, self._moved)
        self.lane = Lane(self.shown, self.settings, clock, self.metrics, self.cors, self._renderer)
        self.keyring = Keyring(self.store.keys, clock)
        self.following, self.stopping = True, False
        self._log, self._log_waits = AccessLog(), False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Reads the store, and follows it from now on.

        Raises:
            StoreError: it cannot be read.
        """
        self.shown.refresh()
        self.keyring.refresh()
        self._thread = threading.Thread(target=self._follow, name="simrec-follow", daemon=True)
        self._thread.start()
        if self.writer is not None:
            self.writer.start()

    def not_ready(self) -> None:
        """Says from now on that the process is about to end; it goes on answering."""
        self.stopping = True

    def stop(self) -> None:
        """Ends the following, and closes the store."""
        self.not_ready()
        self._stop.set()
        if self.writer is not None:
            self.writer.stop()
        if self._thread is not None:
            self._thread.join()
        self._log.flush()
        self.store.close()

    def refresh(self) -> None:
        """Shows what the store holds now: for whoever has just changed it."""
        self.shown.refresh()

    def log(
        self, method: str, route: str, status: int, seconds: float, size: int, request_id: str, key: str | None
    ) -> None:
        """Notes a request in the access log; called in the event loop."""
        self._log.add(method, route, status, seconds, size, request_id, key)
        if self._log.is_full:
            self._log.flush()
        elif not self._log_waits:
            self._log_waits = True
            asyncio.get_running_loop().call_later(SOON, self._flush)

    def audit(self, caller: Caller, action: str, outcome: str, target: str | None, request_id: str) -> None:
        """Notes what somebody did or tried; where the store cannot take it, the log has it."""
        try:
            self.store.audit(
                action, outcome, key_id=caller.key_id, name=caller.name, target=target, request_id=request_id
            )
        except SimrecError as error:
            logger.error("not audited: %s by key %s, %s: %s", action, caller.key_id, outcome, error)  # noqa: TRY400 - its words say it

    def _flush(self) -> None:
        self._log_waits = False
        self._log.flush()

    def _moved(self, moved: Moved) -> None:
        self.lane.moved(moved)

    def _renderer(self, seen: Seen) -> Renderer:
        return Renderer(self.workspace, seen.corpus.main_lang, seen.snapshot.model if seen.snapshot else "")

    def _follow(self) -> None:
        looks = 0
        while not self._stop.wait(POLL):
            looks += 1
            try:
                self.metrics.settle()
                self.shown.refresh()
                if looks % KEYS == 0:
                    self.keyring.refresh()
                    self.metrics.writer.set(self.writer is not None and self.writer.has_writer)
                self.lane.ahead()
            except SimrecError as error:
                if self.following:
                    logger.warning("the store cannot be followed, what was read is shown: %s", error)
                self.following = False
            except Exception:  # a thread that ends would leave readers with what is shown now, for ever
                if self.following:
                    logger.exception("the store cannot be followed, what was read is shown")
                self.following = False
            else:
                self.following = True
