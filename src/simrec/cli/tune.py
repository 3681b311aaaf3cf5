"""`simrec tune`: its options, and what it prints."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from simrec.cli.options import add_command, add_workspace
from simrec.cli.progress import progress


def add(commands: Any) -> None:
    """Declares the command."""
    help = "Search better settings on some sources with picks, confirm them on others, write them into simrec.toml."
    command = add_command(commands, "tune", help, run)
    add_workspace(command)
    command.add_argument(
        "--trials",
        metavar="N",
        type=int,
        default=60,
        help="trials of the fusion; a third as many of texts (default: 60)",
    )
    command.add_argument("--minutes", metavar="M", type=float, help="start no trial after so many minutes")
    command.add_argument(
        "--split", choices=("kfold", "group", "time"), default="kfold", help="how sources are held out (default: kfold)"
    )
    command.add_argument(
        "--embeddings", action="store_true", help="search passages, too: every new length embeds all articles again"
    )
    command.add_argument("--fresh", action="store_true", help="forget the trials of earlier calls")
    command.add_argument("--dry-run", action="store_true", help="search and report, and leave simrec.toml as it is")


def run(options: Namespace) -> dict[str, Any]:
    """Does it."""
    from simrec.pipeline.tune import TuneTask
    from simrec.pipeline.tuned import overruled, tune
    from simrec.pipeline.workspace import Workspace

    task = TuneTask(options.trials, options.minutes, options.split, options.embeddings)
    workspace = Workspace.open(options.workspace)
    found = tune(workspace, task, fresh=options.fresh, dry_run=options.dry_run, progress=progress())
    values = found.as_json() | {"written": bool(found.kept) and not options.dry_run}
    if not options.json:
        print(table(values))
        for key in overruled(workspace, found) if values["written"] else ():
            print(f"{key}: a SIMREC_ variable overrules what was written")
    return values


def table(values: dict[str, Any]) -> str:
    """The main figures."""
    protocol = values["protocol"]
    lines = [
        f"chosen on {protocol['tuning_sources']} sources, confirmed on {protocol['held_out_sources']} others; "
        f"split {protocol['split']}",
        f"{'':20}{'before':>24}{'after':>24}{'gain':>26}",
    ]
    for name, found in [("tuning", values["tuning"]), *(("held out", found) for found in values["held_out"])]:
        cells = [f"{found[n]['mean']:.3f} [{found[n]['low']:.3f}, {found[n]['high']:.3f}]" for n in ("before", "after")]
        gain = found["gain"]
        cells.append(f"{gain['delta']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]")
        lines.append(f"{name + ', ' + found['model']:20}{cells[0]:>24}{cells[1]:>24}{cells[2]:>26}  p {gain['p']:.4f}")
    lines.append(values["why"])
    lines += [f"  {key} = {value}" for key, value in values["changes"].items()]
    if values["changes"]:
        lines.append("written to simrec.toml; evidence in tune.md" if values["written"] else "not written")
    return "\n".join(lines)
