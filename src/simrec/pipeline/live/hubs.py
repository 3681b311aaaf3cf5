"""The hub limit of a site that was just ranked: articles in too many blocks pay a toll, and blocks are chosen again."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from simrec.pipeline.live.compose import Choice
from simrec.pipeline.live.engine import Engine
from simrec.policy import hubs
from simrec.types import DECIMALS, NO_ROW, Rows, Scores

logger = logging.getLogger(__name__)

ROUNDS = 8
"""Times that tolls are set and looked at again: copies, caps and pins are seen only when blocks are chosen."""


def limit_hubs(engine: Engine, choices: dict[int, Choice]) -> None:
    """Sets tolls until no article stands in too many blocks, and changes the choices that this concerns.

    Args:
        engine: with all pages ranked.
        choices: of all pages, by row; changed here.
    """
    share = engine.fitted.settings.policy.hub_limit
    if share is None:
        return
    pages, most = _pages(engine), most_blocks(engine, share)
    for _ in range(ROUNDS):
        if not over_limit(engine, {page: choices[page] for page in pages.tolist()}, most):
            return
        paid = hubs.tolls(*offers(engine, pages), engine.k, most, engine.toll.array)
        paid = with_copies(engine.copies.groups(), paid)
        for page in charge(engine, paid).tolist():
            choices[page] = engine.choose(page)
    left = over_limit(engine, {page: choices[page] for page in pages.tolist()}, most)
    if left:
        logger.warning(
            "%d articles stand in more than %d blocks: too little else is as near to their pages, see policy.hub_limit",
            len(left), most,
        )  # fmt: skip


def most_blocks(engine: Engine, share: float) -> int:
    """How many blocks an article may stand in."""
    targets = int((engine.alive.array & engine.may.array & ~engine.later.array).sum())
    return hubs.most_blocks(share, len(_pages(engine)), engine.k, targets)


def passed_limit(engine: Engine, share: float) -> bool:
    """Whether changes since the site was fitted have let an article into more blocks than it may stand in.

    So may pages that readers did not see then. A tenth more is let pass, and so is what no toll keeps out: what is
    pinned, and what pages show that have nothing to put in its place.
    """
    pages, wanted = _pages(engine), max(engine.composer.wanted, engine.k + 1)
    held = {page: engine.lists.array[page][engine.lists.array[page] != NO_ROW] for page in pages.tolist()}
    choices = {
        page: engine.composer.choose(page, rows, engine.scores.array[page, : len(rows)], wanted)
        for page, rows in held.items()
    }
    most = int(most_blocks(engine, share) * 1.1)
    over, bound = over_limit(engine, choices, most), Counter[int]()
    for page, choice in choices.items() if over else ():
        pins = set(engine.pins_of(page))
        bound.update(row for row in _first(engine, page, choice) if row in pins or choice.counted <= engine.k)
    return any(bound[row] <= most for row in over)


def over_limit(engine: Engine, choices: Mapping[int, Choice], most: int) -> dict[int, int]:
    """The rows that stand in more than `most` of the blocks, with the number of theirs."""
    return {row: count for row, count in count_shown(engine, choices).items() if count > most}


def count_shown(engine: Engine, choices: Mapping[int, Choice]) -> Counter[int]:
    """In how many of the blocks a reader sees each row."""
    return Counter(row for page, choice in choices.items() for row in _first(engine, page, choice))


def _first(engine: Engine, page: int, choice: Choice) -> list[int]:
    """The items that a reader sees."""
    now = choice.rows[~engine.later.array[choice.rows]][: engine.k]
    return list(map(int, engine.composer.stand_ins(page, now)))


def _pages(engine: Engine) -> Rows:
    """The pages under which readers see a block."""
    return with_block(engine, np.flatnonzero(engine.alive.array).astype(np.int32))


def with_block(engine: Engine, pages: Rows) -> Rows:
    """Those of some pages under which readers see a block: not drafts, nor what is not published yet."""
    seen = pages[engine.shown.array[pages] & ~engine.later.array[pages]]
    return np.array([page for page in seen.tolist() if not engine.reason_off(page)], dtype=np.int32)


def offers(engine: Engine, pages: Rows) -> tuple[Rows, Scores]:
    """(p, l) what each page can show, best first; what is pinned stands there at any price."""
    wanted, later = engine.k + hubs.BESIDE, engine.later.array
    rows = np.full((len(pages), wanted), NO_ROW, dtype=np.int32)
    scores = np.full(rows.shape, -np.inf, dtype=np.float32)
    for place, page in enumerate(pages.tolist()):
        listed = engine.lists.array[page]
        listed = listed[listed != NO_ROW]
        listed = listed[~later[listed]]
        known = np.isin(engine.lists.array[page], listed)
        choice = engine.composer.choose(page, listed, engine.scores.array[page][known], wanted)
        rows[place, : len(choice.rows)] = engine.composer.stand_ins(page, choice.rows)
        scores[place, : len(choice.rows)] = choice.scores
        scores[place, : len(choice.rows)][np.isin(choice.rows, engine.pins_of(page))] = np.inf
    return rows, scores


def with_copies(stories: Mapping[int, Sequence[int]], paid: Scores) -> Scores:
    """Tolls where all copies of a story pay what one of them does, so that none is shown through another."""
    for rows in stories.values():
        paid[rows] = paid[rows].max()
    return paid


def charge(engine: Engine, paid: Scores) -> Rows:
    """Sets tolls; the pages whose lists are others now. Lists stay the best of their pages' candidates."""
    before = engine.weights.array.copy()
    engine.toll.array[:] = paid
    for row in engine.articles:
        engine.weigh(row)
    return settle(engine, range(len(before)), np.round(before - engine.weights.array, DECIMALS))


def settle(engine: Engine, pages: range, lost: Scores) -> Rows:
    """Takes what rows have lost, (n,), off their scores in the lists of a run of pages; the pages that had some."""
    lists, scores = (column.array[pages.start : pages.stop] for column in (engine.lists, engine.scores))
    touched = (lists != NO_ROW) & (lost[lists] > 0)
    found = np.flatnonzero(touched.any(axis=1)).astype(np.int32)
    for page in found.tolist():
        count = int((lists[page] != NO_ROW).sum())
        rows, held = lists[page, :count].copy(), scores[page, :count].copy()
        last, hit = held[-1], touched[page, :count]
        held[hit] = np.round(held[hit] - lost[rows[hit]], DECIMALS)
        sure = ~hit | (held > last) if engine.more.array[pages.start + page] else np.ones(count, dtype=bool)
        rows, held = engine.sort(rows[sure], held[sure])
        lists[page], scores[page] = NO_ROW, -np.inf
        lists[page, : len(rows)], scores[page, : len(rows)] = rows, held
    return found + np.int32(pages.start)
