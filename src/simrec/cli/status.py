"""`simrec status`."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from typing import Any

from simrec.cli.options import add_command, add_workspace, say


def add(commands: Any) -> None:
    """Declares the command."""
    command = add_command(
        commands,
        "status",
        "Say what is active, what waits, and whether a refit is due; exit with 1 where something is wrong.",
        run,
    )
    add_workspace(command)


def run(options: Namespace) -> dict[str, Any]:
    """Looks at a workspace; fails where somebody has to look at it, too."""
    from simrec.pipeline.status import status
    from simrec.pipeline.workspace import Workspace

    found = status(Workspace.open(options.workspace))
    for line in found.lines():
        say(options, line)
    options.failed = bool(found.problems)
    return asdict(found)
