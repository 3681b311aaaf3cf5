"""Boosted trees, scored a block of pairs at a time: as LightGBM scores them, and several times as fast.

A tree with at most 16 leaves is a mask of 16 bits for each of its splits: the leaves that can still be reached where
the split sends a pair to the right. The masks of all splits that do so, taken together, leave the leaf of the pair as
the lowest bit (Lucchese et al. 2015). Each split is one comparison for a whole block of pairs, without a branch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from simrec.compiling import njit

MOST_LEAVES = 16
BLOCK = 64
"""Pairs that a tree looks at together."""
LEFT, RIGHT, ZERO = 0, 1, 2
"""Where a missing value goes at a split: left, right, or where 0 would go."""


class Forest(NamedTuple):
    """Trees as arrays, splits and leaves of one tree together.

    Attributes:
        starts: (t + 1,) where each tree's splits begin.
        columns: (s,) the column that each split looks at.
        bounds: (s,) float32; a value up to it goes left.
        missing: (s,) `LEFT`, `RIGHT` or `ZERO`.
        masks: (s,) uint16, the leaves that are left when a pair goes right.
        leaves: (t, 16) float64.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    bounds: NDArray[np.float32]
    missing: NDArray[np.int8]
    masks: NDArray[np.uint16]
    leaves: NDArray[np.float64]


def make_forest(boosters: Sequence[Any]) -> Forest | None:
    """The trees of LightGBM boosters, in order; None where one has a split or a size that is not for this."""
    splits: list[tuple[int, float, int, int]] = []
    starts, leaves = [0], []
    for booster in boosters:
        for tree in booster.dump_model()["tree_info"]:
            found = _tree(tree)
            if found is None:
                return None
            splits += found[0]
            leaves.append(found[1])
            starts.append(len(splits))
    columns, bounds, missing, masks = zip(*splits, strict=True) if splits else ((), (), (), ())
    return Forest(
        np.array(starts, dtype=np.int64),
        np.array(columns, dtype=np.int32),
        _float32_below(np.array(bounds, dtype=np.float64)),
        np.array(missing, dtype=np.int8),
        np.array(masks, dtype=np.uint16),
        np.array(leaves, dtype=np.float64).reshape(-1, MOST_LEAVES),
    )


def _tree(tree: Mapping[str, Any]) -> tuple[list[tuple[int, float, int, int]], list[float]] | None:
    """Splits and leaves of a tree, its leaves numbered from left to right."""
    if tree["num_leaves"] > MOST_LEAVES or tree.get("num_cat"):
        return None
    leaves: list[float] = []
    splits: list[tuple[int, float, int, int]] = []

    def walk(node: Mapping[str, Any]) -> int:
        """Notes what is below a node; returns its leaves as a mask."""
        if "leaf_value" in node:
            leaves.append(float(node["leaf_value"]))
            return 1 << (len(leaves) - 1)
        left = walk(node["left_child"])
        right = walk(node["right_child"])
        missing = ZERO if node["missing_type"] == "None" else LEFT if node["default_left"] else RIGHT
        splits.append((node["split_feature"], float(node["threshold"]), missing, 0xFFFF & ~left))
        return left | right

    walk(tree["tree_structure"])
    return splits, leaves + [0.0] * (MOST_LEAVES - len(leaves))


def _float32_below(bounds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above each bound: a float32 is up to the one where it is up to the other."""
    with np.errstate(over="ignore"):  # a bound beyond float32 is beyond all values
        found = bounds.astype(np.float32)
    return np.where(found.astype(np.float64) > bounds, np.nextafter(found, np.float32(-np.inf)), found)


def predict(forest: Forest, X: NDArray[np.float32]) -> NDArray[np.float64]:
    """(p,) float64: the sum of the trees' leaves for each of the p pairs, in the order of the trees.

    Args:
        forest: the trees.
        X: (p, f) float32, NaN for what is not known.
    """
    found: NDArray[np.float64] = _predict(*forest, X)
    return found


_compiled: Any = njit(parallel=True)


@_compiled
def _predict(starts: Any, columns: Any, bounds: Any, missing: Any, masks: Any, leaves: Any, X: Any) -> Any:
    pairs, width = X.shape
    out = np.zeros(pairs, dtype=np.float64)
    for block in numba.prange((pairs + BLOCK - 1) // BLOCK):
        first = block * BLOCK
        count = min(BLOCK, pairs - first)
        values = np.zeros((width, BLOCK), dtype=np.float32)
        for at in range(count):
            for column in range(width):
                values[column, at] = X[first + at, column]
        left = np.empty(BLOCK, dtype=np.uint16)
        for tree in range(len(leaves)):
            left[:] = 0xFFFF
            for split in range(starts[tree], starts[tree + 1]):
                _narrow(values[columns[split]], bounds[split], missing[split], masks[split], left)
            for at in range(count):
                out[first + at] += leaves[tree, _lowest(left[at])]
    return out


@njit(inline="always")
def _narrow(values: Any, bound: Any, missing: Any, mask: Any, left: Any) -> None:
    """Takes the leaves that cannot be reached out of each pair's mask."""
    everything = np.uint16(0xFFFF)
    if missing == LEFT:
        for at in range(BLOCK):
            left[at] &= mask if values[at] > bound else everything
    elif missing == RIGHT:
        for at in range(BLOCK):
            left[at] &= everything if values[at] <= bound else mask
    else:
        for at in range(BLOCK):
            value = np.float32(0) if np.isnan(values[at]) else values[at]
            left[at] &= mask if value > bound else everything


@njit(inline="always")
def _lowest(bits: Any) -> Any:
    """The place of the lowest bit that is set."""
    place = 0
    value = np.uint32(bits)
    if value & 0xFF == 0:
        place += 8
        value >>= 8
    if value & 0xF == 0:
        place += 4
        value >>= 4
    if value & 0x3 == 0:
        place += 2
        value >>= 2
    return place + (1 - (value & 1))
