"""A sentence model distilled into one vector a token, after model2vec (Tulkens and van Dongen 2024).

The teacher embeds each token of its vocabulary alone, and each frequent word of a site that its tokenizer would cut to
pieces. What is common to all texts is taken off by a principal component analysis in which a token counts as often as
the site uses it; then frequent tokens are weighed down (smooth inverse frequency: Arora, Liang and Ma 2017).
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.embed.cache import MANIFEST, is_intact, write_folder
from simrec.embed.sentence import checksum, find, load
from simrec.errors import ModelError
from simrec.text import content_hash, is_unspaced
from simrec.types import Dense, Progress

FORMAT = 1
"""Raise it when the same model is distilled to other vectors."""
OF_TEACHERS = "teacher-"
"""What the names of the teachers' folders in the cache begin with."""
AT_ONCE = 2048
"""Tokens that the teacher embeds between two steps of the progress bar."""
LEAST = 3
"""Times that a word must stand in the articles to get a vector of its own."""
SHORTEST, LONGEST = 3, 40
"""Letters of such a word."""
SMOOTH = 1e-3
"""A token's weight is SMOOTH / (SMOOTH + its share of all tokens): measured, see docs/adr/0009."""

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Distilled:
    """A static model.

    Attributes:
        tokenizer: the teacher's, with the site's words; of the `tokenizers` library.
        vectors: (tokens, d) float32, weighed; zeros for a token that says nothing.
        window: tokens that the teacher reads at once.
        key: names what made it.
    """

    tokenizer: Any
    vectors: Dense
    window: int
    key: str

    @property
    def silent(self) -> list[int]:
        """The tokens that say nothing."""
        return np.flatnonzero(~self.vectors.any(axis=1)).tolist()

    def save(self, folder: Path) -> None:
        """Writes the model into `folder`, as safetensors and JSON."""
        from safetensors.numpy import save_file

        save_file({"vectors": self.vectors}, folder / "vectors.safetensors")
        self.tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        (folder / "static.json").write_text(json.dumps({"window": self.window, "key": self.key}), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Distilled:
        """Reads what `save` wrote.

        Raises:
            ModelError: there is none, or it is damaged.
        """
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        again = "delete the folder, and fit the static model again"
        if (folder / MANIFEST).exists() and not is_intact(folder):
            raise ModelError(f"the static model in {folder} does not match its checksums: {again}")
        try:
            said = json.loads((folder / "static.json").read_text(encoding="utf-8"))
            vectors = load_file(folder / "vectors.safetensors")["vectors"]
            tokenizer = Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
            model = cls(tokenizer, vectors, int(said["window"]), str(said["key"]))
        except Exception as error:  # tokenizers raises nothing narrower
            raise ModelError(f"{folder} holds no usable static model ({error!r}): {again}") from error
        if vectors.ndim != 2 or vectors.dtype != np.float32 or len(vectors) != tokenizer.get_vocab_size():
            raise ModelError(f"the static model in {folder} has not one vector for each token: {again}")
        return model


def split_words(tokenizer: Any, chunks: Mapping[str, int], most: int) -> list[str]:
    """The most frequent words that a tokenizer cuts to pieces.

    Args:
        tokenizer: of the `tokenizers` library.
        chunks: what stands between two spaces, and how often.
        most: words, at most.
    """
    return most_frequent(tokenizer, count_words(tokenizer, chunks), most)


def count_words(tokenizer: Any, chunks: Mapping[str, int]) -> dict[str, int]:
    """The words that could get a vector of their own, as a tokenizer sees them, and how often each stands in chunks."""
    counts: dict[str, int] = {}
    normalizer = tokenizer.normalizer
    for chunk, count in chunks.items():
        for word in _WORD.findall(normalizer.normalize_str(chunk) if normalizer else chunk):
            counts[word] = counts.get(word, 0) + count
    return {word: count for word, count in counts.items() if _is_worth(word)}


def most_frequent(tokenizer: Any, counts: Mapping[str, int], most: int) -> list[str]:
    """The most frequent of words that a tokenizer cuts to pieces; where two are as frequent, in order of the alphabet.

    Args:
        tokenizer: of the `tokenizers` library.
        counts: how often each word stands in all texts.
        most: words, at most.
    """
    frequent = sorted((-count, word) for word, count in counts.items() if count >= LEAST)
    encoded = zip(
        frequent, tokenizer.encode_batch_fast([word for _, word in frequent], add_special_tokens=False), strict=True
    )
    return list(islice((word for (_, word), found in encoded if len(found.ids) > 1), most))


def _is_worth(word: str) -> bool:
    return SHORTEST <= len(word) <= LONGEST and not word.isdigit() and not is_unspaced(word)


def add_words(tokenizer: Any, words: Sequence[str]) -> Any:
    """A copy of a tokenizer in which each of some words is one token more."""
    from tokenizers import AddedToken, Tokenizer

    grown = Tokenizer.from_str(tokenizer.to_str())
    grown.add_tokens([AddedToken(word, single_word=True, normalized=True) for word in words])
    return grown


def weigh(vectors: Dense, counts: NDArray[np.int64], dimensions: int) -> Dense:
    """(tokens, dimensions) float32: principal components, a frequent token's made short.

    Args:
        vectors: (tokens, d) float32, of each token alone.
        counts: (tokens,) how often each stands in the articles; one that stands nowhere counts as half a time.
        dimensions: at most; no more than d.
    """
    shares = (counts + 0.5) / (counts + 0.5).sum()
    wide = vectors.astype(np.float64)
    wide -= shares @ wide
    _, axes = np.linalg.eigh((wide * shares[:, None]).T @ wide)
    axes = axes[:, ::-1][:, :dimensions]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])  # else a sign is left to chance
    return np.asarray((wide @ axes) * (SMOOTH / (SMOOTH + shares))[:, None], dtype=np.float32)


class Teacher:
    """A sentence model that is distilled; what it says of each token of its own vocabulary is kept in the cache.

    Args:
        model: as `SentenceEmbedder` takes it.
        device: "cpu", "cuda", "mps"; empty for the best there is.
        cache: folder of the cache; None keeps nothing.
        progress: shows how far it is.

    Raises:
        ModelError: it cannot be found, or is not what it claims to be.
    """

    def __init__(self, model: str, device: str, cache: Path | None, progress: Progress) -> None:
        self._folder = find(model)
        self._key = content_hash(str(FORMAT), checksum(model, self._folder))[:16]
        self._device = device
        self._cache = cache
        self._progress = progress

    @cached_property
    def base(self) -> Distilled:
        """The teacher's own vocabulary, nothing weighed.

        Raises:
            ModelError: the model cannot be loaded, or cannot be distilled.
        """
        folder = self._cache / f"{OF_TEACHERS}{self._key}" if self._cache else None
        if folder and is_intact(folder):
            return Distilled.load(folder)
        tokenizer = self._tokenizer
        vectors = self._embed(_each_framed(tokenizer), "distill the sentence model")
        vectors[[token for token in self._model.tokenizer.all_special_ids if token < len(vectors)]] = 0
        window = self._model.max_seq_length - self._model.tokenizer.num_special_tokens_to_add()
        made = Distilled(tokenizer, vectors, window, self._key)
        if folder:
            write_folder(folder, made.save)
        return made

    def embed(self, words: Sequence[str]) -> Dense:
        """(n, d) float32: its vector of each word, alone."""
        if not words:
            return np.zeros((0, self.base.vectors.shape[1]), dtype=np.float32)
        framed = [found.ids for found in self._tokenizer.encode_batch_fast(list(words))]
        return self._embed(framed, "distill the site's words")

    @cached_property
    def _model(self) -> Any:
        return load(self._folder, self._device)

    @cached_property
    def _tokenizer(self) -> Any:
        """For whole texts: a model's own may cut them, or fill them up."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(self._model.tokenizer.backend_tokenizer.to_str())
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    def _embed(self, sequences: Sequence[list[int]], name: str) -> Dense:
        from model2vec.distill.inference import PoolingMode, create_embeddings

        teacher, found = self._model, []
        pooling = getattr(teacher[1], "pooling_mode", "mean") if len(teacher) > 1 else "mean"
        mode = PoolingMode.FIRST if pooling == "cls" else PoolingMode.MEAN
        padding = teacher.tokenizer.pad_token_id or 0
        with self._progress(name, len(sequences)) as bar:
            for start in range(0, len(sequences), AT_ONCE):
                part = list(sequences[start : start + AT_ONCE])
                try:
                    with redirect_stderr(io.StringIO()):  # model2vec shows a progress bar of its own
                        vectors = create_embeddings(teacher[0].auto_model, part, str(teacher.device), padding, mode)
                except Exception as error:  # what is no transformer fails in many ways
                    raise ModelError(f"the model in {self._folder} cannot be distilled: {error!r}") from error
                found.append(vectors.astype(np.float32))
                bar.update(len(part))
        return np.concatenate(found)


def _each_framed(tokenizer: Any) -> list[list[int]]:
    """Each token of a vocabulary, with the special tokens around it that the model puts around a text."""
    framed, bare = (tokenizer.encode("a", add_special_tokens=special).ids for special in (True, False))
    start = next((at for at in range(len(framed)) if framed[at : at + len(bare)] == bare), 0)
    before, after = framed[:start], framed[start + len(bare) :]
    return [[*before, token, *after] for token in range(tokenizer.get_vocab_size())]
