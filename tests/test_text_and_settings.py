"""Text helpers, the corpus, and settings."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simrec.errors import SettingsError
from simrec.settings import load_settings
from simrec.text import clean, content_hash, detect_language, excerpt, one_line, passages, windows
from simrec.types import Article, Corpus


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """And leaves no control characters, trailing spaces or double blank lines."""
    found = clean(text)
    assert clean(found) == found
    assert one_line(one_line(text)) == one_line(text)
    assert "\n\n\n" not in found
    assert "\x00" not in found


@given(st.integers(0, 500), st.integers(1, 60), st.integers(0, 59))
def test_windows_cover_everything(length: int, size: int, overlap: int) -> None:
    """In order, none longer than its size, none without something new."""
    if overlap >= size:
        with pytest.raises(ValueError, match="overlap"):
            windows(length, size, overlap)
        return
    found = windows(length, size, overlap)
    assert sorted({i for a, b in found for i in range(a, b)}) == list(range(length))
    assert all(0 < b - a <= size for a, b in found)
    assert all(later[1] > earlier[1] for earlier, later in itertools.pairwise(found))


def test_passages_are_pieces_of_the_text() -> None:
    """Cut at tokens, overlapping."""
    text = "one two three four five"
    offsets = [(0, 3), (4, 7), (8, 13), (14, 18), (19, 23)]
    assert passages(text, offsets, 3, 1) == ["one two three", "three four five"]


def test_an_excerpt_ends_at_a_word() -> None:
    """Marked where the text goes on; short in scripts without spaces too."""
    assert excerpt("One two. Three", 2) == "One two.…"
    assert excerpt("One two", 5) == "One two"
    assert len(excerpt("橋" * 1000, 20)) < 200
    assert excerpt("", 5) == ""


def test_a_language_is_named_only_when_it_is_sure() -> None:
    """Too short, or not a language at all: None."""
    assert detect_language("Die Brücke über den Fluss bleibt bis zum Frühjahr für Lastwagen gesperrt.") == "de"
    assert detect_language("The bridge over the river stays closed to lorries until the spring.") == "en"
    assert (
        detect_language(
            "橋は春まで閉鎖されたままで、トラックは川を渡ることができないと市の技師は語った。新しい橋は来年。"
        )
        == "ja"
    )
    assert detect_language("Brücke") is None
    assert detect_language("12345 67890 " * 10) is None


def test_hashes_know_the_borders_of_their_parts() -> None:
    """Title "ab" and body "c" are not title "a" and body "bc"; broken surrogates hash too."""
    assert content_hash("ab", "c") != content_hash("a", "bc")
    assert content_hash("\ud800")


def test_languages_of_one_tongue_are_one() -> None:
    """en-GB and en-US may stand in one block; no language is the site's most frequent."""
    corpus = Corpus(
        [Article(str(i), "T", "B", lang=lang) for i, lang in enumerate(["en-GB", "de", "EN_US", None, "en"])]
    )
    codes = corpus.lang_codes.tolist()
    assert codes[0] == codes[3] == codes[4] != codes[1]
    assert corpus.texts[3].lang == "en" if corpus.main_lang == "en" else corpus.main_lang.startswith("en")


def test_newer_comes_first_and_undated_last() -> None:
    """Then by id."""
    dates = [None, datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC), None]
    corpus = Corpus([Article(str(i), "T", "B", published_at=date) for i, date in enumerate(dates)])
    assert corpus.tie_order.tolist() == [2, 1, 0, 3]


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the file over the defaults."""
    (tmp_path / "simrec.toml").write_text('[block]\nk = 7\n[block.heading]\nde = "Mehr"\n[policy]\nmin_score = 1\n')
    assert load_settings(None).block.k == 5
    settings = load_settings(tmp_path)
    assert (settings.block.k, settings.block.heading, settings.policy.min_score) == (7, {"de": "Mehr"}, 1.0)
    monkeypatch.setenv("SIMREC_BLOCK__K", "9")
    monkeypatch.setenv("SIMREC_WORKSPACE", "elsewhere")
    monkeypatch.setenv("SIMREC_CORPORA", "elsewhere")
    settings = load_settings(tmp_path)
    assert (settings.block.k, settings.block.heading) == (9, {"de": "Mehr"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[block]\nk = 0", "block.k"),
        ("[block]\nk = 'many'", "block.k"),
        ("[blocks]\nk = 5", "blocks"),
        ("[policy]\nmin_scores = 5", "policy.min_scores"),
        ("[policy\n", "cannot be read"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    """With the file that it stands in."""
    (tmp_path / "simrec.toml").write_text(text)
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path)
    assert says in str(error.value)
    assert "simrec.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a workspace too."""
    monkeypatch.setenv("SIMREC_BLOCK__K", "x")
    with pytest.raises(SettingsError, match=r"block\.k"):
        load_settings(None)
