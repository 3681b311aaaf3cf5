"""How many requests a second `simrec serve` answers, beside a bare route, and how soon while the site changes.

Both services are asked in turn by wrk, in one run on one machine, each a process with uvicorn's same parts. Then simrec
is asked at 80 % of its rate by a client that does not wait (see `served.client`), while articles are published over
HTTP and another process builds and shows a new snapshot. With `--soak MINUTES`: mixed requests, and whether memory
grows.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from run import PAGE, RESULTS
from served.site import SIMREC, Served, bare, load, make, serving
from served.soak import soak
from simrec.files import write_whole
from speed.machine import describe
from speed.report import Measured, Outcome, Row
from speed.table import markdown, put_between, terminal

SHARE = 0.8
"""Of the rate that simrec can answer: at which it is asked while the site changes."""
HALF = 0.5
"""Of a bare route's rate: what is asked of simrec."""
CONNECTIONS = 32
EVERY = 0.5
"""Seconds between two articles that are published meanwhile."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and writes the figures; 1 where a request failed. A missed target breaks nothing."""
    options = parser().parse_args(arguments)
    work = Path(tempfile.mkdtemp(prefix="simrec-load-"))
    try:
        name = "soak" if options.soak else "serve"
        outcome = soak(work, options.soak * 60) if options.soak else measure(work, options.seconds, options.rounds)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    outcome = replace(outcome, about={**describe(1), "load": [round(one, 1) for one in os.getloadavg()]})
    print(terminal({name: outcome}))
    if not options.dry:
        keep(name, outcome)
    return 1 if outcome.failed else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument(
        "--seconds", type=float, default=8.0, help="of each run of wrk; the run under change has 3 times it"
    )
    made.add_argument("--rounds", type=int, default=3, help="runs of each service, in turn")
    made.add_argument("--soak", type=float, default=0.0, metavar="MINUTES", help="mixed requests for so long, instead")
    made.add_argument("--dry", action="store_true", help="keep no figures")
    return made


def measure(work: Path, seconds: float, rounds: int) -> Outcome:
    """All of it."""
    if shutil.which("wrk") is None:
        return Outcome({}, {}, [Row("requests a second", None, "/s", reason="wrk is not installed")])
    with serving(make(work / "site")) as served:
        targets = served.shown()
        size = len(served.send("GET", targets[0])[1])
        taken: dict[str, list[dict[str, float]]] = {"bare": [], "simrec": []}
        with bare(size) as other:
            for _ in range(rounds):
                taken["bare"].append(wrk(other, "/constant/mill-bridge-crack", seconds))
                taken["simrec"].append(wrk(served.port, targets[0], seconds))
        best = {name: max(runs, key=lambda run: run["rate"]) for name, runs in taken.items()}
        rates = {"most": best["simrec"]["rate"] * SHARE, "needed": best["bare"]["rate"] * HALF * SHARE}
        steady = asdict(load(served.port, targets, rates["most"], seconds))
        changing = {name: changed(served, targets, rate, seconds * 3) for name, rate in rates.items()}
    bad = sum(run["bad"] for runs in taken.values() for run in runs)
    measured = {name: Measured(runs=[run["rate"] for run in runs], figures=best[name]) for name, runs in taken.items()}
    measured["steady"] = Measured(figures=steady)
    measured |= {f"changing, {name}": Measured(figures=found) for name, found in changing.items()}
    sizes = {"articles": len(targets), "bytes": size, "connections": CONNECTIONS, "seconds": seconds}
    return Outcome(sizes, measured, rows(best, steady, changing, int(bad)))


def rows(
    best: dict[str, dict[str, float]], steady: dict[str, Any], changing: dict[str, dict[str, Any]], bad: int
) -> list[Row]:
    """The table."""
    mine, other = best["simrec"], best["bare"]
    failed = bad + sum(sum(one["found"]["failed"].values()) for one in changing.values())
    asked = sum(one["found"]["asked"] for one in changing.values())
    found = [
        Row("requests a second", mine["rate"], "/s", note=f"p99 {mine['p99']:.1f} ms, as fast as they are answered"),
        Row("of a bare FastAPI route of as many bytes", mine["rate"] / other["rate"], at_least=HALF,
            note=f"{other['rate']:,.0f} /s, p99 {other['p99']:.1f} ms"),
        Row("p99 at 80 % of what it can", steady["ms"]["p99"], "ms", at_most=25.0,
            note=f"{steady['rate']:,.0f} /s, p50 {steady['ms']['p50']} ms; the client {steady['busy']:.0%} of a core"),
    ]  # fmt: skip
    for name, words in {"most": "of what it can", "needed": "of half the bare route"}.items():
        one = changing[name]
        ms = one["found"]["ms"]
        note = f"{one['found']['rate']:,.0f} /s, p50 {ms['p50']} ms, p99.9 {ms['p99.9']} ms"
        found.append(Row(f"p99 at 80 % {words}, while the site changes", ms["p99"], "ms", at_most=25.0, note=note))
    refused, published = (sum(one[name] for one in changing.values()) for name in ("refused", "published"))
    slowest = max(one["slowest"] for one in changing.values())
    shown = min(one["after"] - one["before"] for one in changing.values())
    return [
        *found,
        Row("requests that failed", float(failed), "", at_most=0.0, note=f"of {asked:,}"),
        Row("changes that failed", float(refused), "", at_most=0.0,
            note=f"of {published} articles published, the slowest in {slowest:.0f} ms"),
        Row("new snapshots shown in each run", float(shown), "", at_least=1.0),
    ]  # fmt: skip


def changed(served: Served, targets: Sequence[str], rate: float, seconds: float) -> dict[str, Any]:
    """Asks at a rate, while articles are published and another process builds and shows a new snapshot."""
    over, statuses, times, before = threading.Event(), [], [], served.snapshot()

    def publish() -> None:
        while not over.wait(EVERY):
            start = time.perf_counter()
            statuses.append(served.publish(len(statuses)))
            times.append(time.perf_counter() - start)

    publisher = threading.Thread(target=publish)
    publisher.start()
    quiet = subprocess.DEVNULL
    command = ["nice", "-n", "10", *SIMREC, "build", "--full", "-w", str(served.path)]
    builder = subprocess.Popen(command, stdout=quiet, stderr=quiet)  # noqa: S603 - a command of our own
    try:
        found = load(served.port, targets, rate, seconds, CONNECTIONS)
    finally:
        over.set()
        publisher.join()
        built = builder.wait(120)
    refused = sum(status not in (200, 201) for status in statuses) + bool(built)
    return {
        "found": asdict(found), "published": len(statuses), "refused": refused, "before": before,
        "after": served.snapshot(), "slowest": max(times, default=0.0) * 1000,
    }  # fmt: skip


def wrk(port: int, target: str, seconds: float) -> dict[str, float]:
    """Requests a second, as fast as they are answered; `bad` is how many were not answered well."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", "-H", "Host: localhost"]
    said = subprocess.run(  # noqa: S603 - the same
        [*command, f"http://127.0.0.1:{port}{target}"], capture_output=True, text=True, check=True
    ).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    assert rate, said
    assert p99, said
    bad = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", said)))
    for errors in re.findall(r"Socket errors: (.*)", said):
        bad += sum(map(int, re.findall(r"\d+", errors)))
    return {
        "rate": float(rate[1]),
        "p99": float(p99[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[p99[2]],
        "bad": float(bad),
    }


def keep(name: str, outcome: Outcome) -> None:
    """Writes the figures, and their table into docs/performance.md."""
    import json

    path = RESULTS / f"{name}.json"
    write_whole(path, (json.dumps(outcome.as_json(), indent=1) + "\n").encode(), "free some space and run it again")
    table = markdown({name: outcome}) + f"Load of the machine afterwards: {outcome.about['load']}.\n"
    PAGE.write_text(put_between(PAGE.read_text(encoding="utf-8"), name, table), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
