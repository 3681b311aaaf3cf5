"""`simrec ingest`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from simrec.cli.options import add_command, add_workspace, say
from simrec.cli.progress import progress
from simrec.errors import UsageError

SHOWN_REJECTS = 5


def add(commands: Any) -> None:
    """Declares the command."""
    command = add_command(commands, "ingest", "Read articles and editors' picks into a workspace.", run)
    command.add_argument("sources", metavar="SOURCE", nargs="*", help="file, folder, archive, URL, or database")
    add_workspace(command)
    command.add_argument(
        "--format",
        metavar="F",
        help="auto (the default: by name and content), or one of the formats in docs/formats.md",
    )
    command.add_argument(
        "--picks",
        metavar="CSV",
        type=Path,
        action="append",
        default=[],
        help="table of picks: source_id,target_id,rank",
    )
    command.add_argument("--picks-selector", metavar="CSS", help="the links of the pages' related block")


def run(options: Namespace) -> dict[str, Any]:
    """Ingests, and says what was new and what was turned away."""
    from simrec.ingest.kinds import CONFIGURED
    from simrec.pipeline.ingest import ingest
    from simrec.pipeline.workspace import Workspace
    from simrec.settings import load_settings

    sources = options.sources
    if not sources and not options.picks:
        if not load_settings(options.workspace).database.url:
            raise UsageError("nothing to ingest: name a file, a folder, an archive, a URL or a database, or --picks")
        sources = [CONFIGURED]
    workspace = Workspace.open(options.workspace, create=True)
    report = ingest(
        workspace,
        sources,
        format=options.format,
        picks=options.picks,
        picks_selector=options.picks_selector,
        progress=progress(),
    )
    say(
        options,
        f"{report.new} new, {report.changed} changed, {report.unchanged} unchanged, {report.rejected} rejected; "
        f"{report.picks} picks",
    )
    for reject in report.rejects[:SHOWN_REJECTS]:
        where = f"{reject.file}:{reject.line}" if reject.line else reject.file
        print(f"rejected {where}: {reject.reason}", file=sys.stderr)
    if report.rejected > SHOWN_REJECTS:
        print(f"… and {report.rejected - SHOWN_REJECTS} more; --json lists a hundred", file=sys.stderr)
    if report.nothing_read and (sources or not report.picks):
        options.failed = True
    return report.values()
