"""What a workspace holds, what it needs, and whether anybody has to look at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from simrec.pipeline.kept import find_fitted
from simrec.pipeline.live.drift import Drift
from simrec.pipeline.locks import at_work, describe
from simrec.pipeline.placed import placed_of
from simrec.pipeline.report import DONE, REFUSED, RUNNING, last_report
from simrec.pipeline.synced import active_snapshot, catch_up, waiting
from simrec.pipeline.workspace import Workspace
from simrec.store import Snapshot, Store


@dataclass(frozen=True)
class Status:
    """What a workspace holds.

    Attributes:
        articles: in the store.
        snapshot: number of the active one; None without one.
        model: that made it.
        blocks: with items, in it.
        created_at: when it was made.
        age_hours: since it was last brought up to date.
        waiting: articles that are new or others since, and pages whose pins or bans are.
        refused: why the gate refused the newest snapshot; None where it did not.
        drift: how far the site has moved from what was fitted, see `simrec.pipeline.live.drift.Drift`; None where
            nothing was.
        problems: what somebody has to look at, a line each; empty where all is well.
        at_work: the command that is at work in the workspace now, in words; None where there is none.
        recalls: recall@10 of neighbors, by space, where they were approximate when the site was fitted.
        is_drift_told: whether `drift` was looked for.
    """

    articles: int
    snapshot: int | None
    model: str | None
    blocks: int
    created_at: str | None
    age_hours: float | None
    waiting: int
    refused: str | None
    drift: dict[str, Any] | None
    problems: list[str]
    at_work: str | None = None
    recalls: dict[str, float] = field(default_factory=dict)
    is_drift_told: bool = True

    def lines(self) -> list[str]:
        """It in words, what is to be done among them."""
        if self.snapshot is None:
            return [f"{self.articles} articles, no snapshot is active", *self.problems]
        made = f"snapshot {self.snapshot} of {self.created_at}, {self.model}, {self.blocks} blocks"
        found = [f"{self.articles} articles; {made}", *self.problems]
        if self.at_work:
            found.append(f"at work: {self.at_work}")
        if not self.is_drift_told:
            return found
        if self.drift is None:
            learned = self.model == "learned"
            why = "learned is not kept up to date" if learned else "settings, models or what was fitted are others now"
            found.append(f"articles cannot be published one by one: {why}; run `simrec build`")
        elif self.drift["due"]:
            found.append(f"a refit is due ({self.drift['why']}): run `simrec build --full`")
        else:
            found.append(
                f"no refit is due: {self.drift['changed']:.1%} of the articles are new or changed since the last one, "
                f"IDF has moved by {self.drift['idf']:.3f}, {self.drift['unknown']:.1%} of new words are unknown"
            )
        for name, recall in self.recalls.items():
            found.append(f"neighbors by {name} are approximate: recall@10 {recall:.3f} on a sample")
        return found


def status(
    workspace: Workspace, now: datetime | None = None, *, drift: Drift | Literal["read"] | None = "read"
) -> Status:
    """Looks at a workspace, and changes nothing of what is shown.

    Args:
        workspace: the workspace.
        now: the moment; None for this one.
        drift: where it is known already, or is not to be told: to find it, what was fitted of the site is read.

    Raises:
        StoreError: the store cannot be read.
    """
    now = now or datetime.now(UTC)
    holder = at_work(workspace)
    with workspace.store() as store:
        snapshot, refused = active_snapshot(store), _refused(store)
        hashes, placed = store.article_hashes(), placed_of(workspace, store)
        behind = waiting(store, snapshot, hashes, placed) if snapshot else len(hashes)
        if behind is None:
            behind = abs(len(hashes) - snapshot.articles) if snapshot else 0
        site = None
        if drift == "read" and snapshot and find_fitted(workspace, snapshot):
            site = catch_up(workspace, store, snapshot, hashes, placed, now, [])
    age = now - snapshot.current_at if snapshot else None
    return Status(
        articles=len(hashes),
        snapshot=snapshot.id if snapshot else None,
        model=snapshot.model if snapshot else None,
        blocks=snapshot.blocks if snapshot else 0,
        created_at=snapshot.created_at.isoformat(timespec="seconds") if snapshot else None,
        age_hours=round(age.total_seconds() / 3600, 2) if age is not None else None,
        waiting=behind,
        refused=refused.refused if refused else None,
        drift=drift._asdict() if isinstance(drift, Drift) else site.drift()._asdict() if site else None,
        is_drift_told=drift is not None,
        problems=_problems(workspace, snapshot, refused, behind, age) + _of_last_run(workspace, snapshot, bool(holder)),
        at_work=describe(holder) if holder else None,
        recalls=dict(site.recalls) if site else {},
    )


def _refused(store: Store) -> Snapshot | None:
    """The newest snapshot, where the gate refused it and it was not activated all the same."""
    newest = next(iter(store.snapshots()), None)
    return newest if newest and newest.refused and not newest.active else None


def _problems(
    workspace: Workspace, snapshot: Snapshot | None, refused: Snapshot | None, behind: int, age: timedelta | None
) -> list[str]:
    found = []
    if snapshot is None:
        found.append("no snapshot yet: run `simrec build`" if refused is None else "nothing is shown")
    most = workspace.settings.gate.max_age_hours
    if age is not None and age > timedelta(hours=most):
        hours = age.total_seconds() / 3600
        found.append(f"too old: the blocks are of {hours:.0f} hours ago, max_age_hours is {most:g}: run `simrec build`")
    if snapshot and behind:
        found.append(f"waiting: {behind} articles, pins or bans are not in the blocks yet: run `simrec build`")
    if refused:
        found.append(f"refused: snapshot {refused.id} is not shown: {refused.refused}: see `simrec diff`")
    return found


def _of_last_run(workspace: Workspace, snapshot: Snapshot | None, busy: bool) -> list[str]:
    """What the last `simrec run` left to look at, unless the blocks were brought up to date since."""
    last = last_report(workspace)
    if last is None or last.state == DONE or last.state == REFUSED:  # what was refused is told by the snapshot
        return []
    if last.state == RUNNING:
        return [] if busy else [f"killed: the run of {last.started_at} did not end: run `simrec run` to go on with it"]
    if snapshot and snapshot.current_at > datetime.fromisoformat(last.finished_at):
        return []
    return [f"failed: {last.line()}"]
