"""A page's ranked list becomes its block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simrec.policy import rules
from simrec.rank.explain import SharedTerms
from simrec.rank.parts import Part
from simrec.store import StoredBlock, StoredItem
from simrec.types import NO_ROW, Rows, Scores

if TYPE_CHECKING:
    from simrec.pipeline.live.engine import Engine

FEW = 100
"""Articles of a language up to which a short block says how many there are."""


class Choice(NamedTuple):
    """What the house rules left of a page's candidates.

    Attributes:
        rows, scores: of the items, in the order to show them.
        removed: how many each rule took out.
        full: whether there were enough, but for a minimum score.
        used: places of the list that the choice depends on.
    """

    rows: Rows
    scores: Scores
    removed: dict[str, int]
    full: bool
    used: int


class Composer:
    """Makes blocks.

    Args:
        engine: the rows, lists, pins and copies.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.settings = engine.fitted.settings
        self.wanted = engine.k + self.settings.build.spares
        self._terms = SharedTerms(engine.shelf["tfidf"], engine.fitted.tfidf.show, engine.fitted.tfidf.telling())

    def choose(self, row: int, rows: Rows, scores: Scores) -> Choice:
        """Applies the house rules to candidates (c,), best first."""
        engine, policy = self._engine, self.settings.policy
        found: list[tuple[str, rules.Rule]] = [("copy", rules.no_copies(engine.copies.numbers))]
        if policy.min_score is not None:
            found.append(("below the minimum score", rules.min_score(policy.min_score)))
        pins = engine.pins_of(row)
        selection = rules.select(
            row, rows, scores, rules=found, k=self.wanted, pins=pins,
            diversity=policy.diversity, similarity=self._similarity.pairs if policy.diversity else None,
        )  # fmt: skip
        left = int((rows != NO_ROW).sum()) - selection.removed.get("copy", 0)
        whole = len(selection.places) == self.wanted and not policy.diversity and not pins
        used = int(selection.places.max()) + 1 if whole else len(rows)
        return Choice(rows[selection.places], scores[selection.places], selection.removed, left >= self.needed, used)

    @property
    def needed(self) -> int:
        """Candidates that must be left, no two of one story, for a block to be full."""
        return max(10 * self.wanted, 50) if self.settings.policy.diversity else self.wanted

    @property
    def _similarity(self) -> Part:
        return self._engine.comparer.fusion.parts[0].part

    def blocks(self, pages: Sequence[int], choices: Sequence[Choice]) -> list[StoredBlock]:
        """The blocks of pages, with the reasons of each item."""
        engine = self._engine
        width = max((len(choice.rows) for choice in choices), default=0)
        chosen = np.full((len(pages), width), NO_ROW, dtype=np.int32)
        for place, choice in enumerate(choices):
            chosen[place, : len(choice.rows)] = choice.rows
        parts = (
            engine.comparer.parts(np.array(pages, dtype=np.int32), chosen) if width else np.zeros((len(pages), 0, 1))
        )
        names = [part.name for part, _ in engine.comparer.fusion.parts]
        rounded = np.round(parts.astype(np.float64), 3).tolist()
        terms = self._terms
        terms.use(engine.shelf["tfidf"])
        return [
            self._block(page, choice, rounded[place], names, terms)
            for place, (page, choice) in enumerate(zip(pages, choices, strict=True))
        ]

    def _block(self, page: int, choice: Choice, parts: Any, names: list[str], terms: SharedTerms) -> StoredBlock:
        engine = self._engine
        shared = terms.of(page, choice.rows)
        pins = set(engine.pins_of(page)) if engine.pins else set()
        items = []
        for at, (row, score) in enumerate(zip(choice.rows.tolist(), choice.scores.tolist(), strict=True)):
            reasons: dict[str, Any] = {"terms": shared[at], "parts": dict(zip(names, parts[at], strict=True))}
            if row in pins:
                reasons["pinned"] = True
            items.append(StoredItem(engine.articles[row].id, round(score, 5), reasons))
        shortfall = self._shortfall(page, choice) if len(items) < engine.k else None
        return StoredBlock(engine.articles[page].id, tuple(items), shortfall)

    def _shortfall(self, page: int, choice: Choice) -> str:
        others = self._engine.members_of(page)
        removed = dict(choice.removed)
        copies = self._engine.copies_of(page)
        if copies:
            removed = {"copy": copies + removed.pop("copy", 0), **removed}
        why = [f"{count} taken out: {name}" for name, count in removed.items()]
        if others <= FEW:
            lang = self._engine.fitted.text_of(self._engine.articles[page]).lang
            why.insert(0, f"{others} other articles in {lang!r} may be shown")
            unlike = others - len(choice.rows) - sum(removed.values())
            why += [f"{unlike} share nothing with it"] * (unlike > 0)
        return f"{len(choice.rows)} of {self._engine.k}: " + "; ".join(why)
