"""n-grams of words counted, text by text: what TF-IDF weighs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from simrec.embed.terms import Flat, Stemming
from simrec.embed.words import Words
from simrec.errors import UsageError
from simrec.text import is_unspaced
from simrec.types import Mask

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

BLOCK = 1_000_000
"""Words that a thread counts at once."""
SHARES = 16
"""Parts in which the keys of all blocks are put together, to need little memory beside them."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Counts(NamedTuple):
    """n-grams of some texts.

    Attributes:
        starts: (texts + 1,) int64, where those of each text begin.
        keys: (m,) int64, see `Vocabulary`; ascending within a text.
        counts: (m,) float32, how often the text has it.
    """

    starts: NDArray[np.int64]
    keys: NDArray[np.int64]
    counts: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Terms as numbers, for compiled loops: each has a key, and keys are ordered as the terms' names.

    A key has a digit for each word of the longest n-gram, the first word's first. The digit is 1 more than the word's
    place in `words`, and 0 where the n-gram is shorter: a space comes before all that a word is made of.

    Attributes:
        words: all words that terms are made of, sorted.
        ngrams: the longest n-gram.
        keys: (terms,) int64, ascending.

    Raises:
        UsageError: there are too many words for n-grams of this length.
    """

    words: Sequence[str]
    ngrams: int
    keys: NDArray[np.int64]

    @classmethod
    def of_terms(cls, terms: Sequence[str], ngrams: int) -> Vocabulary:
        """The vocabulary that has these terms, given in the order of their names.

        >>> Vocabulary.of_terms(["bridg", "bridg close", "close"], 2).keys.tolist()
        [3, 5, 6]
        """
        split = [term.split(" ") for term in terms]
        words = sorted({word for gram in split for word in gram})
        digit = {word: number for number, word in enumerate(words, 1)}
        powers = _powers(len(words), ngrams)
        keys = np.zeros(len(terms), dtype=np.int64)
        for place, power in enumerate(powers.tolist()):
            keys += power * np.array([digit[gram[place]] if place < len(gram) else 0 for gram in split], dtype=np.int64)
        return cls(words, ngrams, keys)

    def names(self) -> list[str]:
        """The terms: words joined by a space.

        >>> Vocabulary(["bridg", "close"], 2, np.array([3, 5, 6])).names()
        ['bridg', 'bridg close', 'close']
        """
        first, *others = self._digits()
        grams = np.array(["", *self.words], dtype=object)[first]
        spaced = np.array(["", *(f" {word}" for word in self.words)], dtype=object)
        for digits in others:
            grams += spaced[digits]
        names: list[str] = grams.tolist()
        return names

    def in_terms(self) -> list[str]:
        """The words that stand in a term, sorted: those in texts enough for a term may stand in none."""
        used = np.unique(np.concatenate(self._digits()))
        return [self.words[digit - 1] for digit in used[used > 0].tolist()]

    def count(self, words: Words, stemming: Stemming, title_weight: int) -> csr_matrix:
        """(n, terms) float32: how often each text has each term; its title counts `title_weight` times."""
        return self.matrix(self.count_all(words, stemming, title_weight))

    def count_all(self, words: Words, stemming: Stemming, title_weight: int) -> list[Counts]:
        """The n-grams of `words` in blocks of texts, terms or not."""
        titles, bodies, stems, names = _stems(words, stemming)
        return self.count_coded(titles, bodies, self.codes_of(names)[stems], title_weight)

    def codes_of(self, names: Sequence[str]) -> NDArray[np.int32]:
        """(names,) the place of each in `words`, -1 for one that is not there."""
        return np.fromiter((self._code.get(name, -1) for name in names), dtype=np.int32, count=len(names))

    def count_coded(self, titles: Flat, bodies: Flat, code_of: NDArray[np.int32], title_weight: int) -> list[Counts]:
        """The same, of texts that are numbers; `code_of` (numbers,) is the place of each in `words`, or -1."""
        from simrec.embed.count_kernels import count_keys

        def count(span: tuple[int, int]) -> Counts:
            return Counts(*count_keys(titles, bodies, title_weight, code_of, self._joins, self._powers, *span))

        return _each(count, _spans(titles, bodies))

    def matrix(self, blocks: Sequence[Counts]) -> csr_matrix:
        """(n, terms) float32 of counted n-grams; those that are no terms fall out."""
        from scipy.sparse import csr_matrix

        from simrec.embed.count_kernels import find_columns

        power = int(self._powers[0])

        def find(block: Counts) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
            return find_columns(*block, self.keys, self._firsts, power)  # type: ignore[no-any-return]

        lengths, columns, counts = map(np.concatenate, zip(*_each(find, blocks), strict=True))
        starts = np.concatenate([[0], np.cumsum(lengths)])
        return csr_matrix((counts, columns, starts), shape=(len(lengths), len(self.keys)))

    def _digits(self) -> list[NDArray[np.int64]]:
        """The digits of all keys, place by place."""
        return [self.keys // power % (len(self.words) + 1) for power in self._powers]

    @cached_property
    def _code(self) -> dict[str, int]:
        return {word: code for code, word in enumerate(self.words)}

    @cached_property
    def _joins(self) -> Mask:
        """(words,) whether it forms n-grams with its neighbors: n-grams of characters do not."""
        return np.array([not is_unspaced(word) for word in self.words], dtype=bool)

    @cached_property
    def _powers(self) -> NDArray[np.int64]:
        return _powers(len(self.words), self.ngrams)

    @cached_property
    def _firsts(self) -> NDArray[np.int64]:
        """(words + 2,) where the keys that begin with each digit do."""
        firsts = np.arange(len(self.words) + 2) * self._powers[0]
        found: NDArray[np.int64] = np.searchsorted(self.keys, firsts).astype(np.int64)
        return found


def learn(
    words: Words, stemming: Stemming, ngrams: int, title_weight: int, least: int, most: float
) -> tuple[Vocabulary, NDArray[np.int64], csr_matrix]:
    """Finds the terms of texts, and counts them.

    Args:
        words: the texts.
        stemming: of the lexicon of `words`.
        ngrams: the longest n-gram, in words.
        title_weight: how often the title counts.
        least, most: a term is in at least and at most so many texts.

    Returns:
        The vocabulary, (terms,) the texts that have each term, and (n, terms) float32 counts.

    Raises:
        UsageError: there are too many words for n-grams of this length.
    """
    known = Vocabulary(_frequent(words, stemming, title_weight, least), ngrams, np.zeros(0, dtype=np.int64))
    blocks = known.count_all(words, stemming, title_weight)
    keys, df = distinct_keys(blocks)
    keep = (df >= least) & (df <= most)
    vocabulary = Vocabulary(known.words, ngrams, keys[keep])
    return vocabulary, df[keep], vocabulary.matrix(blocks)


def _frequent(words: Words, stemming: Stemming, title_weight: int, least: int) -> list[str]:
    """The words in enough texts, sorted: no n-gram of others is."""
    from simrec.embed.count_kernels import document_frequency

    titles, bodies, stems, names = _stems(words if title_weight > 0 else words.only_bodies(), stemming)
    return frequent(document_frequency(titles, bodies, stems, len(names)), names, least)


def frequent(df: NDArray[np.int64], names: Sequence[str], least: int) -> list[str]:
    """The words in enough texts, sorted; `df` (names,) is in how many each is."""
    return sorted(names[stem] for stem in np.flatnonzero(df >= max(least, 1)).tolist())


def distinct_keys(blocks: Sequence[Counts]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All distinct keys, ascending, and the texts that have each."""
    from simrec.embed.count_kernels import runs

    found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = _each(lambda block: runs(np.sort(block.keys)), blocks)
    sample = np.sort(np.concatenate([keys[::SHARES] for keys, _ in found]))
    borders = sample[np.arange(1, SHARES) * len(sample) // SHARES] if len(sample) else sample
    cuts = [np.concatenate([[0], np.searchsorted(keys, borders), [len(keys)]]) for keys, _ in found]

    def put_together(share: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        spans = [slice(cut[share], cut[share + 1]) for cut in cuts]
        keys = np.concatenate([keys[span] for (keys, _), span in zip(found, spans, strict=True)])
        times = np.concatenate([times[span] for (_, times), span in zip(found, spans, strict=True)])
        order = np.argsort(keys)
        distinct, lengths = runs(keys[order])
        return distinct, np.add.reduceat(times[order], np.cumsum(lengths) - lengths) if len(distinct) else lengths

    keys, df = zip(*_each(put_together, range(len(borders) + 1)), strict=True)
    return np.concatenate(keys), np.concatenate(df)


def _stems(words: Words, stemming: Stemming) -> tuple[Flat, Flat, NDArray[np.int32], Sequence[str]]:
    """Titles, bodies, the stem of each form in them, and the stems; of the lexicon, or of the few words at hand."""
    of_form = stemming.numbers()
    in_titles = len(words.titles.numbers)
    if in_titles + len(words.bodies.numbers) >= len(of_form):
        return words.titles, words.bodies, of_form, stemming.stems
    forms, at = np.unique(np.concatenate([words.titles.numbers, words.bodies.numbers]), return_inverse=True)
    numbers: NDArray[np.int32] = at.astype(np.int32)
    stems, of_few = np.unique(of_form[forms], return_inverse=True)
    titles, bodies = Flat(words.titles.starts, numbers[:in_titles]), Flat(words.bodies.starts, numbers[in_titles:])
    return titles, bodies, of_few.astype(np.int32), [stemming.stems[stem] for stem in stems.tolist()]


def places_of(key: int, words: int, ngrams: int) -> list[int]:
    """The places of a key's words, in their order, among so many words: see `Vocabulary`.

    >>> places_of(5, 2, 2)
    [0, 1]
    """
    digits = []
    for _ in range(ngrams):
        key, digit = divmod(key, words + 1)
        digits.append(digit)
    return [digit - 1 for digit in reversed(digits) if digit]


def _powers(words: int, ngrams: int) -> NDArray[np.int64]:
    base = words + 1
    if base**ngrams >= 2**63:
        raise UsageError(f"{words} words are too many for n-grams of {ngrams}: lower ngrams, or raise min_df")
    return np.array([base ** (ngrams - 1 - place) for place in range(ngrams)], dtype=np.int64)


def _spans(titles: Flat, bodies: Flat) -> list[tuple[int, int]]:
    """Where blocks of some `BLOCK` words begin and end; one at least."""
    words = titles.starts + bodies.starts
    borders = np.searchsorted(words, np.arange(BLOCK, int(words[-1]), BLOCK))
    return list(pairwise([0, *np.unique(borders[borders > 0]).tolist(), len(words) - 1]))


def _each(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """What each item becomes, in their order; in threads where there are several."""
    if len(items) == 1:
        return [work(items[0])]
    from joblib import Parallel, delayed

    return list(Parallel(n_jobs=-1, prefer="threads")(delayed(work)(item) for item in items))
