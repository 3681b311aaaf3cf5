"""`simrec acts`, and `simrec unpin`, `simrec ban` and `simrec unban`."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simrec.cli.options import add_command, add_workspace, say
from simrec.errors import UsageError

if TYPE_CHECKING:
    from simrec.pipeline.acts import Desk, Done
    from simrec.store import Act

DOES = {
    "pin": "Have an article stand first under a page, whatever the settings say.",
    "unpin": "Take back a pin.",
    "ban": "Have an article never stand under a page.",
    "unban": "Take back a ban.",
}
DONE = {"pin": "pinned", "unpin": "unpinned", "ban": "banned", "unban": "no longer banned"}
SHOWN = 20


def add(commands: Any) -> None:
    """Declares the commands."""
    for name, does in DOES.items():
        command = add_command(commands, name, does, act)
        add_workspace(command)
        command.add_argument("source", metavar="ID", help="of the page")
        command.add_argument("target", metavar="TARGET", help="id of the other article")
        if name == "pin":
            command.add_argument("--rank", type=int, default=1, help="its place among the pins (default: 1)")
        _add_who(command)
        command.add_argument("--note", help="why")
        command.set_defaults(does=name)
    command = add_command(commands, "acts", "List what editors did, undo it, export it.", run)
    add_workspace(command)
    command.add_argument("--page", metavar="ID", help="acts on this page alone")
    command.add_argument("--by", metavar="NAME", help="acts by this editor alone")
    command.add_argument("--limit", type=int, default=SHOWN, help=f"so many, the newest (default: {SHOWN})")
    command.add_argument("--undo", metavar="N", type=int, help="undo act N")
    command.add_argument("--export", metavar="FILE", type=Path, help="write all acts into FILE.jsonl or FILE.csv")
    _add_who(command)


def _add_who(command: ArgumentParser) -> None:
    command.add_argument("--who", metavar="NAME", help="who does it (default: the name of the system's user)")


def act(options: Namespace) -> dict[str, Any]:
    """Does one thing to a page."""

    def do(desk: Desk) -> Done:
        rank = getattr(options, "rank", None)
        return desk.act(_who(options), options.does, options.source, options.target, rank=rank, note=options.note)

    return _do(options, do, DONE[options.does])


def run(options: Namespace) -> dict[str, Any]:
    """Lists, exports or undoes acts."""
    from simrec.pipeline.workspace import Workspace

    if options.undo is not None:
        number = options.undo
        return _do(options, lambda desk: desk.undo(_who(options), number), f"act {number} undone")
    if options.limit < 1:
        raise UsageError(f"--limit must be at least 1, got {options.limit}")
    with Workspace.open(options.workspace).store() as store:
        limit = None if options.export else options.limit
        found = store.acts(source_id=options.page, who=options.by, limit=limit)
    if options.export:
        return _export(options, found[::-1])
    for one in found:
        say(options, _line(one))
    if not found:
        say(options, "no acts yet: `simrec pin`, `simrec ban`, or the desk of `simrec serve`")
    return {"acts": [one.as_json() for one in found]}


def _export(options: Namespace, found: list[Act]) -> dict[str, Any]:
    from simrec.files import write_whole
    from simrec.pipeline.acts import export

    form = options.export.suffix.lower().removeprefix(".")
    if form not in ("jsonl", "csv"):
        raise UsageError(f"--export {options.export}: name a file that ends in .jsonl or .csv")
    write_whole(options.export, export(found, form).encode("utf-8", "replace"), "name another file with --export")
    say(options, f"{len(found)} acts written to {options.export}, the oldest first")
    return {"acts": len(found), "file": str(options.export)}


def _do(options: Namespace, do: Any, what: str) -> dict[str, Any]:
    from simrec.pipeline.acts import act_once
    from simrec.pipeline.workspace import Workspace

    done = act_once(Workspace.open(options.workspace), do)
    made = f"{len(done.blocks)} blocks made again"
    if done.waiting:
        made = "shown at once wherever blocks are read; the blocks themselves follow at the next `simrec build`"
    say(options, f"{what}, act {done.act.id}; {made}")
    return done.as_json()


def _who(options: Namespace) -> str:
    if options.who is not None:
        return str(options.who)
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise UsageError("the system does not say who you are: name yourself with --who") from None


def _verdict(said: dict[str, Any]) -> str:
    """What a judge said in a blind comparison."""
    a, b = said["models"]
    better = said["preferred"]
    what = f"{better} over {b if better == a else a}" if better else f"neither {a} nor {b}"
    marked = [f"{label} {', '.join(said[name])}" for label, name in (("good", "accepted"), ("bad", "rejected"))
              if said[name]]  # fmt: skip
    return "; ".join((what, *marked))


def _line(act: Act) -> str:
    what = f"{act.action} {act.target_id}" if act.target_id else act.action
    if act.action == "judge" and act.said:
        what = f"judge {_verdict(act.said)}"
    told = [f"undoes {act.undoes}"] * (act.undoes is not None)
    told += [f"undone by {act.undone_by}"] * (act.undone_by is not None)
    told += [f'"{" ".join(act.note.split())}"'] if act.note else []
    more = f" ({', '.join(told)})" if told else ""
    return f"{act.id:>5}  {act.at:%Y-%m-%d %H:%M}  {act.who}: {what} under {act.source_id}{more}"
