"""Ghost exports, in both layouts, with what the editors of several versions wrote."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simrec.ingest import read
from simrec.ingest.cards import lexical_html, mobiledoc_html
from simrec.ingest.fragment import fragment_text
from simrec.pipeline.ingest import ingest
from simrec.pipeline.workspace import Workspace
from simrec.settings import IngestSettings
from simrec.types import Article, Entry, Reject

WHEN = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
HTML = '<p>The ferry <a href="__GHOST_URL__/tide/">sails</a> again.</p><!--kg-card-begin: html--><p>Soon.</p>'


def post(**values: Any) -> dict[str, Any]:
    """A post as Ghost 5 exports it."""
    return {
        "id": "65f0c0ffee0000000000a001",
        "uuid": "0b6c9e0e-0000-4000-8000-000000000001",
        "title": "Ferry & tide",
        "slug": "ferry-tide",
        "mobiledoc": None,
        "lexical": None,
        "html": HTML,
        "plaintext": "The ferry sails again.",
        "feature_image": "__GHOST_URL__/content/images/ferry.jpg",
        "featured": 0,
        "type": "post",
        "status": "published",
        "locale": None,
        "visibility": "members",
        "created_at": "2026-02-01T00:00:00.000Z",
        "updated_at": "2026-03-01T12:00:00.000Z",
        "published_at": "2026-03-01T09:30:00.000Z",
        "canonical_url": None,
    } | values


def tables(*posts: dict[str, Any]) -> dict[str, Any]:
    """The tables of an export, out of order as a database gives them."""
    id_ = posts[0]["id"]
    return {
        "posts": list(posts),
        "posts_meta": [{"id": "m1", "post_id": id_, "feature_image_alt": "A white ferry"}],
        "tags": [
            {"id": "t1", "name": "News", "slug": "news", "visibility": "public"},
            {"id": "t2", "name": "Ferries", "slug": "ferries", "visibility": "public"},
            {"id": "t3", "name": "#series-The strike", "slug": "hash-series", "visibility": "internal"},
            {"id": "t4", "name": "#similar-off", "slug": "hash-similar-off", "visibility": "internal"},
        ],
        "posts_tags": [
            {"id": "1", "post_id": id_, "tag_id": "t2", "sort_order": 1},
            {"id": "2", "post_id": id_, "tag_id": "t1", "sort_order": 0},
            {"id": "3", "post_id": id_, "tag_id": "t3", "sort_order": 2},
            {"id": "4", "post_id": id_, "tag_id": "t4", "sort_order": 3},
        ],
        "users": [{"id": "u1", "name": "Ann Lee", "slug": "ann"}, {"id": "u2", "name": "Jo Roe", "slug": "jo"}],
        "posts_authors": [
            {"id": "1", "post_id": id_, "author_id": "u2", "sort_order": 1},
            {"id": "2", "post_id": id_, "author_id": "u1", "sort_order": 0},
        ],
        "settings": [{"key": "title", "value": "Harbor Times"}, {"key": "locale", "value": "en-GB"}],
    }


META = {"exported_on": 1772442000000, "version": "5.100.0"}


def one(tmp_path: Path, **values: Any) -> Article:
    """The article that a post becomes."""
    (tmp_path / "ghost.json").write_text(json.dumps({"meta": META, "data": tables(post(**values))}), encoding="utf-8")
    (found,) = read([tmp_path / "ghost.json"], IngestSettings())
    assert isinstance(found, Entry), found
    return found.article


@pytest.mark.parametrize(
    "layout",
    [
        lambda data: {"db": [{"meta": META, "data": data}]},
        lambda data: {"meta": META, "data": data},
        lambda data: {"data": data, "meta": META},
    ],
)
def test_an_export_becomes_articles_in_the_store(tmp_path: Path, layout: Any) -> None:
    """In either layout: text, state, people and tags in their order, paths in place of Ghost's marker."""
    second = post(id="65f0c0ffee0000000000a002", slug="about", type="page", title="About us")
    (tmp_path / "harbor.ghost.2026.json").write_text(json.dumps(layout(tables(post(), second))), encoding="utf-8")
    workspace = Workspace.open(tmp_path / "site", create=True)
    report = ingest(workspace, [tmp_path / "harbor.ghost.2026.json"])
    with workspace.store() as store:
        article, about = store.articles()
    assert (report.new, report.rejected) == (2, 0)
    assert (article.id, article.title, article.url) == ("65f0c0ffee0000000000a001", "Ferry & tide", "/ferry-tide/")
    assert article.body == "The ferry sails again.\n\nSoon."
    assert (article.published_at, article.updated_at) == (WHEN, WHEN.replace(hour=12, minute=0))
    assert (article.section, article.tags, article.authors) == ("News", ("News", "Ferries"), ("Ann Lee", "Jo Roe"))
    assert (article.image, article.image_alt) == ("/content/images/ferry.jpg", "A white ferry")
    assert (article.lang, article.status) == ("en-GB", "published")
    assert article.extra == {"type": "post", "visibility": "members", "series": "The strike", "similar": "off"}
    assert (about.extra["type"], about.tags) == ("page", ())


@pytest.mark.parametrize(
    ("status", "becomes"),
    [("published", "published"), ("draft", "draft"), ("scheduled", "embargoed"), ("sent", "draft"), ("new", "draft")],
)
def test_each_state_of_a_post_has_its_status(tmp_path: Path, status: str, becomes: str) -> None:
    """What is scheduled is embargoed until its date; what was mailed only has no page."""
    article = one(tmp_path, status=status)
    assert article.status == becomes
    assert article.embargo_until == (WHEN if status == "scheduled" else None)


def test_a_scheduled_post_that_only_goes_out_by_mail_is_a_draft(tmp_path: Path) -> None:
    """It never has a page, whatever its date says."""
    data = tables(post(status="scheduled"))
    data["posts_meta"] = [{"post_id": post()["id"], "email_only": 1}]
    (tmp_path / "ghost.json").write_text(json.dumps({"meta": META, "data": data}), encoding="utf-8")
    (entry,) = read([tmp_path / "ghost.json"], IngestSettings())
    assert isinstance(entry, Entry)
    assert (entry.article.status, entry.article.embargo_until) == ("draft", None)


def test_what_old_versions_exported_is_read(tmp_path: Path) -> None:
    """Numbers as ids and pages, milliseconds as dates, one author, `image`, `language`."""
    old = post(id=7, page=1, type=None, published_at=1772357400000, image="/i.jpg", feature_image=None, language="de")
    data = {"posts": [old | {"author_id": 1}], "users": [{"id": 1, "name": "Ann Lee"}]}
    (tmp_path / "ghost.json").write_text(json.dumps({"db": [{"meta": META, "data": data}]}), encoding="utf-8")
    (found,) = read([tmp_path / "ghost.json"], IngestSettings())
    assert isinstance(found, Entry)
    article = found.article
    assert (article.id, article.extra["type"], article.published_at) == ("7", "page", WHEN)
    assert (article.authors, article.image, article.lang) == (("Ann Lee",), "/i.jpg", "de")


LEXICAL = {
    "root": {
        "type": "root",
        "children": [
            {"type": "paragraph", "children": [{"type": "extended-text", "text": "The <ferry> ", "format": 1},
                                               {"type": "link", "children": [{"type": "text", "text": "sails"}]}]},
            {"type": "list", "children": [{"type": "listitem", "children": [{"type": "text", "text": "again"}]}]},
            {"type": "callout", "calloutText": "<p>Mind the gap</p>"},
            {"type": "image", "src": "x.jpg", "caption": "No text"},
            {"type": "html", "html": "<p>Soon</p>"},
        ],
    }
}  # fmt: skip
MOBILEDOC = {
    "version": "0.3.1",
    "atoms": [],
    "cards": [["markdown", {"markdown": "Soon"}], ["image", {"src": "x.jpg", "caption": "No text"}]],
    "markups": [["em"]],
    "sections": [
        [1, "p", [[0, [], 0, "The <ferry> "], [0, [0], 1, "sails"]]],
        [3, "ul", [[[0, [], 0, "again"]]]],
        [10, 0],
        [10, 1],
        [10, 9],
    ],
}


def test_without_html_the_editors_document_is_the_body(tmp_path: Path) -> None:
    """Lexical, else Mobiledoc, else the plain text."""
    for values in ({"lexical": json.dumps(LEXICAL)}, {"mobiledoc": json.dumps(MOBILEDOC)}):
        body = one(tmp_path, html=None, **values).body
        assert body.startswith("The <ferry> sails\n\nagain\n\n")
        assert body.endswith("Soon")
        assert "No text" not in body
    assert "Mind the gap" in fragment_text(lexical_html(LEXICAL))
    assert one(tmp_path, html="").body == "The ferry sails again."


@pytest.mark.parametrize("document", ["", "{", "[]", 3, None, {"root": 3}, {"root": {"children": [3, [], None]}}])
def test_documents_that_are_none_have_no_text(document: object) -> None:
    """Of either editor."""
    assert fragment_text(lexical_html(document)) == ""
    assert mobiledoc_html(document) == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"db": [', "broken JSON"),
        ('{"db": []}', "no Ghost export"),
        ('{"db": [{"data": {"posts": {}}}]}', "no posts"),
        ('{"db": [{"data": {"posts": [7]}}]}', "post 1"),
        ('{"db": [{"data": {"posts": [{"id": 1, "title": "A", "html": ""}]}}]}', "body"),
    ],
)
def test_a_bad_export_is_a_reject(tmp_path: Path, text: str, says: str) -> None:
    """Its reason says what is wrong."""
    (tmp_path / "ghost.json").write_text(text, encoding="utf-8")
    (found,) = read([tmp_path / "ghost.json"], IngestSettings())
    assert isinstance(found, Reject)
    assert says in found.reason
