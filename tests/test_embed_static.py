"""Static embeddings, distilled from a sentence model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from simrec.embed.distill import Teacher
from simrec.embed.pieces import Pieces
from simrec.embed.static import StaticEmbedder
from simrec.errors import ModelError
from simrec.settings import SentenceSettings
from simrec.text import windows
from simrec.types import Text

TEXTS = [
    Text("Bridge closed", "The bridge over the river is closed, says the mayor. Webtask! Webtask? webtask."),
    Text("Open again", "The bridge is open again."),
    Text("Potatoes rot", "Potatoes rot in wet fields, say farmers. " * 12),
    Text("Penguins", ""),
    Text("", "Penguins breed on the ice. 日本"),
    Text("", " \n"),
]


@pytest.fixture(scope="session")
def teacher_cache(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that the toy model's vocabulary has been distilled into."""
    folder = tmp_path_factory.mktemp("cache")
    StaticEmbedder(model=str(toy_model), cache=folder).fit([])
    return folder


@pytest.fixture
def make(toy_model: Path) -> type[StaticEmbedder]:
    """Static embedders of the toy model."""

    class Toy(StaticEmbedder):
        def __init__(self, **settings: object) -> None:
            super().__init__(**{"model": str(toy_model), **settings})

    return Toy


class TestVectors:
    """What the rows are."""

    def test_rows_are_unit_or_zero_and_say_what_is_near(self, make: type[StaticEmbedder]) -> None:
        """Bridges are near bridges; a text without words is zeros."""
        rows = make().fit_transform(TEXTS)
        norms = np.linalg.norm(rows, axis=1)
        np.testing.assert_allclose(norms, [1, 1, 1, 1, 1, 0], atol=1e-5)
        assert rows.dtype == np.float32
        assert rows[0] @ rows[1] > rows[0] @ rows[2]

    def test_a_text_has_the_same_row_alone_and_in_company(self, make: type[StaticEmbedder]) -> None:
        """To the last bit: what is published later gets the row that a full build would give it."""
        embedder = make().fit(TEXTS)
        together = embedder.transform(TEXTS)
        alone = [make()._use(embedder.model_).transform([text])[0] for text in reversed(TEXTS)][::-1]
        np.testing.assert_array_equal(together, np.array(alone))

    def test_a_body_is_the_weighted_mean_of_all_its_tokens(self, make: type[StaticEmbedder]) -> None:
        """Also where it is longer than a passage."""
        embedder = make(title_weight=0.0).fit(TEXTS)
        tokens = embedder.model_.tokenizer.encode(TEXTS[2].body, add_special_tokens=False).ids
        assert len(tokens) > embedder.model_.window
        expected = embedder.model_.vectors[tokens].sum(axis=0)
        np.testing.assert_allclose(
            embedder.transform([TEXTS[2]])[0], expected / np.linalg.norm(expected), rtol=1e-4, atol=1e-5
        )

    def test_passages_are_windows_of_tokens_that_overlap(self, make: type[StaticEmbedder]) -> None:
        """As the sentence model's are cut; a short text is its only passage, an empty one has none."""
        embedder = make(overlap=8, passage_tokens=20).fit(TEXTS)
        found = embedder.passages(TEXTS)
        model = embedder.model_
        tokens = [model.tokenizer.encode(t.body.strip() or t.title, add_special_tokens=False).ids for t in TEXTS]
        known = [[token for token in of_text if model.vectors[token].any()] for of_text in tokens]
        cut = [[of_text[a:b] for a, b in windows(len(of_text), 20, 8)] for of_text in known]
        assert found.lengths.tolist() == [len(pieces) for pieces in cut]
        assert max(found.lengths) > 3
        expected = np.array([model.vectors[piece].sum(axis=0) for pieces in cut for piece in pieces])
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(found.vectors, expected, rtol=1e-3, atol=1e-5)

    def test_one_look_gives_all_views(self, make: type[StaticEmbedder]) -> None:
        """Titles, bodies, both mixed, and passages, as they are given one by one."""
        embedder = make().fit(TEXTS)
        views = embedder.views(TEXTS)
        for found, share in ((views.articles, 0.3), (views.titles, 1.0), (views.bodies, 0.0)):
            expected = make(title_weight=share)._use(embedder.model_).transform(TEXTS)
            np.testing.assert_array_equal(found, expected)
        passages = embedder.passages(TEXTS)
        np.testing.assert_array_equal(views.passages.vectors, passages.vectors)
        np.testing.assert_array_equal(views.passages.lengths, passages.lengths)

    def test_no_texts_are_no_rows_and_can_be_fitted(
        self, make: type[StaticEmbedder], teacher_cache: Path, tmp_path: Path
    ) -> None:
        """A new site, or one with a single article, has the teacher's own words."""
        embedder = make(cache=teacher_cache).fit([])
        for cache in (None, tmp_path):
            empty = make(cache=cache)._use(embedder.model_)
            assert len(empty.transform([])) == 0
            assert len(empty.passages([]).lengths) == 0
            assert len(empty.views([]).articles) == 0
        assert embedder.transform(["The bridge is closed."]).any()
        assert make().fit([Text("", "")]).transform(["bridge"]).any()


class TestDistillation:
    """What `fit` learns."""

    def test_a_frequent_word_of_the_site_gets_a_vector_of_its_own(self, make: type[StaticEmbedder]) -> None:
        """The teacher cuts it to pieces; a rare one stays cut; `vocabulary` limits them."""
        known = make().fit(TEXTS).model_
        assert known.tokenizer.encode("Webtask", add_special_tokens=False).tokens == ["webtask"]
        assert len(known.tokenizer.encode("Zebra", add_special_tokens=False).tokens) > 1
        uncounted = make(vocabulary=0).fit(TEXTS).model_
        assert len(uncounted.tokenizer.encode("webtask", add_special_tokens=False).tokens) > 1
        assert known.vectors[known.tokenizer.token_to_id("webtask")].any()

    def test_the_teachers_padding_is_not_in_the_vectors(self, toy_model: Path) -> None:
        """A word's vector is the teacher's of that word alone, though its tokenizer fills texts up and cuts them."""
        from sentence_transformers import SentenceTransformer

        from simrec.types import no_progress

        teacher = Teacher(str(toy_model), "cpu", None, no_progress)
        teacher._model.tokenizer.backend_tokenizer.enable_padding(length=32)
        found = teacher.embed(["webtask", "bridge"])
        expected = SentenceTransformer(str(toy_model), device="cpu").encode(["webtask", "bridge"])
        found /= np.linalg.norm(found, axis=1, keepdims=True)
        np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_no_more_dimensions_than_the_teacher_has(self, make: type[StaticEmbedder]) -> None:
        """And as few as are wanted."""
        assert make().fit(TEXTS).transform(TEXTS).shape == (6, 32)
        assert make(dimensions=8).fit(TEXTS).transform(TEXTS).shape == (6, 8)

    def test_what_is_no_transformer_cannot_be_distilled(self, tmp_path: Path) -> None:
        """One line that names the folder."""
        with pytest.raises(ModelError) as error:
            StaticEmbedder(model=str(tmp_path)).fit(TEXTS)
        assert str(tmp_path) in str(error.value)
        assert "\n" not in str(error.value)

    def test_it_takes_the_settings_of_the_sentence_model(self) -> None:
        """The two are exchanged by their class alone; parameters can be read and cloned."""
        embedder = StaticEmbedder(**SentenceSettings().model_dump(), cache=None)
        assert clone(embedder).get_params() == embedder.get_params()
        with pytest.raises(NotFittedError):
            embedder.transform(TEXTS)


class TestKept:
    """What is kept in folders."""

    def test_what_was_learned_can_be_saved_and_loaded(self, make: type[StaticEmbedder], tmp_path: Path) -> None:
        """As safetensors and JSON; the loaded one gives the same vectors, without the teacher."""
        fitted = make().fit(TEXTS)
        fitted.save(tmp_path)
        assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".json", ".safetensors"]
        loaded = StaticEmbedder(model="nobody/no-such-model").load(tmp_path)
        np.testing.assert_array_equal(loaded.transform(TEXTS), fitted.transform(TEXTS))
        assert loaded.fingerprint == fitted.fingerprint

    def test_a_second_fit_reads_the_cache(
        self, make: type[StaticEmbedder], teacher_cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The same words need no teacher; other words do, and make another model."""
        first = make(cache=teacher_cache).fit(TEXTS)
        rows = first.transform(TEXTS)
        monkeypatch.setattr("simrec.embed.distill.load", lambda *args: pytest.fail("the teacher was loaded"))
        second = make(cache=teacher_cache).fit(TEXTS)
        assert second.fingerprint == first.fingerprint
        np.testing.assert_array_equal(second.transform(TEXTS), rows)
        monkeypatch.undo()
        assert make(cache=teacher_cache).fit(TEXTS[:2]).fingerprint != first.fingerprint

    def test_cached_vectors_are_not_made_again(
        self, make: type[StaticEmbedder], teacher_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And are the same as those that are made; a new text is embedded alone."""
        model = make(cache=teacher_cache).fit(TEXTS).model_
        expected = make()._use(model).views(TEXTS)
        found = make(cache=tmp_path)._use(model).views(TEXTS)
        of, seen = Pieces.of, []

        def counts(self: Pieces, texts: list[str]) -> object:
            seen.extend(texts)
            return of(self, texts)

        monkeypatch.setattr(Pieces, "of", counts)
        again = make(cache=tmp_path)._use(model).views([*TEXTS, Text("Bridge closed", "New")])
        assert seen == ["New"]
        np.testing.assert_array_equal(found.bodies, expected.bodies)
        np.testing.assert_array_equal(again.bodies[:-1], expected.bodies)
        np.testing.assert_array_equal(again.passages.vectors[: len(expected.passages.vectors)], found.passages.vectors)

    @pytest.mark.parametrize("name", ["vectors.safetensors", "tokenizer.json", "static.json"])
    def test_a_damaged_model_is_refused(self, make: type[StaticEmbedder], tmp_path: Path, name: str) -> None:
        """In one line, whether a manifest tells or not."""
        make().fit(TEXTS).save(tmp_path)
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:30])
        with pytest.raises(ModelError, match="static model") as error:
            StaticEmbedder().load(tmp_path)
        assert "\n" not in str(error.value)

    def test_a_model_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        """Of simrec's own tree."""
        with pytest.raises(ModelError):
            StaticEmbedder().load(tmp_path / "none")


class TestPieces:
    """Tokens by what stands between spaces."""

    def test_tokens_are_those_of_the_whole_text(self, make: type[StaticEmbedder]) -> None:
        """Whatever stands between words, and however often it was seen."""
        embedder = make().fit(TEXTS)
        text = "The bridge,\n\n the RIVER;  webtask\tpotatoes!again - Zébra"
        whole = embedder.model_.tokenizer.encode(text, add_special_tokens=False).ids
        kept = [token for token in whole if token not in set(embedder.model_.silent)]
        pieces = Pieces(embedder.model_.tokenizer, embedder.model_.silent)
        found = pieces.of([text, "", text])
        assert found.values.tolist() == kept * 2
        assert found.lengths.tolist() == [len(kept), 0, len(kept)]

    def test_what_is_remembered_is_bounded(self, make: type[StaticEmbedder], monkeypatch: pytest.MonkeyPatch) -> None:
        """Forgetting changes nothing."""
        monkeypatch.setattr("simrec.embed.pieces.REMEMBERED", 10)
        model = make().fit(TEXTS).model_
        pieces = Pieces(model.tokenizer, model.silent)
        first = pieces.of([TEXTS[0].body]).values.tolist()
        pieces.of([TEXTS[1].body])
        assert len(pieces._number) == len(set(TEXTS[1].body.split()))
        assert pieces.of([TEXTS[0].body]).values.tolist() == first
