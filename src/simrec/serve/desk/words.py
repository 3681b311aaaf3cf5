"""Acts of editors, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

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
    if act.undoes:
        undone = next((other for other in log if other.id == act.undoes), None)
        text = done(undone, names) if undone else f"Change {act.undoes}"
        return f"Undid: {text[:1].lower()}{text[1:]}"
    return DONE.get(act.action, act.action).format(title=quoted(act.target_id, names))


def wished(wish: Wish, names: Mapping[str, Article | None]) -> str:
    """What an editor wanted, after "you wanted to"."""
    return WISHED.get(wish.action, wish.action).format(title=quoted(wish.target_id, names))


def quoted(id_: str | None, names: Mapping[str, Article | None]) -> str:
    """An article's title in quotation marks; its id where it is gone."""
    article = names.get(id_) if id_ else None
    return f"“{article.title if article else id_ or 'an article'}”"


def is_last(act: Act) -> bool:
    """Whether "undo the last change" means it: it still stands, and is none that took another one back."""
    return act.undone_by is None and act.undoes is None
