"""Addresses: one spelling for the many ways in which pages link to the same page.

The store compares `normalize(address)` of every article with `resolve_keys(link)` of every link.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from posixpath import normpath
from urllib.parse import parse_qsl, quote, unquote, urlencode, urljoin, urlsplit

PAGE_PARAMETERS = frozenset(
    [
        "p",
        "id",
        "page_id",
        "post",
        "post_id",
        "article",
        "article_id",
        "articleid",
        "aid",
        "story",
        "storyid",
        "story_id",
        "node",
        "nid",
        "news",
        "newsid",
        "news_id",
        "item",
        "itemid",
        "sid",
    ]
)
"""Query parameters that say which page is meant; all others say how it is shown or where the reader came from."""

DEFAULT_PORTS = {"http": 80, "https": 443}
NOT_PAGES = ("mailto:", "javascript:", "tel:", "data:", "sms:", "whatsapp:", "blob:", "about:")

_INDEX = re.compile(r"/(?:index|default)\.(?:html?|xhtml|php|aspx?)$", re.IGNORECASE)
_SLASHES = re.compile(r"/{2,}")


def normalize(url: str) -> str:
    """One spelling of a URL, or of a path in a site, for comparison.

    The host is in lower case and without ``www.``, http and https are one, the fragment, the query (except for what
    names the page, as in ``?p=123``), a last slash and ``index.html`` are dropped, percent signs are decoded. A path
    begins with a slash. What is normalized already stays as it is.

    >>> normalize("HTTP://www.Example.org/News/caf%C3%A9/?utm_source=x#top")
    'https://example.org/News/café'
    >>> normalize("news/index.html")
    '/news'
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:  # "http://[" and the like
        return url.strip()
    if parts.scheme and parts.scheme not in DEFAULT_PORTS:
        return url.strip()
    host = (parts.hostname or "").removeprefix("www.")
    if port and port != DEFAULT_PORTS.get(parts.scheme):
        host = f"{host}:{port}"
    path = _path(parts.path)
    query = _page_query(parts.query)
    start = f"https://{host}" if host else ""
    if start and path == "/":
        path = ""
    return f"{start}{path}{'?' + query if query else ''}"


def _path(raw: str) -> str:
    """The path, decoded, from the root, without what does not tell pages apart."""
    path = unicodedata.normalize("NFC", unquote(raw))
    path = normpath(_SLASHES.sub("/", "/" + path))
    path = _INDEX.sub("", path) or "/"
    return path.replace("%", "%25").replace("?", "%3F").replace("#", "%23")


def _page_query(raw: str) -> str:
    pairs = [(name, value) for name, value in parse_qsl(raw) if name.lower() in PAGE_PARAMETERS]
    return urlencode(sorted(pairs))


def resolve_keys(link: str, hosts: Collection[str] = ()) -> list[str]:
    """What to look a link up by, in this order: its whole address, then its path alone.

    Args:
        link: a URL, or a path in the site.
        hosts: the site's own hosts, where they are known: a link to any other host is then looked up by its whole
            address only, so that another site's ``/about`` does not become this site's.

    >>> resolve_keys("https://example.org/news/bridge")
    ['https://example.org/news/bridge', '/news/bridge']
    >>> resolve_keys("https://example.com/news/bridge", hosts=["example.org"])
    ['https://example.com/news/bridge']
    """
    whole = normalize(link)
    if not whole.startswith("https://"):
        return [whole]
    host, slash, path = whole.removeprefix("https://").partition("/")
    foreign = hosts and host not in {name.lower().removeprefix("www.") for name in hosts}
    return [whole] if foreign or not slash else [whole, "/" + path]


def from_path(path: str) -> str:
    """The address of a file in the site, given its path.

    >>> from_path("news/What now?.html")
    '/news/What now%3F.html'
    """
    return normalize("/" + quote(path))


def resolve(link: str, base: str) -> str | None:
    """The normalized address that a link on a page leads to, or None where it leads to no page.

    Args:
        link: the value of ``href``.
        base: the page's own URL or path, or what its ``<base>`` makes of it.
    """
    link = link.strip()
    if not link or link.startswith("#") or link.lower().startswith(NOT_PAGES):
        return None
    try:
        whole = urljoin(base, link)
    except ValueError:
        return None
    if whole.startswith(("/", "http:", "https:")):
        return normalize(whole)
    return None
