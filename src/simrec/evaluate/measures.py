"""Measures of rankings, one value a source; equal to ir_measures' (a test holds them together to 1e-9).

Gains are binary. A run is (s, depth) int32 rows, best first, -1 for none; the truth is a set of rows for each source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from simrec.types import NO_ROW, Mask, Rows

Values = NDArray[np.float64]

SHOWN = 5
"""Items of a block, where a measure looks at the block as a whole."""


def hits(run: Rows, truth: Sequence[AbstractSet[int]]) -> Mask:
    """(s, depth) bool: is it a pick?"""
    return np.array([[row in picks for row in ranked] for ranked, picks in zip(run.tolist(), truth, strict=True)])


def ndcg(found: Mask, picks: Values, k: int) -> Values:
    """nDCG@k (Järvelin and Kekäläinen 2002); the ideal has min(k, picks) hits."""
    discounts = 1 / np.log2(np.arange(2, k + 2))
    width = min(k, found.shape[1])
    gained: Values = found[:, :width] @ discounts[:width]
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(picks, k).astype(int)]
    return np.asarray(gained / ideal)


def recall(found: Mask, picks: Values, k: int) -> Values:
    """R@k: hits in the first k, over all picks."""
    return np.asarray(found[:, :k].sum(axis=1) / picks, dtype=np.float64)


def reciprocal_rank(found: Mask) -> Values:
    """RR: one over the rank of the first hit, 0 for none."""
    return np.asarray(np.where(found.any(axis=1), 1 / (found.argmax(axis=1) + 1), 0.0))


def average_precision(found: Mask, picks: Values) -> Values:
    """AP: the mean, over all picks, of the precision at each one's rank."""
    precision = np.cumsum(found, axis=1) / np.arange(1, found.shape[1] + 1)
    return np.asarray((precision * found).sum(axis=1) / picks, dtype=np.float64)


def success(found: Mask, k: int) -> Values:
    """Success@k: 1 where one of the first k is a hit."""
    return np.asarray(found[:, :k].any(axis=1), dtype=np.float64)


def judged(found: Mask, k: int, lengths: NDArray[np.int64]) -> Values:
    """Judged@k: the share of the first k that an editor has judged; the others are not wrong, but unknown.

    A list shorter than k, as `lengths` (s,) says, is judged by what it has; an empty one counts 0.
    """
    shown = np.maximum(np.minimum(lengths, k), 1)
    return np.asarray(found[:, :k].sum(axis=1) / shown, dtype=np.float64)


def rejected(run: Rows, rejections: Sequence[AbstractSet[int]]) -> Values:
    """rejected@5: the share of the first five that editors rejected under the page; a shorter list, of what it has."""
    there = hits(run[:, :SHOWN], rejections)
    return judged(there, SHOWN, (run != NO_ROW).sum(axis=1))


def per_source(run: Rows, truth: Sequence[AbstractSet[int]], k: int) -> dict[str, Values]:
    """All accuracy measures of a run, by ir_measures' names: nDCG@5, nDCG@k, R@k, RR, AP, Success@5, Judged@k."""
    found = hits(run, truth)
    picks = np.array([len(targets) for targets in truth], dtype=np.float64)
    return {
        "nDCG@5": ndcg(found, picks, 5),
        f"nDCG@{k}": ndcg(found, picks, k),
        f"R@{k}": recall(found, picks, k),
        "RR": reciprocal_rank(found),
        "AP": average_precision(found, picks),
        "Success@5": success(found, SHOWN),
        f"Judged@{k}": judged(found, k, (run != NO_ROW).sum(axis=1)),
    }


def diversity(run: Rows, similarity: Callable[[Rows, Rows], NDArray[np.float32]]) -> Values:
    """ild@5, intra-list diversity: the mean of 1 - similarity over the pairs of the first five (Ziegler et al. 2005).

    A list of fewer than two items has none to measure and counts 0.
    """
    shown = run[:, :SHOWN]
    values = np.zeros(len(shown))
    for place, rows in enumerate(shown):
        rows = rows[rows != NO_ROW]
        if len(rows) > 1:
            likeness = similarity(rows, np.broadcast_to(rows, (len(rows), len(rows))))
            values[place] = 1 - likeness[np.triu_indices(len(rows), 1)].mean()
    return values


def coverage(counts: NDArray[np.int64]) -> float:
    """coverage@5: the share of the articles that some block shows; `counts` (n,) says how many show each."""
    return float((counts > 0).mean()) if len(counts) else 0.0


def gini(counts: NDArray[np.int64]) -> float:
    """gini@5: how unequally blocks show the articles: 0 all alike, near 1 always the same few.

    >>> gini(np.array([2, 2, 2, 2])), gini(np.array([0, 0, 0, 8]))
    (0.0, 0.75)
    """
    total = counts.sum()
    if not total:
        return 0.0
    ordered = np.sort(counts)
    n = len(ordered)
    return float(((2 * np.arange(1, n + 1) - n - 1) * ordered).sum() / (n * total))


def exposure(run: Rows, n: int, sources: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """(n,) how often the first five of the given sources' lists, or of all, show each article."""
    shown = run[:, :SHOWN] if sources is None else run[sources, :SHOWN]
    return np.bincount(shown[shown != NO_ROW], minlength=n)


def hub_share(counts: NDArray[np.int64]) -> float:
    """hubs@5: the share of all places in blocks that the most shown 1% of the articles take, at least one article."""
    total = counts.sum()
    if not total:
        return 0.0
    most = max(len(counts) // 100, 1)
    return float(np.sort(counts)[-most:].sum() / total)


def novelty(run: Rows, popularity: Values) -> Values:
    """novelty@5: the mean over the first five of -log2 of the chance that a picked article is this one, in bits.

    Source: Vargas and Castells 2011, with editors' picks for popularity. `popularity` (n,) are counts of picks; one is
    added to each, so that an article that nobody picked has a chance too. A list without items counts 0.
    """
    surprise = np.log2((popularity.sum() + len(popularity)) / (popularity + 1))
    return _mean_shown(run, surprise)


def freshness(run: Rows, published: Values) -> Values:
    """fresh@5: the mean over the first five of the share of the dated articles that are older; 0.5 for no date."""
    known = np.sort(published[~np.isnan(published)])
    older = np.searchsorted(known, published) / max(len(known), 1)
    return _mean_shown(run, np.where(np.isnan(published), 0.5, older))


def _mean_shown(run: Rows, values: Values) -> Values:
    shown = run[:, :SHOWN]
    there = shown != NO_ROW
    sums = np.where(there, values[np.maximum(shown, 0)], 0).sum(axis=1)
    return np.asarray(sums / np.maximum(there.sum(axis=1), 1))


REJECTED = "rejected@5"
"""The measure of what editors rejected: less is better, over the pages where they rejected any."""

OF_ALL: Mapping[str, Callable[[NDArray[np.int64]], float]] = {
    "coverage@5": coverage,
    "gini@5": gini,
    "hubs@5": hub_share,
}
"""Measures of all lists together, from `exposure`."""

BESIDE = ("novelty@5", "fresh@5", "ild@5")
"""Measures with a value a source that neither end of is better: they are shown, and not tested."""
