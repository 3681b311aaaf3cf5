"""A workspace tuned: the search kept in its folder, the settings written, and the evidence beside them."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simrec.errors import StoreError
from simrec.files import write_whole
from simrec.pipeline.confirm import MEASURE, Confirmed
from simrec.pipeline.search import load_optuna
from simrec.pipeline.space import get_value
from simrec.pipeline.tune import TuneTask, Tuning, tune_corpus
from simrec.pipeline.workspace import Workspace
from simrec.settings import load_settings, write_settings
from simrec.types import Corpus, Progress, no_progress

STUDY = Path("models/tune/study.db")
EVIDENCE = Path("models/tune/evidence.json")
TABLES = Path("tune.md")
BEST = 10
"""Trials that are shown of each stage."""
ADVICE = "free some space and run it again: the trials are kept"


def tune(
    workspace: Workspace,
    task: TuneTask | None = None,
    *,
    fresh: bool = False,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> Tuning:
    """Tunes a workspace on its picks; see `simrec.pipeline.tune.tune_corpus`.

    Writes what is clearly better into simrec.toml, and what was measured into `tune.md` and
    `models/tune/evidence.json`. Every trial is kept at once: a call that was stopped goes on where it was.

    Args:
        workspace: the site.
        task: what to search.
        fresh: forget the trials of earlier calls.
        dry_run: change neither the settings nor the evidence; the trials are kept all the same.
        progress: shows long work.

    Raises:
        UsageError: there are too few picks, or the task cannot be done with them.
        ModelError: Optuna is not installed, or the sentence model cannot be loaded.
        StoreError: a file cannot be read or written.
    """
    task = task or TuneTask()
    task.check()
    load_optuna()  # before anything that takes long
    study = workspace.path / STUDY
    if fresh:
        try:
            study.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{study} cannot be deleted: {error.strerror}") from error
    with workspace.store() as store:
        corpus, picks = Corpus(store.articles()), store.picks()
    found = tune_corpus(
        corpus, picks, workspace.settings, task, study=study, cache=workspace.vectors, progress=progress
    )
    if not dry_run:
        text = json.dumps(found.as_json() | {"stages": _stages(found)}, indent=1, ensure_ascii=False) + "\n"
        write_whole(workspace.path / EVIDENCE, text.encode(), ADVICE)
        write_whole(workspace.path / TABLES, as_markdown(found).encode(), ADVICE)
        _write_settings(workspace, found)
    return found


def overruled(workspace: Workspace, found: Tuning) -> list[str]:
    """Settings that were written, and that a SIMREC_ variable overrules."""
    now = load_settings(workspace.path)
    return [key for key, value in found.kept.items() if get_value(now, key) != value]


def _write_settings(workspace: Workspace, found: Tuning) -> None:
    changes: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, value in found.kept.items():
        section, name = key.split(".")
        changes[section][name] = value
    if changes:
        write_settings(workspace.path, changes, f"by simrec tune, {datetime.now(UTC):%Y-%m-%d}; why: {TABLES}")


def _stages(found: Tuning) -> list[dict[str, Any]]:
    return [
        {"stage": searched.stage, "importances": dict(searched.importances), "trials": searched.trials}
        for searched in found.searched
    ]


def as_markdown(found: Tuning) -> str:
    """`tune.md`: what was tried and what came of it, as tables."""
    told = found.protocol
    lines = [
        "# What `simrec tune` found",
        "",
        f"{told['articles']} articles; split {told['split']}, first fold: chosen on {told['tuning_sources']} sources "
        f"with picks, confirmed on {told['held_out_sources']} others that were not looked at before.",
        "",
        f"**{found.why[0].upper()}{found.why[1:]}.**",
        "",
        "| setting | before | chosen | kept |",
        "|---|---|---|---|",
    ]
    for key, value in {**found.found, **found.kept}.items():
        lines.append(f"| `{key}` | {get_value(found.before, key)} | {value} | {'yes' if key in found.kept else 'no'} |")
    lines += [
        "",
        f"## {MEASURE}, with 95% intervals",
        "",
        "| model | sources | before | after | gain | p |",
        "|---|---|---|---|---|---|",
        _row(found.tuning, "tuning: chosen on them, so too high"),
        *(_row(confirmed, "held out") for confirmed in found.confirmed),
        "",
        "What was chosen is kept where its gain on the held-out sources is more than one standard error. By chance "
        "alone that happens about once in six times, and a figure that decided is a little too high itself: "
        "`simrec evaluate` on later picks is the judge.",
    ]
    for searched in found.searched:
        lines += ["", f"## Trials: {searched.stage}", "", *_trials(searched.trials, searched.importances)]
    if found.varied:
        lines += [
            "",
            "## Diversity of blocks, on tuning sources",
            "",
            "| policy.diversity | nDCG | ild |",
            "|---|---|---|",
        ]
        lines += [f"| {v.diversity:g} | {v.ndcg:.4f} | {v.ild:.4f} |" for v in found.varied]
    return "\n".join(lines) + "\n"


def _row(found: Confirmed, sources: str) -> str:
    before, after, gain = found.before, found.after, found.comparison
    cells = [f"{value.mean:.4f} [{value.low:.4f}, {value.high:.4f}]" for value in (before, after)]
    return (
        f"| {found.model} | {sources} | {' | '.join(cells)} | {gain.delta:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}] "
        f"| {gain.p:.4f} |"
    )


def _trials(trials: list[dict[str, Any]], importances: Any) -> list[str]:
    best = sorted(trials, key=lambda trial: (-trial["nDCG@10"], trial["number"]))[:BEST]
    keys = list(trials[0]["settings"])
    shares = [f"{importances[key]:.0%}" if key in importances else "" for key in keys]
    return [
        f"The best {len(best)} of {len(trials)}; trial 0 is what was set before. Importance: the share of the "
        "differences between trials that a setting explains.",
        "",
        "| trial | nDCG@10 | " + " | ".join(f"`{key}`" for key in keys) + " |",
        "|---" * (len(keys) + 2) + "|",
        "| importance | | " + " | ".join(shares) + " |",
        *(
            f"| {trial['number']} | {trial['nDCG@10']:.4f} | " + " | ".join(map(str, trial["settings"].values())) + " |"
            for trial in best
        ),
    ]
