"""Damage: of bytes, of lines, of the structure of JSON and XML. The same number gives the same damage."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

ODD = (
    "\x00", "\ufeff", "\u2028", "\u202e", "\ud800", "\U0010ffff", "\u0130", "ﬁ", "e\u0301" * 50, "\x0b\x1f", "\r",
    "\t" * 99, "9" * 5000, "-1e999", "NaN", "Infinity", "1e308", "0000-00-00", "99999-13-45T99:99",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00", "[" * 3000, "{\"a\":" * 3000, "<a>" * 3000, "<div>" * 500,
    "[" * 400 + "]" * 400, "((" * 500, "[a=" * 200,
    "<![CDATA[", "]]>", "<!--", "-->", "<?", "&#x110000;", "&#0;", "&nope;", "\\ud800", "\\u0000", "%", '"', "'", "\\",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>", "<script>", "http://[", "javascript:x", "//", "../../..", "a" * 20_000, "🛥" * 999,
    "null", "true", "{}", "[]", "\n\n", "</rss>", "</item>", "=cmd|' /C calc'!A0",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**30, -(10**400), 1e308, "", " ", "\x00", "\ud800", "x" * 5000, [], {}, [[]],
    [None], {"a": {"b": []}}, [1, "a", {}], {"name": 3}, {"": None}, "2026-02-30", "9999-12-31T23:59:59-14:00",
    "http://[", "#",
    "<p>",
)  # fmt: skip
NESTED = (60, 300, 900)
"""Depths of lists and objects that JSON readers still take."""
_ELEMENT = re.compile(rb"<([A-Za-z][\w:.-]*)\b[^<>]*>")


def mutated(data: bytes, other: bytes, number: int, *, binary: bool = False) -> bytes:
    """Data with one to four damages.

    Args:
        data: a valid file.
        other: another one, to splice in.
        number: which damages; the same ones each time.
        binary: damages of bytes only.
    """
    rng = random.Random(number)
    ways = BYTES if binary else BYTES + TEXT
    if not binary and rng.random() < 0.5:
        structured = _of_json(rng, data) if data.lstrip()[:1] in (b"{", b"[") else _of_xml(rng, data)
        data = data if structured is None else structured
    for _ in range(rng.choice((0, 1, 1, 1, 2, 4)) or 1):
        data = rng.choice(ways)(rng, data, other)
    return data[:400_000]


def _span(rng: random.Random, data: bytes, most: int = 400) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(start + rng.randrange(most), len(data))


def _cut(rng: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _flip(rng: random.Random, data: bytes, other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _drop(rng: random.Random, data: bytes, other: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def _repeat(rng: random.Random, data: bytes, other: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[start:end] * rng.choice((2, 3, 100)) + data[end:]


def _splice(rng: random.Random, data: bytes, other: bytes) -> bytes:
    start, end = _span(rng, other)
    at = rng.randrange(len(data) + 1)
    return data[:at] + other[start:end] + data[at:]


def _noise(rng: random.Random, data: bytes, other: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.randint(1, 64)) + data[at:]


def _odd(rng: random.Random, data: bytes, other: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(ODD).encode("utf-8", "surrogatepass") + data[at:]


def _lines(rng: random.Random, data: bytes, other: bytes) -> bytes:
    lines = data.split(b"\n")
    way = rng.randrange(3)
    if way == 0:
        rng.shuffle(lines)
    elif way == 1:
        lines *= rng.choice((2, 20))
    else:
        del lines[rng.randrange(len(lines))]
    return rng.choice((b"\n", b"\r\n", b"\r")).join(lines)


def _numbers(rng: random.Random, data: bytes, other: bytes) -> bytes:
    huge = rng.choice((b"9" * 400, b"-1", b"0", b"1e999", b"00", b"99999999999999999999", b"\xd9\xa3"))
    return re.sub(rb"\d+", lambda found: huge if rng.random() < 0.3 else found[0], data)


def _encoded(rng: random.Random, data: bytes, other: bytes) -> bytes:
    text = data.decode("utf-8", "replace")
    return text.encode(rng.choice(("utf-16", "utf-16-be", "utf-8-sig", "cp1252", "shift_jis")), "replace")


Way = Callable[[random.Random, bytes, bytes], bytes]
BYTES: list[Way] = [_cut, _flip, _drop, _repeat, _splice, _noise]
TEXT: list[Way] = [_odd, _odd, _lines, _numbers, _encoded]


def _of_json(rng: random.Random, data: bytes) -> bytes | None:
    """A JSON document, or lines of JSON, with other values, missing and doubled ones, at any depth."""
    try:
        values = [json.loads(data)]
    except ValueError:
        try:
            values = [json.loads(line) for line in data.splitlines()]
        except ValueError:
            return None
    for _ in range(rng.randint(1, 5)):
        places = [place for value in values for place in _places(value)]
        if not places:
            break
        holder, key = rng.choice(places)
        way = rng.randrange(4)
        if way == 0:
            del holder[key]
        elif way == 1 and isinstance(holder, list):
            holder.insert(key, _copied(holder[key]))
        else:
            holder[key] = deepcopy(rng.choice(VALUES)) if rng.random() < 0.9 else _nested(rng)
    try:
        return "\n".join(json.dumps(value, ensure_ascii=rng.random() < 0.7) for value in values).encode(
            "utf-8", "replace"
        )
    except RecursionError:  # one deep value in another
        return None


def _copied(value: Any) -> Any:
    """A copy; None in place of what is nested too deep for one."""
    try:
        return deepcopy(value)
    except RecursionError:
        return None


def _nested(rng: random.Random) -> Any:
    """A list or an object that holds one that holds one, and so on."""
    value: Any = "x"
    inside = rng.random() < 0.5
    for _ in range(rng.choice(NESTED)):
        value = {"a": value} if inside else [value]
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a document: what holds it, and the key or index there."""
    places: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        holder = stack.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        places += [(holder, key) for key in keys]
        stack += [holder[key] for key in keys]
    return places


def _of_xml(rng: random.Random, data: bytes) -> bytes | None:
    """XML or HTML with elements that are missing, doubled, nested in themselves, renamed, or without their ends."""
    found = list(_ELEMENT.finditer(data))
    if not found:
        return None
    one = rng.choice(found)
    end = data.find(b"</" + one[1] + b">", one.end())
    end = one.end() if end < 0 else end + len(one[1]) + 3
    whole = data[one.start() : end]
    new = rng.choice(
        (
            b"",
            whole * 2,
            whole * 300,
            one[0] * 200 + whole + (b"</" + one[1] + b">") * 200,
            one[0] + b"</" + one[1] + b">",
            whole.replace(one[1], rng.choice(found)[1]),
            one[0][:-1] + b' x="' + b"y" * 9000 + b'">' + data[one.end() : end],
            data[one.end() : end],
        )
    )
    return data[: one.start()] + new + data[end:]
