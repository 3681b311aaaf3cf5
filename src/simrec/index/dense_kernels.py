"""Compiled selection from a tile of a matrix product; `simrec.index.dense` makes the tiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from simrec.index.compiled import BLOCK, compiled, floor_of, highest_of, push, reordered, select, unload

SLACK = np.float32(1e-5)
"""Over twice the distance between a matrix product's sums and plain ones."""


@reordered
def _dot(one: Any, two: Any) -> Any:
    """A cosine, in an order of additions that hangs on nothing else."""
    total = np.float32(0)
    for place in range(len(one)):
        total += one[place] * two[place]
    return total


@compiled
def _found(tile: Any, k: Any, floor: Any, scores: Any, places: Any, tops: Any) -> Any:
    """Collects what may be among the k best of a tile's row; returns how many that are.

    The k-th highest of the blocks' highest is reached by k scores at least: lesser ones need no look.
    """
    highest_of(tile, tops)
    if len(tops) > k:
        floor = max(floor, floor_of(tops, k) - SLACK)
    size = 0
    for block in range(len(tops)):
        if tops[block] > floor:
            for place in range(block, len(tile), len(tops)):
                if tile[place] > floor:
                    scores[size], places[size] = tile[place], place
                    size += 1
    return size


@compiled
def take(tile: Any, start: Any, queries: Any, vectors: Any, own: Any, best: Any) -> None:
    """Puts what a tile holds among the best of its queries.

    Args:
        tile: (b, t) float32, products of the queries with the vectors from `start` on; written over.
        start: the place of the tile's first column.
        queries: (b, d) float32.
        vectors: (n, d) float32.
        own: (b,) int32, the place that each may not find, -1 for none.
        best: scores (b, k), rows (b, k) and sizes (b,): a heap for each.
    """
    heaps, rows, sizes = best
    k, width = heaps.shape[1], tile.shape[1]
    scores, places = np.empty(width, dtype=np.float32), np.empty(width, dtype=np.int32)
    tops = np.empty((width + BLOCK - 1) // BLOCK, dtype=np.float32)
    for query in range(len(own)):
        if start <= own[query] < start + width:
            tile[query, own[query] - start] = -np.inf
        floor = heaps[query, 0] - SLACK if sizes[query] == k else np.float32(-np.inf)
        size = _found(tile[query], k, floor, scores, places, tops)
        if size > k:
            select(scores, places, size, k)
            floor = max(floor, scores[:k].min() - SLACK)
        for place in range(size):
            if scores[place] >= floor:
                row = start + places[place]
                score = _dot(queries[query], vectors[row])
                sizes[query] = push(heaps[query], rows[query], sizes[query], score, row)


@compiled
def sort(best: Any) -> None:
    """Sorts each heap, best first."""
    heaps, rows, sizes = best
    for query in range(len(sizes)):
        unload(heaps[query], rows[query], sizes[query], rows[query], heaps[query])


@compiled
def rescore(places: Any, queries: Any, vectors: Any, own: Any, scores: Any, rows: Any) -> None:
    """Writes the best of some places for each query, by their cosines.

    Args:
        places: (b, c) int64, -1 for none.
        queries: (b, d) float32.
        vectors: (n, d) float32.
        own: (b,) int32, the place that each may not find, -1 for none.
        scores: (b, k) float32, filled with -inf, to write to.
        rows: (b, k) int32, filled with -1, to write to.
    """
    for query in range(len(own)):
        size = 0
        for place in places[query]:
            if place >= 0 and place != own[query]:
                score = _dot(queries[query], vectors[place])
                size = push(scores[query], rows[query], size, score, place)
        unload(scores[query], rows[query], size, rows[query], scores[query])
