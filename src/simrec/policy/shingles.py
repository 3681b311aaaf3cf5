"""Compiled: how alike two texts are by their runs of three words."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from simrec.compiling import njit

SHINGLE = 3
"""Words, or characters' n-grams where a script has no spaces, in a shingle."""


@njit()
def _shingles(titles: Any, bodies: Any, row: int) -> Any:
    """The hashes of a text's shingles, title and body in one run; sorted, each once."""
    title_ptr, title_words = titles
    body_ptr, body_words = bodies
    title = title_words[title_ptr[row] : title_ptr[row + 1]]
    body = body_words[body_ptr[row] : body_ptr[row + 1]]
    length = len(title) + len(body)
    words = np.empty(length, dtype=np.uint64)
    for at in range(len(title)):
        words[at] = title[at] + 1
    for at in range(len(body)):
        words[len(title) + at] = body[at] + 1
    found = np.empty(max(length - SHINGLE + 1, 1 if length else 0), dtype=np.uint64)
    for at in range(len(found)):
        value = np.uint64(0)
        for word in words[at : at + SHINGLE]:
            value = (value ^ word) * np.uint64(0x9E3779B97F4A7C15)
            value ^= value >> np.uint64(29)
        found[at] = value
    found.sort()
    count = 0
    for at in range(len(found)):
        if at == 0 or found[at] != found[at - 1]:
            found[count] = found[at]
            count += 1
    return found[:count]


@njit(parallel=True)
def jaccard_pairs(titles: Any, bodies: Any, ones: Any, others: Any, threshold: float) -> Any:
    """(p,) float64: shared shingles over all of two texts; 0 where their lengths alone keep it below the threshold.

    Args:
        titles, bodies: (starts, words) each: numbers of words, in the order of the texts.
        ones, others: (p,) rows.
        threshold: 0 to 1.
    """
    out = np.zeros(len(ones), dtype=np.float64)
    for place in numba.prange(len(ones)):
        one, other = _shingles(titles, bodies, ones[place]), _shingles(titles, bodies, others[place])
        small, large = min(len(one), len(other)), max(len(one), len(other))
        if large == 0 or small < threshold * large:
            continue
        i, j, shared = 0, 0, 0
        while i < len(one) and j < len(other):
            if one[i] == other[j]:
                shared += 1
                i += 1
                j += 1
            elif one[i] < other[j]:
                i += 1
            else:
                j += 1
        out[place] = shared / (small + large - shared)
    return out
