"""What a benchmark runs in: sizes, corpora, a folder to work in, and processes of its own for its contenders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from speed.child import RUNS
from speed.report import Measured

PATIENCE = 240.0
"""Seconds that all rounds of a race may take; the first one takes what it takes."""
HOME = Path(__file__).parents[1]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
REAL = ("auth0-blog", "digitalgov", "lo-help-en")


@dataclass(frozen=True)
class Profile:
    """Sizes, in articles.

    Attributes:
        name: of the profile.
        whole: whether targets that name a size hold here.
        rows: of the dense and of the sparse matrix.
        corpora: that the text peers rank.
        kept: corpora on which quicker embedders' quality is measured.
        embedded: that each embedder is timed on.
        approximate: rows of the approximate index; 0 leaves it out.
        build: articles of the build, of the features and of publishing.
        sources: pages whose pairs' features are computed.
        published: articles that are published one by one.
        growth: sizes of the builds that show how it grows.
        limit: seconds that a contender may take.
    """

    name: str
    whole: bool
    rows: int
    corpora: tuple[str, ...]
    kept: tuple[str, ...]
    embedded: int
    approximate: int
    build: int
    sources: int
    published: int
    growth: tuple[int, ...]
    limit: float


EVERYTHING = 57_000
"""More than mslearn has: all of it."""
PROFILES = {
    "tiny": Profile("tiny", False, 1_000, (), REAL[:1], 32, 0, 200, 100, 20, (60, 120), 240),
    "small": Profile("small", False, 20_000, REAL, REAL[:1], 256, 0, 5_000, 2_000, 200, (2_000, 4_000, 8_000), 600),
    "full": Profile(
        "full", True, 20_000, REAL, ("auth0-blog", "lo-help-en"), 1_024, 250_000, EVERYTHING, EVERYTHING, 500,
        (5_000, 10_000, 20_000, 40_000, EVERYTHING), 7_200,
    ),
}  # fmt: skip


class Job(NamedTuple):
    """A contender: `module:function` and its arguments; `runs` 1 for work that cannot be done twice."""

    target: str
    arguments: Mapping[str, Any]
    runs: int = RUNS


@dataclass(frozen=True)
class Context:
    """A run of benchmarks.

    Attributes:
        profile: the sizes.
        corpora: the folder of the real corpora; None where there are none.
        work: a folder for what is made on the way.
        threads: that every library may use.
    """

    profile: Profile
    corpora: Path | None
    work: Path
    threads: int

    def run(self, job: Job) -> Measured:
        """Runs a contender in a process of its own, with a fixed number of threads."""
        with tempfile.NamedTemporaryFile(dir=self.work, suffix=".json", delete=False) as file:
            out = Path(file.name)
        task = {"target": job.target, "arguments": dict(job.arguments), "runs": job.runs, "out": str(out)}
        command = [sys.executable, "-m", "speed", json.dumps(task, default=str)]
        try:
            done = subprocess.run(  # noqa: S603  our own module
                command, env=self.environment(), capture_output=True, text=True, timeout=self.profile.limit
            )
        except subprocess.TimeoutExpired:
            return Measured(skipped=f"took more than {self.profile.limit:.0f} s")
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            return Measured(failed=lines[-1] if lines else f"ended with {done.returncode}")
        return Measured(**json.loads(out.read_text(encoding="utf-8")))

    def race(self, jobs: Mapping[str, Job]) -> dict[str, Measured]:
        """Runs contenders in turn, three times round where that does not take long.

        What disturbs the machine disturbs all, and all have as many runs: the best of many would beat the only one.
        """
        once = {name: job._replace(runs=1) for name, job in jobs.items()}
        found = {name: self.run(job) for name, job in once.items()}
        for _ in range(rounds(sum(value.seconds or 0.0 for value in found.values())) - 1):
            for name, job in once.items():
                if not found[name].missing:
                    found[name] = _better(found[name], self.run(job))
        return found

    def environment(self) -> dict[str, str]:
        """Of a contender's process: the threads that it may use, and where our modules are."""
        paths = [str(HOME), os.environ.get("PYTHONPATH", "")]
        return {
            **os.environ,
            **dict.fromkeys(THREADS, str(self.threads)),
            "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        }


def rounds(taken: float) -> int:
    """How many rounds there are when the first one took so many seconds.

    >>> rounds(20), rounds(100), rounds(500)
    (3, 2, 1)
    """
    return max(1, min(RUNS, int(PATIENCE // max(taken, 1))))


def _better(one: Measured, two: Measured) -> Measured:
    if two.seconds is None:
        return one
    best = min(one, two, key=lambda found: found.seconds or float("inf"))
    return replace(best, runs=[*one.runs, *two.runs])
