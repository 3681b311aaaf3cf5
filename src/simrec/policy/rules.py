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

from simrec.policy.caps import Names, Tally
from simrec.types import DECIMALS, NO_ROW, Mask, Rows, Scores

Rule: TypeAlias = Callable[[int, Rows, Scores], Mask]
"""(source row, ranked rows (c,), their scores (c,)) to (c,) bool: may it stay?"""

Similarity: TypeAlias = Callable[[Rows, Rows], Scores]
"""Rows (b,) and others (b, c) to similarities (b, c), 1 for equal articles."""


@dataclass(frozen=True)
class Selection:
    """What the rules left of one ranking.

    Attributes:
        places: in the ranking, in the order to show.
        removed: how many each rule took out.
        counted: how many of the places count towards k.
    """

    places: NDArray[np.int64]
    removed: dict[str, int]
    counted: int


def no_copies(group: NDArray[np.int32], later: Mask | None = None) -> Rule:
    """Neither a copy of the source, nor of an item above.

    Args:
        group: (n,) equal numbers for copies.
        later: (n,) bool, who may be seen at a later moment only: until then the first copy that may be seen stays, too.
    """

    def rule(source: int, rows: Rows, scores: Scores) -> Mask:
        groups = group[rows]
        stay = np.zeros(len(rows), dtype=bool)
        stay[np.unique(groups, return_index=True)[1]] = True
        if later is not None and later[rows].any():
            now = np.flatnonzero(~later[rows])
            stay[now[np.unique(groups[now], return_index=True)[1]]] = True
        return np.asarray(stay & (groups != group[source]))

    return rule


def among(may: Callable[[int, Rows], Mask]) -> Rule:
    """Only what `may` allows: (source row, rows (c,)) to (c,) bool."""
    return lambda source, rows, scores: may(source, rows)


def min_score(least: float, weights: Callable[[Rows], Scores] | None = None) -> Rule:
    """Nothing that scores below `least`, less the (c,) `weights` that were added to the scores."""
    if weights is None:
        return lambda source, rows, scores: scores >= least
    return lambda source, rows, scores: np.round(scores - weights(rows), DECIMALS) >= least


def min_cosine(least: float, similarities: Sequence[Similarity]) -> Rule:
    """Nothing that is less like the page than `least` by all similarities; what stands first by hand stays."""

    def rule(source: int, rows: Rows, scores: Scores) -> Mask:
        page = np.array([source], dtype=np.int32)
        found = [similarity(page, rows[None, :])[0] for similarity in similarities]
        near = np.max(found, axis=0) if found and len(rows) else np.zeros(len(rows))
        return np.asarray((near >= least) | np.isposinf(scores))

    return rule


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
    caps: Callable[[int], Names] | None = None,
    later: Mask | None = None,
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
        caps: what a row counts for, and how many may count for it.
        later: (n,) bool, by row: who may be seen at a later moment only; they take their places beside the k, so that
            the block is full before and after.
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
    fixed = int(np.isin(places, pinned).sum()) if pinned else 0
    if not caps and later is None and not diversity:
        return Selection(places[:k], removed, min(len(places), k))
    order = places.tolist()
    if diversity and similarity and len(places) > 1:
        order = _diverse(places, rows, scores, fixed, k, diversity, similarity)
    tallies = (Tally(caps), Tally(caps)) if caps else None
    chosen, counted, crowded = _walk(order, fixed, rows, k, tallies, later)
    if crowded:
        removed["too many of a section, author or series"] = crowded
    return Selection(np.array(chosen, dtype=np.int64), removed, counted)


def _walk(
    order: Sequence[int], fixed: int, rows: Rows, k: int, tallies: tuple[Tally, Tally] | None, later: Mask | None
) -> tuple[list[int], int, int]:
    """Takes places in order until k count; also how many do, and how many had no room on the way.

    Who may be seen now is held against the others of now, who comes later against all: whoever reads the list at a
    moment goes by those of that moment.
    """
    chosen: list[int] = []
    counted = crowded = 0
    for number, place in enumerate(order):
        if counted == k:
            break
        row = int(rows[place])
        now = later is None or not later[row]
        if tallies:
            of_now, of_all = tallies
            if number >= fixed and not (of_now if now else of_all).has_room(row):
                crowded += 1
                continue
            of_all.add(row)
            if now:
                of_now.add(row)
        chosen.append(place)
        counted += now
    return chosen, counted, crowded


def _diverse(
    places: NDArray[np.int64],
    rows: Rows,
    scores: Scores,
    fixed: int,
    k: int,
    diversity: float,
    similarity: Similarity,
) -> list[int]:
    """Orders greedily by (1 - d) * score, scaled to 0..1 in the list, minus d * likeness to what stands above.

    Only the first places are ordered so: ten for each item that is wanted, and at least 50.
    """
    pool = places[: max(10 * k, 50)]
    spread = float(np.ptp(scores[pool])) or 1.0
    value = (scores[pool] - scores[pool].min()) / spread
    likeness = similarity(rows[pool], np.broadcast_to(rows[pool], (len(pool), len(pool))))
    chosen = list(range(fixed)) or [0]
    nearest = likeness[:, chosen].max(axis=1)
    while len(chosen) < len(pool):
        gain = (1 - diversity) * value - diversity * nearest
        gain[chosen] = -np.inf
        best = int(np.argmax(gain))
        chosen.append(best)
        nearest = np.maximum(nearest, likeness[:, best])
    return [int(pool[at]) for at in chosen]
