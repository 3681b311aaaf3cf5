"""Markdown with front matter, as Hugo, Jekyll and Eleventy read it: a file, an article."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from posixpath import join
from typing import Any
from urllib.parse import quote, urljoin

from simrec.ingest import front_matter_fields as fields
from simrec.ingest.address import from_path, normalize
from simrec.ingest.dates import parse_iso
from simrec.ingest.front_matter import FrontMatterError, Stamp, split
from simrec.ingest.links import slug_key
from simrec.ingest.markdown_text import to_text
from simrec.ingest.place import page_url, place_of
from simrec.ingest.project import MARKDOWN
from simrec.ingest.record import is_missing, to_article
from simrec.ingest.source import MEGABYTE, SourceFile
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

MAX_MARKDOWN = 2_000_000
"""Characters of a text: what is made to be slow to read takes no longer than this many."""

_EXTENSION = re.compile(rf"\.(?:{'|'.join(MARKDOWN)})(?=$|[#?])", re.IGNORECASE)
_REFERENCE = re.compile(r"""\{[{%][<%]?-?\s*(?:post_url|link|ref|relref)\s+["']?([^\s"'%}>]+)""")
_TEMPLATE = re.compile(r"\{[{%]")
_TAKEN = frozenset(
    ("id", "title", "body", "url", "permalink", "slug", "draft", "published", "status", "layout", "taxonomies",
     *fields.PUBLISHED, *fields.UPDATED, *fields.EMBARGO, *fields.EXPIRES, *fields.TAGS, *fields.AUTHORS, *fields.LANGS,
     *fields.IMAGES, *fields.RELATED, *fields.ALIASES, "section", "category", "image_alt", "imagealt", "cover_alt")
)  # fmt: skip


def read(source: SourceFile, settings: IngestSettings) -> Iterator[Entry | Reject]:
    """The article of a file; its id is `id` in the front matter, or else its path without the extension."""
    data = source.read(settings.max_record_mb * MEGABYTE)
    try:
        values, markdown = split(_decoded(data))
        if len(markdown) > MAX_MARKDOWN:
            raise FrontMatterError(f"{len(markdown)} characters of Markdown: cut the text into parts")  # noqa: TRY301 - all refusals of it are caught in one place
        yield _File(source, values, markdown).entry(settings)
    except FrontMatterError as error:
        yield Reject(source.file, None, str(error))


def _decoded(data: bytes) -> str:
    if not data.strip():
        raise FrontMatterError("the file is empty")
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise FrontMatterError(f"invalid UTF-8 at byte {error.start + 1}: save the file as UTF-8") from error
    if "\x00" in text:
        raise FrontMatterError("the file holds NUL bytes: it is no Markdown")
    return text.replace("\r\n", "\n").replace("\r", "\n")


class _File:
    """A file under way: its front matter, its text, its place in the site."""

    def __init__(self, source: SourceFile, values: dict[str, Any] | None, markdown: str) -> None:
        taxonomies = (values or {}).get("taxonomies")
        self.source = source
        self.values: dict[str, Any] = {**(taxonomies if isinstance(taxonomies, Mapping) else {}), **(values or {})}
        self.bare = values is None
        self.markdown = markdown
        self.place = place_of(source.path, source.project)
        self.slug = fields.text(self.values.get("slug"))
        self.zone = source.project.zone(self.place.lang) if source.project else UTC
        day = self.place.date.replace(tzinfo=self.zone) if self.place.date else None
        self.published = self._moment(fields.published(self.values)) or day

    def entry(self, settings: IngestSettings) -> Entry | Reject:
        """The article, or why there is none."""
        title = fields.text(self.values.get("title")) or ""
        heading, body = to_text(self.markdown, title, modules=self.source.path.lower().endswith(".mdx"))
        if self.bare and not heading and not self.place.date:
            return Reject(self.source.file, None, "neither front matter nor a first heading: give it a title")
        record = self._record(title or heading or self._title_of_name(), body)
        article = to_article(record, settings)
        if isinstance(article, str):
            return Reject(self.source.file, None, article)
        found = fields.related(self.values)
        links = None if found is None else tuple(dict.fromkeys(self._link(link) for link in found if link))
        return Entry(article, self.source.file, None, links, self._addresses(article.id, article.url))

    def _record(self, title: str, body: str) -> dict[str, Any]:
        values = self.values
        spaced = self.place.tool == "jekyll"
        categories = [str(one) for one in fields.words(values.get("categories"), spaced=spaced)]
        categories = categories or [str(one) for one in fields.words(values.get("category"))]
        if spaced and not categories and self.place.section and self.place.post:
            categories = self.place.folder.split("/")  # Jekyll: the folders above _posts
        url = self._url(categories)
        image, alt = fields.image(values)
        record = {name: value for name, value in values.items() if name not in _TAKEN}
        record |= {
            "id": self.place.id if is_missing(values.get("id")) else values["id"],
            "title": title,
            "body": body,
            "url": url,
            "published_at": self.published,
            "updated_at": self._moment(fields.first(values, fields.UPDATED)),
            "embargo_until": self._moment(fields.first(values, fields.EMBARGO)),
            "expires_at": self._moment(fields.first(values, fields.EXPIRES)),
            "status": "draft" if self.place.draft or self.source.drafts else fields.status(values),
            "section": fields.text(values.get("section")) or next(iter(categories), None) or self.place.section,
            "tags": fields.words(fields.first(values, fields.TAGS), spaced=spaced),
            "authors": fields.authors(fields.first(values, fields.AUTHORS)),
            "lang": fields.first(values, fields.LANGS) or self.place.lang or self._site_lang(),
            "image": self._image(image, url),
            "image_alt": alt,
        }
        record["categories"] = categories if len(categories) > 1 else None
        series = fields.words(values.get("series"))
        record["series"], record["other_series"] = next(iter(series), None), series[1:] or None
        if fields.switched_off(values):
            record["similar"] = "off"
        return record

    def _moment(self, value: Any) -> Any:
        """A date; Jekyll takes what is a timestamp to YAML for UTC, in whatever zone the site is."""
        is_utc = self.place.tool == "jekyll" and isinstance(value, Stamp)
        return fields.moment(value, UTC if is_utc else self.zone)

    def _site_lang(self) -> str | None:
        project = self.source.project
        return project.lang if project and (project.tool == "jekyll" or project.languages) else None

    def _title_of_name(self) -> str:
        """Jekyll's title of a post that gives none: its file's name, in words."""
        return " ".join(word.capitalize() for word in re.split(r"[-_\s]+", self.place.name)) if self.place.date else ""

    def _url(self, categories: Sequence[str]) -> str | None:
        project = self.source.project
        given = self.values.get("permalink") or self.values.get("url")
        if not isinstance(given, str) or _TEMPLATE.search(given):
            given = None
        try:
            moment = parse_iso(self.published)
            if project and project.tool == "jekyll" and project.zones:
                moment = moment.astimezone(self.zone)
        except (ValueError, OverflowError):
            moment = None
        return page_url(self.place, given, self.slug, moment, categories, project)

    def _image(self, image: str | None, url: str | None) -> str | None:
        """An image beside the text of a bundle lies beside its page; any other is in the site's folder of images."""
        if not image or "://" in image or image.startswith(("/", "data:")):
            return image
        if self.place.bundle and url:
            return urljoin(url, image)
        return f"/{image.removeprefix('./')}"

    def _link(self, link: str) -> str:
        """What an author names, as the store finds it: an id or slug as it is, a file or page by its path."""
        if reference := _REFERENCE.search(link):
            link = reference[1]
        if "://" in link:
            return link
        link = _EXTENSION.sub("", link)
        folder = self.source.path.rpartition("/")[0]
        if link.startswith(("./", "../")):
            return normalize(quote(join("/", folder, link), safe="/%"))
        if "/" in link:
            return normalize(link)
        return f"{link}.{self.place.lang}" if self.place.lang and not link.endswith(f".{self.place.lang}") else link

    def _addresses(self, id_: str, url: str | None) -> tuple[str, ...]:
        """Under what others may link to the article: its path with and without the extension, old URLs, its slugs."""
        place, path = self.place, self.source.path.removesuffix(".gz")
        aliases = [str(one) for one in fields.words(fields.first(self.values, fields.ALIASES))]
        lang = f".{place.lang}" if place.lang else ""
        stem = _EXTENSION.sub("", path).rpartition("/")[2]
        names = [f"{name}{lang}" for name in (self.slug, place.name) if name]
        names += [] if place.bundle else [stem]
        paths = [from_path(path), from_path(_EXTENSION.sub("", path)), from_path(place.id), from_path(id_)]
        if url and "://" in url:
            paths.append(normalize("/" + url.split("://", 1)[1].partition("/")[2]))
        slugs = [slug_key(name, id_) for name in dict.fromkeys(names)]
        return tuple(dict.fromkeys([*paths, *(normalize(alias) for alias in aliases), *slugs]))
