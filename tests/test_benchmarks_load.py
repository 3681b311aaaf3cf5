"""The load on the service: what is read of wrk, what counts as failed, and what a slope of memory is."""

from __future__ import annotations

import doctest
import subprocess
from pathlib import Path
from typing import Any

import pytest

import load
from served import soak
from served.site import Served

WRK = """Running 5s test @ http://127.0.0.1:1/
  1 threads and 32 connections
  Latency Distribution
     50%    1.76ms
     99%  {p99}
  91932 requests in 5.00s, 258.47MB read
{more}Requests/sec:  18386.50
"""
BEST = {"simrec": {"rate": 9000.0, "p99": 5.0, "bad": 0.0}, "bare": {"rate": 10000.0, "p99": 5.0, "bad": 0.0}}


def found(p99: float, failed: dict[str, int]) -> dict[str, Any]:
    """What a run under change found."""
    ms = {"p50": 1.0, "p99": p99, "p99.9": p99}
    return {
        "found": {"asked": 1000, "failed": failed, "again": 0, "rate": 100.0, "busy": 0.1, "ms": ms},
        "published": 10, "refused": 0, "before": 1, "after": 2, "slowest": 90.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("p99", "more", "ms", "bad"),
    [
        ("980.00us", "", 0.98, 0),
        ("12.50ms", "  Non-2xx or 3xx responses: 7\n", 12.5, 7),
        ("1.20s", "  Socket errors: connect 1, read 2, write 0, timeout 3\n", 1200.0, 6),
    ],
)
def test_what_wrk_says(monkeypatch: pytest.MonkeyPatch, p99: str, more: str, ms: float, bad: int) -> None:
    """Its rate, its p99 in milliseconds, and every request without a good answer."""
    said = WRK.format(p99=p99, more=more)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, said))
    assert load.wrk(1, "/", 5) == {"rate": 18386.5, "p99": pytest.approx(ms), "bad": bad}


def test_targets() -> None:
    """A request that failed in any run, or a late one, is a miss; half the bare route's rate is a pass."""
    good = {"most": found(20.0, {}), "needed": found(10.0, {})}
    rows = load.rows(BEST, good["most"]["found"], good, 0)
    assert all(row.verdict in ("pass", "") for row in rows)
    bad = {"most": found(26.0, {}), "needed": found(10.0, {"500": 1})}
    missed = [row.what for row in load.rows(BEST, good["most"]["found"], bad, 0) if row.verdict == "miss"]
    assert missed == ["p99 at 80 % of what it can, while the site changes", "requests that failed"]
    slow = {**BEST, "simrec": {**BEST["simrec"], "rate": 4900.0}}
    assert load.rows(slow, good["most"]["found"], good, 0)[1].verdict == "miss"


def test_without_wrk_there_is_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is measured, and the row says why."""
    monkeypatch.setattr(load.shutil, "which", lambda name: None)
    (row,) = load.measure(tmp_path, 1.0, 1).rows
    assert (row.verdict, row.reason) == ("skipped", "wrk is not installed")


def test_memory_that_grows_is_a_miss() -> None:
    """The first half is warming up; 2 MB a minute after it, or so many perhaps, are too many; noise is none."""
    assert doctest.testmod(soak).failed == 0
    warm = [(number / 100, 300.0 - 100 * max(0.0, 1 - number / 300)) for number in range(1000)]
    noise = [(at, mb + (number % 7) + (200 if number % 20 > 12 else 0)) for number, (at, mb) in enumerate(warm)]
    traffic = soak.Traffic(Served(Path(), 0, None))  # type: ignore[arg-type] - nobody is asked
    for what, statuses in soak.GOOD.items():
        for status in statuses:
            traffic._count(what, status, "GET /")

    def verdicts(points: list[tuple[float, float]]) -> list[str]:
        return [row.verdict for row in soak.outcome_of(points, traffic, 600).rows]

    assert verdicts(noise) == ["pass", "pass"]
    assert verdicts([(at, mb + 2 * at) for at, mb in noise]) == ["miss", "pass"]
    unsure = [(at, mb + 90 * (5 <= at < 5.9 or at > 9.1)) for at, mb in noise]
    assert abs(soak.growth(unsure)[0]) < soak.FLAT
    assert verdicts(unsure) == ["miss", "pass"]
    for what, status in (("read", 404), ("look", 303), ("act", 409), ("publish", 0)):
        traffic._count(what, status, "GET /")
    assert len(traffic.failed) == 4
    assert verdicts(noise) == ["pass", "miss"]
