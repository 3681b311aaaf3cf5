"""The writer in a process of its own: what brings blocks up to date holds up no reader."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from simrec.pipeline.workspace import Workspace
from simrec.serve.private import SOCKET, listening
from simrec.serve.writer import Writer

logger = logging.getLogger(__name__)

FOLDER = "SIMREC_SERVED"
"""The variable that tells the processes of a service which workspace they serve."""
NICE = 5
"""How much the writer lets those go first who answer readers."""
REST = 1.0
"""Seconds after which a writer that has ended is started again."""
PATIENCE = 60.0
"""Seconds that it has to end what it is doing."""


class Writing:
    """A process that may be the writer of the workspace that `FOLDER` names; where it ends, another one is started.

    It ends when its input does: with this process, however that ends.
    """

    def __init__(self) -> None:
        self._over = threading.Event()
        self._private = tempfile.TemporaryDirectory(prefix="simrec-")
        if hasattr(socket, "AF_UNIX"):
            os.environ[SOCKET] = str(Path(self._private.name, "drafts"))
        self._process = _started()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> Self:
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._end()
        self._keeper.join()
        os.environ.pop(SOCKET, None)
        self._private.cleanup()

    def renew(self) -> None:
        """Has another process be the writer, by the settings as they are now."""
        threading.Thread(target=self._end, daemon=True).start()

    def _keep(self) -> None:
        while True:
            status = self._process.wait()
            if self._over.is_set():
                return
            if status:
                logger.warning("the writer ended with status %d: it is started again", status)
                self._over.wait(REST)
            self._process = _started()
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


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", __name__], stdin=subprocess.PIPE)  # noqa: S603 - ourselves


def main() -> None:
    """Is the writer, where no other process is, until the input ends."""
    logging.basicConfig(level=logging.WARNING, format="simrec: %(message)s")
    for number in (signal.SIGINT, signal.SIGTERM):  # of the group: requests that wait are answered first
        signal.signal(number, signal.SIG_IGN)
    with suppress(AttributeError, OSError):  # not everywhere
        os.nice(NICE)
    writer = Writer(Workspace.open(Path(os.environ[FOLDER])))
    with listening(writer.rank):
        writer.start()
        sys.stdin.buffer.read()
        writer.stop()


if __name__ == "__main__":
    main()
