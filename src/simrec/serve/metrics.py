"""What a service counts, for Prometheus; of all processes at one port together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from simrec.serve.reading import Shown

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder in which processes count together."""
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """What a service counts.

    Attributes:
        publishes: counter of changes, by kind.
        errors: counter of faults, by kind.
        hits: blocks that were held ready, a plain number, see `settle`.
        misses: counter of blocks that had to be made.
        empty: blocks without an item that were asked for.
    """

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        wanted = ("route", "method", "status")
        self._seconds = Histogram(
            "simrec_request_seconds", "Time of requests", wanted, buckets=BUCKETS, registry=registry
        )
        cache = Counter(
            "simrec_cache", "Blocks that were held ready, or had to be made", ("result",), registry=registry
        )
        self._hits, self.misses = cache.labels("hit"), cache.labels("miss")
        self.hits = self._settled = 0
        self.empty = Counter("simrec_empty_blocks", "Blocks asked for that have no item", registry=registry)
        self.errors = Counter("simrec_errors", "Faults, by kind", ("kind",), registry=registry)
        self.publishes = Counter("simrec_publishes", "Changes that were made, by kind", ("kind",), registry=registry)
        self.writer = Gauge(
            "simrec_writer", "Whether there is a writer", registry=registry, multiprocess_mode="livemax"
        )
        self._routes: dict[tuple[str, str, int], Histogram] = {}

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Counts a request."""
        key = (route, method, status)
        found = self._routes.get(key)
        if found is None:
            found = self._routes[key] = self._seconds.labels(route, method, str(status))
        found.observe(seconds)

    def settle(self) -> None:
        """Takes over what is counted in a plain number, since that is quicker; called by one thread, now and then."""
        hits, before = self.hits, self._settled
        self._hits.inc(hits - before)
        self._settled = hits

    def text(self, shown: Shown, clock: Callable[[], datetime]) -> bytes:
        """All of it, as Prometheus reads it."""
        registry = self._registry
        if folder := os.environ.get(FOLDER):
            _bury(Path(folder))
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # it has no types
        now = CollectorRegistry()
        now.register(_Now(shown, clock))
        return bytes(generate_latest(registry)) + bytes(generate_latest(now))


class _Now(Collector):
    """What is measured at the moment of asking."""

    def __init__(self, shown: Shown, clock: Callable[[], datetime]) -> None:
        self._shown, self._clock = shown, clock

    def collect(self) -> Iterable[Metric]:
        """The gauges."""
        return list(self._gauges())

    def _gauges(self) -> Iterator[Metric]:
        ready = self._shown.is_ready
        yield GaugeMetricFamily("simrec_ready", "Whether there is anything to show", value=float(ready))
        if not ready:
            return
        seen, snapshot = self._shown.seen, self._shown.snapshot
        age = (self._clock() - snapshot.current_at).total_seconds()
        yield GaugeMetricFamily("simrec_stale_seconds", "Age of the blocks that are shown", value=max(age, 0.0))
        yield GaugeMetricFamily("simrec_snapshot", "Number of the snapshot that is shown", value=snapshot.id)
        yield GaugeMetricFamily("simrec_articles", "Articles, public or not", value=len(seen.corpus))
        blocks = GaugeMetricFamily("simrec_blocks", "Blocks of the snapshot", labels=["state"])
        blocks.add_metric(["filled"], snapshot.blocks)
        blocks.add_metric(["empty"], max(len(seen.packed) - snapshot.blocks, 0))
        yield blocks


def _bury(folder: Path) -> None:
    """Forgets the gauges of processes that have ended: a writer that was killed is the writer no more."""
    for path in folder.glob("gauge_live*_*.db"):
        number = path.stem.rpartition("_")[2]
        try:
            os.kill(int(number), 0)
        except (ProcessLookupError, ValueError):
            path.unlink(missing_ok=True)
        except OSError:
            pass  # it lives, and is another user's


def prepared(folder: str) -> None:
    """Lets the processes that are started from here count together, in a folder of their own."""
    os.environ[FOLDER] = folder
