"""`simrec run`."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import asdict
from typing import Any

from simrec.cli.options import add_command, add_workspace, say
from simrec.cli.progress import progress


def add(commands: Any) -> None:
    """Declares the command."""
    help = "Do the nightly job as [run] in simrec.toml says: ingest, build, gate, render, write back."
    command = add_command(commands, "run", help, run)
    command.add_argument("sources", metavar="SOURCE", nargs="*", help="what is ingested (default: the setting)")
    add_workspace(command)
    command.add_argument("--fresh", action="store_true", help="start over, also where the last run was killed")
    command.add_argument("--log-json", action="store_true", help="log to stderr, a JSON object for each stage")


def run(options: Namespace) -> dict[str, Any]:
    """Runs all stages, and says in one line how it went."""
    from simrec.pipeline.logs import logged
    from simrec.pipeline.run import run
    from simrec.pipeline.workspace import Workspace

    workspace = Workspace.open(options.workspace, create=True)
    log = workspace.settings.run.log
    with logged(sys.stderr if options.log_json else None, workspace.path / log if log else None):
        report = run(workspace, options.sources, fresh=options.fresh, progress=progress())
    if report.error:
        options.failed = True
        print(f"simrec: {report.line()}", file=sys.stderr)
    else:
        say(options, report.line())
    return asdict(report)
