"""A learned score beside the fusion's: brought to its scale, page by page, and mixed with it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.types import Mask, Scores


class Moments(NamedTuple):
    """Mean and standard deviation of a page's scores: (b, 1) float64 each."""

    mean: NDArray[np.float64]
    sd: NDArray[np.float64]


def blend(fused: Scores, learned: Scores, weight: float, there: Mask) -> Scores:
    """(b, c) `weight` of the learned score and the rest of the fusion's; -inf where there is no candidate.

    A learned score orders one page's candidates and means nothing beyond it. It is given the mean and the standard
    deviation that the fusion has over the same candidates, so that the mix, too, reads as standard deviations above the
    site's random pairs.

    >>> fused = np.array([[0.0, 1.0, 2.0]], np.float32)
    >>> blend(fused, np.array([[30.0, 20.0, 10.0]], np.float32), 1.0, np.isfinite(fused)).round(3)
    array([[2., 1., 0.]], dtype=float32)
    """
    if weight == 0:
        return np.where(there, fused, -np.inf).astype(np.float32)
    return mix(fused, learned, weight, there, moments(fused, there), moments(learned, there))


def mix(fused: Scores, learned: Scores, weight: float, there: Mask, of_fused: Moments, of_learned: Moments) -> Scores:
    """`blend`, with the moments of other candidates than these: the score of a pair then depends on the pair alone."""
    scale = np.where(of_learned.sd > 0, of_fused.sd / np.maximum(of_learned.sd, 1e-9), 0)
    matched = of_fused.mean + (np.where(there, learned, 0) - of_learned.mean) * scale
    mixed = (1 - weight) * np.where(there, fused, 0) + weight * matched
    return np.where(there, mixed, -np.inf).astype(np.float32)


def moments(values: Scores, there: Mask) -> Moments:
    """Of each page's candidates that are there; 0 and 0 without any. They do not depend on the other pages of a batch.

    >>> wide = moments(np.array([[1.0, 2.0, 0.0, 0.0]], np.float32), np.array([[True, True, False, False]]))
    >>> float(wide.mean[0, 0]), float(wide.sd[0, 0])
    (1.5, 0.5)
    """
    count = np.maximum(there.sum(axis=1, keepdims=True), 1)
    known = np.where(there, values, 0).astype(np.float64)
    mean = _added(known) / count
    return Moments(mean, np.sqrt(_added(np.where(there, (known - mean) ** 2, 0)) / count))


def _added(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(b, 1) the sum of each row, one value after the other, so that zeros that fill it up change no bit."""
    before = np.zeros((len(values), 1))
    return np.cumsum(np.concatenate([before, values], axis=1), axis=1)[:, -1:]
