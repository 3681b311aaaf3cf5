"""What runs the sentence model on a cluster: chosen once, of the same texts and by the same rules as on one machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.embed.backend import NOTHING, calibrating, lengths_of
from simrec.embed.sentence import SentenceEmbedder
from simrec.scale.dataset import read_texts
from simrec.scale.ground import Ground
from simrec.scale.kept import Kept, index
from simrec.scale.tasks import Runner, Task
from simrec.text import content_hash
from simrec.types import Text

CHOICE = "backend.json"
"""The file, in the folder of a build, with what was chosen."""
MEMORY, LENGTH = 2_000_000_000, 64
"""Bytes that a task may take: a model that is converted, and for each article the lengths of its texts, sorted."""
AT_ONCE = 10_000_000
"""Keys that are looked at together."""
LENGTHS, KEYS, LACKING = "embedded-lengths", "embedded-keys", "embedded-lacking"
"""Arrays of parts, a row an article and a column each for title, body, and the body or else the title."""
BY_TORCH, BY_OPENVINO = 1, 2
"""Bits of what lacks a vector by which backend."""


class Choice(NamedTuple):
    """What runs the model.

    Attributes:
        quantized: whether that is the converted model.
        fingerprint: of its vectors.
    """

    quantized: bool
    fingerprint: str


def cache_of(ground: Ground) -> Path:
    """The folder of the cached vectors and models: `vectors` of what was said of the build, or one in its folder."""
    return Path(ground.about.get("vectors") or ground.folder / "vectors")


def sentence_embedder(ground: Ground) -> SentenceEmbedder:
    """The embedder, as the settings have it."""
    return SentenceEmbedder(**ground.settings.sentence.model_dump(), cache=cache_of(ground))


def main_of(text: Text) -> str:
    """What the passages of a text are cut from."""
    return text.body.strip() or text.title


def choose(ground: Ground, runner: Runner, gpus: bool = False) -> Choice:
    """What runs the model in all of a build, however often it is gone on with; the converted model is then made.

    Args:
        ground: the folder of the build.
        runner: does the tasks.
        gpus: whether the cluster has any.

    Raises:
        ModelError: the model cannot be loaded.
    """
    path = ground.folder / CHOICE
    if not path.exists():
        ground.write_json(path, _choose(ground, runner, gpus)._asdict())
    return Choice(**json.loads(path.read_text(encoding="utf-8")))


def _choose(ground: Ground, runner: Runner, gpus: bool) -> Choice:
    embedder, cache = sentence_embedder(ground), cache_of(ground)
    torch = embedder.fingerprint
    index(ground, runner, cache, torch)
    quantized = embedder.chooser.possible() if embedder.backend != "torch" else None
    if quantized is None:
        return Choice(False, torch)
    there = quantized.is_there
    by_openvino = embedder.of_quantized(quantized) if there else ""
    if by_openvino:
        index(ground, runner, cache, by_openvino)
    tasks = [Task(f"{span.part:06d}", (span.part, torch, by_openvino)) for span in ground.spans]
    runner.run("texts", look, tasks)
    (said,) = runner.run("backend", decide, [Task("decide", (torch, by_openvino, gpus))], memory=MEMORY)
    if said["quantized"] and not there:
        (said,) = runner.run("convert", convert, [Task("convert")], memory=MEMORY + LENGTH * ground.n)
    if not said["quantized"]:
        return Choice(False, torch)
    by_openvino = embedder.of_quantized(quantized)
    index(ground, runner, cache, by_openvino)
    return Choice(True, by_openvino)


# Tasks


def look(folder: str, part: int, torch: str, by_openvino: str) -> Mapping[str, Any]:
    """Leaves how long the texts of a part are, the first bits of their keys, and which of them lack a vector."""
    ground = Ground(folder)
    texts = read_texts(ground, ground.spans[part])
    kinds = [three for text in texts for three in (text.title, text.body, main_of(text))]
    keys = [content_hash(text) for text in kinds]
    lacking = BY_TORCH * (Kept(ground, torch).find(keys)["shard"] < 0).astype(np.uint8)
    if by_openvino:
        lacking |= BY_OPENVINO * (Kept(ground, by_openvino).find(keys)["shard"] < 0).astype(np.uint8)
    lengths = lengths_of(kinds)
    short = np.array([int(key[:16], 16) for key in keys], dtype=np.uint64)
    arrays = {LENGTHS: lengths, KEYS: short, LACKING: lacking}
    written = sum(ground.put(name, part, array.reshape(-1, 3)) for name, array in arrays.items())
    return {"rows": len(texts), "bytes": written}


def decide(folder: str, torch: str, by_openvino: str, gpus: bool) -> Mapping[str, Any]:
    """Whether the converted model runs: see `simrec.embed.backend`."""
    ground = Ground(folder)
    chooser = sentence_embedder(ground).chooser
    if chooser.forced:
        return {"quantized": True, "rows": ground.n}
    missing, characters = _lacking(ground, BY_TORCH)
    if not missing:
        return {"quantized": False, "rows": ground.n}
    if by_openvino:
        others = _lacking(ground, BY_OPENVINO)[0], -len(Kept(ground, by_openvino))
        if others < (missing, -len(Kept(ground, torch))):
            return {"quantized": True, "rows": ground.n}
    return {"quantized": chooser.is_worth(characters, gpus), "rows": ground.n}


def convert(folder: str) -> Mapping[str, Any]:
    """Makes the converted model, calibrated on the same texts as on one machine; False where it cannot be made."""
    ground = Ground(folder)
    embedder = sentence_embedder(ground)
    sample = _texts(ground, calibrating(_all(ground, LENGTHS)))
    quantized = embedder.chooser.possible()
    made = quantized is not None and embedder.chooser.made(quantized, sample, embedder.convert)
    return {"quantized": made, "rows": len(sample)}


def _lacking(ground: Ground, kind: int) -> tuple[int, int]:
    """How many different texts lack a vector by a backend, and their characters; counted by ranges of keys."""
    count = characters = 0
    passes = 1 + 3 * ground.n // AT_ONCE
    for number in range(passes):
        keys, lengths = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int64)]
        for span in ground.spans:
            known, lacking, found = (ground.part(name, span.part).ravel() for name in (KEYS, LACKING, LENGTHS))
            asked = ((lacking & kind) > 0) & (known % np.uint64(passes) == number)
            keys.append(known[asked])
            lengths.append(np.where(found < 0, NOTHING - found, found)[asked].astype(np.int64))
        _, first = np.unique(np.concatenate(keys), return_index=True)
        count += len(first)
        characters += int(np.concatenate(lengths)[first].sum())
    return count, characters


def _all(ground: Ground, name: str) -> NDArray[Any]:
    """(3n,) an array of all parts, as one machine has it: titles, then bodies, then what passages are cut from."""
    parts = [ground.part(name, span.part) for span in ground.spans]
    return np.concatenate([part[:, column] for column in range(3) for part in parts])


def _texts(ground: Ground, places: list[int]) -> list[str]:
    """Texts by their places in what `_all` gives; a part that has none of them is not read."""
    rows = np.array(places, dtype=np.int64) % max(ground.n, 1)
    found: dict[int, str] = {}
    for span in ground.spans:
        there = np.flatnonzero((rows >= span.begin) & (rows < span.end)).tolist()
        texts = read_texts(ground, span) if there else []
        for at in there:
            text = texts[int(rows[at]) - span.begin]
            found[at] = (text.title, text.body, main_of(text))[places[at] // ground.n]
    return [found[at] for at in range(len(places))]
