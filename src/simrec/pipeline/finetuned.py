"""What a fine-tuned sentence model says of itself: where it comes from, and whose picks it has seen."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from simrec.embed.sentence import FINETUNED
from simrec.errors import ModelError
from simrec.settings import Settings


def from_base(settings: Settings) -> Settings:
    """Settings with the model that a fine-tuned one was made from: it never saw a pick."""
    described = read_described(settings.sentence.model)
    if not described:
        return settings
    return with_model(settings, str(described["base"]))


def read_described(model: str) -> dict[str, Any]:
    """How a sentence model was fine-tuned; empty for one that was not.

    Raises:
        ModelError: the description is damaged.
    """
    path = Path(model) / FINETUNED
    if not path.is_file():
        return {}
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        return {"base": described["base"], "trained": list(described["trained"]), **described}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} cannot be read ({error!r}): run `simrec train --finetune` again") from error


def with_model(settings: Settings, model: str) -> Settings:
    """Settings with another sentence model."""
    return settings.model_copy(update={"sentence": settings.sentence.model_copy(update={"model": model})})


def warn_of_leak(model: str, tested: Collection[str]) -> list[str]:
    """A warning where a sentence model was fine-tuned on picks that an evaluation tests it with; else nothing.

    Args:
        model: the setting.
        tested: ids of the tested sources.

    Raises:
        ModelError: the model's description is damaged.
    """
    seen = set(read_described(model).get("trained", ())) & set(tested)
    if not seen:
        return []
    return [
        f"the sentence model was fine-tuned on the picks of {len(seen)} of the {len(tested)} tested sources, all "
        f"figures but tfidf's are too high: {Path(model) / FINETUNED} has those of pages that it never saw"
    ]
