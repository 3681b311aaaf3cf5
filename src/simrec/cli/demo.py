"""`simrec demo`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from simrec.cli.options import add_command, say
from simrec.cli.progress import progress
from simrec.errors import SimrecError, UsageError

LAST_PORT = 65_535


def add(commands: Any) -> None:
    """Declares the command."""
    command = add_command(commands, "demo", "Run the whole job on the sample newsroom.", run)
    command.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("out/demo"), help="where to work (default: out/demo)"
    )
    command.add_argument(
        "--serve", action="store_true", help="then serve its site and the editors' desk, on this machine only"
    )
    command.add_argument("--port", metavar="N", type=int, default=8080, help="with --serve, where (default: 8080)")


def run(options: Namespace) -> dict[str, Any]:
    """Runs the demo, saying each step; with `--serve`, only where it has not run yet."""
    from simrec.pipeline.demo import demo

    def tell(line: str) -> None:
        say(options, line)

    if not options.serve:
        return demo(options.out, say=tell, progress=progress())
    if not 0 <= options.port <= LAST_PORT:
        raise UsageError(f"--port is a number from 0 to {LAST_PORT}, not {options.port}")
    if not _is_built(options.out):
        demo(options.out, say=tell, progress=progress())

    from simrec.pipeline.workspace import Workspace
    from simrec.serve.demo import serve_demo

    serve_demo(Workspace.open(options.out), options.port, lambda line: print(line, file=sys.stderr, flush=True))
    return {"index": str(options.out / "index.html")}


def _is_built(out: Path) -> bool:
    """Whether the demo has run in a folder."""
    from simrec.pipeline.workspace import Workspace

    try:
        with Workspace.open(out).store() as store:
            store.snapshot()
    except SimrecError:
        return False
    return (out / "index.html").exists()
