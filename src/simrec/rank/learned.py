"""A ranker that learns from editors' picks: gradient-boosted trees that order candidates (LambdaMART)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from simrec.errors import ModelError
from simrec.rank.features import Table
from simrec.rank.forest import Forest, make_forest, predict
from simrec.types import Mask, Scores

FORMAT = 2
TREES = "trees-{}.txt"
MODEL = "ranker.json"


class LambdaRanker(BaseEstimator):
    """Boosted trees that order candidates, by LightGBM (Ke et al. 2017): the mean of one model an objective.

    LambdaMART (Burges 2010) looks at pairs of candidates, XE-NDCG-MART (Bruch 2021) at whole lists; they err in other
    places, and their mean errs less. On sites with picks of few pages the second is better, on the others the first.

    Args:
        features: names of the columns that it learns from.
        trees: of each model.
        leaves: most leaves of a tree.
        learning_rate: share of each tree that counts.
        least_in_leaf: pairs that a leaf needs.
        columns: share of the columns that each tree may look at.
        signs: for each feature, 1 where the score may only rise with it, -1 fall, 0 neither; None: 0 for all.
        objectives: LightGBM's names; one model each, whose scores are averaged.

    Attributes:
        boosters_: LightGBM boosters, one an objective.
        gains_: (f,) each feature's share of the gain of all splits.
    """

    def __init__(
        self,
        features: Sequence[str] = (),
        trees: int = 150,
        leaves: int = 15,
        learning_rate: float = 0.08,
        least_in_leaf: int = 30,
        columns: float = 0.5,
        signs: Sequence[int] | None = None,
        objectives: Sequence[str] = ("lambdarank", "rank_xendcg"),
    ) -> None:
        self.features = features
        self.trees = trees
        self.leaves = leaves
        self.learning_rate = learning_rate
        self.least_in_leaf = least_in_leaf
        self.columns = columns
        self.signs = signs
        self.objectives = objectives

    def fit(
        self,
        X: NDArray[np.float32],
        y: NDArray[Any],
        group: NDArray[np.int64],
        weight: NDArray[np.float32] | None = None,
    ) -> Self:
        """Learns from pairs.

        Args:
            X: (p, f) float32, NaN for what is not known; the pairs of a page stand together.
            y: (p,) 1 for a pick, or its grade; 0 for the others.
            group: (pages,) how many pairs each page has, in order.
            weight: (p,) of the pairs, equal for the pairs of a page; None: 1 for all.

        Raises:
            ValueError: the columns are not those of `features`.
        """
        import lightgbm

        if X.shape[1] != len(self.features):
            raise ValueError(f"X must have {len(self.features)} columns, got {X.shape[1]}")
        parameters: dict[str, Any] = {
            "lambdarank_truncation_level": 20,
            "max_bin": 63,
            "seed": 0,
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.least_in_leaf,
            "feature_fraction": self.columns,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "lambda_l2": 5.0,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }
        if self.signs is not None:
            parameters["monotone_constraints"] = list(self.signs)
        names = list(self.features)
        data = lightgbm.Dataset(
            X, y, group=group, weight=weight, feature_name=names, params=parameters, free_raw_data=False
        )
        self.boosters_ = [
            lightgbm.train(parameters | {"objective": objective}, data, self.trees) for objective in self.objectives
        ]
        gains = np.sum([booster.feature_importance("gain") for booster in self.boosters_], axis=0)
        self.gains_ = gains / max(gains.sum(), 1e-9)
        self.__dict__.pop("_forest", None)
        return self

    def predict(self, X: NDArray[np.float32]) -> Scores:
        """(p,) float32 scores: higher is better, comparable within a page."""
        if self._forest:
            return (predict(self._forest, X) / len(self.boosters_)).astype(np.float32)
        total = np.zeros(len(X))
        for booster in self.boosters_:
            total += booster.predict(X)
        return (total / len(self.boosters_)).astype(np.float32)

    @cached_property
    def _forest(self) -> Forest | None:
        return make_forest(self.boosters_)

    def contributions(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """(p, f) float32: how much each feature moves each score from the usual one (SHAP of trees, Lundberg 2018)."""
        moved: list[Any] = [booster.predict(X, pred_contrib=True) for booster in self.boosters_]
        return np.asarray(np.mean(moved, axis=0)[:, :-1], dtype=np.float32)

    def score_table(self, table: Table, there: Mask) -> Scores:
        """(b, c) scores of a table (b, c, f); -inf where there is no candidate."""
        scores = np.full(there.shape, -np.inf, dtype=np.float32)
        if there.any():
            scores[there] = self.predict(table[there])
        return scores

    def save(self, folder: Path) -> None:
        """Writes the trees as LightGBM's text, and all else as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        for objective, booster in zip(self.objectives, self.boosters_, strict=True):
            booster.save_model(folder / TREES.format(objective))
        described = {"format": FORMAT, "parameters": self.get_params(), "gains": np.round(self.gains_, 5).tolist()}
        (folder / MODEL).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> LambdaRanker:
        """Reads what `save` wrote.

        Raises:
            ModelError: it is not there, broken, or from another version.
        """
        import lightgbm

        try:
            described = json.loads((folder / MODEL).read_text(encoding="utf-8"))
            if described["format"] != FORMAT:
                raise ModelError(f"the ranker in {folder} has format {described['format']}, this simrec reads {FORMAT}")
            ranker = cls(**described["parameters"])
            ranker.gains_ = np.array(described["gains"])
            ranker.boosters_ = [
                lightgbm.Booster(model_file=folder / TREES.format(objective)) for objective in ranker.objectives
            ]
        except (OSError, ValueError, KeyError, TypeError, lightgbm.basic.LightGBMError) as error:
            raise ModelError(f"{folder} holds no usable ranker: {error}; train it again") from error
        return ranker
