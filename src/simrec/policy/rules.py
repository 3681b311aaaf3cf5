"""The house rules: a ranking goes in, best first; what a reader may see comes out, in the order to show it.

A rule is a callable that looks at one source's ranking and says which of its places may stay. Rules run in order, then
the list is cut: never the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simrec.types import NO_ROW, Mask, Rows, Scores

Rule: TypeAlias = Callable[[int, Rows, Scores], Mask]
"""(source row, ranked rows (c,), their scores (c,)) to (c,) bool: may it stay?"""

Similarity: TypeAlias = Callable[[Rows, Rows], Scores]
"""Rows (b,) and others (b, c) to similarities (b, c), 1 for equal articles."""


@dataclass(frozen=True)
class Selection:
    """What the rules left of one ranking: places in it, in the order to show, and what each rule took out."""

    places: NDArray[np.int64]
    removed: dict[str, int]


def no_copies(group: NDArray[np.int32]) -> Rule:
    """Neither a copy of the source, nor of an item above."""

    def rule(source: int, rows: Rows, scores: Scores) -> Mask:
        groups = group[rows]
        first = np.zeros(len(rows), dtype=bool)
        first[np.unique(groups, return_index=True)[1]] = True
        return np.asarray(first & (groups != group[source]))

    return rule


def min_score(least: float) -> Rule:
    """Nothing that scores below `least`."""
    return lambda source, rows, scores: scores >= least


def select(
    source: int,
    rows: Rows,
    scores: Scores,
    *,
    rules: Sequence[tuple[str, Rule]],
    k: int,
    pins: Sequence[int] = (),
    diversity: float = 0.0,
    similarity: Similarity | None = None,
) -> Selection:
    """Applies the rules to one source's ranking, then cuts it to k.

    Args:
        source: the row that the ranking is for.
        rows: (c,) best first; -1 is skipped.
        scores: (c,) of the same.
        rules: names and rules.
        k: the most to keep.
        pins: rows that stand first, in this order, where they are in `rows` and the rules let them.
        diversity: MMR's weight of being unlike the items above, 0 (off) to 1 (Carbonell and Goldstein 1998).
        similarity: of rows to others, needed for `diversity`.
    """
    places = np.flatnonzero(rows != NO_ROW)
    pinned = [int(place) for pin in pins for place in np.flatnonzero(rows == pin)]
    if pinned:
        first = set(pinned)
        places = np.array([*pinned, *(p for p in places.tolist() if p not in first)], dtype=np.int64)
    removed: dict[str, int] = {}
    for name, rule in rules:
        held = np.where(np.isin(places, pinned), np.inf, scores[places]) if pinned else scores[places]
        stay = rule(source, rows[places], held)
        if not stay.all():
            removed[name] = int((~stay).sum())
        places = places[stay]
    if diversity and similarity and len(places) > 1:
        fixed = int(np.isin(places, pinned).sum())
        places = _diversify(places, rows, scores, fixed, k, diversity, similarity)
    return Selection(places[:k], removed)


def _diversify(
    places: NDArray[np.int64],
    rows: Rows,
    scores: Scores,
    fixed: int,
    k: int,
    diversity: float,
    similarity: Similarity,
) -> NDArray[np.int64]:
    """Orders greedily by (1 - d) * score, scaled to 0..1 in the list, minus d * likeness to what is chosen."""
    pool = places[: max(10 * k, 50)]
    spread = float(np.ptp(scores[pool])) or 1.0
    value = (scores[pool] - scores[pool].min()) / spread
    likeness = similarity(rows[pool], np.broadcast_to(rows[pool], (len(pool), len(pool))))
    chosen = list(range(fixed)) or [0]
    while len(chosen) < min(k, len(pool)):
        gain = (1 - diversity) * value - diversity * likeness[:, chosen].max(axis=1)
        gain[chosen] = -np.inf
        chosen.append(int(np.argmax(gain)))
    return np.asarray(pool[chosen])
