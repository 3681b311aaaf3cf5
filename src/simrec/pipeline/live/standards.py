"""What a page's candidates are held against: fixed when the site, or the page, was fitted.

A score must not depend on who else is a candidate: else one new article would move the scores of all others. So places
among the candidates, the best of them, and the means that two scores are matched by, are those of the candidates that
the page had among the fitted articles.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.pipeline.scorers import fused
from simrec.rank import kernels_scores
from simrec.rank.blend import Moments, mix, moments
from simrec.rank.features import NAMES, Table
from simrec.rank.fusion import undampen
from simrec.rank.learned import LambdaRanker
from simrec.types import DECIMALS, Mask, Rows, Scores

FUSED, TFIDF, SENTENCE = (NAMES.index(name) for name in ("fused", "tfidf_cos", "sentence_cos"))
GAP, PLACE = NAMES.index("fused_gap"), NAMES.index("fused_place")
SHARES = ((NAMES.index("tfidf_share"), TFIDF), (NAMES.index("sentence_share"), SENTENCE))


class Standards(NamedTuple):
    """The standards of b pages.

    Attributes:
        best: (b, 3) float32: the best candidate's score by the fusion, by words and by meaning.
        places: (b, p) float32: the candidates' scores by the fusion, descending, -inf where there are fewer.
        moments: (b, 4) float64: mean and standard deviation of the candidates' scores, by the fusion and by the prior.
    """

    best: Scores
    places: Scores
    moments: NDArray[np.float64]


def measure(table: Table, there: Mask, most: int, prior: LambdaRanker, columns: list[int]) -> tuple[Standards, Scores]:
    """The standards of pages, and the prior's scores (b, c), from the features (b, c, f) of their candidates.

    Args:
        table: of `PairFeatures.absolute`; changed here.
        there: (b, c) bool: which candidates are there.
        most: places that are kept.
        prior: the ranker trained on other sites.
        columns: of the table, that it looks at.
    """
    by_fusion = fused(table)
    places = np.full((len(table), most), -np.inf, dtype=np.float32)
    width = min(most, table.shape[1])
    places[:, :width] = -np.sort(-by_fusion, axis=1)[:, :width]
    best = np.empty((len(table), 3), dtype=np.float32)
    best[:, 0] = by_fusion.max(axis=1, initial=-1e9)
    for number, (_, column) in enumerate(SHARES, start=1):
        best[:, number] = np.nan_to_num(table[:, :, column]).max(axis=1, initial=1e-9)
    rows = np.arange(len(table), dtype=np.int32)
    fill(table, there, rows, best, places)
    learned = prior.score_table(table[:, :, columns], there)
    held = np.concatenate([*moments(by_fusion, there), *moments(learned, there)], axis=1)
    return Standards(best, places, held), learned


def fill(table: Table, there: Mask, rows: Rows, best: Scores, places: Scores) -> None:
    """Fills in the columns that hold a candidate against the standards: `best` (b, 3) of the pages, `places` (n, p)."""
    by_fusion = np.ascontiguousarray(table[:, :, FUSED])
    others = np.where(there, 0, -1).astype(np.int32)
    table[:, :, GAP] = by_fusion - best[:, :1]
    table[:, :, PLACE] = kernels_scores.places_among(places, by_fusion, rows, others)
    for number, (share, column) in enumerate(SHARES, start=1):
        table[:, :, share] = table[:, :, column] / best[:, number : number + 1]


def final(table: Table, there: Mask, learned: Scores, held: Standards, weight: float) -> Scores:
    """(b, c) the fusion's scores mixed with learned ones; dampened, -inf where there is no candidate."""
    of_fused, of_learned = (Moments(held.moments[:, at : at + 1], held.moments[:, at + 1 : at + 2]) for at in (0, 2))
    return mix(fused(table), learned, weight, there, of_fused, of_learned)


def shown(scores: Scores) -> Scores:
    """Scores as they are sorted and stored: standard deviations above random pairs, rounded."""
    found: Any = np.where(np.isfinite(scores), np.round(undampen(scores), DECIMALS), -np.inf)
    return np.asarray(found, dtype=np.float32)
