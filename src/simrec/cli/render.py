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
    command.add_argument(
        "--blocks", metavar="DATASET", help="blocks that a cluster made, in place of the active snapshot's"
    )
    command.add_argument(
        "--articles", metavar="DATASET", help="with --blocks: what they were made of, in place of the workspace's"
    )


def run(options: Namespace) -> dict[str, Any]:
    """Renders, and counts the files."""
    if options.articles is not None and options.blocks is None:
        raise UsageError("--articles goes with --blocks")
    if options.format == SQL:
        return _write_back(options)
    if options.out is None:
        raise UsageError(f"name the folder to fill: --out DIR, for the format {options.format}")
    if options.url is not None:
        raise UsageError("--url goes with --format sql")
    counts = _render(options)
    hidden = f", {counts['hidden']} pages hidden" if counts["hidden"] else ""
    say(
        options,
        f"{counts['written']} files written, {counts['unchanged']} unchanged, {counts['deleted']} deleted, "
        f"{counts['empty']} blocks empty{hidden}, in {options.out}",
    )
    return dict(counts)


def _render(options: Namespace) -> dict[str, int | str]:
    from simrec.pipeline.render import render

    how: dict[str, Any] = {"format": options.format, "stylesheet": options.stylesheet, "progress": progress()}
    workspace = _workspace(options)
    if options.blocks is None:
        return render(workspace, options.out, **how)
    from simrec.scale.showing import render as render_dataset

    return render_dataset(workspace, options.blocks, options.out, articles=options.articles, **how)


def _workspace(options: Namespace) -> Any:
    """The workspace; where articles come from a dataset, only its settings are needed."""
    from simrec.pipeline.workspace import Workspace

    return Workspace.open(options.workspace, create=options.articles is not None)


def _write_back(options: Namespace) -> dict[str, Any]:
    """Writes to the table of `[write_back]`, and counts blocks."""
    from simrec.pipeline.write_back import write_back
    from simrec.scale.showing import write_back as write_dataset_back

    if options.out is not None or options.stylesheet:
        raise UsageError("--out and --stylesheet do not go with --format sql")
    workspace, how = _workspace(options), {"url": options.url, "progress": progress()}
    if options.blocks is None:
        report = write_back(workspace, **how)
    else:
        report = write_dataset_back(workspace, options.blocks, articles=options.articles, **how)
    say(
        options,
        f"{report.written} blocks written to table {report.table}, as {report.rows} rows; "
        f"{report.unchanged} unchanged, {report.deleted} deleted, {report.empty} empty",
    )
    return report.values()
