"""The store: idempotent, atomic, and clear about what is wrong with a file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simrec.errors import StoreError
from simrec.ingest.links import LinkFinder
from simrec.store import Store, StoredBlock, StoredItem, Verdict
from simrec.store.migrations import MIGRATIONS
from simrec.types import Article, Entry, Pick, PickEntry, Reject


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with Store(tmp_path / "simrec.db") as opened:
        yield opened


def entry(id_: str = "a", *, links: tuple[str, ...] | None = None, copy: bool = False, **values: Any) -> Entry:
    """An article as a reader found it."""
    article = Article(**{"id": id_, "title": f"Title {id_}", "body": "Body", "url": f"/{id_}.html", **values})
    return Entry(article, "file.jsonl", 1, links, (), copy)


def put(store: Store, *entries: Entry) -> tuple[int, int, int]:
    """New, changed, unchanged."""
    counts = store.put(entries, lambda e: [e.article.url or "", *e.addresses])
    return counts.new, counts.changed, counts.unchanged


def block(source: str, *items: str) -> StoredBlock:
    """A ranking."""
    return StoredBlock(source, tuple(StoredItem(item, 1.0, {"terms": ["x"]}) for item in items))


def snapshot(store: Store, *blocks: StoredBlock, keep: int = 10) -> int:
    """Writes a snapshot, and returns its number."""
    return store.write_snapshot(iter(blocks), model="tfidf", k=5, settings={}, keep=keep).id


def test_articles_come_back_as_they_went_in(store: Store) -> None:
    """Every field; by id."""
    full = Article(
        id="ü 'quoted' 🦉 " + "x" * 400,
        title="T",
        body="B\n\nC",
        url="https://x.example",
        published_at=datetime(2024, 5, 1, 8, 30, tzinfo=UTC),
        updated_at=datetime(2024, 5, 2, tzinfo=UTC),
        section="S",
        tags=("a", "b"),
        authors=("c",),
        lang="en-GB",
        image="/i.jpg",
        image_alt="alt",
        status="embargoed",
        embargo_until=datetime(2025, 1, 1, tzinfo=UTC),
        expires_at=datetime(2026, 1, 1, tzinfo=UTC),
        canonical_id="z",
        extra={"views": 3, "nested": {"x": [1]}},
    )
    put(store, Entry(full, "f", None), entry("a"))
    assert store.articles() == [entry("a").article, full]


@pytest.mark.parametrize("writable", [True, False])
def test_a_folder_may_be_called_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool) -> None:
    """The store is in the folder that was named, and nowhere else, also where it can only be read."""
    path = tmp_path / "what? 100%25 &mode=x #1" / "simrec.db"
    path.parent.mkdir()
    with Store(path) as store:
        put(store, entry())
    if not writable:
        monkeypatch.setattr("simrec.store.engine.is_writable", lambda path: False)
    with Store(path) as store:
        assert [article.id for article in store.articles()] == ["a"]
    assert [one.name for one in tmp_path.iterdir()] == [path.parent.name]


def test_new_changed_and_unchanged_are_told_apart(store: Store) -> None:
    """By all that was delivered, whatever the order of unknown columns."""
    assert put(store, entry("a", extra={"x": 1, "y": 2}), entry("b")) == (2, 0, 0)
    assert put(store, entry("a", extra={"y": 2, "x": 1}), entry("b", section="S")) == (0, 1, 1)
    assert put(store, *[entry(f"n{i}") for i in range(2000)]) == (2000, 0, 0)
    assert put(store, *[entry(f"n{i}") for i in range(2000)]) == (0, 0, 2000)


def test_a_copy_replaces_nothing_but_a_shorter_copy(store: Store) -> None:
    """An article's own page wins, whichever comes first; of copies the longest."""
    assert put(store, entry("a", body="short", copy=True)) == (1, 0, 0)
    assert put(store, entry("a", body="a longer one", copy=True)) == (0, 1, 0)
    assert put(store, entry("a", body="short", copy=True)) == (0, 0, 1)
    assert put(store, entry("a", body="own")) == (0, 1, 0)
    assert put(store, entry("a", body="a much longer copy", copy=True)) == (0, 0, 1)
    assert store.articles()[0].body == "own"


def test_picks_are_found_by_id_and_address_and_wait_for_what_is_missing(store: Store) -> None:
    """A pick of an unknown article is a reject until the article comes."""
    put(store, entry("a", links=("/b.html", "c", "/late.html")), entry("b"), entry("c"))
    missing = store.resolve_picks(LinkFinder)
    assert [(p.target_id, p.rank) for p in store.picks()] == [("b", 1), ("c", 2)]
    assert [(r.file, r.line, "late" in r.reason) for r in missing] == [("file.jsonl", 1, True)]
    put(store, entry("late"))
    assert store.resolve_picks(LinkFinder) == []
    assert [p.target_id for p in store.picks()] == ["b", "c", "late"]


def test_a_page_without_a_block_clears_its_picks_and_silence_keeps_them(store: Store) -> None:
    """`()` says that there are none, None says nothing."""
    put(store, entry("a", links=("b",)), entry("b"))
    store.resolve_picks(LinkFinder)
    put(store, entry("a"))
    assert len(store.picks()) == 1
    put(store, entry("a", links=()))
    assert store.picks() == []


def test_a_table_of_picks_replaces_itself_and_adds_to_the_pages(store: Store) -> None:
    """The same pair from two places is one pick; a pick of itself is none."""
    put(store, entry("a", links=("b",)), entry("b"), entry("c"))
    table = [PickEntry(Pick("a", t, r), "picks.csv", r) for r, t in enumerate(["b", "c", "a"], start=1)]
    assert store.replace_picks("picks.csv", table) == 3
    store.resolve_picks(LinkFinder)
    assert [(p.source_id, p.target_id) for p in store.picks()] == [("a", "b"), ("a", "c")]
    store.replace_picks("picks.csv", table[:1])
    store.resolve_picks(LinkFinder)
    assert [p.target_id for p in store.picks()] == ["b"]


def test_rejects_are_kept_by_source(store: Store) -> None:
    """And forgotten when that source is read again."""
    store.add_rejects("one", [Reject("f", 3, "bad")])
    store.add_rejects("two", [Reject("g", None, "worse")])
    store.clear_rejects("one")
    assert store.rejects() == [Reject("g", None, "worse")]


def test_a_snapshot_is_active_whole_or_not_at_all(store: Store) -> None:
    """Only the newest is; one that breaks off leaves the one before, and nothing of itself."""
    first = snapshot(store, block("a", "b"), block("b"))
    assert (store.snapshot().id, store.snapshot().blocks) == (first, 1)

    def breaks() -> Iterator[StoredBlock]:
        yield block("a", "c")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        store.write_snapshot(breaks(), model="tfidf", k=5, settings={}, keep=10)
    assert store.snapshot().id == first
    second = snapshot(store, block("a", "c"))
    assert store.snapshot().id == second > first
    assert [i.id for i in next(store.blocks(second, ["a"])).items] == ["c"]
    assert not store.snapshot(first).active


def test_old_snapshots_go_with_their_blocks(store: Store, tmp_path: Path) -> None:
    """All but the newest that are to be kept."""
    numbers = [snapshot(store, block("a", "b"), keep=2) for _ in range(4)]
    with sqlite3.connect(tmp_path / "simrec.db") as connection:
        assert connection.execute("SELECT DISTINCT snapshot_id FROM blocks").fetchall() == [(n,) for n in numbers[2:]]


def test_a_store_is_migrated_once_and_refuses_a_newer_one(tmp_path: Path) -> None:
    """The version is the number of migrations that ran."""
    for _ in range(2):
        Store(tmp_path / "a.db").close()
    with sqlite3.connect(tmp_path / "a.db") as connection:
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(len(MIGRATIONS),)]
        connection.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(StoreError, match="schema 99"):
        Store(tmp_path / "a.db")


def test_what_is_no_store_is_one_line(tmp_path: Path) -> None:
    """Any other file, a damaged one, a folder, a folder that is not there."""
    (tmp_path / "text.db").write_text("This is a text, not a database. " * 200)
    (tmp_path / "folder.db").mkdir()
    for name in ("text.db", "folder.db", "nowhere/a.db"):
        with pytest.raises(StoreError) as error:
            Store(tmp_path / name)
        assert "\n" not in str(error.value)
        assert str(tmp_path / name) in str(error.value)


def test_a_second_writer_is_told_to_wait(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the first does not finish in time."""
    other = sqlite3.connect(tmp_path / "simrec.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with store._engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA busy_timeout=50")  # type: ignore[union-attr]
    with pytest.raises(StoreError, match="another command"):
        put(store, entry("a"))
    other.execute("ROLLBACK")
    other.close()
    assert put(store, entry("a")) == (1, 0, 0)


def test_no_snapshot_says_what_to_do(store: Store) -> None:
    """Build first."""
    with pytest.raises(StoreError, match="simrec build"):
        store.snapshot()


def test_an_older_store_is_copied_before_it_is_migrated(tmp_path: Path) -> None:
    """The copy is the store as it was, with all that was in it; a new store needs none."""
    path = tmp_path / "simrec.db"
    with Store(path) as store:
        put(store, entry("a"))
        number = snapshot(store, block("a", "b"))
    assert list(tmp_path.glob("*.bak")) == []
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "DROP TABLE snapshot_articles; DROP TABLE snapshot_pins; UPDATE schema_version SET version = 1;"
        )
        for name in ("changed_at", "parent", "refused", "figures", "made_with", "revision", "fitted"):
            connection.execute(f"ALTER TABLE snapshots DROP COLUMN {name}")
        connection.execute("ALTER TABLE blocks DROP COLUMN changed")
        connection.commit()
    with Store(path) as store:
        assert store.snapshot().id == number
        assert [i.id for i in next(store.blocks(number, ["a"])).items] == ["b"]
        assert store.inputs(number).hashes == {}
    copy = tmp_path / "simrec.db.v1.bak"
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(1,)]
        assert connection.execute("SELECT id FROM articles").fetchall() == [("a",)]
    made = copy.stat().st_mtime_ns
    Store(path).close()
    assert copy.stat().st_mtime_ns == made
    assert list(tmp_path.glob("*.part")) == []


def test_two_processes_migrate_one_store(tmp_path: Path) -> None:
    """One of them does it; the copy is of before, whoever comes second."""
    path = tmp_path / "simrec.db"
    Store(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE schema_version SET version = 2")
        connection.commit()
    threads = [threading.Thread(target=lambda: Store(path).close()) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for found, version in ((path, len(MIGRATIONS)), (tmp_path / "simrec.db.v2.bak", 2)):
        with closing(sqlite3.connect(found)) as connection:
            assert connection.execute("SELECT version FROM schema_version").fetchall() == [(version,)]


def test_what_is_stored_is_on_the_disk(store: Store) -> None:
    """Transactions wait for the disk, readers for nobody, and blocks go with their snapshot."""
    with store._engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_articles_and_hashes_are_of_one_moment(store: Store) -> None:
    """As a build reads them."""
    put(store, entry("a"), entry("b"))
    held = store.held()
    assert held.articles == store.articles()
    assert held.hashes == store.article_hashes()


def test_a_judge_decides_in_the_same_transaction(store: Store) -> None:
    """It sees the new blocks and the active ones; what it refuses is kept, with its figures, and is not shown."""
    first = snapshot(store, block("a", "b"))
    seen: list[Any] = []

    def judge(new: Any, before: Any) -> Verdict:
        seen.append((list(new), list(before.blocks), before.whole))
        return Verdict({"empty": 0.5}, "too many")

    refused = store.write_snapshot([block("a", "c"), block("b")], model="m", k=5, settings={}, keep=1, judge=judge)
    assert seen == [([("a", ["c"]), ("b", [])], [("a", ["b"])], True)]
    assert (refused.active, refused.refused, refused.figures, refused.parent) == (
        False,
        "too many",
        {"empty": 0.5},
        first,
    )
    assert store.snapshot().id == first
    assert store.activate(refused.id).active
    assert [one.id for one in store.snapshots() if one.active] == [refused.id]
