"""A Ray cluster of two nodes on this machine, each with one cpu."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from scale_works import paths

from simrec.scale.cluster import Cluster, connect

HEALTH = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_timeout_ms": 2000}
"""A node that is gone is missed within seconds."""
FREE = 1 << 30
"""Bytes that each node offers to tasks."""


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """A `ray.cluster_utils.Cluster`: nodes can be added to it, and killed."""
    pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster as Nodes

    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    node = {"num_cpus": 1, "memory": FREE, "object_store_memory": 100 << 20}
    made = Nodes(
        initialize_head=True, head_node_args={**node, "include_dashboard": False, "_system_config": dict(HEALTH)}
    )
    made.add_node(**node)
    yield made
    made.shutdown()


@pytest.fixture
def two_nodes(ray_cluster: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """This process as a driver of that cluster; its workers import what the tests import, by `scale_works`."""
    monkeypatch.setenv("PYTHONPATH", paths())
    with connect(ray_cluster.address) as cluster:
        yield cluster
