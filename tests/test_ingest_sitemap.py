"""News sitemaps, to the letter of their specification."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from simrec.ingest import read
from simrec.pipeline.ingest import ingest
from simrec.pipeline.workspace import Workspace
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

SITEMAP = """<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
        xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"
        xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
  <url>
    <loc>https://h.example/ferry.html</loc>
    <lastmod>2026-03-02</lastmod>
    <news:news>
      <news:publication><news:name>Harbor Times</news:name><news:language>en</news:language></news:publication>
      <news:publication_date>2026-03-01T10:30:00+01:00</news:publication_date>
      <news:title>Ferry &amp; tide</news:title>
      <news:keywords>ferry, strike</news:keywords>
    </news:news>
    <image:image><image:loc>https://h.example/i.jpg</image:loc><image:caption>A ferry</image:caption></image:image>
  </url>
  <url><loc>https://h.example/about.html</loc></url>
</urlset>
"""


def both(path: Path) -> tuple[list[Entry], list[Reject]]:
    """Entries and rejects of a file."""
    found = list(read([path], IngestSettings()))
    return [f for f in found if isinstance(f, Entry)], [f for f in found if isinstance(f, Reject)]


def test_news_become_articles_with_their_titles_as_bodies(tmp_path: Path) -> None:
    """A page that is no news is a reject that says where its text must come from."""
    (tmp_path / "news.xml").write_text(SITEMAP, encoding="utf-8")
    workspace = Workspace.open(tmp_path / "site", create=True)
    report = ingest(workspace, [tmp_path / "news.xml"])
    with workspace.store() as store:
        (article,) = store.articles()
    assert (article.id, article.url) == ("https://h.example/ferry.html", "https://h.example/ferry.html")
    assert (article.title, article.body, article.tags) == ("Ferry & tide", "Ferry & tide", ("ferry", "strike"))
    assert article.published_at == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    assert (article.lang, article.image, article.image_alt) == ("en", "https://h.example/i.jpg", "A ferry")
    assert [(reject.line, "news:title" in reject.reason) for reject in report.rejects] == [(16, True)]


def test_an_article_with_a_text_is_not_replaced(tmp_path: Path) -> None:
    """Whatever comes first: the text stays, or takes the title's place."""
    whole = {"id": "https://h.example/ferry.html", "title": "Ferry", "body": "The ferry sails again on Monday."}
    (tmp_path / "whole.jsonl").write_text(json.dumps(whole), encoding="utf-8")
    (tmp_path / "news.xml").write_text(SITEMAP, encoding="utf-8")
    for order in (["whole.jsonl", "news.xml"], ["news.xml", "whole.jsonl"]):
        workspace = Workspace.open(tmp_path / f"site-{order[0]}", create=True)
        for name in order:
            ingest(workspace, [tmp_path / name])
        with workspace.store() as store:
            assert [article.body for article in store.articles()] == ["The ferry sails again on Monday."]


def test_other_prefixes_are_the_same(tmp_path: Path) -> None:
    """Namespaces count, not what a file calls them."""
    text = SITEMAP.replace("news:", "n:").replace("xmlns:news", "xmlns:n")
    (tmp_path / "news.xml").write_text(text, encoding="utf-8")
    assert len(both(tmp_path / "news.xml")[0]) == 1


def test_an_index_names_what_to_read(tmp_path: Path) -> None:
    """Nothing is fetched."""
    text = """<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><sitemap>
<loc>https://h.example/news.xml</loc></sitemap></sitemapindex>"""
    (tmp_path / "index.xml").write_text(text, encoding="utf-8")
    entries, rejects = both(tmp_path / "index.xml")
    assert entries == []
    assert ["https://h.example/news.xml" in reject.reason for reject in rejects] == [True]


def test_a_cut_off_sitemap_keeps_what_was_read(tmp_path: Path) -> None:
    """One reject says where it ends."""
    (tmp_path / "news.xml").write_text(SITEMAP[: SITEMAP.index("<url><loc>https://h.example/about")], encoding="utf-8")
    entries, rejects = both(tmp_path / "news.xml")
    assert len(entries) == 1
    assert [(reject.line, "too early" in reject.reason) for reject in rejects] == [(16, True)]
