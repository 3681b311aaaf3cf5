"""Neighbors in tasks on a Ray cluster of this machine: one worker against two of one thread each, and a task's memory.

Usage: python benchmarks/scale_neighbors.py [--memory | --cells] [--rows N] [--articles FILE.jsonl.gz]
[--vectors FILE.npy] [--times N]. Results go to benchmarks/results/scale-neighbors.json, one of each kind and size.
Sparse rows are the TF-IDF of the articles, where a file is given; else their terms follow Zipf's law.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from simrec.files import write_whole
from simrec.scale import comparing, inverted, neighbors
from simrec.scale.ground import FIT, NAMES, WIDTHS, Ground, save
from simrec.scale.spaces import FOUND, Space, group_of, nothing, put_groups
from simrec.scale.tasks import Serial, Task, do
from simrec.settings import Settings
from speed.machine import describe

RESULTS = Path(__file__).parent / "results" / "scale-neighbors.json"
DIMENSIONS = 384
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), "1"
)
PART = 2500
"""Rows of a part of the site."""


def main() -> None:
    """Measures what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--articles", type=Path)
    parser.add_argument("--vectors", type=Path, help="unit rows, .npy, in place of made up ones")
    parser.add_argument("--times", type=int, default=3, help="runs with each number of workers")
    parser.add_argument("--memory", action="store_true", help="a task at its largest against the stated bound, instead")
    parser.add_argument("--cells", action="store_true", help="cells against comparing all, instead")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(peak(*options.child)))
        return
    measure = memory if options.memory else cells if options.cells else efficiency
    source = next((str(path.name) for path in (options.vectors, options.articles) if path), "made up")
    found = {"about": describe(1), "rows": options.rows, "source": source} | measure(options)
    print(json.dumps(found, indent=1))
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    known[f"{measure.__name__} {options.rows}"] = found
    write_whole(RESULTS, (json.dumps(known, indent=1) + "\n").encode(), "free some space and run it again")


# The site


def dense_rows(n: int, seed: int = 0) -> np.ndarray:
    """(n, 384) unit rows in weak clusters, of many sizes."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(n // 40, 1), DIMENSIONS)).astype(np.float32)
    vectors = np.empty((n, DIMENSIONS), dtype=np.float32)
    for begin in range(0, n, 10_000):
        part = vectors[begin : begin + 10_000]
        chosen = (rng.random(len(part)) ** 2 * len(centres)).astype(np.int64)
        part[:] = centres[chosen] + rng.normal(size=part.shape)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return vectors


def sparse_rows(n: int, articles: Path | None) -> csr_matrix:
    """(n, terms) the TF-IDF of articles, repeated where there are too few; or terms by Zipf's law, some 260 a row."""
    if articles is not None:
        from simrec.embed.tfidf import TfidfEmbedder
        from simrec.types import Text

        with gzip.open(articles, "rt", encoding="utf-8") as file:
            found = [json.loads(line) for line, _ in zip(file, range(n), strict=False)]
        texts = [Text(one["title"], one["body"], one.get("lang") or "en") for one in found]
        matrix = TfidfEmbedder().fit_transform(texts)
        return matrix[np.arange(n) % matrix.shape[0]]
    rng = np.random.default_rng(1)
    terms = np.minimum(rng.zipf(1.35, n * 400), 200_000) - 1
    counts = csr_matrix((np.ones(len(terms), np.float32), (np.repeat(np.arange(n), 400), terms)), (n, 200_000))
    counts.sum_duplicates()
    weights = np.log((n + 1) / (np.bincount(counts.indices, minlength=200_000) + 1)) + 1
    counts.data = (1 + np.log(counts.data)) * weights[counts.indices].astype(np.float32)
    norms = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    counts.data /= np.repeat(norms, np.diff(counts.indptr)).astype(np.float32)
    return counts


def make_ground(folder: Path, columns: dict[str, Any]) -> Ground:
    """The folder of a build with one column a space, in one language."""
    ground = Ground(folder)
    n = next(iter(columns.values())).shape[0]
    widths = {name: int(value.shape[1]) for name, value in columns.items()}
    ground.say(n=n, borders=[*range(0, n, PART), n], model="tfidf" if "tfidf" in columns else "sentence",
               settings=Settings().model_dump(mode="json"))  # fmt: skip
    ground.write_json(ground.engine / WIDTHS, widths)
    ground.write_json(ground.folder / FIT / NAMES, {"languages": ["en"]})
    save(ground.engine / "column-languages.0.npy", np.zeros(n, dtype=np.int32))
    for name, value in columns.items():
        sparse = (
            [value] if isinstance(value, np.ndarray) else [value.indptr.astype(np.int64), value.indices, value.data]
        )
        for number, array in enumerate(sparse):
            save(ground.engine / f"column-{name}.{number}.npy", array)
    return ground


# One worker against two


class Plain:
    """Does tasks on a cluster that is there; all of them are handed to it at once.

    Args:
        folder: of the build.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, stage: str, work: Callable[..., Any], tasks: Sequence[Task], *, memory: int = 0) -> list[Any]:
        """See `simrec.scale.tasks.Runner`."""
        import ray

        remote = ray.remote(num_cpus=1)(do)
        return list(ray.get([remote.remote(str(self.folder), stage, work, task) for task in tasks]))


def efficiency(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds with one worker and with two, in turn, and the share of the ideal: half the time."""
    found: dict[str, Any] = {}
    made = {"sentence": lambda: dense_rows(options.rows), "tfidf": lambda: sparse_rows(options.rows, options.articles)}
    for name, make in made.items():
        with tempfile.TemporaryDirectory(prefix="simrec-bench-") as work:
            ground = make_ground(Path(work), {name: make()})
            seconds: dict[int, list[float]] = {1: [], 2: []}
            for _ in range(options.times):
                for workers, times in seconds.items():
                    times.append(timed(ground, name, workers))
            best = {workers: min(times) for workers, times in seconds.items()}
            found[name] = {"seconds": seconds, "efficiency": round(best[1] / best[2] / 2, 3)}
    return found


def timed(ground: Ground, name: str, workers: int) -> float:
    """Seconds of all tasks of a space, with workers that have loaded and compiled what they need."""
    import ray

    ray.init(address="local", num_cpus=workers, include_dashboard=False, log_to_driver=False, configure_logging=False,
             runtime_env={"env_vars": ONE_THREAD})  # fmt: skip
    try:
        put_groups(ground)
        for array in FOUND:
            (ground.engine / f"{array.format(name)}.npy").unlink(missing_ok=True)
        warm = ray.remote(num_cpus=1)(warmed)
        ray.get([warm.remote(str(ground.folder), name, at) for at in range(2 * workers)])
        runner, space = Plain(ground.folder), Space(ground, name)
        start = time.perf_counter()
        neighbors.find_space(ground, runner, space, [group_of(ground, 0)])
        return round(time.perf_counter() - start, 2)
    finally:
        ray.shutdown()


def warmed(folder: str, name: str, number: int) -> None:
    """Loads and compiles what a worker needs; long enough that each worker does it."""
    start = time.perf_counter()
    comparing.compare(folder, name, 10**5 + number, 0, 0, 64, 0, 3000, 128)
    time.sleep(max(4 - (time.perf_counter() - start), 0))


# Memory


def memory(options: argparse.Namespace) -> dict[str, Any]:
    """The most that a task takes beside what a process has before, of blocks as large as the bound lets them be."""
    found: dict[str, Any] = {"bound_mb": comparing.MEMORY >> 20}
    for name in ("sentence", "tfidf"):
        with tempfile.TemporaryDirectory(prefix="simrec-bench-") as work:
            make = (
                dense_rows(8 * options.rows) if name == "sentence" else sparse_rows(3 * options.rows, options.articles)
            )
            put_groups(make_ground(Path(work), {name: make}))
            del make
            command = [sys.executable, __file__, "--child", work, name]
            told = subprocess.run(  # noqa: S603 - this file itself
                command, check=True, capture_output=True, env={**os.environ, **ONE_THREAD}
            )
            found[name] = json.loads(told.stdout)
    return found


def peak(folder: str, name: str) -> dict[str, Any]:
    """Does a job of all others and as many pages as one may have; its memory, MB, that of maps of files told apart."""
    comparing.compare(folder, name, 0, 0, 0, 64, 0, 3000, 128)
    others = Ground(folder).n
    begin, end = comparing.runs(10**9, 128)[0]
    before = status()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    most = {"anonymous": 0.0}
    stop = watch(most)
    start = time.perf_counter()
    comparing.compare(folder, name, 1, 0, begin, min(end, 3 * comparing.BATCH), 0, others, 128)
    seconds = time.perf_counter() - start
    stop()
    return {
        "others": others,
        "seconds": round(seconds, 1),
        "before_mb": before["VmRSS"],
        "peak_mb": round(status()["VmHWM"] - before["VmRSS"], 1),
        "peak_anonymous_mb": round(most["anonymous"] - before["RssAnon"], 1),
        "for_found_mb": round(sum(array.nbytes for array in nothing(end, 128)) / 2**20, 1),
    }


def status() -> dict[str, float]:
    """What the system says of this process's memory, MB."""
    lines = [line.split() for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines()]
    return {line[0].rstrip(":"): int(line[1]) / 1024 for line in lines if line[-1] == "kB"}


def watch(most: dict[str, float]) -> Callable[[], None]:
    """Looks at the memory that no file is behind, a hundred times a second, until told to stop."""
    import threading

    done = threading.Event()

    def look() -> None:
        while not done.wait(0.01):
            most["anonymous"] = max(most["anonymous"], status()["RssAnon"])

    thread = threading.Thread(target=look)
    thread.start()

    def stop() -> None:
        done.set()
        thread.join()

    return stop


# Cells


def cells(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds for a few thousand pages, by cells and by comparing all, one thread."""
    asked = 4 * comparing.LEAST
    with tempfile.TemporaryDirectory(prefix="simrec-bench-") as work:
        vectors = np.load(options.vectors)[: options.rows] if options.vectors else dense_rows(options.rows)
        ground, rows = make_ground(Path(work), {"sentence": vectors}), len(vectors)
        put_groups(ground)
        start = time.perf_counter()
        made = inverted.prepare(ground, Serial(ground.folder), "sentence", 0)
        prepared = time.perf_counter() - start
        start = time.perf_counter()
        comparing.compare(work, "sentence", 0, 0, 0, asked, 0, rows, 128)
        exact = time.perf_counter() - start
        found = {"prepare_seconds": round(prepared, 1), "pages": asked, "exact_seconds": round(exact, 2)}
        if made is None:
            return found | {"probes": "comparing all is hardly more work"}
        start = time.perf_counter()
        for number, part in enumerate(made.parts):
            inverted.probe(work, "sentence", number, 0, 0, asked, number, *part, made.probes, 128)
        looked = round(time.perf_counter() - start, 2)
        count = made.parts[-1][1]
        return found | {"cells": count, "probes": made.probes, "recall": made.recall, "cells_seconds": looked}


if __name__ == "__main__":
    main()
