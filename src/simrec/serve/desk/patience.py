"""Work that may take long the first time, as models are loaded: it goes on while a page says that it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from simrec.errors import SimrecError

T = TypeVar("T")
WAIT, SHORT = 2.0, 0.3
"""Seconds that a request waits; and where something has taken longer than that already, for others wait behind it."""
FRESH = 30.0
"""Seconds for which an answer waits to be fetched; then it is made anew."""
MOST = 50
"""Answers that wait to be fetched; beyond, the oldest are forgotten."""


class NotReadyError(SimrecError):
    """The answer is not there yet; it is being made, and is there when it is asked for again."""


@dataclass(eq=False)
class _Work:
    """Work under way, and since when its answer waits."""

    future: Future[Any]
    done_at: float | None = None

    def done(self, _: Future[Any]) -> None:
        self.done_at = time.monotonic()

    def is_old(self) -> bool:
        return self.done_at is not None and time.monotonic() - self.done_at > FRESH


class Patience:
    """Does work in threads of its own, so that who asks again gets what was begun before.

    Args:
        wait: seconds after which a request is told to ask again.
    """

    def __init__(self, wait: float = WAIT) -> None:
        self._wait = wait
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="desk")
        self._begun: dict[Hashable, _Work] = {}
        self._late: set[Future[Any]] = set()
        self._lock = Lock()

    def begin(self, key: Hashable, work: Callable[[], T]) -> Future[T]:
        """Begins work that may be asked for soon, if it has not begun; `key` names it."""
        with self._lock:
            found = self._begun.get(key)
            if found is None or found.is_old():
                found = self._begun[key] = _Work(self._threads.submit(work))
                found.future.add_done_callback(found.done)
            while len(self._begun) > MOST:
                self._begun.pop(next(iter(self._begun))).future.cancel()
        return found.future

    def get(self, key: Hashable, work: Callable[[], T]) -> T:
        """What the work gives; it is made anew for whoever asks after that.

        Raises:
            NotReadyError: it goes on.
            SimrecError: what the work raises.
        """
        future = self.begin(key, work)
        self._late = {late for late in self._late if not late.done()}
        wait([future], min(SHORT, self._wait) if self._late else self._wait)
        if not future.done():
            self._late = {*self._late, future}
            raise NotReadyError("the models are being made ready, which takes a moment: ask again")
        with self._lock:
            self._begun.pop(key, None)
        return future.result()

    def close(self) -> None:
        """Begins nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
