"""A page's ranked list becomes its block."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simrec.pipeline.chooser import TOO_FAR, TOO_LOW, cosines
from simrec.policy import rules
from simrec.policy.caps import Names, cap_names
from simrec.policy.duplicates import representative
from simrec.rank.explain import SharedTerms
from simrec.rank.parts import Part
from simrec.store import StoredBlock, StoredItem
from simrec.types import NO_ROW, Mask, Rows, Scores

if TYPE_CHECKING:
    from simrec.pipeline.live.lists import Lists

FEW = 100
"""Articles of a language up to which a short block says how many there are."""


class Choice(NamedTuple):
    """What the house rules left of a page's candidates.

    Attributes:
        rows, scores: of the items, in the order to show them.
        removed: how many each rule took out.
        full: whether there were enough, but for a minimum score.
        used: places of the list that the choice depends on.
        counted: items that may be shown now.
        last: the score of the last place that it depends on.
    """

    rows: Rows
    scores: Scores
    removed: dict[str, int]
    full: bool
    used: int
    counted: int
    last: float = -np.inf


class Told(NamedTuple):
    """Blocks as they were made of a site as it was saved: what is the same since needs no reasons anew.

    Attributes:
        rows: (n,) bool: the versions of articles that were there then; no row beyond was.
        pages: of which blocks are others since; they have reasons of another version, perhaps.
        blocks: finds blocks of then, by the id of their page.
    """

    rows: Mask
    pages: Collection[str]
    blocks: Callable[[list[str]], Mapping[str, StoredBlock]]


class Composer:
    """Makes blocks.

    Args:
        engine: the rows, lists, pins and copies.
    """

    def __init__(self, engine: Lists) -> None:
        self._engine = engine
        self.settings = engine.fitted.settings
        self.wanted = engine.k + self.settings.build.spares
        self._terms = SharedTerms(engine.shelf["tfidf"], engine.fitted.tfidf.show, engine.fitted.telling)
        policy = self.settings.policy
        names = cap_names(policy)
        self.caps = (lambda row: names(engine.articles[row])) if names else None
        self.plain = not (policy.diversity or self.caps) and policy.min_score is None and policy.min_cosine is None

    def choose(
        self, row: int, rows: Rows, scores: Scores, wanted: int | None = None, pins: Sequence[int] | None = None
    ) -> Choice:
        """Applies the house rules to candidates (c,), best first; `wanted` items are chosen, as many as are kept.

        `pins` stand first; where they are not given, those of the page do.
        """
        engine, policy, wanted = self._engine, self.settings.policy, wanted or self.wanted
        pins, later = engine.pins_of(row) if pins is None else pins, engine.later.array
        coming = later if later[rows].any() else None
        rule = ("copy", rules.no_copies(engine.copies.numbers, coming))
        floors = self._floors()
        caps = self.caps and self._caps_of(row, self.caps)

        def select(found: Sequence[tuple[str, rules.Rule]]) -> rules.Selection:
            return rules.select(
                row, rows, scores, rules=found, k=wanted, pins=pins, diversity=policy.diversity,
                similarity=self._similarity.pairs if policy.diversity else None, caps=caps, later=coming,
            )  # fmt: skip

        selection = select([rule, *floors])
        filled = selection if not floors else select([rule])
        left = int((rows != NO_ROW).sum()) - selection.removed.get("copy", 0)
        enough = filled.counted == wanted and (not policy.diversity or left >= self.needed)
        whole = selection.counted == wanted and not policy.diversity and not pins
        used = int(selection.places.max()) + 1 if whole else len(rows)
        places = selection.places
        last = float(scores[used - 1]) if whole else -np.inf
        return Choice(rows[places], scores[places], selection.removed, enough, used, selection.counted, last)

    def _caps_of(self, page: int, caps: Callable[[int], Names]) -> Callable[[int], Names]:
        """What a row counts for under a page: where another copy stands in for it, what that one counts for."""
        if self.settings.policy.copies == "best":
            return caps
        return lambda row: caps(int(self.stand_ins(page, np.array([row], dtype=np.int32))[0]))

    def _floors(self) -> list[tuple[str, rules.Rule]]:
        """The rules that take out what is too unlike the page, and that no deeper look makes up for."""
        engine, policy, found = self._engine, self.settings.policy, list[tuple[str, rules.Rule]]()
        if policy.min_score is not None:
            weights = engine.weights.array
            found.append((TOO_LOW, rules.min_score(policy.min_score, weights.__getitem__)))
        if policy.min_cosine is not None:
            found.append((TOO_FAR, rules.min_cosine(policy.min_cosine, cosines(engine.comparer.fusion))))
        return found

    @property
    def needed(self) -> int:
        """Candidates that must be left, no two of one story, for a block to be full."""
        return max(10 * self.wanted, 50) if self.settings.policy.diversity else self.wanted

    @property
    def _similarity(self) -> Part:
        return self._engine.comparer.fusion.parts[0].part

    def blocks(self, pages: Sequence[int], choices: Sequence[Choice], told: Told | None = None) -> list[StoredBlock]:
        """The blocks of pages, with the reasons of each item; those that were `told` before are not found again."""
        chosen = [self.stand_ins(page, choice.rows) for page, choice in zip(pages, choices, strict=True)]
        reasons = self._reasons(pages, chosen, told)
        return [self._block(*each) for each in zip(pages, choices, chosen, reasons, strict=True)]

    def reasons(self, page: int, rows: Rows) -> list[dict[str, Any]]:
        """What some rows have in common with a page: the terms that both share, and the fusion's parts."""
        return self._reasons([page], [rows], None)[0]

    def _reasons(self, pages: Sequence[int], chosen: Sequence[Rows], told: Told | None) -> list[list[dict[str, Any]]]:
        """The reasons of the rows that were chosen for each page."""
        engine = self._engine
        found = self._known(pages, chosen, told)
        asked = [[at for at, known in enumerate(reasons) if known is None] for reasons in found]
        width = max(map(len, asked), default=0)
        if not width:
            return found
        rows = np.full((len(pages), width), NO_ROW, dtype=np.int32)
        for place, places in enumerate(asked):
            rows[place, : len(places)] = chosen[place][places]
        parts = engine.comparer.parts(np.array(pages, dtype=np.int32), rows)[rows != NO_ROW]  # by page, and in order
        names = [part.name for part, _ in engine.comparer.fusion.parts]
        values = iter(np.round(parts.astype(np.float64), 3).tolist())
        self._terms.use(engine.shelf["tfidf"])
        for place, page in enumerate(pages):
            places = asked[place]
            if places:
                for at, shared in zip(places, self._terms.of(page, rows[place, : len(places)]), strict=True):
                    found[place][at] = {"terms": shared, "parts": dict(zip(names, next(values), strict=True))}
        return found

    def _known(self, pages: Sequence[int], chosen: Sequence[Rows], told: Told | None) -> list[list[Any]]:
        """The reasons that were told before; None for the others."""
        if told is None:
            return [[None] * len(rows) for rows in chosen]
        articles, there, found = self._engine.articles, set(np.flatnonzero(told.rows).tolist()), []
        blocks = told.blocks([articles[page].id for page in pages])
        for page, rows in zip(pages, chosen, strict=True):
            id_ = articles[page].id
            block = blocks.get(id_) if page in there and id_ not in told.pages else None
            known = {item.id: item.reasons for item in block.items} if block else {}
            found.append([known.get(articles[row].id) if row in there else None for row in rows.tolist()])
        return found

    def stand_ins(self, page: int, chosen: Rows) -> Rows:
        """The items of a page, each by the one of its copies that the rules want."""
        engine, how = self._engine, self.settings.policy.copies
        if how == "best":
            return chosen
        groups, numbers, found = engine.copies.groups(), engine.copies.numbers, chosen.copy()
        pins, members = set(engine.pins_of(page)), engine.is_member(page) & ~engine.later.array
        for place, row in enumerate(chosen.tolist()):
            may = [one for one in groups.get(int(numbers[row]), ()) if members[one]]
            if len(may) > 1 and row not in pins:
                found[place] = representative(may, engine.articles.__getitem__, how)
        return found

    def _block(self, page: int, choice: Choice, rows: Rows, found: list[dict[str, Any]]) -> StoredBlock:
        engine = self._engine
        off = engine.reason_off(page)
        if off:
            return StoredBlock(engine.articles[page].id, (), off)
        coming = bool(engine.later.array[rows].any())
        pins = set(engine.pins_of(page)) if engine.placed.pins else set()
        items = []
        for row, score, said in zip(rows.tolist(), choice.scores.tolist(), found, strict=True):
            reasons = {"terms": said["terms"], "parts": said["parts"]}
            if row in pins:
                reasons["pinned"] = True
            until = self._scheduled_copy(row, rows) if coming else None
            if until is not None:
                reasons["until"] = engine.articles[until].id
            items.append(StoredItem(engine.articles[row].id, round(score, 5), reasons))
        shortfall = self._shortfall(page, choice) if choice.counted < engine.k else None
        return StoredBlock(engine.articles[page].id, tuple(items), shortfall)

    def _scheduled_copy(self, row: int, rows: Rows) -> int | None:
        """The item that takes another one's place when its time comes, for it is a copy of it; None for most."""
        later, numbers = self._engine.later.array, self._engine.copies.numbers
        if later[row]:
            return None
        return next((other for other in rows.tolist() if later[other] and numbers[other] == numbers[row]), None)

    def _shortfall(self, page: int, choice: Choice) -> str:
        others = self._engine.members_of(page)
        removed = dict(choice.removed)
        copies = self._engine.copies_of(page)
        if copies:
            removed = {"copy": copies + removed.pop("copy", 0), **removed}
        why = [f"{count} taken out: {name}" for name, count in removed.items()]
        if others <= FEW:
            lang = self._engine.fitted.text_of(self._engine.articles[page]).lang
            why.insert(0, f"{others} other article{'s' if others != 1 else ''} in {lang!r} may be shown")
            unlike = others - choice.counted - sum(removed.values())
            why += [f"{unlike} share nothing with it"] * (unlike > 0)
        return f"{choice.counted} of {self._engine.k}: " + "; ".join(why)
