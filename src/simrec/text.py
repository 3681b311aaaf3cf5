"""Text: cleaning, script and language, passages, hashes."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3040-\u30ff\u31f0-\u31ff"  # Hiragana, Katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00020000-\U0003ffff"
)
"""Characters of scripts that put no spaces between words, as ranges of a regular expression's class."""

LANG_MIN_LETTERS = 40
"""Fewer letters than this say too little about a language."""
LANG_MIN_PROBABILITY = 0.9

SCHEMES = frozenset({"", "http", "https"})
"""Of the URLs that may stand in a page."""

_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\n\s*\n\s*")
_UNSPACED = re.compile(f"[{UNSPACED}]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u2060\ufeff]")


def clean(text: str) -> str:
    """Normalizes Unicode (NFC), line ends and spaces, and drops control characters; paragraphs stay.

    >>> clean("One\\r\\n\\r\\n\\r\\n two\\t three\\x00 ")
    'One\\n\\ntwo three'
    """
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    text = _SPACES.sub(" ", _CONTROL.sub("", text))
    text = "\n".join(line.strip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", text).strip()


def is_unspaced(text: str) -> bool:
    """Whether a text starts in a script without spaces.

    >>> is_unspaced("橋"), is_unspaced("мост")
    (True, False)
    """
    return _UNSPACED.match(text) is not None


def one_line(text: str) -> str:
    """`clean`, on a single line: for titles and names."""
    return " ".join(clean(text).split())


def content_hash(*parts: str) -> str:
    """SHA-256 of the parts, in hexadecimal; the parts' borders count.

    >>> content_hash("ab", "c") == content_hash("a", "bc")
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # loads a model: only when used

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def detect_language(text: str) -> str | None:
    """The ISO 639-1 code of the text's language, or None where the text is too short or the answer unsure.

    Source: py3langid, a naive Bayes classifier over byte n-grams (Lui and Baldwin 2012).

    >>> detect_language("ok") is None
    True
    """
    if sum(map(str.isalpha, text[:2000])) < LANG_MIN_LETTERS:
        return None
    lang, probability = _identifier().classify(text[:4000])
    return str(lang) if probability >= LANG_MIN_PROBABILITY else None


def excerpt(body: str, words: int) -> str:
    """The first words of a body, cut at a word's end and marked with an ellipsis where it goes on.

    >>> excerpt("The bridge is closed. It will open in May.", 4)
    'The bridge is closed.…'
    """
    limit = words * 9  # for scripts without spaces, where a "word" is a paragraph
    flat = " ".join(body[: limit * 4].split())
    head = " ".join(flat.split(" ")[:words])
    if len(head) > limit:
        head = head[:limit]
    return head if len(head) == len(flat) else head.rstrip(" ,;:–-") + "…"


def windows(length: int, size: int, overlap: int) -> list[tuple[int, int]]:
    """Spans of at most `size` that cover `range(length)`, each sharing `overlap` with the one before.

    >>> windows(10, 4, 1)
    [(0, 4), (3, 7), (6, 10)]

    Raises:
        ValueError: overlap is not less than size.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"overlap must be from 0 to {size - 1}, got {overlap}")
    if length == 0:
        return []
    step = size - overlap
    starts = range(0, max(length - overlap, 1), step)
    return [(start, min(start + size, length)) for start in starts]


def passages(text: str, offsets: Sequence[tuple[int, int]], size: int, overlap: int) -> list[str]:
    """Cuts a text into overlapping passages of at most `size` tokens, given the character span of each token."""
    return [text[offsets[a][0] : offsets[b - 1][1]] for a, b in windows(len(offsets), size, overlap)]


def safe_url(url: str | None) -> str | None:
    """A URL that may stand in a page: http, https or relative; None for any other.

    A relative one has no colon before its first slash (RFC 3986, 4.2), so that nobody can take it for a scheme.

    >>> safe_url("/2024/bridge.html"), safe_url("java\\nscript:alert(1)"), safe_url("0:")
    ('/2024/bridge.html', None, None)
    """
    if not url or any(ord(character) <= 0x20 or character in '\\"<>`' for character in url.strip()):
        return None
    try:
        scheme = urlsplit(url.strip()).scheme.lower()
    except ValueError:
        return None
    relative = ":" not in url.strip().partition("/")[0]
    return url.strip() if scheme in SCHEMES and (scheme or relative) else None


def unspaced(text: str) -> str:
    """The text without spaces, for columns that spaces part; "%" is quoted too, so that `unquote` gives it back.

    >>> unspaced("my page, 100%")
    'my%20page,%20100%25'
    """
    return "".join(
        "".join(f"%{byte:02X}" for byte in c.encode("utf-8", "replace")) if c.isspace() or c == "%" else c for c in text
    )
