"""Which backend runs a sentence model, and the one in 8-bit integers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from simrec.embed import backend, quantized
from simrec.embed.quantized import Quantized, is_installed
from simrec.embed.sentence import SentenceEmbedder, load
from simrec.errors import ModelError
from simrec.types import Text

TEXTS = [
    Text("Bridge closed", "The bridge over the river is closed, says the mayor."),
    Text("Potatoes rot", "Potatoes rot in wet fields, say farmers. " * 12),
    Text("Ice", "Penguins breed on the ice."),
    Text("", ""),
]
NEW = Text("Open again", "The bridge is open again.")

Make = Callable[..., SentenceEmbedder]

needs_openvino = pytest.mark.skipif(not is_installed(), reason="the extra openvino is not installed")


@pytest.fixture
def make(toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Sentence embedders of the toy model, with one cache."""
    monkeypatch.setattr(backend, "_failed", set())

    def embedder(wanted: str = "auto", **settings: object) -> SentenceEmbedder:
        values = {"model": str(toy_model), "cache": tmp_path / "cache", "device": "cpu", **settings}
        return SentenceEmbedder(backend=wanted, **values)  # type: ignore[arg-type]

    return embedder


class TestChoice:
    """What "auto" chooses, with a converted model that is none: it says what it was asked."""

    @pytest.fixture
    def fake(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Converted models whose every vector points along the second axis; how often one was made."""
        made: list[str] = []

        def make(self: Quantized, model: object, passages: list[str]) -> None:
            quantized.write_folder(self.folder, lambda part: (part / "model.xml").write_text("fake") and None)
            made.append(self.folder.name)

        def encode(self: Quantized, model: object, passages: list[str]) -> np.ndarray:
            return np.tile(np.eye(32, dtype=np.float32)[1], (len(passages), 1))

        monkeypatch.setattr(backend, "is_installed", lambda: True)
        monkeypatch.setattr(Quantized, "make", make)
        monkeypatch.setattr(Quantized, "encode", encode)
        return made

    def test_a_small_site_is_embedded_by_torch(self, make: Make, fake: list[str]) -> None:
        """Converting takes longer than it saves."""
        embedder = make()
        embedder.transform(TEXTS)
        assert embedder.engine_ is None
        assert fake == []

    def test_a_large_site_is_converted_once(self, make: Make, fake: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """And all that is embedded later is embedded by what made the others: passages, a single new text."""
        monkeypatch.setattr(backend, "WORTH", 100)
        whole = make().transform(TEXTS)
        np.testing.assert_allclose(whole[:3, 1], 1)
        monkeypatch.setattr(backend, "WORTH", 10**9)
        again = make()
        again.passages([*TEXTS, NEW])
        single = make().transform([Text("Penguins", "Again")])
        assert again.engine_ is not None
        np.testing.assert_allclose(single[0, 1], 1)
        assert len(fake) == 1

    def test_a_site_that_torch_has_embedded_stays_with_torch(
        self, make: Make, fake: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Though it is large, and a new text comes; and its vectors are those of before there was a choice."""
        before = make("torch")
        rows = before.transform(TEXTS)
        monkeypatch.setattr(backend, "WORTH", 100)
        np.testing.assert_array_equal(make().transform(TEXTS), rows)
        after = make()
        np.testing.assert_allclose(after.transform([*TEXTS, NEW])[:-1], rows, atol=1e-6)
        assert after.engine_ is None
        assert fake == []
        assert [path.name for path in before.cache.iterdir()] == [before.fingerprint]  # type: ignore[union-attr]

    def test_vectors_of_two_backends_are_never_mixed(
        self, make: Make, fake: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where most of a site is new, all of it is embedded anew."""
        make().transform(TEXTS[:1])
        monkeypatch.setattr(backend, "WORTH", 100)
        np.testing.assert_allclose(make().transform(TEXTS)[:3, 1], 1)
        assert len(fake) == 1
        assert make("torch").transform(TEXTS)[0, 1] < 0.99

    def test_a_gpu_is_used_by_torch(self, make: Make, fake: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever there is to embed."""
        import torch

        monkeypatch.setattr(backend, "WORTH", 0)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr("simrec.embed.sentence.load", lambda folder, device: load(folder, "cpu"))
        embedder = make(device="")
        embedder.transform(TEXTS)
        assert embedder.engine_ is None
        assert fake == []

    @pytest.mark.parametrize(("without", "why"), [("extra", "not installed"), ("cache", "cache")])
    def test_what_cannot_be_is_said_and_torch_does_it(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, without: str, why: str
    ) -> None:
        """Only where OpenVINO was asked for by name."""
        monkeypatch.setattr(backend, "is_installed", lambda: without != "extra")
        monkeypatch.setattr(backend, "WORTH", 0)
        settings = {"cache": None} if without == "cache" else {}
        with caplog.at_level(logging.WARNING):
            rows = make("openvino", **settings).transform(TEXTS)
        assert why in caplog.text
        np.testing.assert_allclose(rows, make("torch").transform(TEXTS), atol=1e-6)

    def test_a_failed_conversion_falls_back_and_is_not_repeated(
        self, make: Make, fake: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """One warning that says why; the vectors are torch's."""
        tried = []

        def fails(self: Quantized, model: object, passages: list[str]) -> None:
            tried.append(passages)
            raise ModelError("no such operator")

        monkeypatch.setattr(Quantized, "make", fails)
        with caplog.at_level(logging.WARNING):
            rows = make("openvino").transform(TEXTS)
            make("openvino").passages([NEW])
        assert len(tried) == 1
        assert caplog.text.count("no such operator") == 1
        np.testing.assert_array_equal(rows, make("torch").transform(TEXTS))


@needs_openvino
class TestQuantized:
    """The model in 8-bit integers."""

    def test_its_vectors_are_nearly_the_originals(self, make: Make, toy_model: Path, tmp_path: Path) -> None:
        """Of any length, in any company; made once, then read; a damaged one is made again."""
        texts = [text.body for text in TEXTS[:3]] * 4
        model = load(toy_model, "cpu")
        made = Quantized.of(tmp_path, "checksum")
        assert not made.is_there
        made.make(model, texts)
        assert made.is_there
        passages = ["The bridge is open.", "potatoes " * 29, "ice"] * 5
        expected = model.encode(passages, normalize_embeddings=True, show_progress_bar=False)
        found = Quantized.of(tmp_path, "checksum").encode(model, passages)
        assert np.sum(found * expected, axis=1).min() > 0.97
        assert np.abs(found - expected).max() > 0
        key = made.key
        made.make(model, list(reversed(texts))[:2])
        assert made.key != key
        (made.folder / "model.bin").write_bytes(b"other")
        assert not made.is_there

    def test_the_embedder_uses_it_and_keeps_its_vectors_apart(
        self, make: Make, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Unit rows, passages as torch's, and nothing is printed by the converters."""
        embedder, torch = make("openvino"), make("torch")
        rows = embedder.transform(TEXTS)
        assert embedder.engine_ is not None
        assert capfd.readouterr().out == ""
        assert not rows[3].any()
        assert np.sum(rows[:3] * torch.transform(TEXTS[:3]), axis=1).min() > 0.97
        assert embedder.passages(TEXTS).lengths.tolist() == torch.passages(TEXTS).lengths.tolist()
        assert embedder.fingerprint == torch.fingerprint
        assert len([path for path in embedder.cache.iterdir() if path.name.startswith("sentence-")]) == 2  # type: ignore[union-attr]

    def test_other_vectors_are_refused(self, toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A model that does not stand 8 bits; nothing of it stays."""
        monkeypatch.setattr(quantized, "LEAST_COSINE", 1.1)
        with pytest.raises(ModelError, match="cosine"):
            Quantized.of(tmp_path, "x").make(load(toy_model, "cpu"), ["The bridge is closed."])
        assert list(tmp_path.iterdir()) == []

    def test_a_model_with_a_prompt_is_refused(self, toy_model: Path, tmp_path: Path) -> None:
        """The prompt would be lost."""
        model = load(toy_model, "cpu")
        model.prompts, model.default_prompt_name = {"q": "query: "}, "q"
        with pytest.raises(ModelError, match="prompt"):
            Quantized.of(tmp_path, "x").make(model, ["The bridge is closed."])
