"""XML, read as a stream: one record after the other, each bounded, and nothing fetched or expanded.

A document that declares entities is refused, so there are no entity bombs and no external entities. Expat itself is
used, with the handlers that defusedxml would set, since a record that is too long has to be passed over while it is
parsed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple, NoReturn
from xml.parsers import expat

from simrec.ingest.lines import UTF16_BOMS, too_long
from simrec.ingest.source import MEGABYTE

CHUNK_BYTES = 1 << 18
MAX_DEPTH = 100
"""Elements nested deeper in a record make it a reject."""
NODE_BYTES = 100
"""What an element costs beside its text, so that millions of empty ones count as long, too."""

_SEPARATOR = "}"
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r")
_PREFIXES = {
    "http://purl.org/dc/elements/1.1/": "dc:",
    "http://purl.org/rss/1.0/modules/content/": "content:",
    "http://www.google.com/schemas/sitemap-news/0.9": "news:",
    "http://www.google.com/schemas/sitemap-image/1.1": "image:",
    "http://www.sitemaps.org/schemas/sitemap/0.9": "",
    "http://www.google.com/schemas/sitemap/0.84": "",
}
_WORDPRESS = "http://wordpress.org/export/"


@dataclass(slots=True)
class Node:
    """An element: its name with the usual prefix of its namespace, its line, attributes, children and own text."""

    name: str
    line: int
    attributes: dict[str, str]
    children: list[Node] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The element's own text, without that of its children."""
        return "".join(self.parts).strip()

    def all(self, name: str) -> list[Node]:
        """The children of a name."""
        return [child for child in self.children if child.name == name]

    def value(self, *names: str) -> str:
        """The text of the first child of these names that has any; "" where none has."""
        return next((child.text for name in names for child in self.all(name) if child.text), "")


class Broken(NamedTuple):
    """A record, or all that follows, that cannot be read: from which line, and why."""

    line: int
    reason: str


class _RefusedError(Exception):
    """A document that is not read any further."""


def records(stream: BinaryIO, roots: Collection[str], depth: int, max_bytes: int) -> Iterator[Node | Broken]:
    """The elements at a depth of a document, in its order.

    Control characters, which XML forbids and exports contain all the same, are dropped.

    Args:
        stream: the document.
        roots: names that its root may have.
        depth: of the elements that are records; the root's children are at 1.
        max_bytes: a longer record is passed over and gives a `Broken`; so does a comment or tag that is longer, as the
            last one.
    """
    builder = _Builder(roots, depth, max_bytes)
    feed = _fed(builder.parser, stream, max_bytes)
    problem = None
    while problem is None:
        try:
            more = next(feed, False)
        except expat.ExpatError as error:
            more, problem = False, _broken(expat.errors.messages.get(error.code, "unknown error"))
        except (ValueError, LookupError) as error:  # of encodings that expat does not know
            more, problem = False, f"{error}: save the file as UTF-8"
        except _RefusedError as error:
            more, problem = False, str(error)
        while builder.done:
            yield builder.done.popleft()
        if not more:
            break
    if problem is not None:
        yield Broken(builder.parser.ErrorLineNumber or builder.parser.CurrentLineNumber, problem)


def _broken(message: str) -> str:
    if message == "no element found":
        message = "it ends too early"
    return f"broken XML ({message}): nothing is read from here on; export it again"


def _fed(parser: Any, stream: BinaryIO, max_bytes: int) -> Iterator[bool]:
    """Parses a document chunk by chunk."""
    fed = 0
    wide = None
    while chunk := stream.read(CHUNK_BYTES):
        wide = chunk.startswith(UTF16_BOMS) if wide is None else wide
        chunk = chunk if wide else chunk.translate(None, _CONTROLS)
        parser.Parse(chunk, False)
        fed += len(chunk)
        if fed - max(parser.CurrentByteIndex, 0) > max_bytes + CHUNK_BYTES:
            raise _RefusedError(
                f"a tag or comment longer than {max_bytes / MEGABYTE:g} MB: nothing is read from here on"
            )
        yield True
    parser.Parse(b"", True)


class _Builder:
    """Makes nodes of what the parser says; `done` has the records that are whole."""

    def __init__(self, roots: Collection[str], depth: int, max_bytes: int) -> None:
        self.done: deque[Node | Broken] = deque()
        self.parser: Any = expat.ParserCreate(namespace_separator=_SEPARATOR)
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self.parser.EntityDeclHandler = self._refuse
        self.parser.ExternalEntityRefHandler = self._refuse
        self._roots = roots
        self._depth = depth
        self._max_bytes = max_bytes
        self._level = 0
        self._open: list[Node] = []
        self._size = 0
        self._line = 0
        self._reason = ""

    def _start(self, raw: str, attributes: dict[str, str]) -> None:
        name, level = _short(raw), self._level
        self._level += 1
        if level == 0 and name not in self._roots:
            raise _RefusedError(f"the root is <{name[:40]}>, not {' or '.join(f'<{root}>' for root in self._roots)}")
        if level == self._depth:
            self._size, self._reason, self._line = 0, "", self.parser.CurrentLineNumber
        if level < self._depth or self._reason:
            return
        self._grow(NODE_BYTES + len(raw) + sum(len(key) + len(value) for key, value in attributes.items()))
        if level - self._depth > MAX_DEPTH:
            self._pass_over("elements nested too deep: simplify the record")
        if not self._reason:
            node = Node(name, self.parser.CurrentLineNumber, {_short(key): value for key, value in attributes.items()})
            if self._open:
                self._open[-1].children.append(node)
            self._open.append(node)

    def _data(self, text: str) -> None:
        if self._open:
            self._grow(len(text))
        if self._open:
            self._open[-1].parts.append(text)

    def _end(self, raw: str) -> None:
        self._level -= 1
        if self._level == self._depth:
            self.done.append(Broken(self._line, self._reason) if self._reason else self._open[0])
            self._open.clear()
        elif self._open:
            self._open.pop()

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._max_bytes:
            self._pass_over(too_long(self._size, self._max_bytes))

    def _pass_over(self, reason: str) -> None:
        self._reason = reason
        self._open.clear()

    def _refuse(self, *unused: object) -> NoReturn:
        raise _RefusedError("the document declares entities, which can be used to flood a reader: take them out")


@lru_cache(maxsize=1024)
def _short(raw: str) -> str:
    """A name with the usual prefix of its namespace, in place of the namespace."""
    space, divided, local = raw.rpartition(_SEPARATOR)
    if not divided:
        return raw
    if space.startswith(_WORDPRESS):
        return f"excerpt:{local}" if "excerpt" in space else f"wp:{local}"
    prefix = _PREFIXES.get(space)
    return raw if prefix is None else f"{prefix}{local}"
