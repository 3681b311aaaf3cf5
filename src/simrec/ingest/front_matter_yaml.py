"""The YAML loader of front matter: safe, and without guesses about what words mean."""

from __future__ import annotations

import re
from typing import Any

import yaml

from simrec.ingest.front_matter import Stamp

try:
    from yaml import CSafeLoader as _Base
except ImportError:  # PyYAML was built without libyaml
    from yaml import SafeLoader as _Base


class Loader(_Base):
    """Reads ``true``, ``false``, ``null`` and numbers in their plain form; all else is a string."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - not those of the base class


def _float(loader: Any, node: Any) -> float | str:
    """A number that is written as Python writes it; 1.10 is a version, and stays one."""
    text = str(loader.construct_scalar(node))
    return float(text) if repr(float(text)) == text else text


def _stamp(loader: Any, node: Any) -> Stamp:
    return Stamp(loader.construct_scalar(node))


Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:[Tt]rue|TRUE|[Ff]alse|FALSE)$"), list("tTfF"))
Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9]\d{0,15})$"), list("-0123456789"))
Loader.add_implicit_resolver("!float", re.compile(r"^-?\d{1,15}\.\d{1,15}$"), list("-0123456789"))
Loader.add_implicit_resolver(
    "!stamp", re.compile(r"^\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|\s+)\d{1,2}:\d\d:\d\d(?:\.\d*)?$"), list("0123456789")
)
Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])
Loader.add_constructor("!float", _float)
Loader.add_constructor("!stamp", _stamp)
yaml.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node), Loader=Loader)
