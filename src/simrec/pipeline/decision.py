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
    """The mix with the least of the site's ranker that is as good as the best one, and nothing but hybrid if that is.

    As good is a mean that is less by one standard error of the difference at most (the rule of Breiman et al. 1984 for
    the simplest of like models): what is learned from few pages leans on what was learned elsewhere.

    Args:
        values: nDCG@10 of the same held-out pages, by ("fusion" or "hybrid", the ranker's weight).
    """
    means = {choice: float(found.mean()) for choice, found in values.items()}
    evidence = {_name(*choice): round(mean, 4) for choice, mean in means.items()}
    safe = ("hybrid", 0.0)
    best = max(means, key=lambda choice: (means[choice], choice == safe))
    chosen = best
    if best[0] == "hybrid":
        mixes = sorted(choice for choice in values if choice[0] == "hybrid")
        chosen = next(choice for choice in mixes if not _is_clear(values[best] - values[choice]))
    pages = len(values[safe])
    if chosen == safe or not _is_clear(values[chosen] - values[safe]):
        told = f"nDCG@10 {means[best]:.3f} against hybrid's {means[safe]:.3f} on {pages} held-out training pages"
        return Decision("hybrid", 0.0, f"nothing learned is clearly better ({told}): hybrid ranks", evidence)
    told = f"nDCG@10 {means[chosen]:.3f} against hybrid's {means[safe]:.3f} on {pages} held-out training pages"
    return Decision(chosen[0], chosen[1], f"{_name(*chosen)} ranks: {told}", evidence)


def _is_clear(gain: NDArray[np.float64]) -> bool:
    error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.inf
    return bool(gain.mean() > LEAST_GAIN * error)


def _name(below: str, weight: float) -> str:
    if not weight:
        return below
    return "the site's ranker" if weight == 1 else f"{weight:.0%} the site's ranker, the rest {below}"
