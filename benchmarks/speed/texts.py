"""Articles to work on: real ones where SIMREC_CORPORA has them, made-up ones elsewhere."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from speed.context import Context

LARGE = "mslearn"
SYLLABLES = (
    "ba",
    "de",
    "fi",
    "go",
    "ku",
    "la",
    "me",
    "ni",
    "po",
    "ru",
    "sa",
    "te",
    "vi",
    "wo",
    "za",
    "chi",
    "stra",
    "lun",
)
WORDS = 20_000
"""Of the made-up language."""
TOPICS = 200
OWN = 0.35
"""Share of an article's words that are its topic's."""
LENGTH = 150
"""Words of a made-up article, in the middle."""
Record = dict[str, Any]


def articles_file(context: Context, n: int) -> Path:
    """A file of n articles as JSON lines: the same drawn at random from mslearn, or made up; fewer where it has fewer.

    Of two sizes, the smaller one's articles are all in the larger one.
    """
    path = context.work / f"articles-{n}.jsonl"
    if not path.exists():
        records = sample(real_file(context), n) if real_file(context) else made_up(n)
        with path.open("w", encoding="utf-8") as file:
            for record in records:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path


def source_of(context: Context) -> str:
    """What `articles_file` draws from."""
    return LARGE if real_file(context) else "made-up articles"


def real_file(context: Context) -> Path | None:
    """The large real corpus."""
    path = context.corpora / LARGE / "articles.jsonl.gz" if context.corpora else None
    return path if path and path.exists() else None


def sample(path: Path | None, n: int) -> list[Record]:
    """n records, by a shuffle that is always the same, in the file's order."""
    assert path
    lines = list(_lines(path))
    chosen = np.sort(np.random.default_rng(0).permutation(len(lines))[:n])
    return [json.loads(lines[place]) for place in chosen.tolist()]


def read(path: Path) -> list[Record]:
    """The records of a file."""
    return [json.loads(line) for line in _lines(path)]


def made_up(n: int, length: int = LENGTH) -> Iterator[Record]:
    """n articles of topics, with words as rare as Zipf's law has it, sections, tags and dates."""
    words = vocabulary()
    chance = 1 / np.arange(1, WORDS + 1)
    chance /= chance.sum()
    of_topic = [np.random.default_rng([1, topic]).permutation(WORDS) for topic in range(TOPICS)]
    first = datetime(2015, 1, 1, tzinfo=UTC)
    for number in range(n):
        rng = np.random.default_rng([2, number])
        topic = int(rng.integers(TOPICS))
        size = max(int(rng.lognormal(np.log(length), 0.5)), 20)
        drawn = rng.choice(WORDS, size=size, p=chance)
        own = rng.random(size) < OWN
        drawn[own] = of_topic[topic][drawn[own] % 500]
        text = [words[place] for place in drawn.tolist()]
        title = [words[place] for place in of_topic[topic][rng.integers(0, 50, 5)].tolist()]
        yield {
            "id": f"a{number:07d}",
            "title": " ".join(title).capitalize(),
            "body": _sentences(text),
            "section": f"section {topic % 12}",
            "tags": title[:2],
            "published_at": (first + timedelta(hours=2 * number)).isoformat(),
            "lang": "en",
        }


@cache
def vocabulary() -> list[str]:
    """The words of the made-up language, the frequent ones first and short."""
    short = ["".join(parts) for size in (2, 3, 4) for parts in product(SYLLABLES, repeat=size)]
    return short[:WORDS]


def _sentences(words: list[str]) -> str:
    lines = [" ".join(words[start : start + 14]).capitalize() + "." for start in range(0, len(words), 14)]
    return "\n\n".join(" ".join(lines[start : start + 4]) for start in range(0, len(lines), 4))


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        yield from file
