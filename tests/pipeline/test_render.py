"""`render`: from a workspace to files that others read, whole and up to date."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ir_measures
import justhtml
import pandas as pd
import pytest

from simrec.block.formats import NAMES, PAGE_FORMATS, SITE_FORMATS
from simrec.block.style import Style
from simrec.cli.main import main
from simrec.errors import LockedError, SettingsError, StoreError, UsageError
from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.locks import working
from simrec.pipeline.render import render
from simrec.pipeline.show import similar
from simrec.pipeline.viewer import Viewer
from simrec.pipeline.workspace import Workspace
from simrec.settings import Settings, check_settings
from simrec.store import StoredBlock, StoredItem
from simrec.types import Article, Corpus

TEXT = "The river bridge at the mill is closed while engineers mend the cables of the bridge deck."
LATER = datetime(2031, 1, 1, tzinfo=UTC)
SETTINGS = '[site]\nurl = "https://courier.example"\ntitle = "The Courier"\n'


def lines(**changes: dict[str, Any]) -> str:
    """Twelve articles about a bridge, with these values changed by id."""
    found = []
    for i in range(12):
        own = f"It was day number{i} and the reporter noted detail{i} and remark{i} on page{i}."
        values = {"id": f"b{i}", "title": f"Bridge news {i}", "body": f"{TEXT} {own}", "url": f"news/b{i}.html"}
        found.append(json.dumps(values | {"lang": "en"} | changes.get(f"b{i}", {})))
    return "\n".join(found)


@pytest.fixture(scope="module")
def courier(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A built site of twelve pages: a draft, one that comes out in 2030, a hostile title, one that is called index."""
    path = tmp_path_factory.mktemp("courier")
    (path / "simrec.toml").write_text(SETTINGS, encoding="utf-8")
    changes = {
        "b0": {"status": "draft"},
        "b1": {"published_at": "2030-01-01T00:00:00Z"},
        "b2": {"title": '=cmd() </script><b onload="x">'},
        "b3": {"id": "index"},
        "b4": {"id": "feed"},
    }
    (path / "articles.jsonl").write_text(lines(**changes), encoding="utf-8")
    workspace = Workspace.open(path, create=True)
    ingest(workspace, [path / "articles.jsonl"])
    build(workspace, model="tfidf", k=3)
    return workspace


def expected(workspace: Workspace) -> dict[str, list[str]]:
    """The ids of each block that is shown."""
    with workspace.store() as store:
        ids = [a.id for a in store.articles() if a.id not in ("b0", "b1")]
    return {id_: [item.id for item in similar(workspace, id_).block.items] for id_ in ids}


def read_pages(out: Path, ids: Callable[[str], list[str]]) -> dict[str, list[str]]:
    """The ids in each article's file, by the manifest."""
    files = json.loads((out / "index.json").read_text(encoding="utf-8"))["files"]
    return {id_: ids((out / name).read_text(encoding="utf-8")) for id_, name in files.items()}


def id_of(url: str) -> str:
    """The id in an address of the site; two articles are called otherwise than their files."""
    name = url.rpartition("/")[2].removesuffix(".html")
    return {"b3": "index", "b4": "feed"}.get(name, name)


def by_source(rows: list[tuple[str, int, str]]) -> dict[str, list[str]]:
    """Targets by source, in the order of their ranks."""
    found: dict[str, list[str]] = {}
    for source, _, target in sorted(rows, key=lambda row: (row[0], row[1])):
        found.setdefault(source, []).append(target)
    return found


def of_lines(path: Path) -> list[dict[str, Any]]:
    """The values of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def of_run(out: Path) -> dict[str, list[str]]:
    """A run's targets, by falling score."""
    run = ir_measures.read_trec_run(str(out / "blocks.run"))
    return by_source([(line.query_id, -line.score, line.doc_id) for line in run])


def of_csv(out: Path) -> dict[str, list[str]]:
    """A CSV table's targets."""
    with (out / "blocks.csv").open(encoding="utf-8", newline="") as file:
        return by_source([(row["source_id"], int(row["rank"]), row["target_id"]) for row in csv.DictReader(file)])


def of_parquet(out: Path) -> dict[str, list[str]]:
    """A Parquet table's targets."""
    table = pd.read_parquet(out / "blocks.parquet")
    return by_source(list(zip(table.source_id, table["rank"], table.target_id, strict=True)))


def links(html: str) -> list[str]:
    """The ids that a fragment links to."""
    return [
        id_of(link.attrs["href"]) for link in justhtml.JustHTML(html, fragment=True, sanitize=False).query("li > a")
    ]


def of_graph(text: str) -> list[str]:
    """The ids that a JSON-LD graph's list has."""
    listed = next(node for node in json.loads(text)["@graph"] if node["@type"] == "ItemList")
    return [id_of(entry["item"]["url"]) for entry in listed["itemListElement"]]


READERS: dict[str, Callable[[Path], dict[str, list[str]]]] = {
    "html": lambda out: read_pages(out, links),
    "json": lambda out: read_pages(out, lambda text: [item["id"] for item in json.loads(text)["items"]]),
    "jsonld": lambda out: read_pages(out, of_graph),
    "ninjs": lambda out: read_pages(
        out, lambda text: [item["altIds"][0]["value"] for item in json.loads(text)["associations"]]
    ),
    "html-bundle": lambda out: {line["id"]: links(line["html"]) for line in of_lines(out / "fragments.jsonl")},
    "json-bundle": lambda out: {
        line["id"]: [item["id"] for item in line["items"]] for line in of_lines(out / "blocks.jsonl")
    },
    "jsonfeed": lambda out: {
        page["id"]: [item["id"] for item in page["_simrec"]["items"]]
        for page in json.loads((out / "feed.json").read_text(encoding="utf-8"))["items"]
    },
    "csv": of_csv,
    "parquet": of_parquet,
    "trec": of_run,
}


@pytest.mark.parametrize("name", NAMES)
def test_every_format_holds_every_block(courier: Workspace, tmp_path: Path, name: str) -> None:
    """The same articles in the same order as `similar` shows; twice the same bytes; none of a page that is hidden."""
    counts = render(courier, tmp_path / "out", format=name)
    assert READERS[name](tmp_path / "out") == expected(courier)
    files = len(expected(courier)) if name in PAGE_FORMATS else 1
    wanted = {"snapshot": 1, "format": name, "written": files, "unchanged": 0, "deleted": 0, "empty": 0, "hidden": 2}
    assert counts == wanted
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "out").iterdir()}
    assert render(courier, tmp_path / "out", format=name) == wanted | {"written": 0, "unchanged": files}
    assert before == {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "out").iterdir()}


def test_a_page_has_a_block_from_its_minute_on(courier: Workspace, tmp_path: Path) -> None:
    """And stands in others' blocks only then; a draft never does. The moment is given, no clock is asked."""
    for now, there in ((None, False), (LATER, True)):
        render(courier, tmp_path / "out", format="json", now=now)
        files = json.loads((tmp_path / "out" / "index.json").read_text(encoding="utf-8"))["files"]
        assert ("b1" in files, "b0" in files) == (there, False)
    shown = {id_ for items in READERS["json"](tmp_path / "out").values() for id_ in items}
    assert "b0" not in shown


def test_a_withdrawn_page_loses_its_file(make_site: Callable[..., Workspace], tmp_path: Path) -> None:
    """With the next render, without a build; its place in other blocks is taken by a spare."""
    workspace = make_site(lines())
    build(workspace, model="tfidf", k=3)
    assert render(workspace, tmp_path / "out")["written"] == 12
    changed = json.dumps({"id": "b5", "title": "Gone", "body": TEXT, "lang": "en", "status": "withdrawn"})
    (workspace.path / "one.jsonl").write_text(changed, encoding="utf-8")
    ingest(workspace, [workspace.path / "one.jsonl"])
    counts = render(workspace, tmp_path / "out")
    assert (counts["deleted"], counts["hidden"]) == (1, 1)
    assert not (tmp_path / "out" / "b5.html").exists()
    assert "news/b5.html" not in "".join(path.read_text("utf-8") for path in (tmp_path / "out").glob("*.html"))


@pytest.mark.parametrize("format", ["html", "csv"])
def test_a_snapshot_that_is_deleted_during_a_render_is_rendered_whole(
    make_site: Callable[..., Workspace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    """A build that keeps one snapshot ends in between: no file is deleted, or left empty."""
    workspace = make_site(lines(), settings="[build]\nkeep_snapshots = 1\n")
    build(workspace, model="tfidf", k=3)
    render(workspace, tmp_path / "out", format=format)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").glob(f"*.{format}")}
    original = Viewer.open

    def meanwhile(*arguments: Any) -> Viewer:
        build(workspace, model="tfidf", k=3)
        return original(*arguments)

    monkeypatch.setattr(Viewer, "open", meanwhile)
    counts = render(workspace, tmp_path / "out", format=format)
    assert (counts["snapshot"], counts["deleted"]) == (1, 0)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob(f"*.{format}")} == before
    with workspace.store() as store:
        assert [snapshot.id for snapshot in store.snapshots()] == [2]


def test_two_renders_take_turns_and_none_waits_for_a_build(
    make_site: Callable[..., Workspace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two at once the later would else delete or write over what the other has just written."""
    workspace = make_site(lines(), settings="[run]\nlock_wait = 0\n")
    build(workspace, model="tfidf", k=3)
    original, found = Viewer.open, list[BaseException]()

    def second() -> None:
        try:
            render(workspace, tmp_path / "out")
        except LockedError as error:
            found.append(error)

    def meanwhile(*arguments: Any) -> Viewer:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        return original(*arguments)

    with monkeypatch.context() as patch, working(workspace, "build"):
        patch.setattr(Viewer, "open", meanwhile)
        assert render(workspace, tmp_path / "out")["written"] == 12
    assert "`simrec render` (process" in str(found[0])
    thread = threading.Thread(target=second)
    with working(workspace, "build"):
        thread.start()
        thread.join()
    assert len(found) == 1


def test_what_stands_elsewhere_on_the_page_is_left_out(courier: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """Two blocks of one page do not repeat each other, and this one is full all the same, beyond its spares too."""
    first = [item.id for item in similar(courier, "b2").block.items]
    second = similar(courier, "b2", exclude=first).block
    options = [text for id_ in first for text in ("--exclude", id_)]
    assert main(["similar", "b2", "-w", str(courier.path), *options, "--json"]) == 0
    assert [item["id"] for item in json.loads(capsys.readouterr().out)["items"]] == [item.id for item in second.items]
    assert len(second.items) == 3
    assert not {item.id for item in second.items} & set(first)
    with courier.store() as store:
        (stored,) = store.blocks(1, ["b2"])
    beyond = [item.id for item in stored.items]
    last = similar(courier, "b2", exclude=beyond).block
    assert last.items
    assert not {item.id for item in last.items} & {*beyond, "b2"}


@pytest.mark.parametrize(
    "url", ["courier.example", "ftp://x.example/", "http://[", "https://x.example/?a=b", "javascript:x"]
)
def test_an_address_that_is_none_is_found_when_settings_are_read(url: str) -> None:
    """In one line that names the setting."""
    with pytest.raises(SettingsError, match=r"site\.url"):
        check_settings({"site": {"url": url}}, "simrec.toml")
    style = Style.of(check_settings({"site": {"url": "https://x.example/news"}}, ""), Path(), lang="en", model="m")
    assert style.site_url == "https://x.example/news/"


def test_a_block_that_is_short_says_why_now() -> None:
    """What was withdrawn, what stands elsewhere, and what the build said, each only where it is so."""
    articles = [Article(f"a{i}", "Title", "Text", status="withdrawn" if i == 1 else "published") for i in range(6)]
    viewer = Viewer(Corpus(articles), Settings(), 3)

    def why(n: int, exclude: Sequence[str] = (), said: str | None = None) -> str | None:
        stored = StoredBlock("a0", tuple(StoredItem(f"a{i}", 1.0) for i in range(1, n + 1)), said)
        return viewer.view(stored, exclude).shortfall

    assert why(4) is None
    assert why(3) == "2 of 3: 1 withdrawn since the build, run `simrec build`"
    assert why(4, ["a2"], "4 of 5: few") == (
        "2 of 3: 1 elsewhere on the page and 1 withdrawn since the build, run `simrec build`; 4 of 5: few"
    )
    assert why(0, said="0 of 3: none") == "0 of 3: none"
    viewer = Viewer(Corpus(articles), Settings(), 1)
    assert why(2, said="2 of 3: few") is None


def test_formats_of_one_file_share_a_folder(courier: Workspace, tmp_path: Path) -> None:
    """They leave what is there alone, articles called as their files would be too."""
    out = tmp_path / "out"
    render(courier, out, format="json")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert {"%69ndex.json", "%66eed.json"} <= set(before)
    for name in SITE_FORMATS:
        assert render(courier, out, format=name)["deleted"] == 0
    assert {name: (out / name).read_bytes() for name in before} == before
    assert len(list(out.iterdir())) == len(before) + len(SITE_FORMATS)


def test_a_stylesheet_goes_with_the_html(courier: Workspace, tmp_path: Path) -> None:
    """It is there when it is asked for, and gone when it is not; files of others stay."""
    (tmp_path / "feed.json").write_text("{}")
    render(courier, tmp_path, stylesheet=True)
    assert "@media print" in (tmp_path / "block.css").read_text("utf-8")
    render(courier, tmp_path)
    assert not (tmp_path / "block.css").exists()
    assert (tmp_path / "feed.json").exists()


def test_a_render_that_fails_leaves_what_was_there(
    courier: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file of all is replaced when it is whole, or not at all."""
    from simrec.store import Store

    render(courier, tmp_path, format="csv")
    before = (tmp_path / "blocks.csv").read_bytes()
    original = Store._active_blocks

    def dies(self: Store) -> Any:
        found = original(self)
        yield next(found)
        yield next(found)
        raise StoreError("the disk is gone")

    monkeypatch.setattr(Store, "_active_blocks", dies)
    with pytest.raises(StoreError, match="the disk is gone"):
        render(courier, tmp_path, format="csv", now=LATER)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"blocks.csv": before}


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_cannot_be_written_is_one_line(courier: Workspace, tmp_path: Path, name: str) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="file") as raised:
        render(courier, tmp_path / "file", format=name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("older", [False, True])
def test_a_folder_of_pages_is_of_one_format(courier: Workspace, tmp_path: Path, older: bool) -> None:
    """Another format is refused and deletes nothing, also where an older manifest does not name the format."""
    render(courier, tmp_path, format="html", stylesheet=True)
    if older:
        manifest = json.loads((tmp_path / "index.json").read_text())
        del manifest["format"]
        (tmp_path / "index.json").write_text(json.dumps(manifest))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(StoreError, match=r"holds pages in .*, which json would delete: choose another folder for json"):
        render(courier, tmp_path, format="json")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    again = render(courier, tmp_path, format="html", stylesheet=True)
    assert (again["written"], again["deleted"]) == (0, 0)


def test_unknown_formats_and_misplaced_stylesheets_are_bad_usage(courier: Workspace, tmp_path: Path) -> None:
    """The error names the formats that there are."""
    with pytest.raises(UsageError, match="html, json, jsonld"):
        render(courier, tmp_path, format="pdf")
    with pytest.raises(UsageError, match="stylesheet"):
        render(courier, tmp_path, format="csv", stylesheet=True)


def test_templates_by_language_come_from_the_workspace(make_site: Callable[..., Workspace], tmp_path: Path) -> None:
    """`[block.templates]`, with the site's own for other languages; one that is missing is named before all else."""
    bodies = (
        "Die Brücke am Fluss ist heute gesperrt.",
        "Heute öffnet am Markt die Brücke wieder.",
        "Brücke kostet viel.",
    )
    german = "\n".join(
        json.dumps({"id": f"d{i}", "title": f"Meldung {i}", "body": body, "lang": "de-AT"})
        for i, body in enumerate(bodies)
    )
    settings = '[block]\ntemplate = "own.html"\n[block.templates]\nde = "de.html"\n'
    workspace = make_site(f"{lines()}\n{german}", settings=settings)
    build(workspace, model="tfidf", k=3)
    (workspace.path / "own.html").write_text("own: {{ heading }}")
    with pytest.raises(SettingsError, match=r"de\.html cannot be read"):
        render(workspace, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (workspace.path / "de.html").write_text("{% extends 'own.html' %}")
    render(workspace, tmp_path / "out")
    assert (tmp_path / "out" / "d0.html").read_text() == "own: Ähnliche Artikel"
    (workspace.path / "de.html").write_text("deutsch: {{ heading }}")
    render(workspace, tmp_path / "out")
    assert (tmp_path / "out" / "d0.html").read_text() == "deutsch: Ähnliche Artikel"
    assert (tmp_path / "out" / "b1.html").read_text() == "own: Similar articles"


def test_the_command_counts_and_names_the_format(
    courier: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`render --json`."""
    arguments = [
        "render",
        "-w",
        str(courier.path),
        "--format",
        "html",
        "--stylesheet",
        "--out",
        str(tmp_path),
        "--json",
    ]
    assert main(arguments) == 0
    counts = json.loads(capsys.readouterr().out)
    wanted = {"snapshot": 1, "format": "html", "written": 11, "unchanged": 0, "deleted": 0, "empty": 0, "hidden": 2}
    assert counts == wanted
