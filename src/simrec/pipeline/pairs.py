"""Pairs of a page and a candidate with features and label, for rankers of one's own, and their evaluation.

The protocol is that of `simrec evaluate`: a ranker learns from the training pages of a fold, and what features say of
picks is what a new page would see.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.errors import UsageError
from simrec.evaluate.protocol import Fold
from simrec.pipeline.scorers import ALL_NAMES
from simrec.pipeline.train import Pages, Picked, make_pages
from simrec.types import NO_ROW, Mask, Rows

if TYPE_CHECKING:
    import pandas as pd


class FoldPages(NamedTuple):
    """The pages of a fold with their candidates: those to learn from, and those that are tested."""

    train: Pages
    test: Pages


def pages_of(picked: Picked, fold: Fold, split: str) -> FoldPages:
    """Candidates and features of a fold's pages.

    No page sees its own picks. A test page sees the training pages' picks; a training page sees those of the others,
    but by `group` none of its group, since no test page will have siblings then.
    """
    history = picked.history(fold.train)
    hidden = picked.hidden(fold.train, fold.train)["group" if split == "group" else "own"]
    return FoldPages(
        make_pages(picked, history, fold.train, hidden),
        make_pages(picked, history, fold.test, picked.hidden(fold.test, fold.train)["own"]),
    )


def to_frame(picked: Picked, pages: Pages, part: str) -> pd.DataFrame:
    """A row a pair, the pairs of a page together: part, source_id, target_id, label, then the features."""
    import pandas as pd

    there = pages.candidates != NO_ROW
    ids = np.array(picked.site.corpus.ids, dtype=object)
    rows = np.broadcast_to(picked.known.sources[pages.places][:, None], there.shape)
    told = {
        "part": part,
        "source_id": ids[rows[there]],
        "target_id": ids[pages.candidates[there]],
        "label": pages.labels[there].astype(np.int8),
    }
    return pd.concat([pd.DataFrame(told), features(pages, there)], axis=1)


def features(pages: Pages, there: Mask) -> pd.DataFrame:
    """(p, f) float32 features of the pairs that are there; NaN for what is not known."""
    import pandas as pd

    return pd.DataFrame(pages.table[there], columns=list(ALL_NAMES))


def rank_with(ranker: Any, picked: Picked, dealt: Sequence[Fold], split: str, k: int) -> Rows:
    """(s, k) rankings of all tested sources by an estimator, fitted anew on each fold's training pages; -1 elsewhere.

    Args:
        ranker: has `fit(X, y)`, or `fit(X, y, group=...)` with the number of pairs of each page, and `predict(X)`; of a
            classifier the probability of the last class counts. X is a DataFrame of the features, y is 0 or 1.
        picked: the site and its picks.
        dealt: the folds.
        split: how they were dealt.
        k: items that count.

    Raises:
        UsageError: it is no such estimator.
    """
    from sklearn.base import clone

    if not all(hasattr(ranker, name) for name in ("get_params", "fit", "predict")):
        raise UsageError(f"a ranker needs get_params, fit(X, y) and predict(X): {type(ranker).__name__} has not all")
    run = np.full((len(picked.known.sources), k), NO_ROW, dtype=np.int32)
    order_of_ties = picked.site.corpus.tie_order
    for fold in dealt:
        train, test = pages_of(picked, fold, split)
        fitted = _fit(clone(ranker), train)
        there = test.candidates != NO_ROW
        scores = np.full(there.shape, -np.inf)
        scores[there] = _predict(fitted, features(test, there))
        order = np.lexsort((order_of_ties[test.candidates], -scores), axis=1)[:, :k]
        run[fold.test, : order.shape[1]] = np.take_along_axis(test.candidates, order, 1)
    return run


def _fit(ranker: Any, pages: Pages) -> Any:
    told: Mask = np.asarray(pages.labels.any(axis=1))  # a page without a pick among its candidates says nothing
    there = (pages.candidates != NO_ROW) & told[:, None]
    X, y = features(pages, there), pages.labels[there].astype(np.int64)
    if "group" in inspect.signature(ranker.fit).parameters:
        return ranker.fit(X, y, group=there[told].sum(axis=1))
    return ranker.fit(X, y)


def _predict(ranker: Any, X: pd.DataFrame) -> NDArray[np.float64]:
    from sklearn.base import is_classifier

    found = ranker.predict_proba(X)[:, -1] if is_classifier(ranker) else ranker.predict(X)
    scores = np.asarray(found, dtype=np.float64).reshape(len(X))
    return np.where(np.isnan(scores), -np.inf, scores)
