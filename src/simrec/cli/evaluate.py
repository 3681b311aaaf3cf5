"""`simrec evaluate`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simrec.cli.figures import table
from simrec.cli.options import JUDGEMENTS, MODELS, add_command, add_files, add_split, add_workspace, as_text, uses_files
from simrec.cli.progress import progress
from simrec.errors import UsageError
from simrec.files import write_whole

if TYPE_CHECKING:
    from simrec.pipeline.evaluate import Evaluation, Task

DEFAULT_MODELS = ("tfidf", "sentence", "hybrid")


def add(commands: Any) -> None:
    """Declares the command."""
    command = add_command(commands, "evaluate", "Measure rankings against editors' picks.", run, json_file=True)
    add_workspace(command)
    add_files(command)
    command.add_argument(
        "--model",
        choices=MODELS,
        action="append",
        help=f"what to measure; again for more (default: {', '.join(DEFAULT_MODELS)}; with --gate those with floors)",
    )
    add_split(command, "who is tested on what")
    command.add_argument("-k", type=int, default=10, help="cutoff of nDCG and recall (default: 10)")
    command.add_argument("--as-published", action="store_true", help="only candidates not younger than the source")
    command.add_argument("--rules", action="store_true", help="measure the block after the house rules")
    command.add_argument(
        "--judgements", choices=JUDGEMENTS, default="all", help="whose judgements are the truth (default: all)"
    )
    command.add_argument("--curve", action="store_true", help="measure `learned` with fewer picks, too")
    command.add_argument(
        "--ratings", metavar="CSV", type=Path, help="people's ratings of pairs: id_a,id_b,human_similarity"
    )
    command.add_argument(
        "--run",
        dest="external",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="a TREC run of another system, measured beside the models; again for more",
    )
    _add_outputs(command)
    _add_gate(command)


def _add_outputs(command: ArgumentParser) -> None:
    command.add_argument("--report", metavar="FILE.html", type=Path, help="write a report with tables and plots")
    command.add_argument("--save", metavar="FILE", type=Path, help="keep the evaluation, for `simrec compare`")
    command.add_argument(
        "--trec-run",
        metavar="PATH",
        type=Path,
        help="write the rankings as TREC runs: NAME.run in the folder PATH, or the file PATH, as in my.run",
    )
    command.add_argument("--qrels", metavar="FILE", type=Path, help="write the picks of the tested pages as TREC qrels")
    command.add_argument(
        "--json", metavar="FILE", nargs="?", const="-", help="write the figures as JSON (default: to stdout)"
    )


def _add_gate(command: ArgumentParser) -> None:
    command.add_argument(
        "--gate", metavar="FLOORS.toml", type=Path, help="exit with 1 where a figure is below its floor in this file"
    )
    command.add_argument(
        "--raise-floors", metavar="NAME", help="first write the figures into --gate as floors of NAME; none falls"
    )
    command.add_argument("--lower-floors", action="store_true", help="with --raise-floors: floors may fall, too")


def run(options: Namespace) -> dict[str, Any]:
    """Evaluates, writes what was asked for, prints the figures, and holds the gate."""
    task = _task(options)
    found = _evaluated(options, task)
    values = found.as_json()
    written = _write(options, found)
    if options.json == "-":
        print(as_text(values))
    else:
        if options.json:
            text = as_text(values) + "\n"
            write_whole(Path(options.json), text.encode("utf-8", "replace"), "name another file with --json")
        print(table(values))
        for line in written:
            print(line)
    if options.gate:
        _gate(options, values)
    return values


def _task(options: Namespace) -> Task:
    """What to measure.

    Raises:
        UsageError: options do not go together.
        InputError: the file of floors cannot be read.
    """
    from simrec.evaluate.gate import models, read_floors
    from simrec.pipeline.evaluate import Task

    if options.lower_floors and not options.raise_floors:
        raise UsageError("--lower-floors goes with --raise-floors NAME")
    if options.raise_floors and not options.gate:
        raise UsageError("--raise-floors needs --gate FLOORS.toml, the file to write to")
    chosen = options.model or DEFAULT_MODELS
    if options.gate and (options.gate.exists() or not options.raise_floors):
        floors = read_floors(options.gate)
        chosen = options.model or models(floors, options.split) or DEFAULT_MODELS
    task = Task(
        models=tuple(dict.fromkeys(chosen)),
        split=options.split,
        k=options.k,
        as_published=options.as_published,
        rules=options.rules,
        external=tuple(options.external),
        ratings=options.ratings,
        curve=options.curve,
        judgements=options.judgements,
    )
    task.check()
    return task


def _evaluated(options: Namespace, task: Task) -> Evaluation:
    from simrec.pipeline.evaluate import evaluate, evaluate_files
    from simrec.pipeline.workspace import Workspace

    if uses_files(options):
        if options.judgements != "all":
            raise UsageError("--judgements chooses among those of a workspace: leave it out with --articles")
        return evaluate_files(options.articles, options.picks, task, progress=progress())
    return evaluate(Workspace.open(options.workspace), task, progress=progress())


def _write(options: Namespace, found: Evaluation) -> list[str]:
    """Writes the files that were asked for; says where, a line each."""
    told = []
    ids = found.corpus.ids
    if options.report:
        from simrec.evaluate.report import write_report

        write_report(found, options.report)
        told.append(f"report: {options.report}")
    if options.save:
        from simrec.evaluate.saved import save

        save(options.save, found.as_saved())
        told.append(f"saved: {options.save}; later: simrec compare {options.save} OTHER")
    if options.trec_run:
        from simrec.evaluate.trec import write_runs

        files = write_runs(options.trec_run, ids, found.sources, found.runs)
        told.append(f"runs: {', '.join(map(str, files))}")
    if options.qrels:
        from simrec.evaluate.trec import write_qrels

        text = write_qrels(ids, found.sources, found.picks)
        write_whole(options.qrels, text.encode(), "name another file with --qrels")
        told.append(f"qrels: {options.qrels}")
    return told


def _gate(options: Namespace, values: dict[str, Any]) -> None:
    """Says on stderr what does not hold, and has the command fail then."""
    from simrec.evaluate.gate import broken, raise_floors, read_floors

    if options.raise_floors:
        measures = (f"nDCG@{options.k}", f"R@{options.k}")
        changed = raise_floors(options.gate, options.raise_floors, values, measures, lower=options.lower_floors)
        for line in changed:
            print(f"floor: {line}", file=sys.stderr)
    lines = broken(options.gate, read_floors(options.gate), values)
    for line in lines:
        print(f"gate: {line}", file=sys.stderr)
    if lines:
        options.failed = True
    elif options.json != "-":
        print(f"gate: every floor in {options.gate} holds")
