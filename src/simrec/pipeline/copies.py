"""Which articles of a site are copies of one story."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from simrec.pipeline.nearby import LISTED
from simrec.pipeline.site import Site
from simrec.policy.duplicates import LOOK_AT_COSINE, LOOKED_AT, Copies, near_pairs
from simrec.types import NO_ROW


def find_copies(site: Site) -> Copies:
    """Who is a copy of whom, by row of the corpus."""
    found, rows = Copies(site.settings.policy), range(len(site.corpus))
    found.add(rows, site.corpus.articles, site.corpus.row_of, *site.sequences[:2])
    found.link(near_copies(site))
    return found


def near_copies(site: Site) -> Iterator[tuple[int, int]]:
    """The pairs of articles that are copies by their shingles."""
    near = site.nearby.lists("tfidf")
    ones, places = np.nonzero((near.rows != NO_ROW) & (near.scores >= LOOK_AT_COSINE))
    others, cosines = near.rows[ones, places], near.scores[ones, places]
    pairs = np.stack([np.minimum(ones, others), np.maximum(ones, others)], axis=1)
    first = np.unique(pairs, axis=0, return_index=True)[1]
    return near_pairs(
        *site.sequences[:2], ones[first].astype(np.int32), others[first], cosines[first],
        last_looked_at(near.scores), site.settings.policy.near_duplicate,
    )  # fmt: skip


def last_looked_at(scores: np.ndarray) -> np.ndarray:
    """(n,) float32: the score of the last article of each list that is compared with its owner; -inf without one."""
    if scores.shape[1] < min(LOOKED_AT, LISTED):
        return np.full(len(scores), -np.inf, dtype=np.float32)
    found: np.ndarray = scores[:, LOOKED_AT - 1]
    return found
