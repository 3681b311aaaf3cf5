"""The HTTP protocol of uvicorn, with an end to how long and how slow the head of a request may be."""

from __future__ import annotations

import asyncio
from asyncio.events import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from simrec.serve.headers import SAFE
from simrec.serve.problems import MEDIA_TYPE, body_of

SECONDS = 15.0
"""In which a request's line and headers have to be there."""
MOST_HEAD = 65_536
"""Bytes of them."""


class Protocol(HttpToolsProtocol):
    """Closes connections whose requests drip in, or never end; what is no HTTP is answered with a problem."""

    _late: TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits for nothing any more."""
        self._there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes bytes, unless the head of the request is too long by now."""
        if self._late is not None:
            self._head += len(data)
            if self._head > MOST_HEAD and self._head - len(data) > 0:
                self._there()
                self.send_400_response(f"the head of a request has at most {MOST_HEAD // 1024} kB")
                return
        super().data_received(data)
        is_answered = self.cycle is None or self.cycle.response_complete
        if self._late is None and is_answered and not self.transport.is_closing():
            self._wait()  # what drips in behind an answer has ended uvicorn's own wait for the next request

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        if self._late is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._there()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Says what is wrong, and closes."""
        body = body_of(400, msg, "")
        fields = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode()), *SAFE]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head + b"connection: close\r\n\r\n" + body)
        self.transport.close()

    def _wait(self) -> None:
        self._head = 0
        self._late = self.loop.call_later(SECONDS, self.transport.close)

    def _there(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
