"""Valid files of every format, small, for the fuzz to damage. A new format needs a seed here."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import tarfile
import zipfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from feedgen.feed import FeedGenerator

DATABASE = "database"
"""In place of a format: the file is a database, and is read by a query."""


class Seed(NamedTuple):
    """A file: its name, its bytes, and the format to read it as; None for what its name and content say."""

    name: str
    data: bytes
    format: str | None = None


TABLE = ("id", "title", "body", "published_at", "tags", "status")
"""Columns of the table that a database has."""
BODY = "The ferry sails again on Monday, says the harbor board, and the crews agree."
RECORD: dict[str, Any] = {
    "id": "a-1",
    "title": "Ferry & tide",
    "body": BODY,
    "url": "https://h.example/ferry",
    "published_at": "2026-03-01T09:30:00Z",
    "updated_at": "2026-03-02",
    "section": "News",
    "tags": ["ferry", "strike"],
    "authors": ["Ann Lee", "Jo Roe"],
    "lang": "en-GB",
    "image": "https://h.example/i.jpg",
    "status": "published",
    "canonical_id": "a-0",
    "extra_column": {"depth": [1, 2.5, None]},
}
RECORDS = [RECORD | {"id": f"a-{number}"} for number in range(3)]
CSV = "id,title,body,published_at,tags\n" + "".join(
    f'{number},Ferry {number},"{BODY}\nMore.",2026-03-0{number},a|b\n' for number in (1, 2, 3)
)
TEXT = f"""# Ferry

{{{{< note >}}}}{BODY}[^1]

| pier | hour |
|------|------|
| east | 8    |

- *one*
- [two](b.md "Two") {{% link c.md %}}

[^1]: <b>Later</b> that day.
"""
MARKDOWN_YAML = f"""---
title: Ferry & tide
date: 2026-03-01 09:30:00 +0100
draft: false
tags: &tags [ferry, strike]
keywords: *tags
author: {{name: Ann Lee}}
related: [b, ../news/c.md, https://h.example/d]
cover: {{image: i.jpg, alt: A ferry}}
---
{TEXT}"""
MARKDOWN_TOML = f"""+++
title = 'Ferry'
date = 2026-03-01T09:30:00Z
expiryDate = 2027-01-01
categories = ['News', 'Sea']
[taxonomies]
tags = ['ferry']
+++
{TEXT}"""
MARKDOWN_JSON = f"""{{
  "title": "Ferry", "permalink": "/ferry/", "series": ["Tides"], "similar": false
}}

{TEXT}"""
PICKS = "source_id,target_id,rank,grade\n" + "a-1,a-2,1,0.5\na-1,a-3,2,\na-2,a-1,1,1\n"
PAGE = f"""Error message

Ferry strike enters its second week
March 04, 2026 7:15

{BODY}

Similar articles

Harbor board offers a new roster
February 20, 2026 18:30
Image: Harbor office

{BODY}
"""
JSON_LD = {"@type": "NewsArticle", "headline": "Ferry", "datePublished": "2026-03-01", "author": [{"name": "Ann Lee"}]}
HTML = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Ferry | Harbor Times</title>
<link rel="canonical" href="https://h.example/ferry"><meta property="og:image" content="/i.jpg">
<script type="application/ld+json">{json.dumps(JSON_LD)}</script></head>
<body><nav><a href="/">Home</a></nav><main><h1>Ferry</h1><p>{BODY}</p><table><tr><td>1</td></tr></table>
<p>{BODY}</p></main><aside><h2>Similar articles</h2><ul><li><a href="/a">A</a></li><li><a href="/b">B</a></li></ul>
</aside></body></html>"""
WORDPRESS = (
    """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:wp="http://wordpress.org/export/1.2/"><channel>
<language>en</language><wp:author><wp:author_login>ann</wp:author_login>
<wp:author_display_name>Ann Lee</wp:author_display_name></wp:author>
"""
    + "".join(
        f"""<item><title>Ferry {number}</title><link>https://h.example/{number}</link>
<pubDate>Sun, 01 Mar 2026 09:30:00 +0000</pubDate><dc:creator>ann</dc:creator><guid>https://h.example/?p={number}</guid>
<content:encoded><![CDATA[<!-- wp:p --><p>{BODY}</p>[gallery ids="1"] [caption a="b"]Sea[/caption]]]></content:encoded>
<wp:post_id>{number}</wp:post_id><wp:post_date_gmt>2026-03-01 09:30:00</wp:post_date_gmt>
<wp:status>{state}</wp:status><wp:post_type>{kind}</wp:post_type><wp:post_password></wp:post_password>
<category domain="category" nicename="news">News</category><category domain="post_tag">ferry</category>
<wp:attachment_url>https://h.example/i.jpg</wp:attachment_url>
<wp:postmeta><wp:meta_key>_thumbnail_id</wp:meta_key><wp:meta_value>3</wp:meta_value></wp:postmeta></item>
"""
        for number, state, kind in ((1, "publish", "post"), (2, "future", "page"), (3, "inherit", "attachment"))
    )
    + "</channel></rss>"
)
GHOST = {
    "db": [{"meta": {"exported_on": 1772442000000}, "data": {
        "posts": [
            {"id": "p1", "title": "Ferry", "slug": "ferry", "html": f"<p>{BODY}</p>", "status": "published",
             "published_at": "2026-03-01T09:30:00.000Z", "feature_image": "__GHOST_URL__/i.jpg"},
            {"id": "p2", "title": "Tide", "slug": "tide", "type": "page", "status": "scheduled", "lexical": json.dumps(
                {"root": {"type": "root", "children": [{"type": "paragraph", "children": [
                    {"type": "text", "text": BODY}, {"type": "linebreak"}]}, {"type": "html", "html": "<p>A</p>"}]}})},
            {"id": "p3", "title": "Sea", "slug": "sea", "mobiledoc": json.dumps(
                {"cards": [["markdown", {"markdown": "A"}]], "sections": [[1, "p", [[0, [], 0, BODY]]], [10, 0]]})},
        ],
        "posts_meta": [{"post_id": "p1", "feature_image_alt": "A ferry"}],
        "tags": [{"id": "t1", "name": "News"}, {"id": "t2", "name": "#similar-off"}],
        "posts_tags": [{"post_id": "p1", "tag_id": "t2", "sort_order": 1},
                       {"post_id": "p1", "tag_id": "t1", "sort_order": 0}],
        "users": [{"id": "u1", "name": "Ann Lee"}],
        "posts_authors": [{"post_id": "p1", "author_id": "u1", "sort_order": 0}],
        "settings": [{"key": "locale", "value": "en"}],
    }}]
}  # fmt: skip
NINJS = {
    "uri": "https://h.example/1",
    "type": "text",
    "language": "en",
    "versionCreated": "2026-03-01T09:30:00Z",
    "embargoed": "2026-03-02T09:30:00Z",
    "pubStatus": "usable",
    "by": "Ann Lee",
    "headlines": [{"role": "main", "value": "Ferry"}],
    "bodies": [{"role": "main", "contentType": "text/html", "value": f"<p>{BODY}</p>"}],
    "subjects": [{"name": "transport"}],
    "associations": [{"type": "picture", "descriptions": [{"value": "A ferry"}], "renditions": [
        {"name": "main", "href": "https://h.example/i.jpg", "width": 900}]}],
}  # fmt: skip
JSON_FEED = {
    "version": "https://jsonfeed.org/version/1.1",
    "language": "en",
    "authors": [{"name": "Ann Lee"}],
    "items": [
        {"id": "1", "url": "https://h.example/1", "title": "Ferry", "content_html": f"<p>{BODY}</p>", "tags": ["a"]},
        {"id": "2", "title": "Tide", "content_text": BODY, "date_published": "2026-03-01T09:30:00Z"},
    ],
}
SITEMAP = (
    """<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"
 xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">"""
    + "".join(
        f"""<url><loc>https://h.example/{number}</loc><lastmod>2026-03-02</lastmod><news:news>
<news:publication><news:name>H</news:name><news:language>en</news:language></news:publication>
<news:publication_date>2026-03-01T10:30:00+01:00</news:publication_date><news:title>Ferry {number}</news:title>
<news:keywords>ferry, strike</news:keywords></news:news><image:image><image:loc>https://h.example/i.jpg</image:loc>
</image:image></url>
"""
        for number in (1, 2)
    )
    + "</urlset>"
)


def feeds() -> tuple[bytes, bytes]:
    """RSS and Atom, as a library writes them."""
    feed = FeedGenerator()
    feed.id("https://h.example/")
    feed.title("Harbor Times")
    feed.link(href="https://h.example/")
    feed.description("News")
    feed.language("en")
    for number in (1, 2):
        entry = feed.add_entry()
        entry.id(f"https://h.example/{number}")
        entry.title("Ferry & tide")
        entry.link(href=f"https://h.example/{number}")
        entry.published("2026-03-01T09:30:00Z")
        entry.author({"name": "Ann Lee", "email": "ann@h.example"})
        entry.category({"term": "ferry"})
        entry.content(f'<p>{BODY}</p><img src="/i.jpg">', type="CDATA")
    return feed.rss_str(pretty=True), feed.atom_str(pretty=True)


def parquet() -> bytes:
    """Two rows, with a moment and a day."""
    dates = {"published_at": datetime(2026, 3, 1, 9, 30, tzinfo=UTC), "updated_at": date(2026, 3, 2)}
    rows = [{"id": str(number), "title": "Ferry", "body": BODY, "tags": ["a", "b"], **dates} for number in (1, 2)]
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), stream)
    return stream.getvalue()


def as_database(rows: Sequence[Sequence[Any]]) -> bytes:
    """An SQLite file with rows of `TABLE`; values are of any type that it takes."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute(f"CREATE TABLE articles ({', '.join(TABLE)})")
        connection.executemany("INSERT INTO articles VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.commit()
        return connection.serialize()


def as_zip(files: dict[str, bytes]) -> bytes:
    """A zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def as_tar(files: dict[str, bytes]) -> bytes:
    """A tar archive, packed with gzip."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def lines(values: list[dict[str, Any]]) -> bytes:
    """JSON lines."""
    return "\n".join(json.dumps(value) for value in values).encode()


def as_json(value: object) -> bytes:
    """A JSON document, on several lines."""
    return json.dumps(value, indent=1).encode()


RSS, ATOM = feeds()
FILES = {"a.jsonl": lines(RECORDS), "b/c.html": HTML.encode(), "d.xml": RSS, "e.txt": PAGE.encode()}
SEEDS: dict[str, tuple[Seed, ...]] = {
    "wordpress": (
        Seed("a.xml", WORDPRESS.encode()),
        Seed("a.wxr", WORDPRESS.replace("UTF-8", "UTF-16").encode("utf-16"), "wordpress"),
    ),
    "sitemap": (Seed("a.xml", SITEMAP.encode(), "sitemap"),),
    "feed": (Seed("a.rss", RSS), Seed("a.atom", ATOM, "feed"), Seed("a.json", as_json(JSON_FEED), "feed")),
    "ghost": (Seed("a.json", as_json(GHOST), "ghost"), Seed("b.json", as_json(GHOST["db"][0]))),
    "ninjs": (
        Seed("a.json", as_json([NINJS, NINJS | {"uri": "urn:x:2"}]), "ninjs"),
        Seed("a.ndjson", lines([NINJS, NINJS | {"uri": "urn:x:2"}]), "ninjs"),
        Seed("b.json", as_json(NINJS)),
    ),
    "jsonl": (
        Seed("a.jsonl", lines(RECORDS), "jsonl"),
        Seed("a.json", as_json(RECORDS)),
        Seed("b.json", as_json({"articles": RECORDS}), "jsonl"),
    ),
    "csv": (Seed("a.csv", CSV.encode()), Seed("a.tsv", CSV.replace(",", "\t").encode())),
    "parquet": (Seed("a.parquet", parquet()),),
    "html": (Seed("a.html", HTML.encode()),),
    "markdown": (
        Seed("a.md", MARKDOWN_YAML.encode()),
        Seed("b.md", MARKDOWN_TOML.encode()),
        Seed("2026-03-01-c.md", MARKDOWN_JSON.encode(), "markdown"),
    ),
    "page": (Seed("a.txt", PAGE.encode()),),
}
"""Of every row of the table of formats."""
PICK_SEEDS = (
    Seed("picks.csv", PICKS.encode()),
    Seed("picks.jsonl", lines([{"source_id": "a", "target_id": "b", "rank": 1}] * 3)),
)
RAW_ROWS = [[f"a-{number}", "Ferry", BODY, f"2026-03-0{number}", '["a"]', "published"] for number in (1, 2, 3)]
DATABASE_SEEDS = (Seed("a.db", as_database(RAW_ROWS), DATABASE),)
ARCHIVE_SEEDS = (
    Seed("a.zip", as_zip(FILES)),
    Seed("a.tar.gz", as_tar(FILES)),
    Seed("a.jsonl.gz", gzip.compress(lines(RECORDS), mtime=0)),
    Seed("a.xml.gz", gzip.compress(WORDPRESS.encode(), mtime=0)),
)
