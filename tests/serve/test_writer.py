"""One writer of all processes: each request is done once, whoever dies when."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from simrec.database import open_database, parse_url
from simrec.errors import (
    ConflictError,
    InputError,
    LockedError,
    ModelError,
    NotFoundError,
    SimrecError,
    StaleError,
    StoreError,
    UsageError,
)
from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.planned import plan_undo
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.sample import newsroom
from simrec.pipeline.snapshots import activate
from simrec.pipeline.workspace import Workspace
from simrec.serve import private
from simrec.serve import writer as writing
from simrec.serve.outcomes import passes, result, told
from simrec.serve.work import Work
from simrec.serve.writer import Writer
from simrec.store import Store, inbox
from simrec.store.inbox import applying

WORKER = Path(__file__).with_name("worker.py")
SETTINGS = '[build]\nmodel = "tfidf"\n'
RECORDS = [json.loads(line) for line in (newsroom() / "articles.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The newsroom, ranked by its words; copy it before writing to it."""
    path = tmp_path_factory.mktemp("newsroom")
    (path / "simrec.toml").write_text(SETTINGS, encoding="utf-8")
    workspace = Workspace.open(path, create=True)
    ingest(workspace, [newsroom() / "articles.jsonl"], picks=[newsroom() / "picks.csv"])
    build(workspace)
    return path


@pytest.fixture
def site(built: Path, tmp_path: Path) -> Workspace:
    """A copy of it."""
    shutil.copytree(built, tmp_path / "site")
    return Workspace.open(tmp_path / "site")


@contextmanager
def started(workspace: Workspace) -> Iterator[Writer]:
    """A writer at work."""
    writer = Writer(workspace)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()


@contextmanager
def worker(workspace: Workspace, where: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process of its own that is the writer, and dies where it is told to."""
    command = [sys.executable, str(WORKER), str(workspace.path), *([where] if where else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "writer\n"
            yield process
        finally:
            process.kill()


def changed(number: int, title: str = "A crack in the harbor crane") -> dict[str, Any]:
    """An article of the newsroom with another title."""
    return {**RECORDS[number], "title": title}


def revision(workspace: Workspace) -> int:
    """How often the active snapshot was changed."""
    with workspace.store() as store:
        return store.snapshot().revision


def blocks(workspace: Workspace) -> dict[str, list[str]]:
    """The ids in each block of the active snapshot."""
    with workspace.store() as store:
        return {block.source_id: [item.id for item in block.items] for block in store.blocks(store.snapshot().id)}


def test_a_change_is_in_all_blocks_when_the_call_returns(site: Workspace) -> None:
    """Published through the writer, an article is in the blocks that a rebuild puts it in."""
    with started(site) as writer:
        done = writer.call("publish", {"articles": [changed(0), {**changed(1), "id": "fresh"}]})
        assert done["new"] == ["fresh"]
        assert "fresh" in done["blocks"]
        assert not done["waiting"]
        assert done["revision"] == revision(site) == 1
        writer.call("withdraw", {"ids": [RECORDS[2]["id"]]})
    found = blocks(site)
    assert any("fresh" in items for items in found.values())
    assert not any(RECORDS[2]["id"] in items for items in found.values())
    build(site)
    assert blocks(site) == found


def test_errors_come_back_as_they_were(site: Workspace) -> None:
    """What the writer refuses, the asker sees as the same error, and the next request is done."""
    with started(site) as writer:
        with pytest.raises(NotFoundError, match="'nobody'"):
            writer.call("withdraw", {"ids": ["nobody"]})
        with pytest.raises(InputError, match="no title, body"):
            writer.call("publish", {"articles": [{"id": "x"}]})
        with pytest.raises(UsageError, match="'paint'"):
            writer.call("paint", {})
        with pytest.raises(RuntimeError, match="its log says why"):
            writer.call("publish", {"articles": "no list of records"})
        assert writer.call("publish", {"articles": [changed(0)]})["blocks"]
    assert revision(site) == 1


@pytest.mark.parametrize("error", [ConflictError("a"), LockedError("b"), StoreError("c"), InputError("d")])
def test_an_error_survives_being_written_down(error: SimrecError) -> None:
    """As an outcome, an error keeps its class, its words, and what else it says; what passes is not kept for a key."""
    vars(error)["who"] = "Ann"
    with pytest.raises(type(error)) as found:
        result(json.loads(json.dumps(told(error))))
    assert type(found.value) is type(error)
    assert str(found.value) == str(error)
    assert vars(found.value)["who"] == "Ann"
    assert passes(error) == (type(error) in (LockedError, StoreError))


def test_another_process_does_what_is_asked_here(site: Workspace) -> None:
    """A process that is not the writer asks the one that is, and has its answer, or its error."""
    with worker(site), started(site) as writer:
        assert writer.call("publish", {"articles": [changed(0)]})["revision"] == 1
        with pytest.raises(NotFoundError, match="'nobody'"):
            writer.call("withdraw", {"ids": ["nobody"]})
        assert not writer.is_writer


def test_a_text_that_another_service_ranks_is_deleted_with_its_answer(site: Workspace) -> None:
    """Where the writer is not of this machine's service, a text waits in the store, and is gone when it is answered."""
    with worker(site), started(site) as writer:
        found = writer.call("similar", {"article": {**changed(0), "id": "draft"}, "k": 3}, timeout=60)
        assert len(found["items"]) == 3
        with pytest.raises(InputError, match="no title, body"):
            writer.call("similar", {"article": {"id": "x"}}, timeout=60)
    with site.store() as store:
        assert store.outcomes(range(1, 10)) == {}
        assert store.asked_count() == (0, None)


def test_a_site_that_cannot_be_read_anew_ends_no_writer(site: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was fitted is another one by then: the writer does without for a while, and publishes on."""
    real, failed, stepped_down = Writer._step_down, threading.Event(), list[str]()

    def tidy(_: Pipeline) -> bool:
        failed.set()
        raise ModelError("what was fitted is damaged")

    def step_down(writer: Writer) -> None:
        stepped_down.append("")
        real(writer)

    monkeypatch.setattr(Pipeline, "tidy", tidy)
    monkeypatch.setattr(Writer, "_step_down", step_down)
    with started(site) as writer:
        assert failed.wait(60)
        assert writer.call("publish", {"articles": [{**changed(0), "id": "fresh"}]}, timeout=60)["new"] == ["fresh"]
        assert not stepped_down


def test_a_text_is_ranked_over_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers and errors come back as they were; a writer elsewhere is said, and one that is not there waited for."""

    def rank(payload: Any, seconds: float) -> dict[str, Any] | None:
        if payload == "wrong":
            raise InputError("it is")
        return None if payload == "elsewhere" else {"said": payload, "seconds": seconds > 0}

    assert private.asked(private.DRAFTS, {}, 1) is None  # no service runs
    monkeypatch.setenv(private.DRAFTS, str(tmp_path / "drafts"))
    with pytest.raises(LockedError, match="no answer"):
        private.asked(private.DRAFTS, {}, 0.05)
    for _ in range(2):  # what a process that was killed left behind is no obstacle
        with private.listening(private.DRAFTS, rank):
            assert private.asked(private.DRAFTS, {"title": "ü" * 100_000}, 5) == {
                "said": {"title": "ü" * 100_000},
                "seconds": True,
            }
            with pytest.raises(InputError, match="it is"):
                private.asked(private.DRAFTS, "wrong", 5)  # type: ignore[arg-type]
            assert private.asked(private.DRAFTS, "elsewhere", 5) is None  # type: ignore[arg-type]
        assert (tmp_path / "drafts").exists()


@pytest.mark.parametrize("where", ["before", "stored", "answered"])
def test_a_killed_writer_leaves_each_request_done_once(site: Workspace, where: str) -> None:
    """Wherever the writer is killed, another takes over, and the request is done once and answered in full."""
    with worker(site, where) as process, started(site) as writer:
        done = writer.call("publish", {"articles": [{**changed(0), "id": "fresh"}]}, timeout=60)
        assert process.wait(60) < 0
        assert done["new"] == ["fresh"]
        assert "fresh" in done["blocks"]
        assert len(done["blocks"]) > 1
        assert revision(site) == 1
        assert writer.call("publish", {"articles": [changed(1)]}, timeout=60)["revision"] == 2
        assert writer.is_writer


def test_a_killed_writer_between_many_requests(site: Workspace) -> None:
    """Requests of several threads, while writers are killed: each is done once, none is lost."""
    errors: list[BaseException] = []

    def ask(writer: Writer, number: int) -> None:
        try:
            for version in range(3):
                writer.call(
                    "publish", {"articles": [changed(number, f"Crane {number} of the harbor {version}")]}, timeout=120
                )
        except BaseException as error:  # told to the test, which is another thread
            errors.append(error)

    with started(site) as first:
        while not first.is_writer:
            time.sleep(0.01)
        second = Writer(site)
        second.start()
        threads = [threading.Thread(target=ask, args=(second, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        first.stop()
        for thread in threads:
            thread.join()
        assert second.is_writer
        second.stop()
    assert not errors
    assert revision(site) == 12
    with site.store() as store:
        assert store.asked_count() == (0, None)
        assert [store.article(RECORDS[n]["id"]).title for n in range(4)] == [  # type: ignore[union-attr]
            f"Crane {n} of the harbor 2" for n in range(4)
        ]


def test_what_is_answered_too_late_is_done_all_the_same(site: Workspace) -> None:
    """Without a writer a request times out; the next writer does it, once, and the same key has its answer."""
    with site.store() as store:
        receipt = store.ask("publish", {"articles": [changed(0)]}, "key", "same")
        assert store.ask("publish", {"articles": [changed(0)]}, "key", "same") == receipt._replace(new=False)
        assert store.asked_count()[0] == 1
    with worker(site), started(site) as writer:
        assert writer.wait(receipt, 60)["revision"] == 1
    lone = Writer(site)
    lone._store = site.store()
    with pytest.raises(LockedError, match="will be done all the same"):
        lone.call("publish", {"articles": [changed(1)]}, timeout=0.05)
    lone.stop()
    with started(site) as writer:
        assert writer.call("publish", {"articles": [changed(2)]})["revision"] == 3


def test_two_writers_cannot_do_one_request(site: Workspace) -> None:
    """The note in the transaction keeps out a writer that does not know that it was replaced."""
    with site.store() as store:
        number = store.ask("withdraw", {"ids": ["x"]}).id
        with applying(number):
            store.put([], lambda entry: [])
        with applying(number) as claim, pytest.raises(StoreError, match="another process was faster"):
            store.put([], lambda entry: [])
        assert claim.lost
        with applying(number) as claim:
            with pytest.raises(ZeroDivisionError):
                _ = claim.id // 0
            assert not claim.marked


def test_a_new_snapshot_is_followed(site: Workspace) -> None:
    """A build by another command is taken over, and so is going back."""
    with started(site) as writer:
        writer.call("publish", {"articles": [changed(0)]})
        build(site, full=True)
        assert writer.call("publish", {"articles": [changed(1)]})["snapshot"] == 2
        assert writer.call("activate", {"snapshot": 1})["snapshot"] == 1
        assert writer.call("publish", {"articles": [changed(2)]})["snapshot"] == 1
        activate(site, 2)
        assert writer.call("publish", {"articles": [changed(3)]})["snapshot"] == 2
    found = blocks(site)
    build(site)
    assert blocks(site) == found


def test_without_a_snapshot_articles_are_stored_and_wait(tmp_path: Path) -> None:
    """Before the first build, articles are stored, and the answer says that blocks wait; after it, they do not."""
    (tmp_path / "simrec.toml").write_text(SETTINGS, encoding="utf-8")
    workspace = Workspace.open(tmp_path, create=True)
    ingest(workspace, [newsroom() / "articles.jsonl"])
    with started(workspace) as writer:
        done = writer.call("publish", {"articles": [{**changed(0), "id": "fresh"}]})
        assert (done["waiting"], done["blocks"], done["snapshot"], done["new"]) == (True, [], None, ["fresh"])
        build(workspace)
        until = time.monotonic() + 60
        while writer.call("publish", {"articles": [changed(1)]})["waiting"]:
            assert time.monotonic() < until
            time.sleep(0.2)


def test_a_request_that_kills_is_turned_away(site: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What several writers died over is not tried for ever, and what comes after it is done."""
    monkeypatch.setattr(writing, "DEATHS", 2)
    with site.store() as store:
        receipt = store.ask("publish", {"articles": [changed(0)]})
    for _ in range(2):
        with worker(site, "before") as process:
            assert process.wait(60) < 0
    with started(site) as writer:
        with pytest.raises(RuntimeError, match="its log says why"):
            writer.wait(receipt, 60)
        assert writer.call("publish", {"articles": [changed(1)]})["revision"] == 1


def test_old_answers_are_deleted(site: Workspace) -> None:
    """Answers go with their keys after their time; what waits stays."""
    with site.store() as store:
        done, waits = store.ask("withdraw", {"ids": ["x"]}, "one"), store.ask("withdraw", {"ids": ["y"]}, "two")
        store.answer(done.id, {"ok": True})
        assert store.clean_inbox(datetime.now(UTC) - timedelta(hours=1)) == 0
        assert store.clean_inbox(datetime.now(UTC) + timedelta(hours=1)) == 1
        assert store.ask("withdraw", {"ids": ["y"]}, "two").id == waits.id
        assert store.ask("withdraw", {"ids": ["x"]}, "one").new
        assert next(asked.id for asked in store.asked()) == waits.id


def test_what_was_gone_is_forgotten_after_a_month(site: Workspace) -> None:
    """That a webhook took out what was not known is kept for longer than any webhook comes late."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with site.store() as store:
        store.note_gone({"late": now - timedelta(days=29), "old": now - timedelta(days=31)})
        Writer(site, clock=lambda: now)._tend(store, 0.0)
        assert [store.gone_at(id_) for id_ in ("late", "old")] == [now - timedelta(days=29), None]


def test_an_act_is_logged_once_whoever_dies(site: Workspace) -> None:
    """An act whose writer dies before it answers stands once in the log, and its answer is whole."""
    page = RECORDS[0]["id"]
    shown = [page, *blocks(site)[page]]
    target = next(one["id"] for one in RECORDS if one["id"] not in shown and one["lang"] == RECORDS[0]["lang"])
    payload = {"who": "Ann", "action": "pin", "source_id": page, "target_id": target, "version": 0}
    with worker(site, "stored") as process, started(site) as writer:
        done = writer.call("act", payload, timeout=60)
        assert process.wait(60) < 0
        assert done["state"]["pins"] == [target]
        assert page in done["blocks"]
        with pytest.raises(StaleError, match="Ann"):
            writer.call("act", {**payload, "who": "Ben"}, timeout=60)
    with site.store() as store:
        assert [(act.id, act.who, act.action) for act in store.acts()] == [(done["act"]["id"], "Ann", "pin")]
    assert blocks(site)[page][0] == target


def test_the_answer_that_a_writer_owes_to_what_was_said_has_no_block(site: Workspace) -> None:
    """What it undid before it died changed no page, whatever the blocks of the moment are."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    page = RECORDS[0]["id"]
    with site.store() as store:
        planned = plan_undo(store, "Ben", store.note_fine("Ann", page, now), None, now)
        with applying(store.ask("undo", {}).id):
            store.take_back(planned)
        [asked] = store.asked()
        done = Work(site, store, lambda: now).again(asked)
    assert (done["act"]["id"], done["blocks"], done["waiting"], done["state"]["version"]) == (planned.id, [], False, 0)


def test_a_change_whose_commit_was_not_heard_of_is_done_once(site: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection breaks after the change was stored, before that is known: the answer is what was done."""
    change, broken = Store.change, list[int]()

    def unheard(self: Store, *args: Any, **values: Any) -> Any:
        done, claim = change(self, *args, **values), inbox._claim.get()
        if claim and not broken:
            claim.marked = False
            broken.append(claim.id)
            raise StoreError("the connection broke")
        return done

    monkeypatch.setattr(Store, "change", unheard)
    page, target = RECORDS[0]["id"], RECORDS[7]["id"]
    payload = {"who": "Ann", "action": "pin", "source_id": page, "target_id": target}
    with started(site) as writer:
        done = writer.wait(writer.ask("act", payload, "key", "same"), 60)
        assert done["state"]["pins"] == [target]
        assert writer.wait(writer.ask("act", payload, "key", "same"), 60) == done
    assert broken
    with site.store() as store:
        assert [act.action for act in store.acts()] == ["pin"]


def test_an_answer_that_cannot_be_read_yet_is_not_an_error(site: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The change is stored, its writer died, and the store is away for a moment: the next look answers."""
    again, failed = Work.again, list[int]()

    def away(self: Work, asked: Any) -> Any:
        failed.append(asked.id)
        if len(failed) == 1:
            raise StoreError("the store is away")
        return again(self, asked)

    monkeypatch.setattr(Work, "again", away)
    with site.store() as store:
        receipt = store.ask("withdraw", {"ids": [RECORDS[0]["id"]]}, "key", "same")
        with applying(receipt.id):
            store.put([], lambda entry: [])
    with started(site) as writer:
        assert writer.wait(receipt, 60)["blocks"] is not None
        assert writer.ask("withdraw", {}, "key", "same").id == receipt.id
    assert len(failed) == 2


@pytest.fixture
def server(postgres: str, tmp_path: Path) -> Iterator[Workspace]:
    """The newsroom in a PostgreSQL database."""
    engine = open_database(parse_url(postgres), read_only=False)
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA writers"))
    url = f"{postgres}&options=-csearch_path%3Dwriters"
    (tmp_path / "simrec.toml").write_text(f'{SETTINGS}[store]\nurl = "{url}"\n', encoding="utf-8")
    workspace = Workspace.open(tmp_path)
    ingest(workspace, [newsroom() / "articles.jsonl"])
    build(workspace)
    yield workspace
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA writers CASCADE"))


def test_writers_of_one_database(server: Workspace) -> None:
    """On PostgreSQL, too, a killed writer leaves each request done once, and another one takes over."""
    for number, where in enumerate(("before", "stored", "answered"), start=1):
        with worker(server, where) as process, started(server) as writer:
            done = writer.call("publish", {"articles": [{**changed(0), "id": f"fresh{number}"}]}, timeout=60)
            assert process.wait(60) < 0
            assert (done["new"], done["revision"]) == ([f"fresh{number}"], 2 * number - 1)
            assert f"fresh{number}" in done["blocks"]
            receipts = [
                writer.ask("withdraw", {"ids": [f"fresh{number}"], "known": True}, f"key {number}", "same")
                for _ in range(2)
            ]
            assert receipts[0].id == receipts[1].id
            assert writer.wait(receipts[0], 60)["articles"] == [f"fresh{number}"]
