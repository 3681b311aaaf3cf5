"""Terms as people write them, by column: what reasons name. They are read, where one is asked for, from maps of files:
the keys of terms, and the words that keys are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from simrec.embed.counts import places_of
from simrec.scale.files import write_through
from simrec.scale.ground import FIT, Ground, opened

FILE = "words.arrow"
"""An Arrow file, in the folder of what is fitted, with a word a row."""
RUN = 65_536
"""Words of a batch."""
KEPT = 64
"""Batches that are kept open."""


def put_names(ground: Ground, words: Sequence[str], surface: Mapping[str, str]) -> int:
    """Writes how people write the words of terms; returns the bytes.

    Args:
        ground: of the build.
        words: that terms are made of: see `simrec.embed.counts.Vocabulary`.
        surface: how some of them are written: see `simrec.embed.tfidf.TfidfEmbedder`.
    """
    import pyarrow as pa

    schema = pa.schema([("word", pa.string())])

    def fill(file: object) -> None:
        with pa.ipc.new_file(file, schema) as writer:
            for begin in range(0, len(words), RUN):
                run = [surface.get(word, word) for word in words[begin : begin + RUN]]
                writer.write_batch(pa.record_batch([pa.array(run, pa.string())], schema=schema))

    return write_through(ground.folder / FIT / FILE, fill)


class TermNames:
    """Names the terms of TF-IDF, as its embedder does.

    Args:
        ground: of a build whose terms are fitted.
    """

    def __init__(self, ground: Ground) -> None:
        import pyarrow as pa

        file = pa.ipc.open_file(pa.memory_map(str(ground.folder / FIT / FILE)))
        batches = file.num_record_batches
        self._words = RUN * (batches - 1) + file.get_batch(batches - 1).num_rows if batches else 0
        self._run = lru_cache(KEPT)(lambda batch: file.get_batch(batch).column(0))
        self._ngrams = ground.settings.tfidf.ngrams
        self._keys = opened(ground.engine / "tfidf" / "keys.npy")

    def show(self, column: int) -> str:
        """See `simrec.embed.tfidf.TfidfEmbedder.show`."""
        return " ".join(map(self._word, places_of(int(self._keys[column]), self._words, self._ngrams)))

    def _word(self, place: int) -> str:
        batch, row = divmod(place, RUN)
        return str(self._run(batch)[row].as_py())


__all__ = ["TermNames", "put_names"]
