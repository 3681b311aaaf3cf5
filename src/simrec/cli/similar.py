"""`simrec similar`."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from simrec.cli.options import add_command, add_workspace, say
from simrec.cli.progress import progress


def add(commands: Any) -> None:
    """Declares the command."""
    command = add_command(commands, "similar", "Show the block of one article.", run)
    command.add_argument("id", metavar="ID", help="the article's id")
    add_workspace(command)
    command.add_argument("-k", type=int, help="items (default: as built)")
    command.add_argument(
        "--exclude", metavar="ID", action="append", default=[], help="leave an article out, as often as given"
    )
    command.add_argument(
        "--explain", action="store_true", help="name the shared terms, the parts of each score, and what moved it up"
    )


def run(options: Namespace) -> dict[str, Any]:
    """Shows a block, with the reasons where they are asked for."""
    from simrec.pipeline.show import similar
    from simrec.pipeline.workspace import Workspace

    workspace = Workspace.open(options.workspace)
    shown = similar(
        workspace, options.id, k=options.k, explain=options.explain, exclude=options.exclude, progress=progress()
    )
    for number, item in enumerate(shown.block.items, start=1):
        say(options, f"{number}. {item.title}  [{item.id}]  {item.score:.2f}")
        if options.explain:
            parts = ", ".join(f"{name} {value:+.2f}" for name, value in item.reasons["parts"].items())
            say(options, f"   shares: {', '.join(item.reasons['terms']) or 'no word'}")
            say(options, f"   score: {parts}{', pinned by an editor' if item.reasons.get('pinned') else ''}")
            if item.reasons.get("because"):
                say(options, f"   moved up, since it {'; '.join(item.reasons['because'])}")
    if shown.block.shortfall:
        say(options, shown.block.shortfall)
    items = [
        {"id": i.id, "title": i.title, "url": i.url, "score": i.score, "reasons": dict(i.reasons)}
        for i in shown.block.items
    ]
    found = {"id": shown.block.source_id, "items": items, "model": shown.model, "snapshot": shown.snapshot}
    return found | ({"shortfall": shown.block.shortfall} if shown.block.shortfall else {})
