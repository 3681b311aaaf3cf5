"""Models' scores beside people's ratings of how similar two articles are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.errors import InputError, UsageError
from simrec.evaluate.compare import LEVEL, SEED, Interval
from simrec.pipeline.site import Site
from simrec.types import NO_ROW, Corpus

COLUMNS = ("id_a", "id_b", "human_similarity")
RESAMPLES = 1000
LEAST_PAIRS = 3


class Rated(NamedTuple):
    """Pairs of articles that people rated: rows a and b (p,) and the ratings (p,)."""

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    people: NDArray[np.float64]


def read_ratings(path: Path, corpus: Corpus) -> Rated:
    """Reads a table of ratings; pairs of unknown articles and ratings that are no numbers are left out.

    Raises:
        InputError: the file cannot be read, or has no such columns.
        UsageError: fewer than three pairs join two articles of the site.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype={"id_a": str, "id_b": str})
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not set(COLUMNS) <= set(table.columns):
        raise InputError(f"{path} needs the columns {', '.join(COLUMNS)}")
    row_of = corpus.row_of
    table["human_similarity"] = pd.to_numeric(table.human_similarity, errors="coerce")
    table = table[table.human_similarity.notna()]
    table = table[table.id_a.isin(row_of) & table.id_b.isin(row_of) & (table.id_a != table.id_b)]
    if len(table) < LEAST_PAIRS:
        raise UsageError(f"{path} rates {len(table)} pairs of the site's articles: three are needed for a correlation")
    a, b = (np.array(table[name].map(row_of).tolist(), dtype=np.int64) for name in ("id_a", "id_b"))
    return Rated(a, b, table.human_similarity.to_numpy(dtype=np.float64))


def rate(site: Site, rated: Rated, models: Sequence[str]) -> dict[str, Interval]:
    """Pearson's correlation of each model's score with people's ratings, and its interval, for models without picks.

    A model's score of a pair is the mean of its scores of one for the other. It is taken as it orders, dampened: people
    rate on a scale that ends. The interval is a percentile bootstrap over the rated articles, 1000 resamples, seed 0.
    """
    a, b, people = rated
    articles = np.unique([a, b]).astype(np.int32)
    others = np.tile(articles, (len(articles), 1))
    others[np.eye(len(articles), dtype=bool)] = NO_ROW
    at_a, at_b = np.searchsorted(articles, a), np.searchsorted(articles, b)
    found = {}
    for model in models:
        if model == "learned":
            continue
        scores = site.scorer(model).score(articles, others).scores
        found[model] = _correlation((scores[at_a, at_b] + scores[at_b, at_a]) / 2, people, a, b)
    return found


def _correlation(scores: np.ndarray, people: np.ndarray, a: np.ndarray, b: np.ndarray) -> Interval:
    rng = np.random.default_rng(SEED)
    articles = np.unique([a, b])
    means = []
    for _ in range(RESAMPLES):
        drawn = np.bincount(rng.choice(articles, len(articles)), minlength=articles.max() + 1)
        weights = (drawn[a] * drawn[b]).astype(np.float64)
        if (weights > 0).sum() >= LEAST_PAIRS:
            means.append(_pearson(scores, people, weights))
    low, high = np.percentile(means, LEVEL) if means else (float("nan"), float("nan"))
    return Interval(_pearson(scores, people, np.ones(len(people))), float(low), float(high))


def _pearson(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    weights = weights / weights.sum()
    dx, dy = x - weights @ x, y - weights @ y
    return float((weights @ (dx * dy)) / max(np.sqrt((weights @ dx**2) * (weights @ dy**2)), 1e-12))
