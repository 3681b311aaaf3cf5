"""Texts read once: the words of titles and bodies as numbers, for all that counts or compares words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.embed.terms import Flat, Lexicon
from simrec.types import Rows, Text

FORMAT = 1
"""Raise it when the same texts have other words: what was saved before is then left alone."""
NAMES = ("title_starts", "title_words", "body_starts", "body_words")
"""Of the files that words are saved in."""
BLOCK = 16_000_000
"""Characters that a process reads at once."""
BLOCKS = 4
"""From so many on, other processes are worth their start."""


@dataclass(frozen=True, eq=False)
class Words:
    """The forms of n texts, in order; titles and bodies apart.

    Attributes:
        lexicon: what the numbers stand for. It may know more, and grow.
        titles, bodies: numbers of forms.

    >>> words = analyze([Text("Bridges", "A bridge is closed.", "en")])
    >>> [words.lexicon.forms[form] for form in words.bodies.numbers]
    ['bridge', 'is', 'closed']
    >>> words.stems(words.titles).numbers.tolist(), words.stems(words.bodies).numbers.tolist()
    ([0], [0, 1, 2])
    """

    lexicon: Lexicon
    titles: Flat
    bodies: Flat

    def __len__(self) -> int:
        return len(self.titles.starts) - 1

    def only_titles(self) -> Words:
        """The same texts with empty bodies."""
        return replace(self, bodies=nothing(len(self)))

    def only_bodies(self) -> Words:
        """The same texts with empty titles."""
        return replace(self, titles=nothing(len(self)))

    def titles_as_bodies(self) -> Words:
        """Texts without a title, whose bodies are the titles of these."""
        return Words(self.lexicon, nothing(len(self)), self.titles)

    def take(self, rows: Rows) -> Words:
        """Some of the texts, in the order of `rows` (r,)."""
        return Words(self.lexicon, _take(self.titles, rows), _take(self.bodies, rows))

    def followed_by(self, others: Words) -> Words:
        """These texts, then others that were read with the same lexicon.

        Raises:
            ValueError: their lexicon is another.
        """
        if others.lexicon is not self.lexicon:
            raise ValueError("words of two lexicons cannot be joined: read both with one")
        return Words(self.lexicon, _join([self.titles, others.titles]), _join([self.bodies, others.bodies]))

    def save(self, folder: Path) -> None:
        """Writes the words and their lexicon into `folder`, as JSON and .npy."""
        lexicon = {"forms": self.lexicon.forms, "codes": self.lexicon.codes}
        (folder / "lexicon.json").write_text(json.dumps(lexicon, ensure_ascii=False), encoding="utf-8")
        arrays: list[NDArray[Any]] = [*self.titles, *self.bodies]
        for name, array in zip(NAMES, arrays, strict=True):
            np.save(folder / f"{name}.npy", array, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Words:
        """Reads what `save` wrote."""
        learned = json.loads((folder / "lexicon.json").read_text(encoding="utf-8"))
        lexicon = Lexicon()
        for form in zip(learned["forms"], learned["codes"], strict=True):
            lexicon.number(*form)
        arrays = [np.load(folder / f"{name}.npy", allow_pickle=False) for name in NAMES]
        return cls(lexicon, Flat(*arrays[:2]), Flat(*arrays[2:]))

    def stems(self, part: Flat) -> Flat:
        """The stems of the titles, or of the bodies, in order."""
        return Flat(part.starts, self.lexicon.stemming().numbers()[part.numbers])


def analyze(texts: Sequence[Text], lexicon: Lexicon | None = None, processes: int | None = None) -> Words:
    """Reads texts, in processes side by side where there is enough to read.

    Args:
        texts: the texts.
        lexicon: knows words from before, and learns those that are new; None: a new one.
        processes: how many; None: as many as there are cores. The result does not depend on it.
    """
    from joblib import Parallel, cpu_count, delayed

    lexicon = Lexicon() if lexicon is None else lexicon
    blocks = list(_blocks(texts))
    if len(blocks) < BLOCKS or (processes or cpu_count()) == 1:
        parts = [read_forms(lexicon, block) for block in blocks]
    else:
        read = Parallel(n_jobs=processes or -1, return_as="generator")(delayed(_read_apart)(block) for block in blocks)
        parts = [_adopt(lexicon, *found) for found in read]
    titles, bodies = zip(*parts, strict=True)
    return Words(lexicon, _join(titles), _join(bodies))


def sequences(words: Words) -> tuple[Flat, Flat, NDArray[np.float32]]:
    """The stems of titles and of bodies in order, and each stem's IDF, ln((n + 2) / (1 + bodies that have it)).

    Returns:
        Titles, bodies, and (stems of the lexicon,) float32. A stem's number never changes while its lexicon grows.
    """
    titles, bodies = words.stems(words.titles), words.stems(words.bodies)
    stems = len(words.lexicon.stemming().stems)
    return titles, bodies, stem_weights(stems_in(bodies, stems), len(words))


def stems_in(bodies: Flat, stems: int) -> NDArray[np.int64]:
    """(stems,) in how many bodies, given by their stems, each is."""
    from simrec.embed.count_kernels import document_frequency

    same = np.arange(stems, dtype=np.int32)
    found: NDArray[np.int64] = document_frequency(nothing(len(bodies.starts) - 1), bodies, same, stems)
    return found


def stem_weights(df: NDArray[np.int64], n: int) -> NDArray[np.float32]:
    """(stems,) float32: the IDF of stems in `df` (stems,) of n bodies."""
    return np.log((n + 2) / (np.float32(1) + df.astype(np.float32))).astype(np.float32)


def read_forms(lexicon: Lexicon, texts: Sequence[Text]) -> tuple[Flat, Flat]:
    """The titles' forms and the bodies'; the lexicon learns text by text, so that blocks can be read apart."""
    parts = lexicon.read((part, text.lang) for text in texts for part in (text.title, text.body))
    lengths = np.diff(parts.starts)
    is_title = np.repeat(np.arange(len(lengths)) % 2 == 0, lengths)
    return (
        Flat(_starts(lengths[::2]), parts.numbers[is_title]),
        Flat(_starts(lengths[1::2]), parts.numbers[~is_title]),
    )


def _read_apart(texts: Sequence[Text]) -> tuple[list[str], list[str], Flat, Flat]:
    lexicon = Lexicon()
    titles, bodies = read_forms(lexicon, texts)
    return lexicon.forms, lexicon.codes, titles, bodies


def adopt(lexicon: Lexicon, forms: Sequence[str], codes: Sequence[str]) -> NDArray[np.int32]:
    """(forms,) the numbers that a lexicon gives to forms of another, in their languages; it learns new ones."""
    return np.array([lexicon.number(*form) for form in zip(forms, codes, strict=True)], dtype=np.int32)


def _adopt(lexicon: Lexicon, forms: list[str], codes: list[str], titles: Flat, bodies: Flat) -> tuple[Flat, Flat]:
    number = adopt(lexicon, forms, codes)
    return Flat(titles.starts, number[titles.numbers]), Flat(bodies.starts, number[bodies.numbers])


def _blocks(texts: Sequence[Text]) -> Iterator[Sequence[Text]]:
    start, size = 0, 0
    for end, text in enumerate(texts, 1):
        size += len(text.title) + len(text.body)
        if size >= BLOCK:
            yield texts[start:end]
            start, size = end, 0
    if start < len(texts) or not texts:
        yield texts[start:]


def _join(parts: Sequence[Flat]) -> Flat:
    if len(parts) == 1:
        return parts[0]
    lengths = np.concatenate([np.diff(part.starts) for part in parts])
    return Flat(_starts(lengths), np.concatenate([part.numbers for part in parts]))


def _take(part: Flat, rows: Rows) -> Flat:
    starts, ends = part.starts[:-1][rows], part.starts[1:][rows]
    pieces = [part.numbers[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    return Flat(_starts(ends - starts), np.concatenate([np.zeros(0, dtype=np.int32), *pieces]))


def nothing(n: int) -> Flat:
    """n empty texts."""
    return Flat(np.zeros(n + 1, dtype=np.int64), np.zeros(0, dtype=np.int32))


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
