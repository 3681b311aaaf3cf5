# ruff: noqa: S608 - statements name the tests' own table
"""Blocks into a SQL table: only what changed, in transactions, and on from where a run broke off."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from simrec.block.table import Row
from simrec.cli.main import main
from simrec.database import open_database, parse_url
from simrec.errors import LockedError, SettingsError, StoreError
from simrec.pipeline.build import build
from simrec.pipeline.viewer import Viewer
from simrec.pipeline.workspace import Workspace
from simrec.pipeline.write_back import WriteBackReport, write_back
from simrec.policy.eligibility import reason_hidden
from simrec.settings import WRITTEN, check_settings, write_settings
from simrec.store import Store
from simrec.store.target import Target
from simrec.store.written import FILE_NAME, Written
from simrec.types import Entry

TABLE = "similar_articles"
Set = Callable[..., Workspace]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'cms.db'}"
        return
    server: str = request.getfixturevalue("postgres")
    yield server
    run(server, f"DROP TABLE IF EXISTS {TABLE}")


def run(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """The rows of the last statement."""
    engine = open_database(parse_url(url), read_only=False)
    found: list[tuple[Any, ...]] = []
    with engine.begin() as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
            found = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return found


def rows(url: str) -> list[tuple[Any, ...]]:
    """All rows of the table but for the snapshot's number, in order."""
    names = "source_id, rank, target_id, score, title, url, lang, reason"
    return sorted(run(url, f"SELECT {names} FROM {TABLE}"))


def wanted(site: Workspace) -> list[tuple[str, int, str]]:
    """What the table should hold, by the snapshot."""
    with site.store() as store:
        snapshot = store.snapshot()
        blocks = list(store.blocks(snapshot.id))
        hidden = {article.id for article in store.articles() if reason_hidden(article, datetime.now(UTC))}
    found = []
    for block in blocks:
        items = [item.id for item in block.items if item.id not in hidden][: snapshot.k]
        found += [(block.source_id, rank, id_) for rank, id_ in enumerate(items, start=1)]
    return sorted(row for row in found if row[0] not in hidden)


@pytest.fixture
def with_settings(site: Workspace) -> Set:
    """The site with settings of `[write_back]`."""

    def make(url: str, **settings: object) -> Workspace:
        write_settings(site.path, {"write_back": {"url": url, "create": True, "batch": 7, **settings}})
        return Workspace.open(site.path)

    return make


def counts(report: WriteBackReport) -> tuple[int, int, int]:
    """Blocks that were written, unchanged and deleted."""
    return report.written, report.unchanged, report.deleted


def test_a_row_an_item_and_a_second_time_nothing(url: str, with_settings: Set) -> None:
    """The table holds what readers may see; writing it again writes nothing."""
    site = with_settings(url)
    first = write_back(site)
    assert [row[:3] for row in rows(url)] == wanted(site)
    assert first.rows == len(rows(url))
    assert first.written > 20
    second = write_back(site)
    assert (second.written, second.unchanged, second.rows) == (0, first.written, 0)
    (terms, reasons, day) = run(url, f"SELECT terms, reasons, published_at FROM {TABLE} ORDER BY source_id, rank")[0]
    terms, reasons = (json.loads(one) if isinstance(one, str) else one for one in (terms, reasons))
    assert isinstance(terms, list)
    assert set(reasons) >= {"terms", "parts"}
    assert day


def test_a_row_a_block_with_json_and_html(url: str, with_settings: Set) -> None:
    """In columns of the publisher's own names."""
    site = with_settings(url, rows="blocks", columns={"source_id": "page", "json": "data", "html": "fragment"})
    report = write_back(site)
    found = {page: (data, html) for page, data, html in run(url, f"SELECT page, data, fragment FROM {TABLE}")}
    assert len(found) == report.written == report.rows
    for source, rank, target in wanted(site):
        data, html = found[source]
        data = json.loads(data) if isinstance(data, str) else data
        assert data["items"][rank - 1]["id"] == target
        assert html.count("<li") == len(data["items"])
    assert counts(write_back(site)) == (0, report.written, 0)


def test_a_table_in_a_schema(url: str, with_settings: Set) -> None:
    """`schema.table` is made there, and found again."""
    site = with_settings(url, table=f"{'main' if 'sqlite' in url else 'public'}.{TABLE}")
    first = write_back(site)
    assert [row[:3] for row in rows(url)] == wanted(site)
    assert counts(write_back(site)) == (0, first.written, 0)


def test_the_table_of_a_publisher_is_used_as_it_is(url: str, with_settings: Set) -> None:
    """Without columns in the settings, those that it has are filled; without a unique key, rows are deleted first."""
    run(url, f"CREATE TABLE {TABLE} (rank SMALLINT, source_id TEXT, target_id VARCHAR(99), reasons TEXT, note TEXT)")
    site = with_settings(url, create=False)
    write_back(site)
    assert sorted(run(url, f"SELECT source_id, rank, target_id FROM {TABLE}")) == wanted(site)
    run(
        url,
        f"UPDATE {TABLE} SET note = 'mine'",
        f"DELETE FROM {TABLE} WHERE rank = 2 AND source_id = '{wanted(site)[0][0]}'",
    )
    again = write_back(site)
    assert counts(again)[0] == 1
    assert sorted(run(url, f"SELECT source_id, rank, target_id FROM {TABLE}")) == wanted(site)
    assert json.loads(run(url, f"SELECT reasons FROM {TABLE}")[0][0])["parts"]


@pytest.mark.parametrize("unique", [True, False])
def test_broken_off_in_the_middle_and_resumed_is_as_in_one_go(
    url: str, with_settings: Set, monkeypatch: pytest.MonkeyPatch, unique: bool
) -> None:
    """After three batches the rest is left to do; the rows are the same then, and none is written twice."""
    if not unique:
        columns = "score FLOAT, title TEXT, url TEXT, lang TEXT, reason TEXT"
        run(url, f"CREATE TABLE {TABLE} (source_id TEXT, rank INTEGER, target_id TEXT, {columns})")
    site = with_settings(url)
    whole = write_back(site)
    complete = rows(url)
    run(url, f"DELETE FROM {TABLE}")
    (site.path / FILE_NAME).unlink()
    write, done = Target.write, []

    def dies(self: Target, blocks: Any) -> None:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(len(blocks))
        write(self, blocks)

    monkeypatch.setattr(Target, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        write_back(site)
    assert 0 < len(rows(url)) < len(complete)
    monkeypatch.undo()
    rest = write_back(site)
    assert (rest.written, rest.unchanged) == (whole.written - sum(done), sum(done))
    assert rows(url) == complete


def test_a_batch_that_was_not_noted_is_written_once_more(
    url: str, with_settings: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends between the two databases leaves neither a gap nor a double."""
    site = with_settings(url)
    monkeypatch.setattr(Written, "note", lambda self, notes: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_back(site)
    monkeypatch.undo()
    assert rows(url)
    report = write_back(site)
    assert report.unchanged == 0
    assert [row[:3] for row in rows(url)] == wanted(site)


def test_only_what_changed_is_written_and_what_is_gone_is_deleted(url: str, with_settings: Set) -> None:
    """A withdrawn article loses its rows and leaves those of others; all other rows stay as they are."""
    site = with_settings(url)
    before = write_back(site)
    victim = wanted(site)[0][2]
    with site.store() as store:
        article = store.article(victim)
        assert article
        store.put([Entry(replace(article, status="withdrawn"), "cms")], lambda entry: [])
    after = write_back(site)
    assert [row[:3] for row in rows(url)] == wanted(site)
    assert not [row for row in rows(url) if victim in (row[0], row[2])]
    assert (after.deleted, after.hidden) == (1, before.hidden + 1)
    assert 0 < after.written < before.written / 2
    assert counts(write_back(site)) == (0, before.written - 1, 0)


def test_two_write_backs_take_turns(url: str, with_settings: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the one that began before an article was withdrawn leaves its rows, though a later one has ended."""
    site = with_settings(url)
    write_settings(site.path, {"run": {"lock_wait": 0}})
    site = Workspace.open(site.path)
    victim, found, write = wanted(site)[0][2], list[BaseException](), Target.write

    def second() -> None:
        try:
            write_back(site)
        except LockedError as error:
            found.append(error)

    def meanwhile(self: Target, blocks: Any) -> None:
        monkeypatch.setattr(Target, "write", write)
        with site.store() as store:
            article = store.article(victim)
            assert article
            store.put([Entry(replace(article, status="withdrawn"), "cms")], lambda entry: [])
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        write(self, blocks)

    monkeypatch.setattr(Target, "write", meanwhile)
    write_back(site)
    assert "`simrec render --format sql` (process" in str(found[0])
    write_back(site)
    assert [row[:3] for row in rows(url)] == wanted(site)
    assert not [row for row in rows(url) if victim in (row[0], row[2])]


def test_a_snapshot_that_is_deleted_meanwhile_is_written_whole(
    url: str, with_settings: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build that keeps one snapshot ends in between: no row is deleted."""
    site = with_settings(url)
    first, original = write_back(site), Viewer.open

    def meanwhile(store: Store, *arguments: Any) -> Viewer:
        active = store.snapshot()
        blocks, values = list(store.blocks(active.id)), {"model": active.model, "settings": active.settings}
        store.write_snapshot(blocks, k=active.k, keep=1, **values)
        return original(store, *arguments)

    monkeypatch.setattr(Viewer, "open", meanwhile)
    assert counts(write_back(site)) == (0, first.written, 0)
    assert [row[:3] for row in rows(url)] == wanted(site)


def test_a_new_snapshot_with_the_same_blocks_is_no_change(url: str, with_settings: Set) -> None:
    """The number of the snapshot alone is no reason to write a row; it says from when the row is."""
    site = with_settings(url)
    first = write_back(site)
    build(site, full=True)
    second = write_back(site)
    assert second.snapshot > first.snapshot
    assert second.written == 0
    assert run(url, f"SELECT DISTINCT snapshot FROM {TABLE}") == [(first.snapshot,)]


def test_what_is_written_is_what_may_be_seen_at_the_moment(url: str, with_settings: Set) -> None:
    """Long before all was published, there is nothing to show: the rows go, and come again."""
    site = with_settings(url)
    before = write_back(site)
    early = write_back(site, now=datetime.now(UTC) - timedelta(days=36500))
    assert (early.deleted, rows(url)) == (before.written, [])
    assert write_back(site).written == before.written
    assert [row[:3] for row in rows(url)] == wanted(site)


def test_rows_that_others_took_away_are_written_again(url: str, with_settings: Set) -> None:
    """A table that was emptied is full after the next run, though the notes say that all was written."""
    site = with_settings(url)
    report = write_back(site)
    run(url, f"DELETE FROM {TABLE}")
    assert write_back(site).written == report.written - report.empty
    assert [row[:3] for row in rows(url)] == wanted(site)


@pytest.mark.parametrize("shared", [True, False])
def test_rows_of_others(url: str, with_settings: Set, shared: bool) -> None:
    """In a shared table they stay; else the table is this site's alone, and they are gone."""
    site = with_settings(url, shared=shared)
    write_back(site)
    run(url, f"INSERT INTO {TABLE} (source_id, rank, target_id) VALUES ('of-another-site', 1, 'x')")
    write_back(site)
    assert ("of-another-site" in [row[0] for row in rows(url)]) == shared


def numbered(make_site: Set, url: str, ids: list[str], **settings: object) -> Workspace:
    """A site of short articles with these ids, which is written to the database."""
    words = ["bridge", "crack", "anchor", "engineer", "lorries", "closed", "county", "repair"]
    bodies = [" ".join(random.Random(at).choices(words, k=40)) for at in range(len(ids))]
    articles = [{"id": id_, "title": body[:20], "body": body} for id_, body in zip(ids, bodies, strict=True)]
    written = "".join(f"{name} = {json.dumps(value)}\n" for name, value in {"url": url, **settings}.items())
    toml = f'[build]\nmodel = "tfidf"\n[write_back]\n{written}'
    workspace = make_site("\n".join(map(json.dumps, articles)), settings=toml)
    build(workspace)
    return workspace


@pytest.mark.parametrize("kind", ["INTEGER", "NUMERIC(9)", "UUID", "CHAR(40)"])
@pytest.mark.parametrize("unique", [True, False])
def test_ids_that_the_table_spells_otherwise_are_the_same(url: str, make_site: Set, kind: str, unique: bool) -> None:
    """What a column gives back as 7 for 007, in small letters or filled up stays, however often it is written."""
    ids = [f"00{number}" for number in range(1, 6)]
    if kind == "UUID":
        if url.startswith("sqlite"):
            pytest.skip("SQLite has no UUIDs")
        ids = [f"0E8400E2-29B4-41D4-A716-44665544000{number}" for number in range(1, 6)]
    key = ", PRIMARY KEY (source_id, rank)" if unique else ""
    run(url, f"CREATE TABLE {TABLE} (source_id {kind}, rank INTEGER, target_id TEXT{key})")
    site = numbered(make_site, url, ids)
    first = write_back(site)
    there = run(url, f"SELECT source_id, rank, target_id FROM {TABLE} ORDER BY source_id, rank")
    assert first.written == len(ids)
    assert len(there) == first.rows > len(ids)
    assert [counts(write_back(site)) for _ in range(3)] == [(0, len(ids), 0)] * 3
    assert run(url, f"SELECT source_id, rank, target_id FROM {TABLE} ORDER BY source_id, rank") == there


def test_a_database_of_the_settings_is_beside_them(
    with_settings: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that a command names, in the current folder."""
    site = with_settings("sqlite:///cms.db")
    monkeypatch.chdir(tmp_path)
    assert write_back(site).written
    assert (site.path / "cms.db").exists()
    assert not (tmp_path / "cms.db").exists()
    assert write_back(site, url="sqlite:///cms.db").written
    assert (tmp_path / "cms.db").exists()


def test_ids_that_are_one_value_in_the_table_are_refused(url: str, make_site: Set) -> None:
    """7 and 007 in a column of numbers: nothing is written."""
    run(url, f"CREATE TABLE {TABLE} (source_id INTEGER, rank INTEGER, target_id TEXT)")
    site = numbered(make_site, url, ["7", "007", "8", "9"])
    with pytest.raises(SettingsError, match=r"the ids '.*7' and '.*7' are the same in its column of source_id: choose"):
        write_back(site)
    assert run(url, f"SELECT * FROM {TABLE}") == []


def test_a_database_that_was_away_is_tried_again(url: str, with_settings: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer each time, and all is written in the end; after all tries one line says so, without the password."""
    site = with_settings(url, retries=3)
    write, waits, left = Target._write, [], [2]

    def away(self: Target, *values: Any) -> None:
        write(self, *values)
        if left[0]:
            left[0] -= 1
            raise OperationalError("INSERT", {}, ConnectionError("database is locked; s3cr@t\nserver gone"))

    monkeypatch.setattr(Target, "_write", away)
    write_back(site, sleep=waits.append)
    assert waits == [0.5, 1.0]
    assert [row[:3] for row in rows(url)] == wanted(site)
    left[0], _ = 99, run(url, f"DELETE FROM {TABLE}")
    with pytest.raises(StoreError, match=r"after 4 tries: database is locked.*run it again") as caught:
        write_back(site, sleep=waits.append)
    assert "\n" not in str(caught.value)
    assert ("s3cr" in str(caught.value)) == ("sqlite" in url)  # that has no password to be hidden


def test_a_busy_sqlite_database_is_waited_for(tmp_path: Path, with_settings: Set) -> None:
    """Another program's write lock goes away while simrec waits."""
    import sqlite3

    url = f"sqlite:///{tmp_path / 'cms.db'}?timeout=0"
    site = with_settings(url)
    write_back(site)
    other = sqlite3.connect(tmp_path / "cms.db", isolation_level=None)
    other.execute(f"DELETE FROM {TABLE} WHERE rank = 1")
    other.execute("BEGIN IMMEDIATE")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            other.execute("ROLLBACK")
            other.close()

    write_back(site, sleep=wait)
    assert waits == [0.5, 1.0]
    assert [row[:3] for row in rows(url)] == wanted(site)


def test_an_error_that_no_try_mends_is_told_at_once(url: str, with_settings: Set) -> None:
    """A row that the table refuses is not tried again; what was written before stays."""
    site = with_settings(url)
    write_back(site)
    run(url, f"DROP TABLE {TABLE}", f"CREATE TABLE {TABLE} (source_id TEXT, rank INTEGER CHECK (rank < 3))")
    with pytest.raises(StoreError, match=r"(?i)check constraint") as caught:
        write_back(site, sleep=lambda seconds: pytest.fail("waited"))
    assert "tries" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "settings", "reason"),
    [
        ("", {"create": False}, "there is none; make it, or set create = true"),
        ("source_id TEXT", {}, "has no column rank"),
        (
            "page TEXT, rank INTEGER",
            {"columns": {"source_id": "page", "rank": "rank", "score": "s"}},
            "has no column s:",
        ),
        ("source_id INTEGER, rank INTEGER", {}, "does not fit column source_id: choose one of text"),
    ],
)
def test_a_table_that_does_not_fit(url: str, with_settings: Set, table: str, settings: Any, reason: str) -> None:
    """The error says what is missing and where to name it."""
    if table:
        run(url, f"CREATE TABLE {TABLE} ({table})")
    with pytest.raises(SettingsError, match=reason):
        write_back(with_settings(url, **settings))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"columns": {"source_id": "a", "rank": "b", "body": "c"}}, "there is no value 'body'"),
        ({"columns": {"source_id": "a"}}, "rank has no column"),
        ({"rows": "blocks", "columns": {"source_id": "a", "html": "a"}}, "a column is named twice"),
    ],
)
def test_columns_that_cannot_be_used_are_found_when_the_file_is_read(settings: object, reason: str) -> None:
    """Before anything is written."""
    with pytest.raises(SettingsError, match=reason):
        check_settings({"write_back": settings}, "simrec.toml")


def test_the_values_that_can_be_written_are_those_of_the_other_tables() -> None:
    """A row an item has what CSV and Parquet have, and the snapshot's number."""
    assert set(WRITTEN["items"]) == {*Row._fields, "snapshot"}


def test_the_command(with_settings: Set, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`simrec render --format sql`: the database of the settings, or of `--url`; a folder has no place there."""
    site = with_settings(f"sqlite:///{tmp_path / 'a.db'}")
    command = ["render", "-w", str(site.path), "--format", "sql"]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["table"] == TABLE
    assert main([*command, "--url", f"sqlite:///{tmp_path / 'b.db'}"]) == 0
    assert "blocks written" in capsys.readouterr().out
    assert rows(f"sqlite:///{tmp_path / 'a.db'}") == rows(f"sqlite:///{tmp_path / 'b.db'}")
    assert main([*command, "--out", "x"]) == 2
    assert main(["render", "-w", str(site.path)]) == 2
    assert main(["render", "-w", str(site.path), "--out", "x", "--url", "y"]) == 2
    write_settings(site.path, {"write_back": {"url": None}})
    assert main(command) == 2
    assert "no url under [write_back]" in capsys.readouterr().err
