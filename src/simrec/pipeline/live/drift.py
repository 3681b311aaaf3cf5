"""How far a site has moved from what it was fitted on, and whether it is time to fit it again."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from simrec.pipeline.live.engine import Engine
from simrec.pipeline.live.hubs import passed_limit

MOST_NEW = 0.1
"""Share of articles that are new or changed since the site was fitted, from which it is to be fitted again."""
MOST_DRIFT = 0.1
"""The same, for the mean change of a term's IDF, weighed by how often it stands in articles."""
MOST_UNKNOWN = 0.05
"""The same, for the share of words in new and changed articles that were not there before."""

MOST_SUPERSEDED = 0.5
"""The same, for versions that came and went, over the articles that are there: their rows stay until then."""


class Drift(NamedTuple):
    """What has changed since a site was fitted.

    Attributes:
        articles: there are now.
        changed: share of them that are new, or others than they were.
        idf: mean change of a term's IDF, over all that articles are made of.
        unknown: share of the words of new and changed articles that the site had not seen.
        due: whether it is time to fit the site again: `simrec build --full`.
        why: what speaks for that, in words; empty where nothing does.
    """

    articles: int
    changed: float
    idf: float
    unknown: float
    due: bool
    why: str


def measure_drift(engine: Engine) -> Drift:
    """Compares the articles that are there with those that the site was fitted on."""
    shelf, fitted = engine.shelf, engine.fitted
    alive = engine.alive.array
    rows = np.flatnonzero(alive)
    new = rows[rows >= fitted.n]
    gone = int(fitted.n - alive[: fitted.n].sum())
    changed = max(len(new), gone) / max(len(rows), 1)
    matrix = shelf["tfidf"]
    df = fitted.df.copy()
    for row in np.flatnonzero(~alive[: fitted.n]).tolist():
        df[_terms(matrix, row)] -= 1
    for row in new.tolist():
        df[_terms(matrix, row)] += 1
    idf = np.log((len(rows) + 1) / np.maximum(df, 1))
    moved = float(np.average(np.abs(idf - fitted.tfidf.idf_), weights=np.maximum(df, 0))) if df.sum() > 0 else 0.0
    unknown = _unknown(engine, new)
    superseded = (len(shelf) - fitted.n - len(new)) / max(len(rows), 1)
    reasons = [
        f"{value:.0%} of {what}"
        for value, most, what in (
            (changed, MOST_NEW, "the articles are new or changed"),
            (unknown, MOST_UNKNOWN, "the words of new articles are unknown"),
        )
        if value > most
    ]
    share = fitted.settings.policy.hub_limit
    if share is not None and passed_limit(engine, share):
        reasons.append("an article has come to stand in more blocks than the hub limit allows")
    if superseded > MOST_SUPERSEDED:
        reasons.append("many versions of articles have come and gone, which makes every change slower")
    if moved > MOST_DRIFT:
        reasons.append(f"terms' IDF has moved by {moved:.2f}")
    return Drift(len(rows), round(changed, 4), round(moved, 4), round(unknown, 4), bool(reasons), "; ".join(reasons))


def _terms(matrix: Any, row: int) -> Any:
    return matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]


def _unknown(engine: Engine, new: Any) -> float:
    starts, words = engine.shelf["body_sequences"]
    known = len(engine.fitted.weights)
    total = sum(int(starts[row + 1] - starts[row]) for row in new)
    unknown = sum(int((words[starts[row] : starts[row + 1]] >= known).sum()) for row in new)
    return unknown / total if total else 0.0
