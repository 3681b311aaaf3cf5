"""`simrec build`."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from simrec.cli.options import MODELS, add_command, add_workspace, say
from simrec.cli.progress import lines, progress
from simrec.errors import UsageError

if TYPE_CHECKING:
    from simrec.pipeline.build import Report

AS_NEEDED = ("decision", "recalls", "refused", "rejected", "rejects")
"""What is told only where there is something to tell."""

SHOWN_REJECTS = 5


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
    command.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="where it runs: here, or on a Ray cluster"
    )
    command.add_argument(
        "--address", metavar="HOST:PORT", help="of the Ray cluster, or auto (default: one of this machine alone)"
    )
    command.add_argument(
        "--articles", metavar="DATASET", help="with --engine ray: Parquet files in place of the workspace's articles"
    )
    command.add_argument(
        "--out", metavar="DATASET", help="with --engine ray: a folder or URL for blocks/ and candidates/ as Parquet"
    )


def run(options: Namespace) -> dict[str, Any]:
    """Builds, and says how long each stage took and, for `learned`, what ranks and why."""
    report = _on_cluster(options) if options.engine == "ray" else _here(options)
    stages = ", ".join(f"{name} {stage['seconds']:.1f}" for name, stage in report.stages.items())
    seconds = sum(stage["seconds"] for stage in report.stages.values())
    what = f"snapshot {report.snapshot}" if report.snapshot else str(options.out)
    say(
        options,
        f"{what}: {report.blocks} blocks for {report.articles} articles in {seconds:.1f} s "
        f"({stages}), {report.peak_rss_mb:.0f} MB",
    )
    for name, recall in report.recalls.items():
        say(options, f"neighbors by {name} are approximate: recall@10 {recall:.3f} on a sample")
    _say_rejects(options, report)
    told = asdict(report)
    values = {name: told[name] for name in told if name not in AS_NEEDED or told[name] not in ("", {}, [], None)}
    if report.decision:
        say(options, f"learned: {report.decision}" if "learn" in report.stages else report.decision)
    if report.refused:
        print(f"simrec: gate: snapshot {report.snapshot} is not activated: {report.refused}", file=sys.stderr)
        options.failed = True
    return values


def _say_rejects(options: Namespace, report: Report) -> None:
    for reject in report.rejects[:SHOWN_REJECTS]:
        where = f"{reject.file}:{reject.line}" if reject.line else reject.file
        print(f"rejected {where}: {reject.reason}", file=sys.stderr)
    if report.rejected:
        say(options, f"{report.rejected} rejected: {str(options.out).rstrip('/')}/rejects.parquet says why")


def _here(options: Namespace) -> Report:
    from simrec.pipeline.build import build
    from simrec.pipeline.workspace import Workspace

    for name in ("address", "articles", "out"):
        if getattr(options, name) is not None:
            raise UsageError(f"--{name} is for --engine ray only: add that, or leave --{name} out")
    workspace = Workspace.open(options.workspace)
    return build(workspace, model=options.model, k=options.k, full=options.full, progress=progress())


def _on_cluster(options: Namespace) -> Report:
    from simrec.pipeline.workspace import Workspace
    from simrec.scale.build import build

    workspace = Workspace.open(options.workspace, create=options.articles is not None)
    with nullcontext() if sys.stderr.isatty() else lines("simrec.scale"):
        return build(
            workspace, model=options.model, k=options.k, address=options.address, articles=options.articles,
            out=options.out, full=options.full, progress=progress(),
        )  # fmt: skip
