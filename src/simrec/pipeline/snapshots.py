"""Snapshots listed, activated, gone back from, and deleted with what nobody needs any more."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simrec.embed.cache import unlisted
from simrec.errors import NotFoundError, UsageError
from simrec.files import STALE, write_whole
from simrec.pipeline.kept import aside_folder, restore_fitted
from simrec.pipeline.live import saved
from simrec.pipeline.live.site import state_folder
from simrec.pipeline.locks import reading_fitted, working
from simrec.pipeline.workspace import Workspace
from simrec.store import Snapshot

FITTED = "fitted.json"
"""When the last fitting began."""
CACHES = ("sentence", "static", "distilled", "tfidf")
"""Folders of `vectors/` whose time of change says when they were last read; see `simrec.embed.cache`."""
SLACK = 2.0
"""Seconds by which a file system's times may be off."""


@dataclass
class Pruned:
    """What `prune` deleted: snapshots by number, folders below `vectors/` by name, and how many bytes these had."""

    snapshots: list[int] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    bytes: int = 0


def describe(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as plain values: `snapshots --json`."""
    return {
        "snapshot": snapshot.id,
        "state": "active" if snapshot.active else "refused" if snapshot.refused else "kept",
        "created_at": snapshot.created_at.isoformat(timespec="seconds"),
        "changed_at": snapshot.changed_at.isoformat(timespec="seconds") if snapshot.changed_at else None,
        "model": snapshot.model,
        "k": snapshot.k,
        "articles": snapshot.articles,
        "blocks": snapshot.blocks,
        "revision": snapshot.revision,
        "parent": snapshot.parent,
        "refused": snapshot.refused,
        "figures": dict(snapshot.figures or {}),
    }


def list_snapshots(workspace: Workspace) -> list[Snapshot]:
    """All snapshots, the newest first."""
    with workspace.store() as store:
        return store.snapshots()


def activate(workspace: Workspace, number: int, *, force: bool = False) -> Snapshot:
    """Makes a snapshot the one that is shown.

    Raises:
        NotFoundError: there is no such snapshot.
        UsageError: the gate refused it, and `force` is False.
        LockedError: another command is at work.
    """
    with working(workspace, "activate"), workspace.store() as store:
        found = store.snapshot(number)
        if found.refused and not found.active and not force:
            raise UsageError(f"the gate refused snapshot {number}: {found.refused}; --force activates it all the same")
        activated = store.activate(number)
        restore_fitted(workspace, activated)
    return activated


def rollback(workspace: Workspace) -> Snapshot:
    """Goes back to the snapshot that was shown before the active one; where it is gone, to the newest before that.

    Raises:
        NotFoundError: there is none.
        StoreError: no snapshot is active.
        LockedError: another command is at work.
    """
    with working(workspace, "rollback"), workspace.store() as store:
        active = store.snapshot()
        earlier = [found for found in store.snapshots() if found.id < active.id and not found.refused]
        if not earlier:
            raise NotFoundError(f"there is no snapshot before {active.id} to go back to: see `simrec snapshots`")
        before = next((found for found in earlier if found.id == active.parent), earlier[0])
        return activate(workspace, before.id)


def prune(workspace: Workspace, keep: int | None = None) -> Pruned:
    """Deletes old snapshots, what was fitted for them, and vectors that nothing has read since the last fitting.

    Vectors are a cache: whatever is deleted is made again where it is needed after all.

    Args:
        workspace: the site.
        keep: snapshots that stay, the active one beside; None for the setting.

    Raises:
        UsageError: `keep` is less than 1.
        LockedError: another command is at work.
    """
    keep = workspace.settings.build.keep_snapshots if keep is None else keep
    if keep < 1:
        raise UsageError(f"--keep must be at least 1, got {keep}")
    found = Pruned()
    with working(workspace, "prune"):
        with workspace.store() as store:
            found.snapshots = store.prune(keep)
            fitted = {snapshot.fitted for snapshot in store.snapshots()}
            store.shrink()
        for folder in (path for kind in ("sentence", "static") for path in workspace.vectors.glob(f"{kind}-*")):
            for shard in unlisted(folder, time.time() - STALE):
                found.bytes += shard.stat().st_size
                shard.unlink(missing_ok=True)
        with reading_fitted(workspace):
            for folder in _unneeded(workspace, fitted):
                found.bytes += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
                found.folders.append(folder.name)
                shutil.rmtree(folder, ignore_errors=True)
    return found


def note_fitting(workspace: Workspace, since: float) -> None:
    """Notes when the last fitting of the site began: vectors that neither it nor anything since has read can go."""
    write_whole(workspace.vectors / FITTED, json.dumps({"since": since}).encode())


def _unneeded(workspace: Workspace, fitted: set[str | None]) -> list[Path]:
    """Folders of what was fitted for no snapshot that is left, and of vectors that were not read since then."""
    found = []
    for folder in (state_folder(workspace.path), aside_folder(workspace)):
        said = saved.read_about(folder)
        if folder.is_dir() and (said is None or said["about"]["name"] not in fitted):
            found.append(folder)
    try:
        since = float(json.loads((workspace.vectors / FITTED).read_text(encoding="utf-8"))["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return found
    for kind in CACHES:
        for folder in sorted(workspace.vectors.glob(f"{kind}-*")):
            if folder.is_dir() and folder.stat().st_mtime < since - SLACK:
                found.append(folder)
    return found


__all__ = ["Pruned", "activate", "describe", "list_snapshots", "note_fitting", "prune", "rollback"]
