"""TREC's two formats: a run (what a system ranked) and qrels (what is right), as trec_eval and ir_measures read them.

Their columns are parted by spaces, so spaces and per cent signs in ids are written as in URLs, and read back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

import numpy as np

from simrec.errors import InputError
from simrec.files import write_whole
from simrec.text import unspaced
from simrec.types import NO_ROW, Rows


class TrecRun(NamedTuple):
    """A run: its tag, and for each source id the target ids, best first."""

    tag: str
    ranked: Mapping[str, Sequence[str]]


def write_run(ids: Sequence[str], sources: Rows, run: Rows, tag: str) -> str:
    """The text of a run: `source Q0 target rank score tag`, scores falling with the rank.

    Args:
        ids: of all articles, by row.
        sources: (s,) rows.
        run: (s, depth) rows, best first, -1 for none.
        tag: names the system.
    """
    lines = []
    for source, ranked in zip(sources.tolist(), run.tolist(), strict=True):
        found = [row for row in ranked if row != NO_ROW]
        for rank, row in enumerate(found, start=1):
            lines.append(
                f"{unspaced(ids[source])} Q0 {unspaced(ids[row])} {rank} {len(found) - rank + 1} {unspaced(tag)}\n"
            )
    return "".join(lines)


def write_qrels(ids: Sequence[str], sources: Rows, picks: Sequence[AbstractSet[int]]) -> str:
    """The text of the qrels: `source 0 target 1`, a line a pick."""
    return "".join(
        f"{unspaced(ids[source])} 0 {unspaced(ids[row])} 1\n"
        for source, targets in zip(sources.tolist(), picks, strict=True)
        for row in sorted(targets)
    )


def read_run(path: Path) -> TrecRun:
    """Reads a run; targets are ordered by falling score, equal ones by the file's rank, as trec_eval's users mean it.

    Raises:
        InputError: the file cannot be read, or a line of it is no line of a run.
    """
    entries: dict[str, list[tuple[float, float, str]]] = {}
    tag = path.stem
    for number, line in enumerate(_lines(path), start=1):
        columns = line.split()
        if not columns:
            continue
        if len(columns) != 6 or not (_is_number(columns[3]) and _is_number(columns[4])):
            raise InputError(f"{path}:{number} is no line of a TREC run: source Q0 target rank score tag")
        source, _, target, rank, score, tag = columns
        entries.setdefault(unquote(source), []).append((-float(score), float(rank), unquote(target)))
    ranked = {
        source: list(dict.fromkeys(target for *_, target in sorted(found, key=lambda entry: entry[:2])))
        for source, found in entries.items()
    }
    return TrecRun(unquote(tag), ranked)


def as_rows(run: TrecRun, row_of: Mapping[str, int], sources: Rows, ids: Sequence[str], depth: int) -> Rows:
    """(s, depth) rows of a run for some sources; the source itself and unknown articles are skipped.

    Raises:
        InputError: the run ranks nothing for any of the sources.
    """
    if not any(ids[source] in run.ranked for source in sources.tolist()):
        raise InputError(f"the run {run.tag!r} ranks none of the tested pages: its first column must hold their ids")
    rows = np.full((len(sources), depth), NO_ROW, dtype=np.int32)
    for place, source in enumerate(sources.tolist()):
        found = [row_of[target] for target in run.ranked.get(ids[source], ()) if target in row_of]
        kept = [row for row in found if row != source][:depth]
        rows[place, : len(kept)] = kept
    return rows


def write_runs(path: Path, ids: Sequence[str], sources: Rows, runs: Mapping[str, Rows]) -> list[Path]:
    """Writes runs by their names: `NAME.run` in a folder, or `my.run` for one and `my.NAME.run` for several.

    Args:
        path: a folder, or, with an ending as in `my.run`, a file.
        ids, sources: see `write_run`.
        runs: (s, depth) rows by name.

    Returns:
        The files.

    Raises:
        StoreError: a file cannot be written.
    """
    written = []
    for name, run in runs.items():
        safe = quote(name, safe=" ")
        if path.is_dir() or not path.suffix:
            file = path / f"{safe}.run"
        else:
            file = path if len(runs) == 1 else path.with_name(f"{path.stem}.{safe}{path.suffix}")
        write_whole(file, write_run(ids, sources, run, name).encode(), "name another place with --trec-run")
        written.append(file)
    return written


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
