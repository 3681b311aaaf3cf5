"""Which articles of a site are copies of one story."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from simrec.pipeline.nearby import LISTED
from simrec.pipeline.site import Site
from simrec.policy.duplicates import LOOK_AT_COSINE, LOOKED_AT, Copies, near_pairs
from simrec.policy.pairs import PairRules
from simrec.types import NO_ROW, Mask, Rows, Scores


def find_copies(site: Site) -> Copies:
    """Who is a copy of whom, by row of the corpus."""
    found, rows = Copies(site.settings.policy), range(len(site.corpus))
    found.add(rows, site.corpus.articles, site.corpus.row_of, *site.sequences[:2])
    found.link(near_copies(site))
    return found


def near_copies(site: Site) -> Iterator[tuple[int, int]]:
    """The pairs of articles that are copies by their shingles."""
    near, languages, rules = site.nearby.lists("tfidf"), site.corpus.lang_codes, site.nearby.rules
    ones, places = np.nonzero((near.rows != NO_ROW) & (near.scores >= LOOK_AT_COSINE))
    others, cosines = near.rows[ones, places], near.scores[ones, places]
    pairs = np.stack([np.minimum(ones, others), np.maximum(ones, others)], axis=1)
    first = np.unique(pairs, axis=0, return_index=True)[1]
    found = ones[first].astype(np.int32), others[first], cosines[first]
    last = last_looked_at(near.scores)
    titles, bodies, _ = site.sequences
    compared = seen(*found, last, languages, rules)
    return near_pairs(titles, bodies, *compared, last, site.settings.policy.near_duplicate)


def seen(
    ones: Rows, others: Rows, cosines: Scores, last: Scores, languages: NDArray[np.int32], rules: PairRules
) -> tuple[Rows, Rows, Scores]:
    """Those of some pairs of rows of which one may be shown under the other, and is near enough to be compared with it.

    Args:
        ones, others: (p,) the pairs.
        cosines: (p,) by TF-IDF.
        last: (n,) of `last_looked_at`.
        languages: (n,) numbers of the rows' languages.
        rules: which languages may be shown under which.
    """
    near: Mask = np.zeros(len(ones), dtype=bool)
    for pages, shown in ((ones, others), (others, ones)):
        near |= rules.speaks(languages[pages], languages[shown]) & (cosines >= last[pages])
    return ones[near], others[near], cosines[near]


def last_looked_at(scores: np.ndarray) -> np.ndarray:
    """(n,) float32: the score of the last article of each list that is compared with its owner; -inf without one."""
    if scores.shape[1] < min(LOOKED_AT, LISTED):
        return np.full(len(scores), -np.inf, dtype=np.float32)
    found: np.ndarray = scores[:, LOOKED_AT - 1]
    return found
