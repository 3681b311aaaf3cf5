"""`simrec adopt`."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from simrec.cli.options import add_command, add_workspace, say
from simrec.cli.progress import progress


def add(commands: Any) -> None:
    """Declares the command."""
    help = "Take blocks that a cluster made, and their articles, into a workspace, as a snapshot."
    command = add_command(commands, "adopt", help, run)
    command.add_argument("blocks", metavar="BLOCKS", help="folder or URL of the dataset of blocks")
    command.add_argument("--articles", metavar="DATASET", required=True, help="what they were made of")
    add_workspace(command)


def run(options: Namespace) -> dict[str, Any]:
    """Adopts, and says what the gate said."""
    from simrec.pipeline.snapshots import describe
    from simrec.pipeline.workspace import Workspace
    from simrec.scale.adopt import adopt

    workspace = Workspace.open(options.workspace, create=True)
    report, snapshot = adopt(workspace, options.blocks, options.articles, progress=progress())
    say(
        options,
        f"snapshot {snapshot.id}: {snapshot.blocks} blocks for {snapshot.articles} articles; {report.new} new, "
        f"{report.changed} changed, {report.unchanged} unchanged, {report.rejected} rejected",
    )
    if snapshot.refused:
        print(f"simrec: gate: snapshot {snapshot.id} is not activated: {snapshot.refused}", file=sys.stderr)
        options.failed = True
    return {**describe(snapshot), "ingested": report.values()}
