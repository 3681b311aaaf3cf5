"""Batches of triples, for a loss that takes the other texts of a batch as negatives; importing it loads torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

import numpy as np
from sentence_transformers.base.sampler import DefaultBatchSampler


class Triple(NamedTuple):
    """Places of three texts: one, one that belongs to it, one that does not."""

    anchor: int
    positive: int
    negative: int


class Batches(DefaultBatchSampler):
    """Batches in which no text is a negative of an anchor that it is related to, and none stands twice."""

    triples: Sequence[Triple] = ()
    related: Mapping[int, AbstractSet[int]] = {}

    @classmethod
    def maker(cls, triples: Sequence[Triple], related: Mapping[int, AbstractSet[int]]) -> Callable[..., Batches]:
        """What makes the sampler, called by the trainer."""

        def make(dataset: Any, **kwargs: Any) -> Batches:
            made = cls(dataset, **kwargs)
            made.triples, made.related = triples, related
            return made

        return make

    def __len__(self) -> int:
        return math.ceil(len(self.triples) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """As many batches in every epoch; a triple that fits into none waits for the next epoch."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.triples)).tolist()
        batches: list[list[int]] = [[] for _ in range(len(self))]
        texts: list[set[int]] = [set() for _ in batches]
        barred: list[set[int]] = [set() for _ in batches]
        for turn, number in enumerate(order):
            triple = self.triples[number]
            kin = self.related.get(triple.anchor, frozenset())
            for start in range(len(batches)):
                at = (turn + start) % len(batches)
                full = len(batches[at]) == self.batch_size
                if not (full or texts[at] & {*triple, *kin} or barred[at] & set(triple)):
                    batches[at].append(number)
                    texts[at].update(triple)
                    barred[at].update(kin)
                    break
        yield from batches
