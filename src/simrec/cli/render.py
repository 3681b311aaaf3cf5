"""`simrec render`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from simrec.cli.options import add_command, add_workspace, say
from simrec.cli.progress import progress


def add(commands: Any) -> None:
    """Declares the command."""
    help = "Write the blocks of the active snapshot, a file for each article."
    command = add_command(commands, "render", help, run)
    add_workspace(command)
    command.add_argument("--format", choices=("html", "json"), default="html", help="what to write (default: html)")
    command.add_argument("--out", metavar="DIR", type=Path, required=True, help="the folder to fill")


def run(options: Namespace) -> dict[str, Any]:
    """Renders, and counts the files."""
    from simrec.pipeline.render import render
    from simrec.pipeline.workspace import Workspace

    counts = render(Workspace.open(options.workspace), options.out, format=options.format, progress=progress())
    say(
        options,
        f"{counts['written']} files written, {counts['unchanged']} unchanged, {counts['deleted']} deleted, "
        f"{counts['empty']} blocks empty, in {options.out}",
    )
    return dict(counts)
