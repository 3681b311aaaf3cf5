"""Texts that are not published, on their way to the writer of the same machine: over a socket, past the store."""

from __future__ import annotations

import json
import logging
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from simrec.errors import LockedError
from simrec.serve.outcomes import result, told

logger = logging.getLogger(__name__)

SOCKET = "SIMREC_DRAFTS"
"""The variable that names the socket; only who runs the service may enter its folder."""
AGAIN = 0.2
"""Seconds between two tries to reach a process that is not there yet."""
WAITING = 128
"""Connections that may wait to be accepted."""
ELSEWHERE = "elsewhere"
"""Stands for an answer, where another process is the writer."""
Rank: TypeAlias = Callable[[Mapping[str, Any], float], "dict[str, Any] | None"]
"""Ranks the text of a payload within some seconds; None where another process is the writer."""


def ranked(payload: Mapping[str, Any], seconds: float) -> dict[str, Any] | None:
    """The block of a text, by the process of this machine that may be the writer; None where another one is.

    Args:
        payload: what `Work.similar` takes.
        seconds: to wait for it.

    Raises:
        LockedError: there is no answer within that time.
        SimrecError: it cannot be done.
    """
    path, until = os.environ.get(SOCKET), time.monotonic() + seconds
    while path and (left := until - time.monotonic()) > 0:
        outcome = _asked(path, payload, left)
        if outcome == ELSEWHERE:
            return None
        if outcome is not None:
            return result(outcome)
        time.sleep(min(AGAIN, left))  # it is being started
    if path:
        raise LockedError(f"there is no answer after {seconds:g} s: try again")
    return None


def _asked(path: str, payload: Mapping[str, Any], seconds: float) -> Any:
    """The outcome, or `ELSEWHERE`; None where nobody answers."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            connection.connect(path)
            connection.sendall(json.dumps([seconds, payload]).encode())
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answer:
                return json.loads(answer.read() or b"null")
    except (OSError, ValueError):  # the process ends, is not there yet, or is too late
        return None


@contextmanager
def listening(rank: Rank) -> Iterator[None]:
    """Within it, texts are ranked for whoever `ask`s, a thread each."""
    path = os.environ.get(SOCKET)
    if path is None:
        yield
        return
    Path(path).unlink(missing_ok=True)  # of a process that was killed

    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            seconds, payload = json.loads(self.rfile.read())
            self.wfile.write(json.dumps(_outcome(rank, payload, seconds)).encode())

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads, block_on_close, request_queue_size = True, False, WAITING

        def handle_error(self, request: Any, client_address: Any) -> None:
            logger.debug("who asked is gone", exc_info=True)

    with Server(path, Answer) as server:
        threading.Thread(target=server.serve_forever, name="drafts", daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


def _outcome(rank: Rank, payload: Mapping[str, Any], seconds: float) -> Any:
    try:
        found = rank(payload, seconds)
    except Exception as error:  # who asks is answered, whatever fails
        return told(error)
    return ELSEWHERE if found is None else found
