"""What processes of one machine ask of one another over sockets: nothing is written down, as drafts must not be."""

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

from simrec.errors import LockedError, SimrecError
from simrec.serve.outcomes import result, told

logger = logging.getLogger(__name__)

DRAFTS, LOOKS = "SIMREC_DRAFTS", "SIMREC_LOOKS"
"""Variables that name sockets: of who ranks drafts, and who looks at pages; only who runs the service may enter."""
AGAIN = 0.2
"""Seconds between two tries to reach a process that is not there yet, and two looks whether to listen no longer."""
WAITING = 128
"""Connections that may wait to be accepted."""
CUT = 2
"""Times that a process may end over what it is asked; then it is not asked again."""
OFF = "off"
"""Stands for an answer that was cut off."""
ELSEWHERE = "elsewhere"
"""Stands for an answer, where another process is the writer."""
Answer: TypeAlias = Callable[[Mapping[str, Any], float], "dict[str, Any] | None"]
"""Answers a payload within some seconds; None where another process is to be asked."""


def asked(variable: str, payload: Mapping[str, Any], seconds: float) -> dict[str, Any] | None:
    """The answer of the process that listens; None where another one is to be asked, or none listens at all.

    Args:
        variable: names the socket.
        payload: what that process takes, as JSON has it.
        seconds: to wait for it.

    Raises:
        LockedError: there is no answer within that time.
        SimrecError: it cannot be done.
    """
    until, cut = time.monotonic() + seconds, 0
    while (path := os.environ.get(variable)) and (left := until - time.monotonic()) > 0 and cut < CUT:
        outcome = _outcome(path, payload, left)
        if outcome == ELSEWHERE:
            return None
        if isinstance(outcome, dict):
            return result(outcome)
        cut += outcome == OFF
        time.sleep(min(AGAIN, left))  # it is being started
    if path and cut == CUT:
        raise LockedError("the process that was asked has ended before it answered: its log may say why; try again")
    if path:
        raise LockedError(f"there is no answer after {seconds:g} s: try again")
    return None  # the service is over


def _outcome(path: str, payload: Mapping[str, Any], seconds: float) -> Any:
    """The outcome, `ELSEWHERE`, or `OFF` where whoever began to answer is gone; None where nobody is there."""
    connected = False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            connection.connect(path)
            connected = True
            connection.sendall(json.dumps([seconds, payload]).encode())
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answer:
                return json.loads(answer.read())
    except TimeoutError:
        return None
    except (OSError, ValueError):  # the process ends, or is not there yet
        return OFF if connected else None


@contextmanager
def listening(variable: str, answer: Answer) -> Iterator[None]:
    """Within it, whoever asks is answered, in a thread each."""
    path = os.environ.get(variable)
    if path is None:
        yield
        return
    Path(path).unlink(missing_ok=True)  # of a process that was killed

    class Asked(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            seconds, payload = json.loads(self.rfile.read())
            self.wfile.write(json.dumps(_answered(answer, payload, seconds)).encode())

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads, block_on_close, request_queue_size = True, False, WAITING

        def handle_error(self, request: Any, client_address: Any) -> None:
            logger.debug("who asked is gone", exc_info=True)

    with Server(path, Asked) as server:
        threading.Thread(target=server.serve_forever, args=(AGAIN,), name="private", daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


def _answered(answer: Answer, payload: Mapping[str, Any], seconds: float) -> Any:
    try:
        found = answer(payload, seconds)
    except Exception as error:  # who asks is answered, whatever fails
        if not isinstance(error, SimrecError):
            logger.exception("what another process asked for failed")
        return told(error)
    return ELSEWHERE if found is None else found
