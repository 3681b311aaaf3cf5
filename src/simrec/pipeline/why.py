"""Why a learned model ranked an article where it did, in words: for one page, when someone asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from simrec.pipeline.build import may_show
from simrec.pipeline.scorers import ALL_NAMES, FusionScorer, LearnedScorer, PriorScorer, Scorer
from simrec.pipeline.site import Site
from simrec.rank.catalogue import Feature
from simrec.rank.features import NAMES, Table
from simrec.types import NO_ROW, Rows

MODELS = ("hybrid", "learned")
REASONS = 3
LOW = ("rank", "rank_back", "place", "days_apart")
"""Endings of the features whose words hold where the value is low."""


def because(site: Site, model: str, row: int, targets: Sequence[int], now: datetime) -> list[list[str]] | None:
    """For each target, what moved it up most beside the page's other candidates: at most three reasons, in words.

    Features that say the same are one. Words are left out where they do not hold for the article, even if the ranker
    gained from them: that it is *not* newer may speak for an article, too.

    Args:
        site: the articles, ready to rank with the model.
        model: its name.
        row: of the page.
        targets: rows of the articles in its block.
        now: the moment that decides who may be shown beside them.

    Returns:
        The reasons, the strongest first; None where the model is a fusion, whose parts say it all.
    """
    if model not in MODELS or (model == "hybrid" and (site.settings.rank.prior == 0 or not site.prior)):
        return None
    scorer = site.scorer(model)
    if isinstance(scorer, FusionScorer):
        return None
    rows = np.array([row], dtype=np.int32)
    candidates = _candidates(site, model, rows, targets, now)
    explained = scorer.explain(rows, candidates)
    if explained is None:
        return None
    features, moved = explained
    holds = _holds(_values(scorer, features, rows, candidates)[0])
    place = {int(candidate): at for at, candidate in enumerate(candidates[0])}
    signs = [-1 if feature.name.endswith(LOW) else 1 for feature in features]
    true = np.stack([holds[signs[at]][:, at] for at in range(len(features))], axis=1)
    return [_words(features, moved[0, place[target]], true[place[target]]) for target in targets]


def _candidates(site: Site, model: str, rows: Rows, targets: Sequence[int], now: datetime) -> Rows:
    """(1, c) all that the page's ranking looks at, for what is close is close beside others."""
    eligible, groups = may_show(site, now)
    depth = site.settings.rank.candidates
    _, ranking = next(iter(site.rank(model, rows, depth, eligible=eligible, groups=groups)))
    found = ranking.rows[0]
    return np.unique(np.concatenate([found[found != NO_ROW], np.array(targets, dtype=np.int32)]))[None, :]


def _values(scorer: Scorer, features: Sequence[Feature], rows: Rows, candidates: Rows) -> Table:
    """(1, c, f) the features' values, as the scorer sees them."""
    names = [feature.name for feature in features]
    if isinstance(scorer, LearnedScorer):
        return scorer.table(rows, candidates)[:, :, [ALL_NAMES.index(name) for name in names]]
    assert isinstance(scorer, PriorScorer)  # noqa: S101 - there is no third
    return scorer.features.of(rows, candidates)[:, :, [NAMES.index(name) for name in names]]


def _holds(values: NDArray[np.float32]) -> dict[int, NDArray[np.bool_]]:
    """(c, f) whether words hold, where they speak of high values (1) and of low ones (-1)."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0)
    middle = np.array(
        [np.median(column[there]) if there.any() else 0 for column, there in zip(filled.T, known.T, strict=True)]
    )
    return {1: known & (filled > 0) & (filled >= middle), -1: known & (filled <= middle)}


def _words(features: Sequence[Feature], moved: NDArray[np.float32], true: NDArray[np.bool_]) -> list[str]:
    """The words of what moved one article up, the strongest first."""
    sums: dict[str, float] = {}
    for feature, by, holds in zip(features, moved.tolist(), true.tolist(), strict=True):
        if holds:
            sums[feature.words] = sums.get(feature.words, 0.0) + by
    best = sorted(sums, key=lambda words: (-sums[words], words))
    return [words for words in best if sums[words] > 0][:REASONS]
