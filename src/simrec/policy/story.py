"""Whether two articles are one story, told from these two alone: at the moment of reading, without a build's groups."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.house import PolicySettings
from simrec.policy.shingles import SHINGLE
from simrec.text import UNSPACED
from simrec.types import Corpus

KEPT = 1024
"""Articles of which it is kept what tells their copies: 8 bytes a word."""
_WORDS = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")


class _Told(NamedTuple):
    """What tells an article's copies.

    Attributes:
        keys: of its originals, and of its story in the settings: who has one of them is a copy.
        shingles: (s,) int64, hashes of its runs of whole words, or of characters where a script has no spaces; sorted,
            each once.
    """

    keys: frozenset[tuple[str, Any]]
    shingles: NDArray[np.int64]


class OneStory:
    """Tells copies as `simrec.policy.duplicates.Copies` does, but by pairs, and by whole words in place of stems.

    Two articles are copies where the settings say so, where both go back to one original, or where enough of their
    shingles are the same; none that the settings hold apart.

    Args:
        corpus: the articles.
        policy: the house rules.

    >>> from simrec.types import Article
    >>> corpus = Corpus([Article("a", "Bridge", "It is open."), Article("b", "bridge", "It is  open")])
    >>> OneStory(corpus, PolicySettings()).holds("a", "b")
    True
    """

    def __init__(self, corpus: Corpus, policy: PolicySettings) -> None:
        self._corpus = corpus
        self._least = policy.near_duplicate
        self._apart = frozenset(policy.apart)
        self._stories = {id_: number for number, ids in enumerate(policy.same_story) for id_ in ids}
        self._told = lru_cache(KEPT)(partial(_tell, corpus, self._stories))

    def holds(self, one: str, other: str) -> bool:
        """Whether both articles are of one story, by their ids; not where one is not there."""
        row_of = self._corpus.row_of
        if one in self._apart or other in self._apart or one not in row_of or other not in row_of:
            return False
        ours, theirs = self._told(one), self._told(other)
        if not ours.keys.isdisjoint(theirs.keys):
            return True
        small, large = sorted((len(ours.shingles), len(theirs.shingles)))
        if small < self._least * large:
            return False
        shared = len(np.intersect1d(ours.shingles, theirs.shingles, assume_unique=True))
        return shared >= self._least * (small + large - shared)


def _tell(corpus: Corpus, stories: Mapping[str, int], id_: str) -> _Told:
    article = corpus.articles[corpus.row_of[id_]]
    text = f"{article.title}\n{article.body}".casefold()
    words = _WORDS.findall(text) or text.split()
    runs = {hash(tuple(words[at : at + SHINGLE])) for at in range(max(len(words) - SHINGLE + 1, 1))}
    return _Told(_keys(corpus, stories, id_), np.fromiter(sorted(runs), np.int64, len(runs)))


def _keys(corpus: Corpus, stories: Mapping[str, int], id_: str) -> frozenset[tuple[str, Any]]:
    originals, original = [id_], _original(corpus, id_)
    while original is not None and original not in originals:
        originals.append(original)
        original = _original(corpus, original)
    found: set[tuple[str, Any]] = {("original", one) for one in originals}
    if id_ in stories:
        found.add(("story", stories[id_]))
    return frozenset(found)


def _original(corpus: Corpus, id_: str) -> str | None:
    """The article that one names as its original."""
    row = corpus.row_of.get(id_)
    return None if row is None else corpus.articles[row].canonical_id or None


__all__ = ["OneStory"]
