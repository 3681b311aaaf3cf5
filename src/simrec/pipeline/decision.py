"""The decision whether a ranker of the site's own may rank: by its worth on training pages held out, or not at all."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_GAIN = 1.0
"""Standard errors that a gain must have to be believed."""


@dataclass(frozen=True)
class Decision:
    """What inner validation on the training pages chose.

    Attributes:
        below: "fusion" or "hybrid", what the ranker is mixed with, or what ranks alone.
        weight: of the site's ranker; 0: it does not rank.
        why: in words.
        evidence: nDCG@10 of each choice on held-out training pages.
    """

    below: str
    weight: float
    why: str
    evidence: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For the model's file, and for `train --json`."""
        return asdict(self)


def choose(values: dict[tuple[str, float], NDArray[np.float64]]) -> Decision:
    """The best choice by the mean over pages, and nothing that is not clearly above hybrid.

    Args:
        values: nDCG@10 of the same held-out pages, by ("fusion" or "hybrid", the ranker's weight).
    """
    means = {choice: float(found.mean()) for choice, found in values.items()}
    evidence = {_name(*choice): round(mean, 4) for choice, mean in means.items()}
    safe = ("hybrid", 0.0)
    best = max(means, key=lambda choice: (means[choice], choice == safe))
    gain = values[best] - values[safe]
    error = float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else float("inf")
    told = f"nDCG@10 {means[best]:.3f} against hybrid's {means[safe]:.3f} on {len(gain)} held-out training pages"
    if best == safe or gain.mean() <= LEAST_GAIN * error:
        return Decision("hybrid", 0.0, f"nothing learned is clearly better ({told}): hybrid ranks", evidence)
    return Decision(best[0], best[1], f"{_name(*best)} ranks: {told}", evidence)


def _name(below: str, weight: float) -> str:
    if not weight:
        return below
    return "the site's ranker" if weight == 1 else f"{weight:.0%} the site's ranker, the rest {below}"
