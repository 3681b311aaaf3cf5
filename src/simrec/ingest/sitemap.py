"""News sitemaps: titles, dates and keywords of a site's news, without their texts."""

from __future__ import annotations

from collections.abc import Iterator

from simrec.ingest.entries import moment, to_entry
from simrec.ingest.record import split_list
from simrec.ingest.source import MEGABYTE, SourceFile
from simrec.ingest.xml import Broken, Node, records
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

ROOTS = ("urlset", "sitemapindex")


def read(source: SourceFile, settings: IngestSettings) -> Iterator[Entry | Reject]:
    """The news of a sitemap.

    A sitemap has no texts: the title is the body, so that an article can be matched by it and by its keywords. Such an
    article, known by its address, never replaces one with a text of its own.
    """
    empty = True
    with source.open() as stream:
        for item in records(stream, ROOTS, 1, settings.max_record_mb * MEGABYTE):
            empty = False
            if isinstance(item, Broken):
                yield Reject(source.file, item.line, item.reason)
            elif item.name == "sitemap":
                reason = f"an index names {item.value('loc')[:200] or 'another sitemap'}: name that one as a source"
                yield Reject(source.file, item.line, reason)
            elif item.name == "url":
                yield _entry(item, source, settings)
    if empty:
        yield Reject(source.file, None, "the sitemap is empty")


def _entry(item: Node, source: SourceFile, settings: IngestSettings) -> Entry | Reject:
    news = next(iter(item.all("news:news")), None)
    title = news.value("news:title") if news else ""
    if news is None or not title:
        reason = "no news:title: of a page that is no news, only the page itself can be read"
        return Reject(source.file, item.line, reason)
    publication = next(iter(news.all("news:publication")), None)
    picture = next(iter(item.all("image:image")), None)
    record = {
        "id": item.value("loc"),
        "title": title,
        "body": title,
        "url": item.value("loc"),
        "published_at": moment(news.value("news:publication_date")),
        "updated_at": moment(item.value("lastmod")),
        "tags": split_list(news.value("news:keywords")),
        "lang": publication.value("news:language") if publication else None,
        "image": picture.value("image:loc") if picture else None,
        "image_alt": picture.value("image:caption", "image:title") if picture else None,
        "genres": news.value("news:genres") or None,
    }
    return to_entry(record, source, item.line, settings, copy=True)
