"""Blind comparisons: two models' blocks for a page, side by side, and nobody knows which is which."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from math import comb
from typing import Any, Literal, Protocol

import numpy as np

from simrec.errors import ConflictError, NotFoundError, UsageError
from simrec.evaluate.compare import LEVEL, resamples
from simrec.pipeline.watched import shown_now
from simrec.policy.eligibility import reason_hidden
from simrec.store import Store
from simrec.store.comparisons import Comparison, Half
from simrec.types import Article

TRIED = 40
"""Pages that are drawn at most to find one on which the models differ."""
LOOKED_AT = 12
"""Pages that are drawn, of which the one is taken where the models differ most."""
SIGNIFICANT, FEWEST = 0.05, 6
"""What p of a preference must be under, and how many pages it needs: of fewer, the interval knows too little."""
OTHER: Mapping[Half, Half] = {"a": "b", "b": "a"}
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

    @property
    def is_telling(self) -> bool:
        """Whether so many pages were judged that the interval says something."""
        return self.pages >= FEWEST

    @property
    def preferred(self) -> str | None:
        """The model that is shown to be preferred; None as long as chance, or a page or two, may have told them apart.

        >>> tally("a", "b", []).preferred
        """
        if self.p >= SIGNIFICANT or not self.is_telling:
            return None
        return self.a if self.low > 0.5 else self.b if self.high < 0.5 else None


class Ranks(Protocol):
    """Gives the block of each model: `simrec.pipeline.look.Looks`."""

    def blocks(self, model: str, source_id: str) -> list[str]:
        """Ids of the block that a model gives a page."""


def start(
    store: Store, looks: Ranks, who: str, models: Sequence[str], source_id: str | None = None, *,
    drawn: str = "random", rng: np.random.Generator | None = None, now: datetime | None = None,
) -> Trial:  # fmt: skip
    """Draws a page and hides which model is on which side; what it stands for is kept in the store.

    Args:
        store: the site's.
        looks: gives the models' blocks.
        who: will judge it: pages that they have judged for these models are not drawn again.
        models: two of them.
        source_id: the page; None: one is drawn.
        drawn: "random" or "differing".
        rng: draws; None: one that nobody can foresee.
        now: the moment; None for this one.

    Raises:
        UsageError: these are not two models, or there is no such way to draw.
        NotFoundError: there is no such page, or no page was found on which the two differ.
    """
    if len(set(models)) != 2 or len(models) != 2:
        raise UsageError(f"a comparison is of two models, got {', '.join(models) or 'none'}")
    if drawn not in ("random", "differing"):
        raise UsageError(f"pages are drawn 'random' or 'differing', got {drawn!r}")
    a, b = sorted(models)
    now, rng = now or datetime.now(UTC), rng or np.random.default_rng(secrets.randbits(128))
    if source_id is not None:
        drawn, pages = "asked", iter([source_id])
    else:
        pages = islice(_shuffled(store, store.compared_pages(a, b, who), rng, now), TRIED)
    skipped, best = 0, list[tuple[float, str, list[str], list[str]]]()
    for page in pages:
        ours, theirs = looks.blocks(a, page), looks.blocks(b, page)
        if ours == theirs:
            skipped += 1
            continue
        best.append((_overlap(ours, theirs), page, ours, theirs))
        if drawn != "differing" or len(best) == LOOKED_AT:
            break
    if not best:
        what = f"on {source_id!r}" if source_id is not None else f"on any of {skipped} pages that were drawn"
        raise NotFoundError(f"{a} and {b} do not differ {what}: choose other models, or another page")
    _, page, ours, theirs = min(best, key=lambda one: one[0])
    left: Half = "a" if rng.integers(2) else "b"
    found = Comparison(
        secrets.token_urlsafe(18), now, who, page, a, b, tuple(ours), tuple(theirs), left, drawn, skipped
    )
    store.open_trial(found)
    return show(store, found)


def show(store: Store, found: Comparison) -> Trial:
    """What a judge sees of a trial."""
    sides = {"a": found.items_a, "b": found.items_b}
    page = store.article(found.source_id)
    left, right = (tuple(_shown(store, ids)) for ids in (sides[found.left_is], sides[OTHER[found.left_is]]))
    title = page.title if page else found.source_id
    return Trial(found.trial, found.source_id, title, left, right, found.drawn, found.skipped)


def judge(
    store: Store, who: str, trial: str, preferred: Side, accepted: Sequence[str] = (), rejected: Sequence[str] = (), *,
    now: datetime | None = None,
) -> Comparison:  # fmt: skip
    """Stores what a judge says of a trial, as an act; items become judgements of the page.

    Returns:
        The trial, judged, with the number of the act.

    Raises:
        NotFoundError: there is no such trial any more.
        ConflictError: it was judged already, or shown to somebody else; or its page was drawn twice, and is judged.
        UsageError: there is no such side, or an item is in neither block, or accepted and rejected.
    """
    if preferred not in ("left", "right", "tie"):
        raise UsageError(f"prefer 'left', 'right' or 'tie', got {preferred!r}")
    found = store.trial(trial)
    if found.who != who:
        raise ConflictError("this comparison was shown to somebody else: start another one")
    if found.preferred is None and found.source_id in store.compared_pages(found.model_a, found.model_b, who):
        raise ConflictError("you judged this page already, and the log tells for which model: start another one")
    known = {*found.items_a, *found.items_b}
    for id_ in (*accepted, *rejected):
        if id_ not in known:
            raise UsageError(f"{id_!r} is in neither block")
        if id_ in accepted and id_ in rejected:
            raise UsageError(f"{id_!r} is accepted and rejected: choose one")
    half = {"left": found.left_is, "right": OTHER[found.left_is], "tie": "tie"}[preferred]
    said = replace(
        found, at=now or datetime.now(UTC), preferred=half,
        accepted=tuple(dict.fromkeys(accepted)), rejected=tuple(dict.fromkeys(rejected)),
    )  # fmt: skip
    return replace(said, act=store.judge_trial(said, shown_now(store, said.source_id, said.at)))


def tallies(store: Store) -> list[Tally]:
    """What judges preferred, for each pair of models that was judged."""
    pairs: dict[tuple[str, str], list[Comparison]] = {}
    for found in store.comparisons():
        pairs.setdefault((found.model_a, found.model_b), []).append(found)
    return [tally(a, b, found) for (a, b), found in sorted(pairs.items())]


def tally(a: str, b: str, found: Sequence[Comparison]) -> Tally:
    """Counts what judges said of two models; `a` and `b` are in the order in which they were stored."""
    judges: dict[str, tuple[int, int, int]] = {}
    points: dict[str, list[float]] = {}
    for one in found:
        won = one.preferred == "a", one.preferred == "b", one.preferred == "tie"
        before = judges.get(one.who, (0, 0, 0))
        judges[one.who] = before[0] + won[0], before[1] + won[1], before[2] + won[2]
        points.setdefault(one.source_id, []).append(won[0] + won[2] / 2)
    wins, losses, ties = (sum(counts[at] for counts in judges.values()) for at in range(3))
    share, low, high = _interval(list(points.values()))
    drawn = dict(Counter(one.drawn for one in found))
    p = sign_test(wins, losses)
    return Tally(a, b, wins, losses, ties, len(points), p, share, low, high, dict(sorted(judges.items())), drawn)


def sign_test(wins: int, losses: int) -> float:
    """p of the sign test, two-sided: that wins and losses are as far apart, were both as likely.

    >>> sign_test(8, 2), sign_test(0, 0)
    (0.109375, 1.0)
    """
    n = wins + losses
    tail = sum(comb(n, many) for many in range(min(wins, losses) + 1))
    return min(1.0, float(2 * tail / 2**n))


def as_json(found: Tally) -> dict[str, Any]:
    """A tally as `evaluate --json` has it."""
    values: dict[str, Any] = {name: getattr(found, name) for name in Tally.__slots__}
    judges = {who: dict(zip(("wins", "losses", "ties"), counts, strict=True)) for who, counts in found.judges.items()}
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in values.items()} | {
        "judges": judges
    }


def _interval(points: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Mean of all points, and its 95% interval, pages drawn with replacement."""
    if not points:
        return 0.5, 0.0, 1.0
    sums, counts = (np.array([of(page) for page in points], dtype=np.float64) for of in (sum, len))
    means = [sums[places].sum() / counts[places].sum() for places in resamples(len(points))]
    low, high = np.percentile(means, LEVEL)
    return float(sums.sum() / counts.sum()), float(low), float(high)


def _shuffled(store: Store, without: set[str], rng: np.random.Generator, now: datetime) -> Iterator[str]:
    """Pages that readers may see, in random order."""
    facts = store.facts()
    for place in rng.permutation(len(facts)).tolist():
        fact = facts[place]
        if fact.id in without or fact.status in ("draft", "withdrawn"):
            continue
        article = store.article(fact.id)
        if article and reason_hidden(article, now) is None:
            yield fact.id


def _shown(store: Store, ids: Sequence[str]) -> Iterator[Shown]:
    for id_ in ids:
        article: Article | None = store.article(id_)
        if article:
            yield Shown(id_, article.title, article.url)


def _overlap(ours: Sequence[str], theirs: Sequence[str]) -> float:
    """Of two lists, between 0 and 1: what both have, places that are the same counting once more."""
    both, either = {*ours} & {*theirs}, {*ours} | {*theirs}
    same = sum(one == other for one, other in zip(ours, theirs, strict=False))
    return (len(both) + same) / (len(either) + max(len(ours), len(theirs), 1))


__all__ = ["Shown", "Side", "Tally", "Trial", "as_json", "judge", "show", "start", "tallies", "tally"]
