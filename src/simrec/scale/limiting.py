"""The hub limit of a build: tolls are set by what the pages of all parts can show, and charged part by part."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from simrec.pipeline.live.hubs import ROUNDS, count_shown, offers, settle, with_block, with_copies
from simrec.policy import hubs
from simrec.scale.copying import Stories
from simrec.scale.ground import Ground
from simrec.scale.opened import TOLLS, open_engine
from simrec.scale.spaces import drop
from simrec.scale.tasks import Runner, Task
from simrec.types import DECIMALS, Scores

logger = logging.getLogger(__name__)

MEMORY = 1_000_000_000
"""Bytes that a task may take, beside the maps of files that it looks at."""
LOST = "tolls-lost"
"""Arrays, one a round: what each article's score has lost to it under every page."""
OFFERS = "offers-rows-{}", "offers-scores-{}"
"""Arrays, of a round: see `simrec.pipeline.live.hubs.offers`."""
SHOWN = "shown"
"""(2, s) int32 by part: rows, and in how many of the part's blocks a reader sees each."""


def limit_hubs(ground: Ground, runner: Runner) -> int:
    """Sets tolls until no article stands in too many blocks: `simrec.pipeline.live.hubs.limit_hubs`, part by part.

    Returns:
        How often tolls were set: what is kept of pages is that after so many rounds.
    """
    share = ground.settings.policy.hub_limit
    if share is None:
        return 0
    most = most_blocks(ground, share)
    for round_ in range(ROUNDS):
        if not _count_over(ground, runner, round_, most):
            return round_
        _set_tolls(ground, runner, round_, most)
        tasks = [Task(f"{span.part:06d}-{round_ + 1}", (span.part, round_ + 1)) for span in ground.spans]
        runner.run("charge", charge, tasks, memory=MEMORY)
    left = _count_over(ground, runner, ROUNDS, most)
    if left:
        logger.warning(
            "%d articles stand in more than %d blocks: too little else is as near to their pages, see policy.hub_limit",
            left, most,
        )  # fmt: skip
    return ROUNDS


def most_blocks(ground: Ground, share: float) -> int:
    """How many blocks an article may stand in."""
    now = ~ground.array("page-later")
    pages = int(np.count_nonzero((np.diff(ground.array("page-off.0")) == 0) & ground.array("page-shown") & now))
    targets = int(np.count_nonzero(ground.array("page-may") & now))
    return hubs.most_blocks(share, pages, ground.about["k"], targets)


# Tasks


def count(folder: str, part: int, round_: int) -> Mapping[str, Any]:
    """Counts in how many blocks of a part a reader sees each article."""
    ground, engine = Ground(folder), open_engine(folder, round_)
    span = ground.spans[part]
    choices = dict(zip(span.rows.tolist(), engine.read(span), strict=True))
    found = count_shown(engine, {page: choices[page] for page in with_block(engine, span.rows).tolist()})
    counts = np.array(sorted(found.items()), dtype=np.int32).reshape(-1, 2).T
    return {"rows": len(choices), "bytes": ground.put(f"{SHOWN}-{round_}", part, counts)}


def offer(folder: str, part: int, round_: int) -> Mapping[str, Any]:
    """What each page of a part can show."""
    ground, engine = Ground(folder), open_engine(folder, round_)
    span = ground.spans[part]
    engine.read(span)
    found = offers(engine, with_block(engine, span.rows))
    written = sum(ground.put(name.format(round_), part, array) for name, array in zip(OFFERS, found, strict=True))
    return {"rows": len(found[0]), "bytes": written}


def charge(folder: str, part: int, round_: int) -> Mapping[str, Any]:
    """Takes the tolls of a round off the lists of a part's pages, and chooses blocks again that this concerns."""
    ground = Ground(folder)
    span, engine = ground.spans[part], open_engine(folder, round_)
    engine.round = round_ - 1  # what is kept of pages is that of the round before
    try:
        choices = engine.read(span)
    finally:
        engine.round = round_
    pages = settle(engine, range(span.begin, span.end), ground.part(LOST, round_))
    for page in pages.tolist():
        choices[page - span.begin] = engine.choose(page)
    return {"rows": len(pages), "bytes": engine.write(span, choices)}


# What the driver does


def _count_over(ground: Ground, runner: Runner, round_: int, most: int) -> int:
    """How many articles stand in too many blocks."""
    tasks = [Task(f"{span.part:06d}-{round_}", (span.part, round_)) for span in ground.spans]
    runner.run("count blocks", count, tasks, memory=MEMORY)
    counts = np.zeros(ground.n, dtype=np.int32)
    for span in ground.spans:
        rows, found = ground.part(f"{SHOWN}-{round_}", span.part)
        counts[rows] += found
    return int(np.count_nonzero(counts > most))


def _set_tolls(ground: Ground, runner: Runner, round_: int, most: int) -> None:
    """Leaves the tolls of the next round, and what scores lose to them, unless they are there."""
    if ground.has_part(TOLLS, round_ + 1):
        return
    names = [name.format(round_) for name in OFFERS]
    tasks = [Task(f"{span.part:06d}-{round_}", (span.part, round_)) for span in ground.spans]
    runner.run("offers", offer, tasks, memory=MEMORY)
    for name in names:
        ground.join(name)
    rows, scores = (ground.array(name) for name in names)
    paid = ground.part(TOLLS, round_) if round_ else np.zeros(ground.n, dtype=np.float32)
    now = with_copies(Stories(ground), hubs.tolls(rows, scores, ground.about["k"], most, paid))
    ground.put(LOST, round_ + 1, np.round(_weights(ground, paid) - _weights(ground, now), DECIMALS))
    ground.put(TOLLS, round_ + 1, now)
    for name in names:
        (ground.engine / f"{name}.npy").unlink()
    drop(ground, *names)


def _weights(ground: Ground, paid: Scores) -> Scores:
    """(n,) what is added to scores."""
    found: Scores = np.round(ground.array("page-gains") - paid, DECIMALS)
    return found


__all__ = ["limit_hubs"]
