"""What the first bytes of a file say of its format."""

from __future__ import annotations

import re

from simrec.ingest.lines import BOM, UTF16_BOMS

BYTES = 16384
"""How many are looked at."""

_PROLOG = re.compile(rb"(?:\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>)", re.DOTALL | re.IGNORECASE)
_ROOT = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)")
_GHOST = re.compile(rb'^\{\s*"db"\s*:\s*\[|(?<!\\)"exported_on"\s*:|^\{\s*"data"\s*:\s*\{\s*"posts"\s*:')
_JSON_FEED = b"jsonfeed.org/version"
_NINJS = "iptc.org/std/ninjs"
_NINJS_KEY = re.compile(r"uri|versioncreated|pubstatus|headlines|bodies|body_\w+")
_JSON_PART = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\]:,]', re.DOTALL)


def plain(start: bytes) -> bytes:
    """The first bytes as UTF-8, without a byte order mark and the whitespace before the content.

    >>> plain("\\ufeff <rss>".encode("utf-16-le"))
    b'<rss>'
    """
    if start.startswith(UTF16_BOMS):
        start = start.decode("utf-16", "ignore").encode()
    return start.removeprefix(BOM).lstrip()


def root(start: bytes) -> str:
    """The name of an XML document's root, in lower case and without its prefix; "" for what is no XML.

    >>> root(b"<?xml version='1.0'?><!-- a feed --><atom:feed xmlns:atom='x'>")
    'feed'
    """
    at = 0
    while found := _PROLOG.match(start, at):
        at = found.end()
    element = _ROOT.match(start, at)
    return element[1].decode("ascii", "ignore").lower() if element else ""


def is_wordpress(start: bytes) -> bool:
    """An RSS document with WordPress's export elements."""
    return root(start) == "rss" and b"wordpress.org/export/" in start


def is_sitemap(start: bytes) -> bool:
    """A sitemap, or an index of sitemaps."""
    return root(start) in ("urlset", "sitemapindex")


def is_feed(start: bytes) -> bool:
    """RSS, Atom, or JSON Feed; a slash may be escaped in JSON."""
    return root(start) in ("rss", "feed", "rdf") or (
        start.startswith(b"{") and _JSON_FEED in start.replace(b"\\/", b"/")
    )


def is_ghost(start: bytes) -> bool:
    """A Ghost export, in one of its layouts."""
    return start.startswith(b"{") and _GHOST.search(start) is not None


def is_ninjs(start: bytes) -> bool:
    """A ninjs item, or a list or lines of them: the first one names its standard, or has several of its own keys."""
    if not start.startswith((b"{", b"[")):
        return False
    found = _members(start.decode("utf-8", "replace"))
    keys = {key for key in found if _NINJS_KEY.fullmatch(key)}
    named = _NINJS in found.get("standard", "").replace("\\/", "/")
    if found.keys() >= {"id", "title"}:  # simrec's own; an item has a uri in place of an id
        return named and "body" not in found
    return named or ("uri" in keys and len(keys) > 1)


def _members(start: str) -> dict[str, str]:
    """The first object's keys, in lower case, and the strings in their values, as far as the first bytes go."""
    found: dict[str, list[str]] = {}
    depth, base, text, values = 0, 1 if start.startswith("{") else 2, "", list[str]()
    for part in _JSON_PART.findall(start):
        if part in ("{", "["):
            depth += 1
        elif part in ("}", "]"):
            depth -= 1
            if depth < base:
                break
        elif part == ":" and depth == base:
            values = found.setdefault(text.lower(), [])
        elif part.startswith('"'):
            text = part[1:-1]
            values.append(text)
    return {key: " ".join(parts) for key, parts in found.items()}


def is_json(start: bytes) -> bool:
    """JSON of any kind."""
    return start.startswith(b"{")


def is_parquet(start: bytes) -> bool:
    """Parquet begins with its name."""
    return start.startswith(b"PAR1")


def is_html(start: bytes) -> bool:
    """A page of HTML."""
    return start[:14].lower().startswith((b"<!doctype html", b"<html")) or root(start) == "html"
