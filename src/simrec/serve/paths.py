"""Ids in addresses. An id may hold slashes, dots and any other sign.

`/v1/articles/news/a.html/similar` and `/v1/articles/news%2Fa.html/similar` both mean the article `news/a.html`: what
stands between the prefix and a known ending is the id. Where an id itself ends like one of them, its slashes have to be
written as `%2F`. Before routes are looked for, each id becomes one segment of the path.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, unquote_to_bytes

from fastapi import Depends, Path

from simrec.serve.problems import NO_ARTICLE, ProblemError

ENDINGS: dict[bytes, tuple[bytes, ...]] = {
    b"/v1/articles/": (b"/similar", b"/picks"),
    b"/v1/pages/": (b"/acts",),
}
"""Prefixes behind which an id stands, and what may follow it."""
MOST_ID = 2000
"""Characters of an id in an address."""


def routed(raw_path: bytes) -> str | None:
    """The path by which a route is found, with an id as one segment; None where no id stands in it.

    >>> routed(b"/v1/articles/news/a%2Fb/similar"), routed(b"/healthz")
    ('/v1/articles/news%2Fa%2Fb/similar', None)
    """
    for prefix, endings in ENDINGS.items():
        if raw_path.startswith(prefix) and len(raw_path) > len(prefix):
            ending = next((one for one in endings if raw_path.endswith(one) and len(raw_path) > len(prefix + one)), b"")
            raw_id = raw_path[len(prefix) : len(raw_path) - len(ending)]
            segment = quote(unquote_to_bytes(raw_id), safe="")
            return f"{prefix.decode()}{segment}{ending.decode()}"
    return None


def _article_id(
    id: Annotated[
        str,
        Path(
            description="the article's id; slashes may stand in it as they are, or as `%2F`",
            examples=["bridge-closed"],
            min_length=1,
        ),
    ],
) -> str:
    try:
        found = unquote_to_bytes(id).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProblemError(404, NO_ARTICLE) from error
    if len(found) > MOST_ID or "\x00" in found:  # no store can be asked for a NUL
        raise ProblemError(404, NO_ARTICLE)
    return found


ArticleId = Annotated[str, Depends(_article_id)]
"""A route's parameter `{id}`, as its article has it."""
