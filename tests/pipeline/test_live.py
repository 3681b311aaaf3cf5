"""Publish one: after any changes the blocks are those that ranking every page from nothing gives."""

from __future__ import annotations

import json
import random
import shutil
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simrec.errors import ConflictError, InputError, NotFoundError, UsageError
from simrec.index.approximate import choose_index
from simrec.pipeline import build as building
from simrec.pipeline.acts import Desk
from simrec.pipeline.build import build
from simrec.pipeline.draft import rank_draft
from simrec.pipeline.ingest import ingest
from simrec.pipeline.live.columns import Column, read_array
from simrec.pipeline.live.site import LiveSite, state_folder
from simrec.pipeline.look import Looks
from simrec.pipeline.placed import placed_of
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.status import status
from simrec.pipeline.workspace import Workspace
from simrec.store import Store, StoredBlock
from simrec.types import Article

TOPICS = (
    "bridge crack anchor engineer lorries closed county repair",
    "harbor ferry tide crew sailing storm dock fuel",
    "library books readers reading children shelves loans evening",
    "football match goal keeper season league striker coach",
    "budget council vote tax spending deficit mayor plan",
)
NOW = datetime(2025, 6, 1, tzinfo=UTC)
RULES = {
    "dates": "older_only = true\naround_days = 250\nmax_age_days = 300\nhalf_life_days = 90",
    "caps": 'max_per_section = 2\nmax_per_author = 1\ncopies = "newest"\nboost = {a001 = 1.5, a002 = -1}',
    "sides": """languages = {de = ["de", "en"]}
apart = ["a003"]
same_story = [["a004", "a005"]]
off = ["a006"]
pinned = {a007 = ["a008", "a009"]}
banned = {a010 = ["a011", "a012"], a013 = ["a011"]}
copies = "canonical"
target = {exclude_terms = ["vote tax"], exclude_authors = ["Cy"]}
source = {exclude_tags = ["shelves"]}""",
    "hubs": "hub_limit = 0.12\nmin_score = 0.5\ndiversity = 0.2",
    "least": "hub_limit = 0.1\nmin_cosine = 0.2\nmax_per_section = 3",
    "tongues": """languages = {de = ["de", "en"], fr = ["fr", "de"]}
hub_limit = 0.2""",
}
"""House rules, by a name."""
ACTS = ("pin", "unpin", "ban", "unban", "order", "accept", "undo")
OPERATIONS = ("publish", "change", "copy", "withdraw", "unpublish", "return", "pick", "later", "tidy", *ACTS)


def make_article(number: int, rng: random.Random) -> Article:
    """An article on one or two of the topics."""
    words = [word for topic in rng.sample(TOPICS, rng.choice([1, 1, 2])) for word in topic.split()]
    body = ". ".join(" ".join(rng.choices(words, k=rng.randrange(3, 9))) for _ in range(rng.randrange(1, 7)))
    return Article(
        id=f"a{number:03}",
        title=" ".join(rng.sample(words, 3)),
        body=body,
        url=f"https://x.example/{rng.choice(['news', 'city'])}/{number}",
        published_at=NOW - timedelta(days=rng.randrange(400)) if rng.random() < 0.9 else None,
        section=rng.choice(["news", "city", None]),
        tags=tuple(rng.sample(words, rng.randrange(3))),
        authors=tuple(rng.sample(["Ada", "Ben", "Cy"], rng.randrange(2))),
        lang=rng.choice(["en", "en", "en", "de"]),
    )


def lines(articles: Sequence[Article]) -> str:
    """Articles as a source has them."""
    found = []
    for a in articles:
        values = {"id": a.id, "title": a.title, "body": a.body, "url": a.url, "section": a.section, "lang": a.lang}
        values |= {"tags": list(a.tags), "authors": list(a.authors)}
        values["published_at"] = a.published_at.isoformat() if a.published_at else None
        found.append(json.dumps({name: value for name, value in values.items() if value}))
    return "\n".join(found)


@pytest.fixture(scope="module", autouse=True)
def _few() -> Iterator[None]:
    """Sites of sixty articles have more than a few of them."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("engine", "compose"):
            patch.setattr(f"simrec.pipeline.live.{module}.FEW", 20)
        patch.setattr("simrec.pipeline.live.site.LOOSE_FROM", 1)
        patch.setattr("simrec.pipeline.live.site.LOOSE_SHARE", 0.02)
        yield


def model_of(name: str) -> str:
    """The model of one of the built sites."""
    return "hybrid" if name in ("hybrid", "tongues") else "tfidf"


@pytest.fixture(scope="module")
def base(_few: None, tmp_path_factory: pytest.TempPathFactory, toy_model: Path) -> dict[str, Path]:
    """Built sites of sixty articles, by model or by rules."""
    rng, found = random.Random(0), {}
    text = lines([make_article(number, rng) for number in range(60)])
    for name in ("tfidf", "hybrid", *RULES):
        model = model_of(name)
        path = found[name] = tmp_path_factory.mktemp(name)
        (path / "simrec.toml").write_text(
            f'[build]\nspeed = "fast"\nspares = 2\n[sentence]\nmodel = "{toy_model}"\n[rank]\ncandidates = 8\n'
            "[tfidf]\nmin_df = 1\n" + (f"[policy]\n{RULES[name]}\n" if name in RULES else "")
        )
        (path / "articles.jsonl").write_text(text)
        workspace = Workspace.open(path, create=True)
        ingest(workspace, [path / "articles.jsonl"])
        build(workspace, model=model, k=4, now=NOW)
    return found


def stored(workspace: Workspace) -> dict[str, StoredBlock]:
    """The blocks of the active snapshot."""
    with workspace.store() as store:
        return {block.source_id: block for block in store.blocks(store.snapshot().id)}


def from_nothing(workspace: Workspace, now: datetime) -> dict[str, StoredBlock]:
    """Every page ranked anew, with what was fitted: the articles are added all at once, no list is kept."""
    with workspace.store() as store:
        articles, hashes = {a.id: a for a in store.articles()}, store.article_hashes()
        site = LiveSite.load(workspace, articles)
        site.follow(articles, hashes, placed_of(workspace, store), now)
    engine = site.engine
    engine.lists.array[:] = -1
    return {block.source_id: block for block in engine.make((), sorted(engine.articles))}


def act(pipeline: Pipeline, operation: str, rng: random.Random, clock: list[datetime]) -> None:
    """Does one thing to a site."""
    with pipeline.workspace.store() as store:
        articles = store.articles()
    one, other = rng.sample(articles, 2)
    if operation == "publish":
        pipeline.publish(make_article(rng.randrange(60, 999), rng))
    elif operation == "change":
        pipeline.publish(replace(one, body=f"{one.body} {other.body}", tags=other.tags, lang=other.lang))
    elif operation == "copy":
        pipeline.publish(replace(one, id=f"copy-{rng.randrange(99)}", canonical_id=rng.choice([None, other.id])))
    elif operation == "withdraw":
        pipeline.withdraw(one.id)
    elif operation == "unpublish":
        pipeline.unpublish(one.id)
    elif operation == "return":
        hidden = [a for a in articles if a.status != "published"] or [one]
        pipeline.publish(replace(rng.choice(hidden), status="published"))
    elif operation == "later":
        clock[0] += timedelta(days=1)
        pipeline.publish(replace(one, expires_at=clock[0] + timedelta(hours=12), embargo_until=None))
    elif operation == "tidy":
        pipeline.tidy()
    elif operation == "pick":
        with suppress(UsageError):  # it is banned there
            pipeline.pick(one.id, other.id, rng.randrange(1, 3))
    else:
        edit(pipeline, operation, one.id, other.id, rng)


def edit(pipeline: Pipeline, action: str, page: str, target: str, rng: random.Random) -> None:
    """Does what an editor does: on a page that somebody has acted on, more often than not."""
    with pipeline.workspace.store() as store:
        block = next(iter(store.blocks(store.snapshot().id, [page])))
        shown, acts = [item.id for item in block.items], store.acts()
    if action == "undo" and not acts:
        return
    if acts and rng.random() < 0.5:
        page = rng.choice(acts).source_id
    target = rng.choice([target, *shown])
    desk = Desk(pipeline.workspace, pipeline, pipeline.clock)
    with suppress(UsageError, ConflictError):  # nothing to undo, or under itself
        if action == "undo":
            desk.undo("Ada", rng.choice(acts).id)
        elif action == "order":
            desk.act("Ben", "order", page, targets=rng.sample(shown, min(len(shown), 3)))
        elif action in ("unpin", "unban"):
            state = desk.state(page)
            desk.act("Cy", action, page, rng.choice([*(state.pins if action == "unpin" else state.bans), target]))
        else:
            desk.act("Dee", action, page, target, rank=rng.choice([1, 2, None]) if action == "pin" else None)


def deliver(workspace: Workspace, rng: random.Random) -> None:
    """Some articles change, some are again as they were first, and some are new: a source brings them, no `publish`."""
    first, others = random.Random(0), random.Random(rng.randrange(99))
    known = [make_article(number, first) for number in range(60)]
    changed = [replace(make_article(rng.randrange(99), others), id=one.id) for one in rng.sample(known, 3)]
    file = workspace.path / "delivered.jsonl"
    file.write_text(lines([*{one.id: one for one in [*rng.sample(known, 5), *changed]}.values()]))
    ingest(workspace, [file])


@pytest.fixture
def never_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much changes, the site is not fitted anew."""
    for name in ("MOST_NEW", "MOST_DRIFT", "MOST_UNKNOWN"):
        monkeypatch.setattr(f"simrec.pipeline.live.drift.{name}", 1e9)
    monkeypatch.setattr("simrec.pipeline.live.drift.passed_limit", lambda engine, share: False)


@pytest.mark.usefixtures("never_due")
def test_blocks_that_reach_beyond_the_kept_list_follow_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a page has many copies before it has enough stories: newcomers enter it, what goes leaves it."""
    monkeypatch.setattr("simrec.pipeline.live.pages.LISTED", 1)
    rng = random.Random(3)
    articles = [make_article(number, rng) for number in range(60)]
    articles += [replace(one, id=f"{one.id}x{n}", url=None) for one in articles[:12] for n in range(4)]
    (tmp_path / "simrec.toml").write_text("[build]\nspares = 2\n[tfidf]\nmin_df = 1\n[policy]\nsame_language = false\n")
    (tmp_path / "articles.jsonl").write_text(lines(articles))
    workspace, clock = Workspace.open(tmp_path, create=True), [NOW]
    ingest(workspace, [tmp_path / "articles.jsonl"])
    build(workspace, model="tfidf", k=4, now=NOW)
    with Pipeline(workspace, lambda: clock[0]) as pipeline:
        assert pipeline._live().engine.far
        for step in range(25):
            act(pipeline, rng.choice(["publish", "publish", "change", "withdraw", "copy"]), rng, clock)
            if step % 6 == 0:
                assert stored(workspace) == from_nothing(workspace, NOW)
    assert stored(workspace) == from_nothing(workspace, NOW)


@pytest.mark.usefixtures("never_due")
@pytest.mark.parametrize("many", [1, 2])
def test_many_additions_are_compared_as_few_are(
    many: int, base: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that were added are listed by their terms when they are many; a text that is only ranked is none of them."""
    monkeypatch.setattr("simrec.pipeline.live.scans.MANY", many)
    shutil.copytree(base["hybrid"], tmp_path / "site")
    workspace, rng = Workspace.open(tmp_path / "site"), random.Random(5)
    with Pipeline(workspace, lambda: NOW) as pipeline:
        for number in range(60, 66):
            rank_draft(pipeline, replace(make_article(number, rng), id="draft"), 3, clock=lambda: NOW)
            pipeline.publish(make_article(number, rng))
    assert stored(workspace) == from_nothing(workspace, NOW)


@pytest.mark.usefixtures("never_due")
def test_what_is_found_for_a_draft_is_not_taken_for_the_next_article(base: dict[str, Path], tmp_path: Path) -> None:
    """A model that looks at meaning alone compares words only to find copies: of a text that is lent, perhaps."""
    shutil.copytree(base["hybrid"], tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    build(workspace, model="static", k=4, now=NOW)
    fresh = replace(make_article(70, random.Random(70)), lang="en")
    with Pipeline(workspace, lambda: NOW) as pipeline:
        rank_draft(pipeline, Article("draft", "Harbour", "Ferries and tides. " * 9, lang="en"), 3, clock=lambda: NOW)
        pipeline.publish(fresh)
        pipeline.publish(replace(fresh, id="near", url=None, body=f"{fresh.body} again"))
        engine = pipeline._live().engine
        assert (engine.row_of[fresh.id], engine.row_of["near"]) in engine.copies.pairs()
    assert stored(workspace) == from_nothing(workspace, NOW)


@pytest.mark.usefixtures("never_due")
@pytest.mark.parametrize(("name", "examples"), [("tfidf", 12), ("hybrid", 8), *((name, 6) for name in RULES)])
def test_any_changes_leave_the_blocks_of_a_build_from_nothing(
    name: str, examples: int, base: dict[str, Path], tmp_path: Path
) -> None:
    """To the byte: items, scores, reasons, shortfalls. Also where another process, or the next build, takes over."""
    model = model_of(name)

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=12), st.integers(0, 10_000))
    def check(operations: list[str], seed: int) -> None:
        path = tmp_path / "site"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(base[name], path)
        workspace, rng, clock = Workspace.open(path), random.Random(seed), [NOW]
        with Pipeline(workspace, lambda: clock[0]) as pipeline:
            for operation in operations:
                act(pipeline, operation, rng, clock)
        wanted = from_nothing(workspace, clock[0])
        assert stored(workspace) == wanted
        build(workspace, model=model, k=4, now=clock[0])
        assert stored(workspace) == wanted
        deliver(workspace, rng)
        build(workspace, model=model, k=4, now=clock[0])
        assert stored(workspace) == from_nothing(workspace, clock[0])

    check()


@pytest.mark.parametrize("name", ["hybrid", "tongues"])
def test_an_article_is_measured_as_it_was_fitted(name: str, base: dict[str, Path]) -> None:
    """Its lists have only articles that may be shown under it by language; so have those that it would be in."""
    workspace = Workspace.open(base[name])
    with workspace.store() as store:
        site = LiveSite.load(workspace, {a.id: a for a in store.articles()})
    engine, shelf = site.engine, site.engine.shelf
    for own in range(0, 60, 7):
        (row,) = engine.shelve([(engine.articles[own], own, False)])
        engine.comparer.measure([row], [own])
        for column in ("near_tfidf", "near_sentence", "near_title", "near_fused", "hub_tfidf", "reach"):
            np.testing.assert_allclose(shelf[column][row], shelf[column][own], rtol=1e-4, atol=1e-5, err_msg=column)


def test_a_build_makes_again_what_changed_and_no_more(base: dict[str, Path], tmp_path: Path) -> None:
    """Nothing changed: nothing is ranked. One article changed: as from nothing. `full`: fitted anew."""
    shutil.copytree(base["hybrid"], tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    before = stored(workspace)
    report = build(workspace, model="hybrid", k=4, now=NOW)
    assert set(report.stages) == {"read", "write"}
    assert stored(workspace) == before
    with workspace.store() as store:
        assert store.snapshot().id == report.snapshot == 2
    full = build(workspace, model="hybrid", k=4, full=True, now=NOW)
    assert "rank" in full.stages
    assert stored(workspace) == before


def test_settings_that_rank_otherwise_fit_the_site_anew(base: dict[str, Path], tmp_path: Path) -> None:
    """A weight, the model or k: the engine of before is not used."""
    shutil.copytree(base["tfidf"], tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    assert "rank" in build(workspace, model="tfidf", k=3, now=NOW).stages
    assert "rank" in build(workspace, model="fusion", k=3, now=NOW).stages
    with (tmp_path / "site" / "simrec.toml").open("a") as file:
        file.write("[policy]\nsame_language = false\n")
    assert "rank" in build(Workspace.open(tmp_path / "site"), model="fusion", k=3, now=NOW).stages


def test_an_embargo_ends_and_an_article_expires_by_the_clock(base: dict[str, Path], tmp_path: Path) -> None:
    """The next change, or the next build, lets them in and out; no build is needed in between."""
    shutil.copytree(base["tfidf"], tmp_path / "site")
    workspace, clock = Workspace.open(tmp_path / "site"), [NOW]
    with workspace.store() as store:
        page = store.articles()[0]
    twin = replace(page, id="twin", body=f"{page.body} and one thing more of the harbor ferry", canonical_id=None)
    with Pipeline(workspace, lambda: clock[0]) as pipeline:
        pipeline.publish(replace(twin, embargo_until=NOW + timedelta(hours=1), expires_at=NOW + timedelta(hours=3)))
        seen = []
        for hours in (0, 2, 4):
            clock[0] = NOW + timedelta(hours=hours)
            pipeline.publish(replace(page, id="other", title=f"Other {hours}"))
            seen.append(any("twin" in [item.id for item in block.items] for block in stored(workspace).values()))
    assert seen == [True, True, False]  # ahead of its time: readers pass it over until then


def test_what_is_withdrawn_is_in_no_block(base: dict[str, Path], tmp_path: Path) -> None:
    """At once; and a pin stands first until its article goes."""
    shutil.copytree(base["hybrid"], tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    with Pipeline(workspace, lambda: NOW) as pipeline:
        page, far = "a000", stored(workspace)["a001"].items[0].id
        with workspace.store() as store:
            same = [a.id for a in store.articles() if a.lang == store.article(page).lang and a.id != page]  # type: ignore[union-attr]
        pinned = next(id_ for id_ in reversed(same) if id_ not in [item.id for item in stored(workspace)[page].items])
        change = pipeline.pin(page, pinned)
        assert page in change.blocks
        assert stored(workspace)[page].items[0].id == pinned
        pipeline.withdraw(pinned, far)
    for block in stored(workspace).values():
        assert not {pinned, far} & {item.id for item in block.items}


def test_a_change_that_cannot_be_stored_changes_nothing(
    base: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is as before, and the next change works: on what is stored, not on what was tried."""
    shutil.copytree(base["tfidf"], tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    before = stored(workspace)
    with Pipeline(workspace, lambda: NOW) as pipeline:
        with monkeypatch.context() as patched:
            patched.setattr("simrec.store.snapshots.put_blocks", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                pipeline.publish(make_article(700, random.Random(1)))
        assert stored(workspace) == before
        pipeline.publish(make_article(701, random.Random(2)))
    with workspace.store() as store:
        assert store.article("a700") is None
    assert stored(workspace) == from_nothing(workspace, NOW)


def test_an_article_that_is_again_as_it_was_has_its_blocks_again(base: dict[str, Path], tmp_path: Path) -> None:
    """Changed by `publish`, delivered as it was by `ingest`: the next build sees it."""
    shutil.copytree(base["tfidf"], tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    before = stored(workspace)
    with Pipeline(workspace, lambda: NOW) as pipeline:
        for number in (1, 2, 3):
            pipeline.publish(replace(make_article(number, random.Random(number + 6)), id=f"a{number:03}"))
    assert stored(workspace) != before
    ingest(workspace, [tmp_path / "site" / "articles.jsonl"])
    build(workspace, model="tfidf", k=4, now=NOW)
    assert stored(workspace) == before
    with Pipeline(workspace, lambda: NOW) as pipeline:
        assert pipeline.opened.blocks == ()


@pytest.mark.usefixtures("never_due")
def test_versions_that_are_gone_are_let_go_of(base: dict[str, Path], tmp_path: Path) -> None:
    """A site that is read anew has no rows of them, and the same blocks; not where too much would be made again."""
    shutil.copytree(base["tfidf"], tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    with Pipeline(workspace, lambda: NOW) as pipeline, Looks(workspace, clock=lambda: NOW) as looks:
        for number in range(5):
            pipeline.publish(replace(make_article(number, random.Random(number + 6)), id="a001"))
            looks.refresh()
        before, gone = stored(workspace), weakref.ref(pipeline._live())
        assert len(pipeline._live().engine.shelf) == 65
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("simrec.pipeline.live.site.REMADE", 0)
            assert not pipeline.tidy()
        assert pipeline.tidy()
        assert gone() is None
        assert len(pipeline._live().engine.shelf) == 61
        assert not pipeline.tidy()
        assert pipeline.opened.blocks == ()
        assert stored(workspace) == before == from_nothing(workspace, NOW)
        with looks.reading() as site:
            assert len(site.engine.shelf) < 65


def test_a_build_that_dies_before_its_snapshot_leaves_nothing_behind(
    base: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one makes all that it would have made, however much was changed."""
    shutil.copytree(base["tfidf"], tmp_path / "site")
    workspace, rng = Workspace.open(tmp_path / "site"), random.Random(5)
    (tmp_path / "more.jsonl").write_text(lines([make_article(number, rng) for number in range(55, 75)]))
    ingest(workspace, [tmp_path / "more.jsonl"])
    with monkeypatch.context() as patched:
        patched.setattr("simrec.store.snapshots.count_blocks", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            build(workspace, model="tfidf", k=4, now=NOW)
    build(workspace, model="tfidf", k=4, now=NOW)
    assert stored(workspace) == from_nothing(workspace, NOW)


def test_pins_stay_when_articles_are_ingested_again(base: dict[str, Path], tmp_path: Path) -> None:
    """And when the site is fitted anew."""
    shutil.copytree(base["tfidf"], tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    with workspace.store() as store:
        page, *others = [a.id for a in store.articles() if a.lang == "en"]
    pinned = next(id_ for id_ in others if id_ not in [item.id for item in stored(workspace)[page].items])
    with Pipeline(workspace, lambda: NOW) as pipeline:
        pipeline.pin(page, pinned)
    ingest(workspace, [tmp_path / "site" / "articles.jsonl"])
    build(workspace, model="tfidf", k=4, full=True, now=NOW)
    assert stored(workspace)[page].items[0].id == pinned


def test_two_processes_publish_into_one_site(base: dict[str, Path], tmp_path: Path) -> None:
    """Each takes over what the other has done before it goes on; nothing is lost, no block is stale."""
    shutil.copytree(base["tfidf"], tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    pipelines = [Pipeline(Workspace.open(tmp_path / "site"), lambda: NOW) for _ in range(2)]

    def work(number: int) -> None:
        for step in range(3):
            pipelines[number].publish(make_article(100 + 10 * number + step, random.Random(step)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for pipeline in pipelines:
        pipeline.close()
    with workspace.store() as store:
        assert store.article_count() == 66
    assert stored(workspace) == from_nothing(workspace, NOW)


@pytest.mark.usefixtures("never_due")
def test_a_build_takes_no_reasons_from_blocks_that_were_published_meanwhile(
    base: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it makes again is of the articles that it has read: the same as where nobody publishes."""
    page, found, look_up, catch_up = "a000", dict[str, list[StoredBlock]](), Store.blocks, building.catch_up
    with Workspace.open(base["tfidf"]).store() as store:
        block = next(iter(store.blocks(store.snapshot().id, [page])))
        one, *items = (store.article(id_) for id_ in (page, *(item.id for item in block.items[:2])))
    assert one and all(items)  # noqa: PT018 - mypy
    changed = replace(items[0], body=f"{items[0].body} {items[1].body}")  # type: ignore[type-var,union-attr]
    (tmp_path / "more.jsonl").write_text(lines([changed]))

    def publish_first(self: Store, *arguments: Any) -> Iterator[StoredBlock]:
        monkeypatch.setattr(Store, "blocks", look_up)
        with Pipeline(Workspace.open(tmp_path / "disturbed"), lambda: NOW) as pipeline:
            pipeline.publish(replace(one, body=f"{one.body} Council vote tax."))
        return look_up(self, *arguments)

    def told(workspace: Workspace, *arguments: Any) -> LiveSite | None:
        site = catch_up(workspace, *arguments)
        found[workspace.path.name] = list(arguments[-1])
        return site

    monkeypatch.setattr(building, "catch_up", told)
    for name in ("alone", "disturbed"):
        shutil.copytree(base["tfidf"], tmp_path / name)
        workspace = Workspace.open(tmp_path / name)
        ingest(workspace, [tmp_path / "more.jsonl"])
        if name == "disturbed":
            monkeypatch.setattr(Store, "blocks", publish_first)
        build(workspace, model="tfidf", k=4, now=NOW)
    assert Store.blocks is look_up
    alone = stored(Workspace.open(tmp_path / "alone"))
    assert page in {block.source_id for block in found["alone"]}
    assert {block.source_id for block in found["alone"]} <= {block.source_id for block in found["disturbed"]}
    assert all(block == alone[block.source_id] for block in found["disturbed"])


def test_status_says_when_a_refit_is_due(base: dict[str, Path], tmp_path: Path) -> None:
    """Not at first; when many articles in words of their own have come, it is, and the next build does it."""
    shutil.copytree(base["tfidf"], tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    found = status(workspace, NOW)
    assert found.drift is not None
    assert not found.drift["due"]
    assert not found.waiting
    with Pipeline(workspace, lambda: NOW) as pipeline:
        for number in range(12):
            pipeline.publish(
                Article(f"new{number}", f"Quokka {number}", f"A quokka wombat{number} numbat bilby.", lang="en")
            )
    found = status(workspace, NOW)
    assert found.drift is not None
    assert found.drift["due"]
    assert "unknown" in found.drift["why"]
    assert any("refit is due" in line for line in found.lines())
    report = build(workspace, model="tfidf", k=4, now=NOW)
    assert "rank" in report.stages
    assert "fitted anew" in report.decision


def test_an_approximate_index_is_named_with_its_recall(
    base: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where neighbors come from a graph, the build and every later status say how many of the true ones it finds."""
    monkeypatch.setattr("simrec.pipeline.nearby.choose_index", partial(choose_index, exact_up_to=10))
    shutil.copytree(base["hybrid"], tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    recalls = build(workspace, full=True, now=NOW).recalls
    assert set(recalls) == {"sentence", "titles"}
    assert all(0.98 <= recall <= 1 for recall in recalls.values())
    found = status(workspace, NOW)
    assert found.recalls == recalls
    assert any("recall@10" in line for line in found.lines())


@pytest.mark.usefixtures("never_due")
def test_odd_articles_are_published_as_they_are_built(base: dict[str, Path], tmp_path: Path) -> None:
    """Without words, in signs, in a language of their own, very long, without any metadata."""
    shutil.copytree(base["hybrid"], tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    odd = [("", ""), ("!!!", "— …"), ("橋の修理", "橋は三月から閉鎖されている。"), ("Long", "bridge crack " * 20_000)]
    with Pipeline(workspace, lambda: NOW) as pipeline:
        for number, (title, body) in enumerate(odd):
            pipeline.publish(Article(f"odd{number}", title, body, lang="ja" if number == 2 else None))
    assert stored(workspace) == from_nothing(workspace, NOW)


def test_another_sentence_model_fits_the_site_anew(base: dict[str, Path], tmp_path: Path) -> None:
    """Also where it has the name of the one before: vectors of two models are never mixed."""
    shutil.copytree(base["hybrid"], tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    model = shutil.copytree(workspace.settings.sentence.model, tmp_path / "model")
    settings = workspace.settings.model_copy(
        update={"sentence": workspace.settings.sentence.model_copy(update={"model": str(model)})}
    )
    workspace = Workspace(workspace.path, settings)
    assert "rank" in build(workspace, model="hybrid", k=4, now=NOW).stages
    assert "rank" not in build(workspace, model="hybrid", k=4, now=NOW).stages
    (model / "config_sentence_transformers.json").write_text("{}\n")
    with pytest.raises(UsageError, match="simrec build"):
        Pipeline(workspace)
    assert "rank" in build(workspace, model="hybrid", k=4, now=NOW).stages


def test_errors_say_what_to_do(base: dict[str, Path], tmp_path: Path) -> None:
    """An unknown article, a page under itself, no build yet, a damaged engine."""
    shutil.copytree(base["tfidf"], tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    with Pipeline(workspace, lambda: NOW) as pipeline:
        with pipeline.reading() as before:
            pass
        with pytest.raises(NotFoundError, match="nobody"):
            pipeline.withdraw("nobody")
        with pipeline.reading() as after:
            assert after is before  # a mistake does not have the site read once more
        with pytest.raises(UsageError, match="under itself"):
            pipeline.pin("a000", "a000")
        with pytest.raises(InputError, match="published_at needs a zone"):
            pipeline.publish(Article("naive", "A", "B", published_at=datetime(2025, 1, 1)))
        with pytest.raises(InputError, match="needs an id"):
            pipeline.publish(Article(" ", "A", "B"))
    damaged = next(state_folder(workspace.path).glob("column-tfidf.2.npy"))
    damaged.write_bytes(b"x")
    with pytest.raises(UsageError, match="build --full"):
        Pipeline(workspace)
    (tmp_path / "more.jsonl").write_text(lines([make_article(200, random.Random(0))]))
    ingest(workspace, [tmp_path / "more.jsonl"])
    assert "rank" in build(workspace, model="tfidf", k=4, now=NOW).stages
    shutil.rmtree(state_folder(workspace.path))
    with pytest.raises(UsageError, match="simrec build"):
        Pipeline(workspace)


@pytest.mark.parametrize("kept", [100, 130])
def test_a_column_that_was_cut_off_is_an_error(kept: int, tmp_path: Path) -> None:
    """It is not filled with what happened to be in memory; a whole one is read as it is, with room for more."""
    path = tmp_path / "column.npy"
    np.save(path, np.arange(12, dtype=np.float32).reshape(6, 2))
    whole = Column(read_array(path))
    whole.append(np.ones((1, 2)))
    assert whole.array.tolist() == [*np.arange(12).reshape(6, 2).tolist(), [1, 1]]
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"ends too early|EOF"):
        read_array(path)
