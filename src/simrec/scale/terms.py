"""TF-IDF of a site fitted in two passes over its parts: which terms there are and how many articles have each, exactly
as if all articles had been counted together; then each part's rows.

First the words are counted that stand in enough articles: no n-gram of others does. Then n-grams of those are, by
their keys (`simrec.embed.counts.Vocabulary`): each part has its distinct keys, in order; a task takes a range of keys
and adds up what all parts have in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.embed.count_kernels import document_frequency, runs
from simrec.embed.counts import Counts, Vocabulary, distinct_keys, frequent
from simrec.embed.terms import Flat, Stemming
from simrec.embed.tfidf import TfidfEmbedder, idf
from simrec.embed.words import nothing, stem_weights, stems_in
from simrec.scale.ground import FIT, Ground, Span, opened, save
from simrec.scale.naming import put_names
from simrec.scale.tasks import Runner, Task
from simrec.scale.words import OF_TAGS, OF_TEXTS, Read, words_of
from simrec.settings import Settings

MEMORY = 1_000_000_000
"""Bytes that a task may take."""
SHARE = 8_000_000
"""Keys, of all parts together, that one task adds up: 16 bytes each, four times over."""
SAMPLE = 64
"""Keys of each part that borders are chosen from."""


class Kind(NamedTuple):
    """A counter of terms.

    Attributes:
        name: of its files.
        source: which words it counts.
        column: the column that its rows are in.
    """

    name: str
    source: str
    column: str


KINDS = (Kind("tfidf", OF_TEXTS, "tfidf"), Kind("titles", OF_TEXTS, "title_words"), Kind("tags", OF_TAGS, "tags"))


def make_embedder(kind: str, settings: Settings) -> TfidfEmbedder:
    """An embedder of a kind that is not fitted."""
    made = {"tags": {"ngrams": 1}, "titles": {}}
    return TfidfEmbedder(**(settings.tfidf.model_dump() if kind == "tfidf" else made[kind]))


def seen_by(kind: Kind, titles: Flat, bodies: Flat) -> tuple[Flat, Flat]:
    """Titles and bodies as a kind counts them: one that counts titles alone takes them for bodies."""
    return (nothing(len(titles.starts) - 1), titles) if kind.name == "titles" else (titles, bodies)


def fit_terms(ground: Ground, runner: Runner, read: Read, kinds: Sequence[Kind]) -> dict[str, TfidfEmbedder]:
    """Fits the embedders of some kinds, leaves them in the engine's folder, and the IDF of stems beside them."""
    stemmings = {kind.name: _stemming(ground, read, kind) for kind in kinds}
    tasks = [Task(f"{span.part:06d}", (span.part, [kind.name for kind in kinds])) for span in ground.spans]
    runner.run("document frequency", count_stems, tasks, memory=MEMORY)
    for kind in kinds:
        _number_words(ground, read, kind, stemmings[kind.name])
    said = runner.run("terms by part", count_terms, tasks, memory=MEMORY)
    shares = {kind.name: _shares(ground, kind, said) for kind in kinds}
    runner.run("terms", add_up, [task for tasks in shares.values() for task in tasks], memory=MEMORY)
    found = {kind.name: _fitted(ground, read, kind, len(shares[kind.name]), stemmings[kind.name]) for kind in kinds}
    if not ground.has("fitted-telling"):
        save(ground.engine / "fitted-telling.npy", found["tfidf"].telling())
    if not ground.has("fitted-weights"):
        df = _added(ground, "stems-in-bodies", len(stemmings["tfidf"].stems))
        save(ground.engine / "fitted-weights.npy", stem_weights(df, ground.n))
    return found


# Tasks


def count_stems(folder: str, part: int, kinds: Sequence[str]) -> Mapping[str, Any]:
    """Counts in how many articles of a part each stem is."""
    ground, written = Ground(folder), 0
    span = ground.spans[part]
    for kind in _named(kinds):
        of_form = ground.folder_array(f"{FIT}/{kind.name}-stems")
        titles, bodies = seen_by(kind, *words_of(ground, kind.source, span))
        embedder = make_embedder(kind.name, ground.settings)
        stems = int(of_form.max(initial=-1)) + 1
        looked_at = titles if embedder.title_weight > 0 else nothing(len(span.rows))
        df = document_frequency(looked_at, bodies, of_form, stems)
        written += _put_counts(ground, f"{kind.name}-stem-df", part, df)
        forms = len(of_form)
        seen = np.bincount(titles.numbers, minlength=forms) + np.bincount(bodies.numbers, minlength=forms)
        written += _put_counts(ground, f"{kind.name}-seen", part, seen)
        if kind.name == "tfidf":
            bodies = Flat(bodies.starts, _stems(ground, bodies.numbers))
            written += _put_counts(ground, "stems-in-bodies", part, stems_in(bodies, _stem_count(ground)))
    return {"rows": len(span.rows), "bytes": written}


def count_terms(folder: str, part: int, kinds: Sequence[str]) -> Mapping[str, Any]:
    """Counts the n-grams of a part's articles; says some of their keys."""
    ground, written, samples = Ground(folder), 0, {}
    span = ground.spans[part]
    for kind in _named(kinds):
        vocabulary = _known(ground.folder, kind.name)
        blocks = _counted(ground, vocabulary, kind, span)
        keys, df = distinct_keys(blocks)
        for name, array in (("keys", keys), ("df", df)):
            written += ground.put(f"{kind.name}-{name}", part, array)
        step = max(len(keys) // SAMPLE, 1)
        samples[kind.name] = [len(keys), keys[step // 2 :: step].tolist()]
    return {"rows": len(span.rows), "bytes": written, "samples": samples}


def add_up(folder: str, kind: str, share: int, low: int, high: int) -> Mapping[str, Any]:
    """Adds up the document frequencies of keys from `low` to before `high`, and keeps those that are terms."""
    ground = Ground(folder)
    found = []
    for span in ground.spans:
        keys = ground.part(f"{kind}-keys", span.part)
        cut = slice(*np.searchsorted(keys, [low, high]).tolist())
        found.append((np.asarray(keys[cut]), np.asarray(ground.part(f"{kind}-df", span.part)[cut])))
    keys = np.concatenate([keys for keys, _ in found])
    times = np.concatenate([times for _, times in found])
    order = np.argsort(keys)
    distinct, lengths = runs(keys[order])
    df = np.add.reduceat(times[order], np.cumsum(lengths) - lengths) if len(distinct) else lengths
    least, most = make_embedder(kind, ground.settings).limits(ground.n)
    kept = (df >= least) & (df <= most)
    written = ground.put(f"{kind}-term-keys", share, distinct[kept]) + ground.put(f"{kind}-term-df", share, df[kept])
    return {"rows": int(kept.sum()), "bytes": written}


# Rows


@lru_cache(maxsize=8)
def fitted_embedder(folder: Path, kind: str) -> tuple[TfidfEmbedder, Vocabulary, Any]:
    """An embedder as tasks use it, without the terms' names; its vocabulary; the place of each form's stem in that."""
    ground = Ground(folder)
    known, embedder = _known(folder, kind), make_embedder(kind, ground.settings)
    keys = opened(folder / FIT / f"{kind}-term-keys.npy")
    embedder.idf_ = idf(opened(folder / FIT / f"{kind}-term-df.npy"), ground.n)
    vocabulary = Vocabulary(known.words, known.ngrams, keys)
    return embedder, vocabulary, ground.folder_array(f"{FIT}/{kind}-code-of")


def rows_of(ground: Ground, kind: Kind, titles: Flat, bodies: Flat) -> Any:
    """(r, terms) unit rows of texts given by the site's numbers of forms."""
    embedder, vocabulary, code_of = fitted_embedder(ground.folder, kind.name)
    counted = vocabulary.count_coded(*seen_by(kind, titles, bodies), code_of, embedder.title_weight)
    return embedder.weigh(vocabulary.matrix(counted))


# What is between


def _named(names: Sequence[str]) -> list[Kind]:
    return [kind for kind in KINDS if kind.name in names]


def _stemming(ground: Ground, read: Read, kind: Kind) -> Stemming:
    """The stems of all forms, as numbers in a file too."""
    embedder = make_embedder(kind.name, ground.settings)
    stemming = read.lexicons[kind.source].stemming(embedder.stem)
    ground.save_array(f"{FIT}/{kind.name}-stems", stemming.numbers())
    if kind.name == "tfidf":  # sequences are of stems in any case
        always = read.lexicons[OF_TEXTS].stemming()
        ground.save_array(f"{FIT}/stems", always.numbers())
    return stemming


def _stems(ground: Ground, forms: NDArray[np.int32]) -> NDArray[np.int32]:
    found: NDArray[np.int32] = np.asarray(ground.folder_array(f"{FIT}/stems")[forms])
    return found


def _stem_count(ground: Ground) -> int:
    return int(ground.folder_array(f"{FIT}/stems").max(initial=-1)) + 1


def _number_words(ground: Ground, read: Read, kind: Kind, stemming: Stemming) -> None:
    """Leaves the words that terms are made of, and the place of each form's stem among them."""
    embedder = make_embedder(kind.name, ground.settings)
    df = _added(ground, f"{kind.name}-stem-df", len(stemming.stems))
    words = frequent(df, stemming.stems, embedder.limits(ground.n)[0])
    ground.write_json(ground.folder / FIT / f"{kind.name}-words.json", words)
    codes = Vocabulary(words, embedder.ngrams, np.zeros(0, dtype=np.int64)).codes_of(stemming.stems)
    ground.save_array(f"{FIT}/{kind.name}-code-of", codes[stemming.numbers()])


@lru_cache(maxsize=8)
def _known(folder: Path, kind: str) -> Vocabulary:
    """The words that terms are made of, with no terms yet."""
    words = json.loads((folder / FIT / f"{kind}-words.json").read_text(encoding="utf-8"))
    return Vocabulary(words, make_embedder(kind, Ground(folder).settings).ngrams, np.zeros(0, dtype=np.int64))


def _counted(ground: Ground, vocabulary: Vocabulary, kind: Kind, span: Span) -> list[Counts]:
    code_of = ground.folder_array(f"{FIT}/{kind.name}-code-of")
    titles, bodies = seen_by(kind, *words_of(ground, kind.source, span))
    return vocabulary.count_coded(titles, bodies, code_of, make_embedder(kind.name, ground.settings).title_weight)


def _shares(ground: Ground, kind: Kind, said: Sequence[Mapping[str, Any]]) -> list[Task]:
    """Tasks that add up ranges of keys, each of some `SHARE` of all parts'."""
    samples = [values["samples"][kind.name] for values in said]
    total = sum(count for count, _ in samples)
    known = np.sort(np.concatenate([np.array(keys, dtype=np.int64) for _, keys in samples]))
    shares = max(-(-total // SHARE), 1)
    inner = known[np.arange(1, shares) * len(known) // shares].tolist()
    borders = [0, *dict.fromkeys(inner), 2**63 - 1]
    pairs = enumerate(pairwise(borders))
    return [Task(f"{kind.name}-{share:06d}", (kind.name, share, low, high)) for share, (low, high) in pairs]


def _fitted(ground: Ground, read: Read, kind: Kind, shares: int, stemming: Stemming) -> TfidfEmbedder:
    """The embedder with all that it learned, saved where an engine has it."""
    folder = ground.engine / kind.name
    embedder = make_embedder(kind.name, ground.settings)
    if (folder / "idf.npy").exists():
        return embedder.load(folder)
    arrays = []
    for name in ("keys", "df"):
        parts = [ground.part(f"{kind.name}-term-{name}", share) for share in range(shares)]
        arrays.append(np.concatenate(parts))
        ground.save_array(f"{FIT}/{kind.name}-term-{name}", arrays[-1])
    keys, df = arrays
    vocabulary = Vocabulary(_known(ground.folder, kind.name).words, embedder.ngrams, keys)
    seen = _added(ground, f"{kind.name}-seen", len(read.lexicons[kind.source]))
    embedder.use(vocabulary, df, ground.n, stemming.surface(seen, vocabulary.in_terms()))
    if kind.name == "tfidf":
        put_names(ground, vocabulary.words, embedder.surface_)
    folder.mkdir(parents=True, exist_ok=True)
    embedder.save(folder)
    return embedder


def _put_counts(ground: Ground, name: str, part: int, counts: NDArray[np.int64]) -> int:
    """Writes the counts that are above 0, with their places."""
    places = np.flatnonzero(counts)
    return ground.put(f"{name}.0", part, places.astype(np.int32)) + ground.put(f"{name}.1", part, counts[places])


def _added(ground: Ground, name: str, length: int) -> NDArray[np.int64]:
    """(length,) the sum of all parts' counts."""
    found = np.zeros(length, dtype=np.int64)
    for span in ground.spans:
        found[ground.part(f"{name}.0", span.part)] += ground.part(f"{name}.1", span.part)
    return found
