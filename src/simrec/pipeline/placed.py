"""What stands under pages by hand: pinned there, or banned from there, by the settings or by editors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from simrec.house import PolicySettings
from simrec.pipeline.workspace import Workspace
from simrec.store import Inputs, PageRow, Store
from simrec.types import Pick


class Placed(NamedTuple):
    """What people want under pages, and what they do not.

    Attributes:
        pins: by page, ids that stand first, in this order.
        bans: by page, ids that never stand there; they win over pins.
    """

    pins: Mapping[str, Sequence[str]]
    bans: Mapping[str, Sequence[str]]

    def of(self, page: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """A page's pins and bans; bans are a set, so that their order says nothing."""
        return tuple(self.pins.get(page, ())), tuple(sorted(set(self.bans.get(page, ()))))

    def differing(self, other: Placed) -> set[str]:
        """The pages under which others stand, or in another order."""
        pages = {*self.pins, *self.bans, *other.pins, *other.bans}
        return {page for page in pages if self.of(page) != other.of(page)}

    def as_picks(self) -> Iterator[Pick]:
        """The pins, as picks."""
        for page, targets in self.pins.items():
            yield from (Pick(page, target, rank) for rank, target in enumerate(targets, start=1))


def placed_of(
    workspace: Workspace, store: Store, *, changed: Mapping[str, PageRow] | None = None, picked: Sequence[Pick] = ()
) -> Placed:
    """What stands under pages by hand.

    Args:
        workspace: of the site.
        store: its store.
        changed: what stands of acts on some pages, in place of what the store has.
        picked: picks to be added to those of the store.
    """
    policy = workspace.settings.policy
    picks = [*store.own_picks(), *picked] if policy.pin_picks else []
    return hand_placed(policy, {**store.page_states(), **(changed or {})}, picks)


def hand_placed(policy: PolicySettings, pages: Mapping[str, PageRow], picks: Sequence[Pick] = ()) -> Placed:
    """What stands under pages by hand: what the settings pin, then what editors did, then their `picks`, in this order.

    What editors ordered stands as they ordered it, also where the settings pin some of it.

    >>> policy = PolicySettings(pinned={"a": ("x", "y")}, banned={"a": ("z",)})
    >>> hand_placed(policy, {"a": PageRow(1, pins=("w", "x"), bans=("v",))}).of("a")
    (('y', 'w', 'x'), ('v', 'z'))
    """
    pins: dict[str, list[str]] = {page: list(ids) for page, ids in policy.pinned.items() if ids}
    bans: dict[str, list[str]] = {page: list(ids) for page, ids in policy.banned.items() if ids}
    for page, row in pages.items():
        said = [*(id_ for id_ in pins.get(page, ()) if id_ not in row.pins), *row.pins]
        banned = list(dict.fromkeys([*bans.get(page, ()), *row.bans]))
        pins |= {page: said} if said else {}
        bans |= {page: banned} if banned else {}
    for pick in _ranked(picks):
        targets = pins.setdefault(pick.source_id, [])
        if pick.target_id not in targets:
            targets.append(pick.target_id)
    return Placed(pins, bans)


def placed_in(made_of: Inputs) -> Placed:
    """What stood under pages by hand when a snapshot was made."""
    return Placed(made_of.pins or {}, made_of.bans)


def _ranked(picks: Sequence[Pick]) -> list[Pick]:
    """By page, rank and id; of the same pick twice, the last."""
    last = {(pick.source_id, pick.target_id): pick for pick in picks}
    return sorted(last.values(), key=lambda pick: (pick.source_id, pick.rank, pick.target_id))
