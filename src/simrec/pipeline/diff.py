"""Two snapshots compared: which blocks show something else, by how much, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from simrec.errors import NotFoundError
from simrec.pipeline.placed import placed_in
from simrec.pipeline.workspace import Workspace
from simrec.policy.eligibility import reason_hidden
from simrec.store import Inputs, Snapshot, Store
from simrec.types import Article

WITHOUT_EFFECT = {"ingest", "gate", "run"}
"""Sections of settings that change no block."""


@dataclass(frozen=True)
class BlockChange:
    """A page whose block is another one.

    Attributes:
        source_id: the page.
        entered, left: ids of the items that are in the second block only, and in the first.
        moved: items in both that stand in another place.
        overlap: items in both over items in either.
        why: what has changed that can be the reason.
    """

    source_id: str
    entered: tuple[str, ...]
    left: tuple[str, ...]
    moved: int
    overlap: float
    why: tuple[str, ...]


@dataclass
class Diff:
    """What differs between two snapshots: `diff --json`.

    Attributes:
        a, b: their numbers.
        pages: that have a block in either.
        changed: blocks that show others, or in another order.
        entered, left, moved: items, over all blocks.
        overlap: mean over all pages.
        everywhere: what is different for all pages: settings, models, what was fitted.
        why: blocks by what can be the reason; one with two reasons counts for both.
        blocks: those that changed, the most first.
    """

    a: int
    b: int
    pages: int = 0
    changed: int = 0
    entered: int = 0
    left: int = 0
    moved: int = 0
    overlap: float = 1.0
    everywhere: list[str] = field(default_factory=list)
    why: dict[str, int] = field(default_factory=dict)
    blocks: list[BlockChange] = field(default_factory=list)


def diff(workspace: Workspace, a: int | None = None, b: int | None = None) -> Diff:
    """Compares two snapshots by what their blocks show.

    Args:
        workspace: the site.
        a: the first one; None for the one that was shown before the second.
        b: the second one; None for the newest.

    Raises:
        NotFoundError: there is no such snapshot, or nothing to compare with.
    """
    with workspace.store() as store:
        first, second = _find(store, a, b)
        reasons = _Reasons(store, first, second)
        found = Diff(first.id, second.id, everywhere=reasons.everywhere)
        shown_a = {source: ids[: first.k] for source, ids in store.listed(first.id)}
        shown_b = {source: ids[: second.k] for source, ids in store.listed(second.id)}
        overlaps, why = 0.0, Counter[str]()
        for source in sorted({*shown_a, *shown_b}):
            before, after = shown_a.get(source, []), shown_b.get(source, [])
            overlap = _overlap(before, after)
            overlaps += overlap
            if before != after:
                change = _compare(source, before, after, overlap, reasons)
                found.blocks.append(change)
                why.update({_kind(reason, reasons.everywhere) for reason in change.why})
    found.pages = len({*shown_a, *shown_b})
    found.changed = len(found.blocks)
    found.overlap = round(overlaps / found.pages, 4) if found.pages else 1.0
    for change in found.blocks:
        found.entered += len(change.entered)
        found.left += len(change.left)
        found.moved += change.moved
    found.why = dict(why.most_common())
    found.blocks.sort(key=lambda change: (change.overlap, -change.moved, change.source_id))
    return found


def _find(store: Store, a: int | None, b: int | None) -> tuple[Snapshot, Snapshot]:
    known = store.snapshots()
    if a is not None and b is None:
        active = [found for found in known if found.active and found.id != a]
        b = active[0].id if active else None
    if b is None:
        others = [found for found in known if found.id != a]
        if not others:
            raise NotFoundError("there are not two snapshots to compare: run `simrec build` first")
        b = others[0].id
    second = store.snapshot(b)
    if a is None:
        parents = [found for found in known if found.id == second.parent]
        earlier = [found for found in known if found.id < second.id and not found.refused]
        if not (parents or earlier):
            raise NotFoundError(f"there is no snapshot before {second.id} to compare it with: name one")
        a = (parents or earlier)[0].id
    return store.snapshot(a), second


def _kind(reason: str, everywhere: list[str]) -> str:
    """A reason without the article that it names."""
    return reason if reason in everywhere else " ".join(reason.split(" ")[:2])


def _overlap(before: list[str], after: list[str]) -> float:
    either = {*before, *after}
    return len({*before} & {*after}) / len(either) if either else 1.0


def _compare(source: str, before: list[str], after: list[str], overlap: float, reasons: _Reasons) -> BlockChange:
    entered = tuple(id_ for id_ in after if id_ not in before)
    left = tuple(id_ for id_ in before if id_ not in after)
    places = {id_: place for place, id_ in enumerate(before)}
    moved = sum(id_ in places and places[id_] != place for place, id_ in enumerate(after))
    why = tuple(reasons.of(source, entered, left))
    return BlockChange(source, entered, left, moved, round(overlap, 4), why)


class _Reasons:
    """Why blocks differ, from what the two snapshots were made of.

    What concerns a block's own page or items is named first; what concerns all pages where nothing else is found.
    """

    def __init__(self, store: Store, first: Snapshot, second: Snapshot) -> None:
        self._store = store
        self._moments = first.current_at, second.current_at
        self._a, self._b = store.inputs(first.id), store.inputs(second.id)
        self._known = bool(self._a.hashes and self._b.hashes)
        self._articles: dict[str, Article | None] = {}
        self.everywhere = [*_everywhere(first, second, self._a, self._b)]

    def of(self, source: str, entered: tuple[str, ...], left: tuple[str, ...]) -> Iterator[str]:
        """What can be the reason, each as two words and, where it is an article, its id."""
        found = list(self._own(source, entered, left)) if self._known else []
        yield from found or self.everywhere or ["not noted"]

    def _own(self, source: str, entered: tuple[str, ...], left: tuple[str, ...]) -> Iterator[str]:
        page = self._article_changed(source)
        if page:
            yield page.replace("article", "page")
        (pins, bans), (later_pins, later_bans) = (placed_in(made_of).of(source) for made_of in (self._a, self._b))
        if pins != later_pins:
            yield "new pins"
        if bans != later_bans:
            yield "new bans"
        for id_ in (*entered, *left):
            what = self._article_changed(id_) or self._time_came(id_)
            if what:
                yield f"{what} {id_}"

    def _article_changed(self, id_: str) -> str | None:
        before, after = self._a.hashes.get(id_), self._b.hashes.get(id_)
        if before == after:
            return None
        if before is None:
            return "new article"
        if after is None:
            return "gone article"
        article = self._article(id_)
        hidden = article is not None and article.status in ("withdrawn", "draft")
        return "withdrawn article" if hidden else "changed article"

    def _time_came(self, id_: str) -> str | None:
        article = self._article(id_)
        if article is None:
            return None
        before, after = (reason_hidden(article, moment) for moment in self._moments)
        return "time came" if before != after else None

    def _article(self, id_: str) -> Article | None:
        if id_ not in self._articles:
            self._articles[id_] = self._store.article(id_)
        return self._articles[id_]


def _everywhere(first: Snapshot, second: Snapshot, a: Inputs, b: Inputs) -> Iterator[str]:
    """What is different for all pages."""
    if first.model != second.model:
        yield f"other model {first.model} -> {second.model}"
    if first.k != second.k:
        yield f"other k {first.k} -> {second.k}"
    for name, before, after in _settings(first.settings, second.settings):
        yield f"other setting {name} {before} -> {after}"
    for key, words in (("sentence", "the sentence model"), ("prior", "the ranker that ships with simrec")):
        if a.made_with.get(key) != b.made_with.get(key):
            yield f"other files of {words}"
    if a.made_with.get("picks") != b.made_with.get("picks"):
        yield "new picks"
    if first.fitted != second.fitted:
        yield "fitted anew"


def _settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Names and values of the settings that differ."""
    for section in sorted({*a, *b} - WITHOUT_EFFECT):
        before, after = a.get(section) or {}, b.get(section) or {}
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                yield f"{section}.{name}", before.get(name), after.get(name)


__all__ = ["BlockChange", "Diff", "diff"]
