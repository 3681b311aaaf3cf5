"""Feeds: RSS and Atom as a real library writes them, older RSS, and JSON Feed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from feedgen.feed import FeedGenerator

from simrec.ingest import read
from simrec.pipeline.ingest import ingest
from simrec.pipeline.workspace import Workspace
from simrec.settings import IngestSettings
from simrec.types import Article, Entry, Reject

HTML = (
    "<p>The <b>ferry</b> sails again.</p><p>Tickets &amp; times are out.</p>"
    '<img src="https://h.example/i.jpg" alt="Sea">'
)
TEXT = "The ferry sails again.\n\nTickets & times are out."
WHEN = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def both(path: Path) -> tuple[list[Entry], list[Reject]]:
    """Entries and rejects of a file."""
    found = list(read([path], IngestSettings()))
    return [f for f in found if isinstance(f, Entry)], [f for f in found if isinstance(f, Reject)]


def generated() -> FeedGenerator:
    """A feed of two entries."""
    feed = FeedGenerator()
    feed.load_extension("media")
    feed.load_extension("dc")
    feed.id("https://h.example/")
    feed.title("Harbor Times")
    feed.link(href="https://h.example/", rel="alternate")
    feed.description("News of the harbor")
    feed.language("en-GB")
    for number in (1, 2):
        entry = feed.add_entry(order="append")
        entry.id(f"tag:h.example,2026:{number}")
        entry.title(f"Ferry & tide {number}")
        entry.link(href=f"https://h.example/{number}")
        entry.published(WHEN)
        entry.updated(WHEN.replace(hour=12))
        entry.author({"name": "Ann Lee", "email": "ann@h.example"})
        entry.category([{"term": "ferry"}, {"term": "news", "label": "News"}])
        entry.summary("Short.")
        entry.content(HTML, type="html" if number == 1 else "CDATA")
    return feed


def ingested(tmp_path: Path, name: str, data: bytes) -> list[Article]:
    """What the store holds after the file was ingested; nothing was rejected."""
    (tmp_path / name).write_bytes(data)
    workspace = Workspace.open(tmp_path / "site", create=True)
    report = ingest(workspace, [tmp_path / name])
    assert report.rejected == 0
    with workspace.store() as store:
        return store.articles()


@pytest.mark.parametrize("name", ["news.xml", "news.atom", "news"])
def test_atom_of_a_real_library_becomes_articles(tmp_path: Path, name: str) -> None:
    """With text, dates, people, terms and the first picture, whatever the file is called."""
    first, second = ingested(tmp_path, name, generated().atom_str())
    assert (first.id, first.title, first.url) == ("tag:h.example,2026:1", "Ferry & tide 1", "https://h.example/1")
    assert first.body == TEXT
    assert (first.published_at, first.updated_at) == (WHEN, WHEN.replace(hour=12))
    assert (first.authors, first.tags, first.lang) == (("Ann Lee",), ("ferry", "News"), "en-GB")
    assert (first.image, first.image_alt) == ("https://h.example/i.jpg", "Sea")
    assert second.body == TEXT


@pytest.mark.parametrize("name", ["news.xml", "news.rss", "news"])
def test_rss_of_a_real_library_becomes_articles(tmp_path: Path, name: str) -> None:
    """The encoded content is the body, not the description; Media RSS gives the picture."""
    feed = generated()
    feed.entry()[0].media.content({"url": "https://h.example/m.jpg", "medium": "image"})
    first, second = ingested(tmp_path, name, feed.rss_str())
    assert (first.id, first.title, first.url) == ("tag:h.example,2026:1", "Ferry & tide 1", "https://h.example/1")
    assert (first.body, second.body) == (TEXT, TEXT)
    assert (first.published_at, first.lang) == (WHEN, "en-GB")
    assert (first.image, second.image) == ("https://h.example/m.jpg", "https://h.example/i.jpg")


def test_rss_1_is_read(tmp_path: Path) -> None:
    """Items beside the channel, dates and people of Dublin Core."""
    text = """<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel rdf:about="https://h.example/rss"><title>H</title><link>https://h.example/</link></channel>
<item rdf:about="https://h.example/1"><title>Ferry</title><link>https://h.example/1</link>
<description>The ferry sails.</description><dc:creator>Ann Lee</dc:creator><dc:date>2026-03-01T09:30:00Z</dc:date>
<dc:subject>ferry</dc:subject></item></rdf:RDF>"""
    (article,) = ingested(tmp_path, "news.rdf", text.encode())
    assert (article.id, article.body, article.authors) == ("https://h.example/1", "The ferry sails.", ("Ann Lee",))
    assert (article.published_at, article.tags) == (WHEN, ("ferry",))


def test_rss_091_with_its_doctype_is_read(tmp_path: Path) -> None:
    """An entry without an id has its link as one; the doctype is not fetched."""
    text = """<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN"
 "http://127.0.0.1:9/rss-0.91.dtd"><rss version="0.91"><channel><title>H</title><item><title>Ferry</title>
<link>https://h.example/1</link><description>The ferry sails.</description></item></channel></rss>"""
    assert [article.id for article in ingested(tmp_path, "old.xml", text.encode())] == ["https://h.example/1"]


def test_a_guid_that_is_a_url_is_an_address(tmp_path: Path) -> None:
    """Other pages may link to it."""
    text = """<rss version="2.0"><channel><item><title>Ferry</title><link>https://h.example/ferry</link>
<guid>https://h.example/?p=1</guid><description>The ferry sails.</description></item></channel></rss>"""
    (tmp_path / "a.rss").write_text(text, encoding="utf-8")
    (entry,) = both(tmp_path / "a.rss")[0]
    assert (entry.article.id, entry.article.url) == ("https://h.example/?p=1", "https://h.example/ferry")
    assert entry.addresses == ("https://h.example/?p=1",)


def test_an_entry_without_a_title_is_a_reject(tmp_path: Path) -> None:
    """The one beside it is read."""
    text = """<rss version="2.0"><channel><item><guid>1</guid><description>Only a note.</description></item>
<item><guid>2</guid><title>Ferry</title><description>The ferry sails.</description></item></channel></rss>"""
    (tmp_path / "a.rss").write_text(text, encoding="utf-8")
    entries, rejects = both(tmp_path / "a.rss")
    assert [entry.article.id for entry in entries] == ["2"]
    assert ["title" in reject.reason for reject in rejects] == [True]


def test_broken_xml_keeps_what_can_be_read_and_says_where(tmp_path: Path) -> None:
    """The line of the break is in the reject."""
    data = generated().rss_str(pretty=True).decode().replace("<title>Ferry &amp; tide 2", "<title>Ferry < tide 2")
    (tmp_path / "a.rss").write_text(data, encoding="utf-8")
    entries, rejects = both(tmp_path / "a.rss")
    assert entries[0].article.title == "Ferry & tide 1"
    line = data[: data.index("Ferry < tide")].count("\n") + 1
    assert [(r.line, "broken XML" in r.reason) for r in rejects] == [(line, True)]


@pytest.mark.parametrize("before", ["", "<!-- <a> -->", "<?x <a> ?>"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "declaration",
    [
        '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">',
        '\n<!ENTITY a "ha">\n',
        '<!ENTITY b SYSTEM "file:///etc/passwd">',
    ],
)
def test_entities_are_refused(tmp_path: Path, declaration: str, before: str, encoding: str) -> None:
    """Neither expanded, nor fetched, whatever stands before them."""
    text = f"""<?xml version="1.0"?>{before}<!DOCTYPE rss [{declaration}]><rss version="2.0"><channel><item>
<title>A</title>
<guid>1</guid><description>&b;</description></item></channel></rss>"""
    (tmp_path / "a.rss").write_text(text, encoding=encoding)
    entries, rejects = both(tmp_path / "a.rss")
    assert entries == []
    assert ["entities" in reject.reason for reject in rejects] == [True]


def test_a_draft_of_an_atom_store_is_a_draft_and_a_comment_is_no_article(tmp_path: Path) -> None:
    """As in the export of Blogger, which is Atom."""
    kind = "http://schemas.google.com/g/2005#kind"
    start = '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:app="http://www.w3.org/2007/app">'
    post = f"""<entry><id>tag:b,1:post-1</id><category scheme="{kind}" term="http://schemas.google.com/blogger/2008/kind#post"/>
<title>Ferry</title><content type="html">The ferry sails.</content>
<app:control><app:draft>yes</app:draft></app:control></entry>"""
    comment = post.replace("#post", "#comment").replace("post-1", "post-2")
    (article,) = ingested(tmp_path, "blog.xml", f"{start}{post}{comment}</feed>".encode())
    assert (article.id, article.status, article.tags) == ("tag:b,1:post-1", "draft", ())


@pytest.mark.parametrize(
    ("kind", "state", "becomes"),
    [
        ("POST", "LIVE", ["published"]),
        ("PAGE", "LIVE", ["published"]),
        ("POST", "SCHEDULED", ["embargoed"]),
        ("POST", "DRAFT", ["draft"]),
        ("POST", "SOFT_TRASHED", ["draft"]),
        ("POST", "", ["draft"]),
        ("COMMENT", "LIVE", []),
    ],
)
def test_blogger_says_what_an_entry_is_and_who_sees_it(
    tmp_path: Path, kind: str, state: str, becomes: list[str]
) -> None:
    """In its newer export, too: only a live post or page is published."""
    (tmp_path / "feed.atom").write_text(
        f"""<feed xmlns="http://www.w3.org/2005/Atom" xmlns:blogger="http://schemas.google.com/blogger/2018">
<title>Harbor</title><entry><id>tag:b,1:1</id><title>Ferry</title><blogger:type>{kind}</blogger:type>
<blogger:status>{state}</blogger:status><published>2090-01-01T00:00:00Z</published>
<content type="html">The ferry sails.</content></entry></feed>""",
        encoding="utf-8",
    )
    entries, rejects = both(tmp_path / "feed.atom")
    assert [entry.article.status for entry in entries] == becomes
    assert rejects == []
    until = [entry.article.embargo_until for entry in entries if entry.article.status == "embargoed"]
    assert until == [datetime(2090, 1, 1, tzinfo=UTC)] * len(until)


def test_a_file_that_is_no_feed_says_so(tmp_path: Path) -> None:
    """One reject."""
    (tmp_path / "a.rss").write_text("<note>Nothing</note>", encoding="utf-8")
    assert ["no feed" in reject.reason for reject in both(tmp_path / "a.rss")[1]] == [True]


def json_feed(**values: Any) -> dict[str, Any]:
    """A JSON Feed to the letter of version 1.1."""
    item = {
        "id": "https://h.example/1",
        "url": "https://h.example/1",
        "title": "Ferry & tide",
        "content_html": HTML,
        "image": "https://h.example/large.jpg",
        "date_published": "2026-03-01T09:30:00Z",
        "date_modified": "2026-03-01T13:30:00+01:00",
        "authors": [{"name": "Ann Lee", "url": "https://h.example/ann"}],
        "tags": ["ferry"],
        "language": "en-GB",
    }
    return {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Harbor Times",
        "home_page_url": "https://h.example/",
        "language": "en",
        "items": [item | values],
    }


@pytest.mark.parametrize("name", ["feed.json", "feed"])
def test_json_feed_becomes_articles(tmp_path: Path, name: str) -> None:
    """With everything that its items say."""
    (article,) = ingested(tmp_path, name, json.dumps(json_feed()).replace("/", "\\/").encode())
    assert (article.id, article.url, article.title) == ("https://h.example/1", "https://h.example/1", "Ferry & tide")
    assert (article.body, article.image) == (TEXT, "https://h.example/large.jpg")
    assert (article.published_at, article.updated_at) == (WHEN, WHEN.replace(hour=12))
    assert (article.authors, article.tags, article.lang) == (("Ann Lee",), ("ferry",), "en-GB")


def test_json_feed_1_0_names_one_author_of_the_feed(tmp_path: Path) -> None:
    """It counts for items that name none; plain text is a body, too."""
    feed = json_feed(authors=None, content_html=None, content_text="Plain < text", language=None, image=None)
    feed |= {"version": "https://jsonfeed.org/version/1", "author": {"name": "Jo Roe"}}
    (article,) = ingested(tmp_path, "feed.json", json.dumps(feed).encode())
    assert (article.authors, article.body, article.lang, article.image) == (("Jo Roe",), "Plain < text", "en", None)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"version": "https://jsonfeed.org/version/1.1", "items": [', "broken JSON"),
        (b'{"version": "https://jsonfeed.org/version/1.1"}', "items"),
        (b'{"version": "https://jsonfeed.org/version/1.1", "items": []}', "no entries"),
        (b'{"version": "https://jsonfeed.org/version/1.1", "items": [3]}', "item 1"),
        (b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": 1, "title": 3}]}', "body"),
    ],
)
def test_a_bad_json_feed_is_a_reject(tmp_path: Path, data: bytes, says: str) -> None:
    """Its reason says what is wrong."""
    (tmp_path / "feed.json").write_bytes(data)
    entries, rejects = both(tmp_path / "feed.json")
    assert entries == []
    assert [says in reject.reason for reject in rejects] == [True]
