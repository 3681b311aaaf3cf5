"""The gate: a snapshot that does not hold what is asked for is kept, and not shown; nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simrec.cli import main
from simrec.errors import UsageError
from simrec.pipeline import snapshots
from simrec.pipeline.build import build
from simrec.pipeline.gate import Counts, Site, measure, verdict
from simrec.pipeline.ingest import ingest
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.status import status
from simrec.pipeline.workspace import Workspace
from simrec.settings import GateSettings
from simrec.store import Before, StoredBlock
from simrec.types import Article, Pick

Town = Callable[..., Workspace]


def active_blocks(workspace: Workspace) -> dict[str, StoredBlock]:
    """What is shown."""
    with workspace.store() as store:
        return {block.source_id: block for block in store.blocks(store.snapshot().id)}


def with_settings(workspace: Workspace, text: str) -> Workspace:
    """The workspace with other settings."""
    (workspace.path / "simrec.toml").write_text(f'[build]\nmodel = "tfidf"\n{text}', encoding="utf-8")
    return Workspace.open(workspace.path)


def test_figures_are_what_they_say() -> None:
    """Empty, changed, coverage, hub as shares of blocks and articles, nDCG@10 of the pages that have picks."""
    new = [("a", ["b", "c", "x"]), ("b", ["c"]), ("c", []), ("d", ["c", "a"])]
    before = [("a", ["b", "c", "y"]), ("b", ["a"]), ("gone", ["a"])]
    site = Site(k=2, before_k=2, before=8, picks=[Pick("a", "c", 1), Pick("b", "zzz", 1)], counts=Counts(6))
    found = measure(new, Before(before, whole=True), site)
    assert found["empty"] == 0.25
    assert measure(new, None, site._replace(counts=Counts(6, off=1)))["empty"] == 0  # c has none on purpose
    assert measure(new, None, site._replace(counts=Counts(6, barred=frozenset("c"))))["empty"] == 0.5  # b, and c
    assert measure(new, None, site._replace(least=2))["empty"] == 0.5  # one item is no block
    assert measure(new, None, site._replace(filled=True))["empty"] is None
    assert found["changed"] == pytest.approx(1 / 3, abs=1e-4)  # of those that there were: b; a's spare is not shown
    assert found["coverage"] == 0.5  # a, b, c of six
    assert found["hub"] == 0.75  # c stands in three of four
    assert found["ndcg"] == pytest.approx((1 / 1.58496 + 0) / 2, abs=1e-4)
    assert found["pages"] == 2
    assert measure(new, None, site)["changed"] is None
    assert measure(new, Before(before, whole=False), site)["changed"] == 0.125  # b, of eight


def test_what_readers_see_is_held_against_what_they_saw() -> None:
    """What is hidden, scheduled or barred by now is in neither block, a block that is too short is none in either."""
    before = [
        ("a", ["b", "later", "c"]),
        ("b", ["a", "gone", "c"]),
        ("c", ["a"]),
        ("d", ["old", "a", "b"]),
        ("e", ["a", "b"]),
        ("gone", ["a", "b"]),
    ]
    new = [
        ("a", ["b", "later", "c"]),
        ("b", ["a", "c", "d"]),
        ("c", ["a"]),
        ("d", ["a", "b", "c"]),
        ("e", ["b", "a"]),
        ("gone", ["c", "d"]),
        ("later", ["a", "b"]),
    ]
    counts = Counts(4, hidden=frozenset({"later", "gone"}), barred=frozenset({"old"}))
    site = Site(k=2, before_k=2, before=5, picks=[], counts=counts, least=2)
    found = measure(new, Before(before, whole=True), site)
    assert found["changed"] == 0.2  # e
    assert found["empty"] == 0.2  # c
    assert found["hub"] == 0.6  # a and b, in three of five
    assert measure(new, Before(before[:5], whole=False), site)["changed"] == 0.2


def test_a_good_build_is_not_refused_for_what_is_hidden_scheduled_or_short(town: Town) -> None:
    """A site fitted anew shows the same: nothing has changed, and drafts count for nothing."""
    workspace, rules = town(), "[block]\nmin_items = 5\n[policy]\nmin_cosine = 0.4\n"
    text = (workspace.path / "articles.jsonl").read_text(encoding="utf-8")
    soon = {"embargo_until": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    more = []
    for n, line in enumerate(text.splitlines()[:24]):
        one = json.loads(line)
        words = " ".join(reversed(one["body"].split()))
        more.append(one | {"id": f"x{n:02}", "body": words} | (soon if n < 4 else {"status": "draft"}))
    (workspace.path / "more.jsonl").write_text("\n".join(map(json.dumps, more)), encoding="utf-8")
    ingest(workspace, [workspace.path / "more.jsonl"])
    build(with_settings(workspace, rules))
    workspace = with_settings(workspace, f"{rules}[gate]\nmax_changed = 0\n")
    with workspace.store() as store:
        before = dict(store.listed(store.snapshot().id))
    assert any(0 < len(ids) < 5 for ids in before.values())
    assert any({"x00", "x01", "x02", "x03"} & {*ids[:5]} for ids in before.values())
    assert not build(workspace, full=True).refused
    with workspace.store() as store:
        figures = store.snapshot().figures or {}
    shown = [[id_ for id_ in ids if id_ < "x"][:5] for page, ids in before.items() if page < "x"]
    assert figures["empty"] == sum(len(ids) < 5 for ids in shown) / 40


def test_a_limit_that_fallbacks_keep_from_being_held_is_named(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    """Which blocks are empty is known when they are read: the build says that `max_empty` is not held."""
    town("[policy]\nfallback = ['recent']\n[gate]\nmax_empty = 0.1\n")
    assert "max_empty is not held" in caplog.text


@pytest.mark.parametrize(
    ("limit", "figures", "says"),
    [
        ({"max_empty": 0.1}, {"empty": 0.2}, "20.0% of the blocks are empty, max_empty allows 10.0%"),
        ({"max_changed": 0.1}, {"changed": 0.2}, "max_changed allows 10.0%"),
        ({"min_coverage": 0.5}, {"coverage": 0.2}, "min_coverage asks for 50.0%"),
        ({"max_hub": 0.1}, {"hub": 0.2}, "max_hub allows 10.0%"),
        ({"min_ndcg": 0.3}, {"ndcg": 0.2, "pages": 30}, "0.200 is the blocks' nDCG@10"),
        ({"min_ndcg": 0.3}, {"ndcg": 0.2, "pages": 29}, None),
        ({"max_changed": 0.0}, {"changed": None}, None),
        ({"max_empty": 0.2, "max_hub": 0.2}, {"empty": 0.2, "hub": 0.2}, None),
        ({"max_empty": 0.1, "max_hub": 0.1}, {"empty": 0.2, "hub": 0.2}, "max_empty allows 10.0%; "),
    ],
)
def test_each_limit_refuses_and_says_which_figure(limit: Any, figures: Any, says: str | None) -> None:
    """With its value and the limit; a figure at the limit, or one that cannot be had, passes."""
    refused = verdict(figures, GateSettings(**limit)).refused
    assert (says is None and refused is None) or (says is not None and refused is not None and says in refused)


def test_a_refused_snapshot_is_kept_and_not_shown(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 and one line; what is shown is as before, to the byte; `status` says so; `--force` activates it."""
    workspace = town()
    before = active_blocks(workspace)
    with_settings(workspace, "[gate]\nmax_empty = 0.05\n[policy]\nmin_score = 1000.0\n")
    code = main(["build", "-w", str(workspace.path), "--json"])
    out, err = capsys.readouterr()
    assert code == 1
    assert err == ("simrec: gate: snapshot 2 is not activated: 100.0% of the blocks are empty, max_empty allows 5.0%\n")
    assert json.loads(out)["refused"].startswith("100.0%")
    workspace = Workspace.open(workspace.path)
    assert active_blocks(workspace) == before
    found = status(workspace)
    assert (found.snapshot, found.refused is None) == (1, False)
    assert main(["status", "-w", str(workspace.path)]) == 1
    assert "refused: snapshot 2 is not shown" in capsys.readouterr().out
    with pytest.raises(UsageError, match="--force"):
        snapshots.activate(workspace, 2)
    assert snapshots.activate(workspace, 2, force=True).active
    assert not any(block.items for block in active_blocks(workspace).values())
    assert snapshots.rollback(workspace).id == 1
    assert active_blocks(workspace) == before


def test_after_a_refusal_articles_are_published_into_what_is_shown(town: Town) -> None:
    """A refused build, also one that fitted the site anew, leaves what is shown as open to changes as before."""
    workspace = town()
    refusing = with_settings(workspace, "[gate]\nmax_hub = 0.01\n")
    assert build(refusing, full=True).refused
    with Pipeline(refusing) as pipeline:
        gone = active_blocks(refusing)["t000"].items[0].id
        pipeline.withdraw(gone)
        assert all(gone not in [item.id for item in block.items] for block in active_blocks(refusing).values())
    with refusing.store() as store:
        assert store.snapshot().id == 1
    relaxed = with_settings(workspace, "")
    assert not build(relaxed).refused
    fresh = active_blocks(relaxed)
    build(relaxed, full=True)
    assert {id_: [i.id for i in block.items] for id_, block in active_blocks(relaxed).items()} == {
        id_: [i.id for i in block.items] for id_, block in fresh.items()
    }


def test_a_build_after_a_refusal_goes_on_from_what_is_shown(town: Town) -> None:
    """And is refused again for as long as the reason stands; what was refused never passes for up to date."""
    workspace = town("[gate]\nmax_changed = 0.0\n")
    more = workspace.path / "more.jsonl"
    more.write_text(json.dumps({"id": "new", "title": "Bridge", "body": "bridge crack anchor engineer repair " * 4}))
    ingest(workspace, [more])
    for number in (2, 3):
        report = build(workspace)
        assert (report.snapshot, bool(report.refused)) == (number, True)
        assert status(workspace).waiting == 1
        assert "new" not in active_blocks(workspace)
    workspace = with_settings(workspace, "")
    report = build(workspace)
    assert not report.refused
    assert "new" in active_blocks(workspace)
    assert status(workspace).problems == []
    kept = active_blocks(workspace)
    build(workspace, full=True)
    assert active_blocks(workspace).keys() == kept.keys()


def test_a_first_snapshot_that_is_refused_leaves_nothing_to_show_and_says_so(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    """`similar` and `status` say what happened, and what to do."""
    workspace = town("[gate]\nmax_hub = 0.01\n")
    for command in (["similar", "t000"], ["status"]):
        assert main([*command, "-w", str(workspace.path)]) == 1
    out, err = capsys.readouterr()
    assert "no snapshot is active, the gate refused all" in err
    assert "refused: snapshot 1" in out


def test_broken_for_months_and_nobody_saw(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """`status` fails when the blocks are too old, and when articles wait, with the hours and the number."""
    workspace = town("[gate]\nmax_age_hours = 36\n")
    assert main(["status", "-w", str(workspace.path)]) == 0
    with workspace.store() as store:
        made = store.snapshot().created_at
    assert status(workspace, made + timedelta(hours=35)).problems == []
    assert "of 37 hours ago, max_age_hours is 36" in status(workspace, made + timedelta(hours=37)).problems[0]
    more = workspace.path / "more.jsonl"
    more.write_text("\n".join(json.dumps({"id": f"w{n}", "title": "T", "body": "bridge repair"}) for n in range(3)))
    ingest(workspace, [more])
    capsys.readouterr()
    assert main(["status", "-w", str(workspace.path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["waiting"] == 3
    build(workspace)
    assert main(["status", "-w", str(workspace.path)]) == 0


def test_what_is_published_does_not_wait(town: Town) -> None:
    """Nor do pins; the count of blocks that have items stays true."""
    workspace = town()
    with Pipeline(workspace) as pipeline:
        pipeline.publish(Article("lonely", "Quokka", "wombat numbat", lang="en"))
        pipeline.publish(Article("new", "Bridge", "bridge crack anchor engineer", lang="en"))
        pipeline.pin("t001", "t002")
    found = status(workspace)
    assert (found.waiting, found.problems) == (0, [])
    blocks = active_blocks(workspace)
    assert found.blocks == sum(bool(block.items) for block in blocks.values()) == len(blocks) - 1
    assert not blocks["lonely"].items
