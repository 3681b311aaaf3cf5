"""What a build on a cluster fitted is laid where a workspace keeps it: later days are incremental, on one machine."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from simrec.errors import StoreError
from simrec.pipeline.kept import aside_folder
from simrec.pipeline.live.site import made_with
from simrec.pipeline.locks import reading_fitted
from simrec.pipeline.placed import Placed
from simrec.pipeline.workspace import Workspace
from simrec.scale.dataset import read_hashes
from simrec.scale.ground import Ground
from simrec.scale.sealing import seal
from simrec.scale.tasks import Runner


def install(workspace: Workspace, ground: Ground, runner: Runner, placed: Placed, name: str) -> None:
    """Lays the engine aside, from where the snapshot that it is of takes it: see `simrec.pipeline.kept`.

    Args:
        workspace: of the site.
        ground: of the build; all pages are ranked.
        runner: works out checksums.
        placed: what stood under pages by hand.
        name: of what was fitted; the snapshot names it.

    Raises:
        StoreError: it cannot be written.
    """
    hashes = {id_: hash_ for span in ground.spans for id_, hash_ in read_hashes(ground, span).items()}
    about = {
        "name": name, "ids": list(hashes), "hashes": list(hashes.values()),
        "pins": {source: list(targets) for source, targets in placed.pins.items()},
        "bans": {source: list(targets) for source, targets in placed.bans.items()},
        "recalls": ground.about.get("recalls", {}),
        "made_with": made_with(workspace, ground.about["model"]),
    }  # fmt: skip
    files = [*seal(ground, runner, about), "manifest.json"]
    aside = aside_folder(workspace)
    partial = aside.with_name(f"{aside.name}.{uuid.uuid4().hex}")
    try:
        for file in files:
            _put(ground.engine / file, partial / file)
        with reading_fitted(workspace):
            shutil.rmtree(aside, ignore_errors=True)
            partial.rename(aside)
    except OSError as error:
        raise StoreError(f"{aside} cannot be written: {error.strerror}; free some space and run it again") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def new_name() -> str:
    """A name for what was fitted."""
    return uuid.uuid4().hex


def _put(source: Path, target: Path) -> None:
    """The same file in another folder; a copy of it where that is on another disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
