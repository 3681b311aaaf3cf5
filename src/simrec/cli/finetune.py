"""`simrec train --finetune`."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from simrec.cli.progress import progress
from simrec.errors import UsageError
from simrec.pipeline.workspace import Workspace


def run(options: Namespace) -> dict[str, Any]:
    """Fine-tunes the workspace's sentence model, and says what came of it; returns what `--json` prints.

    Options that are None have their default.
    """
    from simrec.pipeline.finetune import Tuning, finetune

    given = {"epochs": options.epochs, "minutes": options.minutes}
    for name, value in given.items():
        if value is not None and value <= 0:
            raise UsageError(f"--{name} must be more than 0, got {value:g}")
    tuning = Tuning(**{name: value for name, value in given.items() if value is not None})
    found = finetune(Workspace.open(options.workspace), tuning, options.out, progress())
    if not options.json:
        for line in lines(found.as_json()):
            print(line)
    return found.as_json()


def lines(found: dict[str, Any]) -> list[str]:
    """What came of it, for people."""
    told = []
    if training := found.get("training"):
        told.append(
            f"fine-tuned on {found['pairs']} picks of {found['sources']['train']} pages: {training['step']} of "
            f"{training['steps']} steps in {training['seconds'] / 60:.1f} minutes, {training['ended']}"
        )
    for model, of in found.get("figures", {}).items():
        told.append(
            f"{model:10} nDCG@10 {of['before']:.3f} -> {of['after']:.3f}, "
            f"{of['delta']:+.3f} [{of['low']:+.3f}, {of['high']:+.3f}], p {of['p']:.4f}"
        )
    told.append(found["why"])
    if found["model"]:
        told.append(f"model: {found['model']}; the next build embeds with it")
    return told
