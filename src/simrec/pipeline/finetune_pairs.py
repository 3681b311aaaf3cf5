"""What a sentence model is fine-tuned on: pairs from editors' picks, mined negatives, held-out pages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.evaluate.measures import hits, ndcg
from simrec.evaluate.protocol import SEED, Truth, group_sources
from simrec.index.dense import DenseIndex
from simrec.types import NO_ROW, Corpus, Dense, Mask, Rows, Text

STOP_SHARE = 0.15
"""Of the pages with picks: those that say when training stops."""
JUDGE_SHARE = 0.2
"""Of the pages with picks: those that say whether the model is kept."""
LEAST_HELD_OUT = 5
CHECK_SOURCES = 100
CHECK_ARTICLES = 400
"""Bounds of what a check during training embeds."""
NEAR = 60
"""Nearest articles that negatives are drawn from."""
SKIP = 3
"""Nearest of them that are left out: what is nearest and not picked is often only overlooked."""
COPY = 0.95
"""Cosine from which an article is as good as a copy, and no negative."""
LEAD = 2000
"""Characters of a body that are enough for any passage that is trained on."""
CUTOFF = 10


class Parts(NamedTuple):
    """Places of the sources that are trained on, that stop the training, and that judge the result."""

    train: NDArray[np.int64]
    stop: NDArray[np.int64]
    judge: NDArray[np.int64]

    @property
    def enough(self) -> bool:
        """Whether there is something to train on and enough to measure on."""
        return len(self.train) > 0 and min(len(self.stop), len(self.judge)) >= LEAST_HELD_OUT


class Mined(NamedTuple):
    """Triples of rows: a page, its pick, and an article near it that is none; and each page's picks and pickers."""

    triples: list[tuple[int, int, int]]
    related: Mapping[int, set[int]]


def hold_out(known: Truth, places: NDArray[np.int64]) -> Parts:
    """Deals sources, those with about the same picks together, so that no list is on two sides.

    Args:
        known: the picks.
        places: of the sources that may be dealt.
    """
    groups = group_sources(known.picks)[places]
    order = np.random.default_rng(SEED).permutation(np.unique(groups))
    held: list[list[NDArray[np.int64]]] = [[], []]
    left = [round(JUDGE_SHARE * len(places)), round(STOP_SHARE * len(places))]
    trained = []
    for group in order.tolist():
        members = places[groups == group]
        side = next((side for side in (0, 1) if len(members) <= left[side]), None)
        if side is None:
            trained.append(members)
        else:
            left[side] -= len(members)
            held[side].append(members)
    judge, stop, train = (_join(found) for found in (*held, trained))
    return Parts(train, stop, judge)


def _join(found: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.sort(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)


def mine(vectors: Dense, known: Truth, train: NDArray[np.int64], limit: int) -> Mined:
    """Pairs of training sources and their picks, each with a hard negative.

    No source outside `train` is in any triple: not as a page, a pick, or a negative. It is new to the model.

    Args:
        vectors: (n, d) of the model as it is, which finds the negatives.
        known: the picks.
        train: places of the training sources.
        limit: pairs at most, drawn at random.
    """
    unseen = np.zeros(len(vectors), dtype=bool)
    unseen[known.sources] = True
    unseen[known.sources[train]] = False
    related: dict[int, set[int]] = defaultdict(set)
    for place in train.tolist():
        row = int(known.sources[place])
        for pick in known.picks[place]:
            related[row].add(pick)
            related[pick].add(row)
    rng = np.random.default_rng(SEED)
    pairs = [
        (int(known.sources[place]), pick)
        for place in train.tolist()
        for pick in sorted(known.picks[place])
        if not unseen[pick]
    ]
    chosen = np.sort(rng.permutation(len(pairs))[:limit]).tolist()
    members: Mask = ~unseen & vectors.any(axis=1)
    triples = _with_negatives(vectors, [pairs[number] for number in chosen], related, members, rng)
    return Mined(triples, related)


def _with_negatives(
    vectors: Dense, pairs: list[tuple[int, int]], related: Mapping[int, set[int]], members: Mask, rng: Any
) -> list[tuple[int, int, int]]:
    """A negative for each pair; where a page has no neighbor that can be one, any other article."""
    sources = np.array(sorted({row for row, _ in pairs}), dtype=np.int32)
    near = DenseIndex(vectors, members).query(vectors[sources], NEAR, exclude=sources).rows
    near_of = dict(zip(sources.tolist(), near, strict=True))
    everyone = np.flatnonzero(members).astype(np.int32)
    triples = []
    for row, pick in pairs:
        pool = _negatives(near_of[row], row, pick, related, vectors)[SKIP:]
        if not len(pool):
            pool = _negatives(everyone, row, pick, related, vectors)
        if len(pool):
            triples.append((row, pick, int(rng.choice(pool))))
    return triples


def _negatives(found: Rows, row: int, pick: int, related: Mapping[int, set[int]], vectors: Dense) -> Rows:
    found = found[found != NO_ROW]
    kin = np.isin(found, [row, pick, *related[row]])
    copies = (vectors[found] @ vectors[[row, pick]].T >= COPY).any(axis=1)
    return np.asarray(found[~kin & ~copies])


def lead(text: Text) -> str:
    """Title and beginning of an article, to be cut to the tokens that are trained on."""
    return f"{text.title}\n{text.body[:LEAD]}".strip()


class StopCheck:
    """nDCG@10 of the sources that stop the training, among a bounded number of articles' leads.

    Args:
        corpus: the articles.
        known: the picks.
        stop: places of the sources.
    """

    def __init__(self, corpus: Corpus, known: Truth, stop: NDArray[np.int64]) -> None:
        rng = np.random.default_rng(SEED)
        chosen = np.sort(rng.permutation(stop)[:CHECK_SOURCES])
        self._picks = [known.picks[place] for place in chosen.tolist()]
        needed = sorted({*known.sources[chosen].tolist(), *(row for picks in self._picks for row in picks)})
        others = np.setdiff1d(rng.permutation(len(corpus)), needed)
        rng.shuffle(others)
        rows = np.sort([*needed, *others[: max(CHECK_ARTICLES - len(needed), 0)].tolist()])
        self._rows = rows.astype(np.int32)
        self._texts = [lead(corpus.texts[row]) for row in rows.tolist()]
        self._sources = np.searchsorted(rows, known.sources[chosen]).astype(np.int32)

    def __call__(self, encode: Any) -> float:
        """The model's figure; `encode` makes unit rows of texts."""
        vectors: Dense = encode(self._texts)
        found = DenseIndex(vectors).query(vectors[self._sources], CUTOFF, exclude=self._sources).rows
        ranked = np.where(found == NO_ROW, NO_ROW, self._rows[found])
        counts = np.array([len(picks) for picks in self._picks], dtype=np.float64)
        return float(ndcg(hits(ranked, self._picks), counts, CUTOFF).mean())
