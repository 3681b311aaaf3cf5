"""What kind of source a name means: a file or folder, or a database."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

CONFIGURED = "database:"
"""The source that stands for the database of simrec.toml."""

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


def kind_of(source: str | Path) -> Literal["path", "database"]:
    """What a source is.

    >>> kind_of("news/articles.jsonl"), kind_of("postgresql://host/news"), kind_of("database:")
    ('path', 'database', 'database')
    """
    if isinstance(source, Path):
        return "path"
    found = _URL.match(source)
    return "database" if source == CONFIGURED or (found and found[1].lower() not in ("http", "https")) else "path"
