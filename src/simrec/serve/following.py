"""Stands in for `simrec.store.changes` until that is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from simrec.errors import StoreError
from simrec.store import Store
from simrec.types import Article


@dataclass(frozen=True, slots=True)
class Mark:
    """What a reader has seen."""

    snapshot: int | None
    revision: int
    seq: int
    acts: int


class Changes(NamedTuple):
    """What is other since a mark."""

    mark: Mark
    articles: list[Article]
    blocks: list[str] | None
    pages: list[str]


def read_mark(store: Store) -> Mark:
    """Where the store is."""
    try:
        snapshot = store.snapshot()
    except StoreError:
        return Mark(None, 0, store.article_count(), 0)
    return Mark(snapshot.id, snapshot.revision, hash(frozenset(store.article_hashes().items())), 0)


def read_changes(store: Store, since: Mark) -> Changes:
    """What is other since a mark: all of it."""
    mark = read_mark(store)
    same = mark.snapshot == since.snapshot
    blocks = sorted(store.block_ids(mark.snapshot)) if same and mark.snapshot is not None else None
    return Changes(mark, store.articles(), blocks, [])
