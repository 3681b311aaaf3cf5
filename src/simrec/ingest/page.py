"""Pages as text: an article, and those that its site shows under it as similar.

The layout: noise lines, a title line, a date line, the body, a heading such as ``Similar articles``, and below it
articles, each with title line, date line, perhaps an image line, and body.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from simrec.ingest.address import from_path
from simrec.ingest.dates import MAX_DATE_LINE, parse_written
from simrec.ingest.headings import MAX_HEADING, is_related_heading
from simrec.ingest.html import decode
from simrec.ingest.record import to_article
from simrec.ingest.source import MEGABYTE, SourceFile
from simrec.settings import IngestSettings
from simrec.text import clean, content_hash, detect_language, one_line
from simrec.types import Article, Entry, Reject

MAX_TITLE = 200
"""A longer line is not a title."""
MAX_SLUG = 80
WRITE_SO = "write a title line, then a date line, then the body"

_IMAGE = re.compile(
    r"(?:Image|Photo|Picture|Bild|Foto|Imagen|Immagine|Imagem|Фото|Изображение|Зображення|画像|写真|图片|圖片)\s*[::]\s*(.+)",
    re.IGNORECASE,
)
_IMAGE_URL = re.compile(r"https?://\S+|\S*/\S+\.(?:jpe?g|png|gif|webp|avif|svg)", re.IGNORECASE)


@dataclass
class _Part:
    """An article of a page: where its title stands, and what is below it."""

    title: str
    date: datetime
    line: int
    lines: list[str] = field(default_factory=list)
    image: str = ""


def read(source: SourceFile, settings: IngestSettings) -> Iterator[Entry | Reject]:
    """The articles of a page: its own, with links to those under the heading, and copies of those."""
    data = source.read(settings.max_record_mb * MEGABYTE)
    try:
        text = decode(data)
    except ValueError as error:
        yield Reject(source.file, None, str(error))
        return
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not text.strip():
        yield Reject(source.file, None, "the file is empty")
        return
    yield from _Page(source, lines, settings).entries()


class _Page:
    """A page under way: its lines, what they were read as."""

    def __init__(self, source: SourceFile, lines: Sequence[str], settings: IngestSettings) -> None:
        self.source = source
        self.lines = lines
        self.settings = settings
        self.lang = detect_language("\n".join(lines))

    def entries(self) -> Iterator[Entry | Reject]:
        """The page's entries, its own article first."""
        start = self._next_start(0, len(self.lines))
        if start is None:
            yield self._reject(1, f"no title with a date below it: {WRITE_SO}")
            return
        heading = self._heading(start[1] + 1)
        yield from self._unused(0, start[0])
        own = self._part(start, heading)
        others = list(self._others(heading + 1))
        articles = [self._article(part) for part in (own, *(part for part in others if isinstance(part, _Part)))]
        first = articles[0]
        if isinstance(first, str):
            yield self._reject(own.line, first)
        else:
            found = heading < len(self.lines)
            ids = [one.id for one in articles[1:] if isinstance(one, Article) and one.id != first.id]
            addresses = (from_path(self.source.path.removesuffix(".gz")), from_path(self.source.stem))
            links = tuple(dict.fromkeys(ids)) if found else None
            yield Entry(first, self.source.file, own.line, links, addresses)
        yield from (part for part in others if isinstance(part, Reject))
        parts = [part for part in others if isinstance(part, _Part)]
        for part, article in zip(parts, articles[1:], strict=True):
            if isinstance(article, str):
                yield self._reject(part.line, article)
            else:
                yield Entry(article, self.source.file, part.line, None, copy=True)

    def _others(self, begin: int) -> Iterator[_Part | Reject]:
        """The articles under the heading, each up to the next one's title."""
        end = len(self.lines)
        start = self._next_start(begin, end)
        yield from self._unused(begin, start[0] if start else end, noise=False)
        while start:
            following = self._next_start(start[1] + 1, end)
            yield self._part(start, following[0] if following else end)
            start = following

    def _next_start(self, begin: int, end: int) -> tuple[int, int] | None:
        """The next title line and its date line: a date whose last line before it is short."""
        title = None
        for at in range(begin, end):
            line = self.lines[at].strip()
            if not line:
                continue
            if title is not None and self._date(line):
                return title, at
            title = at if len(line) <= MAX_TITLE and not self._date(line) else None
        return None

    def _date(self, line: str) -> datetime | None:
        return parse_written(line, self.lang) if len(line) <= MAX_DATE_LINE else None

    def _heading(self, begin: int) -> int:
        """The line of the heading of the similar articles; the number of lines where there is none."""
        lines = range(begin, len(self.lines))
        short = (at for at in lines if 0 < len(self.lines[at].strip()) <= MAX_HEADING)
        return next(
            (at for at in short if is_related_heading(self.lines[at], self.settings.headings)),
            len(self.lines),
        )

    def _unused(self, begin: int, end: int, *, noise: bool = True) -> Iterator[Reject]:
        """A reject for lines that belong to no article; short ones before the first title are noise."""
        for at in range(begin, end):
            line = self.lines[at].strip()
            if line and (not noise or len(line) > MAX_TITLE):
                reason = "text before the first title" if noise else "text under the heading without a title and a date"
                yield self._reject(at + 1, f"{reason}: {WRITE_SO}")
                return

    def _part(self, start: tuple[int, int], end: int) -> _Part:
        title, at = start
        date = self._date(self.lines[at].strip())
        if date is None:
            raise ValueError(f"line {at + 1} is no date line")
        part = _Part(one_line(self.lines[title]), date, title + 1, list(self.lines[at + 1 : end]))
        first = next((i for i, line in enumerate(part.lines) if line.strip()), None)
        if first is not None and (image := _IMAGE.fullmatch(part.lines[first].strip())):
            part.image = image[1].strip()
            del part.lines[first]
        return part

    def _article(self, part: _Part) -> Article | str:
        record: dict[str, Any] = {
            "id": page_id(part.title, part.date),
            "title": part.title,
            "body": clean("\n".join(part.lines)),
            "published_at": part.date,
        }
        if part.image:
            record["image" if _IMAGE_URL.fullmatch(part.image) else "image_credit"] = part.image
        return to_article(record, self.settings)

    def _reject(self, line: int, reason: str) -> Reject:
        return Reject(self.source.file, line, reason)


def page_id(title: str, date: datetime) -> str:
    """The id of an article that has none of its own: the same for the same title and date, on every page.

    >>> from datetime import UTC
    >>> page_id("Two bridges, one river", datetime(2024, 5, 1, 9, 30, tzinfo=UTC))
    'two-bridges-one-river-2024-05-01-0930'
    """
    return f"{slug(title)}-{date:%Y-%m-%d-%H%M}"


def slug(title: str) -> str:
    """A title's letters and digits of any script, in lower case; a long one is cut and marked with a hash."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", title).casefold())
    kept = "".join(char if unicodedata.category(char)[0] in "LNM" else "-" for char in folded)
    words = [word for word in kept.split("-") if word]
    text = "-".join(words)
    if not text:
        return content_hash(title)[:12]
    return text if len(text) <= MAX_SLUG else f"{text[:MAX_SLUG].rstrip('-')}-{content_hash(text)[:8]}"
