"""The sentence model distilled on the words of a site that no machine could hold: counted in parts, the same counts.

A part's chunks, what stands between two spaces, are counted and cut by their hash into shares; a share is then merged
over all parts. The words that get a vector of their own are the most frequent of those of all shares.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from simrec.embed.cache import write_folder
from simrec.embed.distill import count_words, most_frequent
from simrec.embed.static import StaticEmbedder, count_chunks, count_tokens
from simrec.files import write_streamed
from simrec.scale.backends import cache_of
from simrec.scale.dataset import read_texts
from simrec.scale.ground import PARTS, Ground
from simrec.scale.tasks import Runner, Task

CHUNKS, WORDS = "chunks", "chunk-words"
"""Folders of parts: chunks, and words of them, with how often each stands in a part, a share after the other."""
MERGED, FREQUENT, TOKENS = "chunks-merged", "words-frequent", "tokens"
"""Folders of shares: chunks of all parts; the most frequent words; how often each token stands in a share."""
GROWTH, SHARED = 0.7, 4
"""A site of p parts has about p ** GROWTH times the different chunks of one part; a share is so many times these."""
MEMORY = 2_000_000_000
"""Bytes that a task may take."""


def static_embedder(ground: Ground) -> StaticEmbedder:
    """The embedder, as the settings have it."""
    return StaticEmbedder(**ground.settings.sentence.model_dump(), cache=cache_of(ground))


def distill(ground: Ground, runner: Runner) -> None:
    """Leaves the static model of a site in the engine's folder, as `StaticEmbedder.fit` makes it of all texts.

    Raises:
        ModelError: the teacher cannot be loaded, or cannot be distilled.
    """
    shares = ceil(len(ground.spans) ** GROWTH / SHARED)
    parts = [Task(f"{span.part:06d}", (span.part, shares)) for span in ground.spans]
    of_each = [Task(f"{share:06d}", (share,)) for share in range(shares)]
    runner.run("teacher", learn_teacher, [Task("teacher")], memory=MEMORY)
    runner.run("chunks", count, parts, memory=MEMORY)
    runner.run("words of chunks", merge, of_each, memory=MEMORY)
    runner.run("frequent words", choose_words, [Task("words", (shares,))], memory=MEMORY)
    runner.run("tokens", count_share, of_each, memory=MEMORY)
    runner.run("distill", fit, [Task("fit", (shares,))], memory=MEMORY)


# Tasks


def learn_teacher(folder: str) -> Mapping[str, Any]:
    """Leaves in the cache what the teacher says of its own vocabulary."""
    with _all_threads():
        return {"rows": len(static_embedder(Ground(folder)).teacher().base.vectors)}


def count(folder: str, part: int, shares: int) -> Mapping[str, Any]:
    """Counts the chunks of a part, and their words."""
    ground = Ground(folder)
    texts = read_texts(ground, ground.spans[part])
    chunks = count_chunks(texts)
    written = _write(_path(ground, CHUNKS, part), chunks, shares)
    written += _write(_path(ground, WORDS, part), count_words(_base(folder).tokenizer, chunks), shares)
    return {"rows": len(texts), "bytes": written}


def merge(folder: str, share: int) -> Mapping[str, Any]:
    """Merges a share of the chunks and of the words over all parts."""
    ground = Ground(folder)
    chunks, words = _sum(ground, CHUNKS, share), _sum(ground, WORDS, share)
    written = _write(_path(ground, MERGED, share), chunks, 1)
    most = most_frequent(_base(folder).tokenizer, words, static_embedder(ground).vocabulary)
    written += _write(_path(ground, FREQUENT, share), {word: words[word] for word in most}, 1)
    return {"rows": len(chunks), "bytes": written}


def choose_words(folder: str, shares: int) -> Mapping[str, Any]:
    """The most frequent words of all shares: they get a vector of their own."""
    ground = Ground(folder)
    counts: dict[str, int] = {}
    for share in range(shares):
        counts |= _read(_path(ground, FREQUENT, share), 0)
    words = most_frequent(_base(folder).tokenizer, counts, static_embedder(ground).vocabulary)
    return {"rows": len(words), "bytes": ground.write_json(_words_path(ground), words)}


def count_share(folder: str, share: int) -> Mapping[str, Any]:
    """How often each token stands in a share."""
    ground = Ground(folder)
    chunks = _read(_path(ground, MERGED, share), 0)
    written = ground.put(TOKENS, share, count_tokens(_base(folder), _words(ground), chunks))
    return {"rows": len(chunks), "bytes": written}


def fit(folder: str, shares: int) -> Mapping[str, Any]:
    """Distills the teacher, or reads from the cache what was distilled on the same words."""
    ground = Ground(folder)
    counts = sum((np.asarray(ground.part(TOKENS, share)) for share in range(shares)), np.int64(0))
    with _all_threads():
        embedder = static_embedder(ground).fit_words(_words(ground), np.asarray(counts))
    write_folder(ground.engine / "meaning", embedder.save)
    return {"rows": len(embedder.model_.vectors), "bytes": embedder.model_.vectors.nbytes}


@contextmanager
def _all_threads() -> Iterator[None]:
    """All of the machine's, as on one machine: sums take another order with others, and nothing else is under way."""
    import torch
    from joblib import cpu_count
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(cpu_count(only_physical_cores=False)):
        torch.set_num_threads(cpu_count())
        try:
            yield
        finally:
            torch.set_num_threads(before)


@lru_cache(maxsize=1)
def _base(folder: str) -> Any:
    return static_embedder(Ground(folder)).teacher().base


def _words_path(ground: Ground) -> Path:
    return ground.folder / "distilled-words.json"


def _words(ground: Ground) -> list[str]:
    found: list[str] = json.loads(_words_path(ground).read_text(encoding="utf-8"))
    return found


# Counts of strings, in Arrow files with a batch a share


def _path(ground: Ground, name: str, number: int) -> Path:
    return ground.folder / PARTS / name / f"{number:06d}.arrow"


def _write(path: Path, counts: Mapping[str, int], shares: int) -> int:
    """Writes counts, whole or not at all, cut into shares by a hash; returns the file's bytes."""
    import pyarrow as pa

    cut: list[list[str]] = [[] for _ in range(shares)]
    for name in counts:
        cut[crc32(name.encode()) % shares].append(name)
    schema = pa.schema([("name", pa.large_string()), ("count", pa.int64())])

    def fill(file: Any) -> None:
        with pa.ipc.new_file(file, schema) as writer:
            for names in cut:
                times = pa.array([counts[name] for name in names], pa.int64())
                writer.write_batch(pa.record_batch([pa.array(names, pa.large_string()), times], schema=schema))

    write_streamed(path, fill, "free some space and run it again")
    return path.stat().st_size


def _read(path: Path, share: int) -> dict[str, int]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        batch = pa.ipc.open_file(file).get_batch(share)
        return dict(zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True))


def _sum(ground: Ground, name: str, share: int) -> Counter[str]:
    found = Counter[str]()
    for span in ground.spans:
        found.update(_read(_path(ground, name, span.part), share))
    return found
