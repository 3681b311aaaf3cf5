"""What kind of source a name means: a file or folder here or elsewhere, a page on the web, or a database."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from simrec.filesystems import is_place
from simrec.ingest.fetch import is_url

CONFIGURED = "database:"
"""The source that stands for the database of simrec.toml."""

NOT_DATABASES = ("ftps", "feed")
"""Schemes of URLs that nothing here reads; they are taken for files, which are not there."""

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://", re.IGNORECASE)


def kind_of(source: str | Path) -> Literal["path", "place", "web", "database"]:
    """What a source is.

    >>> kind_of("news/articles.jsonl"), kind_of("https://host/feed.xml"), kind_of("postgresql://host/news")
    ('path', 'web', 'database')
    >>> kind_of("s3://bucket/articles")
    'place'
    """
    if isinstance(source, Path):
        return "path"
    if is_url(source):
        return "web"
    if is_place(source):
        return "place"
    url = _URL.match(source)
    return "database" if source == CONFIGURED or (url and url["scheme"].lower() not in NOT_DATABASES) else "path"
