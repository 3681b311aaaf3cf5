"""Compiled selection from a tile of a matrix product; `simrec.index.dense` makes the tiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from simrec.index.compiled import BLOCK, compiled, floor_of, highest_of, push, reordered, select, unload

SLACK = np.float32(1e-5)
"""Over twice the distance between a matrix product's sums and plain ones."""

MAGNITUDE, WORD = np.int64(0x7FFFFFFF), np.int64(0xFFFFFFFF)
"""Bits of a float beside its sign; and of half a key."""


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
def gather(tile: Any, start: Any, queries: Any, vectors: Any, own: Any, pool: Any, best: Any) -> None:
    """Adds what a tile holds, and may be among the best, to the pools of its queries.

    Args:
        tile: (b, t) float32, products of the queries with the vectors from `start` on; written over.
        start: the place of the tile's first column.
        queries: (b, d) float32.
        vectors: (n, d) float32.
        own: (b,) int32, the place that each may not find, -1 for none.
        pool: scores (b, c), places (b, c), sizes (b,) and floors (b,): what was found, and what has to be reached; c is
            more than k.
        best: scores (b, k), rows (b, k) and sizes (b,): a heap for each, of what no pool had room for.
    """
    scores, places, sizes, floors = pool
    heaps, rows, held = best
    k, room = heaps.shape[1], scores.shape[1]
    tops = np.empty((tile.shape[1] + BLOCK - 1) // BLOCK, dtype=np.float32)
    for query in range(len(own)):
        line = tile[query]
        if start <= own[query] < start + len(line):
            line[own[query] - start] = -np.inf
        highest_of(line, tops)
        size, floor = sizes[query], floors[query]
        if floor == -np.inf and len(tops) > k:
            floor = floor_of(tops, k) - SLACK
        for block in range(len(tops)):
            if tops[block] > floor:
                if size + BLOCK > room:
                    size, reached = _thin(scores[query], places[query], size, k)
                    floor = max(floor, reached)
                if size + BLOCK > room:  # as many are equally near
                    one = (heaps[query], rows[query], held[query])
                    held[query] = _settle(queries[query], vectors, places[query], size, one)
                    size, floor = 0, max(floor, heaps[query, 0] - SLACK)
                for place in range(block, len(line), len(tops)):  # without a branch that is hard to foresee
                    scores[query, size], places[query, size] = line[place], start + place
                    size += line[place] > floor
        sizes[query], floors[query] = size, floor


@compiled
def settle(queries: Any, vectors: Any, pool: Any, best: Any) -> None:
    """Puts the best of the pools into the lists of the best, best first; see `gather`."""
    scores, places, sizes, _ = pool
    heaps, rows, held = best
    k = heaps.shape[1]
    for query in range(len(sizes)):
        size = sizes[query]
        if size > k:
            size, _ = _thin(scores[query], places[query], size, k)
        if held[query]:
            one = (heaps[query], rows[query], held[query])
            held[query] = _settle(queries[query], vectors, places[query], size, one)
            unload(heaps[query], rows[query], held[query], rows[query], heaps[query])
            continue
        for place in range(size):
            scores[query, place] = _dot(queries[query], vectors[places[query, place]])
        held[query] = _rank(scores[query, :size], places[query], heaps[query], rows[query])


@compiled
def _rank(scores: Any, rows: Any, out_scores: Any, out_rows: Any) -> Any:
    """Writes the best, best first, equal ones in order of row; returns how many that are.

    A score and its row are sorted as one whole number: the bits of a float, but for the sign, are in its order.
    """
    bits, out = scores.view(np.int32), out_scores.view(np.int32)
    keys = np.empty(len(bits), dtype=np.int64)
    for place in range(len(bits)):
        number = np.int64(bits[place])
        number = number ^ MAGNITUDE if number < 0 else number
        keys[place] = (-number << 32) | np.int64(rows[place])
    keys.sort()
    size = min(len(keys), len(out))
    for place in range(size):
        number = -(keys[place] >> 32)
        out[place] = np.int32(number ^ MAGNITUDE if number < 0 else number)
        out_rows[place] = np.int32(keys[place] & WORD)
    return size


@compiled
def _thin(scores: Any, places: Any, size: Any, k: Any) -> Any:
    """Keeps, of the first `size`, what may be among the k best; returns how many that are, and what they reach."""
    floor = floor_of(scores[:size], k) - SLACK
    kept = 0
    for place in range(size):
        scores[kept], places[kept] = scores[place], places[place]
        kept += scores[place] > floor
    return kept, floor


@compiled
def _settle(query: Any, vectors: Any, places: Any, size: Any, one: Any) -> Any:
    """Puts places among the best of a query, by their cosines; returns how many there are."""
    scores, rows, held = one
    for place in range(size):
        row = places[place]
        held = push(scores, rows, held, _dot(query, vectors[row]), row)
    return held


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
