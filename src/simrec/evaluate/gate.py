"""Floors under the figures: a file of what must not fall, for a corpus that must not change unseen."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simrec.errors import InputError
from simrec.files import write_whole

STEP = 0.001
"""Floors are rounded down to this, so that a library's last digits break nothing."""


def read_floors(path: Path) -> dict[str, Any]:
    """Reads a file of floors: a table a corpus, with its hashes, its split, and `floors` by model and measure.

    Raises:
        InputError: it cannot be read, or is none.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"there is no file of floors {path}: make one with --raise-floors") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    for name, table in found.items():
        if not isinstance(table, dict) or not {"articles_hash", "picks_hash", "split", "floors"} <= set(table):
            raise InputError(f"{path}: [{name}] needs articles_hash, picks_hash, split and floors")
    return found


def find(floors: Mapping[str, Any], protocol: Mapping[str, Any]) -> str | None:
    """The name of the table for this corpus and split."""
    for name, table in floors.items():
        if all(table[key] == protocol[key] for key in ("articles_hash", "picks_hash", "split")):
            return name
    return None


def broken(path: Path, floors: Mapping[str, Any], figures: Mapping[str, Any]) -> list[str]:
    """What does not hold, a line each; empty where all does.

    Args:
        path: of the file, for the messages.
        floors: what `read_floors` found.
        figures: what `evaluate --json` prints.
    """
    protocol = figures["protocol"]
    name = find(floors, protocol)
    if name is None:
        return [
            f"{path} has no floors for these articles and picks by {protocol['split']} (articles_hash "
            f"{protocol['articles_hash']}, picks_hash {protocol['picks_hash']}): the corpus has changed, or was never "
            "measured; look at the figures, then add them with --raise-floors NAME"
        ]
    found = []
    for model, measures in floors[name]["floors"].items():
        for measure, floor in measures.items():
            value = figures["models"].get(model, {}).get(measure, {}).get("mean")
            if value is None:
                found.append(f"{name}: {model} has no {measure}: evaluate it with --model {model}")
            elif value < floor:
                found.append(f"{name}: {measure} of {model} is {value:.4f}, below its floor {floor}")
    return found


def raise_floors(
    path: Path, name: str, figures: Mapping[str, Any], measures: tuple[str, ...], *, lower: bool = False
) -> list[str]:
    """Writes the figures as floors; a floor that is higher stays, unless `lower` is set.

    Returns:
        What changed, a line each.
    """
    floors = read_floors(path) if path.exists() else {}
    protocol = figures["protocol"]
    hashes = {key: protocol[key] for key in ("articles_hash", "picks_hash", "split")}
    table = floors.get(name, {})
    same = all(table.get(key) == value for key, value in hashes.items())
    if table and not same and not lower:
        raise InputError(f"{path}: [{name}] is another corpus or split: give it another name, or add --lower-floors")
    before = table.get("floors", {}) if same else {}
    after: dict[str, dict[str, float]] = {model: dict(found) for model, found in before.items()}
    told = []
    for model, found in figures["models"].items():
        for measure in measures:
            value = int(found[measure]["mean"] / STEP) * STEP
            old = before.get(model, {}).get(measure)
            if old is None or value > old or (lower and value < old):
                after.setdefault(model, {})[measure] = round(value, 3)
                told.append(f"{name}: {measure} of {model} {'new' if old is None else old} → {value:.3f}")
    floors[name] = {**hashes, "floors": after}
    write_whole(path, _write(floors).encode(), "name another file with --gate")
    return told


def _write(floors: Mapping[str, Any]) -> str:
    lines = ["# What must not fall. `simrec evaluate --gate` reads it; --raise-floors writes it.\n"]
    for name, table in floors.items():
        lines.append(f"\n[{name}]\n")
        lines += [f'{key} = "{table[key]}"\n' for key in ("articles_hash", "picks_hash", "split")]
        for model, measures in table["floors"].items():
            lines.append(f"\n[{name}.floors.{model}]\n")
            lines += [f'"{measure}" = {value}\n' for measure, value in measures.items()]
    return "".join(lines)
