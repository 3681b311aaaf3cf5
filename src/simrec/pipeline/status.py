"""What a workspace holds, and what it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from simrec.errors import StoreError
from simrec.pipeline.live.site import is_current
from simrec.pipeline.synced import active_snapshot, catch_up, is_synced, pins_of
from simrec.pipeline.workspace import Workspace


@dataclass(frozen=True)
class Status:
    """What a workspace holds.

    Attributes:
        articles: in the store.
        snapshot: number of the active one; None without one.
        model: that made it.
        blocks: with items, in it.
        created_at: when it was made.
        waiting: whether the store holds what the snapshot does not.
        drift: how far the site has moved from what was fitted, see `simrec.pipeline.live.drift.Drift`; None where
            nothing was.
        recalls: recall@10 of neighbors, by space, where they were approximate when the site was fitted.
    """

    articles: int
    snapshot: int | None
    model: str | None
    blocks: int
    created_at: str | None
    waiting: bool
    drift: dict[str, Any] | None
    recalls: dict[str, float] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """It in words, what is to be done among them."""
        if self.snapshot is None:
            return [f"{self.articles} articles, no snapshot yet: run `simrec build`"]
        made = f"snapshot {self.snapshot} of {self.created_at}, {self.model}, {self.blocks} blocks"
        found = [f"{self.articles} articles; {made}"]
        if self.waiting:
            found.append("the store holds changes that are not in the blocks yet: run `simrec build`")
        if self.drift is None:
            found.append("articles cannot be published one by one: run `simrec build` with another model than learned")
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


def status(workspace: Workspace, now: datetime | None = None) -> Status:
    """Looks at a workspace, and changes nothing.

    Raises:
        StoreError: the store cannot be read.
    """
    now = now or datetime.now(UTC)
    with workspace.store() as store:
        count = store.article_count()
        try:
            snapshot = store.snapshot()
        except StoreError:
            return Status(count, None, None, 0, None, waiting=count > 0, drift=None)
        hashes, pins = store.article_hashes(), pins_of(workspace, store)
        about = is_current(workspace, snapshot.model, snapshot.k)
        followed = active_snapshot(store) is not None and about is not None and snapshot.fitted == about["name"]
        site = catch_up(workspace, store, snapshot, hashes, pins, now, []) if followed else None
        return Status(
            articles=count,
            snapshot=snapshot.id,
            model=snapshot.model,
            blocks=snapshot.blocks,
            created_at=snapshot.created_at.isoformat(timespec="seconds"),
            waiting=not is_synced(workspace, snapshot, hashes, pins, now) if followed else snapshot.articles != count,
            drift=site.drift()._asdict() if site else None,
            recalls=dict(site.recalls) if site else {},
        )
