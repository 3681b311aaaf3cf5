"""Exact nearest neighbors of sparse unit rows, most of the products left out.

A cosine is the sum over the terms that two articles share. Rare terms carry most of it and are in few articles; common
terms carry little and cause nearly all the work. So a query first adds up its rare terms, article by article, from
their inverted lists. What the common terms can add is at most the product of the norms of both sides' common parts
(Cauchy and Schwarz), and that is little. The k articles that look best are completed; the worst of them is a floor
that the k-th neighbor reaches. Only articles whose sum and bound reach it are completed in turn, and few do.

Where too many do, for a large k or a query of common words, the next band of common terms is added up from its lists,
until completing is the lesser work. In the end the best are scored again over whole rows, in ascending order of terms:
a score depends on its two rows alone, and is the same in every index and on every run.

The bounds are those of L2AP (Anastasiu and Karypis 2014), an algorithm for all pairs over a threshold; here the
threshold is each query's own, as in MaxScore (Turtle and Flood 1995).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.types import Rows, Scores

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SHARES = (0.08, 0.12, 0.2, 0.4)
"""Share of the articles over which a term falls into the next band; those under the first are rare."""

SPLIT = 4
"""Groups in a band, of equal mass: the norm of each is bounded by itself, which is tighter."""

ENTRY = np.dtype([("at", np.uint32), ("weight", np.float32)])
"""A place and a weight side by side: memory is waited for once."""

Floats = NDArray[np.float32]
Unsigned = NDArray[np.uint32]


class Inverted(NamedTuple):
    """An index in arrays; terms are numbered by how many articles have them, the common ones from `common` on.

    Attributes:
        n: articles.
        common: the number of the first common term.
        bands: of common terms.
        split: groups in a band.
        numbers: (terms,) int32, the number of each column.
        list_starts, lists: `ENTRY` of each article that has a term, by the term's number.
        starts: (n, bands + 1) int64, where a row's terms of a band start in `rest`.
        rest: `ENTRY` of each common term of a row, counted from `common`.
        groups: (common terms,) int32, each one's group.
        norms: (n, groups) float32, of each row's part in a group.
        rests: (bands + 1, n) float32, of each row's part in a band and those after it.
        mean_rest: (bands + 1,) float64, the mean number of terms in it.
        row_starts, row_terms, row_weights: whole rows, terms ascending.
    """

    n: int
    common: int
    bands: int
    split: int
    numbers: Rows
    list_starts: NDArray[np.int64]
    lists: NDArray[np.void]
    starts: NDArray[np.int64]
    rest: NDArray[np.void]
    groups: Rows
    norms: Floats
    rests: Floats
    mean_rest: NDArray[np.float64]
    row_starts: NDArray[np.int64]
    row_terms: Unsigned
    row_weights: Floats


class Scratch(NamedTuple):
    """What one thread writes to while it searches.

    Attributes:
        sums: (n,) the products added up so far.
        tops: (blocks,) the highest sum of each block, with what is hoped for.
        whole: (terms,) the query's weights.
        common: (common terms,) the same of its common terms.
        norms: (groups,) and
        rests: (bands + 1,) as in `Inverted`, of the query.
        costs: (bands,) how many products adding up a band takes.
        scores, rows: (k,) the best.
        found_scores, found_rows: (n,) those that may be.
        asked: (terms, 2) int64, where the lists of the query's terms start and end.
    """

    sums: Floats
    tops: Floats
    whole: Floats
    common: Floats
    norms: Floats
    rests: Floats
    costs: NDArray[np.int64]
    scores: Scores
    rows: Rows
    found_scores: Scores
    found_rows: Rows
    asked: NDArray[np.int64]


def invert(vectors: csr_matrix) -> Inverted:
    """The index of the rows of a matrix in canonical format."""
    from simrec.index.sparse_kernels import turn

    n, width = vectors.shape
    df = np.bincount(vectors.indices, minlength=width)
    order = np.argsort(df, kind="stable")
    numbers = np.empty(width, dtype=np.int32)
    numbers[order] = np.arange(width, dtype=np.int32)
    common = int(np.searchsorted(df[order], SHARES[0] * n, side="right"))
    rows = arrays(vectors)
    list_starts = np.concatenate([[0], np.cumsum(df[order])]).astype(np.int64)
    lists = np.empty(vectors.nnz, dtype=ENTRY)
    turn(rows, numbers, list_starts[:-1].copy(), lists)
    rests = _rests(lists, list_starts[common:], n)
    bands = np.searchsorted(np.array(SHARES) * n, df[order][common:], side="left") - 1
    groups = _groups(rests, bands)
    norms = _norms(rests, groups)
    from_band = [np.sqrt((norms[:, band * SPLIT :] ** 2).sum(1)) for band in range(len(SHARES) + 1)]
    starts = _starts(rests, bands)
    return Inverted(
        n,
        common,
        len(SHARES),
        SPLIT,
        numbers,
        list_starts,
        lists,
        starts,
        _entries(rests.indices, rests.data),
        groups,
        norms,
        np.stack(from_band),
        (starts[:, -1:] - starts).sum(axis=0) / max(n, 1),
        *rows,
    )


def arrays(vectors: csr_matrix) -> tuple[NDArray[np.int64], Unsigned, Floats]:
    """Starts, terms and weights of the rows of a matrix, in the types that the kernels are compiled for."""
    terms = vectors.indices.view(np.uint32) if vectors.indices.itemsize == 4 else vectors.indices.astype(np.uint32)
    return vectors.indptr.astype(np.int64), terms, vectors.data.astype(np.float32, copy=False)


def scratch(lists: Inverted, k: int) -> Scratch:
    """Fresh memory for one thread."""
    from simrec.index.compiled import BLOCK

    return Scratch(
        np.zeros(lists.n, dtype=np.float32),
        np.zeros(-(-lists.n // BLOCK), dtype=np.float32),
        np.zeros(len(lists.numbers), dtype=np.float32),
        np.zeros(max(len(lists.groups), 1), dtype=np.float32),
        np.zeros(lists.norms.shape[1], dtype=np.float32),
        np.zeros(lists.bands + 1, dtype=np.float32),
        np.zeros(lists.bands, dtype=np.int64),
        np.zeros(k, dtype=np.float32),
        np.zeros(k, dtype=np.int32),
        np.zeros(lists.n, dtype=np.float32),
        np.zeros(lists.n, dtype=np.int32),
        np.zeros((len(lists.numbers), 2), dtype=np.int64),
    )


def _rests(lists: NDArray[np.void], starts: NDArray[np.int64], n: int) -> csr_matrix:
    """(n, common terms) the common terms of all rows, ascending, from their lists."""
    from scipy.sparse import csc_matrix

    known = lists[starts[0] :]
    return csc_matrix((known["weight"], known["at"].astype(np.int32), starts - starts[0]), (n, len(starts) - 1)).tocsr()


def _entries(places: Rows, weights: Floats) -> NDArray[np.void]:
    entries = np.empty(len(places), dtype=ENTRY)
    entries["at"], entries["weight"] = places, weights
    return entries


def _groups(rests: csr_matrix, bands: NDArray[np.int64]) -> Rows:
    """The group of each common term: its band's, cut where a quarter of the band's mass is reached."""
    mass = np.bincount(rests.indices, rests.data.astype(np.float64) ** 2, minlength=rests.shape[1])
    groups = np.zeros(len(bands), dtype=np.int32)
    for band in range(len(SHARES)):
        members = np.flatnonzero(bands == band)
        before = np.cumsum(mass[members]) - mass[members]
        cut = np.minimum(before / max(mass[members].sum(), 1e-12) * SPLIT, SPLIT - 1).astype(np.int32)
        groups[members] = band * SPLIT + cut
    return groups


def _norms(rests: csr_matrix, groups: Rows) -> Floats:
    width = len(SHARES) * SPLIT
    row = np.repeat(np.arange(rests.shape[0]), np.diff(rests.indptr))
    squares = rests.data.astype(np.float64) ** 2
    sums = np.bincount(row * width + groups[rests.indices], squares, minlength=rests.shape[0] * width)
    return np.sqrt(sums).reshape(-1, width).astype(np.float32)


def _starts(rests: csr_matrix, bands: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n, bands + 1) where each row's terms of a band start: they lie in ascending order of bands."""
    width = len(SHARES)
    row = np.repeat(np.arange(rests.shape[0]), np.diff(rests.indptr))
    counts = np.bincount(row * width + bands[rests.indices], minlength=rests.shape[0] * width).reshape(-1, width)
    before = np.concatenate([np.zeros((len(counts), 1), dtype=np.int64), np.cumsum(counts, axis=1)], axis=1)
    return np.ascontiguousarray(before + rests.indptr[:-1, None], dtype=np.int64)
