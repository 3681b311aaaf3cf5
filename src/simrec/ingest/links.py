"""Which article a link leads to."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from simrec.ingest.address import resolve_keys

SLUG = "slug:"
LEAST_SEGMENTS = 2
"""Segments that a shortened path must still have: a file's name alone says too little."""


def slug_key(slug: str, id_: str) -> str:
    """The address under which an article is found by its slug alone, where no other has the same."""
    return f"{SLUG}{slug.casefold()}#{id_}"


class LinkFinder:
    """Finds articles by id, by address, by the end of a path, or by a slug that only one has.

    Saved pages seldom lie as they did on the server: a folder may hold a part of the site, or the site below a folder
    with the host's name. So a path that is nobody's address leads to the article whose own path ends with it, if only
    one does; else its leading segments are dropped, one by one, until what is left is an address.

    Args:
        addresses: article ids by normalized address.

    >>> find = LinkFinder({"/text/guide/bridge": "a", "https://example.org/news/1": "b"}, {"a", "b"})
    >>> [find(link) for link in ("a", "/en/text/guide/bridge", "/guide/bridge", "http://example.org/news/1/", "/x/y")]
    ['a', 'a', 'a', 'b', None]
    >>> LinkFinder({slug_key("Bridge", "news/bridge"): "news/bridge"}, {"news/bridge"})("bridge")
    'news/bridge'
    """

    def __init__(self, addresses: Mapping[str, str], ids: set[str]) -> None:
        known = {key: id_ for key, id_ in addresses.items() if id_ in ids}
        self._addresses = {key: id_ for key, id_ in known.items() if not key.startswith(SLUG)}
        self._slugs = _slugs(known)
        self._ids = ids
        self._hosts = {urlsplit(key).netloc for key in self._addresses if key.startswith("https://")}
        self._ends: dict[str, str | None] | None = None

    def __call__(self, link: str) -> str | None:
        """The id of the article that a link, an address or an id means; None where there is none."""
        if link in self._ids:
            return link
        for key in resolve_keys(link, self._hosts):
            if key in self._addresses:
                return self._addresses[key]
        return self._by_end(link) if link.startswith("/") else self._slugs.get(link.casefold())

    def _by_end(self, path: str) -> str | None:
        if self._ends is None:
            self._ends = _ends(self._addresses)
        if path in self._ends:
            return self._ends[path]
        segments = path.split("/")[1:]
        for start in range(1, len(segments) - LEAST_SEGMENTS + 1):
            shorter = "/" + "/".join(segments[start:])
            if shorter in self._addresses:
                return self._addresses[shorter]
        return None


def _slugs(addresses: Mapping[str, str]) -> dict[str, str | None]:
    """The article of each slug, None where several share it."""
    slugs: dict[str, str | None] = {}
    for key, id_ in addresses.items():
        if key.startswith(SLUG):
            slug = key.removeprefix(SLUG).partition("#")[0]
            slugs[slug] = id_ if slugs.get(slug, id_) == id_ else None
    return slugs


def _ends(addresses: Mapping[str, str]) -> dict[str, str | None]:
    """The article of each end of a path, None where several share it."""
    ends: dict[str, str | None] = {}
    for key, id_ in addresses.items():
        segments = urlsplit(key).path.split("/")[1:]
        for start in range(len(segments) - LEAST_SEGMENTS + 1):
            end = "/" + "/".join(segments[start:])
            ends[end] = id_ if ends.get(end, id_) == id_ else None
    return ends
