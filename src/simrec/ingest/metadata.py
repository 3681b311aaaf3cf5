"""What an HTML page says of itself: JSON-LD first, then Open Graph and other meta elements, then its elements."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from lxml.html import HtmlElement

from simrec.ingest.dates import parse_iso, parse_written
from simrec.ingest.record import split_list
from simrec.text import one_line

_ARTICLE_TYPE = re.compile(r"(?:Article|Posting|Report|Story|Review|Recipe)$")
_COMMAS = re.compile(r",\s*(?=[}\]])")
MAX_JSON_DEPTH = 12

PUBLISHED = ("article:published_time", "og:article:published_time", "datepublished", "date", "dc.date",
             "dc.date.issued",
             "dcterms.created", "dcterms.issued", "pubdate", "publishdate", "publish-date", "parsely-pub-date",
             "sailthru.date", "citation_publication_date")  # fmt: skip
UPDATED = (
    "article:modified_time",
    "og:updated_time",
    "datemodified",
    "dcterms.modified",
    "last-modified",
    "lastmod",
)
AUTHOR = (
    "author",
    "article:author",
    "dc.creator",
    "dcterms.creator",
    "parsely-author",
    "sailthru.author",
    "byl",
)
SECTION = ("article:section", "og:article:section", "articlesection", "parsely-section", "section")


def page_facts(tree: HtmlElement) -> dict[str, Any]:
    """The columns of a record, as far as the page tells: all but id, url and body. What it does not tell is absent.

    A page's title is its headline in JSON-LD, else its only h1, else og:title, else its title element.
    """
    item = _article_item(tree)
    meta = _meta(tree)
    image = _image(item) or {}
    published = [item.get("datePublished"), item.get("dateCreated"), *_all(meta, PUBLISHED), *_times(tree)]
    facts = {
        "title": _title(tree, item, meta),
        "published_at": _first_date(published),
        "updated_at": _first_date([item.get("dateModified"), *_all(meta, UPDATED)]),
        "authors": _names(item.get("author")) or _authors(tree, meta),
        "section": next(iter(_names(item.get("articleSection"))), None) or _first(meta, SECTION),
        "tags": _tags(item, meta),
        "image": image.get("url") or _first(meta, ("og:image", "og:image:url", "twitter:image")),
        "image_alt": image.get("alt") or _first(meta, ("og:image:alt", "twitter:image:alt")),
        "lang": _language(tree, item, meta),
    }
    return {name: value for name, value in facts.items() if value}


def page_urls(tree: HtmlElement) -> list[str]:
    """The page's own URLs as it gives them: the canonical one first."""
    item, meta = _article_item(tree), _meta(tree)
    canonical = [str(href) for href in tree.xpath("//link[translate(@rel,'CANOIL','canoil')='canonical']/@href")]
    entity = item.get("mainEntityOfPage")
    main = entity.get("@id") if isinstance(entity, Mapping) else entity
    named = [*canonical, *_all(meta, ("og:url",)), item.get("url"), main]
    return list(dict.fromkeys(url.strip() for url in named if isinstance(url, str) and _is_url(url.strip())))


def _is_url(text: str) -> bool:
    return bool(text) and " " not in text and not text.startswith("#")


def _article_item(tree: HtmlElement) -> Mapping[str, Any]:
    """The page's JSON-LD item that is an article; empty where there is none."""
    for script in tree.iter("script"):
        if "ld+json" in script.get("type", "").lower():
            for item in _items(_json(script.text or ""), 0):
                types = item.get("@type")
                names = types if isinstance(types, list) else [types]
                if any(isinstance(name, str) and _ARTICLE_TYPE.search(name) for name in names):
                    return item
    return {}


def _json(text: str) -> object:
    """JSON as pages hold it: in comments, with line breaks in strings, with commas too many."""
    text = (
        text.strip().removeprefix("<!--").removesuffix("-->").strip().removeprefix("//<![CDATA[").removesuffix("//]]>")
    )
    for attempt in (text, _COMMAS.sub("", text).rstrip("; \n")):
        try:
            return json.loads(attempt, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def _items(value: object, depth: int) -> Iterator[Mapping[str, Any]]:
    """All objects of a JSON-LD document, the outer ones first."""
    if depth > MAX_JSON_DEPTH:
        return
    if isinstance(value, list):
        for one in value:
            yield from _items(one, depth + 1)
    elif isinstance(value, Mapping):
        yield value
        for name in ("@graph", "mainEntity", "mainEntityOfPage", "itemListElement", "item"):
            yield from _items(value.get(name), depth + 1)


def _meta(tree: HtmlElement) -> dict[str, list[str]]:
    meta: dict[str, list[str]] = {}
    for element in tree.iter("meta"):
        content = element.get("content", "").strip()
        for attribute in ("property", "name", "itemprop", "http-equiv"):
            if content and element.get(attribute):
                meta.setdefault(str(element.get(attribute)).lower(), []).append(content)
    return meta


def _all(meta: Mapping[str, list[str]], names: tuple[str, ...]) -> list[str]:
    return [content for name in names for content in meta.get(name, [])]


def _first(meta: Mapping[str, list[str]], names: tuple[str, ...]) -> str | None:
    return next(iter(_all(meta, names)), None)


def _title(tree: HtmlElement, item: Mapping[str, Any], meta: Mapping[str, list[str]]) -> str:
    headings = [text for h1 in tree.iter("h1") if (text := one_line(h1.text_content()))]
    titles = [text for title in tree.xpath("//head/title|//title") if (text := one_line(title.text_content()))]
    graph = [_without_site(one_line(text), meta) for text in _all(meta, ("og:title", "twitter:title", "dc.title"))]
    headline = item.get("headline") or item.get("name")
    candidates = [
        one_line(headline) if isinstance(headline, str) else "",
        headings[0] if len(headings) == 1 else "",
        *graph,
        *(_without_site(text, meta) for text in titles),
        *headings,
    ]
    return next((text for text in candidates if text), "")


def _without_site(title: str, meta: Mapping[str, list[str]]) -> str:
    """A title without the site's name at its end."""
    for site in _all(meta, ("og:site_name", "application-name")):
        for divider in (" | ", " - ", " – ", " — ", " · ", " :: ", " » "):
            title = title.removesuffix(divider + one_line(site)) or title
    return title


def _first_date(values: list[Any]) -> datetime | None:
    for value in values:
        if not isinstance(value, str):
            continue
        try:
            return parse_iso(value)
        except ValueError:
            if written := parse_written(value):
                return written
    return None


def _times(tree: HtmlElement) -> list[str]:
    """Dates of the page's own time elements; those in lists of other articles do not count."""
    marked = tree.xpath("//*[@itemprop='datePublished']/@datetime|//*[@itemprop='datePublished']/@content")
    marked += tree.xpath("//time[@pubdate]/@datetime|//*[contains(@class,'entry-date')]/@datetime")
    plain = tree.xpath("//time[@datetime][not(ancestor::aside or ancestor::nav or ancestor::footer or ancestor::li)]")
    return [*map(str, marked), *(time.get("datetime", "") for time in plain[:1])]


def _names(value: object) -> list[str]:
    """Names, from strings, objects with a name, and lists of them."""
    found = value if isinstance(value, list) else [value]
    named = [one.get("name") if isinstance(one, Mapping) else one for one in found]
    flat = [one for name in named for one in (name if isinstance(name, list) else [name])]
    return list(dict.fromkeys(one_line(name) for name in flat if isinstance(name, str) and one_line(name)))


def _authors(tree: HtmlElement, meta: Mapping[str, list[str]]) -> list[str]:
    names = [one_line(name) for name in _all(meta, AUTHOR) if "://" not in name]
    if not names:
        linked = tree.xpath("//*[@rel='author']|//*[@itemprop='author']//*[@itemprop='name']|//*[@class='author']")
        names = [one_line(element.text_content()) for element in linked]
    return list(dict.fromkeys(name for name in names if name and len(name) < 100))


def _tags(item: Mapping[str, Any], meta: Mapping[str, list[str]]) -> list[str]:
    keywords = item.get("keywords")
    if isinstance(keywords, str):
        keywords = split_list(keywords)
    words = _names(keywords) or _all(meta, ("article:tag", "og:article:tag"))
    if not words:
        words = [word for text in _all(meta, ("keywords", "news_keywords")) for word in split_list(text)]
    return list(dict.fromkeys(one_line(str(word)) for word in words if str(word).strip()))


def _image(item: Mapping[str, Any]) -> dict[str, str] | None:
    value = item.get("image") or item.get("thumbnailUrl")
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, str):
        return {"url": first}
    if isinstance(first, Mapping) and isinstance(url := first.get("url") or first.get("contentUrl"), str):
        alt = first.get("caption") or first.get("description")
        return {"url": url, "alt": alt if isinstance(alt, str) else ""}
    return None


def _language(tree: HtmlElement, item: Mapping[str, Any], meta: Mapping[str, list[str]]) -> str | None:
    spoken = item.get("inLanguage")
    named = spoken.get("alternateName") if isinstance(spoken, Mapping) else spoken
    own = [str(tag) for tag in tree.xpath("//html/@lang|//html/@*[name()='xml:lang']")]
    found = [*own, named, *_all(meta, ("og:locale", "content-language", "dc.language"))]
    return next((tag.strip() for tag in found if isinstance(tag, str) and tag.strip()), None)
