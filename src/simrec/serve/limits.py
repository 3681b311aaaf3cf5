"""How often somebody may ask, and how long and how slow a request may be."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

from simrec.serve.problems import ProblemError

MOST_BUCKETS = 100_000
"""Addresses and keys that are remembered; beyond, those that have rested longest are forgotten first."""
JSON = ("application/json",)
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Buckets:
    """Token buckets: each holds a minute's requests, and is filled again as time goes by.

    Args:
        rate: requests a minute; 0: no limit.
        clock: seconds that only grow.

    >>> buckets = Buckets(2, lambda: 0.0)
    >>> buckets.take("a"), buckets.take("a"), buckets.take("a"), buckets.take("b")
    (0, 0, 30, 0)
    """

    def __init__(self, rate: int, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, who: str) -> int:
        """Counts a request: 0 where it may go on, else the seconds after which the next one may."""
        if not self._rate:
            return 0
        now = self._clock()
        left, at = self._left.pop(who, (float(self._rate), now))
        left = min(self._rate, left + (now - at) * self._rate / 60)
        allowed = left >= 1
        self._left[who] = (left - 1 if allowed else left, now)  # at the end: the first one has rested longest
        if len(self._left) > MOST_BUCKETS:
            del self._left[next(iter(self._left))]
        return 0 if allowed else max(math.ceil((1 - left) * 60 / self._rate), 1)


def group_of(address: str) -> str:
    """What counts as one address: an IPv6 network of 64 bits is one household's.

    >>> group_of("203.0.113.7"), group_of("2001:db8::1"), group_of("a socket")
    ('203.0.113.7', '2001:db8::/64', 'a socket')
    """
    if ":" not in address:
        return address
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or ip_network(f"{found}/64", strict=False))


def check_type(path: str, headers: dict[bytes, bytes]) -> None:
    """That a body is of a kind that is read at this path.

    Raises:
        ProblemError: it is not (415).
    """
    kind, _, parameters = headers.get(b"content-type", b"").decode("latin-1").partition(";")
    wanted = FORMS if path.startswith("/desk") else JSON
    charset = parameters.casefold().replace(" ", "").replace('"', "")
    plain = "charset=" not in charset or "charset=utf-8" in charset
    if kind.strip().casefold() not in wanted or not plain:
        raise ProblemError(415, f"send {' or '.join(wanted)}, in UTF-8", {"accept": ", ".join(wanted)})
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise ProblemError(415, "send the body as it is, without a content encoding", {"accept-encoding": "identity"})


async def read_body(receive: Any, headers: dict[bytes, bytes], most: int, seconds: float) -> bytes | None:
    """A request's whole body; None where who asked has gone.

    Raises:
        ProblemError: it is longer than `most` bytes (413), its length is no number (400), or it comes too slowly (408).
    """
    too_long = ProblemError(413, f"a request has at most {most // 1024} kB", {"connection": "close"})
    said = headers.get(b"content-length")
    if said is not None:
        if not said.isdigit():
            raise ProblemError(400, "the length of the request is no number")
        if len(said) > 18 or int(said) > most:
            raise too_long
    parts, length = [], 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                parts.append(message.get("body", b""))
                length += len(parts[-1])
                if length > most:
                    raise too_long
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError as error:
        said_so = f"the request took longer than {seconds:g} seconds to arrive"
        raise ProblemError(408, said_so, {"connection": "close"}) from error
