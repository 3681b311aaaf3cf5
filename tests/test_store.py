"""The store in a file: on the disk, migrated with a copy, clear about what is wrong. `contract` has the rest."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simrec.errors import StoreError
from simrec.store import Store, StoredBlock, StoredItem
from simrec.store.blocks import ids_in
from simrec.store.migrations import MIGRATIONS
from simrec.store.records import block_row
from simrec.types import Article, Entry


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


@given(st.lists(st.tuples(st.text(), st.lists(st.text() | st.just('[{"id": "b", ')))), st.sampled_from([None, 1]))
def test_ids_of_items_are_read_without_the_rest(found: list[tuple[str, list[str]]], indent: int | None) -> None:
    """Whatever stands in ids and in terms, and however the column was written."""
    block = StoredBlock("page", tuple(StoredItem(id_, 0.5, {"terms": terms}) for id_, terms in found))
    assert ids_in(json.dumps(block_row(1, block)["items"], indent=indent)) == [id_ for id_, _ in found]


def test_items_that_were_cut_off_are_an_error() -> None:
    """Not a shorter block."""
    whole = json.dumps(block_row(1, block("page", "a", "b"))["items"])
    with pytest.raises(ValueError, match="Expecting"):
        ids_in(whole[:-20])
