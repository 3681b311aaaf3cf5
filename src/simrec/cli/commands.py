"""What each command does: call the pipeline, say what came out; each returns what `--json` prints."""

from __future__ import annotations

import json
import shutil
import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from simrec.cli.progress import progress
from simrec.errors import UsageError
from simrec.files import write_whole
from simrec.pipeline.workspace import Workspace

SHOWN_REJECTS = 5


def ingest(options: Namespace) -> dict[str, Any]:
    """`simrec ingest`."""
    from simrec.pipeline.ingest import ingest as run

    if not options.sources and not options.picks:
        raise UsageError("nothing to ingest: name a file, a folder or an archive, or --picks")
    workspace = Workspace.open(options.workspace, create=True)
    report = run(
        workspace,
        options.sources,
        format=options.format,
        picks=options.picks,
        picks_selector=options.picks_selector,
        progress=progress(),
    )
    say(
        options,
        f"{report.new} new, {report.changed} changed, {report.unchanged} unchanged, {report.rejected} rejected; "
        f"{report.picks} picks",
    )
    for reject in report.rejects[:SHOWN_REJECTS]:
        where = f"{reject.file}:{reject.line}" if reject.line else reject.file
        print(f"rejected {where}: {reject.reason}", file=sys.stderr)
    if report.rejected > SHOWN_REJECTS:
        print(f"… and {report.rejected - SHOWN_REJECTS} more; --json lists a hundred", file=sys.stderr)
    if report.rejected and not (report.new or report.changed or report.unchanged or report.picks):
        options.failed = True
    return asdict(report)


def build(options: Namespace) -> dict[str, Any]:
    """`simrec build`."""
    from simrec.pipeline.build import build as run

    workspace = Workspace.open(options.workspace)
    if options.full:
        shutil.rmtree(workspace.vectors, ignore_errors=True)
    report = run(workspace, model=options.model, k=options.k, progress=progress())
    stages = ", ".join(f"{name} {stage['seconds']:.1f}" for name, stage in report.stages.items())
    seconds = sum(stage["seconds"] for stage in report.stages.values())
    say(
        options,
        f"snapshot {report.snapshot}: {report.blocks} blocks for {report.articles} articles in {seconds:.1f} s "
        f"({stages}), "
        f"{report.peak_rss_mb:.0f} MB",
    )
    return asdict(report)


def similar(options: Namespace) -> dict[str, Any]:
    """`simrec similar`."""
    from simrec.pipeline.show import similar as run

    shown = run(Workspace.open(options.workspace), options.id, k=options.k, progress=progress())
    for number, item in enumerate(shown.block.items, start=1):
        say(options, f"{number}. {item.title}  [{item.id}]  {item.score:.2f}")
        if options.explain:
            parts = ", ".join(f"{name} {value:+.2f}" for name, value in item.reasons["parts"].items())
            say(options, f"   shares: {', '.join(item.reasons['terms']) or 'no word'}")
            say(options, f"   score: {parts}{', pinned by an editor' if item.reasons.get('pinned') else ''}")
    if shown.block.shortfall:
        say(options, shown.block.shortfall)
    items = [
        {"id": i.id, "title": i.title, "url": i.url, "score": i.score, "reasons": dict(i.reasons)}
        for i in shown.block.items
    ]
    found = {"id": shown.block.source_id, "items": items, "model": shown.model, "snapshot": shown.snapshot}
    return found | ({"shortfall": shown.block.shortfall} if shown.block.shortfall else {})


def render(options: Namespace) -> dict[str, Any]:
    """`simrec render`."""
    from simrec.pipeline.show import render as run

    counts = run(Workspace.open(options.workspace), options.out, format=options.format, progress=progress())
    say(
        options,
        f"{counts['written']} files written, {counts['unchanged']} unchanged, {counts['deleted']} deleted, "
        f"{counts['empty']} blocks empty, in {options.out}",
    )
    return dict(counts)


def evaluate(options: Namespace) -> dict[str, Any]:
    """`simrec evaluate`."""
    from simrec.pipeline.evaluate import Evaluation, Task, evaluate_files
    from simrec.pipeline.evaluate import evaluate as run

    task = Task(
        models=tuple(dict.fromkeys(options.model or ("tfidf", "sentence", "hybrid"))),
        split=options.split,
        k=options.k,
        as_published=options.as_published,
        rules=options.rules,
    )
    task.check()
    found: Evaluation
    if options.articles or options.picks:
        if not (options.articles and options.picks):
            raise UsageError("--articles and --picks go together")
        found = evaluate_files(options.articles, options.picks, task, progress=progress())
    else:
        found = run(Workspace.open(options.workspace), task, progress=progress())
    values = found.as_json()
    if options.report:
        from simrec.evaluate.report import write_report

        write_report(found, options.report)
    if options.json == "-":
        print(json.dumps(values, ensure_ascii=False, indent=1))
        return values
    if options.json:
        text = json.dumps(values, ensure_ascii=False, indent=1) + "\n"
        write_whole(Path(options.json), text.encode("utf-8", "replace"), "name another file with --json")
    print(table(values))
    if options.report:
        print(f"report: {options.report}")
    return values


def train(options: Namespace) -> dict[str, Any]:
    """`simrec train`."""
    from simrec.cli.finetune import run

    if not options.finetune:
        raise UsageError("say what to train: --finetune")
    return run(options)


def demo(options: Namespace) -> dict[str, Any]:
    """`simrec demo`."""
    from simrec.pipeline.demo import demo as run

    return run(options.out, say=lambda line: say(options, line), progress=progress())


def say(options: Namespace, line: str) -> None:
    """Prints for people, where no JSON is asked for."""
    if not options.json:
        print(line)


def table(values: dict[str, Any]) -> str:
    """The main figures of an evaluation."""
    protocol = values["protocol"]
    k = protocol["k"]
    names = [f"nDCG@{k}", f"R@{k}", "RR", "Success@5", "coverage@5"]
    lines = [f"{protocol['sources']} sources, {protocol['picks']} picks, {protocol['articles']} articles; split "]
    lines[0] += (
        f"{protocol['split']}{', as published' * protocol['as_published']}{', after the rules' * protocol['rules']}"
    )
    lines.append("".join([f"{'':10}", *(f"{name:>24}" for name in names)]))
    for model, found in values["models"].items():
        cells = [f"{found[n]['mean']:.3f} [{found[n]['low']:.3f}, {found[n]['high']:.3f}]" for n in names]
        lines.append("".join([f"{model:10}", *(f"{cell:>24}" for cell in cells)]))
    for c in values["comparisons"]:
        if c["measure"] == f"nDCG@{k}":
            interval = f"{c['delta']:+.3f} [{c['low']:+.3f}, {c['high']:+.3f}]"
            lines.append(f"{c['a']} - {c['b']}: {c['measure']} {interval}, p {c['p']:.4f}")
    lines += [f"warning: {warning}" for warning in protocol["warnings"]]
    return "\n".join(lines)
