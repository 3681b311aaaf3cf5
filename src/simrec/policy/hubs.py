"""The hub limit: no article stands in more than a set share of all blocks, and blocks stay full.

An article that is in too many blocks pays a toll: its score under every page is lowered, by so much that it keeps the
pages where it is missed most, as prices do in an auction of places (Bertsekas 1988). A toll is a property of the
article alone and stays as it is until the site is fitted again; so an article that is published changes no other's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simrec.types import DECIMALS, NO_ROW, Rows, Scores

STEP = 10.0**-DECIMALS
"""The least difference of two scores."""
BESIDE = 40
"""Items beyond k that a page may show in place of those that are in too many blocks."""
ROUNDS = 50
"""Times that every article that is over the limit may have its toll raised."""


def most_blocks(share: float, pages: int, k: int, targets: int) -> int:
    """How many blocks an article may stand in.

    Where the share is too small for all blocks to be full, it is the least that lets them be.

    >>> most_blocks(0.02, 1000, 5, 1000), most_blocks(0.001, 1000, 5, 100)
    (20, 50)
    """
    return max(int(share * pages), -(-pages * k // max(targets, 1)), 1)


def tolls(rows: Rows, scores: Scores, k: int, most: int, paid: NDArray[np.float32]) -> NDArray[np.float32]:
    """What each article has to pay so that none is among the first k of more than `most` pages.

    A page that has nothing to put in an article's place keeps it.

    Args:
        rows, scores: (n, l) what each page can show, best first, -1 and -inf at the end; scores with `paid` taken off.
        k: items a block.
        most: blocks that an article may stand in.
        paid: (m,) what each article pays already.

    Returns:
        (m,) float32, at least what it paid.
    """
    extra = np.zeros(len(paid), dtype=np.float64)
    first = rows[:, :k].copy()
    stuck: set[int] = set()
    for _ in range(ROUNDS):
        counts = np.bincount(first[first != NO_ROW], minlength=len(paid))
        over = [row for row in np.flatnonzero(counts > most).tolist() if row not in stuck]
        if not over:
            break
        for row in sorted(over, key=lambda row: (-counts[row], row)):
            pages = np.flatnonzero((first == row).any(axis=1))
            if len(pages) <= most:
                continue
            shown = rows[pages]
            now = np.where(shown == NO_ROW, -np.inf, scores[pages] - extra[np.maximum(shown, 0)])
            order = np.argsort(-now, axis=1, kind="stable")
            sorted_ = np.take_along_axis(now, order, 1)
            own = now[shown == row]
            next_ = sorted_[:, k] if sorted_.shape[1] > k else np.full(len(pages), -np.inf)
            margins = np.sort(own - next_)[::-1]
            toll = margins[most]
            if np.isinf(toll):
                stuck.add(row)
                continue
            extra[row] += toll + STEP
            now[shown == row] -= toll + STEP
            order = np.argsort(-now, axis=1, kind="stable")[:, :k]
            first[pages] = np.take_along_axis(shown, order, 1)
    return np.round(paid + extra, DECIMALS).astype(np.float32)


def crowded(rows: Sequence[Sequence[int]], most: int) -> dict[int, int]:
    """The articles that stand in more than `most` of some blocks, with the number of theirs."""
    counts = np.bincount(np.array([row for block in rows for row in block], dtype=np.int64))
    return {int(row): int(counts[row]) for row in np.flatnonzero(counts > most)}
