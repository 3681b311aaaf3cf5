"""Speed of simrec against peers and limits: one table, results as JSON, plots and the tables of docs/performance.md.

Usage: python benchmarks/run.py [--profile small] [--only dense] [--list]. What is not run keeps its figures.
Real corpora are looked for in the folder that SIMREC_CORPORA names; without it there is less to say.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from simrec.errors import InputError, SimrecError
from simrec.files import write_whole
from speed.context import PROFILES, Context
from speed.machine import cores, describe
from speed.plots import draw
from speed.report import Outcome, Row
from speed.table import markdown, put_between, terminal

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE, IMAGES = ROOT / "docs" / "performance.md", ROOT / "docs" / "images"
SCRATCH = ROOT / "out" / "benchmarks"
"""Where the results of the profile for trying things out go."""
BENCHMARKS = (
    "dense", "sparse", "peers", "embed", "kept", "features", "build", "best", "publish", "scaling", "approximate",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs benchmarks, each saved when it is done; 1 where one broke. A missed target breaks nothing."""
    try:
        return run(parser().parse_args(arguments))
    except SimrecError as error:
        print(error, file=sys.stderr)
        return 1


def run(options: argparse.Namespace) -> int:
    """Does what the command line says; see `main`."""
    if options.list:
        print("\n".join(f"{name:12} {about(name)}" for name in BENCHMARKS))
        return 0
    path = (options.results or (SCRATCH if options.profile == "tiny" else RESULTS)) / f"speed-{options.profile}.json"
    chosen = () if options.page else options.only or BENCHMARKS
    with tempfile.TemporaryDirectory(prefix="simrec-bench-") as work:
        context = Context(PROFILES[options.profile], corpora_folder(), Path(work), options.threads)
        outcomes = {name: measure(name, context, path) for name in chosen}
    if outcomes:
        print(terminal(outcomes))
    if path.parent == RESULTS:
        publish(path, options.profile)
    return 1 if any(outcome.failed for outcome in outcomes.values()) else 0


def corpora_folder() -> Path | None:
    """The folder of the real corpora; None where SIMREC_CORPORA is not set.

    Raises:
        InputError: it names no folder.
    """
    named = os.environ.get("SIMREC_CORPORA")
    if named and not Path(named).is_dir():
        raise InputError(f"SIMREC_CORPORA names no folder: {named}; unset it to run on made-up articles")
    return Path(named) if named else None


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument(
        "--profile", choices=sorted(PROFILES), default="small", help="sizes; small takes under 20 minutes"
    )
    made.add_argument("--only", action="append", choices=BENCHMARKS, help="only this one; again for more")
    made.add_argument(
        "--threads", type=at_least_one, default=cores(), help="that every library may use; all cores by default"
    )
    made.add_argument("--results", type=Path, help="folder of the JSON file, in place of benchmarks/results")
    made.add_argument("--page", action="store_true", help="run nothing; write tables and plots from the results")
    made.add_argument("--list", action="store_true", help="name the benchmarks")
    return made


def at_least_one(text: str) -> int:
    """A whole number from 1 on; argparse says what is wrong with another text."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def about(name: str) -> str:
    """What a benchmark measures, in a sentence."""
    return (import_module(f"speed.{name}").__doc__ or "").partition("\n")[0]


def measure(name: str, context: Context, path: Path) -> Outcome:
    """Runs a benchmark and saves what it found beside the others'."""
    before = load(path)
    print(f"{name} …", end=" ", flush=True, file=sys.stderr)
    start = time.perf_counter()
    outcome = attempt(name, context)
    taken = time.perf_counter() - start
    print(f"{taken:.0f} s", file=sys.stderr)
    outcome = replace(outcome, about={**describe(context.threads), "seconds": round(taken, 1)})
    save(path, {**before, name: outcome})
    return outcome


def attempt(name: str, context: Context) -> Outcome:
    """What a benchmark finds, or what broke it: the others go on."""
    bench: Callable[[Context], Outcome] = import_module(f"speed.{name}").bench
    try:
        return bench(context)
    except (SimrecError, OSError, EOFError, ValueError) as error:
        return Outcome({}, {}, [Row(name, None, reason=f"failed: {error}")])


def load(path: Path) -> dict[str, Outcome]:
    """The results that are there, in the order of the benchmarks.

    Raises:
        InputError: the file is there, and holds no results.
    """
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: Outcome.from_json(found[name]) for name in BENCHMARKS if name in found}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no results that can be read ({error}): move it away and run again") from error


def save(path: Path, outcomes: Mapping[str, Outcome]) -> None:
    """Writes results whole, or not at all."""
    values = {name: outcomes[name].as_json() for name in BENCHMARKS if name in outcomes}
    text = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent} cannot be made: {error.strerror}") from error
    write_whole(path, text.encode(), "free some space and run it again")


def publish(path: Path, profile: str) -> None:
    """Writes the plots, and the table of this profile into docs/performance.md."""
    outcomes = load(path)
    draw(outcomes, IMAGES, profile)
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), profile, outcomes), encoding="utf-8")


def page(text: str, profile: str, outcomes: Mapping[str, Outcome]) -> str:
    """docs/performance.md with a profile's table."""
    table = markdown(outcomes) if outcomes else f"Not measured yet: `make bench PROFILE={profile}`.\n"
    plots = [name for name in outcomes if (IMAGES / f"speed-{profile}-{name}.svg").exists()]
    shown = "".join(f"\n![{about(name)}](images/speed-{profile}-{name}.svg)\n" for name in plots)
    return put_between(text, f"speed-{profile}", table + shown)


if __name__ == "__main__":
    sys.exit(main())
