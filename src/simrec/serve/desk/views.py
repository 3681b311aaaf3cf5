"""The desk's pages: templates, files beside them, and the headers that all of them have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import nh3
from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from simrec.block.languages import direction
from simrec.text import safe_url

HERE = Path(__file__).parent
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with "no-referrer", browsers would not say which origin a form comes from
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
TAGS = {
    *("a", "abbr", "article", "b", "blockquote", "br", "cite", "code", "dd", "div", "dl", "dt", "em", "figcaption"),
    *("figure", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "li", "ol", "p", "q", "small", "span", "strong", "sub"),
    *("sup", "time", "u", "ul"),
}
"""Elements of a block that are shown; no landmark, for the desk has its own."""
ATTRIBUTES = {
    "*": {"lang", "dir", "class"},
    "a": {"href", "hreflang"},
    "img": {"src", "alt", "loading"},
    "time": {"datetime"},
}


@dataclass(frozen=True, slots=True)
class File:
    """A file beside the pages."""

    body: bytes
    kind: str


class Pages:
    """Renders the desk's pages.

    Args:
        title: the site's name.
        site_url: its address, "" where it is not known.
    """

    def __init__(self, title: str, site_url: str = "") -> None:
        self.files: dict[str, File] = {}
        self._names: dict[str, str] = {}
        for path in sorted((HERE / "static").iterdir()):
            if path.suffix in KINDS:
                body = path.read_bytes()
                name = f"{path.stem}.{sha256(body).hexdigest()[:12]}{path.suffix}"
                self.files[name] = File(body, KINDS[path.suffix])
                self._names[path.name] = name
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"day": day, "moment": moment, "direction": direction}
        self._environment.filters["link"] = partial(link, site_url=site_url)
        self._environment.globals |= {
            "static": self.static, "site": title, "desk_url": desk_url, "article_url": article_url,
        }  # fmt: skip

    def static(self, name: str) -> str:
        """The address of a file beside the pages: another one whenever the file is another."""
        return f"/desk/static/{self._names[name]}"

    def render(self, name: str, context: Mapping[str, Any], *, status: int = 200) -> HTMLResponse:
        """A page, with its headers."""
        text = self._environment.get_template(name).render(context)
        return HTMLResponse(text.encode("utf-8", "replace"), status, headers=HEADERS)

    def file(self, name: str) -> Response | None:
        """A file beside the pages, that may be kept for ever; None where there is none of that name."""
        found = self.files.get(name)
        if found is None:
            return None
        kept = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
        return Response(found.body, media_type=found.kind, headers=kept)


def desk_url(path: str, **query: object) -> str:
    """An address at the desk; what is None is left out of the query."""
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return f"/desk{path}?{urlencode(given, quote_via=quote)}" if given else f"/desk{path}"


def article_url(id_: str, **query: object) -> str:
    """The address of an article's page at the desk."""
    return desk_url("/article", id=id_, **query)


def link(url: str | None, site_url: str = "") -> str | None:
    """An address that may be linked from the desk: a whole one, by http or https, or one of the site's."""
    safe = safe_url(url)
    try:
        safe = urljoin(site_url, safe) if safe else None
        return safe if safe and urlsplit(safe).scheme in ("http", "https") and urlsplit(safe).netloc else None
    except ValueError:
        return None


def day(value: datetime | None) -> str:
    """A date.

    >>> day(datetime(2024, 3, 1))
    '1 Mar 2024'
    """
    return f"{value.day} {value:%b %Y}" if value else ""


def moment(value: datetime | str) -> Markup:
    """A moment, or its ISO text, which scripts put into the reader's own time zone."""
    utc = (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)
    return Markup('<time datetime="{}" data-local>{} {:%H:%M} UTC</time>').format(
        utc.isoformat(timespec="seconds"), day(utc), utc
    )


def clean(html: str) -> Markup:
    """A block's HTML without anything that acts, or that could be taken for a part of the desk."""
    return Markup(  # noqa: S704 - cleaned on the way
        nh3.clean(
            html, tags=TAGS, attributes=ATTRIBUTES, url_schemes={"http", "https"}, link_rel="noopener nofollow",
            clean_content_tags={"script", "style"},
        )
    )  # fmt: skip


def telling(path: str, number: object) -> str:
    """A path of the desk that tells of an act, by its number."""
    return path if number is None else f"{path}{'&' if '?' in path else '?'}done={number}"


def local(path: str | None) -> str:
    """Where to go on: a path of the desk; its first page for anything else.

    >>> local("/desk/log?who=Anna"), local("//evil.example"), local("/desk/../\\\\evil")
    ('/desk/log?who=Anna', '/desk', '/desk')
    """
    if not path or not path.isprintable() or "\\" in path or len(path) > 2000:
        return "/desk"
    rest = path.removeprefix("/desk")
    segments = rest.partition("?")[0].split("/")
    if rest == path or (rest and rest[0] not in "/?") or "//" in rest.partition("?")[0] or ".." in segments:
        return "/desk"
    return path
