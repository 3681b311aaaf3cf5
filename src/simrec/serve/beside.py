"""Processes beside those that answer: what brings blocks up to date, or looks at pages, holds up no reader."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from simrec.pipeline.workspace import Workspace
from simrec.serve.private import DRAFTS, LOOKS

logger = logging.getLogger(__name__)

FOLDER = "SIMREC_SERVED"
"""The variable that tells the processes of a service which workspace they serve."""
NICE = 5
"""How much they let those go first who answer readers."""
REST = 1.0
"""Seconds after which one that has failed is started again."""
LONGEST, SHORT = 80, "/tmp"  # noqa: S108 - a folder of its own is made  # nosec B108
"""Bytes of a folder's name from which on a socket's in it may be too long; and where there is a shorter one."""
FRUGAL = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_TRIM_THRESHOLD_": "262144"}
"""Has the C library of Linux give large arrays back: they leave holes, and a process that makes sites anew grows."""
PATIENCE = 60.0
"""Seconds that it has to end what it is doing."""


class Beside:
    """The processes beside those that answer: one that may be the writer, and one that looks at pages for the desk.

    Args:
        desk: whether there is one.
    """

    def __init__(self, *, desk: bool) -> None:
        self._private = _folder()
        if hasattr(socket, "AF_UNIX"):
            names = (DRAFTS, LOOKS) if desk else (DRAFTS,)
            os.environ |= {name: str(Path(self._private.name, name.lower())) for name in names}
        looks = [_Kept("simrec.serve.looking", "who looks at pages", FRUGAL)] if LOOKS in os.environ else []
        self._kept = [_Kept("simrec.serve.apart", "the writer"), *looks]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for kept in self._kept:
            kept.close()
        for name in (DRAFTS, LOOKS):
            os.environ.pop(name, None)
        self._private.cleanup()

    def renew(self) -> None:
        """Has others take their place, by the settings as they are now."""
        for kept in self._kept:
            kept.renew()


def _folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that its user alone may enter, whose name is short enough for sockets in it."""
    found = tempfile.TemporaryDirectory(prefix="simrec-")
    if len(os.fsencode(found.name)) > LONGEST and Path(SHORT).is_dir():
        found.cleanup()
        return tempfile.TemporaryDirectory(prefix="simrec-", dir=SHORT)
    return found


class _Kept:
    """A process of a module; where it ends, another one is started.

    It ends when its input does: with this process, however that ends.
    """

    def __init__(self, module: str, what: str, environment: Mapping[str, str] | None = None) -> None:
        self._module, self._what, self._over = module, what, threading.Event()
        self._environment = environment or {}
        self._process = self._started()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def close(self) -> None:
        """Ends it."""
        self._over.set()
        self._end()
        self._keeper.join()

    def renew(self) -> None:
        """Ends it, so that another one takes its place."""
        threading.Thread(target=self._end, daemon=True).start()

    def _keep(self) -> None:
        while True:
            status = self._process.wait()
            if self._over.is_set():
                return
            if status:
                logger.warning("%s ended with status %d: it is started again", self._what, status)
                self._over.wait(REST)
            try:
                self._process = self._started()
            except OSError as error:  # no memory, perhaps
                logger.warning("%s cannot be started: %s; it is tried again", self._what, error)
                self._over.wait(REST)
                continue
            if self._over.is_set():  # it was told to end before there was this one
                self._end()

    def _end(self) -> None:
        process = self._process
        with suppress(OSError):
            if process.stdin:
                process.stdin.close()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()  # what it was doing is done by the next one, or was

    def _started(self) -> subprocess.Popen[bytes]:
        environment = {**self._environment, **os.environ}
        return subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", self._module], stdin=subprocess.PIPE, env=environment
        )


def begun() -> Workspace:
    """Begins a process beside others, that lets go first who answers readers: the workspace that is served."""
    logging.basicConfig(level=logging.WARNING, format="simrec: %(message)s")
    for number in (signal.SIGINT, signal.SIGTERM):  # of the group: requests that wait are answered first
        signal.signal(number, signal.SIG_IGN)
    with suppress(AttributeError, OSError):  # not everywhere
        os.nice(NICE)
    return Workspace.open(Path(os.environ[FOLDER]))
