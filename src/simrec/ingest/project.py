"""The folder of a static site generator: which tool it is, where its content lies, and what its settings say of URLs.

A file's path, and with it its id, counts from the content folder, whichever part of the site is named as a source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from zoneinfo import ZoneInfo

from simrec.ingest.front_matter import FrontMatterError, load

Tool = Literal["hugo", "jekyll", "eleventy"]

MARKDOWN = ("md", "markdown", "mdx")
TABLES = (".jsonl", ".ndjson", ".parquet")
DRAFTS = "_drafts"
"""Jekyll's folder of drafts."""
MAX_ABOVE = 12
"""Folders above a source that are looked at for a tool's settings."""
MAX_CONFIG = 1_000_000

_HUGO = tuple(
    f"{folder}{name}.{kind}"
    for folder in ("", "config/_default/")
    for name in ("hugo", "config")
    for kind in ("toml", "yaml", "yml", "json")
)
_JEKYLL = ("_config.yml", "_config.yaml", "_config.toml")
_ELEVENTY = tuple(
    name for kind in ("js", "mjs", "cjs", "ts") for name in (f"eleventy.config.{kind}", f".eleventy.{kind}")
)
_INPUT = re.compile(r"""\binput\s*:\s*["']([^"'\n]{1,200})["']""")
_KINDS = {"yml": "yaml", "yaml": "yaml", "toml": "toml", "json": "json"}
_LIST_PAGE = re.compile(r"_index(?:\.[a-z-]{2,10})?\.(?:md|markdown|mdx)", re.IGNORECASE)
_ABOUT_THE_FILES = frozenset(
    f"{name}.md" for name in ("readme", "license", "changelog", "contributing", "security", "code_of_conduct")
)
_TOOLS_OWN = frozenset(("node_modules", "vendor", "_includes", "_layouts", "_site", "_data", "_sass", "_plugins"))


@dataclass(frozen=True)
class Project:
    """A site's folder, `content` where its articles lie, and what is known of its URLs.

    `folders` are those of Jekyll with an underscore that become pages, `excluded` the paths that do not. `zones` are
    those that the settings name, by language, "" for the site.
    """

    tool: Tool
    root: Path
    content: Path
    base: str = ""
    permalinks: Mapping[str, str] = field(default_factory=dict)
    lang: str | None = None
    languages: tuple[str, ...] = ()
    folders: frozenset[str] = frozenset()
    excluded: tuple[str, ...] = ()
    zones: Mapping[str, tzinfo] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses a content folder that lies outside of the site.

        Raises:
            OutsideError: it does.
        """
        if not self.content.is_relative_to(self.root.resolve()):
            raise OutsideError(self.root.name)

    def zone(self, lang: str | None = None) -> tzinfo:
        """In what a date without an offset is meant, of an article in a language or in the site's own."""
        return self.zones.get(lang or self.lang or "") or self.zones.get("", UTC)

    def makes_page(self, inner: str) -> bool:
        """Whether the tool makes a page of a Markdown file of the content folder, or shows it as a draft.

        Hugo makes none of the files beside a leaf bundle's ``index.md`` and below; Jekyll none of what is excluded, and
        of folders with an underscore only of posts, drafts and collections that are put out.
        """
        path = PurePosixPath(inner)
        if self.tool == "hugo":
            is_index = path.name in self._index_names()
            above = path.parents[1:-1] if is_index else path.parents[:-1]
            return not any((self.content / folder / name).is_file() for folder in above for name in self._index_names())
        if self.tool == "jekyll":
            hidden = any(part.startswith("_") and part not in self.folders for part in path.parts)
            return not hidden and not any(_is_below(path, pattern) for pattern in self.excluded)
        return True

    def _index_names(self) -> list[str]:
        langs = ["", *(f".{lang}" for lang in dict.fromkeys((*self.languages, self.lang or "en")))]
        return [f"index{lang}.{kind}" for kind in ("md", "markdown", "html") for lang in langs]

    def inner(self, path: Path) -> str:
        """A file's path from the content folder."""
        return path.resolve().relative_to(self.content).as_posix()

    def holds(self, inner: str) -> bool:
        """Whether a file of the content folder may hold articles: Markdown, or tables that no tool makes pages of."""
        kept = is_markdown(inner) or inner.lower().removesuffix(".gz").endswith(TABLES)
        return kept and not _TOOLS_OWN & set(PurePosixPath(inner).parts[:-1])


class OutsideError(ValueError):
    """The content folder that a site's settings name lies outside of the site."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the settings of {name} name a content folder outside of it: name that folder as a source")


def is_markdown(name: str) -> bool:
    """Whether a file's name is that of Markdown."""
    return name.lower().removesuffix(".gz").rpartition(".")[2] in MARKDOWN


def is_no_article(name: str) -> bool:
    """Whether a file's name says that it is a list page (``_index.md``), or is about the files (``README.md``).

    >>> is_no_article("_index.de.md"), is_no_article("README.md"), is_no_article("readme-first.md")
    (True, True, False)
    """
    about = name.lower() in _ABOUT_THE_FILES and name.rpartition(".")[0].isupper()
    return about or bool(_LIST_PAGE.fullmatch(name))


def project_of(path: Path) -> Project | None:
    """The site that a source belongs to: a file or folder of its content, or the site's own folder.

    Raises:
        OutsideError: its settings name a content folder outside of it.
    """
    here = path.resolve()
    folders = [here, *here.parents] if here.is_dir() else list(here.parents)
    for folder in folders[:MAX_ABOVE]:
        project = _hugo(folder) or _jekyll(folder) or _eleventy(folder)
        if project:
            return project if here == project.root or _is_content(here, project.content) else None
    return None


def _is_content(here: Path, content: Path) -> bool:
    return here.is_relative_to(content) and not _TOOLS_OWN & set(here.relative_to(content).parts)


def _hugo(root: Path) -> Project | None:
    config = _first(root, _HUGO)
    if config is None or not (root / "content").is_dir():
        return None
    values = _values(config)
    content = (root / str(values.get("contentdir") or "content")).resolve()
    languages = values.get("languages")
    return Project(
        "hugo",
        root,
        content if content.is_dir() else (root / "content").resolve(),
        _base(values.get("baseurl")),
        _hugo_permalinks(values.get("permalinks")),
        str(values.get("defaultcontentlanguage") or "en").lower(),
        tuple(str(name).lower() for name in languages) if isinstance(languages, Mapping) else (),
        zones=_zones({"": values.get("timezone"), **_hugo_zones(languages)}),
    )


def _hugo_zones(languages: Any) -> dict[str, Any]:
    """The names of zones that languages have of their own."""
    found = languages.items() if isinstance(languages, Mapping) else ()
    own = [(str(lang).lower(), said) for lang, said in found if isinstance(said, Mapping)]
    return {lang: value for lang, said in own for name, value in said.items() if str(name).lower() == "timezone"}


def _zones(names: Mapping[str, Any]) -> dict[str, tzinfo]:
    """The zones of those names that are of one."""
    found: dict[str, tzinfo] = {}
    for lang, name in names.items():
        try:
            if isinstance(name, str) and name:
                found[lang] = ZoneInfo(name)
        except (LookupError, ValueError, OSError):
            continue
    return found


def _hugo_permalinks(values: Any) -> dict[str, str]:
    """URL patterns by section; newer settings have them below `page`."""
    if not isinstance(values, Mapping):
        return {}
    pages = values.get("page") if isinstance(values.get("page"), Mapping) else {}
    return {str(name): value for name, value in {**values, **(pages or {})}.items() if isinstance(value, str)}


def _jekyll(root: Path) -> Project | None:
    config = _first(root, _JEKYLL)
    if config is None:
        return None
    values = _values(config)
    source = root / str(values.get("source") or ".")
    permalink = values.get("permalink")
    base = _base(str(values.get("url") or "").rstrip("/") + str(values.get("baseurl") or ""))
    lang, exclude = values.get("lang"), values.get("exclude")
    return Project(
        "jekyll",
        root,
        source.resolve() if source.is_dir() else root,
        base,
        {"": permalink} if isinstance(permalink, str) else {},
        lang if isinstance(lang, str) else None,
        folders=frozenset(("_posts", DRAFTS, *_collections(values.get("collections")))),
        excluded=tuple(str(one) for one in (exclude if isinstance(exclude, list) else [exclude]) if one),
        zones=_zones({"": values.get("timezone")}),
    )


def _collections(values: Any) -> list[str]:
    """The folders of the collections that Jekyll puts out as pages."""
    found = values.items() if isinstance(values, Mapping) else ()
    return [f"_{name}" for name, said in found if isinstance(said, Mapping) and said.get("output") is True]


def _is_below(path: PurePosixPath, pattern: str) -> bool:
    """Whether a pattern of Jekyll's `exclude` means a file, or a folder above it."""
    wanted = pattern.strip().strip("/")
    return any(fnmatchcase(one.as_posix(), wanted) for one in (path, *path.parents[:-1]))


def _eleventy(root: Path) -> Project | None:
    config = _first(root, _ELEVENTY)
    if config is None:
        return None
    try:
        found = _INPUT.search(config.read_text(encoding="utf-8", errors="replace")[:MAX_CONFIG])
    except OSError:
        found = None
    content = (root / found[1]).resolve() if found else root
    return Project("eleventy", root, content if content.is_dir() else root)


def _first(root: Path, names: tuple[str, ...]) -> Path | None:
    return next((root / name for name in names if (root / name).is_file()), None)


def _values(config: Path) -> dict[str, Any]:
    """The settings of a site; none where they cannot be read, for its articles can be."""
    try:
        if config.stat().st_size > MAX_CONFIG:
            return {}
        return load(_KINDS[config.suffix.lower()[1:]], config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, FrontMatterError):
        return {}


def _base(url: Any) -> str:
    """What stands before the path of a URL: nothing for a site that does not say where it is, or only for trying it."""
    text = str(url or "").strip().rstrip("/")
    return (
        "" if re.match(r"https?://(?:localhost|127\.0\.0\.1|(?:www\.)?example\.(?:org|com))(?:[:/]|$)", text) else text
    )
