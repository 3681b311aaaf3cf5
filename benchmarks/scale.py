"""What each stage of a build on a cluster costs, with one worker and with two, and whether blocks are a local build's.

Usage: python benchmarks/scale.py [--corpus mslearn] [--articles 5000] [--workers 1 2] [--equal]. Each worker has one
thread, and each build a new folder; results go to benchmarks/results/scale.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from run import ROOT, corpora_folder
from simrec.files import write_whole
from speed.machine import cores, describe

RESULTS = ROOT / "benchmarks" / "results" / "scale.json"
STAGES_OF = {"embedding": ("embed",), "neighbors": ("compare",)}
"""What must get faster with the number of workers: the beginnings of its stages' names."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds with each number of workers, and says how well the work splits."""
    options = parser().parse_args(arguments)
    folder = corpora_folder()
    if folder is None:
        print("SIMREC_CORPORA names no folder of corpora", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="simrec-scale-", dir=options.work) as work:
        known = folder / options.corpus / "articles.jsonl"
        packed = known.with_name("articles.jsonl.gz")
        source = take(known if known.exists() else packed, options.articles, Path(work) / "articles.jsonl")
        found = {str(workers): measure(Path(work), source, workers, options) for workers in options.workers}
        same = compare(Path(work), source, options) if options.equal else None
    values = {"about": describe(1), "corpus": options.corpus, "speed": options.speed, "workers": found, "equal": same}
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    known[f"{options.corpus}-{next(iter(found.values()))['articles']}-{options.speed}"] = values
    write_whole(RESULTS, (json.dumps(known, indent=1) + "\n").encode(), "free some space and run it again")
    print(table(found))
    for workers, one in (same or {}).items():
        print(f"{one['differ']} of {one['blocks']} blocks differ from those of a local build, {workers} workers")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument("--corpus", default="mslearn", help="a folder of SIMREC_CORPORA")
    made.add_argument("--articles", type=int, default=5000, help="how many of them, at most")
    made.add_argument("--workers", type=int, nargs="+", default=[1, cores()], help="with how many workers")
    made.add_argument("--speed", choices=("fast", "best"), default="fast")
    made.add_argument("--equal", action="store_true", help="build here, too, and compare all blocks")
    made.add_argument("--work", type=Path, help="folder to work in")
    return made


def take(source: Path, n: int, out: Path) -> Path:
    """The first n articles of a file."""
    opened = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rt", encoding="utf-8") as lines, out.open("w", encoding="utf-8") as file:
        for _, line in zip(range(n), lines, strict=False):
            file.write(line)
    return out


def create(folder: Path, source: Path, speed: str) -> Any:
    """A workspace with the articles."""
    from simrec.pipeline.ingest import ingest
    from simrec.pipeline.workspace import Workspace
    from simrec.settings import write_settings

    folder.mkdir()
    write_settings(folder, {"build": {"model": "hybrid", "speed": speed}})
    workspace = Workspace.open(folder, create=True)
    ingest(workspace, [str(source)])
    return workspace


def measure(work: Path, source: Path, workers: int, options: argparse.Namespace) -> dict[str, Any]:
    """A build with so many workers."""
    from simrec.scale.build import build

    folder = work / f"on-{workers}"
    workspace = create(folder, source, options.speed)
    start = time.perf_counter()
    report = build(workspace, cores=workers)
    taken = time.perf_counter() - start
    values = {"articles": report.articles, "seconds": round(taken, 1), "stages": report.stages}
    if not options.equal:
        shutil.rmtree(folder)
    return values


def compare(work: Path, source: Path, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The blocks of each build beside those of a local one of the same articles, by the number of workers."""
    from simrec.pipeline.build import build

    here = create(work / "here", source, options.speed)
    build(here)
    return {str(workers): differing(work / f"on-{workers}", here.path) for workers in options.workers}


def differing(there: Path, here: Path) -> dict[str, Any]:
    """Which blocks of two workspaces' snapshots are not the same."""
    from simrec.pipeline.workspace import Workspace

    blocks = []
    for folder in (there, here):
        with Workspace.open(folder).store() as store:
            blocks.append({block.source_id: block for block in store.blocks(store.snapshot().id)})
    found, expected = blocks
    differ = [id_ for id_ in {**expected, **found} if found.get(id_) != expected.get(id_)]
    return {"blocks": len(expected), "differ": len(differ), "first": differ[:10]}


def table(found: dict[str, dict[str, Any]]) -> str:
    """Seconds of work of each stage with each number of workers, and what share of an ideal split that is."""
    first, last = next(iter(found)), list(found)[-1]
    lines = [f"{'stage':28} " + " ".join(f"{workers:>9} w" for workers in found) + "   efficiency"]
    for name in found[first]["stages"]:
        seconds = [values["stages"].get(name, {"seconds": 0.0})["seconds"] for values in found.values()]
        lines.append(
            f"{name:28} " + " ".join(f"{value:9.1f} s" for value in seconds) + f"   {share(seconds, first, last)}"
        )
    for what, names in STAGES_OF.items():
        seconds = [
            sum(stage["seconds"] for name, stage in values["stages"].items() if name.startswith(names))
            for values in found.values()
        ]
        lines.append(line(f"{what}, all", seconds, first, last))
    return "\n".join(lines)


def line(what: str, seconds: Sequence[float], first: str, last: str) -> str:
    """A row of the table."""
    return f"{what:28} " + " ".join(f"{value:9.1f} s" for value in seconds) + f"   {share(seconds, first, last)}"


def share(seconds: Sequence[float], first: str, last: str) -> str:
    """Parallel efficiency of the last number of workers against the first."""
    ideal = seconds[0] * int(first) / int(last)
    return f"{ideal / seconds[-1]:.2f}" if seconds[-1] else ""


if __name__ == "__main__":
    sys.exit(main())
