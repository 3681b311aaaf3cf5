"""Sources into the store: counted, idempotent, nothing lost."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from simrec.errors import StoreError
from simrec.ingest import read_picks
from simrec.pipeline.ingest import ingest
from simrec.pipeline.sample import newsroom
from simrec.pipeline.workspace import Workspace
from simrec.types import PickEntry

PAGE = """Error message

Ferry strike enters its second week
March 04, 2024 7:15

The crews of the island ferries have extended their strike.

Talks with the harbor board broke off on Sunday night.

Similar articles

Harbor board offers ferry crews a new roster
February 20, 2024 18:30
Image: Harbor office

The board's offer gives each crew two free weekends a month.
"""


def line(**values: object) -> str:
    """An article as a line of JSON."""
    return json.dumps({"title": "A title", "body": "A body of some words.", **values})


def test_a_page_becomes_two_articles_and_a_pick(tmp_path: Path) -> None:
    """The layout of a publisher's extracted page: the first article picks the ones under its heading."""
    (tmp_path / "page.txt").write_text(PAGE, encoding="utf-8")
    workspace = Workspace.open(tmp_path / "site", create=True)
    report = ingest(workspace, [tmp_path / "page.txt"])
    with workspace.store() as store:
        articles, picks = store.articles(), store.picks()
    assert (report.new, report.rejected, report.picks) == (2, 0, 1)
    dates = sorted(f"{a.published_at:%Y-%m-%dT%H:%M} {a.title}" for a in articles)
    assert dates == [
        "2024-02-20T18:30 Harbor board offers ferry crews a new roster",
        "2024-03-04T07:15 Ferry strike enters its second week",
    ]
    assert not any("Similar articles" in a.body for a in articles)
    assert [pick.rank for pick in picks] == [1]


def test_ingesting_again_changes_nothing(site: Workspace) -> None:
    """New the first time, unchanged the second, changed where something changed."""
    again = ingest(site, [newsroom() / "articles.jsonl"], picks=[newsroom() / "picks.csv"])
    with (newsroom() / "articles.jsonl").open(encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert (again.new, again.changed, again.unchanged, again.rejected) == (0, 0, len(lines), 0)
    article = json.loads(lines[0]) | {"title": "Another title"}
    (site.path / "one.jsonl").write_text(json.dumps(article), encoding="utf-8")
    changed = ingest(site, [site.path / "one.jsonl"])
    assert (changed.new, changed.changed, changed.unchanged) == (0, 1, 0)


def test_picks_of_the_newsroom_all_resolve(site: Workspace) -> None:
    """Every line of picks.csv is a pick between known articles."""
    with (newsroom() / "picks.csv").open(encoding="utf-8") as file, site.store() as store:
        assert len(store.picks()) == len(list(csv.DictReader(file)))


def test_a_duplicate_id_is_rejected_and_an_equal_record_is_not(make_site: Callable[..., Workspace]) -> None:
    """The first record of an id stays; a second, different one is a reject that names the first."""
    workspace = make_site("\n".join([line(id="a"), line(id="a"), line(id="a", title="Other"), line(id="b")]))
    with workspace.store() as store:
        rejects = store.rejects()
        assert [a.title for a in store.articles()] == ["A title", "A title"]
    assert [(r.line, "duplicate id 'a'" in r.reason, ":1" in r.reason) for r in rejects] == [(3, True, True)]


@pytest.mark.parametrize(
    "notice",
    [
        {"status": "withdrawn"},
        {"status": "draft", "title": "A title", "body": None},
        {"status": "embargoed", "body": ""},
    ],
)
def test_a_record_that_hides_an_article_needs_no_text(tmp_path: Path, notice: dict[str, object]) -> None:
    """It changes the state of the stored article, and keeps its text; of an unknown one it stores nothing."""
    workspace, source = Workspace.open(tmp_path / "site", create=True), tmp_path / "a.jsonl"
    source.write_text(line(id="a", title="A title", tags=["sea"]), encoding="utf-8")
    ingest(workspace, [source])
    notices = [json.dumps({"id": id_, "updated_at": "2026-01-02", **notice}) for id_ in ("a", "b")]
    source.write_text("\n".join(notices), encoding="utf-8")
    told: list[str] = []
    reports = [ingest(workspace, [source], stored=told.extend) for _ in range(2)]
    assert [(r.new, r.changed, r.unchanged, r.rejected) for r in reports] == [(0, 1, 0, 1), (0, 0, 1, 1)]
    assert "'b' is not stored" in reports[0].rejects[0].reason
    assert told == ["a", "a"]
    with workspace.store() as store:
        (article,) = store.articles()
    assert (article.status, article.title, article.body) == (notice["status"], "A title", "A body of some words.")
    assert (article.tags, str(article.updated_at)) == (("sea",), "2026-01-02 00:00:00+00:00")


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("known", [True, False])
def test_of_two_records_of_an_id_the_one_that_hides_counts(tmp_path: Path, order: int, known: bool) -> None:
    """Whichever comes first, and whether or not the article is stored, nobody is shown it."""
    workspace, source = Workspace.open(tmp_path / "site", create=True), tmp_path / "a.jsonl"
    if known:
        source.write_text(line(id="a", title="Old"), encoding="utf-8")
        ingest(workspace, [source])
    records = [line(id="a"), json.dumps({"id": "a", "status": "withdrawn"})][::order]
    source.write_text("\n".join(records), encoding="utf-8")
    report = ingest(workspace, [source])
    with workspace.store() as store:
        assert all(article.status == "withdrawn" for article in store.articles())
    assert "duplicate id 'a'" in " ".join(reject.reason for reject in report.rejects)


def test_a_pick_to_an_unknown_article_is_reported_and_waits(make_site: Callable[..., Workspace]) -> None:
    """It is a reject with its line; when the article arrives, it is a pick."""
    workspace = make_site(line(id="a"), "a,later,1\n")
    with workspace.store() as store:
        assert store.picks() == []
        assert [(r.line, r.reason) for r in store.rejects()] == [(2, "pick to unknown article 'later'")]
    (workspace.path / "more.jsonl").write_text(line(id="later"), encoding="utf-8")
    report = ingest(workspace, [workspace.path / "more.jsonl"])
    assert (report.new, report.picks, report.rejected) == (1, 1, 0)


def pick_again(workspace: Workspace, table: Path, *targets: str) -> tuple[list[str], list[str]]:
    """Writes a table of picks of `a` and reads it; the targets and the tables that the store knows then."""
    table.write_text(
        "\n".join(["source_id,target_id,rank", *(f"a,{target},1" for target in targets)]), encoding="utf-8"
    )
    ingest(workspace, [], picks=[table])
    with workspace.store() as store:
        return [pick.target_id for pick in store.picks()], store.tables_of_picks()


def test_a_table_of_picks_is_one_from_every_folder(
    make_site: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where an earlier version stored it as it was spelled, and where the workspace has moved."""
    site = make_site("\n".join(line(id=id_) for id_ in "abc"))
    folder, spelled = site.path, f"{site.path.name}/picks.csv"
    monkeypatch.chdir(folder.parent)
    assert pick_again(site, Path(spelled), "b", "c") == (["b", "c"], ["./picks.csv"])
    with site.store() as store:
        entries = [entry for entry in read_picks(Path(spelled)) if isinstance(entry, PickEntry)]
        store.replace_picks(spelled, entries, ["./picks.csv"])
    assert pick_again(site, folder / "picks.csv", "b") == (["b"], ["./picks.csv"])
    moved = Workspace.open(folder.rename(folder.parent / "moved"))
    monkeypatch.chdir(moved.path)
    assert pick_again(moved, Path("picks.csv"), "c") == (["c"], ["./picks.csv"])


def test_a_table_of_picks_is_one_over_a_link(make_site: Callable[..., Workspace], tmp_path: Path) -> None:
    """Also where the link leads to another folder with every release."""
    site, current = make_site("\n".join(line(id=id_) for id_ in "abc")), tmp_path / "current"
    for release, target in (("one", "b"), ("two", "c")):
        (tmp_path / release).mkdir()
        current.unlink(missing_ok=True)
        current.symlink_to(tmp_path / release)
        assert pick_again(site, current / "picks.csv", target)[0] == [target]
    table = tmp_path / "two" / "picks.csv"
    assert pick_again(site, table, "b") == (["b"], [str(table)])


def test_broken_records_do_not_take_good_ones_with_them(tmp_path: Path) -> None:
    """In is what was stored plus what was rejected, for each kind of damage."""
    good = line(id="good")
    lines = [good.encode(), b'{"id": "x", "title": "\xff\xfe", "body": "b"}', b'{"id": ', b'{"id": "n\x00"}', b"[]"]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([*lines, line(id="last").encode()]))
    (tmp_path / "empty.jsonl").write_bytes(b"")
    workspace = Workspace.open(tmp_path / "site", create=True)
    report = ingest(workspace, [tmp_path / "a.jsonl", tmp_path / "empty.jsonl"])
    assert (report.new, report.rejected) == (2, 5)
    assert [r.line for r in report.rejects] == [2, 3, 4, 5, None]
    assert all(r.file and r.reason for r in report.rejects)


def test_a_fixed_source_loses_its_old_rejects(tmp_path: Path) -> None:
    """Rejects are those of the last ingest of a source."""
    workspace = Workspace.open(tmp_path / "site", create=True)
    source = tmp_path / "a.jsonl"
    for text, wanted in [("{", 1), (line(id="a"), 0)]:
        source.write_text(text, encoding="utf-8")
        ingest(workspace, [source])
        with workspace.store() as store:
            assert len(store.rejects()) == wanted


def test_a_full_disk_is_one_line_and_keeps_what_was_stored(
    make_site: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store says that the disk is full, and the articles stored before are still there."""
    import sqlite3

    from simrec.store import engine as module

    workspace = make_site(line(id="a"))
    configure = module._configure

    def small(connection: sqlite3.Connection, record: object) -> None:
        configure(connection, record)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 40}")

    monkeypatch.setattr(module, "_configure", small)
    many = "\n".join(line(id=f"n{i}", body="word " * 200) for i in range(1000))
    (workspace.path / "many.jsonl").write_text(many, encoding="utf-8")
    with pytest.raises(StoreError, match="disk is full"):
        ingest(workspace, [workspace.path / "many.jsonl"])
    monkeypatch.undo()
    with workspace.store() as store:
        assert "a" in [article.id for article in store.articles()]
    assert ingest(workspace, [workspace.path / "many.jsonl"]).rejected == 0


def test_a_duplicate_id_in_a_file_without_lines_is_rejected(tmp_path: Path) -> None:
    """As in any other: the second record never replaces the first."""
    items = [{"id": "1", "title": title, "content_text": "The ferry sails."} for title in ("A", "B", "A")]
    feed = {"version": "https://jsonfeed.org/version/1.1", "items": items}
    (tmp_path / "feed.json").write_text(json.dumps(feed), encoding="utf-8")
    workspace = Workspace.open(tmp_path / "site", create=True)
    for counts in ((1, 0, 1, 1), (0, 0, 2, 1)):
        report = ingest(workspace, [tmp_path / "feed.json"])
        assert (report.new, report.changed, report.unchanged, report.rejected) == counts
    with workspace.store() as store:
        assert [article.title for article in store.articles()] == ["A"]


def test_an_embargo_without_an_end_forgets_the_one_that_has_passed(tmp_path: Path) -> None:
    """A record without a text closes an article whose earlier embargo is over."""
    workspace, source = Workspace.open(tmp_path / "site", create=True), tmp_path / "a.jsonl"
    for record in (line(id="a", embargo_until="2020-01-01"), json.dumps({"id": "a", "status": "embargoed"})):
        source.write_text(record, encoding="utf-8")
        ingest(workspace, [source])
    with workspace.store() as store:
        assert [(one.status, one.embargo_until) for one in store.articles()] == [("embargoed", None)]
