"""Whether a snapshot has all that the store holds, and what brings it there."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from simrec.errors import ModelError, StoreError
from simrec.files import write_whole
from simrec.pipeline.live.site import LiveSite, state_folder
from simrec.pipeline.locks import reading_fitted
from simrec.pipeline.workspace import Workspace
from simrec.store import Snapshot, Store, StoredBlock
from simrec.store.inputs import HASH
from simrec.types import Pick

logger = logging.getLogger(__name__)

SYNCED = "site.synced.json"
"""What the active snapshot is known to be up to date with, beside the folder of what was fitted."""
Pins: TypeAlias = dict[str, list[str]]


def active_snapshot(store: Store) -> Snapshot | None:
    """The active snapshot; None where there is none.

    It need not be the newest: a newer one may have been refused, or gone back from. What was fitted is looked up by the
    snapshot's own `fitted`, and what a snapshot is up to date with by its number and revision, so that nothing that was
    done for another one passes for its own.
    """
    try:
        return store.snapshot()
    except StoreError:
        return None


def catch_up(
    workspace: Workspace, store: Store, snapshot: Snapshot, hashes: Mapping[str, str],
    pins: Mapping[str, Sequence[str]], now: datetime, found: list[StoredBlock],
) -> LiveSite | None:  # fmt: skip
    """The site as it was fitted, up to date with the store; None where what is saved of it is damaged.

    Args:
        workspace: of the site.
        store: its store.
        snapshot: the active one.
        hashes: of all articles, by id.
        pins: articles that stand first under others.
        now: the moment that decides who may be shown.
        found: takes the blocks that are others than those of the snapshot.
    """
    articles = {article.id: article for article in store.articles()}
    try:
        with reading_fitted(workspace):
            site = LiveSite.load(workspace, articles)
    except ModelError as error:
        logger.warning("%s", error)
        return None
    if site.name != snapshot.fitted:
        return None  # another process has replaced it meanwhile
    # blocks that changes since it was saved have made again may have to be as they were then: they are made, too;
    # and those that a snapshot that was gone back to never had
    also = {*store.changed_blocks(snapshot.id), *(hashes.keys() - store.block_ids(snapshot.id))}
    made = site.follow(articles, hashes, pins, now, also).blocks
    stored = {block.source_id: block for block in store.blocks(snapshot.id, [block.source_id for block in made])}
    found += [block for block in made if stored.get(block.source_id) != block]
    return site


def pins_of(workspace: Workspace, store: Store, pinned: Sequence[Pick] = (), picked: Sequence[Pick] = ()) -> Pins:
    """The articles that stand first under others, by id: what editors pinned, then their picks, where they are to.

    Args:
        workspace: of the site.
        store: its store.
        pinned, picked: to be added to those that the store has.
    """
    pins: dict[str, list[str]] = {}
    policy = workspace.settings.policy
    said = [Pick(page, id_, rank) for page, ids in policy.pinned.items() for rank, id_ in enumerate(ids, start=1)]
    chosen = [_ranked(said), _ranked([*store.pins(), *pinned])]
    if policy.pin_picks:
        chosen.append(_ranked([*store.picks(), *picked, *pinned]))
    for pick in (pick for picks in chosen for pick in picks):
        targets = pins.setdefault(pick.source_id, [])
        if pick.target_id not in targets:
            targets.append(pick.target_id)
    return pins


def _ranked(picks: Sequence[Pick]) -> list[Pick]:
    """By page, rank and id; of the same pick twice, the last."""
    last = {(pick.source_id, pick.target_id): pick for pick in picks}
    return sorted(last.values(), key=lambda pick: (pick.source_id, pick.rank, pick.target_id))


def is_synced(
    workspace: Workspace, snapshot: Snapshot, hashes: Mapping[str, str], pins: Mapping[str, Any], now: datetime
) -> bool:
    """Whether a snapshot has all that the store holds, and nobody's time has come since."""
    said = read_synced(workspace)
    if said.get("snapshot") != [snapshot.id, snapshot.revision] or said.get("digest") != _digest(hashes, pins):
        return False
    return said["until"] is None or now < datetime.fromisoformat(said["until"])


def note_synced(
    workspace: Workspace, snapshot: Snapshot, hashes: Mapping[str, str], pins: Mapping[str, Any], until: str | None
) -> None:
    """Notes what a snapshot is up to date with, and until when."""
    said = {"snapshot": [snapshot.id, snapshot.revision], "digest": _digest(hashes, pins), "until": until}
    write_whole(
        state_folder(workspace.path).parent / SYNCED, json.dumps(said).encode(), "free some space and run it again"
    )


def read_synced(workspace: Workspace) -> dict[str, Any]:
    """What `note_synced` noted; nothing where it cannot be read."""
    try:
        found = json.loads((state_folder(workspace.path).parent / SYNCED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def waiting(
    store: Store, snapshot: Snapshot, hashes: Mapping[str, str], pins: Mapping[str, Sequence[str]]
) -> int | None:
    """How many articles are others than those that a snapshot was made of, and how many pages' pins.

    None where an older simrec made it, which did not note that.
    """
    made_of = store.inputs(snapshot.id)
    known, pinned = made_of.hashes, made_of.pins or {}
    if snapshot.articles and not known:
        return None
    articles = sum(known.get(id_) != hash_[:HASH] for id_, hash_ in hashes.items())
    return articles + sum(list(pins.get(page, ())) != list(pinned.get(page, ())) for page in {*pins, *pinned})


def _digest(hashes: Mapping[str, str], pins: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for id_ in sorted(hashes):
        digest.update(f"{id_}\0{hashes[id_]}\n".encode())
    digest.update(json.dumps({source: list(targets) for source, targets in pins.items()}, sort_keys=True).encode())
    return digest.hexdigest()
