"""Front matter: the YAML, TOML or JSON above the text of a Markdown file.

YAML is read as its safe subset: no tags make objects, aliases may not multiply (a "bomb"), nesting is bounded. Words
stay words: only ``true``, ``false``, ``null`` and plain numbers are anything else, so that a tag ``no``, a language
``no`` and a version ``1.10`` are what their author wrote.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

MAX_CHARACTERS = 200_000
MAX_DEPTH = 30
MAX_VALUES = 20_000

_FENCE = re.compile(r"\s*(?P<mark>---|\+\+\+)[ \t]*(?P<kind>\w*)[ \t]*(?:\n|\Z)")
_ENDS = {"---": re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE), "+++": re.compile(r"^\+\+\+[ \t]*$", re.MULTILINE)}
_JSON = re.compile(r"\s*(?=\{\s*[\"}])")
_KINDS = {"": "yaml", "yml": "yaml"}


class FrontMatterError(ValueError):
    """Front matter that cannot be read; the message says why."""


class Stamp(str):
    """A plain word that YAML takes for a timestamp, with a time to the second and no offset: for UTC, that is."""

    __slots__ = ()


def split(text: str) -> tuple[dict[str, Any] | None, str]:
    """The values of the front matter, names in lower case, and the text below it; None where there is none.

    >>> split("---\\ntitle: Bridge 1.10\\ntags: [no, ferry]\\n---\\nIt is open.")
    ({'title': 'Bridge 1.10', 'tags': ['no', 'ferry']}, 'It is open.')

    Args:
        text: the file, with "\\n" as line ends.

    Raises:
        FrontMatterError: it has no end, cannot be read, or is no mapping of names to values.
    """
    if fence := _FENCE.match(text):
        kind = _KINDS.get(fence["kind"].lower(), fence["kind"].lower()) if fence["mark"] == "---" else "toml"
        end = _ENDS[fence["mark"]].search(text, fence.end())
        if end is None:
            raise FrontMatterError(f"the front matter has no end: close it with a line {fence['mark']}")
        return _checked(_parse(kind, text[fence.end() : end.start()])), text[end.end() :].removeprefix("\n")
    if start := _JSON.match(text):
        values, end_of_json = _json(text, start.end())
        return _checked(values), text[end_of_json:].removeprefix("\n")
    return None, text


def load(kind: str, text: str) -> dict[str, Any]:
    """A whole file of settings: ``yaml``, ``toml`` or ``json``.

    Raises:
        FrontMatterError: it cannot be read.
    """
    return _checked(_parse(kind, text))


def _parse(kind: str, text: str) -> Any:
    if len(text) > MAX_CHARACTERS:
        raise FrontMatterError(f"the front matter has {len(text)} characters: shorten it to {MAX_CHARACTERS}")
    if kind == "yaml":
        return _yaml(text)
    if kind == "toml":
        return _toml(text)
    if kind == "json":
        return _json(text, 0)[0]
    raise FrontMatterError(f"front matter in {kind}, which simrec does not run: write it as YAML, TOML or JSON")


def _checked(values: Any) -> dict[str, Any]:
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise FrontMatterError("the front matter is no list of names and values: write `name: value` lines")
    _bounded(values, _inside)
    return {str(name).lower(): value for name, value in values.items()}


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple | set) else ()


def _bounded(root: Any, inside: Any) -> None:
    """Refuses what has too many values, or is nested too deep; what an alias stands for counts each time."""
    level, seen = [root], 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            below += inside(value)
            if seen + len(below) > MAX_VALUES:
                raise FrontMatterError(
                    f"the front matter has more than {MAX_VALUES} values, aliases counted: shorten it"
                )
        if not below:
            return
        level, seen = below, seen + len(below)
    raise FrontMatterError(f"the front matter is nested deeper than {MAX_DEPTH} levels: make it flatter")


def _json(text: str, start: int) -> tuple[Any, int]:
    try:
        return json.JSONDecoder().raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise FrontMatterError(f"broken JSON in the front matter: {error.msg} in line {error.lineno}") from error
    except (ValueError, RecursionError) as error:
        raise FrontMatterError(
            "JSON front matter that cannot be read: a number too long, or nested too deep"
        ) from error


def _toml(text: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FrontMatterError(f"broken TOML in the front matter: {' '.join(str(error).split())}") from error
    except (ValueError, RecursionError) as error:
        raise FrontMatterError(
            "TOML front matter that cannot be read: a number too long, or nested too deep"
        ) from error


def _yaml(text: str) -> Any:
    import yaml  # slow to import

    from simrec.ingest.front_matter_yaml import Loader

    try:
        _check_depth(yaml.parse(text, Loader=Loader))
        loader = Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _bounded(node, _nodes)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise FrontMatterError(f"broken YAML in the front matter: {_said(error)}") from error
    except FrontMatterError:
        raise
    except (ValueError, TypeError, RecursionError, AttributeError) as error:
        raise FrontMatterError(f"YAML front matter that cannot be read: {_said(error)}") from error


def _check_depth(events: Iterable[Any]) -> None:
    """Refuses what is nested too deep before it is composed: libyaml would nest on the machine's stack, and crash."""
    depth = 0
    for event in events:
        kind = type(event).__name__
        depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
        if depth > MAX_DEPTH + 2:  # the stream and the document are events, too
            raise FrontMatterError(f"the front matter is nested deeper than {MAX_DEPTH} levels: make it flatter")


def _nodes(node: Any) -> list[Any]:
    value = node.value
    if isinstance(value, str):
        return []
    return [part for item in value for part in (item if isinstance(item, tuple) else (item,))]


def _said(error: Exception) -> str:
    """What is wrong, and in which line of the file."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    where = f" in line {mark.line + 2}" if mark else ""  # the fence is line 1
    return f"{' '.join(str(problem or error).split())[:200]}{where}"
