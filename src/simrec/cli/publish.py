"""`simrec publish`, `simrec withdraw`, `simrec unpublish` and `simrec pick`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simrec.cli.options import add_command, add_workspace, say
from simrec.cli.progress import progress

if TYPE_CHECKING:
    from simrec.types import Status

HIDING = {"withdraw": "Take articles out of all blocks.", "unpublish": "Make drafts of articles again."}

STATUS: dict[str, Status] = {"withdraw": "withdrawn", "unpublish": "draft"}
DONE = {"withdraw": "withdrawn", "unpublish": "unpublished"}


def add(commands: Any) -> None:
    """Declares the commands."""
    command = add_command(
        commands, "publish", "Store articles, and bring all blocks that they concern up to date.", run
    )
    add_workspace(command)
    command.add_argument("files", nargs="+", type=Path, metavar="FILE", help="articles, as `simrec ingest` takes them")
    for name, does in HIDING.items():
        command = add_command(commands, name, does, hide)
        add_workspace(command)
        command.add_argument("ids", nargs="+", metavar="ID", help="of an article")
        command.set_defaults(does=name)
    command = add_command(commands, "pick", "Add an editor's pick.", choose)
    add_workspace(command)
    command.add_argument("source", metavar="ID", help="of the page")
    command.add_argument("target", metavar="TARGET", help="id of the article that is to stand under it")
    command.add_argument("--rank", type=int, default=1, help="its place (default: 1)")


def run(options: Namespace) -> dict[str, Any]:
    """Stores articles, and brings the blocks up to date with all that is stored."""
    from simrec.pipeline.ingest import ingest
    from simrec.pipeline.publish import Pipeline
    from simrec.pipeline.workspace import Workspace

    workspace = Workspace.open(options.workspace)
    report = ingest(workspace, options.files, progress=progress(), by_hand=True)
    counts = f"{report.new} new, {report.changed} changed, {report.unchanged} unchanged, {report.rejected} rejected"
    for reject in report.rejects:
        print(f"simrec: {reject.file}: {reject.reason}", file=sys.stderr)
    if report.nothing_read:
        options.failed = True
    with Pipeline(workspace) as pipeline:
        say(options, f"{counts}; {_made(pipeline.opened)}")
        return {**report.values(), "blocks": list(pipeline.opened.blocks), "seconds": round(pipeline.opened.seconds, 4)}


def hide(options: Namespace) -> dict[str, Any]:
    """Withdraws or unpublishes articles."""
    from simrec.pipeline.publish import hide as take_out
    from simrec.pipeline.workspace import Workspace

    change = take_out(Workspace.open(options.workspace), options.ids, STATUS[options.does])
    return _done(options, DONE[options.does], len(options.ids), change)


def choose(options: Namespace) -> dict[str, Any]:
    """Adds a pick."""
    from simrec.pipeline.publish import Pipeline

    with Pipeline.open(options.workspace) as pipeline:
        return _done(options, "picked", 1, pipeline.pick(options.source, options.target, options.rank))


def _done(options: Namespace, what: str, count: int, change: Any) -> dict[str, Any]:
    say(options, f"{count} {what}; {_made(change)}")
    return {what: count, "blocks": list(change.blocks), "seconds": round(change.seconds, 4)}


def _made(change: Any) -> str:
    if change.waiting:
        return "left out wherever blocks are shown; `simrec build` fills their places"
    return f"{len(change.blocks)} blocks made again in {1000 * change.seconds:.0f} ms"
