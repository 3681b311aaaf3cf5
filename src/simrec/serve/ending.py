"""The end of a process, told before it comes: readiness ends first, so that nobody is sent to a port that closes."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import threading
from types import FrameType

from simrec.serve.state import Service

SOON = getattr(signal, "SIGUSR1", None)
"""Tells one of several processes that all of them are about to end; None where the system has no such signal."""


def heed(service: Service, seconds: float) -> None:
    """Ends readiness when the process is told to end, and a while later does what the signal asked for.

    One of several processes, at whose port others go on, ends at once: its parent says by `SOON` that all will end.
    Called in the event loop, after the server has set what its signals do; elsewhere than in the main thread, nothing.

    Args:
        service: whose readiness ends.
        seconds: between a SIGTERM and what the server does on it; a second SIGTERM does not wait.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if multiprocessing.parent_process() is not None:
        if SOON is not None:
            signal.signal(SOON, lambda *_: service.not_ready())
        return
    ends, loop = signal.getsignal(signal.SIGTERM), asyncio.get_running_loop()

    def end(number: int, frame: FrameType | None) -> None:
        if not callable(ends):
            return
        if service.stopping or not seconds:
            ends(number, frame)
            return
        service.not_ready()
        loop.call_soon_threadsafe(loop.call_later, seconds, ends, number, None)

    signal.signal(signal.SIGTERM, end)
