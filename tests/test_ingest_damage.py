"""Every kind of damage: a reason for what is bad, and nothing lost of what is good."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simrec.errors import InputError, UsageError
from simrec.ingest import read, read_picks
from simrec.ingest.record import to_article
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

SETTINGS = IngestSettings()
BODY = "The lighthouse keeper climbs the stairs each evening and looks at the sea."


def both(path: Path, settings: IngestSettings = SETTINGS, **options: str) -> tuple[list[Entry], list[Reject]]:
    """What a source holds: entries and rejects."""
    found = list(read([path], settings, **options))
    return [f for f in found if isinstance(f, Entry)], [f for f in found if isinstance(f, Reject)]


def record(**values: object) -> str:
    """A line of JSON with what an article needs."""
    return json.dumps({"id": "a", "title": "A light", "body": BODY, **values}, ensure_ascii=False)


def html(title: str = "A light", body: str = BODY, head: str = "", after: str = "") -> str:
    """A small page."""
    text = f"<h1>{title}</h1><p>{body}</p><p>{body}</p>"
    start = f"<!doctype html><html lang='en'><head><title>{title}</title>{head}</head>"
    return f"{start}<body><main>{text}{after}</main></body></html>"


def test_broken_json_in_line_3_of_5_rejects_that_line(tmp_path: Path) -> None:
    """The four others are read."""
    lines = [record(id=str(i)) for i in range(5)]
    lines[2] = lines[2][:-5]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    entries, rejects = both(tmp_path / "a.jsonl")
    assert [e.article.id for e in entries] == ["0", "1", "3", "4"]
    assert [(r.line, "JSON" in r.reason) for r in rejects] == [(3, True)]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b'{"id": "x", "title": "\xff", "body": "b"}', "UTF-8"),
        (b'{"id": "x\x00", "title": "t", "body": "b"}', "NUL"),
        (b'{"id": "x", "title": "t"}', "body"),
        (b'{"id": "", "title": "t", "body": "b"}', "id"),
        (b'{"id": "x", "title": "t", "body": "  "}', "body"),
        (b'{"id": "x", "title": "t", "body": "b", "published_at": "soon"}', "published_at"),
        (b'{"id": "x", "title": "t", "body": "b", "status": "live"}', "status"),
        (b'["id"]', "object"),
    ],
)
def test_a_bad_record_is_rejected_with_its_line_and_reason(tmp_path: Path, bad: bytes, says: str) -> None:
    """The reason names what is wrong; records before and after it are read."""
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([record(id="1").encode(), bad, record(id="2").encode()]))
    entries, rejects = both(tmp_path / "a.jsonl")
    assert [e.article.id for e in entries] == ["1", "2"]
    assert len(rejects) == 1
    assert rejects[0].line == 2
    assert rejects[0].file.endswith("a.jsonl")
    assert says in rejects[0].reason


def test_a_line_of_200_mb_is_rejected_without_being_held(tmp_path: Path) -> None:
    """Its size is named; the lines around it are read."""
    with (tmp_path / "a.jsonl").open("wb") as file:
        file.write(record(id="1").encode() + b"\n")
        for _ in range(200):
            file.write(b"x" * 1_000_000)
        file.write(b"\n" + record(id="2").encode())
    entries, rejects = both(tmp_path / "a.jsonl")
    assert [e.article.id for e in entries] == ["1", "2"]
    assert [(r.line, "max_record_mb" in r.reason or "MB" in r.reason) for r in rejects] == [(2, True)]


@settings(deadline=None, max_examples=50)
@given(lines=st.lists(st.one_of(st.binary(max_size=40), st.builds(lambda i: record(id=i).encode(), st.integers()))))
def test_in_is_entries_plus_rejects(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    """Every line that is not blank becomes an entry or a reject, whatever bytes it holds; a byte order mark is none."""
    path = tmp_path_factory.mktemp("lines") / "a.jsonl"
    data = b"\n".join(line.replace(b"\n", b" ") for line in lines)
    path.write_bytes(data)
    entries, rejects = both(path)
    wanted = sum(bool(line.strip()) for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    assert len(entries) + len(rejects) == max(wanted, 1)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet", "a.html", "a.txt", "a.zip", "a.jsonl.gz"])
def test_an_empty_file_is_one_reject(tmp_path: Path, name: str) -> None:
    """Of every format."""
    (tmp_path / name).write_bytes(b"")
    entries, rejects = both(tmp_path / name)
    assert entries == []
    assert len(rejects) == 1
    assert rejects[0].reason


def test_a_csv_with_wrong_columns_names_them(tmp_path: Path) -> None:
    """What is missing and what was found."""
    (tmp_path / "a.csv").write_text("ident,headline,text\n1,2,3\n", encoding="utf-8")
    entries, rejects = both(tmp_path / "a.csv")
    assert entries == []
    assert all(word in rejects[0].reason for word in ("title", "body", "headline"))


def test_csv_rows_with_too_many_or_few_fields_are_rejected_alone(tmp_path: Path) -> None:
    """Quoted line breaks count as lines, so that the line given is the line in the file."""
    rows = ["id,title,body", f'1,A,"{BODY}\nSecond line"', "2,B", f"3,C,{BODY},x", f"4,D,{BODY}"]
    (tmp_path / "a.csv").write_text("\n".join(rows), encoding="utf-8")
    entries, rejects = both(tmp_path / "a.csv")
    assert [e.article.id for e in entries] == ["1", "4"]
    assert "Second line" in entries[0].article.body
    assert [r.line for r in rejects] == [4, 5]


def test_the_same_articles_come_from_jsonl_csv_and_parquet(tmp_path: Path) -> None:
    """Plain or gzipped."""
    values = {"id": ["1", "2"], "title": ["A", "B"], "body": [BODY, BODY + "!"], "tags": ["x|y", ""]}
    values["published_at"] = ["2024-05-01T10:00:00", "2024-05-02"]
    frame = pd.DataFrame(values)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    lines = "\n".join(json.dumps(row) for row in frame.to_dict("records"))
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    found = [both(tmp_path / name) for name in ("a.jsonl", "a.csv", "a.parquet", "a.jsonl.gz", "b.csv.gz")]
    assert all(rejects == [] for _, rejects in found)
    articles = [[entry.article for entry in entries] for entries, _ in found]
    assert all(each == articles[0] for each in articles)
    assert articles[0][0].tags == ("x", "y")
    assert str(articles[0][0].published_at) == "2024-05-01 10:00:00+00:00"


def test_a_parquet_cut_in_half_is_one_reject(tmp_path: Path) -> None:
    """Its index is at its end: nothing of it can be read."""
    pd.DataFrame({"id": ["1"], "title": ["A"], "body": [BODY]}).to_parquet(tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data[: len(data) // 2])
    entries, rejects = both(tmp_path / "a.parquet")
    assert entries == []
    assert len(rejects) == 1


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("published_at", pa.array([0, 10**18, 0], pa.timestamp("us", "UTC"))),
        ("published_at", pa.array([0, -(2**31), 0], pa.date32())),
        ("url", pa.array([b"/a", b"\xff", b"/c"]).view(pa.string())),
    ],
    ids=["year 33658", "before the year 1", "no UTF-8"],
)
def test_a_value_of_a_parquet_that_cannot_be_read_costs_its_row_alone(tmp_path: Path, name: str, column: Any) -> None:
    """The rows before and behind it, of the same row group, are read; the reason names the column."""
    table = pa.table({"id": ["1", "2", "3"], "title": ["A", "B", "C"], "body": [BODY] * 3, name: column})
    pq.write_table(table, tmp_path / "a.parquet")
    entries, rejects = both(tmp_path / "a.parquet")
    assert [entry.article.id for entry in entries] == ["1", "3"]
    assert [(reject.line, reject.reason.split(" (")[0]) for reject in rejects] == [(2, f"{name} cannot be read")]


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "sNaN", "1E+999999999"])
def test_a_decimal_that_is_no_number_is_a_missing_value(number: str) -> None:
    """As databases have them; so is one that no JSON can hold."""
    article = to_article({"id": Decimal(1), "title": "A", "body": BODY, "views": Decimal(number)}, SETTINGS)
    assert not isinstance(article, str)
    assert (article.id, article.extra) == ("1", {})


def test_a_timestamp_to_the_nanosecond_keeps_its_zone() -> None:
    """Of half hours, too."""
    moment = pd.Timestamp("2024-05-01T10:00:00.123456789+05:30")
    article = to_article({"id": "a", "title": "A", "body": BODY, "published_at": moment}, SETTINGS)
    assert not isinstance(article, str)
    assert article.published_at == datetime(2024, 5, 1, 4, 30, 0, 123456, UTC)


def test_a_gzip_cut_in_half_keeps_what_was_before(tmp_path: Path) -> None:
    """The records before the cut are entries, and one reject says that the rest is lost."""
    import random

    draw = random.Random(0)
    lines = [record(id=str(i), body=f"{BODY} {draw.random()}") for i in range(2000)]
    data = gzip.compress("\n".join(lines).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(data[: len(data) // 2])
    entries, rejects = both(tmp_path / "a.jsonl.gz")
    assert 100 < len(entries) < 2000
    assert 1 <= len(rejects) <= 2


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_with_names_that_lead_out_keeps_the_others(tmp_path: Path, kind: str) -> None:
    """`../` and absolute names are rejects; nothing is ever written outside, or at all."""
    names = ["good.html", "../evil.html", "/abs/evil.html", "sub/../../evil.html", "sub/fine.html"]
    path = tmp_path / "in" / f"pages.{kind}"
    path.parent.mkdir()
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, html())
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as archive:
            for name in names:
                info = tarfile.TarInfo(name)
                info.size = len(html().encode())
                archive.addfile(info, io.BytesIO(html().encode()))
    entries, rejects = both(path)
    assert sorted(e.article.id for e in entries) == ["good", "sub/fine"]
    assert len(rejects) == 3
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["in", f"pages.{kind}"]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_damaged_archive_is_a_reject(tmp_path: Path, kind: str) -> None:
    """What could be read before the damage stays."""
    path = tmp_path / f"pages.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.html", html())
    else:
        with tarfile.open(path, "w:gz") as archive:
            for i in range(20):
                data = html(body=f"{BODY} {i}").encode()
                info = tarfile.TarInfo(f"{i}.html")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    _, rejects = both(path)
    assert rejects


@pytest.mark.parametrize(
    "page", ["", "   ", "<html><head><title>T</title></head></html>", "<html><body></body></html>"]
)
def test_html_without_a_body_is_rejected(tmp_path: Path, page: str) -> None:
    """With a reason; the page beside it is read."""
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "bad.html").write_text(page, encoding="utf-8")
    (tmp_path / "pages" / "good.html").write_text(html(), encoding="utf-8")
    entries, rejects = both(tmp_path / "pages")
    assert [e.article.id for e in entries] == ["good"]
    assert [r.file.endswith("bad.html") for r in rejects] == [True]


def test_html_in_another_charset_is_read_by_its_declaration(tmp_path: Path) -> None:
    """And invalid UTF-8 without one is a reject."""
    page = html("Brücke gesperrt", "Die Brücke über den Fluss bleibt gesperrt, bis die Gerüste stehen.")
    declared = page.replace("<head>", '<head><meta charset="windows-1252">')
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.html").write_bytes(declared.encode("cp1252"))
    (tmp_path / "p" / "b.html").write_bytes(page.encode("cp1252"))
    entries, rejects = both(tmp_path / "p")
    assert [e.article.title for e in entries] == ["Brücke gesperrt"]
    assert "UTF-8" in rejects[0].reason


def test_a_source_that_is_not_there_says_so(tmp_path: Path) -> None:
    """And so do an empty folder, an unknown format, and a selector that is none."""
    with pytest.raises(InputError, match="nowhere"):
        list(read([tmp_path / "nowhere"], SETTINGS))
    with pytest.raises(InputError, match="no file"):
        list(read([tmp_path], SETTINGS))
    (tmp_path / "a.jsonl").write_text(record())
    with pytest.raises(UsageError, match="format"):
        list(read([tmp_path], SETTINGS, format="docx"))
    with pytest.raises(UsageError, match="selector"):
        list(read([tmp_path], IngestSettings(picks_selector="a[[")))


def test_a_table_of_picks_is_read_line_by_line(tmp_path: Path) -> None:
    """A bad rank is a reject, however large; a wrong header an error that names the columns."""
    path = tmp_path / "picks.csv"
    path.write_text(
        "source_id,target_id,rank\na,b,1\na,c,first\n,d,1\na,e,2\na,f,99999999999999999999\n", encoding="utf-8"
    )
    found = list(read_picks(path))
    picks = [f.pick for f in found if not isinstance(f, Reject)]
    assert [(p.source_id, p.target_id, p.rank) for p in picks] == [("a", "b", 1), ("a", "e", 2)]
    assert [f.line for f in found if isinstance(f, Reject)] == [3, 4, 6]
    path.write_text("from,to\na,b\n", encoding="utf-8")
    with pytest.raises(InputError, match="target_id"):
        list(read_picks(path))


def test_a_file_whose_name_is_not_utf8_is_a_reject(tmp_path: Path) -> None:
    """The files beside it are read."""
    try:
        (tmp_path / os.fsdecode(b"\xff.html")).write_text(html(), encoding="utf-8")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (tmp_path / "a.html").write_text(html(), encoding="utf-8")
    entries, rejects = both(tmp_path)
    assert [entry.article.id for entry in entries] == ["a"]
    assert [(reject.file.isascii(), "rename" in reject.reason) for reject in rejects] == [(True, True)]


@pytest.mark.parametrize("bad", ["\x08", "&#8;", "&#xFFFE;", "\uffff"])
def test_control_characters_in_a_page_are_dropped(tmp_path: Path, bad: str) -> None:
    """Written or as references, also in what is cut out as the related block."""
    after = f"<div>{bad}<h2>Similar articles</h2><ul><li><a href='/b'>B</a></li></ul>{bad}</div>"
    (tmp_path / "a.html").write_text(html(after=after), encoding="utf-8")
    entries, rejects = both(tmp_path / "a.html")
    assert rejects == []
    assert entries[0].links == ("/b",)


def test_a_value_nested_too_deep_is_a_reject(tmp_path: Path) -> None:
    """Fifty levels are kept."""
    deep = [record(id=str(depth), more=json.loads("[" * depth + "]" * depth)) for depth in (40, 60, 500)]
    (tmp_path / "a.jsonl").write_text("\n".join(deep), encoding="utf-8")
    entries, rejects = both(tmp_path / "a.jsonl")
    assert [entry.article.id for entry in entries] == ["40"]
    assert ["deep" in reject.reason for reject in rejects] == [True, True]


def test_a_header_that_is_not_utf8_says_so(tmp_path: Path) -> None:
    """In words that every terminal shows."""
    (tmp_path / "a.csv").write_bytes(b"id,title,body,caf\xe9\n1,A,B,C\n")
    (reject,) = both(tmp_path / "a.csv")[1]
    assert "UTF-8" in reject.reason
    assert reject.reason.isascii()


def test_a_long_value_is_cut_in_the_reason(tmp_path: Path) -> None:
    """A reason is one line."""
    rows = ["source_id,target_id,rank,grade", f"a,b,1,{'x' * 5000}", f"a,b,{'x' * 5000},1"]
    (tmp_path / "picks.csv").write_text("\n".join(rows), encoding="utf-8")
    reasons = [found.reason for found in read_picks(tmp_path / "picks.csv") if isinstance(found, Reject)]
    assert [len(reason) < 100 for reason in reasons] == [True, True]
