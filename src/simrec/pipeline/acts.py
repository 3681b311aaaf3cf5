"""Editors' acts: an article pinned under a page, banned from there, put in another order, accepted; and undone.

An act is stored with the blocks that are others by it, or not at all, and is a judgement that training and evaluation
use: docs/judgements.md.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from simrec.errors import StoreError, UsageError
from simrec.pipeline.planned import Acting, Action, plan_act, plan_undo
from simrec.pipeline.watched import note_look
from simrec.pipeline.workspace import Workspace
from simrec.store import Act, NewAct, PageRow, Store

if TYPE_CHECKING:
    from simrec.pipeline.publish import Pipeline

logger = logging.getLogger(__name__)

Clock: TypeAlias = Callable[[], datetime]
COLUMNS = (
    "id", "at", "who", "action", "source_id", "target_id", "note", "undoes", "undone_by", "before", "after", "said",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PageState:
    """What stands of editors' acts on a page; see `PageRow`."""

    source_id: str
    version: int = 0
    pins: tuple[str, ...] = ()
    bans: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()

    @classmethod
    def of(cls, source_id: str, row: PageRow | None) -> PageState:
        """The state of a page that a row of the store, or none, is of."""
        row = row or PageRow()
        return cls(source_id, row.version, row.pins, row.bans, row.accepted)


@dataclass(frozen=True, slots=True)
class Done:
    """What an act did.

    Attributes:
        act: as it stands in the log.
        state: of the page, after it.
        blocks: ids of the pages whose blocks were made again.
        waiting: whether the blocks wait for a build; who shows them takes it over at once all the same.
    """

    act: Act
    state: PageState
    blocks: tuple[str, ...]
    waiting: bool

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "act": self.act.as_json(),
            "state": {name: getattr(self.state, name) for name in PageState.__slots__},
            "blocks": list(self.blocks),
            "waiting": self.waiting,
        }


class Desk:
    """Where editors act on the blocks of a site.

    Args:
        workspace: of the site.
        pipeline: keeps its blocks up to date; None: acts are stored alone, and blocks follow at the next build.
        clock: tells the time.
    """

    def __init__(self, workspace: Workspace, pipeline: Pipeline | None, clock: Clock = lambda: datetime.now(UTC)):
        self.workspace = workspace
        self.pipeline = pipeline
        self._clock = clock

    def state(self, source_id: str) -> PageState:
        """What stands of acts on a page."""
        with self.workspace.store() as store:
            return PageState.of(source_id, store.page_states([source_id]).get(source_id))

    def act(
        self, who: str, action: Action, source_id: str, target_id: str | None = None, *,
        targets: Sequence[str] = (), rank: int | None = None, version: int | None = None, note: str | None = None,
    ) -> Done:  # fmt: skip
        """Does one thing to a page.

        `pin` puts an article first, behind other pins or at its `rank`; `ban` takes it out for good; `order` makes pins
        of all `targets`, in their order, and of nothing else; `accept` says that it belongs there, and changes no
        block; `unpin`, `unban` and `unaccept` take that back. A ban lifts the pin of the same article, and a pin its
        ban. What was so already is noted once more. A pin whose article may not be shown waits until it may.

        Args:
            who: does it.
            action: what is done.
            source_id: the page.
            target_id: the article; None for `order`.
            targets: for `order`, all that is to be pinned.
            rank: for `pin`, the place among the pins, from 1.
            version: of the page's state that the editor has seen; None: whatever it is.
            note: why.

        Raises:
            UsageError: it cannot be done.
            NotFoundError: there is no such article.
            StaleError: somebody changed the page since that version; who and when is said.
            ConflictError: other processes keep changing the blocks.
        """
        asked = Acting(who, action, source_id, target_id, tuple(targets), rank, version, note)
        return self._do(lambda store: plan_act(store, asked, self._clock()))

    def undo(self, who: str, act_id: int, *, version: int | None = None) -> Done:
        """Undoes an act, on the page as it is now; undoing an undo does again what was undone.

        What was said in a blind comparison, or that a page is fine, is undone whatever the page's version is.

        Raises:
            NotFoundError: there is no such act.
            ConflictError: it was undone, or later acts on the same items stand in the way.
            StaleError: somebody changed the page since that version.
        """
        with self.workspace.store() as store:
            act = store.act(act_id)
            if act is not None and act.said is not None:
                planned = plan_undo(store, who, act_id, version, self._clock())
                store.take_back(planned)
                return _done(planned, planned.before.version, (), waiting=False)
        return self._do(lambda store: plan_undo(store, who, act_id, version, self._clock()))

    def log(
        self, *, source_id: str | None = None, who: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[Act]:
        """Acts, the newest first; `before` a number, for the next page of them."""
        with self.workspace.store() as store:
            return store.acts(source_id=source_id, who=who, before=before, limit=limit)

    def _do(self, plan: Callable[[Store], NewAct]) -> Done:
        planned: list[NewAct] = []

        def noted(store: Store) -> NewAct:
            planned.append(plan(store))
            return planned[-1]

        if self.pipeline:
            blocks = self.pipeline.act(noted).blocks
        else:
            with self.workspace.store() as store:
                store.put_act(noted(store))
            blocks = ()
        act = planned[-1]
        self._note(act)
        return _done(act, act.id, blocks, waiting=self.pipeline is None)

    def _note(self, act: NewAct) -> None:
        """Notes what the page's block shows after an act, by which it is seen that it has changed since."""
        try:
            with self.workspace.store() as store:
                note_look(store, act.who, act.source_id, act.at)
        except StoreError as error:  # the act itself is stored
            logger.warning("act %d is stored, but not what its page shows: %s", act.id, error)


def _done(act: NewAct, version: int, blocks: tuple[str, ...], *, waiting: bool) -> Done:
    """What an act did that is stored; `version` is the page's since then."""
    row = PageRow(version, act.after.pins, act.after.bans, act.after.accepted)
    stored = Act(
        act.id, act.at, act.who, act.action, act.source_id, act.target_id, act.before.as_json(), act.after.as_json(),
        act.undoes, None, act.note, act.said,
    )  # fmt: skip
    return Done(stored, PageState.of(act.source_id, row), blocks, waiting)


def act_once(workspace: Workspace, do: Callable[[Desk], Done], clock: Clock | None = None) -> Done:
    """Does one act in a workspace, with its blocks where they can be kept up to date, else without them."""
    from simrec.pipeline.publish import Pipeline

    try:
        pipeline = Pipeline(workspace, *([clock] if clock else []))
    except UsageError as error:
        logger.info("%s", error)
        return do(Desk(workspace, None, *([clock] if clock else [])))
    with pipeline:
        return do(Desk(workspace, pipeline, pipeline.clock))


def export(acts: Iterable[Act], form: Literal["jsonl", "csv"]) -> str:
    """Acts as lines of JSON, or as a table."""
    rows = [act.as_json() for act in acts]
    if form == "jsonl":
        return "".join(json.dumps({name: row[name] for name in COLUMNS}, ensure_ascii=False) + "\n" for row in rows)
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in rows:
        plain = {
            name: json.dumps(row[name], ensure_ascii=False)
            for name in ("before", "after", "said")
            if row[name] is not None
        }
        values = row | plain
        table.writerow([_cell(values[name]) for name in COLUMNS])
    return file.getvalue()


def _cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


__all__ = ["Act", "Action", "Desk", "Done", "PageState", "act_once", "export"]
