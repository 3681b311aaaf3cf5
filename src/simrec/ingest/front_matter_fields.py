"""What the names in front matter mean: Hugo, Jekyll, Eleventy and their themes call one thing by many names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

from simrec.ingest.dates import MAX_DATE_LINE, parse_iso, parse_written
from simrec.ingest.record import is_missing, split_list

PUBLISHED = ("date", "published_at", "pubdate", "published", "publishdate")
UPDATED = ("lastmod", "last_modified_at", "updated", "updated_at", "modified", "last_updated", "date_modified")
EMBARGO = ("publishdate", "embargo_until")
EXPIRES = ("expirydate", "expires_at", "expires", "unpublishdate")
SECTIONS = ("section", "category", "categories")
TAGS = ("tags", "tag")
AUTHORS = ("authors", "author")
LANGS = ("lang", "language", "locale")
IMAGES = ("image", "images", "cover", "featured_image", "featuredimage", "thumbnail", "og_image", "banner")
IMAGE_FIELDS = ("image", "src", "url", "path", "href", "relative_path")
ALT_FIELDS = ("alt", "image_alt", "alttext")
RELATED = ("related", "similar", "related_posts", "related_articles")
LINK_FIELDS = ("id", "url", "path", "slug", "link", "href", "permalink")
ALIASES = ("aliases", "redirect_from")
DATES_OF_FILES = ("last modified", "created", "git last modified", "git created")
YES = ("true", "yes", "on", "y", "1")
NO = ("false", "no", "off", "n", "0")
OFF = ("false", "off", "no", "none")

_MOMENT = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[Tt ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?",
    re.IGNORECASE,
)
_ENDS_IN_ZONE = re.compile(r"(?:\b[A-Z]{3,5}|\dZ|[+-]\d{2}:?\d{2})\s*$")


def moment(value: Any, zone: tzinfo = UTC) -> Any:
    """A date as front matter has it, without an offset in `zone`; what cannot be read stays, for the validator to name.

    >>> moment("2024-01-31 12:00:00 +0100").isoformat()
    '2024-01-31T12:00:00+01:00'
    """
    if not isinstance(value, str | date):
        return value
    try:
        return parse_iso(value, zone)
    except ValueError:
        if not isinstance(value, str):
            return value
    if found := _MOMENT.fullmatch(value.strip()):
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
        try:
            return datetime(year, month, day, hour, minute, second, tzinfo=_offset(found[7], zone))
        except ValueError:
            return value
    written = parse_written(value) if len(value) <= MAX_DATE_LINE else None
    if written and not written.utcoffset() and not _ENDS_IN_ZONE.search(value):
        return written.replace(tzinfo=zone)
    return written or value


def _offset(text: str | None, zone: tzinfo) -> tzinfo:
    if not text:
        return zone
    if not text[1:].replace(":", "").isdigit():
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def published(values: Mapping[str, Any]) -> Any:
    """What says when it was published; `published: no` does not, nor Eleventy's word for a file's own date."""
    given = values.get("published")
    names = [name for name in PUBLISHED if name != "published" or not _says(given, (*YES, *NO))]
    value = first(values, names)
    of_file = isinstance(value, str) and " ".join(value.lower().split()) in DATES_OF_FILES
    return None if of_file else value


def first(values: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The first value that is there, of several names; dates are, `true` and `false` are not."""
    return next(
        (values[name] for name in names if not is_missing(values.get(name)) and not _is_flag(values[name])), None
    )


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def words(value: Any, *, spaced: bool = False) -> list[Any]:
    """A list, however it is written.

    Args:
        value: a list, a string, a mapping with a name, or nothing.
        spaced: a string's words are its parts, as Jekyll has it for categories and tags.
    """
    if is_missing(value) or _is_flag(value):
        return []
    if isinstance(value, list | tuple):
        return [part for part in value if not is_missing(part) and not _is_flag(part)]
    if isinstance(value, str):
        return value.split() if spaced and "," not in value else [part for part in split_list(value) if part]
    return [value]


def authors(value: Any) -> list[Any]:
    """Names; a single one may have a comma in it."""
    return [value] if isinstance(value, str) and not value.lstrip().startswith("[") else words(value)


def image(values: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The image of an article, and its text for who does not see it."""
    found = first(values, IMAGES)
    if isinstance(found, list | tuple):
        found = found[0] if found else None
    header = values.get("header")
    if found is None and isinstance(header, Mapping):
        found = first(header, ("teaser", "image", "overlay_image"))
    alt = first(values, ("image_alt", "imagealt", "cover_alt"))
    if isinstance(found, Mapping):
        alt = alt or first(found, ALT_FIELDS)
        found = first(found, IMAGE_FIELDS)
    return (found if isinstance(found, str) else None), (alt if isinstance(alt, str) else None)


def status(values: Mapping[str, Any]) -> Any:
    """Draft where front matter says so, in any of the tools' ways; else what `status` says."""
    no_page = values.get("permalink") is False or _says(values.get("published"), NO)
    if _says(values.get("draft"), YES) or no_page or _is_unrendered(values):
        return "draft"
    return values.get("status")


def _says(value: Any, wanted: Sequence[str]) -> bool:
    return isinstance(value, bool | str | int) and str(value).strip().lower() in wanted


def _is_unrendered(values: Mapping[str, Any]) -> bool:
    """Whether Hugo makes no page of it: a headless bundle, or one whose build options say so."""
    if _says(values.get("headless"), YES):
        return True
    options = [values[name] for name in ("build", "_build") if isinstance(values.get(name), Mapping)]
    return any(
        str(value).strip().lower() in ("never", "link", "false")
        for found in options
        for name, value in found.items()
        if str(name).lower() == "render"
    )


def switched_off(values: Mapping[str, Any]) -> bool:
    """Whether the article shall have no block: `related: false`, or `similar: false`."""
    return any(str(values[name]).strip().lower() in OFF for name in RELATED if isinstance(values.get(name), bool | str))


def related(values: Mapping[str, Any]) -> list[str] | None:
    """What an author lists as related, as written; None where nothing is said."""
    found: list[str] | None = None
    for name in RELATED:
        value = values.get(name)
        if (
            isinstance(value, bool)
            or value is None
            or (isinstance(value, str) and value.strip().lower() in (*OFF, "true"))
        ):
            continue
        items = [value] if isinstance(value, Mapping | int) else words(value)
        named = [first(item, LINK_FIELDS) if isinstance(item, Mapping) else item for item in items]
        found = (found or []) + [str(item).strip() for item in named if isinstance(item, str | int)]
    return found


def text(value: Any) -> str | None:
    """A string or number as a string; None for all else."""
    return str(value).strip() if isinstance(value, str | int | float | date) and not isinstance(value, bool) else None
