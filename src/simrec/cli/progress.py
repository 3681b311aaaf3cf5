"""Progress on stderr: bars where it is a terminal, lines where work of hours is watched in a log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
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


@contextmanager
def lines(name: str) -> Iterator[None]:
    """What a logger tells of how far work is goes to stderr; warnings go there anyway."""
    logger, handler = logging.getLogger(name), logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("simrec: %(message)s"))
    handler.addFilter(lambda record: record.levelno == logging.INFO)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
