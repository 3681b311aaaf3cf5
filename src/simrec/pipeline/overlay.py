"""What editors did to a page, laid over its stored block, whatever made that: bans out, pins first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from simrec.house import PolicySettings
from simrec.pipeline.placed import Placed, hand_placed
from simrec.policy.pairs import Facts, PairRules
from simrec.policy.story import OneStory
from simrec.store import PageRow, StoredBlock, StoredItem
from simrec.types import Corpus, Pick


class Overlay:
    """Brings stored blocks to what stands of editors' acts.

    A block that was made with the same pins and bans stays as it is. What was pinned since stands first, where
    visibility, language and copies let it; what was banned since is out; what is pinned no more goes to where its score
    puts it.

    Args:
        corpus: the articles.
        policy: the house rules.
        pages: what stands of acts, by page.
        picks: those that `policy.pin_picks` lets stand first.
        story: tells copies.
        hidden: why an article may not be shown; None where it may.
    """

    def __init__(
        self, corpus: Corpus, policy: PolicySettings, pages: Mapping[str, PageRow], picks: Iterable[Pick],
        story: OneStory, hidden: Callable[[str], str | None],
    ) -> None:  # fmt: skip
        self._corpus = corpus
        self._pages = pages
        self.placed: Placed = hand_placed(policy, pages, list(picks) if policy.pin_picks else ())
        self._story = story
        self._hidden = hidden
        self._pairs = PairRules(policy, corpus.languages)
        self._facts = Facts(corpus.lang_codes, corpus.published)

    def bans(self, page: str) -> tuple[str, ...]:
        """The ids that never stand under a page."""
        return tuple(self.placed.bans.get(page, ()))

    def lay(self, stored: StoredBlock) -> StoredBlock:
        """The block with what stands of acts on its page."""
        page = stored.source_id
        if page not in self._pages:
            return stored
        pins, bans = self.placed.pins.get(page, ()), {*self.bans(page)}
        items = {item.id: item for item in stored.items if item.id not in bans}
        first, since = list[StoredItem](), list[StoredItem]()
        for id_ in dict.fromkeys(pins):
            item = items.pop(id_, None)
            if item is not None and item.reasons.get("pinned"):
                first.append(item)
            elif id_ not in bans and self._may_stand(page, id_, first):
                item = item or StoredItem(id_, 0.0)
                since.append(replace(item, reasons={**item.reasons, "pinned": True}))
                first.append(since[-1])
            elif item is not None:
                items[id_] = item
        rest = _sorted([item for item in items.values() if not self._is_one_of(item, since)])
        banned = len(stored.items) - len({item.id for item in stored.items} - bans)
        return replace(stored, items=(*first, *rest), shortfall=_shortfall(stored.shortfall, banned))

    def _may_stand(self, page: str, id_: str, above: list[StoredItem]) -> bool:
        row_of = self._corpus.row_of
        if id_ == page or page not in row_of or id_ not in row_of or self._hidden(id_) is not None:
            return False
        codes = self._facts.languages
        if not self._pairs.speaks(codes[row_of[page]], codes[row_of[id_]]):
            return False
        return not any(self._story.holds(id_, other) for other in (page, *(item.id for item in above)))

    def _is_one_of(self, item: StoredItem, pinned: list[StoredItem]) -> bool:
        """Whether an item is a copy of one that was pinned since."""
        return any(self._story.holds(item.id, other.id) for other in pinned)


def _sorted(items: list[StoredItem]) -> list[StoredItem]:
    """Items of which none is pinned any more: those that were go to where their scores put them."""
    found = [item for item in items if not item.reasons.get("pinned")]
    for item in items:
        if item.reasons.get("pinned"):
            plain = replace(item, reasons={name: why for name, why in item.reasons.items() if name != "pinned"})
            place = next((at for at, other in enumerate(found) if other.score < item.score), len(found))
            found.insert(place, plain)
    return found


def _shortfall(before: str | None, banned: int) -> str | None:
    told = f"{banned} banned by editors since the build" if banned else None
    return "; ".join(filter(None, [told, before])) or None


__all__ = ["Overlay"]
