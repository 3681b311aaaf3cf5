"""The words of a site read part by part, and numbered as if they had been read one after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.embed.terms import Flat, Lexicon
from simrec.embed.words import adopt, read_forms
from simrec.pipeline.prior import text_hashes, training_hashes
from simrec.pipeline.vectorizers import Codes, folder_names, make_characters, make_paths, path_strings, tag_texts
from simrec.scale.dataset import read_articles
from simrec.scale.ground import PARTS, Ground, Span
from simrec.scale.tasks import Runner, Task
from simrec.scale.watching import by_driver
from simrec.types import Article, Text, primary

STAGE = "words"
OF_TEXTS, OF_TAGS = "texts", "tags"
"""What is read with a lexicon of its own."""
FOUND = "found"
"""Names of JSON files of parts: what a part has of everything that gets a number."""
GRAMS = {"characters": make_characters, "paths": make_paths}
CODES = ("authors", "sections", "folders")


class Read(NamedTuple):
    """The words of a site as the driver holds them.

    Attributes:
        lexicons: of texts and of tags.
        codes: numbers of authors, sections and folders.
        languages: sorted.
        grams: terms, sorted, and in how many articles each is; of the characters of titles, and of paths.
        seen: hashes of texts that rankers which ship with simrec were trained on.
    """

    lexicons: dict[str, Lexicon]
    codes: dict[str, Codes]
    languages: list[str]
    grams: dict[str, tuple[list[str], NDArray[np.int64]]]
    seen: frozenset[str]


def read_words(ground: Ground, runner: Runner) -> Read:
    """Reads all parts; leaves the numbers of each part's forms, as the whole site has them, in its parts."""
    runner.run(STAGE, read, [Task(f"{span.part:06d}", (span.part,)) for span in ground.spans], memory=MEMORY)
    with by_driver(runner, f"join {STAGE}", len(ground.spans)) as done:
        return _merged(ground, (_found(ground, span.part) for span in ground.spans), done)


MEMORY = 1_000_000_000
"""Bytes that a task may take."""


def read(folder: str, part: int) -> Mapping[str, Any]:
    """Reads one part."""
    ground = Ground(folder)
    span = ground.spans[part]
    articles = read_articles(ground, span)
    texts = texts_of(articles, ground.about["main_lang"])
    written, forms = 0, {}
    for name, read_ in ((OF_TEXTS, texts), (OF_TAGS, tag_texts(articles, texts))):
        lexicon = Lexicon()
        for place, flat in zip(("titles", "bodies"), read_forms(lexicon, read_), strict=True):
            written += ground.put(f"{name}-{place}.0", part, flat.starts)
            written += ground.put(f"{name}-{place}.1", part, flat.numbers)
        forms[name] = [lexicon.forms, lexicon.codes]
    found = {"forms": forms, **_names(articles, texts), "grams": _grams(articles)}
    written += ground.write_json(_path(ground, part), found)
    return {"rows": len(articles), "bytes": written}


def texts_of(articles: Sequence[Article], main_lang: str) -> list[Text]:
    """What embedders read of articles; a missing language is the site's most frequent one."""
    return [Text(article.title, article.body, article.lang or main_lang) for article in articles]


def words_of(ground: Ground, name: str, span: Span) -> tuple[Flat, Flat]:
    """Titles and bodies of a part, with the numbers of forms that the whole site has."""
    number = ground.part(f"{name}-numbers", span.part)
    flats = []
    for place in ("titles", "bodies"):
        starts, numbers = (ground.part(f"{name}-{place}.{at}", span.part) for at in (0, 1))
        flats.append(Flat(np.asarray(starts), np.asarray(number[numbers], dtype=np.int32)))
    return flats[0], flats[1]


def _names(articles: Sequence[Article], texts: Sequence[Text]) -> dict[str, Any]:
    """Names that get numbers, in the order in which they are first seen."""
    seen = training_hashes()
    return {
        "authors": _distinct(chain.from_iterable(article.authors for article in articles)),
        "sections": _distinct(article.section for article in articles),
        "folders": _distinct(folder_names(articles)),
        "languages": sorted({primary(text.lang) for text in texts}),
        "seen": sorted(seen.intersection(text_hashes(texts))),
    }


def _grams(articles: Sequence[Article]) -> dict[str, Any]:
    strings = {"characters": [article.title for article in articles], "paths": path_strings(articles)}
    found = {}
    for name, make in GRAMS.items():
        terms, counts = make().count(strings[name])
        found[name] = [terms, np.bincount(counts.indices, minlength=len(terms))[: len(terms)].tolist()]
    return found


def _distinct(names: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))


def _path(ground: Ground, part: int) -> Path:
    return ground.folder / PARTS / FOUND / f"{part:06d}.json"


def _found(ground: Ground, part: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_path(ground, part).read_text(encoding="utf-8"))
    return found


def _merged(ground: Ground, parts: Iterable[dict[str, Any]], done: Callable[[Mapping[str, Any]], None]) -> Read:
    """Puts what parts have together, in their order, and says when each is done."""
    lexicons = {name: Lexicon() for name in (OF_TEXTS, OF_TAGS)}
    codes, languages, seen = {name: Codes() for name in CODES}, set[str](), set[str]()
    df: dict[str, dict[str, int]] = {name: {} for name in GRAMS}
    for part, found in enumerate(parts):
        for name, forms in found["forms"].items():
            ground.put(f"{name}-numbers", part, adopt(lexicons[name], *forms))
        for name in CODES:
            codes[name].of(found[name])
        languages.update(found["languages"])
        seen.update(found["seen"])
        for name, (terms, counts) in found["grams"].items():
            of = df[name]
            for term, count in zip(terms, counts, strict=True):
                of[term] = of.get(term, 0) + count
        done({"rows": ground.spans[part].end - ground.spans[part].begin})
    grams = {name: _sorted(of) for name, of in df.items()}
    return Read(lexicons, codes, sorted(languages), grams, frozenset(seen))


def _sorted(df: Mapping[str, int]) -> tuple[list[str], NDArray[np.int64]]:
    terms = sorted(df)
    return terms, np.array([df[term] for term in terms], dtype=np.int64)
