"""What readers see follows the store: the same as if all of it were read anew, at a fraction of the work."""

from __future__ import annotations

import gc
import sqlite3
import threading
import weakref
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from simrec.errors import NotFoundError, StoreError
from simrec.pipeline.acts import Desk
from simrec.pipeline.build import build
from simrec.pipeline.patched import patched
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.snapshots import rollback
from simrec.pipeline.workspace import Workspace
from simrec.serve.lane import Key
from simrec.serve.reading import Moved, Shown
from simrec.serve.seen import NEVER, Seen
from simrec.serve.state import Service
from simrec.settings import Settings
from simrec.store import StoredBlock
from simrec.store.changes import Changes, Mark
from simrec.types import Article, Corpus

from .conftest import NOW, Clock

IDS = st.sampled_from([f"a{number:02}" for number in range(12)])
ARTICLES = st.builds(
    Article,
    IDS,
    st.just("title"),
    st.just("body"),
    lang=st.sampled_from([None, "en", "de-AT", "fr"]),
    published_at=st.sampled_from([None, NOW, NOW + timedelta(days=1)]),
    expires_at=st.sampled_from([None, NOW, NOW + timedelta(days=2)]),
)
Served = Callable[..., TestClient]


def corpus_of(articles: list[Article]) -> Corpus:
    """A corpus of the last article of each id, by id."""
    found = {article.id: article for article in articles}
    return Corpus([found[id_] for id_ in sorted(found)])


@settings(max_examples=200, deadline=None)
@given(st.lists(ARTICLES, min_size=1), st.lists(st.lists(ARTICLES, max_size=4), max_size=4))
def test_a_patched_corpus_is_as_one_made_anew(first: list[Article], later: list[list[Article]]) -> None:
    """Every column of it, whatever was worked out before; and so are the moments at which anything changes."""
    corpus, all_ = corpus_of(first), list(first)
    mark: Any = None
    seen = Seen(mark, None, corpus, np.sort(times_of(corpus)), {}, {}, ((), ()), Settings())
    for changed in later:
        _ = corpus.by_id, corpus.row_of, corpus.published, corpus.lang_codes
        corpus = patched(corpus, changed)
        all_ += changed
        seen = seen.followed(NoStore(), changes_of(changed))  # type: ignore[arg-type]  # it is asked for nothing
    new = corpus_of(all_)
    assert list(corpus.articles) == list(seen.corpus.articles) == list(new.articles)
    for name in ("ids", "by_id", "row_of", "main_lang", "languages", "lang_counts"):
        assert getattr(corpus, name) == getattr(new, name), name
    for name in ("published", "lang_codes", "tie_order"):
        np.testing.assert_array_equal(getattr(corpus, name), getattr(new, name), name)
    np.testing.assert_array_equal(seen.times, np.sort(times_of(new)))


class NoStore:
    """A store without a snapshot."""


def changes_of(articles: list[Article]) -> Any:
    """Changes of articles alone."""
    return Changes(Mark(None, 0, 0, 0), list({article.id: article for article in articles}.values()), [], [])


def times_of(corpus: Corpus) -> Any:
    """All moments of a corpus's articles."""
    dates = [date for article in corpus.articles for date in (article.published_at, article.expires_at) if date]
    return np.array([date.timestamp() for date in dates], dtype=np.float64)


def all_of(service: Service) -> dict[str, bytes]:
    """The bytes of every public page's block, as the service gives them."""
    found = {}
    for article in service.shown.seen.corpus.articles:
        try:
            found[article.id] = service.lane.get(Key(article.id, 5, "json", True)).body
        except NotFoundError:
            found[article.id] = b"not found"
    return found


def still(client: TestClient) -> Service:
    """The service of a client, that follows the store no more by itself."""
    service: Service = client.app.state.service  # type: ignore[attr-defined]  # any ASGI application may be there
    service._stop.set()
    if service._thread:
        service._thread.join()
    return service


def check_followed(service: Service, clock: Clock) -> None:
    """What a service gives that was running all the time is what one gives that has just begun.

    Both have to be asked of one state: the service's writer brings another active snapshot up to date when it sees it.
    """
    for _ in range(20):
        mark = service.store.mark()
        service.refresh()
        service.lane.ahead()
        held = all_of(service)
        for ready in list(service.lane._ready.values()):
            ready.asked += 1  # it is made ahead the next time
        fresh = Service(service.workspace, clock=clock)
        with closing(fresh.store):
            fresh.shown.refresh()
            found = all_of(fresh)
        if service.store.mark() == mark:
            assert held == found
            return
    pytest.fail("the store does not come to rest")


@pytest.mark.parametrize(
    "more",
    ["", '[policy]\nfallback = ["section", "recent"]\nmin_score = 2\n', "[policy]\nmax_age_days = 300\n"],
    ids=["plain", "fallback", "ages"],
)
def test_bytes_held_ready_are_those_of_a_new_service(served: Served, clock: Clock, more: str) -> None:
    """After articles are published, changed, withdrawn and brought back, time passes, and another snapshot is built."""
    client = served(more=more)
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    workspace = service.workspace
    if more:
        build(workspace, now=clock.now)
        service.refresh()
    all_of(service)
    with Pipeline(workspace, clock=clock) as pipeline:
        article = service.shown.article("t003")
        assert article is not None
        for change in (
            lambda: pipeline.publish(replace(article, title="harbor ferry anew")),
            lambda: pipeline.publish(replace(article, id="new", published_at=NOW, expires_at=NOW + timedelta(hours=2))),
            lambda: pipeline.withdraw("t005"),
            lambda: pipeline.publish(
                service.shown.article("t005") and replace(service.shown.article("t005"), status="published")
            ),  # type: ignore[arg-type,type-var]
            lambda: pipeline.unpublish("t006", "t007"),
        ):
            change()
            check_followed(service, clock)
        for editing in (Desk(workspace, pipeline, clock=clock), Desk(workspace, None, clock=clock)):
            for action, target in (
                ("pin", "t009"),
                ("pin", "t010"),
                ("ban", "t009"),
                ("unpin", "t010"),
                ("unban", "t009"),
            ):
                editing.act("Ada", action, "t008", target)
                check_followed(service, clock)
        assert service.shown.version("t008") == 10
    for delta in (timedelta(seconds=31), timedelta(minutes=5), timedelta(hours=3)):
        clock.now += delta
        check_followed(service, clock)
    build(workspace, now=clock.now, k=3)
    check_followed(service, clock)
    rollback(workspace)
    check_followed(service, clock)


def test_a_backup_put_in_place_takes_back_what_came_since(served: Served, clock: Clock) -> None:
    """A service that runs meanwhile shows neither the articles nor the acts that the store does not have any more."""
    client = served()
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    place = service.workspace.place
    assert isinstance(place, Path)
    with closing(sqlite3.connect(place)) as now, closing(sqlite3.connect(":memory:")) as then:
        now.backup(then)
        with Pipeline(service.workspace, clock=clock) as pipeline:
            article = service.shown.article("t003")
            assert article is not None
            pipeline.publish(replace(article, id="new", title="harbor ferry anew"))
            Desk(service.workspace, pipeline, clock=clock).act("Ada", "ban", "t008", "t009")
        check_followed(service, clock)
        assert service.shown.article("new")
        then.backup(now)
    check_followed(service, clock)
    assert service.shown.article("new") is None
    assert service.shown.version("t008") == 0


def test_only_what_is_other_is_made_again(served: Served, clock: Clock) -> None:
    """One article is published: bodies of pages that it does not concern stay the very same."""
    client = served()
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    keys = [Key(f"t{number:03}", 5, "json", False) for number in range(40)]
    before = {key: service.lane.get(key) for key in keys}
    with Pipeline(service.workspace, clock=clock) as pipeline:
        pipeline.withdraw("t001")
    service.refresh()
    same = [key for key in keys[2:] if service.lane.get(key) is before[key]]
    ids = {key.source_id: before[key].body for key in keys}
    assert {key.source_id for key in same} <= {id_ for id_, body in ids.items() if b'"t001"' not in body}
    assert len(same) > 5


def test_what_was_asked_for_is_made_ahead(served: Served, clock: Clock) -> None:
    """Under its addresses, and as a new service would give it; not what nobody asked for, nor what is gone."""
    client = served()
    service = still(client)
    page, other = "/v1/articles/t000/similar", "/v1/articles/t002/similar"
    for _ in range(2):
        first = [item["id"] for item in client.get(page).json()["items"]]
    client.get(other)  # once, and so not by the lane
    item = f"/v1/articles/{first[0]}/similar"
    for _ in range(2):
        client.get(item)
    with Pipeline(service.workspace, clock=clock) as pipeline:
        pipeline.withdraw(first[0])
        pipeline.publish(replace(pipeline._article("t002"), title="Another title"))
    service.refresh()
    assert not any(service.lane.find(path.encode()) for path in (page, item, other))
    service.lane.ahead()
    made = service.lane.find(page.encode())
    assert made is not None
    assert first[0] not in made.body.decode()
    assert service.lane.find(item.encode()) is None
    assert service.lane.find(other.encode()) is None
    check_followed(service, clock)


def test_an_address_leads_to_as_many_items_as_the_snapshot_has(served: Served, clock: Clock) -> None:
    """Also where another one was built right after a change, and where its bodies were being made ahead."""
    client = served()
    service = still(client)

    def items() -> int:
        return len(client.get("/v1/articles/t000/similar").json()["items"])

    def change() -> None:
        first = client.get("/v1/articles/t000/similar").json()["items"][0]["id"]
        with Pipeline(service.workspace, clock=clock) as pipeline:
            pipeline.withdraw(first)
        service.refresh()

    assert [items(), items()] == [5, 5]
    change()
    build(service.workspace, k=3, now=clock())
    render = service.lane._render
    service.refresh()
    service.lane.ahead()
    assert [items(), items()] == [3, 3]
    change()

    def late(key: Key) -> Any:
        if service.shown.snapshot.k == 3:
            build(service.workspace, k=4, now=clock())
            service.refresh()  # between the look at what is gone and the making of it
        return render(key)

    service.lane._render = late  # type: ignore[method-assign]
    service.lane.ahead()
    service.lane._render = render  # type: ignore[method-assign]
    assert [items(), items()] == [4, 4]


def test_a_site_that_is_shown_no_more_is_let_go_of(served: Served, clock: Clock) -> None:
    """Without a search for garbage, that passes over what is held."""
    client = served()
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    seen = weakref.ref(service.shown.seen.corpus)
    build(service.workspace, k=3, full=True, now=clock())
    gc.disable()
    try:
        service.shown._seen = None
        service.refresh()
        service.lane.ahead()
        assert seen() is None
    finally:
        gc.enable()


def test_a_body_of_what_is_not_shown_any_more_is_not_held(served: Served) -> None:
    """It was being made while the store moved on: who asked gets it, the next one does not."""
    client = served()
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    shown, lane = service.shown, service.lane
    view, key = shown.view, Key("t000", 5, "json", False)

    def slow(*args: Any) -> Any:
        found = view(*args)
        shown._seen = replace(shown.seen)  # the store moves on
        return found

    shown.view = slow  # type: ignore[method-assign]
    first = lane.get(key)
    shown.view = view  # type: ignore[method-assign]
    assert lane.get(key) is not first


def test_readers_and_the_store_can_go_on_at_once(served: Served, clock: Clock) -> None:
    """Threads ask while articles come and go; in the end all see the same."""
    client = served()
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    failed: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        try:
            while not done.is_set():
                all_of(service)
        except BaseException as error:  # told to the test, which is another thread
            failed.append(error)
            raise

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    with Pipeline(service.workspace, clock=clock) as pipeline:
        for number in range(8):
            pipeline.withdraw(f"t{number:03}")
            service.refresh()
    done.set()
    for thread in threads:
        thread.join()
    assert not failed
    check_followed(service, clock)


@pytest.mark.parametrize("error", [StoreError("the database is away"), RuntimeError("a fault")])
def test_a_store_that_is_away_stops_nothing(
    served: Served, clock: Clock, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """What was read goes on being shown; the service says that it does not follow, and follows again."""
    client = served()
    service: Service = client.app.state.service  # type: ignore[attr-defined]

    def away(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(service.shown, "refresh", away)
    wait_for(lambda: not client.get("/readyz").json()["following"])
    assert client.get("/v1/articles/t000/similar").status_code == 200
    monkeypatch.undo()
    wait_for(lambda: client.get("/readyz").json()["following"])


def test_a_service_follows_by_itself(served: Served, clock: Clock) -> None:
    """Without being told, within a second; keys, too."""
    client = served()
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    with Pipeline(service.workspace, clock=clock) as pipeline:
        pipeline.withdraw("t000")
    wait_for(lambda: client.get("/v1/articles/t000").status_code == 404)
    secret = service.store.create_key("Ada", ["read"]).secret
    wait_for(lambda: client.get("/metrics", headers={"authorization": f"Bearer {secret}"}).status_code == 200)


def wait_for(what: Callable[[], bool]) -> None:
    """Fails where it does not come true within a few seconds."""
    waited = threading.Event()
    for _ in range(100):
        if what():
            return
        waited.wait(0.05)
    pytest.fail("it did not come true")


def test_nothing_is_shown_before_it_is_built(
    make_empty: Callable[[], Workspace], clock: Callable[[], datetime]
) -> None:
    """Without a snapshot: not ready, reading says 503, and articles are there."""
    from simrec.serve.app import create_app

    with TestClient(create_app(make_empty(), clock=clock), base_url="http://localhost") as client:
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        response = client.get("/v1/articles/one/similar")
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        assert client.get("/v1/articles/one").status_code == 200
        build(client.app.state.service.workspace)  # type: ignore[attr-defined]
        client.app.state.service.refresh()  # type: ignore[attr-defined]
        assert client.get("/v1/articles/one/similar").status_code == 200


@pytest.fixture
def make_empty(tmp_path: Any) -> Callable[[], Workspace]:
    """Makes a workspace of two articles that nothing was built of."""
    from simrec.pipeline.ingest import ingest

    def make() -> Workspace:
        (tmp_path / "simrec.toml").write_text('[build]\nmodel = "tfidf"\n', encoding="utf-8")
        lines = ['{"id": "one", "title": "a b", "body": "c d"}', '{"id": "two", "title": "a b", "body": "c e"}']
        (tmp_path / "articles.jsonl").write_text("\n".join(lines), encoding="utf-8")
        workspace = Workspace.open(tmp_path, create=True)
        ingest(workspace, [tmp_path / "articles.jsonl"])
        return workspace

    return make


def test_search_finds_by_id_address_and_words(served: Served) -> None:
    """For editors: drafts are among what is found; an id first, then the newest."""
    shown: Shown = served().app.state.service.shown  # type: ignore[attr-defined]
    assert shown.search("t007")[0].id == "t007"
    assert shown.search("news/t007.html")[0].id == "t007"
    assert {article.id for article in shown.search("BRIDGE zanzibar")} >= {"draft", "withdrawn", "embargoed"}
    assert shown.search("  ") == []
    assert len(shown.search("t0", limit=3)) == 3


def test_editors_see_the_block_of_a_draft(served: Served) -> None:
    """Readers do not; an unknown id is known to neither."""
    shown: Shown = served().app.state.service.shown  # type: ignore[attr-defined]
    assert shown.editor_block("draft").source_id == "draft"
    with pytest.raises(NotFoundError):
        shown.block("draft")
    with pytest.raises(NotFoundError):
        shown.editor_block("nowhere")


def test_memory_for_bodies_has_an_end(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it, those that were made first go; nothing of them stays behind, whatever was asked for, and how."""
    from simrec.serve import lane as module

    client = served()
    lane = client.app.state.service.lane  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "MOST_BYTES", 30_000)
    for number in range(40):
        client.get(f"/v1/articles/t{number:03}/similar")
    for k in range(1, 20):
        client.get(f"/v1/articles/t000/similar?k={k}&format=html")
        client.get(f"/v1/articles/t001/similar?{'k=5&' * 200}k={k}")
    assert lane._bytes <= 30_000
    assert 0 < len(lane._by_address) <= len(lane._ready) < 20
    assert sum(map(len, lane._of_page.values())) == len(lane._ready)
    assert lane._depends.keys() == lane._of_page.keys() == {key.source_id for key in lane._ready}
    assert max(map(len, lane._by_address)) < 100
    assert lane._bytes == sum(len(r.body) + module.COST + sum(map(len, r.addresses)) for r in lane._ready.values())
    for page in [*lane._of_page]:
        lane.moved(Moved(frozenset([page]), frozenset()))
    held = lane._ready, lane._by_address, lane._of_page, lane._pages_with, lane._depends, lane._with_any
    assert (lane._bytes, [*map(len, held)]) == (0, [0] * 6)
    client.get("/v1/articles/t000/similar")
    lane.moved(Moved(frozenset(), None))
    assert (lane._bytes, [*map(len, held)]) == (0, [0] * 6)
    assert float("inf") == NEVER


def test_all_sizes_of_blocks_share_what_is_made_of_the_corpus(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fallback looks through all articles: once after a change, not once for each k that somebody asks for."""
    from simrec.pipeline import viewer as module

    client = served(more='[policy]\nfallback = ["section", "recent"]\n')
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    made, fallback = [], module.Fallback
    monkeypatch.setattr(module, "Fallback", lambda *given: made.append(given) or fallback(*given))
    seen = Seen.read(service.store, service.store.mark(), service.workspace.settings)
    block = StoredBlock("t000", (), None)
    found = [seen.viewer(k, service.clock()).view(block).items for k in (1, 3, 7, 5)]
    assert [len(items) for items in found] == [1, 3, 7, 5]
    assert len(made) == 1
