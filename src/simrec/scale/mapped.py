"""A corpus whose articles stay in a file: each is made when it is asked for; columns of all are arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, cast, overload

import numpy as np
from numpy.typing import NDArray

from simrec.scale.ground import Ground
from simrec.scale.meta import Ids, Meta
from simrec.types import NO_ROW, Article, Corpus, primary


class MappedCorpus(Corpus):
    """All articles of a build whose file of articles with their bodies is written; see `Corpus`."""

    @classmethod
    def open(cls, ground: Ground) -> MappedCorpus:
        """The articles of a build's folder."""
        return cls(Articles(Meta(ground, bodies=True)))

    @property
    def _meta(self) -> Meta:
        return cast(Articles, self.articles).meta

    @cached_property
    def ids(self) -> Sequence[str]:
        """The articles' ids, by row."""
        return Ids(self._meta)

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """The row of each id."""
        return RowOf(self.ids)

    @cached_property
    def by_id(self) -> Mapping[str, Article]:
        """The article of each id."""
        return ById(self.row_of, self.articles)

    @cached_property
    def lang_counts(self) -> Counter[str]:
        """How many articles name each primary language."""
        return Counter(primary(lang) for lang in self._meta.column("lang") if lang)

    @cached_property
    def lang_codes(self) -> NDArray[np.int32]:
        """(n,) int32: numbers in `languages`."""
        number, main = {name: i for i, name in enumerate(self.languages)}, self.main_lang
        codes = (number[primary(lang or main)] for lang in self._meta.column("lang"))
        return np.fromiter(codes, np.int32, len(self))

    @cached_property
    def published(self) -> NDArray[np.float64]:
        """(n,) float64: seconds since 1970, NaN where there is no date."""
        dates = self._meta.column("published_at")
        moments = (datetime.fromisoformat(date).timestamp() if date else np.nan for date in dates)
        return np.fromiter(moments, np.float64, len(self))


class Articles(Sequence[Article]):
    """Articles by row.

    Args:
        meta: with bodies.
    """

    def __init__(self, meta: Meta) -> None:
        self.meta = meta

    @overload
    def __getitem__(self, row: int) -> Article: ...

    @overload
    def __getitem__(self, row: slice) -> list[Article]: ...

    def __getitem__(self, row: int | slice) -> Article | list[Article]:
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(len(self)))]
        at = row + len(self) if row < 0 else row
        if not 0 <= at < len(self):
            raise IndexError(row)
        return self.meta[at]

    def __len__(self) -> int:
        return len(self.meta)


class RowOf(Mapping[str, int]):
    """The row of each id, found by the id's hash: sixteen bytes an article.

    Args:
        ids: by row.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = ids
        hashes = np.fromiter(map(hash, ids), np.int64, len(ids))
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]

    def __getitem__(self, id_: str) -> int:
        at = int(np.searchsorted(self._hashes, hash(id_)))
        while at < len(self._hashes) and self._hashes[at] == hash(id_):
            row = int(self._order[at])
            if self._ids[row] == id_:
                return row
            at += 1
        raise KeyError(id_)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


class ById(Mapping[str, Article]):
    """The article of each id.

    Args:
        row_of: the row of each id.
        articles: by row.
    """

    def __init__(self, row_of: Mapping[str, int], articles: Sequence[Article]) -> None:
        self._row_of = row_of
        self._articles = articles

    def __getitem__(self, id_: str) -> Article:
        return self._articles[self._row_of[id_]]

    def __contains__(self, id_: Any) -> bool:
        return self._row_of.get(id_, NO_ROW) != NO_ROW

    def __iter__(self) -> Iterator[str]:
        return iter(self._row_of)

    def __len__(self) -> int:
        return len(self._row_of)


__all__ = ["MappedCorpus"]
