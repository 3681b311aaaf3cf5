"""Language-aware words: runs of letters cut to stems, or characters' n-grams where a script has no spaces.

Words are case-folded runs of letters and digits, at least two characters long, cut to their stems where the language
has a Snowball stemmer. Runs in a script without spaces become n-grams of 1 to 3 characters; they stand behind words.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.text import UNSPACED, is_unspaced
from simrec.types import primary

CHARACTER_NGRAMS = (1, 2, 3)

_ANY_UNSPACED = re.compile(f"[{UNSPACED}]")
_RUN = re.compile(rf"([{UNSPACED}]+)|([^\W{UNSPACED}]+(?:['’][^\W{UNSPACED}]+)*)")
_PIECE = re.compile(r"[\w'’\u0345]+")  # U+0345 alone is no letter, but case-folds to one
_SPACED_OUT = "".join(c if c.isalnum() or c in "_'" else " " for c in map(chr, range(128)))
_APOSTROPHE = re.compile(r"['’].*")

STEMMERS = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
"""The Snowball stemmer of each ISO 639-1 language that has one."""


class Flat(NamedTuple):
    """Numbers of n texts, in order: those of text i are numbers[starts[i]:starts[i + 1]]."""

    starts: NDArray[np.int64]
    numbers: NDArray[np.int32]


class Lexicon:
    """Numbers the words of texts, in the order in which they are first seen; a number once given stays.

    A *form* is a word of a language as it stands in texts; its stem is what it is compared by. One lexicon must not
    read in two threads at once.

    Attributes:
        forms: the words, or n-grams of characters, by number.
        codes: the language of each form; "" for n-grams of characters.

    >>> lexicon = Lexicon()
    >>> lexicon.read([("Closed bridges", "en"), ("The bridge closes", "en")]).numbers.tolist()
    [0, 1, 2, 3, 4]
    >>> stemming = lexicon.stemming()
    >>> stemming.numbers().tolist(), stemming.stems
    ([0, 1, 2, 1, 0], ['close', 'bridg', 'the'])
    """

    def __init__(self) -> None:
        self.forms: list[str] = []
        self.codes: list[str] = []
        self._numbers: dict[str, dict[str, int]] = {}
        self._pieces: dict[str, _Pieces] = {}
        self._several: list[list[int]] = []
        self._stemmings = {stem: Stemming(self, stem) for stem in (True, False)}

    def __len__(self) -> int:
        return len(self.forms)

    def read(self, texts: Iterable[tuple[str, str]]) -> Flat:
        """The forms of each of some texts, given with its language: words in order, then n-grams of characters."""
        raw, lengths = array("i"), array("q")
        for text, lang in texts:
            before = len(raw)
            code = primary(lang)
            if not text.isascii() and _ANY_UNSPACED.search(text):
                raw.extend(self._read_mixed(text, code))
            else:
                pieces = text.translate(_SPACED_OUT).split() if text.isascii() else _PIECE.findall(text)
                known = self._pieces.get(code) or self._pieces.setdefault(code, _Pieces(self, code))
                raw.extend(map(known.__getitem__, pieces))
            lengths.append(len(raw) - before)
        return self._flat(np.array(raw, dtype=np.int32), np.array(lengths, dtype=np.int64))

    def number(self, form: str, code: str) -> int:
        """The number of a form of a language, a new one if it is new."""
        numbers = self._numbers.get(code)
        if numbers is None:
            numbers = self._numbers[code] = {}
        found = numbers.get(form)
        if found is None:
            found = numbers[form] = len(self.forms)
            self.forms.append(form)
            self.codes.append(code)
        return found

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Forgets the words again that are learned meanwhile; their numbers are given anew."""
        lists: list[Any] = [self.forms, self.codes, self._several]
        held: list[Any] = [self._numbers, self._pieces]
        for stemming in self._stemmings.values():
            stemming.numbers()  # what is known now is not learned meanwhile
            lists += [stemming.stems, stemming._of_form]
            held.append({"": stemming._number_of})
        known, counts = [{code: len(of) for code, of in one.items()} for one in held], [len(one) for one in lists]
        try:
            yield
        finally:
            for one, sizes in zip(held, known, strict=True):
                for code, numbers in one.items():
                    while len(numbers) > sizes.get(code, 0):
                        numbers.popitem()  # the last that came
            for several, count in zip(lists, counts, strict=True):
                del several[count:]

    def stemming(self, stem: bool = True) -> Stemming:
        """What each form is compared by: its stem; or, without stemming, the word itself."""
        return self._stemmings[stem]

    def _read_mixed(self, text: str, code: str) -> list[int]:
        words: list[int] = []
        characters: list[int] = []
        for unspaced, word in _RUN.findall(text.casefold()):
            if unspaced:
                characters.extend(self.number(gram, "") for gram in _character_ngrams(unspaced))
            elif len(word) > 1:
                words.append(self.number(word, code))
        return words + characters

    def _learn(self, piece: str, code: str) -> int:
        """The number of a piece's only word; below 0: it has none, or the list at ~number - 1 of several."""
        found = [self.number(word, code) for _, word in _RUN.findall(piece.casefold()) if len(word) > 1]
        if len(found) == 1:
            return found[0]
        if not found:
            return -1
        self._several.append(found)
        return -1 - len(self._several)

    def _flat(self, raw: NDArray[np.int32], lengths: NDArray[np.int64]) -> Flat:
        """Puts words in the place of pieces."""
        starts = _starts(lengths)
        odd = np.flatnonzero(raw < 0)
        if not len(odd):
            return Flat(starts, raw)
        words = [self._several[-2 - piece] if piece < -1 else [] for piece in raw[odd].tolist()]
        repeats = np.ones(len(raw), dtype=np.int64)
        repeats[odd] = [len(several) for several in words]
        borders = _starts(repeats)
        numbers = np.repeat(raw, repeats)
        numbers[numbers < 0] = list(chain.from_iterable(words))
        return Flat(borders[starts], numbers)


class _Pieces(dict[str, int]):
    """What stands between spaces and signs in texts of one language, and the number of the word in it; grows."""

    def __init__(self, lexicon: Lexicon, code: str) -> None:
        super().__init__()
        self._lexicon = lexicon
        self._code = code

    def __missing__(self, piece: str) -> int:
        number = self[piece] = self._lexicon._learn(piece, self._code)
        return number


class Stemming:
    """Numbers of the stems of a lexicon's forms; a number once given stays.

    Attributes:
        stems: by number. It grows with the lexicon, when `numbers` is called.
    """

    def __init__(self, lexicon: Lexicon, stem: bool) -> None:
        self.stems: list[str] = []
        self._lexicon = lexicon
        self._stem = stem
        self._number_of: dict[str, int] = {}
        self._of_form = array("i")
        self._stemmers: dict[str, Callable[[str], str] | None] = {}

    def numbers(self) -> NDArray[np.int32]:
        """(forms,) the number of each form's stem."""
        forms, codes = self._lexicon.forms, self._lexicon.codes
        for form in range(len(self._of_form), len(forms)):
            stem = self._cut(forms[form], codes[form])
            number = self._number_of.setdefault(stem, len(self.stems))
            if number == len(self.stems):
                self.stems.append(stem)
            self._of_form.append(number)
        return np.array(self._of_form, dtype=np.int32)

    def surface(self, counts: NDArray[np.int64], among: Iterable[str]) -> dict[str, str]:
        """The most frequent word that was cut to each stem, where it is not the stem itself: to show to people.

        Args:
            counts: (forms,) how often each form was seen.
            among: the stems to show, each of a form of the lexicon.

        >>> lexicon = Lexicon()
        >>> seen = lexicon.read([("Bridges, bridges and a bridging loan", "en")]).numbers
        >>> lexicon.stemming().surface(np.bincount(seen), ["bridg"])
        {'bridg': 'bridges'}
        """
        of_form = self.numbers()[: len(counts)]
        wanted = np.zeros(len(self.stems), dtype=bool)
        wanted[[self._number_of[stem] for stem in among]] = True
        best: dict[int, tuple[int, int, str]] = {}
        for form in np.flatnonzero(wanted[of_form] & (counts > 0)).tolist():
            bare = _bare(self._lexicon.forms[form], self._lexicon.codes[form])
            stem = self._of_form[form]
            best[stem] = max(best.get(stem, (0, 0, "")), (int(counts[form]), -len(bare), bare))
        shown = {self.stems[stem]: word for stem, (_, _, word) in best.items()}
        return {stem: word for stem, word in sorted(shown.items()) if stem != word}

    def _cut(self, form: str, code: str) -> str:
        if code not in self._stemmers:
            self._stemmers[code] = _snowball(STEMMERS[code]) if self._stem and code in STEMMERS else None
        stemmer = self._stemmers[code]
        bare = _bare(form, code)
        return stemmer(bare) if stemmer else bare


class Analyzer:
    """Turns texts into terms, one at a time: n-grams of 1 to `ngrams` words, joined by a space.

    >>> Analyzer(ngrams=2).terms("Closed bridges", "en")
    ['close', 'bridg', 'close bridg']
    >>> Analyzer(ngrams=2).terms("橋は閉鎖", "ja")[:4]
    ['橋', 'は', '閉', '鎖']
    """

    def __init__(self, ngrams: int = 2, stem: bool = True) -> None:
        self.ngrams = ngrams
        self._lexicon = Lexicon()
        self._stemming = self._lexicon.stemming(stem)

    def terms(self, text: str, lang: str) -> list[str]:
        """All terms of a text, in order of length of n-gram, repeated as often as they occur."""
        forms = self._lexicon.read([(text, lang)]).numbers
        stems = [self._stemming.stems[stem] for stem in self._stemming.numbers()[forms].tolist()]
        words = [stem for stem in stems if not is_unspaced(stem)]
        grams = list(words)
        for n in range(2, self.ngrams + 1):
            grams += [" ".join(gram) for gram in zip(*(words[i:] for i in range(n)), strict=False)]
        return grams + stems[len(words) :]


def _starts(lengths: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def _bare(word: str, code: str) -> str:
    """The word without its English ending: the bridge's, but not l'eau."""
    return _APOSTROPHE.sub("", word) if code == "en" and not word.isalnum() else word


def _snowball(name: str) -> Callable[[str], str] | None:
    import Stemmer

    if name not in Stemmer.algorithms():
        return None
    stemmer: Any = Stemmer.Stemmer(name)
    stemmer.maxCacheSize = 0  # each word is asked for once; the cache would only be purged
    return stemmer.stemWord  # type: ignore[no-any-return]


def _character_ngrams(run: str) -> Iterator[str]:
    for n in CHARACTER_NGRAMS:
        for start in range(len(run) - n + 1):
            yield run[start : start + n]
