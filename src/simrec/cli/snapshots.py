"""`simrec snapshots`, `simrec diff`, `simrec activate`, `simrec rollback` and `simrec prune`."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from typing import Any

from simrec.cli.options import add_command, add_workspace, say

SHOWN = 20


def add(commands: Any) -> None:
    """Declares the commands."""
    add_workspace(add_command(commands, "snapshots", "List the snapshots: which is active, what the gate said.", list_))
    command = add_command(
        commands, "diff", "Say which blocks differ between two snapshots, by how much, and why.", diff
    )
    command.add_argument("a", metavar="A", nargs="?", type=int, help="a snapshot (default: what was shown before B)")
    command.add_argument("b", metavar="B", nargs="?", type=int, help="another one (default: the newest, or active one)")
    command.add_argument("--limit", type=int, default=SHOWN, help=f"blocks that are printed (default: {SHOWN})")
    add_workspace(command)
    command = add_command(commands, "activate", "Show another snapshot's blocks.", activate)
    command.add_argument("number", metavar="N", type=int, help="the snapshot")
    command.add_argument("--force", action="store_true", help="also where the gate refused it")
    add_workspace(command)
    add_workspace(add_command(commands, "rollback", "Show the blocks of the snapshot before the active one.", rollback))
    command = add_command(commands, "prune", "Delete old snapshots, and vectors that nobody needs any more.", prune)
    command.add_argument("--keep", metavar="N", type=int, help="snapshots that stay (default: the setting, 10)")
    add_workspace(command)


def list_(options: Namespace) -> dict[str, Any]:
    """Lists the snapshots, the newest first."""
    from simrec.pipeline.snapshots import describe, list_snapshots

    found = [describe(snapshot) for snapshot in list_snapshots(_workspace(options))]
    for one in found:
        figures = ", ".join(f"{name} {value}" for name, value in one["figures"].items() if value is not None)
        since = f", changed {one['revision']} times" if one["revision"] else ""
        why = f"; {one['refused']}" if one["refused"] else ""
        say(
            options,
            f"{one['snapshot']:>5} {one['state']:<8} {one['created_at']} {one['model']}, {one['blocks']} blocks for "
            f"{one['articles']} articles{since} ({figures or 'not measured'}){why}",
        )
    if not found:
        say(options, "there is no snapshot yet: run `simrec build`")
    return {"snapshots": found}


def diff(options: Namespace) -> dict[str, Any]:
    """Compares two snapshots."""
    from simrec.pipeline.diff import diff as compare

    found = compare(_workspace(options), options.a, options.b)
    say(
        options,
        f"snapshot {found.b} against {found.a}: {found.changed} of {found.pages} blocks changed, {found.entered} items "
        f"in, {found.left} out, {found.moved} moved; mean overlap {found.overlap:.1%}",
    )
    for line in found.everywhere:
        say(options, f"for all: {line}")
    for why, count in found.why.items():
        say(options, f"{count:>6} blocks: {why}")
    for block in found.blocks[: max(options.limit, 0)]:
        items = [*(f"+{id_}" for id_ in block.entered), *(f"-{id_}" for id_ in block.left)]
        moved = [f"{block.moved} moved"] if block.moved else []
        say(options, f"{block.source_id}: {' '.join([*items, *moved])} ({'; '.join(block.why)})")
    if len(found.blocks) > options.limit:
        say(options, f"… and {len(found.blocks) - max(options.limit, 0)} more: see --limit, or --json")
    return asdict(found)


def activate(options: Namespace) -> dict[str, Any]:
    """Activates a snapshot."""
    from simrec.pipeline import snapshots

    return _activated(options, snapshots.activate(_workspace(options), options.number, force=options.force))


def rollback(options: Namespace) -> dict[str, Any]:
    """Activates the snapshot before."""
    from simrec.pipeline import snapshots

    return _activated(options, snapshots.rollback(_workspace(options)))


def prune(options: Namespace) -> dict[str, Any]:
    """Deletes what is old."""
    from simrec.pipeline import snapshots

    found = snapshots.prune(_workspace(options), options.keep)
    say(
        options,
        f"{len(found.snapshots)} snapshots deleted, {len(found.folders)} folders of vectors "
        f"({found.bytes / 1e6:.1f} MB)",
    )
    return asdict(found)


def _activated(options: Namespace, snapshot: Any) -> dict[str, Any]:
    from simrec.pipeline.snapshots import describe

    made = snapshot.current_at.isoformat(timespec="seconds")
    say(
        options,
        f"snapshot {snapshot.id} of {made} is active: {snapshot.blocks} blocks; write them with `simrec render`",
    )
    return describe(snapshot)


def _workspace(options: Namespace) -> Any:
    from simrec.pipeline.workspace import Workspace

    return Workspace.open(options.workspace)
