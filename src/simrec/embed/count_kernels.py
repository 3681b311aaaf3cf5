"""Compiled loops over the words of texts. numba compiles each at its first call and keeps the result on disk.

Titles and bodies are `Flat`: starts (n + 1,) int64 and numbers of forms int32. `code_of` (forms,) int32 says what
stands for a form, below 0 for nothing. They run on one core and let others run beside them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simrec.compiling import njit

_compiled: Any = njit()


@_compiled
def document_frequency(titles: Any, bodies: Any, code_of: Any, codes: int) -> Any:
    """(codes,) int64: the texts that have each code, in the title or in the body."""
    df = np.zeros(codes, dtype=np.int64)
    last = np.full(codes, -1, dtype=np.int64)
    for text in range(len(titles.starts) - 1):
        for part in (titles, bodies):
            for at in range(part.starts[text], part.starts[text + 1]):
                code = code_of[part.numbers[at]]
                if code >= 0 and last[code] != text:
                    last[code] = text
                    df[code] += 1
    return df


@_compiled
def _put_keys(numbers: Any, code_of: Any, joins: Any, powers: Any, keys: Any) -> int:
    """Writes the keys of all n-grams of a title or body, in ascending order, and counts them."""
    count = 0
    ngrams = len(powers)
    for at in range(len(numbers)):
        code = code_of[numbers[at]]
        if code < 0:
            continue
        key = (code + 1) * powers[0]
        keys[count] = key
        count += 1
        if not joins[code]:
            continue
        for n in range(1, min(ngrams, len(numbers) - at)):
            code = code_of[numbers[at + n]]
            if code < 0 or not joins[code]:
                break
            key += (code + 1) * powers[n]
            keys[count] = key
            count += 1
    keys[:count].sort()
    return count


@_compiled
def count_keys(
    titles: Any, bodies: Any, weight: int, code_of: Any, joins: Any, powers: Any, first: int, last: int
) -> Any:
    """How often each text of first to last has each n-gram, ascending by key.

    An n-gram of codes a, b is the key (a + 1) * powers[0] + (b + 1) * powers[1]. Only codes that are True in `joins`
    form n-grams. Each time in a title counts `weight` times.

    Returns:
        starts (last - first + 1,) int64, keys (m,) int64, counts (m,) float32.
    """
    most = 0
    size = 0
    for text in range(first, last):
        length = titles.starts[text + 1] - titles.starts[text] + bodies.starts[text + 1] - bodies.starts[text]
        most = max(most, length)
        size += length
    size *= len(powers)
    starts = np.zeros(last - first + 1, dtype=np.int64)
    keys = np.empty(size, dtype=np.int64)
    counts = np.empty(size, dtype=np.float32)
    of_title = np.empty(most * len(powers), dtype=np.int64)
    of_body = np.empty(most * len(powers), dtype=np.int64)
    end = 0
    for text in range(first, last):
        in_title = 0
        if weight > 0:
            numbers = titles.numbers[titles.starts[text] : titles.starts[text + 1]]
            in_title = _put_keys(numbers, code_of, joins, powers, of_title)
        numbers = bodies.numbers[bodies.starts[text] : bodies.starts[text + 1]]
        in_body = _put_keys(numbers, code_of, joins, powers, of_body)
        t, b = 0, 0
        while t < in_title or b < in_body:
            key = of_title[t] if b == in_body or (t < in_title and of_title[t] < of_body[b]) else of_body[b]
            count = 0
            while t < in_title and of_title[t] == key:
                count += weight
                t += 1
            while b < in_body and of_body[b] == key:
                count += 1
                b += 1
            keys[end] = key
            counts[end] = count
            end += 1
        starts[text - first + 1] = end
    return starts, keys[:end].copy(), counts[:end].copy()


@_compiled
def runs(keys: Any) -> Any:
    """The distinct values of ascending keys (m,), and how often each stands there."""
    distinct = np.empty(len(keys), dtype=np.int64)
    lengths = np.empty(len(keys), dtype=np.int64)
    end = 0
    for at in range(len(keys)):
        if at and keys[at] == keys[at - 1]:
            lengths[end - 1] += 1
        else:
            distinct[end] = keys[at]
            lengths[end] = 1
            end += 1
    return distinct[:end].copy(), lengths[:end].copy()


@_compiled
def find_columns(starts: Any, keys: Any, counts: Any, known: Any, firsts: Any, power: int) -> Any:
    """The columns of keys, in rows; keys without a column fall out.

    Args:
        starts, keys, counts: what `count_keys` gave.
        known: (columns,) int64 ascending, the key of each column.
        firsts: (codes + 2,) int64: known keys from firsts[c] on begin with a code + 1 of c or more.
        power: of the first code in a key.

    Returns:
        lengths (rows,) int64, columns int32 and counts float32.
    """
    lengths = np.zeros(len(starts) - 1, dtype=np.int64)
    columns = np.empty(len(keys), dtype=np.int32)
    kept = np.empty(len(keys), dtype=np.float32)
    end = 0
    for row in range(len(starts) - 1):
        before = end
        for at in range(starts[row], starts[row + 1]):
            key = keys[at]
            low, high = firsts[key // power], firsts[key // power + 1]
            while low < high:
                middle = (low + high) // 2
                if known[middle] < key:
                    low = middle + 1
                else:
                    high = middle
            if low < len(known) and known[low] == key:
                columns[end] = low
                kept[end] = counts[at]
                end += 1
        lengths[row] = end - before
    return lengths, columns[:end].copy(), kept[:end].copy()
