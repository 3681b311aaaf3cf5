"""No request fails while the site changes, and while the service is told to end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from served.client import Found
from served.site import SIMREC, Served, load, make, serving
from simrec.pipeline.snapshots import rollback
from simrec.pipeline.workspace import Workspace

RATE, SECONDS = 100.0, 6.0


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The newsroom, built; copy it first."""
    return make(tmp_path_factory.mktemp("load") / "site")


@pytest.fixture
def served(blank: Path, tmp_path: Path) -> Iterator[Served]:
    """A service of it, with one process."""
    with serving(shutil.copytree(blank, tmp_path / "site")) as found:
        yield found


class Asking:
    """Asks at a constant rate beside what a test does."""

    def __init__(self, port: int, targets: list[str], seconds: float = SECONDS) -> None:
        self._found: list[Found] = []
        self._thread = threading.Thread(target=lambda: self._found.append(load(port, targets, RATE, seconds, 8)))
        self._thread.start()

    def found(self) -> Found:
        """What came of it."""
        self._thread.join()
        return self._found[0]


@pytest.mark.slow
def test_nothing_fails_while_the_site_changes(served: Served) -> None:
    """Articles published, a whole build and a rollback by other processes: every reader has an answer, in time."""
    targets, before = served.shown(), served.snapshot()
    asking = Asking(served.port, targets, 3 * SECONDS)
    statuses = [served.publish(number) for number in range(8)]
    subprocess.run([*SIMREC, "build", "--full", "-w", str(served.path)], check=True, capture_output=True)
    wait(lambda: served.snapshot() == before + 1)
    statuses += [served.publish(number) for number in range(8, 12)]
    rollback(Workspace.open(served.path))
    wait(lambda: served.snapshot() == before)
    found = asking.found()
    assert set(statuses) <= {200, 201}
    assert found.failed == {}
    assert found.asked == RATE * 3 * SECONDS
    assert found.ms["max"] < 10_000


def test_a_process_that_is_told_to_end_answers_first(served: Served) -> None:
    """Whatever was asked before SIGTERM is answered, a change that takes long as well; then the process ends by it."""
    answers: list[int] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(served.publish(n))) for n in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    served.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert served.process.wait(30) in (0, -signal.SIGTERM)
    good = [status for status in answers if status in (200, 201)]
    assert answers
    assert set(answers) <= {200, 201, 503}
    with Workspace.open(served.path).store() as store:
        stored = sum(store.article(f"load-{number}") is not None for number in range(6))
    assert stored >= len(good)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
@pytest.mark.slow
def test_processes_are_replaced_one_after_the_other(blank: Path, tmp_path: Path) -> None:
    """SIGHUP to a service of two processes and a writer: all are others afterwards, and readers saw nothing of it."""
    with serving(shutil.copytree(blank, tmp_path / "site"), "--workers", "2") as served:
        targets, before = served.shown(), children(served.process.pid)
        asking = Asking(served.port, targets, 2 * SECONDS)
        time.sleep(1)
        served.process.send_signal(signal.SIGHUP)
        found = asking.found()
        wait(lambda: not children(served.process.pid) & before and len(children(served.process.pid)) >= 3)
        assert found.failed == {}
        assert served.publish(0) in (200, 201)


def children(number: int) -> set[int]:
    """The workers of a process, and its writer."""
    import psutil

    found = psutil.Process(number).children()
    return {child.pid for child in found if "resource_tracker" not in " ".join(child.cmdline())}


def wait(done: Any, seconds: float = 60.0) -> None:
    """Waits until something holds."""
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_load_is_counted_from_when_it_was_due() -> None:
    """A service that stands still for half a second makes all wait who would have asked meanwhile."""
    code = (
        "import socket, time\ns = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True)\n"
        "c, _ = s.accept(); n = 0\nwhile c.recv(65536):\n    n += 1; time.sleep(0.5 if n == 20 else 0)\n"
        "    c.sendall(b'HTTP/1.1 200 OK\\r\\ncontent-length: 1\\r\\n\\r\\na')\n"
    )
    import sys

    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=dict(os.environ)) as process:
        assert process.stdout is not None
        found = load(int(process.stdout.readline()), ["/"], 100.0, 2.0, 1)
        process.kill()
    assert (found.asked, found.failed) == (200, {})
    assert found.ms["max"] > 450
    assert found.ms["p95"] > 200  # some fifty requests were due while it stood still
