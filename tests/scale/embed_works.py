"""Embedding that misbehaves, for workers to import; run as a program it is a driver that embeds."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scale_works import attempts, begin

from simrec.errors import InputError
from simrec.scale.embedding_workers import embed_part


def noted(folder: str, part: int) -> Mapping[str, Any]:
    """Notes the worker, and takes its time."""
    begin(folder, f"{part:06d}")
    time.sleep(0.2)
    return embed_part(folder, part)


def dying(folder: str, part: int) -> Mapping[str, Any]:
    """Takes its worker with it at the first attempt at the third part, when some of its arrays are there."""
    before = begin(folder, f"{part:06d}")
    said = embed_part(folder, part)
    if part == 2 and not before:
        os.kill(os.getpid(), signal.SIGKILL)
    return said


def shaky(folder: str, part: int) -> Mapping[str, Any]:
    """Throws at the first attempts at the third part."""
    if begin(folder, f"{part:06d}") < 2 and part == 2:
        raise ValueError("no luck")
    return embed_part(folder, part)


def wrong(folder: str, part: int) -> Mapping[str, Any]:
    """Is given what the user has to put right."""
    begin(folder, f"{part:06d}")
    raise InputError("part.parquet has no column id: add one")


def drive(folder: str, address: str) -> None:
    """A driver."""
    import embed_works

    from simrec.scale import embed
    from simrec.scale.cluster import connect
    from simrec.scale.ground import Ground
    from simrec.scale.runner import RayRunner

    embed.embed_part = embed_works.noted
    with connect(address) as cluster:
        embed.embed(Ground(folder), RayRunner(Path(folder), cluster))


if __name__ == "__main__":
    drive(*sys.argv[1:])

__all__ = ["attempts", "drive", "dying", "noted", "shaky", "wrong"]
