"""Whether a snapshot has all that the store holds, and what brings it there."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from simrec.errors import ModelError
from simrec.files import write_whole
from simrec.garbage import uncollected
from simrec.pipeline.live.saved import load
from simrec.pipeline.live.site import LiveSite, state_folder
from simrec.pipeline.locks import reading_fitted
from simrec.pipeline.placed import Placed, placed_in
from simrec.pipeline.workspace import Workspace
from simrec.store import Snapshot, Store, StoredBlock
from simrec.store.inputs import HASH

logger = logging.getLogger(__name__)

SYNCED = "site.synced.json"
"""What the active snapshot is known to be up to date with, beside the folder of what was fitted."""


def active_snapshot(store: Store) -> Snapshot | None:
    """The active snapshot; None where there is none.

    It need not be the newest: a newer one may have been refused, or gone back from. What was fitted is looked up by the
    snapshot's own `fitted`, and what a snapshot is up to date with by its number and revision, so that nothing that was
    done for another one passes for its own.

    Raises:
        StoreError: the store cannot be read.
    """
    number = store.mark().snapshot
    return None if number is None else store.snapshot(number)


def catch_up(
    workspace: Workspace, store: Store, snapshot: Snapshot, hashes: Mapping[str, str],
    placed: Placed, now: datetime, found: list[StoredBlock],
) -> LiveSite | None:  # fmt: skip
    """The site as it was fitted, up to date with the store; None where what is saved of it is damaged.

    Args:
        workspace: of the site.
        store: its store.
        snapshot: the active one.
        hashes: of all articles, by id.
        placed: what stands under pages by hand.
        now: the moment that decides who may be shown.
        found: takes the blocks that are others than those of the snapshot.
    """
    try:
        with reading_fitted(workspace), uncollected(), ThreadPoolExecutor(1) as pool:
            loaded = pool.submit(load, state_folder(workspace.path), workspace.settings)
            articles = {article.id: article for article in store.articles()}  # decoded while files are read and checked
            pool.submit(loaded.result().engine.comparer.held.invert)  # beside the admission of articles
            site = LiveSite.load(workspace, articles, loaded.result())
    except ModelError as error:
        logger.warning("%s", error)
        return None
    if site.name != snapshot.fitted:
        return None  # another process has replaced it meanwhile
    # blocks that changes since it was saved have made again may have to be as they were then: they are made, too;
    # and those that a snapshot that was gone back to never had
    also = {*store.changed_blocks(snapshot.id), *(hashes.keys() - store.block_ids(snapshot.id))}
    stored: dict[str, StoredBlock] = {}

    def look_up(ids: list[str]) -> Mapping[str, StoredBlock]:
        stored.update((block.source_id, block) for block in store.blocks(snapshot.id, ids))
        for id_ in {*store.changed_blocks(snapshot.id)} - also:  # by another process meanwhile
            stored.pop(id_, None)
        return stored

    made = site.follow(articles, hashes, placed, now, also, look_up).blocks
    found += [block for block in made if stored.get(block.source_id) != block]
    return site


def is_synced(
    workspace: Workspace, snapshot: Snapshot, hashes: Mapping[str, str], placed: Placed, now: datetime
) -> bool:
    """Whether a snapshot has all that the store holds, and nobody's time has come since."""
    said = read_synced(workspace)
    if said.get("snapshot") != [snapshot.id, snapshot.revision] or said.get("digest") != _digest(hashes, placed):
        return False
    return said["until"] is None or now < datetime.fromisoformat(said["until"])


def note_synced(
    workspace: Workspace, snapshot: Snapshot, hashes: Mapping[str, str], placed: Placed, until: str | None
) -> None:
    """Notes what a snapshot is up to date with, and until when."""
    said = {"snapshot": [snapshot.id, snapshot.revision], "digest": _digest(hashes, placed), "until": until}
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


def waiting(store: Store, snapshot: Snapshot, hashes: Mapping[str, str], placed: Placed) -> int | None:
    """How many articles are others than those that a snapshot was made of, and how many pages' pins or bans.

    None where an older simrec made it, which did not note that.
    """
    made_of = store.inputs(snapshot.id)
    known = made_of.hashes
    if snapshot.articles and not known:
        return None
    articles = sum(known.get(id_) != hash_[:HASH] for id_, hash_ in hashes.items())
    return articles + len(placed.differing(placed_in(made_of)))


def _digest(hashes: Mapping[str, str], placed: Placed) -> str:
    digest = hashlib.sha256()
    for id_ in sorted(hashes):
        digest.update(f"{id_}\0{hashes[id_]}\n".encode())
    by_hand = {page: placed.of(page) for page in {*placed.pins, *placed.bans}}
    digest.update(json.dumps(by_hand, sort_keys=True).encode())
    return digest.hexdigest()
