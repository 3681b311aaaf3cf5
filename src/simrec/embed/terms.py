"""Language-aware terms: stemmed words and their n-grams, or characters' n-grams where a script has no spaces."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from simrec.text import UNSPACED
from simrec.types import primary

_RUN = re.compile(rf"([{UNSPACED}]+)|((?:(?![{UNSPACED}])\w)+(?:['’](?:(?![{UNSPACED}])\w)+)*)")
_APOSTROPHE = re.compile(r"['’].*")

CHARACTER_NGRAMS = (1, 2, 3)

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


class Analyzer:
    """Turns texts into terms.

    Words are case-folded runs of letters and digits, at least two characters long, cut to their stems where `stem` is
    set and the language has a Snowball stemmer. n-grams of 1 to `ngrams` words are joined by a space. Runs in a script
    without spaces become n-grams of 1 to 3 characters.

    >>> Analyzer(ngrams=2).terms("Closed bridges", "en")
    ['close', 'bridg', 'close bridg']
    >>> Analyzer(ngrams=2).terms("橋は閉鎖", "ja")[:4]
    ['橋', 'は', '閉', '鎖']
    """

    def __init__(self, ngrams: int = 2, stem: bool = True) -> None:
        self.ngrams = ngrams
        self.stem = stem
        self._seen: dict[str, Counter[str]] = {}
        self._stems: dict[str, dict[str, str]] = {}
        self._stemmers: dict[str, Callable[[str], str] | None] = {}

    def terms(self, text: str, lang: str) -> list[str]:
        """All terms of a text, in order of length of n-gram, repeated as often as they occur."""
        stemmed: list[str] = []
        words: list[str] = []
        characters: list[str] = []
        code = primary(lang)
        stems = self._stems.setdefault(code, {})
        for unspaced, word in _RUN.findall(text.casefold()):
            if unspaced:
                characters.extend(_character_ngrams(unspaced))
            elif len(word) > 1:
                words.append(word)
                stem = stems.get(word)
                stemmed.append(stem if stem is not None else self._learn(word, code, stems))
        self._seen.setdefault(code, Counter()).update(words)
        grams = list(stemmed)
        for n in range(2, self.ngrams + 1):
            grams += [" ".join(gram) for gram in zip(*(stemmed[i:] for i in range(n)), strict=False)]
        return grams + characters

    def surface(self) -> dict[str, str]:
        """The most frequent word that was cut to each stem, where it is not the stem itself: to show to people.

        >>> analyzer = Analyzer()
        >>> _ = analyzer.terms("Bridges, bridges and a bridging loan", "en")
        >>> analyzer.surface()["bridg"]
        'bridges'
        """
        best: dict[str, tuple[int, int, str]] = {}
        for code, seen in self._seen.items():
            for word, count in seen.items():
                stem, bare = self._stems[code][word], _bare(word, code)
                best[stem] = max(best.get(stem, (0, 0, "")), (count, -len(bare), bare))
        return {stem: word for stem, (_, _, word) in sorted(best.items()) if stem != word}

    def _learn(self, word: str, code: str, stems: dict[str, str]) -> str:
        stemmer = self._stemmer(code)
        bare = _bare(word, code)
        stems[word] = stemmer(bare) if stemmer else bare
        return stems[word]

    def _stemmer(self, code: str) -> Callable[[str], str] | None:
        if code not in self._stemmers:
            self._stemmers[code] = _snowball(STEMMERS[code]) if self.stem and code in STEMMERS else None
        return self._stemmers[code]


def _bare(word: str, code: str) -> str:
    """The word without its English ending: the bridge's, but not l'eau."""
    return _APOSTROPHE.sub("", word) if code == "en" else word


def _snowball(name: str) -> Callable[[str], str] | None:
    import Stemmer

    if name not in Stemmer.algorithms():
        return None
    stemmer: Any = Stemmer.Stemmer(name)
    return stemmer.stemWord  # type: ignore[no-any-return]


def _character_ngrams(run: str) -> Iterator[str]:
    for n in CHARACTER_NGRAMS:
        for start in range(len(run) - n + 1):
            yield run[start : start + n]
