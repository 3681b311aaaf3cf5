"""Headers of every response, and which requests are let in by theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Pairs = list[tuple[bytes, bytes]]

SAFE: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
"""What every response says, unless its route says otherwise."""
READING = b"GET, HEAD, OPTIONS"
MOST_HOSTS = 1000


class Hosts:
    """Which hosts a service answers to: who sends a request elsewhere is not answered.

    Args:
        allowed: names without a port; `*` any; `*.example.org` any below it.

    >>> hosts = Hosts(["news.example", "*.cdn.example"])
    >>> [hosts.has(host) for host in (b"News.example:443", b"a.cdn.example", b"evil.example", b"")]
    [True, True, False, False]
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        names = [name.casefold() for name in allowed]
        self._any = "*" in names
        self._names = frozenset(names)
        self._below = tuple(name[1:] for name in names if name.startswith("*."))
        self._good: set[bytes] = set()

    def has(self, host: bytes) -> bool:
        """Whether a Host header names one of them."""
        if self._any or host in self._good:
            return True
        name = host.decode("latin-1").casefold()
        head, colon, port = name.rpartition(":")
        if colon and port.isdigit() and not (name.startswith("[") and name.endswith("]")):
            name = head
        if name not in self._names and not (self._below and name.endswith(self._below)):
            return False
        if len(self._good) < MOST_HOSTS:
            self._good.add(host)
        return True


class Cors:
    """What pages of other origins may read by script: blocks and articles, never anything else.

    Args:
        origins: such as `https://news.example`; `*` any.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.rstrip("/").encode("latin-1") for origin in origins)
        self._any = b"*" in self._origins
        self.is_on = bool(self._origins)
        shown = (b"access-control-expose-headers", b"etag, link, x-request-id")
        self.always: Pairs = []
        """What every response says that may be read, whoever asks."""
        if self._any:
            self.always = [(b"access-control-allow-origin", b"*"), shown]
        elif self.is_on:
            self.always = [(b"vary", b"Origin")]
        self._shown = shown

    def of(self, origin: bytes | None) -> Pairs:
        """What a response says to who asks from an origin, beside `always`."""
        if self._any or origin is None or origin not in self._origins:
            return []
        return [(b"access-control-allow-origin", origin), self._shown]

    def preflight(self, headers: Mapping[bytes, bytes]) -> Pairs:
        """The answer to a browser that asks before it asks."""
        allowed = self._any or headers.get(b"origin") in self._origins
        if not allowed:
            return self.always
        return [
            *self.always,
            *self.of(headers.get(b"origin")),
            (b"access-control-allow-methods", READING),
            (b"access-control-allow-headers", b"authorization, if-none-match"),
            (b"access-control-max-age", b"86400"),
        ]


def with_missing(headers: Pairs, further: Iterable[tuple[bytes, bytes]]) -> Pairs:
    """Headers with those of others that they lack."""
    there = {name.lower() for name, _ in headers}
    return [*headers, *((name, value) for name, value in further if name not in there)]


def with_vary(headers: Pairs, value: bytes) -> Pairs:
    """Headers whose Vary names one more."""
    said = [old for name, old in headers if name.lower() == b"vary"]
    rest = [(name, old) for name, old in headers if name.lower() != b"vary"]
    return [*rest, (b"vary", b", ".join([*said, value]))]
