"""IPTC's ninjs, to the letter of its schemas."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simrec.ingest import read
from simrec.pipeline.ingest import ingest
from simrec.pipeline.workspace import Workspace
from simrec.settings import IngestSettings
from simrec.types import Article, Entry, Reject

PICTURE = {
    "name": "mainpic",
    "uri": "https://news.example/p1",
    "type": "picture",
    "descriptions": [{"role": "caption", "value": "A ferry at sea"}, {"role": "alttext", "value": "White ferry"}],
    "renditions": [
        {"name": "small", "href": "https://news.example/s.jpg", "contentType": "image/jpeg", "width": 100},
        {"name": "main", "href": "https://news.example/m.jpg", "contentType": "image/jpeg", "width": 900},
    ],
}


def item(**values: Any) -> dict[str, Any]:
    """An item of version 3."""
    return {
        "uri": "https://news.example/1",
        "standard": {"name": "ninjs", "version": "3.0", "schema": "https://www.iptc.org/std/ninjs/ninjs-schema_3.0.json"},
        "type": "text",
        "representationType": "complete",
        "language": "en-GB",
        "firstCreated": "2026-03-01T09:30:00Z",
        "versionCreated": "2026-03-01T13:00:00+01:00",
        "pubStatus": "usable",
        "by": "Ann Lee",
        "headlines": [{"role": "short", "value": "Ferry"}, {"role": "main", "value": "Ferry sails again"}],
        "bodies": [
            {"role": "main", "contentType": "text/plain", "value": "The ferry sails. Soon."},
            {"role": "main", "contentType": "application/xhtml+xml", "value": "<p>The ferry sails.</p><p>Soon.</p>"},
            {"role": "main", "contentType": "application/nitf+xml", "value": "<nitf><body/></nitf>"},
        ],
        "subjects": [{"name": "transport", "uri": "http://cv.iptc.org/newscodes/mediatopic/1"}],
        "keywords": ["ferry"],
        "associations": [PICTURE],
    } | values  # fmt: skip


def found_in(path: Path, data: object) -> list[Entry | Reject]:
    """What a file with this value holds."""
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return list(read([path], IngestSettings()))


def one(tmp_path: Path, **values: Any) -> Article:
    """The article that an item becomes."""
    (found,) = found_in(tmp_path / "item.json", item(**values))
    assert isinstance(found, Entry), found
    return found.article


def test_an_item_becomes_an_article_in_the_store(tmp_path: Path) -> None:
    """Main headline, richest body, people, subjects, and the largest rendition of the picture."""
    (tmp_path / "item.json").write_text(json.dumps(item(), indent=2), encoding="utf-8")
    workspace = Workspace.open(tmp_path / "site", create=True)
    report = ingest(workspace, [tmp_path / "item.json"])
    with workspace.store() as store:
        (article,) = store.articles()
    assert (report.new, report.rejected) == (1, 0)
    assert (article.id, article.url) == ("https://news.example/1", "https://news.example/1")
    assert (article.title, article.body) == ("Ferry sails again", "The ferry sails.\n\nSoon.")
    assert article.published_at == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    assert article.updated_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert (article.section, article.tags, article.authors) == ("transport", ("transport", "ferry"), ("Ann Lee",))
    assert (article.lang, article.status) == ("en-GB", "published")
    assert (article.image, article.image_alt) == ("https://news.example/m.jpg", "White ferry")


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("items.json", lambda items: json.dumps(items)),
        ("items.ndjson", lambda items: "\n".join(map(json.dumps, items))),
        ("items.jsonl", lambda items: "\n".join(map(json.dumps, items))),
        ("items.ninjs", lambda items: json.dumps(items)),
        ("items", lambda items: "\n".join(map(json.dumps, items))),
    ],
)
def test_a_list_or_lines_of_items_are_read(tmp_path: Path, name: str, layout: Any) -> None:
    """A picture beside the texts counts as nothing."""
    items = [item(), PICTURE, item(uri="urn:newsml:example:2")]
    found = found_in(tmp_path / name, layout(items))
    assert [f.article.id for f in found if isinstance(f, Entry)] == ["https://news.example/1", "urn:newsml:example:2"]
    assert len(found) == 2


@pytest.mark.parametrize(
    ("state", "becomes"),
    [("usable", "published"), ("withheld", "draft"), ("canceled", "withdrawn"), ("cancelled", "withdrawn")],
)
def test_each_state_has_its_status(tmp_path: Path, state: str, becomes: str) -> None:
    """A state that is not given is usable, as the standard has it."""
    assert one(tmp_path, pubStatus=state).status == becomes
    assert one(tmp_path, pubStatus=None).status == "published"


def test_an_embargo_holds_an_article_back_until_its_moment(tmp_path: Path) -> None:
    """Who reads it later may show it; what is withheld stays a draft."""
    assert one(tmp_path, embargoed="2090-01-01T00:00:00Z").status == "embargoed"
    assert one(tmp_path, embargoed="2090-01-01T00:00:00Z", pubStatus="withheld").status == "draft"
    assert one(tmp_path, embargoed="2090-01-01T00:00:00Z").embargo_until == datetime(2090, 1, 1, tzinfo=UTC)


def test_version_1_is_read(tmp_path: Path) -> None:
    """Names in lower case, one headline, bodies by name, associations by name."""
    old = {
        "uri": "urn:example:7",
        "type": "text",
        "versioncreated": "2026-03-01T09:30:00Z",
        "pubstatus": "usable",
        "headline": "Ferry sails again",
        "byline": "Ann Lee",
        "body_text": "The ferry sails.",
        "subject": [{"code": "1", "name": "transport"}],
        "associations": {
            "main": {
                "type": "picture",
                "description_text": "A ferry",
                "renditions": {"big": {"href": "https://news.example/b.jpg"}},
            }
        },
    }
    (found,) = found_in(tmp_path / "old.json", old)
    assert isinstance(found, Entry)
    article = found.article
    assert (article.id, article.title, article.body) == ("urn:example:7", "Ferry sails again", "The ferry sails.")
    assert (article.authors, article.tags, article.url) == (("Ann Lee",), ("transport",), None)
    assert (article.image, article.image_alt) == ("https://news.example/b.jpg", "A ferry")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([item(), {"uri": "urn:x", "type": "text", "headlines": []}], "title"),
        ([item(), 3], "object"),
        ([PICTURE], "no article|none of 1"),
        ([item(uri=None), item()], "id"),
    ],
)
def test_a_bad_item_is_a_reject(tmp_path: Path, data: object, says: str) -> None:
    """The others are read."""
    (tmp_path / "items.json").write_text(json.dumps(data), encoding="utf-8")
    rejects = [f for f in read([tmp_path / "items.json"], IngestSettings(), format="ninjs") if isinstance(f, Reject)]
    assert len(rejects) == 1
    assert any(word in rejects[0].reason for word in says.split("|"))


def test_a_kill_without_a_text_takes_the_stored_item_out(tmp_path: Path) -> None:
    """It has the item's uri and its state, and no headline or body; the text stays in the store."""
    workspace = Workspace.open(tmp_path / "site", create=True)
    for number, data in enumerate([item(), {"uri": item()["uri"], "type": "text", "pubStatus": "canceled"}]):
        path = tmp_path / f"{number}.ninjs"
        path.write_text(json.dumps(data), encoding="utf-8")
        report = ingest(workspace, [path])
        assert report.rejects == []
    with workspace.store() as store:
        assert [(one.status, one.title) for one in store.articles()] == [("withdrawn", "Ferry sails again")]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(("first", "second"), [("withheld", "usable"), ("usable", "canceled"), ("canceled", "usable")])
def test_the_later_version_of_an_item_counts(tmp_path: Path, first: str, second: str, order: int) -> None:
    """Of two versions in one run, by their number, whichever is read first."""
    versions = [item(version="1", pubStatus=first), item(version="2", pubStatus=second)][::order]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(versions), encoding="utf-8")
    workspace = Workspace.open(tmp_path / "site", create=True)
    report = ingest(workspace, [path])
    wanted = {"usable": "published", "canceled": "withdrawn"}[second]
    with workspace.store() as store:
        assert [one.status for one in store.articles()] == [wanted]
    assert (report.new, report.rejected) == (1, 1)


@pytest.mark.parametrize(
    "more",
    [
        {"uri": "https://news.example/1", "body_html": "<p>Text.</p>"},
        {"uri": "https://news.example/1", "bodies": 2},
        {"body": "See https://www.iptc.org/std/ninjs/ for all."},
        {"note": {"uri": "x", "headlines": [], "bodies": []}},
    ],
)
def test_an_article_with_columns_like_an_items_is_no_item(tmp_path: Path, more: dict[str, Any]) -> None:
    """Lines of simrec's own stay what they are, and a draft a draft; only keys of the top level count."""
    path = tmp_path / "articles.jsonl"
    path.write_text(json.dumps({"id": "a", "title": "T", "body": "Text.", "status": "draft", **more}), encoding="utf-8")
    (entry,) = read([path], IngestSettings())
    assert isinstance(entry, Entry)
    assert (entry.article.id, entry.article.status) == ("a", "draft")


def test_an_embargo_in_small_letters_holds(tmp_path: Path) -> None:
    """The t and z of a date may be small."""
    assert one(tmp_path, embargoed="2090-01-01t00:00:00z").embargo_until == datetime(2090, 1, 1, tzinfo=UTC)
    assert one(tmp_path, expires="2090-01-01t00:00:00z").expires_at == datetime(2090, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", ["embargoed", "expires"])
@pytest.mark.parametrize("value", ["2030-01-01 10:00 CET", "soon", 1893456000, ["2030-01-01"]])
def test_a_closing_date_that_cannot_be_read_keeps_the_item_back(tmp_path: Path, name: str, value: object) -> None:
    """It is embargoed without an end, and a reject says why."""
    entry, reject = found_in(tmp_path / "a.ninjs", item(**{name: value}))
    assert isinstance(entry, Entry)
    assert isinstance(reject, Reject)
    assert (entry.article.status, entry.article.embargo_until) == ("embargoed", None)
    assert name in reject.reason
