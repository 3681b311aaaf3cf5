"""What a request to another process came to, as JSON that it can be told by: a result, or one of simrec's errors."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from simrec.errors import ConflictError, LockedError, SimrecError, StoreError

ERROR = "error"
INTERNAL = "internal"
"""Stands for an error that is simrec's own fault; only the log of who was asked says what it was."""


class Ticket:
    """A request of this process that waits for its answer."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.outcome: Mapping[str, Any] = {}

    def settle(self, outcome: Mapping[str, Any]) -> None:
        """Gives the answer."""
        self.outcome = outcome
        self.done.set()


def told(error: BaseException) -> dict[str, Any]:
    """An error as an outcome."""
    if not isinstance(error, SimrecError):
        return {ERROR: INTERNAL}
    details = {name: value for name, value in vars(error).items() if _is_plain(value)}
    return {ERROR: type(error).__name__, "message": str(error), "details": details}


def result(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for.

    Raises:
        SimrecError: of the class that was met.
        RuntimeError: who was asked met something that it should not have.
    """
    if ERROR not in outcome:
        return dict(outcome)
    if outcome[ERROR] == INTERNAL:
        raise RuntimeError("the process that was asked has failed: its log says why")
    kinds = {kind.__name__: kind for kind in _classes(SimrecError)}
    error = kinds.get(outcome[ERROR], SimrecError)(outcome["message"])
    vars(error).update(outcome.get("details", {}))
    raise error


def passes(error: BaseException) -> bool:
    """Whether the same request may do better later, and so the answer should not be kept for its key."""
    temporary = isinstance(error, StoreError) and not isinstance(error, ConflictError)
    return temporary or isinstance(error, LockedError) or not isinstance(error, SimrecError)


def _classes(kind: type[SimrecError]) -> Iterator[type[SimrecError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _classes(below)


def _is_plain(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
