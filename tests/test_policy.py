"""House rules: what may be shown, what is a copy, and in what order the rest stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from simrec.pipeline.copies import find_copies
from simrec.pipeline.site import Site
from simrec.policy import rules
from simrec.policy.eligibility import eligible, reason_hidden
from simrec.policy.story import OneStory
from simrec.settings import PolicySettings, Settings
from simrec.types import Article, Corpus

NOW = datetime(2025, 1, 1, 12, tzinfo=UTC)
STORY = (
    "The mill bridge was closed at midnight after a sensor showed that the crack in its anchor had grown by "
    "two millimeters since August, the county engineer said on Thursday, and lorries must use the Kessin crossing."
)


def article(id_: str = "a", **values: Any) -> Article:
    """An article that may be shown, but for the given values."""
    return Article(**{"id": id_, "title": "Title", "body": "Body", **values})


def groups(articles: list[Article], threshold: float = 0.7) -> list[int]:
    """The first row of each article's copies, as a build finds them."""
    settings = Settings(policy=PolicySettings(near_duplicate=threshold))
    numbers = find_copies(Site(Corpus(sorted(articles, key=lambda a: a.id)), settings)).numbers.tolist()
    return [numbers.index(number) for number in numbers]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, None),
        ({"status": "draft"}, "draft"),
        ({"status": "withdrawn"}, "withdrawn"),
        ({"status": "embargoed"}, "embargoed"),
        ({"status": "embargoed", "embargo_until": NOW + timedelta(hours=1)}, "embargoed"),
        ({"status": "embargoed", "embargo_until": NOW}, None),
        ({"embargo_until": NOW + timedelta(seconds=1)}, "embargoed"),
        ({"embargo_until": NOW - timedelta(seconds=1)}, None),
        ({"published_at": NOW + timedelta(seconds=1)}, "not published yet"),
        ({"published_at": NOW}, None),
        ({"expires_at": NOW}, "expired"),
        ({"expires_at": NOW + timedelta(seconds=1)}, None),
        ({"status": "draft", "embargo_until": NOW - timedelta(days=1)}, "draft"),
    ],
)
def test_each_reason_to_hide(values: dict[str, Any], reason: str | None) -> None:
    """To the second: published and in date only."""
    assert reason_hidden(article(**values), NOW) == reason
    assert eligible(Corpus([article(**values)]), NOW).tolist() == [reason is None]


def test_equal_texts_are_copies_whatever_their_case_and_spaces() -> None:
    """Under any id."""
    found = groups(
        [article("a", body=STORY), article("b", body=STORY.upper().replace(" ", "  ")), article("c", body="Other")]
    )
    assert found == [0, 0, 2]


def test_lightly_edited_copies_are_found_and_follow_ups_are_not() -> None:
    """From the threshold on two stories are one; a report of the same event in other words is not."""
    edited = STORY.replace("on Thursday", "yesterday").replace("two millimeters", "2 mm")
    follow = (
        "Engineers will replace the anchors of the mill bridge next spring; the closed crossing costs shops a third."
    )
    articles = [article("a", body=STORY), article("b", body=edited), article("c", body=follow)]
    assert groups(articles, 0.6) == [0, 0, 2]
    assert groups(articles, 0.95) == [0, 1, 2]


BRIDGE = "县里的工程师星期四说,磨坊桥因锚固处的裂缝自八月以来扩大了两毫米,已于午夜关闭,卡车必须改走科辛渡口。"


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (STORY, STORY.replace("on Thursday", "yesterday"), True),
        (STORY, STORY.replace(", ", " - ").upper(), True),
        (STORY, f"{STORY} {STORY.replace('the', 'a')} {BRIDGE}", False),
        (BRIDGE, BRIDGE.replace("星期四", "昨天"), True),
        (BRIDGE, BRIDGE[::-1], False),
        ("!", "?", False),
    ],
    ids=["edited", "other signs", "longer", "edited, no spaces", "other words, no spaces", "no words"],
)
def test_pairs_are_told_to_be_copies_without_a_build(one: str, other: str, wanted: bool) -> None:
    """By words, or characters where a script has no spaces; what is held apart is no copy."""
    corpus = Corpus([article("a", title=one, body=one), article("b", title=other, body=other)])
    assert OneStory(corpus, PolicySettings()).holds("a", "b") is wanted
    assert not OneStory(corpus, PolicySettings(apart=("a",))).holds("a", "b")
    assert not OneStory(corpus, PolicySettings()).holds("a", "gone")


def test_canonical_ids_join_copies_in_any_words() -> None:
    """A copy and its original, two copies of one original, chains, and copies of an original that is not here."""
    bodies = ["Sun and sand", "Rain in the hills", "Snow on roofs", "Wind at sea", "Fog in town", "Hail"]
    named = [None, "a0", "a1", "gone", "gone", None]
    articles = [
        article(f"a{i}", title=b, body=b, canonical_id=c) for i, (b, c) in enumerate(zip(bodies, named, strict=True))
    ]
    assert groups(articles) == [0, 0, 0, 3, 3, 5]


def test_copies_in_scripts_without_spaces_are_found() -> None:
    """By runs of characters."""
    story = "橋は三月から閉鎖されている。市の技師によると、亀裂は八月から二ミリ広がった。"
    other = "図書館は土曜日に再開し、新しい本が三千冊並んだ。子どもたちが列を作った。"
    articles = [article("a", body=story, lang="ja"), article("b", body=story.replace("市の", "町の"), lang="ja")]
    assert groups([*articles, article("c", body=other, lang="ja")]) == [0, 0, 2]


def choose(rows: list[int], scores: list[float], **options: Any) -> list[int]:
    """The rows that stay of a ranking for row 0."""
    ranked = np.array(rows, dtype=np.int32)
    selection = rules.select(0, ranked, np.array(scores, dtype=np.float32), **{"rules": [], "k": 3, **options})
    return [int(row) for row in ranked[selection.places]]


def test_rules_run_before_the_cut() -> None:
    """Three copies take one place of three."""
    group = np.array([0, 1, 1, 1, 4, 5, 0])
    copies = ("copy", rules.no_copies(group))
    assert choose([6, 1, 2, 3, 4, 5, -1], [9, 8, 7, 6, 5, 4, -np.inf], rules=[copies]) == [1, 4, 5]


def test_removed_is_counted_by_rule() -> None:
    """So that a shortfall can say why."""
    group = np.array([0, 1, 1, 3, 4])
    ranked, scores = np.array([1, 2, 3, 4], dtype=np.int32), np.array([4, 3, 2, 0.5], dtype=np.float32)
    named = [("copy", rules.no_copies(group)), ("low", rules.min_score(1.0))]
    selection = rules.select(0, ranked, scores, rules=named, k=5)
    assert ranked[selection.places].tolist() == [1, 3]
    assert selection.removed == {"copy": 1, "low": 1}


def test_pins_stand_first_and_are_not_too_bad_for_a_block() -> None:
    """In the editors' order, below any minimum score, but never a copy of the page."""
    low = ("low", rules.min_score(1.0))
    assert choose([1, 2, 3, 4], [9, 8, 0.5, 0.1], rules=[low], pins=[4, 3]) == [4, 3, 1]
    group = np.array([0, 1, 2, 0, 4])
    assert choose([1, 2, 3, 4], [9, 8, 7, 6], rules=[("copy", rules.no_copies(group))], pins=[3, 4]) == [4, 1, 2]


def test_a_copy_of_a_pin_gives_way_to_it() -> None:
    """The pin stays although the copy scores more."""
    group = np.array([0, 1, 1, 3])
    assert choose([1, 2, 3], [9, 8, 7], rules=[("copy", rules.no_copies(group))], pins=[2]) == [2, 3]


def test_diversity_trades_score_for_being_unlike() -> None:
    """Off, the order is the ranking's; on, the near-twin of the first item waits."""

    def similarity(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        twins = {frozenset((1, 2))}
        return np.array(
            [
                [1.0 if a == b or frozenset((a, b)) in twins else 0.0 for b in line]
                for a, line in zip(rows.tolist(), others.tolist(), strict=True)
            ],
            dtype=np.float32,
        )

    ranking = ([1, 2, 3, 4], [9.0, 8.9, 8.0, 1.0])
    assert choose(*ranking, similarity=similarity) == [1, 2, 3]
    assert choose(*ranking, similarity=similarity, diversity=0.3) == [1, 3, 2]
    assert choose(*ranking, similarity=similarity, diversity=0.3, pins=[4]) == [4, 1, 3]
