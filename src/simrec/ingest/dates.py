"""Dates: ISO 8601 in records, and dates as people write them on pages, in many languages."""

from __future__ import annotations

import re
import unicodedata
import warnings
from datetime import UTC, date, datetime, time, tzinfo
from functools import lru_cache

MAX_DATE_LINE = 60
"""A longer line on a page is not a date line."""

_NUMBER_DATE = re.compile(
    r"(?P<a>\d{1,4})\s*(?P<sep>[./年년-])\s*(?P<b>\d{1,2})\s*[./月월-]\s*(?P<c>\d{1,4})\s*[.日일]?\s*,?\s*"
    r"(?:\(?\w{1,3}\)?\s+)?(?:(?P<hour>\d{1,2})[:.時时](?P<minute>\d{2})[分]?(?::(?P<second>\d{2}))?)?"
)
_YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")


def parse_iso(value: object, zone: tzinfo = UTC) -> datetime:
    """A date of a record: ISO 8601, or a date or datetime; one without a zone is meant in `zone`.

    >>> parse_iso("2024-05-01T10:00:00Z").isoformat()
    '2024-05-01T10:00:00+00:00'

    Raises:
        ValueError: it is no date.
    """
    if isinstance(value, datetime):
        moment = datetime.fromisoformat(value.isoformat())  # a pandas.Timestamp becomes a plain datetime
    elif isinstance(value, date):
        moment = datetime.combine(value, time())
    elif isinstance(value, str):
        moment = datetime.fromisoformat(value.strip())
    else:
        raise ValueError("not a date")  # noqa: TRY004 - one error for all that is no date
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    try:
        moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("not a date of our calendar") from error
    return moment


def parse_written(line: str, lang: str | None = None) -> datetime | None:
    """The date that a line consists of, as people write it; None where the line is anything else.

    With day and month both as numbers, a dot means day first; a slash means month first in English.

    Args:
        line: one line of text.
        lang: the page's language, as an ISO 639-1 code, where it is known.

    >>> parse_written("December 05, 2016 8:58").isoformat()
    '2016-12-05T08:58:00+00:00'
    >>> parse_written("In 2016 they built 12 bridges") is None
    True
    """
    line = unicodedata.normalize("NFKC", line).strip()
    if len(line) > MAX_DATE_LINE or not any(map(str.isdigit, line)):
        return None
    try:
        return (
            parse_iso(line) if line[:4].isascii() and line[:4].isdigit() and line[4:5] == "-" else _worded(line, lang)
        )
    except ValueError:
        return _worded(line, lang)


def _worded(line: str, lang: str | None) -> datetime | None:
    digits = "".join(str(unicodedata.digit(char, char)) for char in line)  # Arabic, Persian, Devanagari digits
    if found := _NUMBER_DATE.fullmatch(digits):
        return _from_numbers(found, lang)
    if not _YEAR.search(digits) or sum(map(str.isalpha, line)) > 40:
        return None
    return _from_words(line, lang)


def _from_numbers(found: re.Match[str], lang: str | None) -> datetime | None:
    first, second, third = int(found["a"]), int(found["b"]), int(found["c"])
    if len(found["a"]) == 4:
        year, month, day = first, second, third
    elif len(found["c"]) != 4:
        return None
    elif found["sep"] == "/" and second <= 12 and (lang not in (None, "en") or first > 12):
        year, month, day = third, second, first
    elif found["sep"] == "/":
        year, month, day = third, first, second
    else:
        year, month, day = third, second, first
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _from_words(line: str, lang: str | None) -> datetime | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dateparser uses what newer versions of Python deprecate
        import dateparser  # slow to import

        settings = {
            "TIMEZONE": "UTC",
            "RETURN_AS_TIMEZONE_AWARE": True,
            "REQUIRE_PARTS": ["day", "month", "year"],
            "PARSERS": ["absolute-time"],
        }
        for languages in ([lang] if lang else [], ["en"], None):
            if languages == []:
                continue
            try:
                moment = dateparser.parse(line, languages=languages, settings=settings)
            except ValueError:  # a language that dateparser does not know
                continue
            if moment:
                return parse_iso(moment)
    return None
