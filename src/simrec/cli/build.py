"""`simrec build`."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import asdict
from typing import Any

from simrec.cli.options import MODELS, add_command, add_workspace, say
from simrec.cli.progress import progress

AS_NEEDED = ("decision", "recalls", "refused")
"""What is told only where there is something to tell."""


def add(commands: Any) -> None:
    """Declares the command."""
    command = add_command(commands, "build", "Make the blocks of all articles, as a new snapshot.", run)
    add_workspace(command)
    command.add_argument("--model", choices=MODELS, help="what ranks (default: the setting, hybrid)")
    command.add_argument("-k", type=int, help="items a block (default: the setting, 5)")
    command.add_argument(
        "--full",
        action="store_true",
        help="fit the site anew: terms, statistics, static vectors; and make all blocks again",
    )
    command.add_argument("--engine", choices=("local",), default="local", help="where it runs")


def run(options: Namespace) -> dict[str, Any]:
    """Builds, and says how long each stage took and, for `learned`, what ranks and why."""
    from simrec.pipeline.build import build
    from simrec.pipeline.workspace import Workspace

    workspace = Workspace.open(options.workspace)
    report = build(workspace, model=options.model, k=options.k, full=options.full, progress=progress())
    stages = ", ".join(f"{name} {stage['seconds']:.1f}" for name, stage in report.stages.items())
    seconds = sum(stage["seconds"] for stage in report.stages.values())
    say(
        options,
        f"snapshot {report.snapshot}: {report.blocks} blocks for {report.articles} articles in {seconds:.1f} s "
        f"({stages}), {report.peak_rss_mb:.0f} MB",
    )
    for name, recall in report.recalls.items():
        say(options, f"neighbors by {name} are approximate: recall@10 {recall:.3f} on a sample")
    optional = ("decision", "recalls", "refused")
    values = {name: value for name, value in asdict(report).items() if value or name not in optional}
    if report.decision:
        say(options, f"learned: {report.decision}" if "learn" in report.stages else report.decision)
    if report.refused:
        print(f"simrec: gate: snapshot {report.snapshot} is not activated: {report.refused}", file=sys.stderr)
        options.failed = True
    return values
