"""Errors that another attempt may heal, and those that it cannot."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from simrec.errors import ModelError, UsageError

logger = logging.getLogger(__name__)

T = TypeVar("T")
TRIES, PAUSE = 5, 1.0
"""Attempts at what the driver does by itself, and seconds before the second one: they double with each."""


def is_transient(error: BaseException) -> bool:
    """Whether the disk or the network is at the root of an error, and no setting, usage or damage.

    >>> is_transient(TimeoutError("s3")), is_transient(ValueError("no number"))
    (True, False)
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, (UsageError, ModelError)):
        if isinstance(cause, OSError):
            return True
        cause = cause.__cause__
    return False


def patiently(work: Callable[[], T]) -> T:
    """Does what the driver does by itself, again where the disk or the network fails; doing it twice does no harm."""
    for number in range(TRIES - 1):
        try:
            return work()
        except Exception as error:
            if not is_transient(error):
                raise
            logger.warning("it is tried again: %s", " ".join(str(error).split()))
            time.sleep(PAUSE * 2.0**number)
    return work()


__all__ = ["is_transient", "patiently"]
