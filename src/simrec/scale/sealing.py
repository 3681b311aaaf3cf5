"""The folder of a build's engine under a manifest: one that later days open as any that was saved on one machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from simrec.embed.cache import sha256, write_manifest
from simrec.pipeline.live import saved
from simrec.scale.fitted import note_whole
from simrec.scale.ground import Ground
from simrec.scale.site import said_of
from simrec.scale.tasks import Runner, Task

OF_ENGINE = ("characters.json", "paths.json", "copies.npy")
"""Files that every engine has."""


def seal(ground: Ground, runner: Runner, about: Mapping[str, Any]) -> list[str]:
    """Says what the engine is of, and writes its manifest; all pages are ranked.

    Args:
        ground: of the build.
        runner: works out the checksums.
        about: plain values to be read back with the engine: see `simrec.pipeline.live.site.LiveSite.save`.

    Returns:
        The files that the engine consists of, by their paths in its folder; what else is there is of the build alone.
    """
    note_whole(ground, about=dict(about))
    names = sorted(files_of(ground))
    tasks = [Task(name.replace("/", "~"), (name,)) for name in names]
    said = runner.run("checksums", checksum, tasks)
    found = {name: str(one["sha256"]) for name, one in zip(names, said, strict=True)}
    write_manifest(ground.engine, {**found, saved.FILE: sha256(ground.engine / saved.FILE)})
    return [*names, saved.FILE]


def checksum(folder: str, name: str) -> Mapping[str, Any]:
    """The checksum of a file of the engine."""
    path = Ground(folder).engine / name
    return {"rows": 0, "bytes": path.stat().st_size, "sha256": sha256(path)}


def files_of(ground: Ground) -> Iterator[str]:
    """The files of the engine beside what is said of it: what `simrec.pipeline.live.saved.save` would write."""
    engine: Path = ground.engine
    yield from OF_ENGINE
    yield from (f"fitted-{name}.npy" for name in saved.ARRAYS)
    yield from (f"page-{name}.npy" for name in ("alive", *saved.OF_NOW, *saved.OF_PAGES))
    for name in said_of(ground)["columns"]:
        yield from (path.name for path in engine.glob(f"column-{name}.*.npy"))
    for part in (*saved.COUNTERS, "meaning"):
        yield from (path.relative_to(engine).as_posix() for path in (engine / part).rglob("*") if path.is_file())


__all__ = ["files_of", "seal"]
