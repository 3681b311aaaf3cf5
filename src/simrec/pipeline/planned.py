"""An editor's act, planned: what it makes of a page's pins and bans, or why it cannot be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypeAlias, get_args

from simrec.errors import ConflictError, NotFoundError, StaleError, UsageError
from simrec.store import Act, NewAct, PageRow, Store

Action: TypeAlias = Literal["pin", "unpin", "ban", "unban", "order", "accept", "unaccept"]
ACTIONS: tuple[str, ...] = get_args(Action)
UNDO = "undo"
"""What an act is called in the log that undid another."""
MOST = 100
"""Pins of a page, as many as a block can have items."""
LONGEST_WHO, LONGEST_NOTE = 200, 2000
"""Characters of a name and of a note."""


@dataclass(frozen=True, slots=True)
class Acting:
    """What an editor asks for: see `simrec.pipeline.acts.Desk.act`."""

    who: str
    action: str
    source_id: str
    target_id: str | None = None
    targets: Sequence[str] = ()
    rank: int | None = None
    version: int | None = None
    note: str | None = None


def plan_act(store: Store, asked: Acting, now: datetime) -> NewAct:
    """The act, on the page as it is now; nothing is stored.

    Raises:
        UsageError: it cannot be done.
        NotFoundError: there is no such article.
        StaleError: the page's version is another than that which was asked for.
    """
    _check(asked)
    now = now.astimezone(UTC)
    before = store.page_states([asked.source_id]).get(asked.source_id, PageRow())
    known = {*before.pins, *before.bans, *before.accepted}
    for id_ in (asked.source_id, *(id_ for id_ in _targets(asked) if id_ not in known)):
        if store.article(id_) is None:
            raise NotFoundError(f"there is no article {id_!r}: see `simrec ingest`")
    check_version(store, asked.source_id, before, asked.version)
    after = MOVES[asked.action](before, asked)
    if len(after.pins) > MOST:
        raise UsageError(f"{asked.source_id!r} would have {len(after.pins)} pins, {MOST} are the most: unpin some")
    return NewAct(
        now, asked.who.strip(), asked.action, asked.source_id, asked.target_id, before, after, note=asked.note or None
    )


def plan_undo(store: Store, who: str, number: int, version: int | None, now: datetime) -> NewAct:
    """The act that undoes another one, on the page as it is now; nothing is stored.

    What was only said of a page, and changed nothing there, can be undone whatever else was done or said.

    Raises:
        NotFoundError: there is no such act.
        ConflictError: it was undone, or later acts on the same items stand in the way.
        StaleError: the page's version is another than that which was asked for.
    """
    check_who(who)
    now = now.astimezone(UTC)
    act = store.act(number)
    if act is None:
        raise NotFoundError(f"there is no act {number}: see `simrec acts`")
    before = store.page_states([act.source_id]).get(act.source_id, PageRow())
    if act.said is None:
        check_version(store, act.source_id, before, version)
    if act.undone_by is not None:
        raise ConflictError(_undone(store, act))
    if act.said is not None:
        return NewAct(now, who.strip(), UNDO, act.source_id, None, before, before, undoes=number, said=act.said)
    later = _in_the_way(act, store.acts(source_id=act.source_id, after=act.id))
    if later:
        raise ConflictError(
            f"act {number} cannot be undone, {later.who} did act {later.id} ({later.action}) on the same item later, "
            f"on {_day(later.at)}: undo that one first"
        )
    after = _inverse(before, act)
    return NewAct(now, who.strip(), UNDO, act.source_id, act.target_id, before, after, undoes=number)


def check_version(store: Store, page: str, row: PageRow, version: int | None) -> None:
    """Raises StaleError, that says who changed a page last and when, where its version is not the one looked at."""
    if version is None or version == row.version:
        return
    last = store.act(row.version)
    by = f"{last.who} changed it ({last.action}) on {_day(last.at)}" if last else "nobody has changed it yet"
    raise StaleError(f"page {page!r} is at version {row.version}, not {version}: {by}; look at it again, then repeat")


def check_who(who: str) -> None:
    """Raises UsageError for no name, or one that is too long."""
    if not who.strip():
        raise UsageError("an act needs the name of who does it")
    if len(who) > LONGEST_WHO:
        raise UsageError(f"the name of who does it is longer than {LONGEST_WHO} characters")


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d at %H:%M} UTC"


def _check(asked: Acting) -> None:
    check_who(asked.who)
    if asked.action not in MOVES:
        raise UsageError(f"there is no action {asked.action!r}: choose from {', '.join(ACTIONS)}")
    if asked.note is not None and len(asked.note) > LONGEST_NOTE:
        raise UsageError(f"the note is longer than {LONGEST_NOTE} characters")
    if asked.rank is not None and (asked.action != "pin" or asked.rank < 1):
        raise UsageError(f"a rank is for pin, and at least 1, got {asked.rank} for {asked.action}")
    ordering = asked.action == "order"
    if ordering != (asked.target_id is None) or (asked.targets and not ordering):
        needs = "all targets in their order, and no single one" if ordering else "one target"
        raise UsageError(f"{asked.action} needs {needs}")
    if len(set(asked.targets)) < len(asked.targets):
        raise UsageError("the order names an article twice: name each once")
    if asked.source_id in _targets(asked):
        raise UsageError(f"{asked.source_id!r} cannot stand under itself")


def _targets(asked: Acting) -> tuple[str, ...]:
    return tuple(asked.targets) if asked.target_id is None else (asked.target_id,)


# What each action makes of a page


def _pin(row: PageRow, asked: Acting) -> PageRow:
    [target] = _targets(asked)
    others = _without(row.pins, target)
    there = row.pins.index(target) if target in row.pins else len(others)
    place = there if asked.rank is None else asked.rank - 1
    return replace(row, pins=(*others[:place], target, *others[place:]), bans=_without(row.bans, target))


def _ban(row: PageRow, asked: Acting) -> PageRow:
    [target] = _targets(asked)
    return PageRow(row.version, _without(row.pins, target), _with(row.bans, target), _without(row.accepted, target))


def _order(row: PageRow, asked: Acting) -> PageRow:
    return replace(row, pins=tuple(asked.targets), bans=_without(row.bans, *asked.targets))


def _accept(row: PageRow, asked: Acting) -> PageRow:
    [target] = _targets(asked)
    return replace(row, accepted=_with(row.accepted, target), bans=_without(row.bans, target))


def _unpin(row: PageRow, asked: Acting) -> PageRow:
    return replace(row, pins=_taken(row.pins, asked, "pinned"))


def _unban(row: PageRow, asked: Acting) -> PageRow:
    return replace(row, bans=_taken(row.bans, asked, "banned"))


def _unaccept(row: PageRow, asked: Acting) -> PageRow:
    return replace(row, accepted=_taken(row.accepted, asked, "accepted"))


MOVES: dict[str, Callable[[PageRow, Acting], PageRow]] = {
    "pin": _pin,
    "unpin": _unpin,
    "ban": _ban,
    "unban": _unban,
    "order": _order,
    "accept": _accept,
    "unaccept": _unaccept,
}


def _without(ids: Sequence[str], *gone: str) -> tuple[str, ...]:
    return tuple(id_ for id_ in ids if id_ not in gone)


def _with(ids: Sequence[str], new: str) -> tuple[str, ...]:
    return tuple(ids) if new in ids else (*ids, new)


def _taken(ids: Sequence[str], asked: Acting, how: str) -> tuple[str, ...]:
    [target] = _targets(asked)
    if target not in ids:
        raise UsageError(f"{target!r} is not {how} under {asked.source_id!r} by an editor; see also simrec.toml")
    return _without(ids, target)


# Undoing


def _touched(act: Act) -> set[str]:
    """The items that an act was about."""
    return {act.target_id} if act.target_id is not None else {*act.before["pins"], *act.after["pins"]}


def _undone(store: Store, act: Act) -> str:
    """Why an act cannot be undone that was: since then it may have been done again, and undone again."""
    last, again = act, False
    while last.undone_by is not None and (after := store.act(last.undone_by)):
        last, again = after, not again
    if again:
        return f"act {act.id} was undone already, by act {last.id}: undo that one to have it back"
    return f"act {act.id} was undone, and done again by act {last.id}: undo that one"


def _in_the_way(act: Act, later: Sequence[Act]) -> Act | None:
    """The last act on the same items that still stands; None where there is none.

    An act that was undone does not stand, nor does what undid it, together they are nothing.
    """
    later = [one for one in later if one.said is None]
    by_number = {one.id: one for one in later}

    def stands(one: Act) -> bool:
        return one.undone_by is None or not stands(by_number[one.undone_by])

    items = _touched(act)
    for one in sorted(later, key=lambda one: -one.id):
        if stands(one) and one.undoes not in by_number and _touched(one) & items:
            return one
    return None


def _inverse(now: PageRow, act: Act) -> PageRow:
    """The page as it is now, with the items of an act as they were before it."""
    items = _touched(act)
    lists = []
    for kind in ("pins", "bans", "accepted"):
        ids, before = list(_without(getattr(now, kind), *items)), act.before[kind]
        for place, id_ in enumerate(before):
            if id_ in items:
                ids.insert(min(place, len(ids)), id_)
        lists.append(tuple(ids))
    return PageRow(now.version, *lists)
