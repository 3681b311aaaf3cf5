"""Embedding in parts: the vectors of one machine, whatever the parts, the workers and what was embedded before."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simrec.embed import backend
from simrec.embed.cache import VectorCache, listed
from simrec.embed.quantized import Quantized, is_installed
from simrec.embed.sentence import SentenceEmbedder
from simrec.embed.static import StaticEmbedder
from simrec.embed.views import Views
from simrec.scale import backends, distilling, embedding_workers, kept
from simrec.scale.embed import embed
from simrec.scale.ground import Ground
from simrec.scale.kept import Kept, index
from simrec.scale.tasks import Serial
from simrec.types import Text

WORDS = ["bridge", "river", "mayor", "potatoes", "fields", "farmers", "penguins", "ice", "breed", "closed", "open"]
WHOLE = 1e-6
"""Within this, vectors by torch are the same in any company: its sums take an order by what is beside a text."""


def some_texts(n: int, seed: int = 0) -> list[Text]:
    """Texts of many lengths; some without a body, one without any word, some titles alike."""
    rng = random.Random(seed)
    texts = [
        Text(" ".join(rng.choices(WORDS, k=rng.randint(1, 3))), " ".join(rng.choices(WORDS, k=int(80 * rng.random()))))
        for _ in range(n)
    ]
    texts[n // 2] = Text("  ", "\n")
    return [Text(text.title, text.body, "en") for text in texts]


def views_of(ground: Ground) -> Views:
    """The columns that were made."""
    from simrec.embed.cache import Passages

    names = ("sentence", "title_sentence", "body_sentence")
    starts = ground.array("column-passages.0")
    passages = Passages(ground.array("column-passages.1"), np.diff(starts))
    assert starts[0] == 0
    assert starts[-1] == len(passages.vectors)
    return Views(*(ground.array(f"column-{name}.0") for name in names), passages)


def assert_same(found: Views, expected: Views, tolerance: float = 0) -> None:
    """The same rows; to the bit, where no tolerance is given."""
    np.testing.assert_array_equal(found.passages.lengths, expected.passages.lengths)
    pairs = [*zip(found[:3], expected[:3], strict=True), (found.passages.vectors, expected.passages.vectors)]
    for ours, theirs in pairs:
        assert ours.dtype == theirs.dtype == np.float32
        if tolerance:
            np.testing.assert_allclose(ours, theirs, atol=tolerance)
        else:
            np.testing.assert_array_equal(ours, theirs)


def local(ground: Ground, cache: Path | None) -> SentenceEmbedder:
    """The embedder of one machine."""
    return SentenceEmbedder(**ground.settings.sentence.model_dump(), cache=cache)


class TestSentence:
    """The sentence model."""

    def test_parts_have_the_vectors_of_one_machine(self, ground_of: Callable[..., Ground]) -> None:
        """By torch within 1e-6; what was embedded is in the cache, where one machine finds it."""
        texts = some_texts(40)
        ground = ground_of(texts)
        embed(ground, Serial(ground.folder))
        assert_same(views_of(ground), local(ground, None).views(texts), WHOLE)
        embedder = local(ground, ground.folder / "vectors")
        assert not VectorCache(embedder.cache, embedder.fingerprint).missing(
            [backends.content_hash(part) for text in texts for part in (text.title, text.body)]
        )
        assert ground.about["quantized"] is False

    def test_vectors_that_are_there_are_used_again(
        self, ground_of: Callable[..., Ground], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """To the bit, from many shards and pieces of the index; only new texts are embedded, and none of the old."""
        monkeypatch.setattr(kept, "AT_ONCE", 10)
        monkeypatch.setattr("simrec.embed.sentence.SHARD", 8)
        texts, new = some_texts(40), some_texts(60, seed=1)[40:]
        ground = ground_of([*texts, *new], vectors=str(tmp_path / "vectors"))
        before = local(ground, tmp_path / "vectors").views(texts)
        seen: list[str] = []
        encode = SentenceEmbedder._embed

        def notes(self: SentenceEmbedder, some: list[str], bar: Any) -> Any:
            seen.extend(some)
            return encode(self, some, bar)

        monkeypatch.setattr(SentenceEmbedder, "_embed", notes)
        embed(ground, Serial(ground.folder))
        found = views_of(ground)
        np.testing.assert_array_equal(found.articles[:40], before.articles)
        np.testing.assert_array_equal(found.passages.vectors[: len(before.passages.vectors)], before.passages.vectors)
        assert not {part for text in texts for part in (text.title, text.body)}.intersection(seen)
        assert_same(found, local(ground, tmp_path / "vectors").views([*texts, *new]))

    def test_a_damaged_shard_is_made_again(
        self, ground_of: Callable[..., Ground], tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With a warning that names it."""
        texts = some_texts(20)
        ground = ground_of(texts, vectors=str(tmp_path / "vectors"))
        embedder = local(ground, tmp_path / "vectors")
        embedder.views(texts)
        folder = tmp_path / "vectors" / embedder.fingerprint
        name = next(iter(listed(folder)))
        (folder / name).write_bytes(b"damaged")
        embed(ground, Serial(ground.folder))
        assert name in caplog.text
        assert_same(views_of(ground), local(ground, None).views(texts), WHOLE)

    def test_a_build_is_gone_on_with(self, ground_of: Callable[..., Ground], monkeypatch: pytest.MonkeyPatch) -> None:
        """Parts that are done are not embedded again, and come to the cache with the others."""
        texts = some_texts(40)
        ground = ground_of(texts)
        put, parts = Ground.put, []

        def breaks(self: Ground, name: str, part: int, array: Any) -> int:
            parts.append((name, part))
            if part == 3 and name == "column-body_sentence.0":
                raise OSError("the disk is full")
            return put(self, name, part, array)

        monkeypatch.setattr(Ground, "put", breaks)
        with pytest.raises(OSError, match="full"):
            embed(ground, Serial(ground.folder))
        monkeypatch.setattr(Ground, "put", lambda *given: parts.append(given[1:3]) or put(*given))
        del parts[:]
        embed(ground, Serial(ground.folder))
        assert {part for name, part in parts if name == "column-sentence.0"} == {3, 4, 5}
        assert_same(views_of(ground), local(ground, None).views(texts), WHOLE)
        again = local(ground, ground.folder / "vectors")
        assert not VectorCache(again.cache, again.fingerprint).missing([backends.content_hash(t.body) for t in texts])
        del parts[:]
        embed(ground, Serial(ground.folder))
        assert parts == []

    @pytest.mark.parametrize(("model", "names"), [("tfidf", []), ("sentence", ["column-sentence.0.npy"])])
    def test_a_model_has_what_it_looks_at(self, ground_of: Callable[..., Ground], model: str, names: list[str]) -> None:
        """Titles, bodies and passages only where pairs are looked at."""
        ground = ground_of(some_texts(10), model=model)
        embed(ground, Serial(ground.folder))
        assert sorted(path.name for path in ground.engine.glob("*")) == names


class TestChoice:
    """What runs the model is what one machine would take."""

    @pytest.fixture
    def fake(self, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        """Converted models that say a vector of their own; the samples that calibrated them."""
        from simrec.embed import quantized

        made: list[list[str]] = []

        def make(self: Quantized, model: object, passages: list[str]) -> None:
            quantized.write_folder(self.folder, lambda part: (part / "model.xml").write_text("fake") and None)
            made.append(list(passages))

        def encode(self: Quantized, model: object, passages: list[str]) -> np.ndarray:
            return np.tile(np.eye(32, dtype=np.float32)[1], (len(passages), 1))

        monkeypatch.setattr(backend, "is_installed", lambda: True)
        monkeypatch.setattr(Quantized, "make", make)
        monkeypatch.setattr(Quantized, "encode", encode)
        return made

    @pytest.mark.parametrize("worth", [0, 10**9])
    @pytest.mark.parametrize("before", ["nothing", "torch", "half by torch", "openvino", "half by openvino"])
    def test_as_on_one_machine(
        self,
        ground_of: Callable[..., Ground],
        fake: list[list[str]],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        before: str,
        worth: int,
    ) -> None:
        """Whatever is in the cache, and however much there is to embed; calibrated on the same texts."""
        monkeypatch.setattr(backends, "AT_ONCE", 50)
        texts = some_texts(40)
        found = []
        for name in ("ours", "theirs"):
            monkeypatch.setattr(backend, "WORTH", 0)
            cache = tmp_path / name
            ground = ground_of(texts, f"ground-{name}", wanted="auto", vectors=str(cache))
            if before != "nothing":
                values = ground.settings.sentence.model_dump() | {"backend": before.rsplit(" ")[-1]}
                SentenceEmbedder(**values, cache=cache).views(texts[:20] if "half" in before else texts)
            del fake[:]
            monkeypatch.setattr(backend, "WORTH", worth)
            if name == "ours":
                embed(ground, Serial(ground.folder))
                found.append((ground.about["quantized"], [*fake]))
                views = views_of(ground)
            else:
                embedder = local(ground, cache)
                assert_same(views, embedder.views(texts), WHOLE)
                found.append((embedder.engine_ is not None, [*fake]))
        assert found[0] == found[1]

    def test_it_is_made_once(
        self, ground_of: Callable[..., Ground], fake: list[list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A build that is gone on with stays with it, though it would be another one now."""
        monkeypatch.setattr(backend, "WORTH", 0)
        ground = ground_of(some_texts(20), wanted="auto")
        choice = backends.choose(ground, Serial(ground.folder))
        assert choice.quantized
        monkeypatch.setattr(backend, "WORTH", 10**9)
        assert backends.choose(ground, Serial(ground.folder)) == choice

    def test_a_cluster_with_gpus_has_torch(
        self, ground_of: Callable[..., Ground], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Though the driver sees none."""
        monkeypatch.setattr(backend, "WORTH", 0)
        monkeypatch.setattr(backend, "is_installed", lambda: True)
        ground = ground_of(some_texts(20), wanted="auto")
        assert not backends.choose(ground, Serial(ground.folder), gpus=True).quantized

    @pytest.mark.skipif(not is_installed(), reason="the extra openvino is not installed")
    def test_in_8_bits_the_vectors_are_those_of_one_machine(
        self, ground_of: Callable[..., Ground], tmp_path: Path
    ) -> None:
        """To the bit, though the company of each text is another one."""
        texts = some_texts(60)
        ground = ground_of(texts, wanted="openvino", vectors=str(tmp_path / "vectors"))
        embed(ground, Serial(ground.folder))
        (made,) = (tmp_path / "vectors").glob("openvino-*")
        (tmp_path / "alone").mkdir()
        made.rename(tmp_path / "alone" / made.name)
        assert ground.about["quantized"] is True
        assert_same(views_of(ground), local(ground, tmp_path / "alone").views(texts))


class TestStatic:
    """The static model."""

    @pytest.mark.parametrize(("speed", "model"), [("fast", "hybrid"), ("best", "static")])
    def test_counted_in_parts_it_is_that_of_one_machine(
        self, ground_of: Callable[..., Ground], monkeypatch: pytest.MonkeyPatch, speed: str, model: str
    ) -> None:
        """To the bit: its key, its vectors, and those of the site."""
        monkeypatch.setattr(distilling, "SHARED", 1)
        texts = some_texts(40)
        ground = ground_of(texts, speed=speed, model=model)
        values = ground.settings.sentence.model_dump()
        with distilling._all_threads():
            expected = StaticEmbedder(**values).fit(texts)
        embed(ground, Serial(ground.folder))
        meaning = StaticEmbedder(**values).load(ground.engine / "meaning")
        assert meaning.model_.key == expected.model_.key
        np.testing.assert_array_equal(meaning.model_.vectors, expected.model_.vectors)
        np.testing.assert_array_equal(ground.array("column-sentence.0"), expected.views(texts).articles)
        if model == "hybrid":
            assert_same(views_of(ground), expected.views(texts))
        assert ground.about["quantized"] is False


def test_an_index_finds_what_a_cache_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of keys that two shards have, the later one's; empty texts too; nothing of keys that it has not."""
    monkeypatch.setattr(kept, "AT_ONCE", 3)
    ground = Ground(tmp_path / "ground")
    cache = VectorCache(tmp_path / "vectors", "model")
    rng = np.random.default_rng(0)
    keys = [backends.content_hash(str(number)) for number in range(20)]
    for some in (keys[:8], keys[5:12]):
        lengths = rng.integers(0, 3, len(some))
        cache.put(some, kept.Passages(rng.normal(size=(lengths.sum(), 4)).astype(np.float32), lengths))
    index(ground, Serial(ground.folder), tmp_path / "vectors", "model")
    expected, found = VectorCache(tmp_path / "vectors", "model"), VectorCache(None, "")
    known = Kept(ground, "model")
    for some, passages in known.found([*keys, *keys[:3]]):
        found.put(some, passages)
    assert len(known) == len(found) == len(expected) == 12
    for key in keys[:12]:
        np.testing.assert_array_equal(found.get([key]).vectors, expected.get([key]).vectors)
    assert json.loads((tmp_path / "ground" / "kept" / "model" / "index.json").read_text())["pieces"] == 5


def test_texts_are_embedded_in_bounded_runs() -> None:
    """All of them, in order; a text that is longer than that alone."""
    texts = [Text("", "x" * length) for length in (3, 3, 3, 9, 1)]
    runs = [*embedding_workers.slices(texts, 6)]
    assert [len(run) for run in runs] == [2, 1, 1, 1]
    assert [text for run in runs for text in run] == texts
    assert [*embedding_workers.slices([], 6)] == []
