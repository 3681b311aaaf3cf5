"""What was fitted of a site, on disk: that of the active snapshot, and one that was set aside.

A snapshot that the gate refuses, or that was gone back from, leaves what it was made with aside: articles can still be
published into the one that is shown, and into the other one, too, should it be activated.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from simrec.errors import StoreError
from simrec.pipeline.live import saved
from simrec.pipeline.live.site import is_current, state_folder
from simrec.pipeline.locks import reading_fitted
from simrec.pipeline.workspace import Workspace
from simrec.store import Snapshot

logger = logging.getLogger(__name__)


def aside_folder(workspace: Workspace) -> Path:
    """Where what was fitted stands that is not of the active snapshot."""
    folder = state_folder(workspace.path)
    return folder.with_name(f"{folder.name}.aside")


def find_fitted(workspace: Workspace, snapshot: Snapshot | None) -> dict[str, Any] | None:
    """What is said of what a snapshot was made with, laid in its place; None where the site has to be fitted anew.

    That is so where nothing is kept of it, or settings or models are others now.
    """
    if snapshot is None or snapshot.fitted is None:
        return None
    restore_fitted(workspace, snapshot)
    about = is_current(workspace, snapshot.model, snapshot.k)
    return about if about is not None and about["name"] == snapshot.fitted else None


def why_not(snapshot: Snapshot | None) -> str:
    """Why nothing can be published into a snapshot, and what to do."""
    what = "there is no snapshot that articles can be published into"
    if snapshot is None:
        return f"{what}: run `simrec build`"
    if snapshot.fitted is None:
        return f"{what}, snapshot {snapshot.id} is of {snapshot.model}: run `simrec build` with another model"
    return (
        f"{what}: settings or models are others than those that snapshot {snapshot.id} was made with, or what was "
        "fitted for it is gone: run `simrec build`"
    )


def restore_fitted(workspace: Workspace, snapshot: Snapshot) -> None:
    """Lays what a snapshot was made with in its place, where it stands aside.

    Raises:
        StoreError: it cannot be moved.
    """
    place, aside = state_folder(workspace.path), aside_folder(workspace)
    between = place.with_name(f"{place.name}.between")
    if between.exists():
        _recover(workspace, place, aside, between)
    if snapshot.fitted is None or _name(aside) != snapshot.fitted or _name(place) == snapshot.fitted:
        return
    with reading_fitted(workspace):
        if _name(aside) != snapshot.fitted:
            return  # another process was faster
        try:
            if place.exists():
                place.rename(between)
            aside.rename(place)
            if between.exists():
                between.rename(aside)
        except OSError as error:
            raise StoreError(f"{aside} cannot be moved: {error.strerror}; check the folder's permissions") from error


def _recover(workspace: Workspace, place: Path, aside: Path, between: Path) -> None:
    """Ends an exchange of the two that broke off."""
    with reading_fitted(workspace):
        if between.exists() and not place.exists():
            between.rename(place)
        elif between.exists() and not aside.exists():
            between.rename(aside)
        else:
            shutil.rmtree(between, ignore_errors=True)


def _name(folder: Path) -> str | None:
    said = saved.read_about(folder)
    return said["about"]["name"] if said else None


__all__ = ["aside_folder", "find_fitted", "restore_fitted", "why_not"]
