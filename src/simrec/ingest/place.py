"""Where a Markdown file stands in its site, and the URL that Hugo, Jekyll or Eleventy gives its page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from posixpath import basename, splitext

from simrec.ingest.project import DRAFTS, Project, Tool

JEKYLL_STYLES = {
    "date": "/:categories/:year/:month/:day/:title.html",
    "pretty": "/:categories/:year/:month/:day/:title/",
    "ordinal": "/:categories/:year/:y_day/:title.html",
    "none": "/:categories/:title.html",
}
_DATED = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})-(.+)")
_TOKEN = re.compile(r":([a-z_]+)|:\{([a-z_]+)\}")
_JEKYLL_FOLDERS = ("_posts", DRAFTS)


@dataclass(frozen=True)
class Place:
    """A file's place.

    Attributes:
        tool: whose rules hold; None where nothing tells.
        folder: the folders above it that a URL shows, "" at the top; of a bundle, those above the bundle.
        name: without extension, language and Jekyll's date; of a bundle, the bundle's.
        lang: the language in its name.
        date: the day in its name.
        bundle: it is the ``index.md`` of a folder of its own.
        post: it is one of Jekyll's posts; `draft`: one of its drafts.
        id: the path without its extension; of a bundle, the folder.
    """

    tool: Tool | None
    folder: str
    name: str
    lang: str | None
    date: datetime | None
    bundle: bool
    post: bool
    draft: bool
    id: str

    @property
    def section(self) -> str | None:
        """The first folder, as Hugo has it; of Jekyll's collections without the underscore."""
        return self.folder.split("/")[0].removeprefix("_") or None

    @property
    def path(self) -> str:
        """The path in the site, without extension."""
        return "/".join(part for part in (self.folder, self.name) if part)


def place_of(path: str, project: Project | None) -> Place:
    """The place of a file, given its path from the content folder.

    >>> place = place_of("posts/bridge/index.de.md", None)
    >>> place.folder, place.name, place.lang, place.bundle, place.id
    ('posts', 'bridge', 'de', True, 'posts/bridge.de')
    >>> place_of("blog/_posts/2024-01-31-the-bridge.md", None).path
    'blog/the-bridge'
    """
    folders, stem = path.removesuffix(".gz").split("/")[:-1], splitext(basename(path.removesuffix(".gz")))[0]
    tool: Tool | None = project.tool if project else None
    kinds = [name for name in _JEKYLL_FOLDERS if name in folders] if tool in (None, "jekyll") else []
    tool = tool or ("jekyll" if kinds else None)
    stem, lang = _without_language(stem, project) if tool in (None, "hugo") else (stem, None)
    name, date = _without_date(stem) if kinds or tool == "eleventy" else (stem, None)
    bundle = name == "index" and bool(folders)
    shown = [folder for folder in folders if folder not in kinds]
    parts = [*folders] if bundle else [*folders, stem]
    if bundle:
        name, shown = shown[-1] if shown else "index", shown[:-1]
    elif tool == "eleventy" and shown and name == shown[-1]:
        shown = shown[:-1]  # posts/posts.md is the page of posts/
    id_ = "/".join(parts) + (f".{lang}" if lang else "")
    return Place(tool, "/".join(shown), name, lang, date, bundle, "_posts" in kinds, DRAFTS in kinds, id_)


def page_url(
    place: Place, given: str | None, slug: str | None, moment: datetime | None, categories: Sequence[str],
    project: Project | None,
) -> str | None:  # fmt: skip
    """The URL of a page; a path where the site does not say where it is.

    Args:
        place: of its file.
        given: what `permalink` or `url` says.
        slug: what `slug` says.
        moment: the article's date.
        categories: as they are written.
        project: the site.
    """
    tokens = _tokens(place, slug, moment or place.date, categories)
    if given and place.tool == "jekyll":
        given = _expand(JEKYLL_STYLES.get(given, given), tokens)
    path = given or _own_path(place, slug, tokens, project)
    if "://" in path:
        return path
    path = f"/{path.lstrip('/')}"
    if path.endswith("/index.html"):
        path = path.removesuffix("index.html")
    return f"{project.base if project else ''}{path}"


def _own_path(place: Place, slug: str | None, tokens: Mapping[str, str], project: Project | None) -> str:
    if place.tool == "jekyll":
        style = (project.permalinks.get("") if project else None) or "date"
        pattern = JEKYLL_STYLES.get(style, style)
        if place.post or place.draft:
            return _expand(pattern, tokens)
        path = place.path.removeprefix("_")
        if path == "index":
            return ""
        return f"{path}/" if place.bundle or pattern.endswith("/") else f"{path}.html"
    lang = place.lang if place.lang and place.lang != (project.lang if project else None) else None
    start = f"{lang}/" if lang else ""
    pattern = project.permalinks.get(place.folder.split("/")[0], "") if project else ""
    if pattern:
        return start + _expand(pattern, tokens).lstrip("/")
    path = "/".join(part for part in (place.folder, slug or place.name) if part)
    if place.tool == "hugo":
        path = re.sub(r"\s+", "-", path).lower()
    return start + ("" if path == "index" else f"{path}/")


def _tokens(place: Place, slug: str | None, moment: datetime | None, categories: Sequence[str]) -> dict[str, str]:
    day = moment or datetime(1970, 1, 1, tzinfo=UTC)
    title = slug or place.name
    parts = {
        "year": f"{day.year:04}", "month": f"{day.month:02}", "day": f"{day.day:02}", "short_year": f"{day:%y}",
        "i_month": str(day.month), "i_day": str(day.day), "y_day": f"{day:%j}", "yearday": str(int(f"{day:%j}")),
        "hour": f"{day:%H}", "minute": f"{day:%M}", "second": f"{day:%S}", "output_ext": ".html",
        "section": place.section or "", "sections": place.folder, "path": place.path, "collection": place.section or "",
        "categories": "/".join("-".join(category.lower().split()) for category in categories),
    }  # fmt: skip
    names = ("filename", "contentbasename", "basename", "name")
    titles = ("title", "slug", "slugorfilename", "slugorcontentbasename")
    return parts | dict.fromkeys(names, place.name) | dict.fromkeys(titles, "-".join(title.split()))


def _expand(pattern: str, tokens: Mapping[str, str]) -> str:
    """A URL of a pattern; what is empty leaves no double slash."""
    filled = _TOKEN.sub(lambda found: tokens.get(found[1] or found[2], found[0]), pattern)
    return re.sub(r"(?<!:)/{2,}", "/", filled)


def _without_date(stem: str) -> tuple[str, datetime | None]:
    found = _DATED.fullmatch(stem)
    if not found:
        return stem, None
    try:
        return found[4], datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=UTC)
    except ValueError:
        return stem, None


def _without_language(stem: str, project: Project | None) -> tuple[str, str | None]:
    """Hugo's ``bridge.de``, where the end is one of the site's languages, or else a language."""
    name, dot, end = stem.rpartition(".")
    known = project.languages if project and project.languages else _languages()
    return (name, end.lower()) if dot and name and end.lower() in known else (stem, None)


@cache
def _languages() -> frozenset[str]:
    from babel import Locale

    return frozenset(code for code in map(str, Locale("en").languages) if len(code) == 2)
