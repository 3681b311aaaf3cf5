"""A Ray cluster of two nodes on this machine, each with one cpu."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from scale_works import paths

from simrec.embed import backend
from simrec.scale import embedding_workers
from simrec.scale.cluster import Cluster, connect
from simrec.scale.ground import Ground
from simrec.settings import Settings
from simrec.types import Text

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


@pytest.fixture
def ground_of(toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ground]:
    """Grounds of texts, in parts of seven."""
    monkeypatch.setattr(backend, "_failed", set())
    monkeypatch.setattr(embedding_workers, "CHARACTERS", 900)

    def ground(
        texts: Sequence[Text], name: str = "ground", speed: str = "best", wanted: str = "torch", **about: Any
    ) -> Ground:
        import pyarrow as pa
        import pyarrow.parquet as pq

        made = Ground(tmp_path / name)
        (made.folder / "articles").mkdir(parents=True)
        borders = [*range(0, len(texts), 7), len(texts)]
        sentence = {"model": str(toy_model), "device": "cpu", "backend": wanted, "passage_tokens": 16, "overlap": 4}
        settings = Settings(sentence=sentence, build={"speed": speed})  # type: ignore[arg-type]
        known = {"model": "hybrid", "n": len(texts), "borders": borders, "main_lang": "en", **about}
        made.say(settings=settings.model_dump(mode="json"), **known)
        for span in made.spans:
            rows = [text._asdict() for text in texts[span.begin : span.end]]
            pq.write_table(pa.Table.from_pylist(rows), made.folder / "articles" / f"{span.part:06d}.parquet")
        return made

    return ground
