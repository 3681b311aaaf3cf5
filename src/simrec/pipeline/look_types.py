"""What an editor sees of a page: its block beside its candidates, and why each stands where it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

State = Literal["shown", "pinned", "banned", "candidate", "barred"]
"""What an article is to a page: an item, an item that an editor put first, one that an editor took out, one that could
be an item, one that must not be."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An article beside a page.

    Attributes:
        id, title, url, published_at, section: of the article; None for what it does not have.
        score: of the model that is served; None where it does not rank the article for this page.
        reasons: why it is similar, in words, the strongest first.
        by_model: its rank by each model, from 1, among all that may stand there; None where the model does not name it.
        state: see `State`.
        place: its place in the block as readers see it, from 1; None where it is not there.
        barred: why it must not be shown there, in words; None where it may.
    """

    id: str
    title: str
    url: str | None
    published_at: datetime | None
    section: str | None
    score: float | None
    reasons: tuple[str, ...]
    by_model: Mapping[str, int | None]
    state: State
    place: int | None = None
    barred: str | None = None


@dataclass(frozen=True, slots=True)
class PageLook:
    """What an editor sees of a page.

    Attributes:
        source_id, title: the page.
        model, snapshot: that the block comes from.
        served: ids of the block as readers see it.
        candidates: items first, in their order; then by score; then what is banned, then what is barred.
        models: the block that each model would give, before pins, by the model's name.
        missing: why a model that was asked for has no block here, by its name.
        off: why the page has no block at all; None where it has one.
    """

    source_id: str
    title: str
    model: str
    snapshot: int
    served: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    models: Mapping[str, tuple[str, ...]]
    missing: Mapping[str, str] = field(default_factory=dict)
    off: str | None = None


__all__ = ["Candidate", "PageLook", "State"]
