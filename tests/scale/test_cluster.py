"""Clusters that are joined, started here, or not there."""

from __future__ import annotations

import builtins
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import scale_works as works
from scale_works import counts, paths

from simrec.errors import ClusterError
from simrec.scale import cluster as clusters
from simrec.scale.attempt import CLAIM, Meter, new_token, sees, unlike
from simrec.scale.cluster import Cluster, Node, connect, environment
from simrec.scale.runner import RayRunner


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a line."""
    real = builtins.__import__

    def missing(name: str, *rest: Any, **named: Any) -> Any:
        if name.split(".")[0] == "ray":
            raise ImportError(name)
        return real(name, *rest, **named)

    for name in [name for name in sys.modules if name.split(".")[0] == "ray"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ClusterError, match=r"^Ray is not installed: pip install 'simrec\[ray\]', on every node$"):
        connect().__enter__()


@pytest.mark.ray
def test_an_address_where_nobody_answers_is_an_error_at_once() -> None:
    """Ray itself would try for minutes."""
    pytest.importorskip("ray", reason="Ray is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(ClusterError, match=rf"no Ray cluster at 127.0.0.1:{port} can be joined: .*run `ray start"):
        connect(f"127.0.0.1:{port}").__enter__()
    assert time.monotonic() - start < 15
    for address in ("ray://127.0.0.1:10001", "somewhere", "host:port"):
        with pytest.raises(ClusterError, match=r"is no address of a Ray cluster: give HOST:PORT, or auto"):
            connect(address).__enter__()


def test_other_versions_and_clusters_that_do_not_start_are_told_in_a_line() -> None:
    """Each with what to do."""
    told = (
        "Version mismatch: The cluster was started with:\n    Ray: 2.50.0\nThis process was started with:\n    Ray: 2"
    )
    line = clusters._why(told, "host:6379")
    assert line.startswith("the cluster has other versions than this machine: ")
    assert "Ray: 2.50.0" in line
    assert "\n" not in line
    assert clusters._why("No space left.\nmore", None).startswith("Ray cannot be started here: No space left; look")


def test_workers_share_what_they_need_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are whole, threads are one, and no other variable is passed."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["src", ""]))
    monkeypatch.setenv("SECRET", "x")
    passed = environment()
    assert passed["PYTHONPATH"] == str(Path("src").resolve())
    assert {passed[name] for name in clusters.ONE_THREAD} == {"1"}
    assert passed["HF_HUB_OFFLINE"] == "1"
    assert passed["TOKENIZERS_PARALLELISM"] == "false"
    assert "SECRET" not in passed


def test_a_folder_is_seen_by_its_token(tmp_path: Path) -> None:
    """Not when it is missing, and not when another driver has claimed it."""
    cluster = Cluster(None)
    first = cluster.claim(tmp_path)
    assert sees(str(tmp_path), first, 0)
    second = cluster.claim(tmp_path)
    assert not sees(str(tmp_path), first, 0)
    assert sees(str(tmp_path), second, 0)
    assert not sees(str(tmp_path / "elsewhere"), second, 0)
    assert (tmp_path / CLAIM).read_text() == second


def test_memory_is_what_is_held_beside_what_was_held() -> None:
    """Also what is let go before the end; files that are looked at are told apart."""
    held = bytearray(50 << 20)
    with Meter() as meter:
        more = bytearray(b"x") * (40 << 20)  # as much is never taken from what the process has let go of
        time.sleep(0.1)
        del more
    assert 35 << 20 <= meter.memory <= 55 << 20
    assert meter.resident >= 35 << 20
    assert len(held) == 50 << 20


def test_a_node_of_another_version_is_named(tmp_path: Path) -> None:
    """Results would not be the same."""
    there = {**clusters.versions(), "numpy": "1.0"}
    node = Node("a", "10.0.0.7", 1, 0)
    with pytest.raises(ClusterError, match=r"^node 10\.0\.0\.7 has numpy 1\.0, the driver .*: install that$"):
        Cluster(None)._check(node, (True, there), tmp_path, clusters.versions())
    token = new_token("x").replace(json.dumps(clusters.versions()["numpy"]), '"1.0"')
    assert unlike(new_token("x")) == ""
    assert unlike(token) == f"numpy {clusters.versions()['numpy']}, the driver 1.0"


@pytest.mark.ray
def test_a_cluster_of_this_machine_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the cores it is given, ends with its block, and puts the signals back; there is one at a time."""
    pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.setenv("PYTHONPATH", paths())
    before = signal.getsignal(signal.SIGTERM)
    with connect(cores=2) as cluster:
        assert cluster.cpus == 2
        assert cluster.memory > 0
        assert len(RayRunner(tmp_path, cluster).run("count", works.count, counts(3, 0))) == 3
        with pytest.raises(ClusterError, match="connected to Ray already"):
            connect().__enter__()
    assert signal.getsignal(signal.SIGTERM) == before
    assert not cluster.ray.is_initialized()


def test_signals_are_left_alone_in_other_threads() -> None:
    """Only the main one may say what a signal does."""
    seen = []

    def look() -> None:
        with clusters._stopped_by_sigterm() as stop:
            stop()
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
