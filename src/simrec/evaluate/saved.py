"""Evaluations kept on disk, and compared later."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simrec.errors import InputError, UsageError
from simrec.evaluate.compare import Comparison, Interval, compare, correct, interval
from simrec.evaluate.measures import BESIDE, Values
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
    text = json.dumps({"format": FORMAT, **values}, ensure_ascii=False, allow_nan=False) + "\n"
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
        saved = Saved(path, dict(found["protocol"]), list(found["sources"]), values, found["runs"])
        whole = values and all(of.shape == (len(saved.sources),) for each in values.values() for of in each.values())
    except FileNotFoundError as error:
        raise InputError(f"there is no saved run {path}: make one with `simrec evaluate --save {path}`") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no saved run of simrec: make one with `simrec evaluate --save FILE`") from error
    if not whole:
        raise InputError(f"{path} is damaged, it has not a value for each source: make it again with --save")
    return saved


class Difference(NamedTuple):
    """Two saved runs side by side.

    Attributes:
        sources: how many sources both tested.
        only_a, only_b: how many only one of them tested.
        figures: each run's models, by the names that `comparisons` has, with means and intervals on these sources.
        comparisons: b's model against a's, by measure; models of the same name, or the only ones.
        changed: what differs in how they were measured.
        main: the measure that `moved` is by.
        moved: for the first pair, ids of the sources whose main measure fell or rose most, with the difference.
    """

    sources: int
    only_a: int
    only_b: int
    figures: Mapping[str, Mapping[str, Interval]]
    comparisons: Sequence[Comparison]
    changed: Sequence[str]
    main: str
    moved: Sequence[tuple[str, float]]


MOVED = 10


def difference(a: Saved, b: Saved) -> Difference:
    """Compares two runs on the sources that both tested.

    Raises:
        UsageError: they have no source, no model, or no measure in common.
    """
    shared = sorted(set(a.sources) & set(b.sources))
    if not shared:
        raise UsageError("the two runs have tested no source in common: evaluate both on the same articles and picks")
    first, second = ("first", "second") if a.path.stem == b.path.stem else (a.path.stem, b.path.stem)
    before, after = _at(a, shared), _at(b, shared)
    figures: dict[str, dict[str, Interval]] = {}
    found, deltas = [], []
    for one, two in _pairs(a, b):
        measures = [name for name in before[one] if name in after[two] and name not in BESIDE]
        names = f"{second}: {two}", f"{first}: {one}"
        for name, values in zip(names, (after[two], before[one]), strict=True):
            figures[name] = {measure: interval(values[measure]) for measure in measures}
        found += [compare(*names, measure, after[two][measure], before[one][measure]) for measure in measures]
        deltas.append({measure: after[two][measure] - before[one][measure] for measure in measures})
    if not found:
        raise UsageError("the two runs have no measure in common: evaluate both with the same -k")
    main = next((name for name in (f"nDCG@{b.protocol.get('k')}", "nDCG@5") if name in deltas[0]), found[0].measure)
    found.sort(key=lambda comparison: comparison.measure != main)
    found.sort(key=lambda comparison: list(figures).index(comparison.a))
    delta = deltas[0][main]
    order = np.argsort(-np.abs(delta), kind="stable")[:MOVED]
    moved = [(shared[place], float(delta[place])) for place in order.tolist() if delta[place]]
    return Difference(
        sources=len(shared),
        only_a=len(a.sources) - len(shared),
        only_b=len(b.sources) - len(shared),
        figures=figures,
        comparisons=correct(found),
        changed=_changed(a.protocol, b.protocol),
        main=main,
        moved=moved,
    )


def _pairs(a: Saved, b: Saved) -> list[tuple[str, str]]:
    pairs = [(name, name) for name in a.values if name in b.values]
    if len(a.values) == len(b.values) == 1:
        pairs = [(next(iter(a.values)), next(iter(b.values)))]
    if not pairs:
        raise UsageError(
            f"the two runs have no model in common ({', '.join(a.values)}; {', '.join(b.values)}): "
            "evaluate one and the same model in both, or only one in each"
        )
    return pairs


def _at(run: Saved, sources: Sequence[str]) -> dict[str, dict[str, Values]]:
    """The values of some sources, in their order."""
    place_of = {source: place for place, source in enumerate(run.sources)}
    places = np.array([place_of[source] for source in sources])
    return {
        model: {measure: found[places] for measure, found in values.items()} for model, values in run.values.items()
    }


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
