"""Progress bars on stderr, where it is a terminal."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simrec.types import Bar, Progress


def bar(name: str, total: int) -> AbstractContextManager[Bar]:
    """A tqdm bar that goes away when the work is done; `total` 0 is for work whose length nobody knows."""
    from tqdm import tqdm

    made: Any = tqdm(desc=name, total=total or None, leave=False, file=sys.stderr, unit="")
    return made  # type: ignore[no-any-return]


def progress() -> Progress:
    """Bars on a terminal, silence elsewhere."""
    from simrec.types import no_progress

    return bar if sys.stderr.isatty() else no_progress
