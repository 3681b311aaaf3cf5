"""Acts of editors, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simrec.serve.desk.backend import Wish
from simrec.types import Article

if TYPE_CHECKING:
    from simrec.pipeline.acts import Act

DONE = {
    "pin": "Pinned {title}",
    "unpin": "Unpinned {title}",
    "ban": "Banned {title}",
    "unban": "Lifted the ban on {title}",
    "accept": "Accepted {title}",
    "unaccept": "Took back that {title} was accepted",
    "order": "Changed the order",
    "seen": "Found the block fine",
}
WISHED = {
    "pin": "pin {title}",
    "unpin": "unpin {title}",
    "ban": "ban {title}",
    "unban": "lift the ban on {title}",
    "accept": "accept {title}",
    "unaccept": "take back that {title} was accepted",
    "order": "change the order",
}


def done(act: Act, names: Mapping[str, Article | None], log: Iterable[Act] = ()) -> str:
    """What was done, as a sentence without its end; `log` has what an act may have undone."""
    first, times = _undone(act, log)
    if first is None:
        text = f"change {act.undoes}"
    elif first.action == "order" and first.after["pins"]:
        text = f"Put first {', then '.join(quoted(id_, names) for id_ in first.after['pins'])}"
    elif first.action == "judge" and first.said:
        text = judged(first.said, names)
    else:
        text = DONE.get(first.action, first.action).format(title=quoted(first.target_id, names))
    return text if not times else f"{'Undid' if times % 2 else 'Did again'}: {text[:1].lower()}{text[1:]}"


def judged(said: Mapping[str, Any], names: Mapping[str, Article | None]) -> str:
    """What a judge said of two models' blocks, and of single items."""
    a, b = said["models"]
    preferred = said["preferred"]
    text = f"Preferred {preferred} to {b if preferred == a else a}" if preferred else f"Preferred neither {a} nor {b}"
    for label, ids in (("good", said["accepted"]), ("bad", said["rejected"])):
        if ids:
            text += f"; {label}: {', '.join(quoted(id_, names) for id_ in ids)}"
    return text


def named(act: Act) -> list[str | None]:
    """Ids of the articles that the words for an act may name."""
    said = act.said or {}
    pins = act.after["pins"] if act.action == "order" else ()
    return [act.target_id, *pins, *said.get("accepted", ()), *said.get("rejected", ())]


def wished(wish: Wish, names: Mapping[str, Article | None]) -> str:
    """What an editor wanted, after "you wanted to"."""
    return WISHED.get(wish.action, wish.action).format(title=quoted(wish.target_id, names))


def quoted(id_: str | None, names: Mapping[str, Article | None]) -> str:
    """An article's title in quotation marks; its id where it is gone."""
    article = names.get(id_) if id_ else None
    return f"“{article.title if article else id_ or 'an article'}”"


def last(log: Sequence[Act]) -> Act | None:
    """What "undo the last change" means: of what still stands, the last that was done to the page, or done again."""
    for act in log:
        first, times = _undone(act, log)
        if act.said is None and act.undone_by is None and first is not None and times % 2 == 0:
            return act
    return None


def stands(act: Act, log: Iterable[Act]) -> bool:
    """Whether what an act is about in the end is so after it."""
    return _undone(act, log)[1] % 2 == 0


def _undone(act: Act, log: Iterable[Act]) -> tuple[Act | None, int]:
    """What an act is about in the end, and how many times it was undone; None where the log does not reach so far."""
    known, times = {other.id: other for other in log}, 0
    found: Act | None = act
    while found is not None and found.undoes:
        found, times = known.get(found.undoes), times + 1
    return found, times
