"""Asks at a constant rate, whether answers come or not: `client.py PORT RATE SECONDS CONNECTIONS < targets`.

An open loop: requests are due at moments that are fixed beforehand, and the time of each one is counted from its
moment, so that a service that stands still for a second is seen by all who would have asked meanwhile. The loop looks
every millisecond what is due; that millisecond is in the times.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import uvloop

TICK = 0.001
PERCENTILES = (50, 95, 99, 99.9)


@dataclass
class Found:
    """What came of it.

    Attributes:
        asked: requests.
        failed: those without a good answer, by status or by what happened.
        again: sent once more, since their connection had been closed by the service before they arrived.
        rate: answers a second.
        busy: share of a core that the client itself used: near 1, it was too slow to measure.
        ms: percentiles of the time from when a request was due.
    """

    asked: int
    failed: dict[str, int]
    again: int
    rate: float
    busy: float = 0.0
    ms: dict[str, float] = field(default_factory=dict)


class Connection(asyncio.Protocol):
    """One connection: a request at a time."""

    def __init__(self, load: Load) -> None:
        self._load, self._data, self._fresh = load, b"", True
        self.transport: Any = None
        self.request, self.due = b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Is ready."""
        self.transport = transport

    def send(self, request: bytes, due: float) -> None:
        """Asks."""
        self.request, self.due, self._data = request, due, b""
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Looks whether the answer is whole; its headers are in lower case, as uvicorn sends them."""
        if self._data:
            data = self._data + data
        end = data.find(b"\r\n\r\n")
        at = data.find(b"content-length: ", 0, end) if end > 0 else -1
        length = int(data[at + 16 : data.find(b"\r", at)]) if at > 0 else 0
        if end < 0 or len(data) < end + 4 + length:
            self._data = data
            return
        self.request, self._data, self._fresh = b"", b"", False
        self._load.answered(self, data[9:12], data.find(b"connection: close", 0, end) > 0)

    def connection_lost(self, exc: Exception | None) -> None:
        """Is of no more use; a request on its way is lost, or sent again where the service cannot have seen it."""
        self._load.lost(self, unseen=not self._data and not self._fresh)


class Load:
    """Requests at a constant rate over several connections."""

    def __init__(self, port: int, requests: Sequence[bytes], rate: float, connections: int) -> None:
        self._port, self._requests, self._rate, self._most = port, requests, rate, connections
        self._idle: list[Connection] = []
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._open = self._done = self._again = 0
        self._failed: Counter[str] = Counter()
        self._times: list[float] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._over = False

    async def run(self, seconds: float) -> Found:
        """Asks for so long, and waits for the last answers."""
        for _ in range(self._most):
            await self._connect()
        start, asked, total = time.perf_counter(), 0, int(self._rate * seconds)
        worked = time.process_time()
        while self._done < total and time.perf_counter() < start + seconds + 10:
            due = min(int((time.perf_counter() - start) * self._rate), total)
            for number in range(asked, due):
                self._give(self._requests[number % len(self._requests)], start + number / self._rate)
            asked = max(asked, due)
            await asyncio.sleep(TICK)
        taken = time.perf_counter() - start
        busy = round((time.process_time() - worked) / taken, 2)
        self._over = True
        for connection in self._idle:
            connection.transport.close()
        if asked > self._done:
            self._failed["no answer"] += asked - self._done
        found = np.percentile(np.array(self._times) * 1000, PERCENTILES) if self._times else np.zeros(len(PERCENTILES))
        ms = {f"p{p:g}": round(float(value), 2) for p, value in zip(PERCENTILES, found, strict=True)}
        ms["max"] = round(max(self._times, default=0.0) * 1000, 2)
        return Found(asked, dict(self._failed), self._again, round(len(self._times) / taken, 1), busy, ms)

    def answered(self, connection: Connection, status: bytes, closes: bool) -> None:
        """Notes an answer."""
        self._done += 1
        if status in (b"200", b"304"):
            self._times.append(time.perf_counter() - connection.due)
        else:
            self._failed[status.decode()] += 1
        if closes:
            connection.transport.close()
        elif self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._idle.append(connection)

    def lost(self, connection: Connection, *, unseen: bool) -> None:
        """A connection is closed: another one takes its place."""
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        if self._over:
            return
        if connection.request and unseen:
            self._again += 1
            self._waiting.append((connection.request, connection.due))
        elif connection.request:
            self._done += 1
            self._failed["connection lost"] += 1
        task = asyncio.ensure_future(self._connect())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def _give(self, request: bytes, due: float) -> None:
        if self._idle:
            self._idle.pop().send(request, due)
        else:
            self._waiting.append((request, due))

    async def _connect(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._port)
        except OSError:
            self._failed["not connected"] += 1
            return
        self._open += 1
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._idle.append(connection)


def ask(port: int, targets: Sequence[str], rate: float, seconds: float, connections: int = 32) -> Found:
    """Asks for addresses in turn; see the module."""
    made = [f"GET {one} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n".encode() for one in targets]
    return uvloop.run(Load(port, made, rate, connections).run(seconds))


if __name__ == "__main__":
    port_, rate_, seconds_, connections_ = sys.argv[1:]
    found_ = ask(int(port_), sys.stdin.read().split(), float(rate_), float(seconds_), int(connections_))
    print(json.dumps(asdict(found_)))
