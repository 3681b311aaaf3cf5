"""`simrec render`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from simrec.cli.options import FORMATS, add_command, add_workspace, say
from simrec.cli.progress import progress
from simrec.errors import UsageError

SQL = "sql"
"""The format that is written into a table, not into a folder."""


def add(commands: Any) -> None:
    """Declares the command."""
    help = "Write the blocks of the active snapshot: a file for each article, one file of all, or rows of a SQL table."
    command = add_command(commands, "render", help, run)
    add_workspace(command)
    command.add_argument("--format", choices=(*FORMATS, SQL), default="html", help="what to write (default: html)")
    command.add_argument("--out", metavar="DIR", type=Path, help="the folder to fill; not for sql")
    command.add_argument("--url", help="of the database to write to, for sql (default: that of [write_back])")
    command.add_argument("--stylesheet", action="store_true", help="write block.css beside the HTML")


def run(options: Namespace) -> dict[str, Any]:
    """Renders, and counts the files."""
    from simrec.pipeline.render import render
    from simrec.pipeline.workspace import Workspace

    if options.format == SQL:
        return _write_back(options)
    if options.out is None:
        raise UsageError(f"name the folder to fill: --out DIR, for the format {options.format}")
    if options.url is not None:
        raise UsageError("--url goes with --format sql")
    workspace = Workspace.open(options.workspace)
    counts = render(workspace, options.out, format=options.format, stylesheet=options.stylesheet, progress=progress())
    hidden = f", {counts['hidden']} pages hidden" if counts["hidden"] else ""
    say(
        options,
        f"{counts['written']} files written, {counts['unchanged']} unchanged, {counts['deleted']} deleted, "
        f"{counts['empty']} blocks empty{hidden}, in {options.out}",
    )
    return dict(counts)


def _write_back(options: Namespace) -> dict[str, Any]:
    """Writes to the table of `[write_back]`, and counts blocks."""
    from simrec.pipeline.workspace import Workspace
    from simrec.pipeline.write_back import write_back

    if options.out is not None or options.stylesheet:
        raise UsageError("--out and --stylesheet do not go with --format sql")
    report = write_back(Workspace.open(options.workspace), url=options.url, progress=progress())
    say(
        options,
        f"{report.written} blocks written to table {report.table}, as {report.rows} rows; "
        f"{report.unchanged} unchanged, {report.deleted} deleted, {report.empty} empty",
    )
    return report.values()
