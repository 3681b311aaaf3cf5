"""Every house rule, in blocks that a build keeps and in blocks that are made for the moment: they are the same."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simrec.cli.main import main
from simrec.errors import SettingsError
from simrec.pipeline.build import build
from simrec.pipeline.chooser import Chooser
from simrec.pipeline.ingest import ingest
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.show import similar
from simrec.pipeline.site import Site
from simrec.pipeline.status import status
from simrec.pipeline.stories import list_stories
from simrec.pipeline.viewer import Viewer
from simrec.pipeline.workspace import Workspace
from simrec.settings import load_settings
from simrec.types import Article, Corpus

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
TEXT = "bridge river mill crack anchor engineer lorry county repair cable deck closed open toll steel"
WORDS = TEXT.split()
Blocks = dict[str, list[str]]


def article(number: int, **values: Any) -> dict[str, Any]:
    """An article about one bridge, in words of its own order, a day older for each number."""
    rng = random.Random(number)
    body = ". ".join(" ".join(rng.sample(WORDS, 6)) + f" remark{number}" for _ in range(5))
    date = (NOW - timedelta(days=number)).isoformat()
    own = {"id": f"a{number}", "title": f"Bridge {number}", "body": body, "lang": "en", "published_at": date}
    return {name: value for name, value in {**own, **values}.items() if value is not None}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Workspace]:
    """Builds a site of articles under house rules."""

    def made(articles: list[dict[str, Any]], policy: str = "", k: int = 3, more: str = "") -> Workspace:
        (tmp_path / "simrec.toml").write_text(f"{more}\n[build]\nspares = 2\n[policy]\n{policy}\n", encoding="utf-8")
        (tmp_path / "articles.jsonl").write_text("\n".join(map(json.dumps, articles)), encoding="utf-8")
        workspace = Workspace.open(tmp_path, create=True)
        ingest(workspace, [tmp_path / "articles.jsonl"])
        build(workspace, model="tfidf", k=k, now=NOW, full=True)
        return workspace

    return made


def seen(workspace: Workspace, now: datetime = NOW, *, built: bool = True) -> Blocks:
    """What readers see; where all was `built` now, the blocks that are made for the moment are the same."""
    with workspace.store() as store:
        snapshot = store.snapshot()
        viewer = Viewer.open(store, workspace.settings, snapshot.k, now)
        stored = list(store.blocks(snapshot.id))
        corpus = Corpus(store.articles())
    if built and now == NOW:
        chooser = Chooser(Site(corpus, workspace.settings), "tfidf", now=NOW, ahead=True)
        rows = np.arange(len(corpus), dtype=np.int32)
        moment = {block.source_id: block for block in chooser.blocks(rows, snapshot.k, spares=2)}
        found = {block.source_id: [item.id for item in block.items] for block in stored}
        assert {page: [item.id for item in block.items] for page, block in moment.items()} == found
    return {block.source_id: [item.id for item in viewer.view(block).items] for block in stored}


def shown(blocks: Blocks) -> set[str]:
    """All that stands in some block."""
    return {id_ for ids in blocks.values() for id_ in ids}


@pytest.mark.parametrize("kind", ["section", "tag", "author", "id", "term"])
@pytest.mark.parametrize("way", ["include", "exclude"])
@pytest.mark.parametrize("side", ["source", "target"])
def test_include_and_exclude_by_side(side: str, way: str, kind: str, make: Callable[..., Workspace]) -> None:
    """As target: never, or alone, shown under others. As source: without a block, or alone with one."""
    values: dict[str, dict[str, Any]] = {
        "section": {"section": "Sport"}, "tag": {"tags": ["Sport", "x"]}, "author": {"authors": ["Ann", "Sport"]},
        "id": {}, "term": {},
    }  # fmt: skip
    marked = [article(n, **values[kind]) for n in (1, 2, 3, 4)]
    if kind == "term":
        marked = [{**one, "body": f"{one['body']} A SPORT day."} for one in marked]
    value = 'a1", "a2", "a3", "a4' if kind == "id" else "sport"
    workspace = make(
        [*marked, *(article(n, section="News") for n in range(5, 12))], f'{side}.{way}_{kind}s = ["{value}"]', k=2
    )
    blocks, ids = seen(workspace), {"a1", "a2", "a3", "a4"}
    meant = ids if way == "include" else set(blocks) - ids
    if side == "target":
        assert shown(blocks) <= meant
        assert all(len(items) == 2 for items in blocks.values())
    else:
        assert {page for page, items in blocks.items() if items} == meant


def test_terms_are_whole_words_and_phrases(make: Callable[..., Workspace]) -> None:
    """ "art" does not forbid "party"; a phrase may run over lines; scripts without spaces need no borders."""
    articles = [
        article(1, body=f"{article(1)['body']} party"), article(2, body=f"{article(2)['body']} the ART of it"),
        article(3, body=f"{article(3)['body']} paid\npost"), article(4, body=f"{article(4)['body']} 新聞社説です"),
        *(article(n) for n in range(5, 9)),
    ]  # fmt: skip
    hidden = {f"a{n}" for n in range(1, 9)} - shown(
        seen(make(articles, 'target.exclude_terms = ["art", "paid post", "社説"]', k=5))
    )
    assert hidden == {"a2", "a3", "a4"}


def test_off_switch(make: Callable[..., Workspace]) -> None:
    """By the settings or by the article itself; the reason is recorded, and no fallback fills the block."""
    workspace = make(
        [article(1), article(2, similar="off"), *(article(n) for n in range(3, 7))],
        'off = ["a1"]\nfallback = ["recent"]',
    )
    blocks = seen(workspace)
    assert blocks["a1"] == blocks["a2"] == []
    assert len(blocks["a3"]) == 3
    assert "switched off by the article" in (similar(workspace, "a2", now=NOW).block.shortfall or "")


def test_pinned_and_banned(make: Callable[..., Workspace]) -> None:
    """Pins stand first, even where a rule speaks against them; what is banned is under that page never."""
    plain = seen(make([article(n) for n in range(1, 9)]))
    banned, last = plain["a1"][0], next(id_ for id_ in sorted(plain) if id_ not in plain["a1"] and id_ != "a1")
    found = seen(
        make(
            [article(n, section="Old" if f"a{n}" == last else "New") for n in range(1, 9)],
            f'pinned = {{a1 = ["{last}"]}}\nbanned = {{a1 = ["{banned}"]}}\ntarget.exclude_sections = ["old"]',
        )
    )
    assert found["a1"][0] == last
    assert banned not in found["a1"]
    assert last not in shown({page: ids for page, ids in found.items() if page != "a1"})
    assert len(found["a1"]) == 3


def test_boost_lifts_and_lowers(make: Callable[..., Workspace]) -> None:
    """An article with a high boost stands first wherever it is a candidate; one with a low one last, or not at all."""
    found = seen(make([article(n) for n in range(1, 11)], "boost = {a3 = 9, a4 = -9}"))
    assert all(ids[0] == "a3" for page, ids in found.items() if page != "a3")
    assert "a4" not in shown(found)


def test_greatest_age_counts_at_the_moment(make: Callable[..., Workspace]) -> None:
    """Nothing older is built in, and what grows too old afterwards is left out when it is read; spares move up."""
    workspace = make([article(n) for n in range(1, 12)] + [article(12, published_at=None)], "max_age_days = 8.5")
    assert shown(seen(workspace)) <= {f"a{n}" for n in range(1, 9)}
    later = seen(workspace, NOW + timedelta(days=1))
    assert "a8" not in shown(later)
    assert all(len(ids) == 3 for ids in later.values())


def test_half_life_prefers_the_new_whatever_the_day(make: Callable[..., Workspace]) -> None:
    """A short half-life orders by date; in what order does not hang on the day of the build."""
    found = seen(make([article(n) for n in range(1, 12)], "half_life_days = 0.01"))
    assert found["a5"] == ["a1", "a2", "a3"]
    workspace = make([article(n) for n in range(1, 12)], "half_life_days = 30")
    first = seen(workspace)
    build(workspace, model="tfidf", k=3, now=NOW + timedelta(days=200), full=True)
    assert seen(workspace, NOW + timedelta(days=200)) == first


def test_only_older_than_the_page(make: Callable[..., Workspace]) -> None:
    """Every item is as old or older; pages that have enough older ones are full."""
    found = seen(make([article(n) for n in range(1, 12)], "older_only = true"))
    for page, ids in found.items():
        assert all(int(id_[1:]) > int(page[1:]) for id_ in ids)
        assert len(ids) == min(3, 11 - int(page[1:]))


def test_around_the_pages_date(make: Callable[..., Workspace]) -> None:
    """Items lie within so many days of the page, before and after."""
    found = seen(make([article(n) for n in range(1, 15)], "around_days = 4"))
    for page, ids in found.items():
        assert all(abs(int(id_[1:]) - int(page[1:])) <= 4 for id_ in ids)
        assert len(ids) == 3


def test_languages_by_page(make: Callable[..., Workspace]) -> None:
    """Swiss pages may show two languages, others keep to their own."""
    articles = [article(n, lang="de" if n % 2 else "en") for n in range(1, 13)]
    found = seen(make(articles, 'languages = {de = ["de", "en"]}', k=6))
    german = {a["id"] for a in articles if a["lang"] == "de"}
    assert any(set(found[page]) - german for page in german)
    assert all(not set(ids) & german for page, ids in found.items() if page not in german)


@pytest.mark.parametrize(
    ("rule", "field"), [("max_per_section", "section"), ("max_per_author", "authors"), ("max_per_series", "series")]
)
def test_caps_keep_blocks_full(rule: str, field: str, make: Callable[..., Workspace]) -> None:
    """At most so many of one kind; others move up, so that the block is full all the same."""
    values = [{field: ["X"] if field == "authors" else "X"} if n < 20 else {field: ["Y"]} for n in range(1, 31)]
    values = [{field: "Y" if value[field] == ["Y"] and field != "authors" else value[field]} for value in values]
    found = seen(make([article(n, **values[n - 1]) for n in range(1, 31)], f"{rule} = 2", k=4))
    for ids in found.values():
        assert sum(int(id_[1:]) < 20 for id_ in ids) == 2
        assert len(ids) == 4


def test_least_scores(make: Callable[..., Workspace]) -> None:
    """A least cosine, absolute, and a least score, against random pairs; a boost does not lift over either."""
    odd = article(20, body="Quince jam boils slowly with bridge sugar and lemon for the autumn fair.")
    articles = [*(article(n) for n in range(1, 9)), odd]
    boosted = "boost = {a20 = 9}\n"
    assert "a20" in shown(seen(make(articles, boosted)))
    for rule in ("min_cosine = 0.3", "min_score = 0.0"):
        found = seen(make(articles, boosted + rule))
        assert "a20" not in shown(found)


def test_no_hub_stands_everywhere_and_blocks_stay_full(make: Callable[..., Workspace]) -> None:
    """What would stand everywhere stands in the share of blocks that is allowed, and no block gets shorter."""
    articles, boost = [article(n) for n in range(1, 41)], "boost = {a1 = 9, a2 = 1}\n"
    before = Counter(id_ for ids in seen(make(articles, boost)).values() for id_ in ids)
    assert before["a1"] == 39
    found = seen(make(articles, f"{boost}hub_limit = 0.2"))
    after = Counter(id_ for ids in found.values() for id_ in ids)
    assert max(after.values()) <= 8
    assert all(len(ids) == 3 for ids in found.values())
    assert after["a1"] == 8  # it keeps the pages that miss it most


def test_a_newcomer_over_the_limit_makes_a_refit_due(make: Callable[..., Workspace]) -> None:
    """It pays nothing yet; `status` says so, and the next build fits the site anew and holds it to the limit."""
    workspace = make([article(n) for n in range(1, 41)], "boost = {n1 = 9}\nhub_limit = 0.2")
    assert not (status(workspace, NOW).drift or {})["due"]
    with Pipeline(workspace, lambda: NOW) as pipeline:
        pipeline.publish(Article("n1", "Bridge", article(3)["body"], published_at=NOW, lang="en"))
    assert "hub limit" in (status(workspace, NOW).drift or {})["why"]
    build(workspace, model="tfidf", k=3, now=NOW)
    counts = Counter(id_ for ids in seen(workspace).values() for id_ in ids)
    assert max(counts.values()) <= 8


def test_pages_that_nobody_sees_are_no_blocks_for_the_hub_limit(make: Callable[..., Workspace]) -> None:
    """The share is of the blocks that readers see, for the gate too; drafts neither loosen it nor have a block."""
    articles = [article(n, status=None if n <= 40 else "draft") for n in range(1, 71)]
    workspace = make(articles, "boost = {a1 = 9}\nhub_limit = 0.2")
    found = {page: ids for page, ids in seen(workspace).items() if int(page[1:]) <= 40}
    assert max(Counter(id_ for ids in found.values() for id_ in ids).values()) == 8
    assert all(len(ids) == 3 for ids in found.values())
    with workspace.store() as store:
        assert (store.snapshot().figures or {})["hub"] == 0.2


@pytest.mark.parametrize("is_pinned", [False, True])
def test_pages_that_open_make_a_refit_due(is_pinned: bool, make: Callable[..., Workspace]) -> None:
    """Where an article passes the limit by them; not where it is pinned there, which no refit would change."""
    ferries = [
        article(n, title=f"Ferry {n}", body=" ".join(word[::-1] for word in article(n)["body"].split()))
        for n in range(21, 42)
    ]
    opens = {"embargo_until": (NOW + timedelta(days=1)).isoformat()}
    articles = [*(article(n) for n in range(1, 21)), ferries[0], *(one | opens for one in ferries[1:])]
    pins = ", ".join(f'{one["id"]} = ["a21"]' for one in ferries[1:])
    rule = f"pinned = {{{pins}}}" if is_pinned else "boost = {a21 = 9}"
    workspace = make(articles, f"hub_limit = 0.4\n{rule}")
    assert "hub limit" not in (status(workspace, NOW).drift or {})["why"]
    assert ("hub limit" in (status(workspace, NOW + timedelta(days=2)).drift or {})["why"]) is not is_pinned


@pytest.mark.parametrize(("how", "wanted"), [("canonical", "a1"), ("newest", "a3")])
def test_one_of_several_copies_stands_for_all(how: str, wanted: str, make: Callable[..., Workspace]) -> None:
    """The original, or the newest; never two, and never under one of them."""
    body = article(1)["body"]
    copies = [
        article(1, body=body), article(2, body=body, canonical_id="a1"),
        article(3, body=body, canonical_id="a1", updated_at=NOW.isoformat()),
    ]  # fmt: skip
    found = seen(make([*copies, *(article(n) for n in range(4, 10))], f'copies = "{how}"', k=6))
    assert shown(found) & {"a1", "a2", "a3"} == {wanted}
    assert all(not set(found[page]) & {"a1", "a2", "a3"} for page in ("a1", "a2", "a3"))


def test_copies_are_corrected_by_hand(make: Callable[..., Workspace]) -> None:
    """Said to be one story: never side by side, also where two lists say so. Said to be apart: side by side."""
    body = article(1)["body"]
    articles = [article(1, body=body), article(2, body=body), *(article(n) for n in range(3, 8))]
    found = seen(make(articles, 'same_story = [["a3", "a4"], ["a4", "a6"]]\napart = ["a2"]', k=6))
    assert {"a1", "a2"} <= set(found["a5"])
    assert len({"a3", "a4", "a6"} & set(found["a5"])) == 1


def test_copies_are_listed(make: Callable[..., Workspace], capsys: pytest.CaptureFixture[str]) -> None:
    """The groups, the one that stands for all, and how they are corrected; as JSON, too."""
    body = article(1)["body"]
    copies = [article(1, body=body), article(2, body=body, canonical_id="a1")]
    workspace = make([*copies, *(article(n) for n in range(3, 8))], 'copies = "canonical"')
    assert [[a.id for a in story.articles] for story in list_stories(workspace)] == [["a2", "a1"]]
    assert main(["copies", "-w", str(workspace.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stories"][0]["shown"] == "a1"
    assert main(["copies", "-w", str(workspace.path)]) == 0
    assert "* 2025-05-31  a1  Bridge 1" in capsys.readouterr().out


def test_fallbacks_in_their_order_with_their_reason(make: Callable[..., Workspace]) -> None:
    """What is like nothing gets its section's newest, then what editors pick, then the newest; each says so."""
    lone = article(50, title="Quince", body="Jam boils slowly.", section="Food")
    articles = [
        lone, article(51, title="Plum", body="Cake rises well.", section="food"), *(article(n) for n in range(1, 7)),
    ]  # fmt: skip
    workspace = make(articles, 'fallback = ["section", "popular", "recent"]', k=4)
    with Pipeline(workspace, lambda: NOW) as pipeline:
        pipeline.pick("a1", "a6")
    items = similar(workspace, "a50", now=NOW).block.items
    assert [(item.id, item.reasons.get("fallback")) for item in items] == [
        ("a51", "section"), ("a6", "popular"), ("a1", "recent"), ("a2", "recent"),
    ]  # fmt: skip


def test_too_few_items_are_no_block(make: Callable[..., Workspace]) -> None:
    """Fewer than `min_items`: nothing is shown, and the reason says so."""
    workspace = make([article(1), article(2)], more="[block]\nmin_items = 2")
    block = similar(workspace, "a1", now=NOW).block
    assert not block.items
    assert "fewer than min_items" in (block.shortfall or "")


def test_embargo_and_expiry_at_their_minute_without_a_build(make: Callable[..., Workspace]) -> None:
    """One build; before the minute the article is nowhere, from it on in blocks; at its expiry it is gone. All full."""
    hour = timedelta(hours=1)
    scheduled = article(1, published_at=None, status="embargoed", embargo_until=(NOW + hour).isoformat())
    zoned = article(2, expires_at=(NOW + 2 * hour).astimezone().isoformat())
    east = article(3, published_at="2025-06-01T15:30:00+02:00")  # 13:30 UTC
    workspace = make([scheduled, zoned, east, *(article(n) for n in range(4, 12))], "boost = {a1 = 5, a2 = 4, a3 = 3}")
    minute = timedelta(minutes=1)
    for moment, there, gone in (
        (NOW, {"a2"}, {"a1", "a3"}),
        (NOW + hour - minute, {"a2"}, {"a1", "a3"}),
        (NOW + hour, {"a1", "a2"}, {"a3"}),
        (NOW + 1.5 * hour, {"a1", "a2", "a3"}, set[str]()),
        (NOW + 2 * hour, {"a1", "a3"}, {"a2"}),
    ):
        blocks = seen(workspace, moment)
        assert there <= shown(blocks)
        assert not gone & shown(blocks)
        assert all(len(ids) == 3 for ids in blocks.values())


def test_a_pin_stays_though_it_is_far_down_the_list(make: Callable[..., Workspace]) -> None:
    """Whatever is published or withdrawn around it; and a ban is stronger than any pin."""
    articles = [article(n) for n in range(130)]
    plain = make(articles, k=5)
    with plain.store() as store:
        near = [item.id for item in next(iter(store.blocks(store.snapshot().id, ["a0"]))).items]
    far = article(0)["body"].split()[0]
    last = next(a["id"] for a in reversed(articles) if a["id"] not in near and far not in a["body"])
    with Pipeline(plain, lambda: NOW) as pipeline:
        pipeline.pin("a0", last)
        assert seen(plain, built=False)["a0"][0] == last
        pipeline.publish(Article("new", "Bridge", f"{articles[0]['body']} again", published_at=NOW, lang="en"))
        pipeline.withdraw(near[0])
        assert seen(plain, built=False)["a0"][0] == last
    banned = make(articles, f'banned = {{a0 = ["{last}"]}}', k=5)
    with Pipeline(banned, lambda: NOW) as pipeline:
        pipeline.pin("a0", last)
    assert last not in seen(banned, built=False)["a0"]


def test_what_is_beyond_the_kept_list_is_followed_too(make: Callable[..., Workspace]) -> None:
    """A block that a rule lets reach far down the list loses what is withdrawn, and is full again."""
    articles = [article(n, section=f"S{n % 3}" if n > 60 else "X") for n in range(100)]
    workspace = make(articles, "max_per_section = 1", k=3)
    with Pipeline(workspace, lambda: NOW) as pipeline:
        for _ in range(3):
            gone = seen(workspace, built=False)["a0"][1]
            pipeline.withdraw(gone)
            after = seen(workspace, built=False)["a0"]
            assert gone not in after
            assert len(after) == 3


def test_a_scheduled_copy_takes_the_place_of_the_live_one_at_its_time(make: Callable[..., Workspace]) -> None:
    """Until then the live one stands there; a scheduled article takes no room of a cap before its time either."""
    day, body = timedelta(days=1), article(1)["body"]
    coming = article(50, body=body, status="embargoed", embargo_until=(NOW + day).isoformat(), section="Sport")
    live = article(1, body=body, section="Sport")
    others = [article(n, section="News" if n > 4 else "Sport") for n in range(2, 9)]
    workspace = make([coming, live, *others], "boost = {a50 = 9, a1 = 8}\nmax_per_section = 1", k=2)
    for page in ("a5", "a6", "a7"):
        before, after = seen(workspace)[page], seen(workspace, NOW + day)[page]
        assert before[0] == "a1"
        assert after[0] == "a50"
        assert "a1" not in after
        assert len(before) == len(after) == 2
    with workspace.store() as store:
        (stored,) = store.blocks(store.snapshot().id, ["a5"])
        block = Viewer.open(store, workspace.settings, 2, NOW).view(stored)
    assert [item.reasons.get("until") for item in stored.items if item.id == "a1"] == ["a50"]
    assert all({*item.reasons} == {"terms", "parts"} for item in block.items)  # the id of what is to come is not told


def test_what_stands_in_for_a_copy_is_held_to_caps_and_to_the_hub_limit(make: Callable[..., Workspace]) -> None:
    """The rules look at what is shown, not at the copy by which it was found."""
    articles = [article(n, section=f"S{n % 4}") for n in range(1, 41)]
    copies = [article(100 + n, body=articles[n]["body"], section="Z", canonical_id=f"a{n + 1}") for n in range(8)]
    workspace = make([*articles, *copies], 'copies = "newest"\nmax_per_section = 1\nhub_limit = 0.2', k=3)
    blocks = seen(workspace)
    section = {a["id"]: a["section"] for a in [*articles, *copies]}
    assert all(len({section[id_] for id_ in ids}) == len(ids) for ids in blocks.values())
    assert max(Counter(id_ for ids in blocks.values() for id_ in ids).values()) <= 9


def test_fallbacks_know_stories(make: Callable[..., Workspace]) -> None:
    """What the settings or canonical ids make one story is not shown under itself by a fallback either."""
    articles = [article(1, title="One", body="Quince jam."), article(2, title="Two", body="Plum cake.")]
    articles += [
        article(3, title="Three", body="Pear tart.", canonical_id="a4"),
        article(4, title="Four", body="Fig roll."),
    ]
    workspace = make(articles, 'fallback = ["recent"]\nsame_story = [["a1", "a2"]]')
    blocks = seen(workspace)
    assert "a2" not in blocks["a1"]
    assert "a4" not in blocks["a3"]
    assert len(set(blocks["a1"]) & {"a3", "a4"}) == 1


def test_fallbacks_know_near_copies(make: Callable[..., Workspace]) -> None:
    """Not even a lightly edited text comes back under the other, nor beside it."""
    articles = [article(n, section="News") for n in (1, 3, 5)]
    articles += [{**a, "id": f"{a['id']}x", "body": a["body"].replace("remark", "note", 1)} for a in articles[:2]]
    blocks = seen(make(articles, 'min_score = 50\nfallback = ["section"]', k=4))
    assert blocks["a1"] == blocks["a1x"] == ["a3", "a5"]
    assert blocks["a5"] == ["a1", "a3"]


def test_a_half_life_is_not_upset_by_odd_dates(make: Callable[..., Workspace]) -> None:
    """One draft in the year 9999, or a site without dates, changes no score."""
    articles, end = [article(n) for n in range(1, 12)], "9999-12-31T23:59:59.999999Z"
    plain = seen(make([*articles, article(50, status="draft")], "half_life_days = 30"))
    odd = article(50, status="draft", published_at=end, expires_at=end)
    assert seen(make([*articles, odd], "half_life_days = 30")) == plain
    undated = make([article(n, published_at=None) for n in range(1, 12)], "half_life_days = 30")
    with Pipeline(undated, lambda: NOW) as pipeline:
        pipeline.publish(Article("new", "Plum", "Plum cake rises.", published_at=NOW, lang="en"))
    assert "new" not in shown(seen(undated, built=False))


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        ('target.include_sections = ["News"]\ntarget.exclude_sections = ["news"]', "both in include_sections"),
        ('pinned = {a = ["b"]}\nbanned = {a = ["b"]}', "pinned under 'a'"),
        ('pinned = {a = ["a"]}', "under itself"),
        ('pinned = {a = ["b"]}\noff = ["a"]', "has no block"),
        ('pinned = {a = ["b"]}\ntarget.include_ids = ["c"]', "'b' is pinned under 'a', and not in target.include_ids"),
        ('pinned = {a = ["b"]}\nsource.include_ids = ["c"]', "'a' has pins, and is not in source.include_ids"),
        ('pinned = {a = ["b", "c"]}\nsame_story = [["c", "x"], ["x", "b"]]', "one story with 'b'"),
        ('pinned = {a = ["b"]}\nsame_story = [["a", "b"]]', "'b' is pinned under 'a', and one story with 'a'"),
        ('boost = {a = 1}\ntarget.exclude_ids = ["a"]', "boosted, and excluded"),
        ('same_language = false\nlanguages = {de = ["en"]}', "same_language is off"),
        ('same_story = [["a", "b"]]\napart = ["b"]', "in same_story and in apart"),
        ('fallback = ["recent", "recent"]', "twice"),
        ('fallback = ["similar"]', "fallback"),
        ("max_per_section = 0", "greater than or equal to 1"),
    ],
)
def test_contradictions_are_found_when_the_file_is_read(policy: str, word: str, tmp_path: Path) -> None:
    """In one line that names the setting and what to do."""
    (tmp_path / "simrec.toml").write_text(f"[policy]\n{policy}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path)
    assert word in str(error.value)
    assert "setting policy" in str(error.value)
    assert "\n" not in str(error.value)


def test_ids_that_differ_by_case_are_no_contradiction(tmp_path: Path) -> None:
    """They are ids of two articles."""
    lines = ['pinned = {a = ["b"]}', 'banned = {a = ["B"]}', 'source.include_ids = ["a"]', 'source.exclude_ids = ["A"]']
    lines += ['same_story = [["x", "y"]]', 'apart = ["X"]']
    (tmp_path / "simrec.toml").write_text("\n".join(["[policy]", *lines]), encoding="utf-8")
    assert load_settings(tmp_path).policy.apart == ("X",)


def test_min_items_over_k_is_a_contradiction(tmp_path: Path) -> None:
    """No block could ever be shown."""
    (tmp_path / "simrec.toml").write_text("[block]\nk = 3\nmin_items = 4\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="more than k"):
        load_settings(tmp_path)


def test_a_published_article_obeys_all_rules(make: Callable[..., Workspace]) -> None:
    """One that comes later is held to them as those that were there."""
    workspace = make([article(n) for n in range(1, 9)], 'target.exclude_tags = ["ad"]\nolder_only = true')
    new = article(0)
    with Pipeline(workspace, lambda: NOW) as pipeline:
        moment = datetime.fromisoformat(new["published_at"])
        for number, tags in ((1, ("ad",)), (2, ())):
            pipeline.publish(
                Article(f"n{number}", new["title"], new["body"], published_at=moment, tags=tags, lang="en")
            )
    blocks = seen(workspace, built=False)
    assert len(blocks["n1"]) == len(blocks["n2"]) == 3
    assert "n1" not in shown(blocks)
    assert "n2" not in shown({page: ids for page, ids in blocks.items() if page not in ("n1", "n2")})
