"""Log records as JSON lines, for whoever collects logs. Nothing here adds a handler by itself."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from simrec.errors import StoreError

FIELDS = "fields"
"""Attribute of a record that holds values to be logged beside its message."""


class JsonLines(logging.Formatter):
    """A record as one JSON object: time, level, logger, message, and its `fields`.

    >>> record = logging.LogRecord("simrec", logging.INFO, "", 0, "done", (), None)
    >>> record.fields = {"stage": "build"}
    >>> json.loads(JsonLines().format(record))["stage"]
    'build'
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            said["trace"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False, default=str)


@contextmanager
def logged(stream: IO[str] | None = None, file: Path | None = None) -> Iterator[None]:
    """Logs what simrec says, from INFO on, as JSON lines to a stream and to the end of a file, for as long as it lasts.

    Raises:
        StoreError: the file cannot be written.
    """
    logger, handlers = logging.getLogger("simrec"), list[logging.Handler]()
    if stream:
        handlers.append(logging.StreamHandler(stream))
    if file:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(logging.FileHandler(file, encoding="utf-8"))
        except OSError as error:
            raise StoreError(f"the log {file} cannot be written: {error.strerror}; set another one in [run]") from error
    level, propagate = logger.level, logger.propagate
    for handler in handlers:
        handler.setFormatter(JsonLines())
        handler.setLevel(logging.INFO)
        logger.addHandler(handler)
    if handlers:
        logger.setLevel(logging.INFO)
    if stream:
        logger.propagate = False  # what collects the stream takes JSON, and nothing twice
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.propagate = propagate
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()


__all__ = ["JsonLines", "logged"]
