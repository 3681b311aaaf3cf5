"""Who may write, of all that share a store: won, left, lost, and noticed in time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL

from simrec.database import parse_url
from simrec.errors import LockedError
from simrec.store import Election, SessionLock, Store
from simrec.types import Article, Entry


def put(store: Store, id_: str) -> None:
    """Stores an article."""
    store.put([Entry(Article(id_, "T", "Body"), "file.jsonl", 1)], lambda e: [])


def test_one_process_has_the_seat_until_it_leaves(place: Path | URL) -> None:
    """Others may try as often as they like; who has it keeps it."""
    with Store(place):
        first, second = Election(place), Election(place)
        assert (first.holds(), first.try_win(), first.try_win(), first.holds()) == (False, True, True, True)
        assert (second.try_win(), second.holds()) == (False, False)
        assert second.holder()["command"] == "writer"
        first.resign()
        assert (first.holds(), second.try_win(), second.holds(), first.try_win()) == (False, True, True, False)
        second.resign()
        assert second.holder() == {}
        second.resign()


def test_who_has_no_seat_writes_nothing(place: Path | URL) -> None:
    """And may still read."""
    election = Election(place)
    with Store(place) as store, Store(place, fence=election) as fenced:
        put(store, "a")
        with pytest.raises(LockedError, match="not the writer"):
            put(fenced, "b")
        assert [one.id for one in fenced.articles()] == ["a"]
        election.try_win()
        put(fenced, "b")
        election.resign()
        with pytest.raises(LockedError):
            put(fenced, "c")
        assert store.article_count() == 2


def test_a_writer_that_was_killed_has_no_seat(tmp_path: Path) -> None:
    """What it said of itself stays behind, and does not count."""
    place = tmp_path / "simrec.db"
    program = f"""
import os, pathlib, signal
from simrec.store import Election
assert Election(pathlib.Path({str(place)!r})).try_win()
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], check=False)
    assert (tmp_path / "simrec.db.writer.lock.json").exists()
    assert Election(place).holder() == {}
    assert Election(place).try_win()


def test_a_lock_file_that_was_deleted_is_a_seat_lost(tmp_path: Path) -> None:
    """Another process can take the new one."""
    place = tmp_path / "simrec.db"
    first, second = Election(place), Election(place)
    assert first.try_win()
    (tmp_path / "simrec.db.writer.lock").unlink()
    assert not first.holds()
    assert second.try_win()
    assert not first.try_win()
    second.resign()


def test_a_writer_whose_connection_is_lost_is_fenced(schema: str, end_sessions: Callable[[str], int]) -> None:
    """Its next write changes nothing, also before it has noticed; another one has the seat."""
    place = parse_url(schema)
    old, new = Election(place), Election(place)
    with Store(place, fence=old) as store:
        assert old.try_win()
        put(store, "a")
        assert end_sessions(f"simrec:writer:{os.getpid()}@%") == 1  # a service of other tests may have a writer, too
        with pytest.raises(LockedError):
            put(store, "b")  # `old` was not asked
        assert new.try_win()
        assert (old.holds(), old.try_win(), new.holds()) == (False, False, True)
        new.resign()
        assert old.try_win()
        put(store, "c")
        assert [one.id for one in store.articles()] == ["a", "c"]
        old.resign()


def test_each_schema_has_its_own_locks(english: str, schema: str) -> None:
    """The sites of one database do not wait for each other; who holds a lock is known."""
    one, other, same = (SessionLock(parse_url(url), "work", "build") for url in (english, schema, schema))
    assert (one.acquire(), other.acquire(), same.acquire()) == (True, True, False)
    assert same.holder()["command"] == "build"
    assert same.holder()["since"].startswith("20")
    for lock in (one, other, same):
        lock.release()
