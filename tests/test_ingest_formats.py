"""Which format a file is: by its extension, and where that says too little, by its content."""

from __future__ import annotations

from pathlib import Path

import pytest

from simrec.errors import UsageError
from simrec.ingest import FORMATS, read
from simrec.ingest.formats import find, settled
from simrec.settings import IngestSettings
from simrec.types import Entry

WXR = (
    '<?xml version="1.0"?>\n<!-- <feed> in a comment -->\n<rss version="2.0" '
    'xmlns:wp="http://wordpress.org/export/1.2/">'
)
RSS = '<?xml version="1.0"?><rss version="2.0"><channel>'
ATOM = "<feed xmlns='http://www.w3.org/2005/Atom'>"
MAP = '<!DOCTYPE urlset [ ]><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
PAGE = "<!doctype html><html><p>"
JSON_FEED = '{ "version": "https:\\/\\/jsonfeed.org\\/version\\/1", "items": []}'
GHOST = '{"db":[{"meta":{"exported_on":1},"data":{"posts":[]}}]}'
NINJS = '{"uri": "urn:x", "versionCreated": "2026-03-01T00:00:00Z"}'
ARTICLE = '{"id": "a", "uri": "x", "title": "t", "body": "\\"headlines\\": [\\"uri\\": 3]"}'


@pytest.mark.parametrize(
    ("name", "start", "format"),
    [
        ("a.xml", WXR, "wordpress"),
        ("a.wxr", "", "wordpress"),
        ("a.rss", WXR, "wordpress"),
        ("a", WXR, "wordpress"),
        ("a.xml", RSS, "feed"),
        ("a.xml", "\ufeff \n" + ATOM, "feed"),
        ("a.xml.gz", ATOM, "feed"),
        ("a.rss", "", "feed"),
        ("a.php", RSS, "feed"),
        ("a.xml", MAP, "sitemap"),
        ("a.xml", "<sitemapindex>", "sitemap"),
        ("a.xml", PAGE, "html"),
        ("a.xml", "<svg>", None),
        ("a.xml", "", None),
        ("a.html", RSS, "html"),
        ("a.txt", RSS, "page"),
        ("a.json", JSON_FEED, "feed"),
        ("a.json", GHOST, "ghost"),
        ("a.json", '{"meta": {"exported_on": 1, "version": "5"}, "data": {}}', "ghost"),
        ("a.json", '{"data": {"posts": []}}', "ghost"),
        ("a.json", NINJS, "ninjs"),
        ("a.json", f"[{NINJS}]", "ninjs"),
        ("a.jsonl", NINJS, "ninjs"),
        ("a.json", '{"standard": {"schema": "https://www.iptc.org/std/ninjs/ninjs-schema_3.0.json"}}', "ninjs"),
        ("a.json", ARTICLE, "jsonl"),
        ("a.json", "[]", "jsonl"),
        ("a.json", "", "jsonl"),
        ("a.jsonl", ARTICLE, "jsonl"),
        ("a", ARTICLE, "jsonl"),
        ("a", GHOST, "ghost"),
        ("a", PAGE, "html"),
        ("a", "PAR1", "parquet"),
        ("a", "Some prose", None),
        ("a.csv", "{", "csv"),
    ],
)
def test_a_file_is_of_the_format_that_its_name_and_content_say(name: str, start: str, format: str | None) -> None:
    """In UTF-8; XML in UTF-16, too."""
    encodings = ["utf-8", "utf-16"] if start.lstrip("\ufeff \n").startswith("<") else ["utf-8"]
    for encoding in encodings:
        assert find(name, start.encode(encoding)) is (FORMATS[format] if format else None)
    assert settled(name) in (None, FORMATS.get(format or ""))


def test_a_file_whose_extension_says_it_all_is_not_looked_into() -> None:
    """Pages by the hundred thousand are opened once."""
    assert settled("a/b.html") is FORMATS["html"]
    assert settled("a.CSV.gz") is FORMATS["csv"]
    assert [settled(name) for name in ("a.xml", "a.json", "a.jsonl", "a.rss", "a")] == [None] * 5


def test_auto_is_a_format(tmp_path: Path) -> None:
    """The same as none."""
    (tmp_path / "a").write_text(ARTICLE, encoding="utf-8")
    assert isinstance(next(read([tmp_path / "a"], IngestSettings(), format="auto")), Entry)


def test_an_unknown_format_names_those_there_are(tmp_path: Path) -> None:
    """All of them, and auto."""
    with pytest.raises(UsageError, match="auto") as raised:
        read([tmp_path], IngestSettings(), format="docx")
    assert all(name in str(raised.value) for name in FORMATS)


def test_xml_of_no_known_kind_is_a_reject(tmp_path: Path) -> None:
    """It says how to name the format."""
    (tmp_path / "a.xml").write_text("<svg/>", encoding="utf-8")
    (reject,) = read([tmp_path / "a.xml"], IngestSettings())
    assert not isinstance(reject, Entry)
    assert "--format" in reject.reason
