"""Blocks held ready as bytes, until their page changes or their moment comes."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from email.utils import format_datetime
from threading import Lock
from typing import NamedTuple

from simrec.errors import SimrecError
from simrec.serve.headers import SAFE, Cors, Pairs, with_missing, with_vary
from simrec.serve.metrics import Metrics
from simrec.serve.reading import Moved, Shown
from simrec.serve.rendering import TYPES, Format, Renderer
from simrec.serve.seen import NEVER, Seen
from simrec.settings import ServeSettings

MOST_BYTES = 256 * 1024 * 1024
"""Of all bodies that are held; beyond, those that were made first go."""
COST = 2000
"""Bytes that a body takes beside its own: its headers, and what it is found by."""
ADDRESSES, LONGEST = 8, 500
"""Ways of writing an address that lead to one body at once, and their bytes; others are answered, and looked up."""


AHEAD = 0.3
"""Seconds at most for which bodies are made ahead, where many are others at once."""


class Key(NamedTuple):
    """What a body was made of."""

    source_id: str
    k: int
    format: Format
    explain: bool


class Ready:
    """A body with its headers.

    Attributes:
        body: itself.
        etag: strong, of the body.
        until: the moment at which it may be another one, in seconds since 1970.
        full: headers of a 200, while its moment is far away.
        brief: those of a 304.
        far: the moment up to which these can be used as they are.
        is_empty: whether the block has no item.
        addresses: that lead to it at once.
        asked: how often one of them was asked for.
        size: bytes that it takes.
    """

    __slots__ = ("addresses", "asked", "body", "brief", "etag", "far", "full", "is_empty", "size", "until")

    def __init__(self, body: bytes, until: float, *, is_empty: bool) -> None:
        self.body, self.until, self.is_empty = body, until, is_empty
        self.etag = b'"' + hashlib.sha256(body).hexdigest()[:32].encode() + b'"'
        self.full: Pairs = []
        self.brief: Pairs = []
        self.far = NEVER
        self.addresses: list[bytes] = []
        self.asked = 0
        self.size = len(body) + COST


class Lane:
    """Bodies of blocks, made when they are first asked for.

    Args:
        shown: what readers see.
        settings: of the service.
        clock: says what time it is.
        metrics: counts hits and misses.
        make: makes the renderer of what is seen.
        cors: who may read by script.
    """

    def __init__(
        self, shown: Shown, settings: ServeSettings, clock: Callable[[], datetime], metrics: Metrics, cors: Cors,
        make: Callable[[Seen], Renderer],
    ) -> None:  # fmt: skip
        self._shown, self._settings, self._clock, self._metrics, self._cors = shown, settings, clock, metrics, cors
        self._make = make
        self._renderer: tuple[tuple[str, str], Renderer] | None = None
        self._lock = Lock()
        self._ready: dict[Key, Ready] = {}
        self._by_address: dict[bytes, Ready] = {}
        self._of_page: dict[str, set[Key]] = defaultdict(set)
        self._pages_with: dict[str, set[str]] = defaultdict(set)
        self._depends: dict[str, set[str]] = defaultdict(set)
        self._with_any: set[str] = set()
        self._bytes = 0
        self._gone: dict[Key, Ready] = {}
        self._gone_k = 0

    def find(self, address: bytes) -> Ready | None:
        """What is held ready for an address as it came in; None where there is none, or its moment has come."""
        found = self._by_address.get(address)
        if found is None or found.until <= self._clock().timestamp():
            return None
        found.asked += 1
        return found

    def get(self, key: Key, address: bytes | None = None) -> Ready:
        """The body of a block.

        Args:
            key: what is asked for.
            address: under which it is to be found at once from now on.

        Raises:
            NotFoundError: there is no such page, or it is not public.
            StoreError: nothing is built yet.
        """
        found = self._ready.get(key)
        if found is not None and found.until > self._clock().timestamp():
            self._metrics.hits += 1
        else:
            self._metrics.misses.inc()
            found = self._render(key)
        if address:
            self._lead(address, key, found)
        return found

    def _lead(self, address: bytes, key: Key, ready: Ready) -> None:
        """Has an address lead to a body at once, while it is held."""
        if len(address) > LONGEST or len(ready.addresses) >= ADDRESSES:
            return
        with self._lock:
            if self._ready.get(key) is ready and address not in ready.addresses:
                ready.addresses.append(address)
                ready.size += len(address)
                self._bytes += len(address)
                self._by_address[address] = ready

    def once(self, key: Key, exclude: Sequence[str]) -> Ready:
        """The body of a block without some articles: made for one request, and not held."""
        seen = self._shown.seen
        viewed = self._shown.view(key.source_id, key.k, exclude)
        body = self.renderer(seen).render(viewed.block, key.format, explain=key.explain)
        return self.dressed(body, key.format, viewed.until, is_empty=not viewed.block.items)

    def dressed(self, body: bytes, format: Format, until: float = NEVER, *, is_empty: bool = False) -> Ready:
        """A body with the headers that its caches need."""
        ready = Ready(body, until, is_empty=is_empty)
        self._dress(ready, format, self._shown.seen)
        return ready

    def renderer(self, seen: Seen) -> Renderer:
        """The renderer of what is seen: another one where the site's language or the model are others."""
        named = (seen.corpus.main_lang, seen.snapshot.model if seen.snapshot else "")
        if self._renderer is None or self._renderer[0] != named:
            self._renderer = (named, self._make(seen))
        return self._renderer[1]

    def moved(self, moved: Moved) -> None:
        """Forgets what is other now."""
        with self._lock:
            if moved.blocks is None:  # blocks of another form, perhaps: addresses lead to other bodies
                self._gone = {}
                held = self._ready, self._by_address, self._of_page, self._pages_with, self._depends, self._with_any
                for store in held:
                    store.clear()
                self._bytes = 0
                return
            self._gone_k = self._shown.snapshot.k
            pages = set(moved.blocks) | moved.articles
            for article in moved.articles:
                pages |= self._pages_with.get(article, set())
            if moved.articles or moved.blocks:
                pages |= self._with_any
            for page in pages:
                self._forget(page)

    def ahead(self) -> None:
        """Makes anew what was forgotten, what was asked for most first: else all who ask would wait for it.

        Called by a thread that nobody waits for.
        """
        with self._lock:
            gone, self._gone, k = self._gone, {}, self._gone_k
        until = time.monotonic() + AHEAD
        for key, ready in sorted(gone.items(), key=lambda item: -item[1].asked):
            if time.monotonic() > until:
                break
            with suppress(SimrecError):  # it is not shown any more, as whoever asks is told
                made = self._ready.get(key) or self._render(key)
                if self._shown.snapshot.k != k:
                    break  # an address that names no k leads to another body now
                made.asked = max(made.asked, ready.asked // 2)  # not for ever, where nobody asks
                for address in ready.addresses:
                    self._lead(address, key, made)

    def freshness(self, until: float) -> bytes:
        """Cache-Control of a body that may be another one at a moment: no cache holds it beyond that."""
        left = max(int(until - self._clock().timestamp()), 0) if until != NEVER else None
        most, stale = self._settings.max_age, self._settings.stale
        if left is not None:
            most = min(most, left)
            stale = min(stale, left - most)
        who = "private" if self._settings.reads == "keyed" else "public"
        return f"{who}, max-age={most}, stale-while-revalidate={stale}, stale-if-error={stale}".encode()

    def headers(self, ready: Ready, *, brief: bool = False) -> Pairs:
        """The headers of a body now."""
        kept = ready.brief if brief else ready.full
        if ready.until == NEVER or self._clock().timestamp() < ready.far:
            return kept
        return [(n, self.freshness(ready.until) if n == b"cache-control" else v) for n, v in kept]

    def _render(self, key: Key) -> Ready:
        seen = self._shown.seen
        viewed = self._shown.view(key.source_id, key.k)
        body = self.renderer(seen).render(viewed.block, key.format, explain=key.explain)
        ready = Ready(body, viewed.until, is_empty=not viewed.block.items)
        self._dress(ready, key.format, seen)
        with self._lock:
            if self._shown.seen is not seen:  # it was made of what is not shown any more: this request alone gets it
                return ready
            self._drop(key)
            self._ready[key] = ready
            self._of_page[key.source_id].add(key)
            self._bytes += ready.size
            if viewed.depends is None:
                self._with_any.add(key.source_id)
            for id_ in viewed.depends or ():
                self._pages_with[id_].add(key.source_id)
                self._depends[key.source_id].add(id_)
            while self._bytes > MOST_BYTES and len(self._ready) > 1:
                self._drop(next(iter(self._ready)))
        return ready

    def _dress(self, ready: Ready, format: Format, seen: Seen) -> None:
        ready.far = ready.until - self._settings.max_age - self._settings.stale
        brief: Pairs = [(b"etag", ready.etag), (b"cache-control", self.freshness(ready.until))]
        if seen.snapshot:
            moment = format_datetime(seen.snapshot.current_at, usegmt=True).encode()
            brief.append((b"last-modified", moment))
        brief += self._cors.always
        if self._settings.reads == "keyed":
            brief = with_vary(brief, b"Authorization")
        brief = with_missing(brief, SAFE)
        ready.brief = brief
        length = str(len(ready.body)).encode()
        ready.full = [(b"content-type", TYPES[format]), (b"content-length", length), *brief]

    def _forget(self, page: str) -> None:
        for key in list(self._of_page.get(page, ())):
            if self._ready[key].asked:
                self._gone[key] = self._ready[key]
            self._drop(key)

    def _drop(self, key: Key) -> None:
        """Lets go of a body, and of what is known of its page where that was the last one."""
        ready = self._ready.pop(key, None)
        if ready is None:
            return
        self._bytes -= ready.size
        for address in ready.addresses:
            self._by_address.pop(address, None)
        page = key.source_id
        self._of_page[page].discard(key)
        if self._of_page[page]:
            return
        del self._of_page[page]
        self._with_any.discard(page)
        for id_ in self._depends.pop(page, ()):
            self._pages_with[id_].discard(page)
            if not self._pages_with[id_]:
                del self._pages_with[id_]


def is_same(said: bytes | None, etag: bytes) -> bool:
    """Whether an If-None-Match names an ETag.

    >>> is_same(b'W/"a", "b"', b'"b"'), is_same(b"*", b'"b"'), is_same(b'"a"', b'"b"'), is_same(None, b'"b"')
    (True, True, False, False)
    """
    if said is None:
        return False
    if said == etag or said.strip() == b"*":
        return True
    return etag in [one.strip().removeprefix(b"W/") for one in said.split(b",")]
