"""Words read once and counted in compiled loops, held against the plain way to do it."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

from simrec.embed import counts
from simrec.embed.counts import Vocabulary
from simrec.embed.terms import CHARACTER_NGRAMS, STEMMERS, Analyzer, Lexicon
from simrec.embed.tfidf import TfidfEmbedder
from simrec.embed.words import Words, analyze, sequences
from simrec.errors import UsageError
from simrec.text import UNSPACED
from simrec.types import Text, primary

RUN = re.compile(rf"([{UNSPACED}]+)|((?:(?![{UNSPACED}])\w)+(?:['’](?:(?![{UNSPACED}])\w)+)*)")


def bare(word: str, code: str) -> str:
    """The word without an English ending."""
    return re.split("['’]", word)[0] if code == "en" else word


def stem_of(word: str, code: str, stem: bool) -> str:
    """The stem that Snowball gives."""
    import Stemmer

    name = STEMMERS.get(code)
    known = stem and name in Stemmer.algorithms()
    return str(Stemmer.Stemmer(name).stemWord(bare(word, code))) if known else bare(word, code)


def plain_words(text: str, lang: str) -> tuple[list[str], list[str]]:
    """Words, and n-grams of characters, by one regular expression over the folded text."""
    words, grams = [], []
    for run, word in RUN.findall(text.casefold()):
        if len(word) > 1:
            words.append(word)
        for n in CHARACTER_NGRAMS:
            grams += [run[i : i + n] for i in range(len(run) - n + 1)]
    return words, grams


def plain_terms(text: str, lang: str, ngrams: int, stem: bool) -> list[str]:
    """All terms of a text as strings."""
    words, grams = plain_words(text, lang)
    stems = [stem_of(word, primary(lang), stem) for word in words]
    spans = [(i, i + n) for n in range(1, ngrams + 1) for i in range(len(stems) - n + 1)]
    return [" ".join(stems[a:b]) for a, b in spans] + grams


def plain_fit(embedder: TfidfEmbedder, texts: list[Text]) -> tuple[list[str], Any, Any]:
    """Terms, IDF and unit rows by scikit-learn's CountVectorizer."""

    def read(text: Text) -> list[str]:
        title, body = (plain_terms(part, text.lang, embedder.ngrams, embedder.stem) for part in text[:2])
        return title * embedder.title_weight + body

    vectorizer = CountVectorizer(analyzer=read, dtype=np.float32)
    found = vectorizer.fit_transform(texts).tocsr()
    df = np.bincount(found.indices, minlength=found.shape[1])
    keep = (df >= embedder.min_df) & (df <= embedder.max_df * len(texts))
    idf = np.log((len(texts) + 1) / df[keep]).astype(np.float32)
    rows = found[:, keep]
    rows.sort_indices()
    rows.data = (1 + np.log(rows.data)) * idf[rows.indices]
    return vectorizer.get_feature_names_out()[keep].tolist(), idf, normalize(rows)


def same(one: Any, two: Any) -> bool:
    """Whether two sparse matrices are equal to the bit, in memory."""
    arrays = ("indptr", "indices", "data")
    return one.shape == two.shape and all(np.array_equal(getattr(one, a), getattr(two, a)) for a in arrays)


def corpus(n: int = 60, seed: int = 0) -> list[Text]:
    """Made-up texts that share words, in languages and scripts of all kinds."""
    rng = np.random.default_rng(seed)
    stock = {
        "en": "bridge bridges bridge's Bridging the river is isn’t closed closing 2024 a x O'Neil’s rock''n",
        "de": "Brücke Brücken Straße STRASSE gesperrt die der und Ämter",
        "fr": "l'eau l’eau pont ponts fermé fermés d'or",
        "tr": "İstanbul ISTANBUL köprü köprüler kapalı",
        "ja": "橋は閉鎖 橋の閉鎖 Linuxの橋 図書館で read 本",
        "th": "ปิดสะพาน สะพาน bridge",
        "": "word words Word don't — … ,",
    }
    texts = []
    for number in range(n):
        lang = list(stock)[number % len(stock)]
        words = [*stock[lang].split(), "bridge", "bridges", "bridge's"]
        title, body = (" ".join(rng.choice(words, size)) for size in (rng.integers(0, 5), rng.integers(0, 40)))
        texts.append(Text(str(title), str(body), f"{lang}-XX" if number % 2 and lang else lang))
    return texts


CHARACTERS = st.one_of(
    st.sampled_from("abAB_1 .,-'’'’\nßİıſŉΣσςᾳ\u0345ǰ橋はกัไ𠀀é\u0301"),
    st.characters(exclude_categories=["Cs"]),
)


class TestReading:
    """Texts become numbers of words."""

    @settings(max_examples=300, deadline=None)
    @given(st.text(CHARACTERS, max_size=40), st.sampled_from(["en", "en-GB", "de", "tr", "el", "ja", ""]))
    def test_any_text_has_the_words_that_one_regular_expression_finds(self, text: str, lang: str) -> None:
        """Whatever its script, and however its letters change by case-folding."""
        for ngrams, stem in ((1, True), (2, False), (3, True)):
            assert Analyzer(ngrams, stem).terms(text, lang) == plain_terms(text, lang, ngrams, stem)

    def test_case_folding_a_piece_is_case_folding_the_text(self) -> None:
        """No character but U+0345 becomes a letter, and none moves into a script without spaces or out of it."""
        unspaced = re.compile(f"[{UNSPACED}]")
        letters = []
        for character in map(chr, range(sys.maxunicode + 1)):
            folded = character.casefold()
            if folded == character:
                continue
            assert not unspaced.search(character + folded)
            assert not set(folded) & set("'’")
            if not re.match(r"\w", character) and re.search(r"\w", folded):
                letters.append(character)
        assert letters == ["\u0345"]

    def test_numbers_once_given_stay(self) -> None:
        """A lexicon grows at its end, for forms and for stems."""
        lexicon = Lexicon()
        before = analyze([Text("Bridge", "the bridges", "en")], lexicon)
        forms, stems = list(lexicon.forms), list(before.stems(before.bodies).numbers)
        known = list(lexicon.stemming().stems)
        after = analyze([Text("New bridge", "tunnels, the tunnel", "en")], lexicon)
        assert lexicon.forms[: len(forms)] == forms
        assert lexicon.stemming().stems[: len(known)] == known
        assert before.stems(before.bodies).numbers.tolist() == [int(stem) for stem in stems]
        names = [lexicon.stemming().stems[stem] for stem in after.stems(after.bodies).numbers]
        assert names == ["tunnel", "the", "tunnel"]

    def test_languages_do_not_share_stems_of_equal_words(self) -> None:
        """One form a language, each cut by its own rules; equal stems are one."""
        lexicon = Lexicon()
        forms = lexicon.read([("bridges", "en"), ("bridges", "xx"), ("bridge", "en-GB"), ("bridges", "EN")]).numbers
        assert forms.tolist() == [0, 1, 2, 0]
        assert lexicon.stemming().numbers()[forms].tolist() == [0, 1, 0, 0]
        assert lexicon.stemming(False).stems == []
        assert lexicon.stemming(False).numbers()[forms].tolist() == [0, 0, 1, 0]

    @pytest.mark.parametrize("processes", [1, 2])
    def test_the_result_does_not_depend_on_processes(self, processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor on the blocks that texts are cut into, nor on what the lexicon knew, but for the numbers."""
        texts = corpus()
        whole = analyze(texts, processes=1)
        monkeypatch.setattr("simrec.embed.words.BLOCK", 700)
        monkeypatch.setattr("simrec.embed.words.BLOCKS", 2)
        parts = analyze(texts, processes=processes)
        assert parts.lexicon.forms == whole.lexicon.forms
        assert parts.lexicon.codes == whole.lexicon.codes
        for one, two in ((whole.titles, parts.titles), (whole.bodies, parts.bodies)):
            assert all(map(np.array_equal, one, two))
        lexicon = Lexicon()
        lexicon.read([("zebra bridges", "en")])
        later = analyze(texts, lexicon, processes)
        assert named(later) == named(whole)
        assert lexicon.forms[0] == "zebra"

    def test_words_can_be_saved_taken_and_joined(self, tmp_path: Path) -> None:
        """A site whose texts changed needs to read those only: vectors are those of reading all."""
        texts = corpus()
        analyze(texts[:40]).save(tmp_path)
        assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".npy"}
        known = Words.load(tmp_path)
        assert named(known) == named(analyze(texts[:40]))
        kept = np.array([39, *range(5, 30)], dtype=np.int32)
        words = known.take(kept).followed_by(analyze(texts[40:], known.lexicon))
        now = [*(texts[row] for row in kept), *texts[40:]]
        assert named(words) == named(analyze(now))
        one, two = TfidfEmbedder(), TfidfEmbedder()
        assert same(one.fit_transform_words(words), two.fit_transform(now))
        assert (one.terms_, one.surface_) == (two.terms_, two.surface_)
        assert len(known.take(kept[:0])) == 0
        with pytest.raises(ValueError, match="read both with one"):
            known.followed_by(analyze(texts[40:]))

    def test_the_word_shown_for_a_stem_is_its_most_frequent(self) -> None:
        """Of equally frequent ones the shortest; English endings are cut; a stem that is a word shows itself."""
        texts = [Text("Bridges", "bridge bridge's BRIDGE closing closed", "en")] * 2
        assert TfidfEmbedder(ngrams=1).fit(texts).surface_ == {"bridg": "bridge", "close": "closed"}


def named(words: Words) -> list[list[str]]:
    """Each title's and each body's forms as strings."""
    parts = []
    for part in (words.titles, words.bodies):
        forms = [words.lexicon.forms[number] for number in part.numbers]
        parts += [forms[a:b] for a, b in zip(part.starts[:-1], part.starts[1:], strict=True)]
    return parts


class TestCounting:
    """Vectors are those of CountVectorizer, to the bit."""

    @pytest.mark.parametrize(
        "parameters",
        [
            {},
            {"ngrams": 1},
            {"ngrams": 3, "min_df": 3},
            {"title_weight": 0},
            {"title_weight": 1, "min_df": 1},
            {"max_df": 0.2},
            {"stem": False, "ngrams": 3, "max_df": 0.5, "min_df": 1},
        ],
        ids=str,
    )
    def test_the_vectors_are_those_of_count_vectorizer(self, parameters: dict[str, Any], tmp_path: Path) -> None:
        """The same terms in the same order, weights and rows; of a fitted embedder and of a loaded one."""
        texts = corpus()
        embedder = TfidfEmbedder(**parameters)
        terms, idf, rows = plain_fit(embedder, texts)
        assert len(terms) > 20
        found = embedder.fit_transform(texts)
        assert embedder.terms_ == terms
        assert embedder.idf_.dtype == found.dtype == np.float32
        assert np.array_equal(embedder.idf_, idf)
        assert same(found, rows)
        embedder.save(tmp_path)
        loaded = TfidfEmbedder(**parameters).load(tmp_path)
        assert same(embedder.transform(texts), rows)
        assert same(loaded.transform(texts), rows)

    def test_the_result_does_not_depend_on_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """That threads count apart."""
        texts = corpus()
        embedder = TfidfEmbedder()
        whole, idf = embedder.fit_transform(texts), embedder.idf_
        monkeypatch.setattr(counts, "BLOCK", 50)
        assert same(embedder.fit_transform(texts), whole)
        assert np.array_equal(embedder.idf_, idf)
        assert same(embedder.transform(texts), whole)

    def test_one_text_alone_has_the_row_that_it_has_among_others(self) -> None:
        """To the bit, with a lexicon of its own and with the one that knows all words."""
        texts = corpus()
        words = analyze(texts)
        embedder = TfidfEmbedder()
        rows = embedder.fit_transform_words(words)
        for place, text in enumerate(texts):
            assert same(embedder.transform([text]), rows[place])
            assert same(embedder.transform_words(analyze([text], words.lexicon)), rows[place])

    def test_words_that_came_later_have_no_column(self) -> None:
        """Neither alone nor between known words, which are then no neighbors."""
        embedder = TfidfEmbedder().fit([Text("", "old bridge", "en")] * 2)
        assert embedder.terms_ == ["bridg", "old", "old bridg"]
        row = embedder.transform([Text("", "old stone bridge", "en")])
        assert row.indices.tolist() == [0, 1]

    def test_titles_can_be_taken_from_what_was_read(self) -> None:
        """Alone, and as bodies: the same as texts that are cut so."""
        texts = corpus()
        words = analyze(texts)
        embedder = TfidfEmbedder(min_df=1)
        embedder.fit_words(words)
        titles = [Text(text.title, "", text.lang) for text in texts]
        assert same(embedder.transform_words(words.only_titles()), embedder.transform(titles))
        bodies = [Text("", text.title, text.lang) for text in texts]
        alone, cut = TfidfEmbedder(), TfidfEmbedder()
        assert same(alone.fit_transform_words(words.titles_as_bodies()), cut.fit_transform(bodies))
        assert (alone.terms_, alone.surface_) == (cut.terms_, cut.surface_)

    @pytest.mark.parametrize("texts", [[], [Text("", "", "en")], [Text("—", "a !", "en"), Text("", "", "")]], ids=len)
    def test_texts_without_words_have_rows_of_zeros(self, texts: list[Text]) -> None:
        """And so has a site without texts: no error."""
        embedder = TfidfEmbedder()
        assert embedder.fit_transform(texts).shape == (len(texts), 0)
        assert embedder.transform([Text("", "bridge", "en")]).shape == (1, 0)
        assert [len(part.numbers) for part in sequences(analyze(texts))[:2]] == [0, 0]

    def test_n_grams_that_cannot_be_numbered_are_an_error(self) -> None:
        """It says what to do; none is silently mistaken for another."""
        words = [f"word{i}" for i in range(600)]
        with pytest.raises(UsageError, match="600 words are too many for n-grams of 7: lower ngrams"):
            TfidfEmbedder(ngrams=7).fit([Text("", " ".join(words), "xx")] * 2)

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.lists(st.sampled_from(["a", "ab", "a'b", "b", "橋"]), min_size=1, max_size=3), unique_by=tuple))
    def test_keys_are_in_the_order_of_names(self, grams: list[list[str]]) -> None:
        """Also where one word is the start of another."""
        terms = sorted(map(" ".join, grams))
        vocabulary = Vocabulary.of_terms(terms, 3)
        assert (np.diff(vocabulary.keys) > 0).all()
        assert vocabulary.names() == terms


class TestSequences:
    """Words in order, for features that look at them."""

    def test_they_are_the_stems_in_order_with_their_idf(self) -> None:
        """ln((n + 2) / (1 + bodies that have it)); equal stems have equal numbers in titles and bodies."""
        texts = corpus()
        words = analyze(texts)
        titles, bodies, weights = sequences(words)
        stems = words.lexicon.stemming().stems
        df: Counter[str] = Counter()
        for place, text in enumerate(texts):
            for part, body in ((titles, False), (bodies, True)):
                found = [stems[n] for n in part.numbers[part.starts[place] : part.starts[place + 1]]]
                assert found == plain_terms(text[body], text.lang, 1, True)
                df.update(set(found) if body else ())
        expected = [np.log((len(texts) + 2) / (1 + df[stem])) for stem in stems]
        assert weights.dtype == np.float32
        np.testing.assert_allclose(weights, expected, rtol=1e-6)
