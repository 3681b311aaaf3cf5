"""What the writer does: each kind of request, on the one warm pipeline of the site."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from simrec.errors import InputError, LockedError, ModelError, NotFoundError, StoreError, UsageError
from simrec.ingest.record import to_article
from simrec.pipeline.acts import Desk, Done, PageState
from simrec.pipeline.draft import rank_draft, warm_up
from simrec.pipeline.ingest import entry_keys
from simrec.pipeline.kept import find_fitted
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.snapshots import activate, describe, rollback
from simrec.pipeline.synced import active_snapshot
from simrec.pipeline.workspace import Workspace
from simrec.policy.eligibility import reason_hidden
from simrec.serve.rendering import told_of
from simrec.serve.told import dated, told_at
from simrec.store import Store
from simrec.store.inbox import Asked, Claim, aside
from simrec.store.records import taken_out, told
from simrec.store.store import BY_HAND
from simrec.types import NO_ROW, Article, Entry, Status

logger = logging.getLogger(__name__)

LOOK_AGAIN = 30.0
"""Seconds after which it is tried again whether articles can be published into the active snapshot."""
LOCK_WAIT = 2.0
"""Seconds that a switch of snapshots waits for a command that is at work: others wait behind it."""

Payload: TypeAlias = Mapping[str, Any]
Result: TypeAlias = dict[str, Any]


class Work:
    """The site in the hands of the one writer. Used by one thread.

    Args:
        workspace: of the site.
        store: its store.
        clock: tells the time.
    """

    def __init__(self, workspace: Workspace, store: Store, clock: Callable[[], datetime]) -> None:
        waits = workspace.settings.run.model_copy(update={"lock_wait": LOCK_WAIT})
        self._impatient = replace(workspace, settings=workspace.settings.model_copy(update={"run": waits}))
        self._workspace, self._store, self._clock = workspace, store, clock
        self._pipeline: Pipeline | None = None
        self._shown: int | None = None
        self._failed_at: float | None = None

    def close(self) -> None:
        """Lets go of the pipeline."""
        if self._pipeline:
            self._pipeline.close()
        self._pipeline = self._shown = self._failed_at = None

    def do(self, asked: Asked, claim: Claim) -> Result:
        """Does what is asked, within `applying`.

        Raises:
            SimrecError: it cannot be done, and nothing was stored.
        """
        return KINDS[asked.kind](self, asked.payload, claim.noted)

    def again(self, asked: Asked) -> Result:
        """The answer to a request whose change a writer stored that died before it could answer."""
        noted: dict[str, Any] = dict(asked.applied or {})
        if asked.kind in ("activate", "rollback"):
            return describe(self._store.snapshot(noted.get("snapshot")))
        made: list[str] = (
            [] if noted.get("waiting") else self._store.blocks_at(noted.get("snapshot", 0), noted.get("revision", 0))
        )
        if asked.kind in ("publish", "withdraw"):
            made = self._told(made, noted.get("articles", ()), self._store.article)
        again: Result = {"blocks": made, "waiting": bool(noted.get("waiting"))}
        act = self._store.act(noted["act"]) if asked.kind in ("act", "undo") else None
        if act is None:
            return {**noted, **again}
        if act.said is not None:  # the page is as it was
            made, noted["waiting"] = [], False
        row = self._store.page_states([act.source_id]).get(act.source_id)
        return Done(act, PageState.of(act.source_id, row), tuple(made), bool(noted.get("waiting"))).as_json()

    def follow(self) -> None:
        """Brings the pipeline to the active snapshot, and keeps it small, so that the next request need not."""
        shown = self._store.mark().snapshot
        if shown != self._shown:
            self.close()
            self._shown = shown
        if self._pipeline is not None:
            self._tidy(self._pipeline)
        elif pipeline := self.pipeline():
            self._warm(pipeline)

    def _tidy(self, pipeline: Pipeline) -> None:
        if not self._store.asked(1):  # nobody would wait for it
            try:
                pipeline.tidy()
            except (UsageError, ModelError) as error:  # what was fitted is another one now
                logger.info("%s", error)
                self._lose_pipeline()

    def _warm(self, pipeline: Pipeline) -> None:
        try:
            warm_up(pipeline, self._clock)
        except ModelError as error:
            logger.warning("%s", error)  # whoever publishes is told

    @property
    def is_ready(self) -> bool:
        """Whether the pipeline is there."""
        return self._pipeline is not None

    @property
    def is_off(self) -> bool:
        """Whether there is none, since articles cannot be published into the active snapshot."""
        return self._failed_at is not None

    def pipeline(self) -> Pipeline | None:
        """The pipeline; None where articles cannot be published into the active snapshot."""
        lately = self._failed_at is not None and time.monotonic() - self._failed_at < LOOK_AGAIN
        if self._pipeline is None and not lately:
            try:
                self._pipeline = Pipeline(self._workspace, self._clock)
                self._failed_at = None
            except (UsageError, ModelError) as error:
                logger.info("%s", error)
                self._failed_at = time.monotonic()
        return self._pipeline

    def publish(self, payload: Payload, noted: dict[str, Any]) -> Result:
        """Stores articles, and brings all blocks up to date."""
        given = [self._article(record) for record in payload["articles"]]
        articles = [dated(article, payload, self._now()) for article in given if self._is_due(article.id, payload)]
        known = {article.id for article in articles if self._store.article(article.id)}
        if known and payload.get("only_new"):
            return {"articles": [], "new": [], "blocks": [], "waiting": False, "exists": True}
        noted |= {"articles": [a.id for a in articles], "new": [a.id for a in articles if a.id not in known]}
        return self._publish(articles, noted)

    def withdraw(self, payload: Payload, noted: dict[str, Any]) -> Result:
        """Takes articles out of all blocks."""
        status: Status = "draft" if payload.get("draft") else "withdrawn"
        ids = [id_ for id_ in payload["ids"] if not payload.get("known") or self._store.article(id_)]
        due = [id_ for id_ in ids if self._is_due(id_, payload)]
        at = {id_: told_at(id_, payload, self._now()) for id_ in payload["ids"]}
        articles = [taken_out(self._stored(id_), status, at[id_]) for id_ in due]
        gone = {id_: moment for id_, moment in at.items() if id_ not in ids}
        if gone and payload.get("gone"):
            with aside():  # of what is not stored: no change of the site, and it may be noted twice
                self._store.note_gone(gone)
        noted |= {"articles": [article.id for article in articles], "new": []}
        return self._publish(articles, noted)

    def act(self, payload: Payload, noted: dict[str, Any]) -> Result:
        """Stores an editor's act."""
        given = {name: payload.get(name) for name in ("rank", "version", "note")}
        who, action, source_id = (payload[name] for name in ("who", "action", "source_id"))
        targets = payload.get("targets") or ()
        return self._act(
            lambda desk: desk.act(who, action, source_id, payload.get("target_id"), targets=targets, **given), noted
        )

    def undo(self, payload: Payload, noted: dict[str, Any]) -> Result:
        """Takes an act back."""
        return self._act(
            lambda desk: desk.undo(payload["who"], payload["act_id"], version=payload.get("version")), noted
        )

    def similar(self, payload: Payload, _: dict[str, Any]) -> Result:
        """The block that a text would have; nothing is stored, and other threads may ask for it meanwhile."""
        pipeline = self._pipeline
        if pipeline is None:
            raise LockedError("nothing is fitted that a text could be ranked with: run `simrec build`")
        article = self._article(payload["article"])
        items = rank_draft(pipeline, article, payload.get("k"), explain=bool(payload.get("explain")), clock=self._clock)
        names = ("id", "title", "url", "score")
        said = [told_of(item.reasons, "pinned", "because") for item in items]
        return {"items": [{n: getattr(i, n) for n in names} | {"reasons": r} for i, r in zip(items, said, strict=True)]}

    def activate(self, payload: Payload, noted: dict[str, Any]) -> Result:
        """Shows another snapshot."""
        found = activate(self._impatient, payload["snapshot"], force=bool(payload.get("force")))
        self.follow()
        return describe(found) | noted

    def rollback(self, payload: Payload, noted: dict[str, Any]) -> Result:
        """Shows the snapshot that was shown before."""
        found = rollback(self._impatient)
        self.follow()
        return describe(found) | noted

    def _act(self, do: Callable[[Desk], Done], noted: dict[str, Any]) -> Result:
        pipeline = self.pipeline()
        noted["waiting"] = pipeline is None
        try:
            return do(Desk(self._workspace, pipeline, self._clock)).as_json()
        except (UsageError, ModelError):
            if pipeline is None or self._is_fitted():
                raise  # the act itself cannot be done
        self._lose_pipeline()
        noted["waiting"] = True
        return do(Desk(self._workspace, None, self._clock)).as_json()

    def _publish(self, articles: list[Article], noted: dict[str, Any]) -> Result:
        if not articles:
            return {**noted, "blocks": [], "waiting": False}
        pipeline = self.pipeline()
        if pipeline:
            try:
                change = pipeline.publish(*articles)
                with pipeline.reading() as site:
                    known, row_of = site.engine.articles, site.engine.row_of
                    made = self._told(change.blocks, noted["articles"], lambda id_: known.get(row_of.get(id_, NO_ROW)))
                return {**noted, "blocks": made, "waiting": False, **self._place()}
            except (UsageError, ModelError) as error:  # the snapshot that is active now cannot be changed
                logger.info("%s", error)
                self._lose_pipeline()
        noted["waiting"] = True
        self._store.put([Entry(article, BY_HAND) for article in articles], entry_keys)
        return {**noted, "blocks": [], **self._place()}

    def _told(self, made: Sequence[str], own: Sequence[str], find: Callable[[str], Article | None]) -> list[str]:
        """Of the pages whose blocks were made again, those that who asks may know of: public ones, and their own."""
        now, named = self._clock(), frozenset(own)

        def may(id_: str) -> bool:
            article = None if id_ in named else find(id_)
            return id_ in named or (article is not None and reason_hidden(article, now) is None)

        return sorted(filter(may, made))

    def _lose_pipeline(self) -> None:
        """Does without the pipeline for a while."""
        shown = self._shown
        self.close()
        self._shown, self._failed_at = shown, time.monotonic()

    def _is_fitted(self) -> bool:
        """Whether articles can be published into the snapshot that is active now."""
        snapshot = active_snapshot(self._store)
        return snapshot is not None and find_fitted(self._workspace, snapshot) is not None

    def _is_due(self, id_: str, payload: Payload) -> bool:
        """Whether what a system told is not older than what is known; a date that is yet to come says nothing."""
        if id_ not in payload.get("as_of", {}):
            return True
        stored = self._store.article(id_)
        last = stored.updated_at if stored else self._store.gone_at(id_)
        return last is None or not told_at(id_, payload, self._now()) < last <= self._now()

    def _now(self) -> datetime:
        return self._clock().astimezone(UTC)

    def _place(self) -> Result:
        """The snapshot and its revision that have the change."""
        try:
            found = self._store.snapshot()
        except StoreError:
            return {"snapshot": None, "revision": None}
        return {"snapshot": found.id, "revision": found.revision}

    def _article(self, record: Payload) -> Article:
        """The article of a record; the stored one in its new state, where the record says no more than that."""
        article = to_article(record, self._workspace.settings.ingest)
        if isinstance(article, str):
            raise InputError(f"article {record.get('id')!r}: {article}")
        if not article.is_notice:
            return article
        return told(self._stored(article.id), replace(article, updated_at=article.updated_at or self._now()))

    def _stored(self, id_: str) -> Article:
        article = self._store.article(id_)
        if article is None:
            raise NotFoundError(f"there is no article {id_!r}")
        return article


KINDS: dict[str, Callable[[Work, Payload, dict[str, Any]], Result]] = {
    "publish": Work.publish,
    "withdraw": Work.withdraw,
    "act": Work.act,
    "undo": Work.undo,
    "similar": Work.similar,
    "activate": Work.activate,
    "rollback": Work.rollback,
}

READING = frozenset(("similar",))
"""Kinds that change nothing, and can be done by several threads at once."""

__all__ = ["KINDS", "READING", "Work"]
