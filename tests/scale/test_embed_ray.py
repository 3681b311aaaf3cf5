"""Workers that embed on a cluster: each loads the model once; one that dies is followed by another."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import embed_works as works
import numpy as np
import pytest
from scale_works import attempts, places
from test_embed import WHOLE, assert_same, local, some_texts, views_of
from test_runner import wait_for

from simrec.errors import InputError
from simrec.scale.cluster import Cluster
from simrec.scale.embed import embed
from simrec.scale.ground import Ground
from simrec.scale.runner import RayRunner
from simrec.scale.tasks import DONE, Serial
from simrec.scale.watching import Summary

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),  # Ray Data warns of its own settings
]


@pytest.mark.parametrize("work", [works.noted, works.dying, works.shaky])
def test_parts_are_embedded_by_workers_that_stay(
    work: Any, ground_of: Callable[..., Ground], two_nodes: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vectors of one machine; a part whose worker died, or that threw, is done again, and the others are not.

    No thread of Ray Data stays: garbage that it finds may name what Ray held, which after Ray's end ends the process.
    """
    texts = some_texts(70)
    ground = ground_of(texts)
    monkeypatch.setattr("simrec.scale.embed.embed_part", work)
    embed(ground, RayRunner(ground.folder, two_nodes))
    assert_same(views_of(ground), local(ground, None).views(texts), WHOLE)
    stage = Summary(ground.folder).stages["embed"]
    assert (stage.state, stage.tasks, stage.skipped, stage.rows) == ("done", 10, 0, 70)
    again = {works.noted: 0, works.dying: 1, works.shaky: 2}[work]
    assert attempts(ground.folder) == 10 + again
    assert stage.retries == again
    assert len(set(places(ground.folder))) <= 2 + again
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("data-usage")]


@pytest.mark.slow
def test_a_static_model_is_fitted_on_a_cluster(ground_of: Callable[..., Ground], two_nodes: Cluster) -> None:
    """As by one process: the counts are the same; its vectors within 1e-5, for a worker's sums may differ."""
    texts = some_texts(40)
    here, there = ground_of(texts, "here", speed="fast"), ground_of(texts, "there", speed="fast")
    embed(here, Serial(here.folder))
    embed(there, RayRunner(there.folder, two_nodes))
    assert_same(views_of(there), views_of(here), 1e-5)


def test_what_is_the_users_is_said_as_it_is(
    ground_of: Callable[..., Ground], two_nodes: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own error."""
    ground = ground_of(some_texts(10))
    monkeypatch.setattr("simrec.scale.embed.embed_part", works.wrong)
    with pytest.raises(InputError, match="no column id"):
        embed(ground, RayRunner(ground.folder, two_nodes))


@pytest.mark.slow
def test_a_node_that_goes_takes_nothing_with_it(
    ground_of: Callable[..., Ground], two_nodes: Cluster, ray_cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parts are embedded by those that stay."""
    texts = some_texts(105)
    ground = ground_of(texts)
    monkeypatch.setattr("simrec.scale.embed.embed_part", works.noted)
    added = ray_cluster.add_node(num_cpus=1, memory=1 << 30, object_store_memory=100 << 20)

    def kill() -> None:
        wait_for(lambda: any(node == added.node_id for node, _ in places(ground.folder)), 60)
        ray_cluster.remove_node(added, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    embed(ground, RayRunner(ground.folder, two_nodes))
    killer.join()
    assert_same(views_of(ground), local(ground, None).views(texts), WHOLE)
    assert np.unique([path.name.split(".")[0] for path in (Path(ground.folder) / "attempts").iterdir()]).size == 15


@pytest.mark.slow
def test_a_driver_that_is_killed_is_gone_on_with(
    ground_of: Callable[..., Ground], two_nodes: Cluster, ray_cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What workers have done is not done again; what they were at may be."""
    texts = some_texts(105)
    ground = ground_of(texts)
    done = ground.folder / DONE / "embed"
    told = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    driver = subprocess.Popen([sys.executable, works.__file__, str(ground.folder), ray_cluster.address], **told)
    wait_for(lambda: len([*done.glob("*.json")]) >= 3, 120)
    driver.kill()
    driver.wait()
    before = {path.name for path in done.glob("*.json")}
    monkeypatch.setattr("simrec.scale.embed.embed_part", works.noted)
    again = Ground(ground.folder)
    embed(again, RayRunner(ground.folder, two_nodes))
    assert_same(views_of(again), local(ground, None).views(texts), WHOLE)
    assert len(before) < 15
    assert Summary(ground.folder).stages["embed"].skipped >= len(before)
    assert attempts(ground.folder) <= 15 + 4
