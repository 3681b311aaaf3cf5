"""Articles become the items of a block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from posixpath import dirname, relpath
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from simrec.text import excerpt, safe_url
from simrec.types import Article, Block, BlockItem


def compose(
    source: Article,
    lang: str,
    chosen: Iterable[tuple[Article, float, Mapping[str, Any]]],
    *,
    excerpt_words: int = 25,
    shortfall: str | None = None,
) -> Block:
    """Makes the block of `source` from articles, their scores and reasons, best first.

    Args:
        source: the page that the block stands under.
        lang: the page's language, for the heading and the dates.
        chosen: articles with score and reasons.
        excerpt_words: words of each excerpt, 0 for none.
        shortfall: why there are fewer items than asked for.
    """
    items = tuple(
        BlockItem(
            id=article.id,
            title=article.title,
            url=seen_from(source.url, safe_url(article.url)),
            score=score,
            reasons=reasons,
            published_at=article.published_at,
            lang=article.lang or lang,
            image=seen_from(source.url, safe_url(article.image)),
            image_alt=article.image_alt,
            excerpt=excerpt(article.body, excerpt_words) if excerpt_words else "",
        )
        for article, score, reasons in chosen
    )
    return Block(source, lang, items, shortfall)


def seen_from(page: str | None, url: str | None) -> str | None:
    """A URL as a page must write it: where both are paths in one site, the way from the page to the URL.

    >>> seen_from("news/2024/a.html", "news/2023/b.html"), seen_from("https://x.example/a", "b.html")
    ('../2023/b.html', 'b.html')
    """
    if not page or not url or not _is_path(page) or not _is_path(url):
        return url
    parts = urlsplit(url)
    way = relpath(parts.path, dirname(urlsplit(page).path) or ".")
    if parts.path.endswith("/"):
        way += "/"
    way = f"./{way}" if ":" in way.split("/")[0] else way
    return urlunsplit(parts._replace(path=way))


def from_site(block: Block, url: str | None, site_url: str) -> str | None:
    """A URL that a block's page writes, for those who are not on the page: absolute where the site's URL is known.

    >>> page = Article("a", "A", "...", url="news/2024/a.html")
    >>> from_site(Block(page, "en", ()), "../2023/b.html", "https://x.example/")
    'https://x.example/news/2023/b.html'
    """
    if url is None:
        return None
    try:
        return urljoin(urljoin(site_url, safe_url(block.page.url) or ""), url)
    except ValueError:  # an address that nobody can join
        return url


def page_url(block: Block, site_url: str) -> str | None:
    """The address of a block's page: absolute where the site's URL is known; None where the page has none."""
    url = safe_url(block.page.url)
    return urljoin(site_url, url) if url else None


def _is_path(url: str) -> bool:
    """Whether a URL is a path below the site's root: no scheme, no host, no leading slash, dot or query."""
    parts = urlsplit(url)
    return not parts.scheme and not parts.netloc and bool(parts.path) and parts.path[0] not in "/."
