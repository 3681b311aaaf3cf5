"""Compiled loops of the sparse search by bounds; `simrec.index.bounds` says how it works.

`lists` is a `bounds.Inverted`, `at` a `bounds.Scratch`, `terms` and `weights` those of a query, `level` the number of
bands that have been added up.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simrec.index.compiled import compiled, floor_of, highest, push, reordered, select, unload

HOPED = np.float32(0.3)
"""Share of the bound's second part that pairs are guessed to reach; a bad guess costs time, never an article."""

SLACK = np.float32(3e-5)
"""Distance between sums of the same products in another order; ten times what has been seen."""


@compiled
def turn(rows: Any, numbers: Any, places: Any, out: Any) -> None:
    """Writes rows to the inverted lists of their terms.

    Args:
        rows: (starts, terms, weights).
        numbers: (terms,) int32, the number of each term.
        places: (terms,) int64, by number: where its list starts; changed.
        out: `bounds.ENTRY` of all lists, to write to.
    """
    starts, terms, weights = rows
    for row in range(len(starts) - 1):
        for at in range(starts[row], starts[row + 1]):
            number = numbers[terms[at]]
            entry = out[places[number]]
            entry.at = row
            entry.weight = weights[at]
            places[number] += 1


@reordered
def _rest(lists: Any, at: Any, level: Any, row: Any) -> Any:
    """The part of a cosine that the bands from `level` on add."""
    total = np.float32(0)
    for entry in lists.rest[lists.starts[row, level] : lists.starts[row, lists.bands]]:
        total += at.common[entry.at] * entry.weight
    return total


@reordered
def _rest_at_most(lists: Any, at: Any, level: Any, row: Any) -> Any:
    """The most that `_rest` can be: by Cauchy and Schwarz, group by group."""
    total = np.float32(0)
    for group in range(level * lists.split, lists.norms.shape[1]):
        total += at.norms[group] * lists.norms[row, group]
    return total


@reordered
def _over(sums: Any, rests: Any, weight: Any, floor: Any) -> Any:
    """How many bounds are over a floor."""
    count = 0
    for row in range(len(sums)):
        count += sums[row] + weight * rests[row] > floor
    return count


@compiled
def _whole(lists: Any, at: Any, row: Any) -> Any:
    """The cosine with a row: products in ascending order of terms, plainly added; the same whatever else is indexed."""
    total = np.float32(0)
    for entry in range(lists.row_starts[row], lists.row_starts[row + 1]):
        total += at.whole[lists.row_terms[entry]] * lists.row_weights[entry]
    return total


@compiled
def _add_up(lists: Any, at: Any, place: Any, weight: Any) -> None:
    """Adds one term's products to the sums of all articles that have it."""
    sums = at.sums
    for entry in lists.lists[at.asked[place, 0] : at.asked[place, 1]]:
        sums[entry.at] += weight * entry.weight


@reordered
def _look_up(lists: Any, at: Any, terms: Any) -> Any:
    """Finds the lists of a query's terms and touches each.

    Asked for one after the other without work between, many are fetched from memory at once. The sum that is returned
    keeps the touching from being optimized away.
    """
    touched = np.float32(0)
    for place in range(len(terms)):
        number = lists.numbers[terms[place]]
        at.asked[place, 0] = lists.list_starts[number]
        at.asked[place, 1] = lists.list_starts[number + 1]
    for place in range(len(terms)):
        if at.asked[place, 0] < at.asked[place, 1]:
            touched += lists.lists[at.asked[place, 0]].weight
    return touched


@compiled
def _begin(lists: Any, at: Any, terms: Any, weights: Any, own: Any) -> None:
    """Adds up the rare terms, and notes the common ones."""
    at.sums[:] = 0
    at.norms[:] = 0
    at.costs[:] = 0
    at.rests[lists.bands] = _look_up(lists, at, terms)
    for place in range(len(terms)):
        number = lists.numbers[terms[place]]
        if number < lists.common:
            _add_up(lists, at, place, weights[place])
        else:
            at.common[number - lists.common] = weights[place]
            group = lists.groups[number - lists.common]
            at.norms[group] += weights[place] * weights[place]
            at.costs[group // lists.split] += at.asked[place, 1] - at.asked[place, 0]
    if own >= 0:
        at.sums[own] = -np.inf
    at.rests[lists.bands] = 0
    for band in range(lists.bands - 1, -1, -1):
        total = at.rests[band + 1] ** 2
        for group in range(band * lists.split, (band + 1) * lists.split):
            total += at.norms[group]
            at.norms[group] = np.sqrt(at.norms[group])
        at.rests[band] = np.sqrt(total)


@compiled
def _add_band(lists: Any, at: Any, terms: Any, weights: Any, band: Any) -> None:
    """Adds up the terms of a band of common ones."""
    for place in range(len(terms)):
        number = lists.numbers[terms[place]]
        if number >= lists.common and lists.groups[number - lists.common] // lists.split == band:
            _add_up(lists, at, place, weights[place])


@compiled
def _end(lists: Any, at: Any, terms: Any) -> None:
    """Forgets a query's weights."""
    for place in range(len(terms)):
        number = lists.numbers[terms[place]]
        if number >= lists.common:
            at.common[number - lists.common] = 0


@compiled
def _promising(lists: Any, at: Any, level: Any) -> Any:
    """Moves the k articles that look best to the front of those found; returns how many there are.

    The k-th highest of the blocks' highest is reached by k articles at least: lesser ones need no look.
    """
    rests, weight, k, size = lists.rests[level], HOPED * at.rests[level], len(at.scores), 0
    scores, rows, blocks = at.found_scores, at.found_rows, len(at.tops)
    highest(at.sums, rests, weight, at.tops)
    floor = np.float32(-1)
    if blocks > k:
        floor = max(floor_of(at.tops, k), floor)
    for block in range(blocks):
        if at.tops[block] >= floor:
            for row in range(block, lists.n, blocks):
                score = at.sums[row] + weight * rests[row]
                if score >= floor:
                    scores[size], rows[size] = score, row
                    size += 1
    select(scores, rows, size, k)
    return min(size, k)


@compiled
def _floor(lists: Any, at: Any, level: Any) -> Any:
    """A cosine that the k-th neighbor has at least: the k-th of those k articles that look best now."""
    if _promising(lists, at, level) < len(at.scores):
        return np.float32(0)
    floor = np.float32(2)
    for place in range(len(at.scores)):
        row = at.found_rows[place]
        floor = min(floor, at.sums[row] + _rest(lists, at, level, row))
    return max(floor - SLACK, np.float32(0))


@compiled
def _survivors(lists: Any, at: Any, level: Any, floor: Any) -> Any:
    """Finds the articles whose sum and bound reach the floor, completes their sums; returns how many there are."""
    rests, weight, rows, size = lists.rests[level], at.rests[level], at.found_rows, 0
    highest(at.sums, rests, weight, at.tops)
    for block in range(len(at.tops)):
        if at.tops[block] > floor:
            for row in range(block, lists.n, len(at.tops)):
                rows[size] = row
                size += at.sums[row] + weight * rests[row] > floor
    near = 0
    for place in range(size):
        row = rows[place]
        rows[near] = row
        near += at.sums[row] + _rest_at_most(lists, at, level, row) > floor
    count = 0
    for place in range(near):
        row = rows[place]
        score = at.sums[row] + _rest(lists, at, level, row)
        rows[count], at.found_scores[count] = row, score
        count += score > floor
    return count


@compiled
def _best(lists: Any, at: Any, terms: Any, weights: Any, count: Any) -> Any:
    """Puts the best of the found articles into the heap, by their whole cosines; returns how many there are."""
    size = 0
    for place in range(count):
        size = push(at.scores, at.rows, size, at.found_scores[place], at.found_rows[place])
    floor = at.scores[0] - SLACK if size == len(at.scores) else np.float32(0)
    size = 0
    for place in range(len(terms)):
        at.whole[terms[place]] = weights[place]
    for place in range(count):
        if at.found_scores[place] >= floor:
            score = _whole(lists, at, at.found_rows[place])
            if score > 0:
                size = push(at.scores, at.rows, size, score, at.found_rows[place])
    for place in range(len(terms)):
        at.whole[terms[place]] = 0
    return size


@compiled
def search(lists: Any, at: Any, queries: Any, own: Any, out_rows: Any, out_scores: Any) -> None:
    """Finds the neighbors of some queries.

    Args:
        lists: the index.
        at: scratch, all zeros where queries leave their weights.
        queries: (starts, terms, weights) of sparse rows.
        own: (b,) the place in the index that each may not find, -1 for none.
        out_rows: (b, k) int32, filled with -1, to write to.
        out_scores: (b, k) float32, filled with -inf, to write to.
    """
    starts, all_terms, all_weights = queries
    for number in range(len(own)):
        terms = all_terms[starts[number] : starts[number + 1]]
        weights = all_weights[starts[number] : starts[number + 1]]
        _begin(lists, at, terms, weights, own[number])
        level, floor = 0, _floor(lists, at, 0)
        while level < lists.bands:
            over = _over(at.sums, lists.rests[level], at.rests[level], floor)
            if over * lists.mean_rest[level] <= at.costs[level]:
                break
            _add_band(lists, at, terms, weights, level)
            level += 1
            floor = max(floor, _floor(lists, at, level))
        count = _survivors(lists, at, level, floor)
        size = _best(lists, at, terms, weights, count)
        unload(at.scores, at.rows, size, out_rows[number], out_scores[number])
        _end(lists, at, terms)
