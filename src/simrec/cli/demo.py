"""`simrec demo`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from simrec.cli.options import add_command, say
from simrec.cli.progress import progress


def add(commands: Any) -> None:
    """Declares the command."""
    command = add_command(commands, "demo", "Run the whole job on the sample newsroom.", run)
    command.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("out/demo"), help="where to work (default: out/demo)"
    )


def run(options: Namespace) -> dict[str, Any]:
    """Runs the demo, saying each step."""
    from simrec.pipeline.demo import demo

    return demo(options.out, say=lambda line: say(options, line), progress=progress())
