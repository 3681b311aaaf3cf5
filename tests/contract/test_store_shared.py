"""A store that several processes use: what changed for a reader, who may write, and what happens when one is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Connection, insert

from simrec.database import parse_url
from simrec.errors import ConflictError, NotFoundError, SettingsError, StoreError
from simrec.store import NOTHING, Inputs, Snapshot, Store, StoredBlock, StoredItem, engine, inbox
from simrec.store.inbox import applying
from simrec.store.tables import acts
from simrec.types import Article, Entry


def entry(id_: str, title: str = "T") -> Entry:
    """An article as a reader found it."""
    return Entry(Article(id_, title, "Body"), "file.jsonl", 1)


def put(store: Store, *ids: str) -> None:
    """Stores articles."""
    store.put([entry(id_) for id_ in ids], lambda e: [e.article.id])


def block(source: str, *items: str) -> StoredBlock:
    """A ranking."""
    return StoredBlock(source, tuple(StoredItem(item, 1.0) for item in items))


def write(store: Store, *blocks: StoredBlock, **values: Any) -> Snapshot:
    """A snapshot that is active."""
    return store.write_snapshot(blocks, model="tfidf", k=5, settings={}, keep=9, **values)


def change(store: Store, snapshot: Snapshot, entries: list[Entry], *blocks: StoredBlock) -> Snapshot:
    """A change of some articles and blocks."""
    return store.change(entries, (), "desk", blocks, snapshot, lambda e: [], 2, Inputs({"a": "1" * 64}))


# What changed


def test_a_reader_is_told_what_it_has_missed(store: Store) -> None:
    """Articles, blocks and pages since its mark; nothing where nothing is new; all blocks of another snapshot."""
    put(store, "a", "b", "c")
    first = write(store, block("a", "b"), block("b", "a"))
    all_ = store.changes(NOTHING)
    assert ([one.id for one in all_.articles], all_.blocks, all_.pages) == (["a", "b", "c"], None, [])
    mark = store.mark()
    assert mark == all_.mark
    assert store.changes(mark) == (mark, [], [], [], False)
    now = change(store, first, [entry("b", "New")], block("b", "c"))
    change(store, now, [], block("c", "a"))
    found = store.changes(mark)
    assert ([one.title for one in found.articles], found.blocks) == (["New"], ["b", "c"])
    assert (found.mark.revision, found.mark.seq > mark.seq) == (2, True)
    with store._write() as connection:
        row = {"at": "2026-01-01T00:00:00+00:00", "who": "Ann", "action": "pin", "before": {}, "after": {}}
        connection.execute(insert(acts), [row | {"source_id": id_} for id_ in ("c", "a", "c")])
    assert store.changes(found.mark)[1:] == ([], [], ["a", "c"], False)
    second = write(store, block("a", "c"))
    assert store.changes(found.mark).blocks is None
    store.activate(first.id)
    back = store.changes(store.changes(NOTHING).mark)
    assert (back.blocks, back.mark.snapshot, second.id > first.id) == ([], first.id, True)


def test_each_write_of_an_article_has_a_later_number(store: Store) -> None:
    """By an ingest or a change, also where only its state is others; what is unchanged is not written."""
    put(store, "a")
    seen = [store.mark().seq]
    for status in ("withdrawn", "published"):
        store.put([Entry(Article("a", "", "", status=status), "file.jsonl", 2)], lambda e: [])  # type: ignore[arg-type]
        seen.append(store.mark().seq)
    put(store, "b")
    seen.append(store.mark().seq)
    assert seen == sorted(set(seen))
    put(store, "b")
    assert store.mark().seq == seen[-1]


def test_who_has_seen_more_than_there_is_starts_anew(tmp_path: Path, place: Path | URL) -> None:
    """As after the store was replaced by a backup of it."""
    with Store(tmp_path / "other.db") as other, Store(place) as store:
        for title in ("1", "2", "3"):
            other.put([entry("x", title)], lambda e: [])
        put(store, "a")
        assert [one.id for one in store.changes(other.mark()).articles] == ["a"]
        assert (store.changes(other.mark()).anew, store.changes(store.mark()).anew) == (True, False)
        assert store.changes(other.mark()).blocks is not None  # no snapshot, then as now


# Two at once


def test_of_two_changes_of_one_snapshot_the_second_is_told(store: Store) -> None:
    """It stores nothing: neither its article nor its block."""
    first = write(store, block("a", "b"))
    change(store, first, [], block("a", "c"))
    with pytest.raises(ConflictError, match="another process"):
        change(store, first, [entry("late")], block("a", "d"))
    assert store.article("late") is None
    assert list(store.listed(first.id)) == [("a", ["c"])]
    other = write(store, block("a", "b"))
    with pytest.raises(ConflictError):
        change(store, store.snapshot(first.id), [entry("late")])
    assert store.snapshot().id == other.id


def test_many_writers_take_turns(place: Path | URL) -> None:
    """Each sees what the one before it stored: no number twice, no count lost."""
    with Store(place) as first:
        write(first, block("a"))

    def work(number: int) -> None:
        with Store(place) as store:
            for round_ in range(5):
                put(store, f"w{number}-{round_}")
                while True:
                    try:
                        change(store, store.snapshot(), [entry(f"c{number}-{round_}")])
                        break
                    except ConflictError:
                        continue

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    with Store(place) as store:
        assert (store.article_count(), store.mark().revision, store.mark().seq) == (40, 20, 40)


def test_a_reader_sees_one_moment_and_waits_for_nobody(place: Path | URL) -> None:
    """While another process writes, and after it has."""
    with Store(place) as store, Store(place) as other:
        put(store, *[f"a{i:04}" for i in range(1200)])
        number = write(store, *[block(f"a{i:04}", "old") for i in range(1200)]).id
        reading: Iterator[StoredBlock] = store.blocks(number)
        assert next(reading).items[0].id == "old"
        change(other, other.snapshot(), [], *[block(f"a{i:04}", "new") for i in range(1200)])
        with other._write():
            assert {one.items[0].id for one in reading} == {"old"}
            assert next(store.blocks(number, ["a0000"])).items[0].id == "new"


def test_what_is_shown_is_read_to_its_end_though_it_is_deleted_meanwhile(place: Path | URL) -> None:
    """The active snapshot and its blocks are of one moment."""
    with Store(place) as store, Store(place) as other:
        first = write(store, *[block(f"a{i:04}", "old") for i in range(1200)])
        snapshot, blocks = store.active_blocks()
        other.write_snapshot([block("a0000", "new")], model="tfidf", k=5, settings={}, keep=1)
        assert [one.id for one in other.snapshots()] != [first.id]
        assert snapshot == first
        assert [one.items[0].id for one in blocks] == ["old"] * 1200
        assert store.active_blocks()[0] == other.snapshot()


def test_a_server_takes_changes_while_a_snapshot_is_stored(schema: str) -> None:
    """A build of tens of thousands of blocks keeps nobody from publishing; only its switch waits for its turn."""
    with Store(parse_url(schema)) as store, Store(parse_url(schema)) as other:
        first = write(store, block("a", "b"))

        def found() -> Iterator[StoredBlock]:
            yield block("a", "c")
            change(other, first, [entry("a")], block("a", "d"))
            yield block("b", "a")

        second = store.write_snapshot(found(), model="tfidf", k=5, settings={}, keep=9)
        assert (second.parent, second.active, second.blocks) == (first.id, True, 2)
        assert list(store.listed(first.id)) == [("a", ["d"])]
        assert store.article("a") == entry("a").article


def test_of_two_requests_with_one_key_at_once_one_is_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both askers have the receipt of the one that is kept, whichever came first."""
    looked, known, both = threading.local(), inbox._known, threading.Barrier(2)

    def look(connection: Connection, key: str | None) -> inbox.Receipt | None:
        found = known(connection, key)
        if not hasattr(looked, "once"):  # neither has found the other, where the store lets both look
            looked.once = True
            with suppress(threading.BrokenBarrierError):
                both.wait(0.5)
        return found

    monkeypatch.setattr(inbox, "_known", look)
    with ThreadPoolExecutor(2) as pool:
        receipts = [*pool.map(lambda _: store.ask("publish", {"a": 1}, "key", "same"), range(2))]
    assert len({receipt.id for receipt in receipts}) == 1
    assert sorted(receipt.new for receipt in receipts) == [False, True]
    assert [asked.id for asked in store.asked()] == [receipts[0].id]


@pytest.mark.parametrize(
    "ask",
    [
        lambda store, number: store.act(number),
        lambda store, number: store.acts(before=number),
        lambda store, number: store.audited(before=number),
        lambda store, number: store.outcomes([number]),
        lambda store, number: store.inputs(number).pins,
    ],
    ids=["act", "acts", "audited", "outcomes", "inputs"],
)
def test_a_number_that_is_too_large_is_of_nothing(store: Store, ask: Callable[[Store, int], object]) -> None:
    """Whatever number comes in an address, what is not there is not there: no store fails over it."""
    assert not ask(store, 2**53)
    with pytest.raises(NotFoundError):
        store.snapshot(2**53)
    with pytest.raises(ConflictError):
        list(store.blocks(2**53))


def test_processes_that_start_at_once_make_one_store(place: Path | URL) -> None:
    """One of them makes the tables; the others find them."""
    errors: list[Exception] = []
    ready = threading.Barrier(4)

    def start() -> None:
        ready.wait()
        try:
            Store(place).close()
        except Exception as error:  # told to the test, which is another thread
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with Store(place) as store:
        assert store.mark().seq == 0


def test_a_new_file_is_opened_by_many_again_and_again(tmp_path: Path) -> None:
    """SQLite lets one of two that turn the log of a new file on at once fail without waiting."""
    with ThreadPoolExecutor(4) as pool:
        for number in range(60):
            ready = threading.Barrier(4)

            def start(file: Path, ready: threading.Barrier = ready) -> None:
                ready.wait()
                Store(file).close()

            for made in [pool.submit(start, tmp_path / f"{number}.db") for _ in range(4)]:
                made.result()


# The server


def test_nobody_waits_for_a_build_to_take_a_key_back(schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, the audit and what was seen are written beside whatever else is being stored."""
    monkeypatch.setattr(engine, "SESSION", engine.SESSION.replace("30s", "2s"))
    with Store(parse_url(schema)) as store, Store(parse_url(schema)) as other, other._write():
        key = store.create_key("CMS", ["publish"])
        store.audit("publish", "200", key_id=key.id)
        store.note_seen("Ada", "a", datetime(2026, 1, 1, tzinfo=UTC))
        store.revoke_key(key.id)
        (revoked,), (noted,) = store.keys(), store.audited()
        assert revoked.revoked_at
        assert (noted.key_id, [*store.looked_at()]) == (key.id, ["a"])


def test_connections_that_broke_are_made_anew(schema: str, end_sessions: Callable[[str], int]) -> None:
    """A server that was restarted is no error for the next one who asks."""

    def break_off(store: Store) -> None:
        with store._write() as connection:
            end_sessions("%")
            connection.exec_driver_sql("SELECT 1")

    with Store(parse_url(schema)) as store:
        put(store, "a")
        assert end_sessions("%") >= 1
        assert store.article_count() == 1
        with pytest.raises(StoreError, match=r"stops or starts|cannot be reached"):
            break_off(store)
        put(store, "b")
        assert store.article_count() == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"query": {"host": "/nowhere"}}, "cannot be reached"),
        ({"database": "absent"}, "createdb"),
        ({"username": "nobody"}, "refuses the user"),
        ({"query": {"options": "-csearch_path=absent"}}, "no schema to make tables in"),
        ({"query": {"options": "-cdefault_transaction_read_only=on"}}, "name the primary"),
        ({"drivername": "mysql"}, "postgresql://"),
    ],
)
def test_a_server_that_is_no_store_is_one_line(schema: str, change: dict[str, Any], words: str) -> None:
    """Away, another one, or one that refuses: what to do, and no password."""
    url = parse_url(schema)
    query = {**url.query, **change.pop("query", {})}
    with pytest.raises((StoreError, SettingsError), match=words) as error:
        Store(url.set(**change, query=query))
    assert "\n" not in str(error.value)
    assert "s3cr" not in str(error.value)


def test_who_waits_too_long_for_a_server_is_told(schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a file."""
    monkeypatch.setattr(engine, "SESSION", engine.SESSION.replace("30s", "50ms"))
    with Store(parse_url(schema)) as store, Store(parse_url(schema)) as other:
        started = time.monotonic()
        with other._write(), pytest.raises(StoreError, match="another command is writing"):
            put(store, "a")
        assert time.monotonic() - started < 10
        put(store, "a")


def test_a_text_that_cannot_be_sent_harms_nothing_that_follows(store: Store) -> None:
    """Half of a surrogate pair is refused in words, and the connection is not used again half-way through."""
    for _ in range(3):
        with pytest.raises(StoreError, match="half of a surrogate pair"):
            store.audit("PUT /", "200", name="\ud800")
        store.audit("PUT /", "200", name="fine")
        assert store.mark().snapshot is None
    assert [one.name for one in store.audited()] == ["fine"] * 3


def test_an_error_does_not_hide_a_change_that_is_stored(store: Store) -> None:
    """The connection broke after the change was stored, before that was known here: what was done is the answer."""
    number = store.ask("act", {}, "key").id
    with applying(number) as claim:
        store.put([entry("a")], lambda entry: [])
    assert claim.marked
    assert not store.answer(number, {"error": "StoreError"}, forget=True, failed=True)
    [asked] = store.asked()
    assert asked.applied is not None
    assert not store.ask("act", {}, "key").new
    assert store.answer(number, {"done": True})
    assert store.outcomes([number]) == {number: {"done": True}}
