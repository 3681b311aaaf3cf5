"""Articles that are one story: equal texts, near-duplicates, and copies that name their original."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from simrec.text import content_hash, is_unspaced
from simrec.types import NO_ROW, Corpus, Neighbors

SHINGLE = 3
"""Words, or characters where a script has no spaces, in a shingle."""
LOOK_AT_COSINE = 0.4
"""TF-IDF neighbors below this share too little to be copies; they are not compared."""

_WORD = re.compile(r"\w+")


def groups(corpus: Corpus, neighbors: Neighbors, threshold: float) -> NDArray[np.int32]:
    """Numbers the articles so that copies of one story have the same number.

    Two articles are copies where their words are equal, where one names the other as `canonical_id` or both name the
    same, or where the Jaccard similarity of their shingles reaches the threshold (Broder 1997). Only pairs that
    `neighbors` lists are compared for the last.

    Args:
        corpus: n articles.
        neighbors: TF-IDF neighbors of all n articles, scores are cosines.
        threshold: 0 to 1.

    Returns:
        (n,) int32: the lowest row of each article's group.
    """
    parent = np.arange(len(corpus), dtype=np.int32)
    for a, b in [*_same_text(corpus), *_same_canonical(corpus), *_near(corpus, neighbors, threshold)]:
        _join(parent, a, b)
    return np.array([_root(parent, row) for row in range(len(corpus))], dtype=np.int32)


def shingles(text: str) -> set[str]:
    """The text's runs of three words; of three characters where words are not spaced.

    >>> sorted(shingles("The bridge is closed."))
    ['bridge is closed', 'the bridge is']
    """
    words = _WORD.findall(text.casefold())
    if sum(map(is_unspaced, words)) > len(words) / 2:
        words = list("".join(words))
    if len(words) < SHINGLE:
        return {" ".join(words)} if words else set()
    return {" ".join(gram) for gram in zip(*(words[i:] for i in range(SHINGLE)), strict=False)}


def jaccard(one: set[str], other: set[str]) -> float:
    """Shared over all; 0 for two empty sets."""
    return len(one & other) / len(one | other) if one or other else 0.0


def _same_text(corpus: Corpus) -> Iterator[tuple[int, int]]:
    first: dict[str, int] = {}
    for row, article in enumerate(corpus.articles):
        key = content_hash(" ".join(_WORD.findall(f"{article.title} {article.body}".casefold())))
        yield row, first.setdefault(key, row)


def _same_canonical(corpus: Corpus) -> Iterator[tuple[int, int]]:
    first: dict[str, int] = {}
    for row, article in enumerate(corpus.articles):
        if article.canonical_id:
            original = corpus.row_of.get(article.canonical_id, row)
            yield row, first.setdefault(article.canonical_id, original)


def _near(corpus: Corpus, neighbors: Neighbors, threshold: float) -> Iterator[tuple[int, int]]:
    sources, places = np.nonzero((neighbors.rows != NO_ROW) & (neighbors.scores >= LOOK_AT_COSINE))
    pairs = np.sort(np.stack([sources, neighbors.rows[sources, places]], axis=1), axis=1)
    known: dict[int, set[str]] = {}
    for a, b in np.unique(pairs, axis=0).tolist():
        for row in (a, b):
            if row not in known:
                article = corpus.articles[row]
                known[row] = shingles(f"{article.title} {article.body}")
        small, large = sorted((len(known[a]), len(known[b])))
        if small >= threshold * large and jaccard(known[a], known[b]) >= threshold:
            yield a, b


def _root(parent: NDArray[np.int32], row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = int(parent[row])
    return row


def _join(parent: NDArray[np.int32], a: int, b: int) -> None:
    low, high = sorted((_root(parent, a), _root(parent, b)))
    parent[high] = low
