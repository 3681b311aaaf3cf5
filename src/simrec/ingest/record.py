"""The one validator: a record of any format becomes an article, or a reason why it cannot be one."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

from simrec.ingest.dates import parse_iso
from simrec.settings import IngestSettings
from simrec.text import clean, detect_language, one_line
from simrec.types import HIDING, STATUSES, Article, Status

REQUIRED = ("id", "title", "body")
STRINGS = ("url", "section", "image", "image_alt")
DATES = ("published_at", "updated_at", "embargo_until", "expires_at")
LISTS = ("tags", "authors")
COLUMNS = frozenset((*REQUIRED, *STRINGS, *DATES, *LISTS, "lang", "status", "canonical_id"))

MAX_ID = 512
MAX_DEPTH = 50
"""Of values in `extra`."""
_LANG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
_UNDETERMINED = frozenset(("und", "mul", "zxx", "mis"))
_SURROGATE = re.compile("[\ud800-\udfff]")


class FieldError(ValueError):
    """A field's value cannot be used."""


def to_article(record: Mapping[str, Any], settings: IngestSettings) -> Article | str:
    """The article that a record describes, or the reason why it describes none, in plain words.

    Args:
        record: values by column. Required are `id`, `title` and `body`; `id` alone where `status` hides the article
            (`Article.is_notice`). Lists are lists, or strings: a JSON list, or
            parts divided by ``|``, else by ``;``, else by ``,`` (so that a name with a comma in it needs ``|`` after
            it or a JSON list). Dates are ISO 8601 or datetimes. Unknown columns go to `extra`.
        settings: `languages` restricts which detected languages are believed.
    """
    values = {name: value for name, value in record.items() if not is_missing(value)}
    try:
        status = _status(values.get("status"))
        id_, title, body = _required(values, hidden=status in HIDING)
        fields: dict[str, Any] = {name: _string(values.get(name), name) or None for name in STRINGS}
        fields |= {name: _date(values[name], name) for name in DATES if name in values}
        fields |= {name: _list(values.get(name), name) for name in LISTS}
        return Article(
            id=id_,
            title=title,
            body=body,
            lang=language(values.get("lang"), f"{title}\n{body}", settings),
            status=status,
            canonical_id=to_id(values["canonical_id"], "canonical_id") if "canonical_id" in values else None,
            extra=_extra(values),
            **fields,
        )
    except FieldError as error:
        return str(error)


def is_missing(value: object) -> bool:
    """Whether a value stands for none: None, NaN, NaT, a decimal that is not finite, or a string of spaces."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, Decimal):
        return not value.is_finite()
    return value is None or (isinstance(value, float | datetime) and value != value)


def to_id(value: object, name: str = "id") -> str:
    """An article's id, from a string or a number.

    >>> to_id(12.0)
    '12'

    Raises:
        FieldError: it is empty, too long, no string or number, or holds characters that no id may hold.
    """
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        value = int(value)
    text = _string(value, name, cleaned=False).strip()
    if not text:
        raise FieldError(f"no {name}: give each article one of its own")
    if len(text) > MAX_ID:
        raise FieldError(f"{name} has {len(text)} characters: shorten it to {MAX_ID}")
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text):
        raise FieldError(f"{name} holds a control character or half of a character: remove it")
    return unicodedata.normalize("NFC", text)


def language(given: object, text: str, settings: IngestSettings) -> str | None:
    """The language given, where it has the form of a BCP 47 tag, else the one detected."""
    if isinstance(given, str):
        tag = given.strip().replace("_", "-")
        if _LANG.fullmatch(tag) and tag.lower() not in _UNDETERMINED:
            return tag
    found = detect_language(text)
    allowed = {tag.replace("_", "-").split("-")[0].lower() for tag in settings.languages}
    return found if not allowed or found in allowed else None


def _required(values: Mapping[str, Any], *, hidden: bool) -> tuple[str, str, str]:
    """Id, title and body; of what only takes an article out of sight, title and body may be empty."""
    missing = [name for name in REQUIRED if name not in values]
    if "id" in missing or (missing and not hidden):
        raise FieldError(f"no {', '.join(missing)}: every article needs {', '.join(REQUIRED)}")
    title = one_line(_string(values.get("title"), "title", cleaned=False))
    body = clean(_string(values.get("body"), "body", cleaned=False))
    if not (title and body) and not hidden:
        raise FieldError(f"the {'body' if title else 'title'} holds no text: every article needs one")
    return to_id(values["id"]), title, body


def _string(value: object, name: str, *, cleaned: bool = True) -> str:
    """A string or number as a string; half of a surrogate pair becomes the replacement character, except in ids."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise FieldError(f"{name} must be a string, not {_kind(value)}")
    text = str(value)
    if name not in ("id", "canonical_id"):
        text = _SURROGATE.sub("\ufffd", text)
    return one_line(text) if cleaned else text


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else type(value).__name__


def _status(value: object) -> Status:
    if value is None:
        return "published"
    status = value.strip().lower() if isinstance(value, str) else value
    if status not in STATUSES:
        raise FieldError(f"status {shown(value)} is unknown: use one of {', '.join(STATUSES)}")
    return cast(Status, status)


def _date(value: object, name: str) -> datetime:
    try:
        return parse_iso(value)
    except ValueError:
        raise FieldError(f"{name} {shown(value)} is no date: write it as 2024-05-31 or 2024-05-31T10:00Z") from None


def _list(value: object, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        value = split_list(value)
    if isinstance(value, Mapping) or not isinstance(value, Sequence):
        raise FieldError(f"{name} must be a list, not {_kind(value)}")
    named = [item.get("name") if isinstance(item, Mapping) else item for item in value]
    parts = [_string(item, name) for item in named if not is_missing(item)]
    return tuple(dict.fromkeys(part for part in parts if part))


def split_list(text: str) -> list[Any]:
    """A list that was written as a string: a JSON list, or parts divided by ``|``, else ``;``, else ``,``.

    >>> split_list("Lee, Ann|Roe, Jo")
    ['Lee, Ann', 'Roe, Jo']
    """
    if text.lstrip().startswith("["):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, list):
            return value
    divider = next((char for char in "|;" if char in text), ",")
    return [part.strip() for part in text.split(divider)]


def shown(value: object) -> str:
    """A value in a reason, cut where it is long."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # lists nested too deep, a number too long
        text = type(value).__name__
    return text if len(text) <= 40 else text[:37] + "..."


def _extra(values: Mapping[str, Any]) -> dict[str, Any]:
    extra = {_printable(name): _plain(value) for name, value in values.items() if name not in COLUMNS}
    lang = values.get("lang")
    if lang is not None and not (isinstance(lang, str) and _LANG.fullmatch(lang.strip().replace("_", "-"))):
        extra["lang"] = _plain(lang)
    return {name: value for name, value in extra.items() if value is not None}


def _printable(text: object) -> str:
    return _SURROGATE.sub("\ufffd", str(text)).replace("\x00", "")


def _plain(value: object, depth: int = 0) -> Any:
    """The value as JSON has it; None for what JSON has not."""
    if depth > MAX_DEPTH:
        raise FieldError(f"values nested more than {MAX_DEPTH} deep: simplify the record")
    if is_missing(value):
        return None
    if isinstance(value, str):
        return _printable(value)
    if isinstance(value, Mapping):
        return {_printable(name): _plain(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        value = int(value) if math.isfinite(value) and value == int(value) else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float) else None
