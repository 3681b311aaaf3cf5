"""Compiled loops over editors' picks; see `simrec.rank.kernels` for how they are called."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from simrec.rank.kernels import CHUNKS, compiled


@compiled
def votes(picks: Any, n: int, peers: Any, weights: Any, rows: Any, others: Any) -> Any:
    """(b, c, 4): what the peers of each source pick.

    The sum of the weights of the peers that pick o, over that of all; the weight of the best of them; how many there
    are; the place of the first. Picks of r itself are not looked at.

    Args:
        picks: (indptr, indices) of the picks by source number.
        n: articles.
        peers: (b, p) source numbers, best first, -1 for none.
        weights: (b, p) float32.
        rows: (b,) int32.
        others: (b, c) int32.
    """
    ptr, targets = picks
    out = np.full((others.shape[0], others.shape[1], 4), np.nan, dtype=np.float32)
    for chunk in numba.prange(CHUNKS):
        scratch = np.zeros((n, 4), dtype=np.float32)
        for place in range(chunk * len(rows) // CHUNKS, (chunk + 1) * len(rows) // CHUNKS):
            whole = np.float32(1e-9)
            for at in range(peers.shape[1]):
                peer = peers[place, at]
                if peer < 0:
                    continue
                whole += weights[place, at]
                for target in targets[ptr[peer] : ptr[peer + 1]]:
                    if target == rows[place]:
                        continue
                    if scratch[target, 2] == 0:
                        scratch[target, 3] = at
                    scratch[target, 0] += weights[place, at]
                    scratch[target, 1] = max(scratch[target, 1], weights[place, at])
                    scratch[target, 2] += 1
            for column in range(others.shape[1]):
                other = others[place, column]
                if other >= 0:
                    out[place, column, 0] = scratch[other, 0] / whole
                    out[place, column, 1] = scratch[other, 1]
                    out[place, column, 2] = scratch[other, 2]
                    out[place, column, 3] = scratch[other, 3] if scratch[other, 2] else peers.shape[1]
            for at in range(peers.shape[1]):
                if peers[place, at] >= 0:
                    for target in targets[ptr[peers[place, at]] : ptr[peers[place, at] + 1]]:
                        scratch[target] = 0
    return out


@compiled
def picks_of_candidates(picks: Any, number: Any, hidden: Any, near: Any, scores: Any, rows: Any, others: Any) -> Any:
    """(b, c, 3): how many picks o has itself; the best score of r to one of them, and the sum of its scores.

    NaN where o has no picks that may be looked at; a pick that is not near to r has score 0.

    Args:
        picks: (indptr, indices) of the picks by source number.
        number: (n,) the source number of each row, -1 for none.
        hidden: (b, s) bool: sources whose picks may not be looked at.
        near: (n, k) int32, the rows nearest to each.
        scores: (n, k) float32, of the same.
        rows: (b,) int32.
        others: (b, c) int32.
    """
    ptr, targets = picks
    n = len(number)
    out = np.full((others.shape[0], others.shape[1], 3), np.nan, dtype=np.float32)
    for chunk in numba.prange(CHUNKS):
        scratch = np.zeros(n, dtype=np.float32)
        for place in range(chunk * len(rows) // CHUNKS, (chunk + 1) * len(rows) // CHUNKS):
            row = rows[place]
            for at in range(near.shape[1]):
                if near[row, at] >= 0:
                    scratch[near[row, at]] = max(scores[row, at], np.float32(0))
            for column in range(others.shape[1]):
                other = others[place, column]
                if other < 0 or number[other] < 0 or hidden[place, number[other]]:
                    continue
                best, total, count = np.float32(0), np.float32(0), 0
                for target in targets[ptr[number[other]] : ptr[number[other] + 1]]:
                    if target != row:
                        best = max(best, scratch[target])
                        total += scratch[target]
                        count += 1
                out[place, column, 0] = count
                out[place, column, 1] = best
                out[place, column, 2] = total
            for at in range(near.shape[1]):
                if near[row, at] >= 0:
                    scratch[near[row, at]] = 0
    return out
