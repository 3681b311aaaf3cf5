"""What a block must know of languages: where to look a tag up, and which way its script runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

from simrec.types import primary

T = TypeVar("T")

# fmt: off
RIGHT_TO_LEFT = frozenset({
    "ar", "arc", "azb", "bal", "bcc", "bqi", "ckb", "dv", "fa", "glk", "he", "iw", "ji", "khw",
    "ks", "lrc", "mzn", "nqo", "pnb", "prs", "ps", "rhg", "sd", "skr", "syr", "ug", "ur", "yi",
})
# fmt: on
"""Languages that are written from right to left, unless their tag names another script."""
RIGHT_TO_LEFT_SCRIPTS = frozenset({"adlm", "arab", "aran", "hebr", "mand", "nkoo", "rohg", "samr", "syrc", "thaa"})
TRADITIONAL = frozenset({"zh-tw", "zh-hk", "zh-mo", "yue"})
RENAMED = {"iw": "he", "in": "id", "ji": "yi", "mo": "ro", "tl": "fil", "sh": "sr-latn"}
"""Codes that ISO 639 has replaced, as older pages still have them."""


def tags(lang: str) -> list[str]:
    """The tags to look a language up by, closest first.

    >>> tags("de-Latn-AT"), tags("zh_TW"), tags("iw")
    (['de-latn-at', 'de-latn', 'de'], ['zh-tw', 'zh-hant', 'zh'], ['iw', 'he'])
    """
    tag = lang.lower().replace("_", "-")
    parts = tag.split("-")
    found = [tag, "-".join(parts[:2]), "zh-hant" if tag in TRADITIONAL else parts[0]]
    found += [RENAMED[parts[0]]] if parts[0] in RENAMED else ["zh"] if tag in TRADITIONAL else []
    return list(dict.fromkeys(found))


def by_language(values: Mapping[str, T], lang: str) -> T | None:
    """The value for a language, by its tag or the closest part of it; None where there is none."""
    known = {name.lower().replace("_", "-"): value for name, value in values.items()}
    return next((known[tag] for tag in tags(lang) if tag in known), None)


def direction(lang: str) -> Literal["ltr", "rtl"]:
    """Which way a language is written.

    >>> direction("fa-IR"), direction("az-Arab"), direction("ks-Deva"), direction("en")
    ('rtl', 'rtl', 'ltr', 'ltr')
    """
    parts = lang.lower().replace("_", "-").split("-")
    script = next((part for part in parts[1:] if len(part) == 4 and part.isalpha()), None)
    if script:
        return "rtl" if script in RIGHT_TO_LEFT_SCRIPTS else "ltr"
    return "rtl" if primary(lang) in RIGHT_TO_LEFT else "ltr"
