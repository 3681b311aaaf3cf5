"""`simrec render`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from simrec.cli.options import FORMATS, add_command, add_workspace, say
from simrec.cli.progress import progress


def add(commands: Any) -> None:
    """Declares the command."""
    help = "Write the blocks of the active snapshot: a file for each article, or one file of all."
    command = add_command(commands, "render", help, run)
    add_workspace(command)
    command.add_argument("--format", choices=FORMATS, default="html", help="what to write (default: html)")
    command.add_argument("--out", metavar="DIR", type=Path, required=True, help="the folder to fill")
    command.add_argument("--stylesheet", action="store_true", help="write block.css beside the HTML")


def run(options: Namespace) -> dict[str, Any]:
    """Renders, and counts the files."""
    from simrec.pipeline.render import render
    from simrec.pipeline.workspace import Workspace

    workspace = Workspace.open(options.workspace)
    counts = render(workspace, options.out, format=options.format, stylesheet=options.stylesheet, progress=progress())
    hidden = f", {counts['hidden']} pages hidden" if counts["hidden"] else ""
    say(
        options,
        f"{counts['written']} files written, {counts['unchanged']} unchanged, {counts['deleted']} deleted, "
        f"{counts['empty']} blocks empty{hidden}, in {options.out}",
    )
    return dict(counts)
