"""The state of a site, and its quality over time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from simrec.evaluate.compare import interval
from simrec.pipeline.acts import Desk
from simrec.pipeline.build import build
from simrec.pipeline.gate import ndcg
from simrec.pipeline.overview import overview
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.quality import record
from simrec.pipeline.run import run
from simrec.pipeline.workspace import Workspace
from simrec.types import Article


def test_a_site_without_a_snapshot_has_a_state(make_site: Callable[..., Workspace]) -> None:
    """Before the first build there are articles, and it is said what to do."""
    found = overview(make_site('{"id": "a", "title": "A", "body": "Text."}'))
    assert (found.pages, found.coverage, found.hubs, found.quality) == (0, None, (), ())
    assert found.status.articles == 1
    assert "run `simrec build`" in found.status.lines()[-1]


def test_pages_are_counted_by_how_full_they_are(town: Callable[..., Workspace]) -> None:
    """Full, short, empty and switched off are all pages that readers see; hubs and empty pages are named."""
    workspace = town('[policy]\noff = ["t001"]\nmin_score = 1')
    odd = Article("odd", "Zyx wvu", "Qwert zuiop asdf ghjk.", lang="en")
    with Pipeline(workspace) as pipeline:
        pipeline.publish(odd, replace(odd, id="draft", status="draft"))
        found = overview(workspace, pipeline)
        with workspace.store() as store:
            blocks = [(b.source_id, [i.id for i in b.items][:5]) for b in store.blocks(1) if b.source_id != "draft"]
    assert (found.pages, found.off) == (41, 1)
    assert found.full + found.short + found.empty + found.off == found.pages
    assert found.empty == sum(not ids for id_, ids in blocks) - 1
    assert found.full == sum(len(ids) == 5 for _, ids in blocks)
    assert [one.source_id for one in found.empties] == [id_ for id_, ids in blocks if not ids and id_ != "t001"]
    assert "0 of 5" in next(one.why for one in found.empties if one.source_id == "odd")
    times = {id_: sum(id_ in ids for _, ids in blocks) for id_, _ in blocks}
    assert [hub.blocks for hub in found.hubs] == sorted(times.values(), reverse=True)[:10]
    assert all(times[hub.id] == hub.blocks and hub.share == round(hub.blocks / 40, 4) for hub in found.hubs)
    assert found.coverage == round(sum(count > 0 for count in times.values()) / 41, 4)
    assert found.status.drift is not None
    assert overview(workspace).status.drift is None
    assert not any("one by one" in line for line in overview(workspace).status.lines())


def test_each_build_adds_to_the_quality_over_time(site: Workspace) -> None:
    """The figure is that of the blocks against the picks, with its interval; it stays when its snapshot is gone."""
    with site.store() as store:
        truth: dict[str, set[str]] = {}
        for pick in store.picks("imported"):
            truth.setdefault(pick.source_id, set()).add(pick.target_id)
        blocks = store.blocks(store.snapshot().id, list(truth))
        expected = interval(np.array([ndcg([i.id for i in b.items], truth[b.source_id]) for b in blocks]))
    for _ in range(2):
        build(site)
    with site.store() as store:
        store.prune(1)
        assert [snapshot.id for snapshot in store.snapshots()] == [3]
    quality = [point for point in overview(site).quality if point.kind == "picks"]
    assert [(point.snapshot, point.measure) for point in quality] == [(number, "nDCG@10") for number in (1, 2, 3)]
    assert (quality[0].mean, quality[0].low, quality[0].high) == pytest.approx(tuple(expected), abs=1e-5)
    assert quality[0].pages == len(truth)


def test_a_figure_is_kept_once(site: Workspace) -> None:
    """What was measured of a snapshot as it is is not measured again; once it has changed, it is."""
    now = datetime.now(UTC)
    with site.store() as store:
        assert record(store, store.snapshot(), now) == []
        article = store.articles()[0]
        with Pipeline(site) as pipeline:
            pipeline.publish(replace(article, id="again", title="Another"))
        assert [one.kind for one in record(store, store.snapshot(), now)] == ["picks"]


def test_what_editors_pin_is_no_merit_of_the_ranking(town: Callable[..., Workspace]) -> None:
    """A pin that is a judgement, too, does not raise the figure: the item counts where its own score has it."""
    workspace = town()
    with workspace.store() as store:
        block = next(iter(store.blocks(1, ["t000"])))
    last = block.items[-1].id
    with Pipeline(workspace) as pipeline:
        Desk(workspace, pipeline).act("Ada", "pin", "t000", last)
    with workspace.store() as store:
        assert next(iter(store.blocks(1, ["t000"]))).items[0].id == last
        (found,) = record(store, store.snapshot(), datetime.now(UTC))
    assert found.kind == "judgements"
    assert found.figures["mean"] == pytest.approx(1 / np.log2(len(block.items) + 1), abs=1e-4)
    assert found.figures["mean"] < 0.5


def test_the_last_runs_are_told(town: Callable[..., Workspace]) -> None:
    """What `simrec run` did is there, the newest first."""
    workspace = town()
    for _ in range(2):
        run(workspace)
    found = overview(workspace).runs
    assert [one.state for one in found] == ["done", "done"]
    assert ["snapshot 3" in found[0].line, "snapshot 2" in found[1].line] == [True, True]
