"""Evaluations kept on disk, and compared later."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simrec.errors import InputError, UsageError
from simrec.evaluate.compare import Comparison, compare, correct
from simrec.evaluate.measures import Values
from simrec.files import write_whole

FORMAT = 1


class Saved(NamedTuple):
    """An evaluation as it was saved.

    Attributes:
        path: where.
        protocol: how it was measured.
        sources: ids of the tested sources.
        values: for each model and measure (s,) values.
        runs: for each model the first ids of each source's ranking.
    """

    path: Path
    protocol: Mapping[str, Any]
    sources: Sequence[str]
    values: Mapping[str, Mapping[str, Values]]
    runs: Mapping[str, Sequence[Sequence[str]]]


def save(path: Path, values: Mapping[str, Any]) -> None:
    """Writes what `load` reads.

    Raises:
        StoreError: the file cannot be written.
    """
    text = json.dumps({"format": FORMAT, **values}, ensure_ascii=False) + "\n"
    write_whole(path, text.encode("utf-8", "replace"), "name another file with --save")


def load(path: Path) -> Saved:
    """Reads a saved evaluation.

    Raises:
        InputError: it is not there, not one, or from another version.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise InputError(f"{path} was saved by another version of simrec: evaluate again with --save")
        values = {
            model: {measure: np.array(numbers, dtype=np.float64) for measure, numbers in measures.items()}
            for model, measures in found["values"].items()
        }
        return Saved(path, found["protocol"], found["sources"], values, found["runs"])
    except FileNotFoundError as error:
        raise InputError(f"there is no saved run {path}: make one with `simrec evaluate --save {path}`") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no saved run of simrec: make one with `simrec evaluate --save FILE`") from error


class Difference(NamedTuple):
    """Two saved runs side by side.

    Attributes:
        sources: how many sources both tested.
        only_a, only_b: how many only one of them tested.
        comparisons: b's model against a's, by measure; models of the same name, or the only ones.
        changed: what differs in how they were measured.
        moved: for the first pair, ids of the sources whose first measure fell or rose most, with the difference.
    """

    sources: int
    only_a: int
    only_b: int
    comparisons: Sequence[Comparison]
    changed: Sequence[str]
    moved: Sequence[tuple[str, float]]


MOVED = 10


def difference(a: Saved, b: Saved) -> Difference:
    """Compares two runs on the sources that both tested.

    Raises:
        UsageError: they have no source, or no model, in common.
    """
    shared = sorted(set(a.sources) & set(b.sources))
    if not shared:
        raise UsageError("the two runs have tested no source in common: evaluate both on the same articles and picks")
    pairs = [(name, name) for name in a.values if name in b.values]
    if len(a.values) == len(b.values) == 1:
        pairs = [(next(iter(a.values)), next(iter(b.values)))]
    if not pairs:
        raise UsageError(
            f"the two runs have no model in common ({', '.join(a.values)}; {', '.join(b.values)}): "
            "evaluate one and the same model in both, or only one in each"
        )
    at_a, at_b = (np.array([run.sources.index(source) for source in shared]) for run in (a, b))
    found = []
    for one, two in pairs:
        for measure in a.values[one]:
            if measure in b.values[two]:
                ours, theirs = b.values[two][measure][at_b], a.values[one][measure][at_a]
                found.append(compare(f"{b.path.stem}: {two}", f"{a.path.stem}: {one}", measure, ours, theirs))
    main = next((name for name in a.values[pairs[0][0]] if name == f"nDCG@{a.protocol['k']}"), None)
    moved: list[tuple[str, float]] = []
    if main and main in b.values[pairs[0][1]]:
        delta = b.values[pairs[0][1]][main][at_b] - a.values[pairs[0][0]][main][at_a]
        order = np.argsort(-np.abs(delta), kind="stable")[:MOVED]
        moved = [(shared[place], float(delta[place])) for place in order.tolist() if delta[place]]
    return Difference(
        len(shared),
        len(a.sources) - len(shared),
        len(b.sources) - len(shared),
        correct(found),
        _changed(a.protocol, b.protocol),
        moved,
    )


def _changed(a: Mapping[str, Any], b: Mapping[str, Any], under: str = "") -> list[str]:
    """The settings and conditions that differ, as `name: a → b`."""
    found = []
    for name in dict.fromkeys([*a, *b]):
        one, two = a.get(name), b.get(name)
        if isinstance(one, dict) and isinstance(two, dict):
            found += _changed(one, two, f"{under}{name}.")
        elif one != two and name not in ("folds", "sources", "picks"):
            found.append(f"{under}{name}: {one} → {two}")
    return found
