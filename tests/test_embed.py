"""Embedders and the cache of what they made."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from simrec.embed.cache import Passages, VectorCache, is_intact, keep_newest, write_folder
from simrec.embed.sentence import SentenceEmbedder, find
from simrec.embed.terms import STEMMERS, Analyzer
from simrec.embed.tfidf import TfidfEmbedder
from simrec.errors import ModelError, StoreError
from simrec.types import Bar, Text

TEXTS = [
    Text("Mill bridge closed", "The bridge over the river is closed.", "en"),
    Text("Bridges reopen", "Two bridges are open again, says the mayor.", "en"),
    Text("Harvest", "Potatoes rot in wet fields, say farmers.", "en"),
]


class TestTfidf:
    """TF-IDF over language-aware terms."""

    def test_weights_are_as_documented(self) -> None:
        """(1 + ln f) ln((n + 1) / d), divided by the row's norm; the title counts thrice."""
        texts = [Text("cat", "cat dog", "xx"), Text("dog", "dog emu", "xx"), Text("emu", "cow", "xx")]
        rows = TfidfEmbedder(ngrams=1).fit_transform(texts).toarray()
        idf = np.log(4 / 2)
        cat_dog = np.array([0.0, (1 + np.log(1)) * idf, 0.0])
        assert TfidfEmbedder(ngrams=1).fit(texts).terms_ == ["dog", "emu"]
        assert cat_dog[1] > 0
        np.testing.assert_allclose(rows[0], [1.0, 0.0], atol=1e-6)
        raw = np.array([(1 + np.log(4)) * idf, (1 + np.log(1)) * idf])
        np.testing.assert_allclose(rows[1], raw / np.linalg.norm(raw), atol=1e-6)

    def test_rows_are_unit_or_zero(self) -> None:
        """A text without a known term is a row of zeros, not a division by zero."""
        rows = TfidfEmbedder().fit_transform([*TEXTS, Text("", "— !", "en")])
        norms = np.linalg.norm(rows.toarray(), axis=1)
        assert set(np.round(norms, 5).tolist()) <= {0.0, 1.0}
        assert rows[3].nnz == 0

    def test_common_words_make_no_false_matches(self) -> None:
        """Articles that share only what every article has are hardly alike."""
        filler = [Text(f"N{i}", f"the and of to in thing{i}", "en") for i in range(30)]
        texts = [Text("A", "the and of to in glass", "en"), Text("B", "the and of to in glass", "en"), *filler]
        rows = TfidfEmbedder().fit_transform(texts)
        likeness = (rows @ rows.T).toarray()
        assert likeness[0, 1] > 0.9
        assert likeness[0, 5] < 0.2

    @pytest.mark.parametrize(
        ("lang", "near", "far"),
        [
            ("ja", ("市は橋を閉鎖した", "橋の閉鎖は続く"), "図書館で本を読む"),
            ("zh", ("市政府关闭大桥", "大桥关闭一年"), "孩子们在图书馆看书"),
            ("th", ("เทศบาลปิดสะพาน", "สะพานปิดหนึ่งปี"), "เด็กอ่านหนังสือในห้องสมุด"),
            ("de", ("Die Brücken sind gesperrt", "Eine gesperrte Brücke"), "Kartoffeln faulen"),
            ("ru", ("Мосты закрыты", "Закрытый мост"), "Картофель гниёт"),
        ],
    )
    def test_each_script_finds_what_shares_its_words(self, lang: str, near: tuple[str, str], far: str) -> None:
        """Stems where there are spaces, runs of characters where there are none."""
        texts = [Text("", near[0], lang), Text("", near[1], lang), Text("", far, lang), Text("", far + " x", lang)]
        rows = TfidfEmbedder().fit_transform(texts)
        likeness = (rows @ rows.T).toarray()
        assert likeness[0, 1] > 0.3
        assert likeness[0, 1] > 2 * likeness[0, 2]

    def test_every_stemmer_is_one_of_snowballs(self) -> None:
        """A name that Snowball does not know would quietly turn stemming off."""
        import Stemmer

        assert set(STEMMERS.values()) <= set(Stemmer.algorithms())

    def test_mixed_scripts_and_apostrophes(self) -> None:
        """A Latin word in a Japanese text is a word; the bridge's is a bridge; l'eau stays itself."""
        assert {"linux", "橋"} <= set(Analyzer().terms("Linuxの橋", "ja"))
        assert Analyzer().terms("The bridge’s", "en")[1] == Analyzer().terms("bridge", "en")[0]
        assert "l'eau" in Analyzer(stem=False).terms("L'eau", "fr")

    def test_what_was_learned_can_be_saved_and_loaded(self, tmp_path: Path) -> None:
        """As JSON and .npy; the loaded one gives the same vectors."""
        fitted = TfidfEmbedder().fit(TEXTS)
        fitted.save(tmp_path)
        loaded = TfidfEmbedder().load(tmp_path)
        assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".npy"}
        assert (fitted.transform(TEXTS) != loaded.transform(TEXTS)).nnz == 0
        learned = json.loads((tmp_path / "terms.json").read_text("utf-8"))
        del learned["words"]  # as earlier versions saved it
        (tmp_path / "terms.json").write_text(json.dumps(learned), "utf-8")
        assert (fitted.transform(TEXTS) != TfidfEmbedder().load(tmp_path).transform(TEXTS)).nnz == 0

    def test_fit_then_transform_equals_fit_transform(self) -> None:
        """And new texts are seen with the terms that were learned."""
        embedder = TfidfEmbedder()
        np.testing.assert_allclose(
            embedder.fit_transform(TEXTS).toarray(), embedder.transform(TEXTS).toarray(), atol=1e-6
        )
        assert embedder.transform([Text("", "unheard of", "en")]).nnz == 0

    def test_it_is_a_scikit_learn_transformer(self) -> None:
        """Parameters can be read, set and cloned; each one changes the fingerprint."""
        embedder = TfidfEmbedder(title_weight=5)
        assert clone(embedder).get_params() == embedder.get_params()
        others = [TfidfEmbedder(), TfidfEmbedder(ngrams=1), TfidfEmbedder(min_df=3), TfidfEmbedder(stem=False)]
        assert len({each.fingerprint for each in [embedder, *others]}) == 5


@pytest.mark.sentence
class TestSentence:
    """Sentence embeddings of the packaged model."""

    def test_rows_are_unit_and_say_what_is_near(self) -> None:
        """A bridge is nearer to bridges than to potatoes."""
        rows = SentenceEmbedder().fit_transform(TEXTS)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
        assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.1

    def test_long_articles_are_not_cut(self) -> None:
        """What stands after the model's 256 tokens, and after 2,000 words, changes the vector."""
        start = "The council met again and talked about the budget for roads. " * 200
        end = "Penguins breed on the southern ice. " * 40
        texts = [Text("Council", start, "en"), Text("Council", start + end, "en"), Text("", end, "en")]
        plain, other, penguins = SentenceEmbedder(overlap=8).transform(texts)
        assert other @ penguins > plain @ penguins + 0.05

    def test_no_passage_is_longer_than_the_model_takes(self) -> None:
        """Cut by the model's own tokens; nothing between two passages is left out."""
        embedder = SentenceEmbedder()
        text = "Supercalifragilistic harbor towers stand. " * 300
        size = embedder._model.max_seq_length - 2
        pieces = embedder._passages(text, size)
        lengths = [len(embedder._model.tokenizer(piece, add_special_tokens=False)["input_ids"]) for piece in pieces]
        assert max(lengths) <= size
        assert len(pieces) > 5
        assert all(piece in text for piece in pieces)
        assert pieces[-1].endswith("stand.")

    def test_the_order_and_company_of_texts_do_not_matter(self) -> None:
        """Batches change nothing but the last digits."""
        together = SentenceEmbedder(batch_size=2).transform(TEXTS)
        alone = np.concatenate([SentenceEmbedder().transform([text]) for text in reversed(TEXTS)])[::-1]
        np.testing.assert_allclose(together, alone, atol=1e-5)

    def test_the_second_time_nothing_is_embedded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor for another title weight; a new text is embedded alone."""
        first = SentenceEmbedder(cache=tmp_path).transform(TEXTS)
        embed, seen = SentenceEmbedder._embed, []

        def counts(self: SentenceEmbedder, texts: list[str], bar: Bar) -> Passages:
            seen.extend(texts)
            return embed(self, texts, bar)

        monkeypatch.setattr(SentenceEmbedder, "_embed", counts)
        np.testing.assert_array_equal(SentenceEmbedder(cache=tmp_path).transform(TEXTS), first)
        SentenceEmbedder(cache=tmp_path, title_weight=0.7).transform(TEXTS)
        assert seen == []
        SentenceEmbedder(cache=tmp_path).transform([TEXTS[0], Text(TEXTS[0].title, "A new body.", "en")])
        assert seen == ["A new body."]

    def test_empty_texts_are_rows_of_zeros(self) -> None:
        """A title alone is its own vector; nothing at all is zeros; no texts are no rows."""
        title, both, none = SentenceEmbedder().transform(
            [Text("Bridge", "", "en"), Text("Bridge", "Bridge", "en"), Text("", "", "")]
        )
        np.testing.assert_allclose(title, both, atol=1e-5)
        assert not none.any()
        assert len(SentenceEmbedder().transform([])) == 0

    def test_a_model_that_is_not_what_it_claims_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The packaged weights must have the authors' checksum."""
        (tmp_path / "model.safetensors").write_bytes(b"other weights")
        monkeypatch.setattr("simrec.embed.sentence.find", lambda model: tmp_path)
        with pytest.raises(ModelError, match="checksum"):
            SentenceEmbedder().fit(TEXTS)

    def test_a_folder_is_a_model_and_its_files_are_its_fingerprint(self, tmp_path: Path) -> None:
        """The same files under another name are the same model; a folder without a model is an error of one line."""
        from shutil import copytree

        copytree(find("default"), tmp_path / "copy")
        copied = SentenceEmbedder(model=str(tmp_path / "copy"))
        assert copied.fingerprint == SentenceEmbedder().fingerprint
        np.testing.assert_allclose(copied.transform(TEXTS), SentenceEmbedder().transform(TEXTS), atol=1e-6)
        config = tmp_path / "copy" / "sentence_bert_config.json"
        config.write_text(json.dumps({"max_seq_length": 128, "do_lower_case": False}))
        assert SentenceEmbedder(model=str(tmp_path / "copy")).fingerprint != SentenceEmbedder().fingerprint
        (tmp_path / "empty").mkdir()
        with pytest.raises(ModelError) as error:
            SentenceEmbedder(model=str(tmp_path / "empty")).transform(TEXTS)
        assert "\n" not in str(error.value)

    def test_a_model_that_cannot_be_had_says_what_to_do(self) -> None:
        """Neither a folder, nor in the local cache, and no network."""
        with pytest.raises(ModelError, match="name a folder"):
            SentenceEmbedder(model="nobody/no-such-model").fit(TEXTS)

    def test_an_interrupted_run_keeps_what_it_made(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Shard by shard: the next run goes on where it broke off."""
        monkeypatch.setattr("simrec.embed.sentence.SHARD", 2)
        embed, calls = SentenceEmbedder._embed, []

        def breaks(self: SentenceEmbedder, texts: list[str], bar: Bar) -> Passages:
            calls.append(texts)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return embed(self, texts, bar)

        monkeypatch.setattr(SentenceEmbedder, "_embed", breaks)
        with pytest.raises(KeyboardInterrupt):
            SentenceEmbedder(cache=tmp_path).transform(TEXTS)
        SentenceEmbedder(cache=tmp_path).transform(TEXTS)
        assert [len(texts) for texts in calls] == [2, 2, 2, 2]


class TestCache:
    """Vectors on disk."""

    def test_what_is_put_can_be_got_later(self, tmp_path: Path) -> None:
        """In any order, from any shard, by another process."""
        cache = VectorCache(tmp_path, "model")
        for start in (0, 2):
            keys = [str(i) * 64 for i in (start, start + 1)]
            vectors = np.array([[start, 1], [start + 1, 1], [start + 1, 2]], dtype=np.float32)
            cache.put(keys, Passages(vectors, np.array([1, 2])))
        again = VectorCache(tmp_path, "model")
        found = again.get([str(i) * 64 for i in (3, 0, 2)])
        assert found.vectors.tolist() == [[3, 1], [3, 2], [0, 1], [2, 1]]
        assert found.lengths.tolist() == [2, 1, 1]
        assert found.sums().tolist() == [[6, 3], [0, 1], [2, 1]]
        assert again.missing(["0" * 64, "9" * 64, "9" * 64]) == [1]
        assert len(VectorCache(tmp_path, "other model")) == 0

    @pytest.mark.parametrize("damage", ["flip", "cut", "gone", "manifest"])
    def test_damage_is_seen_and_made_again(self, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
        """A warning, and the vectors of that file are missing; the other file is used."""
        cache = VectorCache(tmp_path, "m")
        for name in "ab":
            cache.put([name * 64], Passages(np.ones((1, 2), dtype=np.float32) * ord(name), np.array([1])))
        shard = sorted((tmp_path / "m").glob("*.npz"))[0]
        data = shard.read_bytes()
        if damage == "flip":
            shard.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
        elif damage == "cut":
            shard.write_bytes(data[:50])
        elif damage == "gone":
            shard.unlink()
        else:
            (tmp_path / "m" / "manifest.json").write_text("{")
        with caplog.at_level(logging.WARNING):
            again = VectorCache(tmp_path, "m")
        assert len(again) == (0 if damage == "manifest" else 1)
        assert "made again" in caplog.text

    def test_a_folder_appears_whole_or_not_at_all(self, tmp_path: Path) -> None:
        """A writer that fails leaves nothing behind; damage is seen afterwards."""

        def fails(part: Path) -> None:
            (part / "a").write_text("half")
            raise OSError("disk full")

        with pytest.raises(StoreError, match="disk full"):
            write_folder(tmp_path / "x", fails)
        assert list(tmp_path.iterdir()) == []
        write_folder(tmp_path / "x", lambda part: (part / "a").write_text("whole") and None)
        assert is_intact(tmp_path / "x")
        (tmp_path / "x" / "a").write_text("other")
        assert not is_intact(tmp_path / "x")

    def test_only_the_newest_folders_are_kept(self, tmp_path: Path) -> None:
        """Of those with the prefix; others are left alone."""
        import os

        for age, name in enumerate(["t-1", "t-2", "t-3", "other"]):
            (tmp_path / name).mkdir()
            os.utime(tmp_path / name, (age, age))
        keep_newest(tmp_path, "t-", 2)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "t-2", "t-3"]
