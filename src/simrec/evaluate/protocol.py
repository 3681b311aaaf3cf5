"""The protocols: which sources are tested, what they know of each other, and who may be a candidate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from simrec.errors import UsageError
from simrec.types import Corpus, Mask, Pick, Rows

Split = Literal["kfold", "group", "time"]
SPLITS: tuple[str, ...] = get_args(Split)
FOLDS = 5
SEED = 0
SAME_LIST = 0.5
"""Jaccard similarity of two sources' picks from which they are in one group."""
TRAIN_SHARE = 0.7
GRACE = 86_400.0
"""Seconds that a candidate may be younger than the source."""


@dataclass(frozen=True)
class Truth:
    """Editors' picks as rows.

    Attributes:
        sources: (s,) the rows that have picks, ascending.
        picks: for each of them its picks' rows.
        dropped: how many picks were left out, by reason.
        rejected: for each source the rows that editors rejected there; empty where nothing is known of any.
    """

    sources: Rows
    picks: tuple[frozenset[int], ...]
    dropped: dict[str, int]
    rejected: tuple[frozenset[int], ...] = ()

    def rejections(self, places: Iterable[int]) -> list[frozenset[int]]:
        """The rows that editors rejected under some sources."""
        return [self.rejected[place] if self.rejected else frozenset() for place in places]


class Fold(NamedTuple):
    """Places in `Truth.sources`: what may be learned from, and what is tested."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def truth(corpus: Corpus, picks: Sequence[Pick], *, as_published: bool = False, rejected: Sequence[Pick] = ()) -> Truth:
    """Picks as rows, each pair once, without picks of unknown articles and of the source itself.

    With `as_published`, sources without a date are left out, and so are picks that were published later than their
    source, by more than a day, or have no date.

    Args:
        corpus: the articles.
        picks: what editors picked.
        as_published: see above.
        rejected: what they rejected; it counts under sources that have picks.

    Raises:
        UsageError: nothing is left.
    """
    found: dict[int, set[int]] = defaultdict(set)
    dropped: dict[str, int] = defaultdict(int)
    for pick in picks:
        source, target = corpus.row_of.get(pick.source_id), corpus.row_of.get(pick.target_id)
        if source is None or target is None:
            dropped["unknown article"] += 1
        elif source == target:
            dropped["of itself"] += 1
        elif as_published and np.isnan(corpus.published[source]):
            dropped["source without a date"] += 1
        elif as_published and not corpus.published[target] <= corpus.published[source] + GRACE:
            dropped["published later"] += 1
        else:
            found[source].add(target)
    if not found:
        why = ", ".join(f"{count} {reason}" for reason, count in dropped.items()) or "there are none"
        raise UsageError(f"no picks to evaluate against ({why}): ingest a table of picks with --picks")
    sources = np.array(sorted(found), dtype=np.int32)
    known = tuple(frozenset(found[row]) for row in sources.tolist())
    return Truth(sources, known, dict(dropped), _rejected(corpus, sources, rejected))


def _rejected(corpus: Corpus, sources: Rows, rejected: Sequence[Pick]) -> tuple[frozenset[int], ...]:
    found: dict[int, set[int]] = {row: set() for row in sources.tolist()}
    for pick in rejected:
        source, target = corpus.row_of.get(pick.source_id), corpus.row_of.get(pick.target_id)
        if source in found and target is not None:
            found[source].add(target)
    return tuple(map(frozenset, found.values())) if any(found.values()) else ()


def published_before(corpus: Corpus, rows: Rows) -> Mask:
    """(b, n) bool: published no later than each source, with a day's grace; False where a date is missing."""
    with np.errstate(invalid="ignore"):
        return np.asarray(corpus.published[None, :] <= corpus.published[rows][:, None] + GRACE)


def folds(known: Truth, corpus: Corpus, split: Split) -> list[Fold]:
    """The folds of a split, in order.

    Raises:
        UsageError: there are too few sources, groups or dates for it.
    """
    if split == "time":
        return [_by_time(known, corpus)]
    places = np.arange(len(known.sources))
    groups = places if split == "kfold" else group_sources(known.picks)
    if len(np.unique(groups)) < FOLDS:
        what = "sources with picks" if split == "kfold" else "groups of sources with picks of their own"
        raise UsageError(f"{split} needs at least {FOLDS} {what}, there are {len(np.unique(groups))}: add picks")
    from sklearn.model_selection import GroupKFold, KFold

    if split == "kfold":
        dealt = KFold(FOLDS, shuffle=True, random_state=SEED).split(places)
    else:
        dealt = GroupKFold(FOLDS, shuffle=True, random_state=SEED).split(places, groups=groups)
    return [Fold(train, test) for train, test in dealt]


def group_sources(picks: Sequence[AbstractSet[int]]) -> NDArray[np.int64]:
    """(s,) numbers, equal for sources whose picks overlap by half or more, and so on transitively."""
    by_target: dict[int, list[int]] = defaultdict(list)
    group = list(range(len(picks)))

    def root(place: int) -> int:
        while group[place] != place:
            group[place] = group[group[place]]
            place = group[place]
        return place

    for place, targets in enumerate(picks):
        shared: dict[int, int] = defaultdict(int)
        for target in targets:
            for other in by_target[target]:
                shared[other] += 1
            by_target[target].append(place)
        for other, count in shared.items():
            if count >= SAME_LIST * (len(targets) + len(picks[other]) - count):
                group[root(place)] = root(other)
    return np.array([root(place) for place in range(len(picks))], dtype=np.int64)


def _by_time(known: Truth, corpus: Corpus) -> Fold:
    published = corpus.published[known.sources]
    dated = np.flatnonzero(~np.isnan(published))
    order = dated[np.argsort(published[dated], kind="stable")]
    cut = int(TRAIN_SHARE * len(order))
    if not 0 < cut < len(order):
        raise UsageError(f"time needs at least 2 sources with picks and published_at, there are {len(order)}")
    return Fold(order[:cut], order[cut:])
