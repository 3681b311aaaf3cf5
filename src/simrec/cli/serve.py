"""`simrec serve`."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from simrec.cli.options import add_command, add_workspace
from simrec.errors import UsageError

MOST_WORKERS = 64


def add(commands: Any) -> None:
    """Declares the command."""
    command = add_command(commands, "serve", "Serve blocks over HTTP, until it is told to end.", run)
    add_workspace(command)
    command.add_argument("--host", help="address that it listens at (default: the setting, 127.0.0.1)")
    command.add_argument("--port", type=int, help="port that it listens at, 0 for a free one (default: 8080)")
    command.add_argument("--workers", type=int, help="processes at that port (default: the setting, 1)")


def run(options: Namespace) -> dict[str, Any]:
    """Serves a workspace."""
    from simrec.pipeline.workspace import Workspace

    workspace = Workspace.open(options.workspace)
    settings = workspace.settings.serve
    host = settings.host if options.host is None else options.host
    port = settings.port if options.port is None else options.port
    workers = settings.workers if options.workers is None else options.workers
    if not 0 <= port <= 65_535:
        raise UsageError(f"--port is a number from 0 to 65535, not {port}")
    if not 1 <= workers <= MOST_WORKERS:
        raise UsageError(f"--workers is a number from 1 to {MOST_WORKERS}, not {workers}")
    from simrec.serve.run import serve

    serve(workspace, host, port, workers, lambda line: print(f"simrec: {line}", file=sys.stderr, flush=True))
    return {"host": host, "port": port, "workers": workers}
