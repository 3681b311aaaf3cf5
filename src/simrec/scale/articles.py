"""The articles of a build by row, without their bodies, and rows by id."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from simrec.scale.ground import Ground
from simrec.scale.meta import Meta
from simrec.types import Article, Rows


def articles_of(ground: Ground) -> Mapping[int, Article]:
    """The articles by row, each made when it is asked for."""
    return Meta(ground)


class RowOf(Mapping[str, int]):
    """The row of each id: rows are in order of id.

    Args:
        articles: by row.
    """

    def __init__(self, articles: Mapping[int, Article]) -> None:
        self._articles = articles

    def __getitem__(self, id_: str) -> int:
        rows = range(len(self._articles))
        at = bisect_left(rows, id_, key=lambda row: self._articles[row].id)
        if at == len(rows) or self._articles[at].id != id_:
            raise KeyError(id_)
        return at

    def __iter__(self) -> Iterator[str]:
        return (self._articles[row].id for row in range(len(self._articles)))

    def __len__(self) -> int:
        return len(self._articles)


def rows_of_ids(ground: Ground, ids: Iterable[str]) -> Rows:
    """The rows of those of some ids that are there, ascending."""
    row_of = RowOf(articles_of(ground))
    return np.array(sorted(row_of[id_] for id_ in {*ids} if id_ in row_of), dtype=np.int32)


__all__ = ["RowOf", "articles_of", "rows_of_ids"]
