"""May a snapshot be activated? Its blocks are measured, and held against the limits of `[gate]`."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import numpy as np

from simrec.policy.articles import ArticleRules, standing
from simrec.settings import GateSettings
from simrec.store import Before, Judge, Listed, Verdict
from simrec.types import Article, Pick

logger = logging.getLogger(__name__)

NDCG_AT = 10


class Counts(NamedTuple):
    """Articles by what may be done with them.

    Attributes:
        shown: how many may be shown.
        off: pages that readers see, and that have no block on purpose.
        hidden: ids of those that readers do not see, or not yet: neither as pages nor as items.
        barred: ids of those that the rules keep out of blocks, and that nobody has pinned.
    """

    shown: int
    off: int = 0
    hidden: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()


def count(articles: Iterable[Article], rules: ArticleRules, now: datetime, pins: Mapping[str, Iterable[str]]) -> Counts:
    """Counts articles at a moment; `pins` are the ids that stand first under pages."""
    shown, off, hidden, barred = 0, 0, set[str](), set[str]()
    pinned = {id_ for ids in pins.values() for id_ in ids}
    for article in articles:
        found = standing(article, rules, now)
        if found.later or not found.shown:
            hidden.add(article.id)
            continue
        off += rules.reason_off(article) is not None
        shown += found.may
        if not found.may and article.id not in pinned:
            barred.add(article.id)
    return Counts(shown, off, frozenset(hidden), frozenset(barred))


class Site(NamedTuple):
    """What blocks are measured with.

    Attributes:
        k: items that a new block shows.
        before_k: items that an active block shows.
        before: active blocks that readers see, where a new snapshot takes blocks over from them.
        picks: editors' picks.
        counts: of the articles.
        least: items with fewer of which a block is not shown.
        filled: whether fallbacks fill blocks when they are read: which are empty cannot be said then.
    """

    k: int
    before_k: int
    before: int
    picks: Sequence[Pick]
    counts: Counts
    least: int = 1
    filled: bool = False


class _Limit(NamedTuple):
    figure: str
    setting: str
    most: bool
    words: str


LIMITS = (
    _Limit("empty", "max_empty", True, "of the blocks are empty"),
    _Limit("changed", "max_changed", True, "of the blocks are others than the active ones"),
    _Limit("coverage", "min_coverage", False, "of the articles that may be shown stand in some block"),
    _Limit("hub", "max_hub", True, "of the blocks show one and the same article"),
    _Limit("ndcg", "min_ndcg", False, "is the blocks' nDCG@10 against editors' picks"),
)
"""In the order in which they are looked at."""


def make_judge(limits: GateSettings, site: Site) -> Judge:
    """What measures a snapshot and says whether it may be activated."""
    if site.filled and limits.max_empty is not None:
        logger.warning(
            "gate.max_empty is not held: policy.fallback fills blocks when they are read, and which are empty then is "
            "not measured; take one of the two out"
        )

    def judge(new: Iterable[Listed], before: Before | None) -> Verdict:
        return verdict(measure(new, before, site), limits)

    return judge


def verdict(figures: dict[str, float | None], limits: GateSettings) -> Verdict:
    """Holds figures against limits; a figure that cannot be had, say without picks, breaks none.

    >>> verdict({"empty": 0.25}, GateSettings(max_empty=0.1)).refused
    '25.0% of the blocks are empty, max_empty allows 10.0%'
    """
    broken = []
    for limit in LIMITS:
        allowed, value = getattr(limits, limit.setting), figures.get(limit.figure)
        if limit.figure == "ndcg" and (figures.get("pages") or 0) < limits.min_ndcg_pages:
            continue
        if allowed is None or value is None or (value <= allowed if limit.most else value >= allowed):
            continue
        shown = (f"{value:.3f}", f"{allowed:.3f}") if limit.figure == "ndcg" else (f"{value:.1%}", f"{allowed:.1%}")
        verb = "allows" if limit.most else "asks for"
        broken.append(f"{shown[0]} {limit.words}, {limit.setting} {verb} {shown[1]}")
    return Verdict(figures, "; ".join(broken) or None)


def measure(new: Iterable[Listed], before: Before | None, site: Site) -> dict[str, float | None]:
    """The figures of a snapshot.

    Args:
        new: its blocks.
        before: those of the active snapshot; None without one.
        site: see there.

    Returns:
        "empty", "changed", "coverage", "hub" as shares, "ndcg" over "pages" with picks. The first four are of what
        readers see at the moment, in both snapshots, under pages that they see; pages that are off are no blocks, and
        "empty" is None where fallbacks fill blocks. "ndcg" is of the blocks as they are, spares among them, by the
        house's own rules: an article's own picks may have been learned from, or stand first. It is an alarm.
    """
    hidden, unseen = site.counts.hidden, site.counts.hidden | site.counts.barred

    def first(ids: Iterable[str], k: int) -> tuple[str, ...]:
        found = tuple(islice((id_ for id_ in ids if id_ not in unseen), k))
        return found if site.filled or len(found) >= site.least else ()

    known = before.blocks if before else ()
    shown_before = {source: hash(first(ids, site.before_k)) for source, ids in known if source not in hidden}
    picked: dict[str, set[str]] = {}
    for pick in site.picks:
        picked.setdefault(pick.source_id, set()).add(pick.target_id)
    blocks = empty = changed = 0
    shown: Counter[str] = Counter()
    gains = []
    for source, ids in new:
        if source in picked:
            gains.append(ndcg(ids, picked[source]))
        if source in hidden:
            continue
        items = first(ids, site.k)
        blocks += 1
        empty += not items
        shown.update(items)
        changed += shown_before.get(source, hash(items)) != hash(items)
    blocks, empty = blocks - site.counts.off, max(empty - site.counts.off, 0)
    return {
        "empty": None if site.filled else _share(empty, blocks),
        "changed": _share(changed, len(shown_before) if before.whole else site.before) if before else None,
        "coverage": _share(len(shown), site.counts.shown),
        "hub": _share(max(shown.values(), default=0), blocks),
        "ndcg": round(float(np.mean(gains)), 4) if gains else None,
        "pages": len(gains),
    }


def unchanged(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    """The figures of a snapshot whose blocks are those of another one, of which these are."""
    return {**figures, "changed": 0.0}


def ndcg(ids: Sequence[str], picked: set[str]) -> float:
    """nDCG@10 of a block: binary gains, the ideal has min(10, picks) hits.

    >>> ndcg(["a", "b"], {"a"}), ndcg(["b"], {"a"})
    (1.0, 0.0)
    """
    weights = 1 / np.log2(np.arange(2, NDCG_AT + 2))
    hits = [weight for id_, weight in zip(ids, weights, strict=False) if id_ in picked]
    return float(sum(hits) / weights[: len(picked)].sum())


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


__all__ = ["Site", "make_judge", "measure", "unchanged", "verdict"]
