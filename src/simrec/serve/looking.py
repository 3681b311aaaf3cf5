"""Looks at pages in a process of their own: models that are loaded for the desk hold up no reader, and are held once.

After a while without any look the process ends, and with it what its models hold; another one waits in its place.
"""

from __future__ import annotations

import select
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from simrec.errors import LockedError, SimrecError
from simrec.pipeline.look_types import Candidate, PageLook
from simrec.pipeline.workspace import Workspace
from simrec.serve.beside import begun
from simrec.serve.private import LOOKS, asked, listening

SECONDS = 120.0
"""That a look may take; the first one reads the site, and loads models."""
IDLE = 600.0
"""Seconds without a look after which the process ends."""
WATCH = 1.0
"""Seconds between two looks whether it should."""


class UnavailableError(SimrecError):
    """The process that looks does not answer: nothing was changed by asking it."""


class LooksApart:
    """The looks of that process: see `simrec.pipeline.look.Looks`, whose errors its methods raise, too."""

    def page(self, source_id: str, served: Sequence[str]) -> PageLook:
        """A page as an editor sees it."""
        return page_of(_ask("page", source_id, list(served)))

    def blocks(self, model: str, source_id: str) -> list[str]:
        """Ids of the block that a model gives a page."""
        found: list[str] = _ask("blocks", model, source_id)
        return found

    def close(self) -> None:
        """Others go on asking."""


class Looking:
    """What the process does.

    Args:
        workspace: of the site.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._lock = workspace, threading.Lock()
        self._looks: Any = None
        self._busy, self._last = 0, time.monotonic()

    def answer(self, payload: Mapping[str, Any], _: float) -> dict[str, Any]:
        """Looks; called by several threads."""
        with self._lock:
            self._busy += 1
            if self._looks is None:
                from simrec.pipeline.look import Looks  # what it imports is large

                self._looks = Looks(self._workspace)
        try:
            return {"found": _plain(getattr(self._looks, payload["kind"])(*payload["of"]))}
        finally:
            with self._lock:
                self._busy, self._last = self._busy - 1, time.monotonic()

    def has_rested(self) -> bool:
        """Whether nobody has looked for so long that what was loaded for it should go."""
        with self._lock:
            return self._looks is not None and not self._busy and time.monotonic() - self._last > IDLE


def page_of(told: Mapping[str, Any]) -> PageLook:
    """A page as JSON has told it."""
    candidates = tuple(
        Candidate(**{**one, "published_at": _moment(one["published_at"]), "reasons": tuple(one["reasons"])})
        for one in told["candidates"]
    )
    models = {model: tuple(ids) for model, ids in told["models"].items()}
    return PageLook(**{**told, "served": tuple(told["served"]), "candidates": candidates, "models": models})


def _plain(found: PageLook | list[str]) -> Any:
    if isinstance(found, list):
        return found
    candidates = [
        {**asdict(one), "published_at": one.published_at and one.published_at.isoformat()} for one in found.candidates
    ]
    return {**asdict(found), "candidates": candidates}


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _ask(kind: str, *of: Any) -> Any:
    try:
        found = asked(LOOKS, {"kind": kind, "of": of}, SECONDS)
    except LockedError as error:
        raise UnavailableError(f"pages cannot be looked at now, {error}") from error
    if found is None:
        raise UnavailableError("the service ends: try again")
    return found["found"]


def main() -> None:
    """Looks for whoever asks, until the input ends, or nobody has asked for long."""
    looking = Looking(begun())
    with listening(LOOKS, looking.answer):
        while not select.select([sys.stdin], [], [], WATCH)[0] and not looking.has_rested():
            pass


if __name__ == "__main__":
    main()
