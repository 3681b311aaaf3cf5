"""The queue of pages that most need a look, and why each is in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from simrec.errors import InputError, UsageError
from simrec.pipeline.acts import Desk
from simrec.pipeline.attention import KINDS, Attentive, queue, read_views
from simrec.pipeline.blind import judge
from simrec.pipeline.build import build
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.snapshots import rollback
from simrec.pipeline.watched import Watched, Watching, overlaps
from simrec.pipeline.workspace import Workspace
from simrec.policy.eligibility import reason_hidden
from simrec.store import Inputs, Store, StoredBlock, StoredItem
from simrec.store.comparisons import Comparison
from simrec.store.history import Scored
from simrec.types import Article, Entry, Status

NOW = datetime.now(UTC)


def write(workspace: Workspace, blocks: dict[str, list[tuple[str, float]]], *, short: str | None = None) -> None:
    """Stores a snapshot whose blocks are these, with two items each."""
    found = [
        StoredBlock(page, tuple(StoredItem(id_, score) for id_, score in items), short if len(items) < 2 else None)
        for page, items in blocks.items()
    ]
    with workspace.store() as store:
        store.write_snapshot(found, model="tfidf", k=2, settings={}, keep=5, inputs=Inputs())


@pytest.fixture
def pages(tmp_path: Path) -> Workspace:
    """A workspace of forty articles without blocks."""
    workspace = Workspace.open(tmp_path / "pages", create=True)
    with workspace.store() as store:
        articles = [Article(f"p{number:02}", f"Page {number}", "Text.") for number in range(40)]
        store.put([Entry(article, "x") for article in articles], lambda entry: ())
    return workspace


def plain() -> dict[str, list[tuple[str, float]]]:
    """Blocks with nothing to look at: each page shows the two that follow it."""
    return {f"p{n:02}": [(f"p{(n + 1) % 40:02}", 6.0), (f"p{(n + 2) % 40:02}", 5.0)] for n in range(40)}


def test_nothing_to_look_at_is_an_empty_queue(pages: Workspace) -> None:
    """Blocks that are full, sure, of their own and as before are not in the queue."""
    write(pages, plain())
    write(pages, plain())
    found = queue(pages)
    assert (found.items, found.total, found.after, found.seen) == ((), 0, None, 0)
    assert found.kinds == dict.fromkeys(KINDS, 0)


def test_each_sign_is_named_in_words(pages: Workspace) -> None:
    """Blocks that are unsure, short, full of hubs, or others than before are in the queue, and say so."""
    write(pages, plain())
    blocks = plain()
    blocks["p03"][1] = ("p05", 1.0)
    blocks["p10"] = []
    for number in range(20, 36):
        blocks[f"p{number}"][1] = ("p00", 5.0)
    write(pages, blocks, short="0 of 2: nothing is similar")
    found = queue(pages)
    by_id = {one.source_id: one for one in found.items}
    assert by_id["p03"].kinds == {"low_confidence"}
    unsure = (
        "the models are unsure: its least similar item scores 1.0, where on half of the pages it scores 5.0 or more"
    )
    assert by_id["p03"].why[0].startswith(unsure)
    assert by_id["p10"].kinds == {"few_items", "changed"}
    assert "0 of 2 items: nothing is similar" in by_id["p10"].why
    assert by_id["p20"].kinds == {"hub", "changed"}
    assert set(by_id["p20"].why) == {
        "1 item stands in very many blocks: in 18",
        "67% of its items are others than in the snapshot before",
    }
    assert found.items[0].source_id == "p10"
    assert found.kinds == {"low_confidence": 1, "few_items": 1, "hub": 18, "changed": 17, "viewed": 0}
    assert {one.source_id for one in queue(pages, "low_confidence").items} == {"p03"}


def test_the_queue_comes_in_parts(pages: Workspace) -> None:
    """Parts, one after the other, are the whole queue, each page once."""
    write(pages, {page: [] for page in plain()})
    attentive, found, after = Attentive(pages), list[str](), 0
    while True:
        part = attentive.queue(after=after, limit=7)
        found += [one.source_id for one in part.items]
        if part.after is None:
            break
        after = part.after
    assert found == sorted(plain())


def test_views_weigh(pages: Workspace) -> None:
    """Of blocks that are alike, the most viewed comes first; a page that is viewed much is looked at without a sign."""
    write(pages, plain() | {"p05": [], "p06": []})
    found = queue(pages, views={"p06": 500, "p20": 20, "gone": 7}).items
    assert [one.source_id for one in found] == ["p06", "p05", "p20"]
    assert found[0].why == ("0 of 2 items", "viewed 500 times")
    assert [one.views for one in found] == [500, 0, 20]
    (pages.path / "views.csv").write_text("id,views\np05,9\n")
    serve = pages.settings.serve.model_copy(update={"views": "views.csv"})
    named = replace(pages, settings=pages.settings.model_copy(update={"serve": serve}))
    assert [one.source_id for one in queue(named).items] == ["p05", "p06"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("v.csv", "id;views\na;1"), ("v.csv", "id,views\na,-1"), ("v.json", "[1]"), ("v.csv", "id,views\na,x")],
)
def test_views_that_cannot_be_read_are_named(tmp_path: Path, name: str, text: str) -> None:
    """A file of views that is none, or is not there, is an error that names it."""
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=name):
        read_views(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read"):
        read_views(tmp_path / "nowhere.csv")


def test_a_page_that_was_looked_at_leaves_the_queue_until_it_changes(pages: Workspace) -> None:
    """Seen pages stay out, through snapshots that leave them as they are, and come back when they are others."""
    blocks = plain() | {"p05": [], "p06": []}
    write(pages, blocks)
    attentive = Attentive(pages, clock=lambda: NOW + timedelta(seconds=2))
    attentive.seen("Ada", "p05")
    found = attentive.queue()
    assert [one.source_id for one in found.items] == ["p06"]
    assert found.seen == 1
    earlier = Attentive(pages, clock=lambda: NOW - timedelta(hours=1))
    earlier.seen("Ada", "p06")
    with pages.store() as store:
        assert store.looked_at().keys() == {"p05", "p06"}
    write(pages, blocks)
    assert queue(pages).items == ()
    write(pages, blocks | {"p06": [("p30", 5.0)]})
    assert [one.source_id for one in queue(pages).items] == ["p06"]


def test_a_page_comes_back_when_it_is_undone_that_it_is_fine(pages: Workspace) -> None:
    """Or judged, where nobody else has looked at it; and leaves again with the undoing undone. No version moves."""
    write(pages, plain() | {"p05": [], "p06": []})
    attentive, desk = Attentive(pages, clock=lambda: NOW), Desk(pages, None, lambda: NOW)
    fine = attentive.seen("Ada", "p05")
    with pages.store() as store:
        store.open_trial(Comparison("t", NOW, "Ada", "p06", "a", "b", ("p01",), ("p02",), "a", "random"))
        judged = judge(store, "Ada", "t", "tie", now=NOW).act or 0
    assert attentive.queue().items == ()
    back = desk.undo("Ben", fine)
    assert [one.source_id for one in attentive.queue().items] == ["p05"]
    desk.undo("Ada", judged, version=99)
    assert [one.source_id for one in attentive.queue().items] == ["p05", "p06"]
    desk.undo("Ada", back.act.id)
    assert [one.source_id for one in attentive.queue().items] == ["p06"]
    assert (desk.state("p05").version, desk.state("p06").version) == (0, 0)
    again = attentive.seen("Ben", "p06"), attentive.seen("Ada", "p06")
    desk.undo("Ben", again[0])
    assert attentive.queue().items == ()


def test_a_page_that_was_acted_on_or_judged_leaves_the_queue(pages: Workspace) -> None:
    """An act or a judgement is a look."""
    write(pages, plain() | {"p05": [], "p06": []})
    Desk(pages, None).act("Ada", "ban", "p05", "p09")
    assert [one.source_id for one in queue(pages).items] == ["p06"]


def change(workspace: Workspace, **blocks: list[tuple[str, float]]) -> None:
    """Changes blocks of the active snapshot, as publishing does."""
    found = [StoredBlock(page, tuple(StoredItem(*item) for item in items)) for page, items in blocks.items()]
    with workspace.store() as store:
        store.change((), (), "desk", found, store.snapshot(), lambda entry: (), 40)


def test_a_page_that_publishing_changes_comes_back(pages: Workspace) -> None:
    """Whether it was found fine, acted on or judged: also after the nightly build, whose block is that of before."""
    blocks = plain() | {"p05": [], "p06": [], "p07": []}
    write(pages, blocks)
    attentive = Attentive(pages)
    attentive.seen("Ada", "p05")
    Desk(pages, None).act("Ada", "accept", "p06", "p09")
    with pages.store() as store:
        shown = Comparison("t", NOW, "Ada", "p07", "a", "b", ("p01",), ("p02",), "a", "random")
        store.open_trial(shown)
        judge(store, "Ada", "t", "tie")
    assert attentive.queue().items == ()
    others: dict[str, list[tuple[str, float]]] = {page: [("p30", 5.0)] for page in ("p05", "p06", "p07")}
    change(pages, **others)
    assert {one.source_id for one in attentive.queue().items} == others.keys()
    write(pages, blocks | others)
    assert {one.source_id for one in attentive.queue().items} == others.keys()
    change(pages, p06=[])
    assert {one.source_id for one in attentive.queue().items} == {"p05", "p07"}


def test_what_is_noted_of_a_look_is_what_is_watched(pages: Workspace) -> None:
    """What may not be seen at that moment is no part of it; what opens later makes the block another one."""
    article = Article("p30", "Page 30", "Text.", published_at=NOW + timedelta(hours=1))
    with pages.store() as store:
        store.put([Entry(article, "x")], lambda entry: ())
    write(pages, plain() | {"p05": [("gone", 9.0), ("p30", 8.0)]})
    Attentive(pages, clock=lambda: NOW).seen("Ada", "p05")
    for hours, queued in ((0, set()), (2, {"p05"})):
        found = Attentive(pages, clock=lambda hours=hours: NOW + timedelta(hours=hours)).queue("few_items")
        assert {one.source_id for one in found.items} - {"p28", "p29"} == queued


def test_what_is_not_public_is_not_in_the_queue(pages: Workspace) -> None:
    """Drafts have no readers, and pages that are switched off have no block on purpose; hidden items do not count."""
    write(pages, plain() | {"p05": [], "p20": []}, short="switched off by the article")
    assert queue(pages).total == 0
    with pages.store() as store:
        store.put([Entry(Article("p07", "Page 7", "Text.", status="draft"), "x")], lambda entry: ())
        store.put([Entry(Article("p20", "Page 20", "Text.", status="draft"), "x")], lambda entry: ())
    short = {one.source_id: one.why[0] for one in queue(pages).items}
    assert short == dict.fromkeys(("p06", "p18", "p19"), "1 of 2 items")


def test_a_kind_that_is_none_is_refused(pages: Workspace) -> None:
    """Another kind than those that there are is a mistake of who asks."""
    with pytest.raises(UsageError, match="no kind 'odd'"):
        queue(pages, "odd")


def test_the_newsroom_has_a_queue(site: Workspace) -> None:
    """On a real site some pages are in the queue, and most are not."""
    found = queue(site, limit=10)
    with site.store() as store:
        pages = store.article_count()
    assert 0 < found.total < pages / 2
    assert all(one.why and one.title for one in found.items)


def same(one: Watched, other: Watched) -> bool:
    """Whether two say the same, to the last number."""
    arrays = ("public", "pages", "shown", "first", "last", "next")
    plain = ("ids", "titles", "row_of", "shortfall", "off", "snapshot")
    equal = [np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name[0] in "fln") for name in arrays]
    return all(equal) and all(getattr(one, name) == getattr(other, name) for name in plain)


def test_what_is_followed_is_what_is_read_anew(town: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch) -> None:
    """After articles that come, change and go, acts, moments that pass and other snapshots; few blocks are read."""
    workspace, watching, read = town("[policy]\noff = ['t003']", articles=24), Watching(), list[str]()
    scored = Store.scored

    def counted(store: Store, number: int, pages: Collection[str] | None = None) -> Iterator[Scored]:
        for block in scored(store, number, pages):
            read.append(block.source_id)
            yield block

    monkeypatch.setattr(Store, "scored", counted)
    first = Article("a-first", "Bridge crack anchor", "Bridge crack anchor engineer lorries closed county.", lang="en")
    later = replace(first, id="later", published_at=NOW + timedelta(hours=1), body=f"{first.body} Repair again.")
    with Pipeline(workspace, lambda: NOW) as pipeline, workspace.store() as store:
        desk = Desk(workspace, pipeline, lambda: NOW)
        shown = next(iter(store.blocks(1, ["t000"]))).items[0].id
        changes: list[tuple[Callable[[], object], int]] = [
            (lambda: None, 24),
            (lambda: desk.act("Ada", "ban", "t000", shown), 1),
            (lambda: desk.act("Ada", "accept", "t001", "t002"), 0),
            (lambda: pipeline.publish(first), 24),
            (lambda: pipeline.withdraw(shown), 24),
            (lambda: pipeline.publish(later), 24),
            (lambda: pipeline.publish(replace(first, title="Bridge harbor")), 24),
            (lambda: build(workspace, full=True), 99),
            (lambda: rollback(workspace), 99),
            (lambda: None, 0),
        ]
        for change, most in changes:
            change()
            read.clear()
            for now in (NOW, NOW + timedelta(hours=2)):
                followed = watching.watched(store, now)
                assert len(read) <= most
                assert same(followed, Watching().watched(store, now))
                read.clear()
                most = 0


@pytest.mark.parametrize("status", ["published", "draft", "withdrawn", "embargoed"])
def test_who_may_be_seen_is_who_may_be_shown(tmp_path: Path, status: Status) -> None:
    """By status, dates and the moment, to the second."""
    moments = (None, NOW - timedelta(days=1), NOW, NOW + timedelta(days=1))
    articles = [
        Article(f"p{n:02}", "Page", "Text.", status=status, published_at=a, embargo_until=b, expires_at=c)
        for n, (a, b, c) in enumerate(product(moments, repeat=3))
    ]
    workspace = Workspace.open(tmp_path / "pages", create=True)
    with workspace.store() as store:
        store.put([Entry(article, "x") for article in articles], lambda entry: ())
        store.write_snapshot([], model="tfidf", k=2, settings={}, keep=5, inputs=Inputs())
        for now in (NOW, NOW + timedelta(days=1, seconds=1)):
            public = Watching().watched(store, now).public.tolist()
            assert public == [reason_hidden(article, now) is None for article in store.articles()]


def test_blocks_overlap_by_what_either_shows(pages: Workspace) -> None:
    """As sets: order is no difference, an empty block that was full is another one, a new page has none before."""
    write(pages, {"p00": [("p01", 1.0), ("p02", 0.5)], "p01": [("p02", 1.0)], "p02": [], "p03": [("p04", 1.0)]})
    with pages.store() as store:
        watched = Watching().watched(store, NOW)
    before = [("p00", ["p02", "p01", "p03"]), ("p01", ["p05"]), ("p02", ["p01"]), ("gone", ["p01"])]
    assert overlaps(watched, before).tolist() == [2 / 3, 0, 0, 1]
    assert overlaps(watched, []).tolist() == [1, 1, 1, 1]
