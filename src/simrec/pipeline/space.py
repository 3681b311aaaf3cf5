"""What `simrec tune` may choose from: settings in stages, each a grid that holds the value of now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from simrec.settings import Settings

WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0)
TENTHS = tuple(round(tenth / 10, 1) for tenth in range(11))
DEPTHS = (50, 100, 150, 200, 300)
DIVERSITIES = (0.1, 0.2, 0.3, 0.4)
"""Of `policy.diversity`; it is chosen after all else, see `simrec.pipeline.tune`."""

TEXT: Mapping[str, Sequence[Any]] = {
    "tfidf.title_weight": (1, 2, 3, 4, 6, 8),
    "tfidf.ngrams": (1, 2, 3),
    "tfidf.min_df": (1, 2, 3, 5),
    "tfidf.max_df": (0.1, 0.2, 0.3, 0.5, 1.0),
    "tfidf.stem": (False, True),
    "sentence.title_weight": TENTHS,
}
"""How texts become vectors: each trial counts all words again."""

EMBEDDINGS: Mapping[str, Sequence[Any]] = {
    "sentence.passage_tokens": (0, 64, 128),
    "sentence.overlap": (0, 16, 32, 64),
}
"""How bodies are cut: each new pair of these embeds all articles again."""

FUSION: Mapping[str, Sequence[Any]] = {
    "rank.sentence": WEIGHTS,
    "rank.tags": WEIGHTS,
    "rank.section": WEIGHTS,
    "rank.age": WEIGHTS,
    "rank.back": TENTHS,
    "rank.candidates": DEPTHS,
}
"""How similarities become one score. `rank.tfidf` stays: only the weights' proportions count."""


class Stage(NamedTuple):
    """Settings that are searched together.

    Attributes:
        name: of the stage.
        grid: for each setting, by section and name, its values, ascending; the value of now is among them.
        trials: how many combinations are tried.
    """

    name: str
    grid: Mapping[str, Sequence[Any]]
    trials: int


def make_stages(settings: Settings, trials: int, *, embeddings: bool) -> list[Stage]:
    """The stages in order: the vectors with a third of the trials, since each is slow, then the fusion."""
    text = {**TEXT, **EMBEDDINGS} if embeddings else TEXT
    return [
        Stage("text", _with_present(text, settings), max(trials // 3, 1)),
        Stage("fusion", _with_present(FUSION, settings), trials),
    ]


def get_value(settings: Settings, key: str) -> Any:
    """The value of a setting, by section and name.

    >>> get_value(Settings(), "rank.candidates")
    100
    """
    section, name = key.split(".")
    return getattr(getattr(settings, section), name)


def with_values(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with other values, by section and name.

    >>> with_values(Settings(), {"rank.back": 0.2}).rank.back
    0.2
    """
    for key, value in values.items():
        section, name = key.split(".")
        changed = getattr(settings, section).model_copy(update={name: value})
        settings = settings.model_copy(update={section: changed})
    return settings


def changes(before: Settings, after: Settings, keys: Sequence[str]) -> dict[str, Any]:
    """The settings of `keys` whose values differ, with the values after."""
    return {key: get_value(after, key) for key in keys if get_value(after, key) != get_value(before, key)}


def _with_present(grid: Mapping[str, Sequence[Any]], settings: Settings) -> dict[str, Sequence[Any]]:
    return {key: tuple(sorted({*values, get_value(settings, key)})) for key, values in grid.items()}
