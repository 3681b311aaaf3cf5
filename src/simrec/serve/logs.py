"""The access log: a JSON line a request, with nothing of persons, texts or addresses in it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TextIO

SOON = 0.5
"""Seconds after which a line is written at the latest."""
MANY = 200
"""Lines that are written at once."""


class AccessLog:
    """Writes lines in batches: one call of the system for many requests.

    Args:
        file: takes the lines; None for standard error.
        clock: seconds since 1970.
    """

    def __init__(self, file: TextIO | None = None, clock: Callable[[], float] = time.time) -> None:
        self._file, self._clock = file, clock
        self._lines: list[str] = []
        self._second, self._moment = -1, ""

    def add(
        self, method: str, route: str, status: int, seconds: float, size: int, request_id: str, key: str | None
    ) -> None:
        """Notes a request: its route's template, never its path, query, address or user agent."""
        now = int(self._clock())
        if now != self._second:
            self._second = now
            self._moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        named = f'"{key}"' if key else "null"
        self._lines.append(
            f'{{"time":"{self._moment}","method":{_quoted(method)},"route":{_quoted(route)},"status":{status},'
            f'"ms":{seconds * 1000:.2f},"bytes":{size},"request":"{request_id}","key":{named}}}\n'
        )

    @property
    def is_full(self) -> bool:
        """Whether it should be written now."""
        return len(self._lines) >= MANY

    @property
    def waits(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._lines)

    def flush(self) -> None:
        """Writes what waits; a log that cannot be written stops no request."""
        lines, self._lines = self._lines, []
        file = self._file or sys.stderr
        try:
            file.write("".join(lines))
            file.flush()
        except (OSError, ValueError):
            pass


_KNOWN: dict[str, str] = {}


def _quoted(text: str) -> str:
    """A text as JSON; routes and methods that were met before cost nothing."""
    found = _KNOWN.get(text)
    if found is None:
        found = json.dumps(text)
        if len(_KNOWN) < MANY:
            _KNOWN[text] = found
    return found
