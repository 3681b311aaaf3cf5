"""Floors under the figures: a file of what must not fall, for a corpus that must not change unseen."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simrec.errors import InputError, UsageError
from simrec.files import write_whole

STEP = 0.001
"""Floors are rounded down to this."""
MARGIN = 0.002
"""Floors lie at least this far below the figures, so that another processor's last digits break nothing."""
HASHES = ("articles_hash", "picks_hash")
CONDITIONS = ("split", "as_published", "rules")
"""How a figure was measured: one measured otherwise has floors of its own."""


def read_floors(path: Path) -> dict[str, Any]:
    """Reads a file of floors: a table a corpus, with its hashes, how it was measured, and floors by model and measure.

    Raises:
        InputError: it cannot be read, or is none.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"there is no file of floors {path}: make one with --raise-floors NAME") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    for name, table in found.items():
        if not isinstance(table, dict) or not {*HASHES, *CONDITIONS, "floors"} <= set(table):
            raise InputError(f"{path}: [{name}] needs {', '.join([*HASHES, *CONDITIONS])} and floors")
        for model, measures in table["floors"].items():
            if not isinstance(measures, dict) or not all(isinstance(floor, int | float) for floor in measures.values()):
                raise InputError(f"{path}: [{name}.floors.{model}] needs a number for each measure")
    return found


def models(floors: Mapping[str, Any], split: str) -> list[str]:
    """The models that have floors by a split, those of all corpora together: what has to be evaluated."""
    found = [model for table in floors.values() if table["split"] == split for model in table["floors"]]
    return list(dict.fromkeys(found))


def broken(path: Path, floors: Mapping[str, Any], figures: Mapping[str, Any]) -> list[str]:
    """What does not hold, a line each; empty where all does.

    Args:
        path: of the file, for the messages.
        floors: what `read_floors` found.
        figures: what `evaluate --json` prints.
    """
    protocol = figures["protocol"]
    tables = [name for name, table in floors.items() if _same(table, protocol, (*HASHES, *CONDITIONS))]
    if not tables:
        return [_unknown(path, floors, protocol)]
    found = []
    for name in tables:
        for model, measures in floors[name]["floors"].items():
            for measure, floor in measures.items():
                value = figures["models"].get(model, {}).get(measure, {}).get("mean")
                if value is None:
                    found.append(f"{name}: {model} has no {measure}: evaluate it with --model {model}")
                elif value < floor:
                    found.append(f"{name}: {measure} of {model} is {value:.4f}, below its floor {floor}")
    return found


def _unknown(path: Path, floors: Mapping[str, Any], protocol: Mapping[str, Any]) -> str:
    """Says why no table is for these figures: the likeliest first."""
    advice = "look at the figures, and if they are right write new floors with --raise-floors"
    measured = [name for name, table in floors.items() if _same(table, protocol, CONDITIONS)]
    for one, other in (HASHES, HASHES[::-1]):
        for name in measured:
            if floors[name][one] == protocol[one]:
                what = other.removesuffix("_hash")
                return (
                    f"{name}: the {what} have changed since the floors in {path} were measured "
                    f"({other} was {floors[name][other]}, is {protocol[other]}): {advice} {name} --lower-floors"
                )
    hashes = ", ".join(f"{key} {protocol[key]}" for key in HASHES)
    return f"{path} has no floors for these articles and picks, measured like this ({hashes}): {advice} NAME"


def raise_floors(
    path: Path, name: str, figures: Mapping[str, Any], measures: tuple[str, ...], *, lower: bool = False
) -> list[str]:
    """Writes the figures as floors; a floor that is higher stays, unless `lower` is set.

    Args:
        path: the file of floors; made where there is none.
        name: of the table for these articles and picks.
        figures: what `evaluate --json` prints.
        measures: that get floors.
        lower: floors may fall, and those of another corpus of this name are replaced.

    Returns:
        What changed, a line each.

    Raises:
        UsageError: the name is another corpus's, and `lower` is False.
        InputError: the file cannot be read.
        StoreError: it cannot be written.
    """
    floors = read_floors(path) if path.exists() else {}
    protocol = figures["protocol"]
    described = {key: protocol[key] for key in (*HASHES, *CONDITIONS)}
    table = floors.get(name, {})
    same = _same(table, described, tuple(described)) if table else True
    if not same and not lower:
        raise UsageError(
            f"{path}: [{name}] is for other articles, picks or conditions: give another name, or add --lower-floors"
        )
    before = table.get("floors", {}) if same else {}
    after: dict[str, dict[str, float]] = {model: dict(found) for model, found in before.items()}
    told = []
    for model, found in figures["models"].items():
        for measure in measures:
            value = round(math.floor((found[measure]["mean"] - MARGIN) / STEP + 1e-6) * STEP, 3)
            old = before.get(model, {}).get(measure)
            if old is None or value > old or (lower and value < old):
                after.setdefault(model, {})[measure] = max(value, 0.0)
                told.append(f"{name}: {measure} of {model} {'new' if old is None else old} → {max(value, 0.0)}")
    floors[name] = {**described, "floors": after}
    write_whole(path, _write(floors).encode(), "name another file with --gate")
    return told


def _same(table: Mapping[str, Any], other: Mapping[str, Any], keys: tuple[str, ...]) -> bool:
    return all(table[key] == other[key] for key in keys)


def _write(floors: Mapping[str, Any]) -> str:
    lines = ["# What must not fall. `simrec evaluate --gate` reads it; `--raise-floors NAME` writes it.\n"]
    for name, table in floors.items():
        lines.append(f"\n[{_quoted(name)}]\n")
        lines += [f"{key} = {json.dumps(table[key])}\n" for key in (*HASHES, *CONDITIONS)]
        for model, measures in table["floors"].items():
            lines.append(f"\n[{_quoted(name)}.floors.{_quoted(model)}]\n")
            lines += [f"{_quoted(measure)} = {value}\n" for measure, value in measures.items()]
    return "".join(lines)


def _quoted(key: str) -> str:
    """A key as TOML takes it."""
    return key if key.isascii() and key.replace("-", "").replace("_", "").isalnum() else json.dumps(key)
