"""Which articles of a build are copies of one story: found part by part, put together, opened as maps of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.pipeline.copies import last_looked_at, seen
from simrec.policy.duplicates import LOOK_AT_COSINE, near_pairs
from simrec.policy.pairs import PairRules
from simrec.scale.articles import rows_of_ids
from simrec.scale.ground import Ground, Span, save
from simrec.scale.site import said_of
from simrec.scale.standards import lists_of
from simrec.scale.tasks import Runner, Task
from simrec.types import NO_ROW, Rows

MEMORY = 1_000_000_000
"""Bytes that a task may take, beside the maps of files that it looks at."""
NUMBERS, LINKS = "page-copies", "copies"
"""Arrays: (n,) int32, equal for copies; and (p, 2) int32, the pairs that are copies by their shingles."""
MEMBERS, STARTS = "copies/members", "copies/starts"
"""Arrays: the rows of stories that have several, story by story, and where each story begins."""


def find_copies(ground: Ground, runner: Runner) -> None:
    """Leaves who is a copy of whom: what `simrec.policy.duplicates.Copies` finds when all articles are added."""
    if ground.has(NUMBERS):
        return
    tasks = [Task(f"{span.part:06d}", (span.part,)) for span in ground.spans]
    runner.run("copies", look_for, tasks, memory=MEMORY)
    policy = ground.settings.policy
    apart = rows_of_ids(ground, policy.apart)
    links = _outside(np.concatenate([ground.part("copies-near", span.part) for span in ground.spans]), apart)
    stories = [_chain(rows_of_ids(ground, ids)) for ids in policy.same_story]
    texts = np.concatenate([ground.part("copies-texts", span.part) for span in ground.spans])
    edges = [links, _equal(texts, apart), _of_originals(ground, apart), *(_outside(one, apart) for one in stories)]
    numbers = _numbered(ground.n, np.concatenate(edges))
    _put_stories(ground, numbers)
    save(ground.engine / f"{LINKS}.npy", links)
    save(ground.engine / f"{NUMBERS}.npy", numbers)


def look_for(folder: str, part: int) -> Mapping[str, Any]:
    """The hashes of a part's texts, and the pairs of its articles with others that are copies by their shingles."""
    ground = Ground(folder)
    span = ground.spans[part]
    written = ground.put("copies-near", part, _near(ground, span))
    written += ground.put("copies-texts", part, _texts(ground, span))
    return {"rows": span.end - span.begin, "bytes": written}


def _texts(ground: Ground, span: Span) -> NDArray[np.uint64]:
    """(r, 2) the hashes of titles and bodies, as words cut to stems."""
    found = bytearray()
    sides = [(starts[span.begin : span.end + 1].tolist(), words) for starts, words in _sequences(ground)]
    for at in range(span.end - span.begin):
        digest = hashlib.blake2b(digest_size=16)
        for starts, words in sides:
            digest.update(words[starts[at] : starts[at + 1]].tobytes())
        found += digest.digest()
    return np.frombuffer(bytes(found), dtype=np.uint64).reshape(-1, 2)


def _near(ground: Ground, span: Span) -> Rows:
    """(p, 2) pairs of rows, the lower one first; where both stand in each other's lists, the lower one finds them."""
    lists, rules = lists_of(ground, "tfidf"), PairRules(ground.settings.policy, said_of(ground)["languages"])
    near = (lists.rows[span.begin : span.end] != NO_ROW) & (lists.scores[span.begin : span.end] >= LOOK_AT_COSINE)
    places = np.nonzero(near)
    ones = (places[0] + span.begin).astype(np.int32)
    others, cosines = lists.rows[ones, places[1]], lists.scores[ones, places[1]]
    theirs = (lists.rows[others] == ones[:, None]) & (lists.scores[others] >= LOOK_AT_COSINE)
    mine = (ones < others) | ~theirs.any(axis=1)
    last, languages = last_looked_at(lists.scores), ground.array("column-languages.0")
    pairs = seen(ones[mine], others[mine], cosines[mine], last, languages, rules)
    titles, bodies = _sequences(ground)
    found = near_pairs(titles, bodies, *pairs, last, ground.settings.policy.near_duplicate)
    return np.sort(np.array(list(found), dtype=np.int32).reshape(-1, 2), axis=1)


def _sequences(ground: Ground) -> list[tuple[Any, Any]]:
    arrays = [[ground.array(f"column-{name}_sequences.{at}") for at in (0, 1)] for name in ("title", "body")]
    return [(starts, words) for starts, words in arrays]


# Edges between rows


def _outside(pairs: Rows, apart: Rows) -> Rows:
    """The pairs that have no row that is nobody's copy."""
    return pairs[~np.isin(pairs, apart).any(axis=1)]


def _chain(rows: Rows) -> Rows:
    return np.stack([rows[:-1], rows[1:]], axis=1)


def _equal(hashes: NDArray[np.uint64], apart: Rows, rows: Rows | None = None) -> Rows:
    """(e, 2) edges that join the rows with equal hashes, but for some of them.

    Args:
        hashes: (r, 2).
        apart: rows that are nobody's copy.
        rows: (r,) whose hashes these are; None: of all.
    """
    order = np.lexsort((hashes[:, 1], hashes[:, 0])).astype(np.int32)
    order = order[~np.isin(order if rows is None else rows[order], apart)]
    same = (hashes[order[1:]] == hashes[order[:-1]]).all(axis=1)
    edges = np.stack([order[:-1][same], order[1:][same]], axis=1)
    return edges if rows is None else rows[edges]


def _of_originals(ground: Ground, apart: Rows) -> Rows:
    """(e, 2) edges that join who names an original, the others that do, and the original, where it is there."""
    names, originals = ground.array("page-names"), ground.array("page-originals")
    naming = np.flatnonzero(originals.any(axis=1)).astype(np.int32)
    naming = naming[~np.isin(naming, apart)]
    wanted = np.unique(originals[naming], axis=0)
    first = wanted[:, 0]  # the first half tells almost all apart; what it does not, the rest of the hash does
    maybe = np.flatnonzero(np.isin(names[:, 0], first)).astype(np.int32)
    rows = np.concatenate([naming, maybe])
    return _equal(np.concatenate([originals[naming], names[maybe]]), apart, rows)


def _numbered(n: int, edges: Rows) -> NDArray[np.int32]:
    """(n,) int32: for each row the lowest of those that edges join it with."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    numbers = np.arange(n, dtype=np.int32)
    rows, places = np.unique(edges, return_inverse=True)
    if not len(rows):
        return numbers
    one, other = places.reshape(edges.shape).T
    graph = coo_matrix((np.ones(len(one), dtype=np.int8), (one, other)), shape=(len(rows), len(rows)))
    labels = connected_components(graph, directed=False)[1]
    numbers[rows] = rows[np.unique(labels, return_index=True)[1]][labels]
    return numbers


def _put_stories(ground: Ground, numbers: NDArray[np.int32]) -> None:
    """Leaves the rows of stories that have several, story by story."""
    copies = np.flatnonzero(numbers != np.arange(len(numbers), dtype=np.int32)).astype(np.int32)
    rows = np.unique(np.concatenate([copies, numbers[copies]]))
    rows = rows[np.argsort(numbers[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(numbers[rows], prepend=NO_ROW))
    ground.save_array(MEMBERS, rows)
    ground.save_array(STARTS, np.append(starts, len(rows)))


# What others look at


class Stories(Mapping[int, list[int]]):
    """The rows of each number that several have, ascending: as `Copies.groups` has them.

    Args:
        ground: of a build whose copies are found.
    """

    def __init__(self, ground: Ground) -> None:
        self._members, self._starts = ground.folder_array(MEMBERS), ground.folder_array(STARTS)
        self._numbers = self._members[self._starts[:-1]]
        self._rows = lru_cache(1024)(self._of)

    def __getitem__(self, number: int) -> list[int]:
        return self._rows(int(number))

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers.tolist())

    def __len__(self) -> int:
        return len(self._numbers)

    def _of(self, number: int) -> list[int]:
        at = int(np.searchsorted(self._numbers, number))
        if at == len(self) or self._numbers[at] != number:
            raise KeyError(number)
        found: list[int] = self._members[self._starts[at] : self._starts[at + 1]].tolist()
        return found


class Found:
    """Who is a copy of whom, as far as ranking asks `simrec.policy.duplicates.Copies`.

    Args:
        ground: of a build whose copies are found.

    Attributes:
        numbers: (n,) int32, equal for copies: that of the first of them.
    """

    def __init__(self, ground: Ground) -> None:
        self.numbers = ground.array(NUMBERS)
        self._stories = Stories(ground)

    def groups(self) -> Stories:
        """The rows of each number that several have."""
        return self._stories


__all__ = ["Found", "find_copies"]
