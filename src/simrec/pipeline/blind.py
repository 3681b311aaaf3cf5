"""Blind comparisons: two models' blocks for a page, side by side, and nobody knows which is which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["left", "right", "tie"]


@dataclass(frozen=True, slots=True)
class Shown:
    """An item of one side."""

    id: str
    title: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Trial:
    """What a judge sees: nothing in it tells which side is which model.

    Attributes:
        id: names the trial; it is random, and what it stands for is in the store.
        source_id, title: the page.
        left, right: the two blocks.
        drawn: how the page was chosen: "random", "differing" (where the two differ most: not a fair sample of the
            site), or "asked".
        skipped: pages that were drawn before and passed over, since both models give them the same list.
    """

    id: str
    source_id: str
    title: str
    left: tuple[Shown, ...]
    right: tuple[Shown, ...]
    drawn: str
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """What judges preferred.

    Attributes:
        a, b: the models.
        wins, losses, ties: trials in which a was preferred, b was, neither.
        pages: that were judged.
        p: of the sign test, two-sided, ties left out.
        share, low, high: of trials that a won, a tie counting a half, with its 95% interval (bootstrap over pages).
        judges: wins, losses and ties by who judged.
        drawn: trials by how their page was chosen.
    """

    a: str
    b: str
    wins: int
    losses: int
    ties: int
    pages: int
    p: float
    share: float
    low: float
    high: float
    judges: dict[str, tuple[int, int, int]]
    drawn: dict[str, int]
