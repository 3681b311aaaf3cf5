"""Hours in minutes: readers, publishers, editors and pages of the desk at once, and whether memory grows."""

from __future__ import annotations

import itertools
import random
import threading
import time
from pathlib import Path
from urllib.parse import unquote, urlencode

import numpy as np
import psutil
from scipy.stats import t

from served.site import SETTINGS, Served, make, serving
from speed.report import Measured, Outcome, Row

READERS = 2
FLAT = 1.0
"""Megabytes a minute that all may grow over the last half: the upper end of the interval, not its middle."""
PARTS = 6
"""Of the last half: of each the least memory counts."""
EVERY = 1.0
"""Seconds between two looks at memory."""
FORMATS = ("json", "html", "jsonld")
VIEWS = ("block", "models", "changes")
DESK = ("/desk/queue", "/desk/search?q=bridge", "/desk/site", "/desk/log", "/desk/compare", "/desk/help")
API = ("/v1/acts", "/v1/snapshots", "/v1/status", "/metrics")
GOOD = {"read": {200}, "publish": {200, 201}, "withdraw": {200}, "act": {200}, "look": {200}, "sign in": {303}}
"""What each may get: anything else has failed."""


class Traffic:
    """Whoever asks, each in a thread, and what they got."""

    def __init__(self, served: Served) -> None:
        self._served, self.over = served, threading.Event()
        self.counts: dict[str, int] = {}
        self.failed: list[str] = []
        self._lock = threading.Lock()

    def read(self) -> None:
        """A reader, of all formats, also with an article left out, and with reasons."""
        rng = random.Random(threading.get_ident())  # noqa: S311 - it draws addresses
        targets = self._served.shown()
        while not self.over.is_set():
            query = {"format": rng.choice(FORMATS), "k": rng.randint(1, 9)} | (
                {"exclude": "a"} if rng.random() < 0.2 else {}
            )
            self._ask("read", "GET", f"{rng.choice(targets)}?{urlencode(query)}")

    def publish(self) -> None:
        """A CMS, that publishes and takes out."""
        for number in itertools.count():
            if self.over.wait(0.4):
                return
            self._count("publish", self._served.publish(number), "PUT")
            if number % 7 == 6:
                self._ask("withdraw", "DELETE", f"/v1/articles/load-{(number - 3) % 20}")

    def edit(self) -> None:
        """An editor, that pins, bans, and takes it back."""
        pages = self._pages()
        steps = ("pin", "unpin", "ban", "unban", "accept", "unaccept")
        for number in itertools.count():
            if self.over.wait(0.7):
                return
            page, target = pages[number // 6 % 15], pages[15 + number // 6 % 15]
            body = {"action": steps[number % 6], "target_id": target}
            self._ask("act", "POST", f"/v1/pages/{page}/acts", body)

    def look(self) -> None:
        """An editor at the desk: an article's page, in each of its views, in turn with one of the others."""
        cookie = self._sign_in()
        pages = [unquote(page) for page in self._pages()]
        articles = [f"/desk/article?{urlencode({'id': id_, 'view': view})}" for view in VIEWS for id_ in pages]
        for two in zip(itertools.cycle(articles), itertools.cycle((*DESK, *API)), strict=False):
            for target in two:
                if self.over.wait(0.5):
                    return
                self._ask("look", "GET", target, headers={"cookie": cookie})

    def _pages(self) -> list[str]:
        """Ids of thirty pages, as addresses have them."""
        return [target.removesuffix("/similar").rpartition("/")[2] for target in self._served.shown()[:30]]

    def _sign_in(self) -> str:
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", self._served.port, timeout=60)
        origin = f"http://127.0.0.1:{self._served.port}"
        sent = {"content-type": "application/x-www-form-urlencoded", "origin": origin}
        connection.request("POST", "/desk/login", urlencode({"key": self._served.key}), sent)
        found = connection.getresponse()
        found.read()
        connection.close()
        self._count("sign in", found.status, "POST /desk/login")
        return (found.getheader("set-cookie") or "").partition(";")[0]

    def _ask(
        self, what: str, method: str, target: str, body: object = None, headers: dict[str, str] | None = None
    ) -> None:
        try:
            status = self._served.send(method, target, body, headers)[0]
        except OSError as error:
            status = 0
            target = f"{target}: {error}"
        self._count(what, status, f"{method} {target}")

    def _count(self, what: str, status: int, asked: str) -> None:
        with self._lock:
            self.counts[what] = self.counts.get(what, 0) + 1
            if status not in GOOD[what]:
                self.failed.append(f"{status} {asked}")


def soak(work: Path, seconds: float) -> Outcome:
    """Runs it."""
    with serving(make(work / "site", f"{SETTINGS}access_log = true\n")) as served:
        traffic = Traffic(served)
        jobs = [traffic.read] * READERS + [traffic.publish, traffic.edit, traffic.look]
        threads = [threading.Thread(target=job) for job in jobs]
        for thread in threads:
            thread.start()
        process, points, start = psutil.Process(served.process.pid), [], time.monotonic()
        while (now := time.monotonic() - start) < seconds:
            points.append((now / 60, sum(one.memory_info().rss for one in (process, *process.children())) / 1e6))
            time.sleep(EVERY)
        traffic.over.set()
        for thread in threads:
            thread.join()
    return outcome_of(points, traffic, seconds)


def outcome_of(points: list[tuple[float, float]], traffic: Traffic, seconds: float) -> Outcome:
    """What was found."""
    slope, spread = growth(points)
    half = points[len(points) // 2][1]
    first, last, most = points[0][1], points[-1][1], max(mb for _, mb in points)
    counted = ", ".join(f"{count:,} {what}" for what, count in sorted(traffic.counts.items()))
    rows = [
        Row("growth of memory over the last half, at most", slope + spread, "MB a minute", at_most=FLAT,
            note=f"{slope:.2f} +- {spread:.2f} (95%); {first:.0f} MB at first, {half:.0f} MB after half the time, "
                 f"{last:.0f} MB in the end, {most:.0f} MB at most"),
        Row("requests that failed", float(len(traffic.failed)), "", at_most=0.0, note=counted),
    ]  # fmt: skip
    series = {"rss_mb": [[round(at, 3), round(mb, 1)] for at, mb in points[:: max(len(points) // 200, 1)]]}
    figures = {"counts": traffic.counts, "failed": traffic.failed[:20]}
    return Outcome({"minutes": round(seconds / 60, 1)}, {"soak": Measured(figures=figures)}, rows, series)


def growth(points: list[tuple[float, float]]) -> tuple[float, float]:
    """Megabytes a minute over the last half, by least squares, and half the width of its 95% interval.

    The first half is warming up. Of each part of the rest the least counts: what is held for a while, and then let go,
    is no growth.

    >>> slope, spread = growth([(second / 60, 100.0 + 2 * second / 60) for second in range(600)])
    >>> round(slope, 6), round(spread, 6)
    (2.0, 0.0)
    """
    late = np.array(points[len(points) // 2 :], dtype=np.float64)
    parts = np.array_split(late, min(PARTS, len(late)))
    at, mb = np.array([part[part[:, 1].argmin()] for part in parts]).T
    slope, level = np.polyfit(at, mb, 1)
    rest = mb - (slope * at + level)
    free = max(len(at) - 2, 1)
    error = np.sqrt((rest @ rest) / free / ((at - at.mean()) ** 2).sum())
    return float(slope), float(t.ppf(0.975, free) * error)
