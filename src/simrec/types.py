"""The nouns of simrec: what passes between its parts.

Articles and picks are records, at the edges. Between index and policy there are arrays only: a row is the number of an
article in a `Corpus`, -1 stands for none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

Dense: TypeAlias = NDArray[np.float32]
"""(n, d) float32, each row of norm 1, or 0 for a text without words."""

Rows: TypeAlias = NDArray[np.int32]
Scores: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]

NO_ROW = -1
DECIMALS = 5
"""Scores are rounded to these before ties are settled, so that summation order cannot reorder a block."""

Status = Literal["published", "draft", "embargoed", "withdrawn"]
STATUSES: tuple[str, ...] = get_args(Status)
HIDING: tuple[Status, ...] = ("withdrawn", "draft", "embargoed")
"""The states in which an article is in no block."""


class Bar(Protocol):
    """A progress bar under way."""

    def update(self, n: int = 1) -> object:
        """Says that n more are done."""


Progress: TypeAlias = Callable[[str, int], AbstractContextManager[Bar]]
"""What long work calls with its name and the number of its steps, to show how far it is."""


class _NoBar:
    def update(self, n: int = 1) -> None:
        """Shows nothing."""


def no_progress(name: str, total: int) -> AbstractContextManager[Bar]:
    """Progress that nobody sees: the library's default."""
    del name, total
    return nullcontext(_NoBar())


def primary(lang: str) -> str:
    """The first part of a BCP 47 tag, the language itself.

    >>> primary("pt-BR"), primary("EN_us")
    ('pt', 'en')
    """
    return lang.replace("_", "-").split("-")[0].lower()


class Text(NamedTuple):
    """What an embedder reads of an article."""

    title: str
    body: str
    lang: str = ""


@dataclass(frozen=True, slots=True)
class Article:
    """One article, as a publisher delivered it and `simrec.ingest` checked it.

    Datetimes carry their zone. `lang` is a BCP 47 tag, None where it is neither given nor certain.
    """

    id: str
    title: str
    body: str
    url: str | None = None
    published_at: datetime | None = None
    updated_at: datetime | None = None
    section: str | None = None
    tags: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    lang: str | None = None
    image: str | None = None
    image_alt: str | None = None
    status: Status = "published"
    embargo_until: datetime | None = None
    expires_at: datetime | None = None
    canonical_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_notice(self) -> bool:
        """Whether it is no whole article, but says of a stored one that it is out of sight: title or body is empty."""
        return self.status in HIDING and not (self.title and self.body)

    @property
    def text(self) -> Text:
        """Title, body and language, for an embedder."""
        return Text(self.title, self.body, self.lang or "")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a reader found: an article, and where it stood.

    Attributes:
        article: the article.
        file: the source file, or archive and member.
        line: the line in it, from 1; None where lines mean nothing.
        links: ids or URLs of its related block, in page order; None where the source says nothing of picks.
        addresses: further URLs and paths under which other pages may link to it.
        copy: it stands in another article's related block; it never replaces an article that has its own page.
        version: number and moment (seconds since 1970) of the article's version, each where the source gives it.
    """

    article: Article
    file: str
    line: int | None = None
    links: tuple[str, ...] | None = None
    addresses: tuple[str, ...] = ()
    copy: bool = False
    version: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that could not be used, and why."""

    file: str
    line: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Pick:
    """An editor's pick: `target_id` stands under `source_id`, at `rank` (1 is first)."""

    source_id: str
    target_id: str
    rank: int
    grade: float | None = None


@dataclass(frozen=True, slots=True)
class PickEntry:
    """What a reader of picks found: a pick, and where it stood."""

    pick: Pick
    file: str
    line: int | None = None


class Neighbors(NamedTuple):
    """Nearest neighbors: rows (b, k) int32, -1 for none, and scores (b, k) float32, -inf there; best first."""

    rows: Rows
    scores: Scores


class Candidates(NamedTuple):
    """A union of neighbors, before it is ranked.

    Attributes:
        rows: (b, c) int32, ascending, -1 for none, at the end.
        scores: (b, c, m) float32, one cosine for each of the m embedders; NaN where there is no row.
    """

    rows: Rows
    scores: NDArray[np.float32]


class Similar(NamedTuple):
    """A ranking: rows (b, k) int32, -1 for none, scores (b, k) float32 and parts (b, k, m) float32, best first."""

    rows: Rows
    scores: Scores
    parts: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BlockItem:
    """One entry of a block, with all that is needed to show it."""

    id: str
    title: str
    url: str | None
    score: float
    reasons: Mapping[str, Any]
    published_at: datetime | None = None
    lang: str | None = None
    image: str | None = None
    image_alt: str | None = None
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """The "Similar articles" block of one article.

    Attributes:
        page: the article that it stands under.
        lang: the page's language.
        items: best first; their URLs are as the page must write them.
        shortfall: why there are fewer than k items.
    """

    page: Article
    lang: str
    items: tuple[BlockItem, ...]
    shortfall: str | None = None

    @property
    def source_id(self) -> str:
        """The page's id."""
        return self.page.id


@dataclass(frozen=True, eq=False)
class Corpus:
    """All articles in a fixed order (by id), and the columns of them that rules need as arrays."""

    articles: Sequence[Article]

    def __len__(self) -> int:
        return len(self.articles)

    @cached_property
    def ids(self) -> Sequence[str]:
        """The articles' ids, by row."""
        return [a.id for a in self.articles]

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """The row of each id."""
        return {id_: row for row, id_ in enumerate(self.ids)}

    @cached_property
    def by_id(self) -> Mapping[str, Article]:
        """The article of each id."""
        return {a.id: a for a in self.articles}

    @cached_property
    def texts(self) -> list[Text]:
        """What embedders read, by row; a missing language is the corpus's most frequent one."""
        return [Text(a.title, a.body, a.lang or self.main_lang) for a in self.articles]

    @cached_property
    def main_lang(self) -> str:
        """The most frequent primary language, "en" for a corpus that names none."""
        counts = self.lang_counts
        return max(sorted(counts), key=counts.__getitem__) if counts else "en"

    @cached_property
    def lang_counts(self) -> Counter[str]:
        """How many articles name each primary language."""
        return Counter(primary(a.lang) for a in self.articles if a.lang)

    @cached_property
    def languages(self) -> list[str]:
        """The primary languages, sorted."""
        named = {*self.lang_counts}
        return sorted(named if self.lang_counts.total() == len(self) else named | {self.main_lang})

    @cached_property
    def lang_codes(self) -> NDArray[np.int32]:
        """(n,) int32: numbers in `languages`; en-GB and en-US are one."""
        number = {name: i for i, name in enumerate(self.languages)}
        return np.array([number[primary(a.lang or self.main_lang)] for a in self.articles], dtype=np.int32)

    @cached_property
    def published(self) -> NDArray[np.float64]:
        """(n,) float64: seconds since 1970, NaN where there is no date."""
        return np.array(
            [a.published_at.timestamp() if a.published_at else np.nan for a in self.articles],
            dtype=np.float64,
        )

    @cached_property
    def tie_order(self) -> NDArray[np.int64]:
        """(n,) int64: the place of each row among all, newer first, then by id; settles equal scores."""
        newest_first = -np.nan_to_num(self.published, nan=-np.inf)
        order = np.lexsort((np.arange(len(self)), newest_first))
        place = np.empty(len(self), dtype=np.int64)
        place[order] = np.arange(len(self))
        return place
