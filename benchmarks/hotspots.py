"""Where a build's time goes: samples one with py-spy, and names the functions that each of its steps is spent in.

Usage: python benchmarks/hotspots.py [--articles 5000]. Writes the table into docs/performance.md with --page.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from run import PAGE, corpora_folder
from simrec.errors import SimrecError
from speed.build import warm, workspace
from speed.context import PROFILES, Context
from speed.machine import commit, cores
from speed.report import Measured
from speed.table import put_between

RATE = 100
"""Samples a second."""
SHOWN = 4
"""Functions a step."""
LEAST = 0.01
"""Share of all samples under which a step is not shown."""
BUILD = re.compile(r"^(_Work\.)?(build|whole|_write) \(.*pipeline/build\.py")
"""The frames that only pass on: what they call is a step."""
OURS = "simrec/"
FRAME = re.compile(r"^(?P<function>.+) \((?P<file>.+?):?(?P<line>\d*)\)$")


def main() -> int:
    """Samples a build and prints the table; 1 where that cannot be done."""
    try:
        return run()
    except SimrecError as error:
        print(error, file=sys.stderr)
        return 1


def run() -> int:
    """Does what the command line says; see `main`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--articles", type=int, default=PROFILES["small"].build)
    parser.add_argument("--page", action="store_true", help="write the table into docs/performance.md")
    options = parser.parse_args()
    spy = Path(sys.executable).with_name("py-spy")
    if not spy.exists():
        print("py-spy is not installed: pip install simrec[bench]", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="simrec-bench-") as work:
        context = Context(replace(PROFILES["full"], name="hotspots"), corpora_folder(), Path(work), cores())
        warm(context)
        folder = workspace(context, options.articles)
        if isinstance(folder, Measured):
            print(folder.missing, file=sys.stderr)
            return 1
        stacks = sample(context, spy, folder)
    if not stacks:
        print("py-spy saw no build: may it trace processes here?", file=sys.stderr)
        return 1
    table = f"{options.articles:,} articles, {commit()}, {RATE} samples a second.\n\n{markdown(stacks)}"
    print(table)
    if options.page:
        PAGE.write_text(put_between(PAGE.read_text(encoding="utf-8"), "hotspots", table), encoding="utf-8")
    return 0


def sample(context: Context, spy: Path, folder: Path) -> list[tuple[list[str], int]]:
    """The stacks of a build below `build` itself, outermost first, with how often each was seen."""
    built, out = context.work / "spied", context.work / "stacks.txt"
    shutil.copytree(folder, built)
    arguments = {"folder": str(built)}
    task = {"target": "speed.build:whole", "arguments": arguments, "runs": 1, "out": str(context.work / "spied.json")}
    record = [str(spy), "record", "--rate", str(RATE), "--format", "raw", "--nonblocking", "--output", str(out), "--"]
    command = [*record, sys.executable, "-m", "speed", json.dumps(task)]
    subprocess.run(command, env=context.environment(), capture_output=True, check=False)  # noqa: S603  our own module
    return below_build(out.read_text(encoding="utf-8").splitlines()) if out.exists() else []


def below_build(lines: Iterable[str]) -> list[tuple[list[str], int]]:
    """Stacks of py-spy's raw format that have `build` in them, from its callee on.

    >>> below_build(["main (run.py:1);build (simrec/pipeline/build.py:70);fit (embed/tfidf.py:9) 7"])
    [(['fit (embed/tfidf.py:9)'], 7)]
    """
    found = []
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        at = [place for place, frame in enumerate(frames) if BUILD.match(frame)]
        if at and frames[at[-1] + 1 :]:
            found.append((frames[at[-1] + 1 :], int(count)))
    return found


def markdown(stacks: Iterable[tuple[list[str], int]]) -> str:
    """A table: the functions of ours that `build` calls, their shares, and the functions that these are spent in."""
    steps: dict[str, Counter[str]] = defaultdict(Counter)
    for frames, count in stacks:
        step = next((frame for frame in frames if OURS in frame), frames[0])  # not functools, which calls properties
        steps[name(step)][name(frames[-1])] += count
    total = sum(leaves.total() for leaves in steps.values())
    lines = ["| step | share | of it in |\n|---|---|---|\n"]
    for step, leaves in sorted(steps.items(), key=lambda item: -item[1].total()):
        if leaves.total() >= LEAST * total:
            parts = [f"{leaf} {count / leaves.total():.0%}" for leaf, count in leaves.most_common(SHOWN)]
            lines.append(f"| {step} | {leaves.total() / total:.0%} | {', '.join(parts)} |\n")
    return "".join(lines)


def name(frame: str) -> str:
    """A frame as `module.function`, without lines and folders.

    >>> name("transform (/usr/lib/site-packages/sklearn/feature_extraction/text.py:1370)")
    '`text.transform`'
    """
    match = FRAME.match(frame)
    return f"`{Path(match['file']).stem}.{match['function']}`" if match else f"`{frame}`"


if __name__ == "__main__":
    sys.exit(main())
