"""One writer of all processes: whoever it is does what all of them ask for, in order, each request once."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from simrec.errors import LockedError, SimrecError, StoreError, UsageError
from simrec.pipeline.workspace import Workspace
from simrec.serve.outcomes import Ticket, passes, result, told
from simrec.serve.private import DRAFTS
from simrec.serve.private import asked as asked_of
from simrec.serve.work import KINDS, READING, Work
from simrec.store import Store
from simrec.store.election import Election
from simrec.store.inbox import Asked, Receipt, applying

logger = logging.getLogger(__name__)

BUSY, IDLE, QUIET = 0.01, 0.05, 5.0
"""Seconds between two looks for requests, while there are some, and when there were none for `QUIET` seconds."""
WAITING = 0.005
"""Seconds between two looks for an answer that another process gives."""
STAND = 0.5
"""Seconds between two looks whether there is no writer."""
REST = 1.0
"""Seconds until the next look, where something failed that should not."""
DEATHS = 3
"""Writers that may die over a request; then it is turned away."""
KEPT = timedelta(hours=24)
"""How long answers are kept for those who ask with the same key again."""
UNFETCHED = timedelta(minutes=1)
"""How long a text waits to be forgotten by whoever asked; who did not is gone."""
FORGOTTEN = timedelta(days=30)
"""How long it is kept that an article was taken out before it was known, so that an older publication of it stays out:
systems give up sending a webhook again within days."""
CLEAN = 600.0
"""Seconds between two cleanings of what is older."""


class Writer:
    """What changes the site: here, where this process is the writer, else through the store's inbox.

    A request is kept in the store before anything is done for it, so that it outlives whoever asks and whoever does it.

    Args:
        workspace: of the site.
        clock: tells the time.
        election: says who may be the writer, of all processes that share the store.
        stands: whether this process may be the writer; one that answers readers only asks.
    """

    def __init__(
        self, workspace: Workspace, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        election: Election | None = None, stands: bool = True,
    ) -> None:  # fmt: skip
        self._workspace, self._clock = workspace, clock
        self._election, self._stands = election, stands
        self._store: Store | None = None
        self._thread: threading.Thread | None = None
        self._stopping, self._wake, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._tickets: dict[int, Ticket] = {}
        self._listeners: list[Callable[[], object]] = []
        self._work: Work | None = None
        self._asked_at = self._stood_at = self._cleaned_at = self._followed_at = float("-inf")

    @property
    def is_writer(self) -> bool:
        """Whether this process is the writer."""
        return self._work is not None

    @property
    def has_writer(self) -> bool:
        """Whether any process is."""
        return self.is_writer or (self._election is not None and bool(self._election.holder()))

    def listen(self, changed: Callable[[], object]) -> None:
        """Calls something after each change that this process asked for, before the asker has the answer."""
        self._listeners.append(changed)

    def start(self) -> None:
        """Stands for election, where it may, and begins to work."""
        if self._thread is None:
            self._stopping.clear()
            self._store = self._workspace.store()
            self._election = self._election or Election(self._workspace.place)
            self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends after the request under way; what waits is left to the next writer."""
        self._stopping.set()
        self._wake.set()
        if self._thread:
            self._thread.join()
        if self._store:
            self._store.close()
        self._thread = self._store = None

    def call(self, kind: str, payload: Mapping[str, Any], *, timeout: float | None = None) -> dict[str, Any]:
        """Has something done, and waits for the answer.

        Args:
            kind: one of `simrec.serve.work.KINDS`.
            payload: what it takes, as JSON has it.
            timeout: seconds to wait; None for the setting.

        Raises:
            SimrecError: it cannot be done.
            LockedError: there is no answer yet; it will be done all the same.
        """
        if kind not in READING:
            return self.wait(self.ask(kind, payload), timeout)
        seconds = self._seconds(timeout)
        found = self.rank(payload, seconds) if self._stands else asked_of(DRAFTS, payload, seconds)
        if found is not None:
            return found
        receipt = self.ask(kind, payload)  # the writer is on another machine, or of another service
        try:
            return self.wait(receipt, timeout)
        finally:
            self._opened().forget(receipt.id)

    def rank(self, payload: Mapping[str, Any], seconds: float) -> dict[str, Any] | None:
        """The block of a text, by this process, which writes nothing of it down; None where another is the writer.

        Raises:
            LockedError: there is no writer that is ready within that time, or nothing is fitted.
            SimrecError: it cannot be done.
        """
        until = time.monotonic() + seconds
        while not self._stopping.is_set() and time.monotonic() < until:
            work = self._work
            if work is not None and (work.is_ready or work.is_off):
                return work.similar(payload, {})
            time.sleep(IDLE)
            if work is None and self._work is None and self.has_writer:
                return None
        raise LockedError(f"no process is ready to rank a text after {seconds:g} s: try again")

    def ask(self, kind: str, payload: Mapping[str, Any], key: str | None = None, fingerprint: str = "") -> Receipt:
        """Keeps a request; see `InboxStore.ask`."""
        if kind not in KINDS:
            raise UsageError(f"nothing of kind {kind!r} can be asked of the writer: use one of {', '.join(KINDS)}")
        receipt = self._opened().ask(kind, payload, key, fingerprint)
        self._wake.set()
        return receipt

    def wait(self, receipt: Receipt, timeout: float | None = None) -> dict[str, Any]:
        """The answer to a request; see `call`."""
        seconds = self._seconds(timeout)
        with self._lock:
            ticket = self._tickets.setdefault(receipt.id, Ticket())
        self._wake.set()
        try:
            if not ticket.done.wait(seconds):
                raise LockedError(f"there is no answer after {seconds:g} s, it will be done all the same: look later")
        finally:
            with self._lock:
                self._tickets.pop(receipt.id, None)
        found = result(ticket.outcome)
        for changed in self._listeners:
            changed()
        return found

    def answered(self, receipt: Receipt) -> bool:
        """Whether a request has its answer."""
        return receipt.id in self._opened().outcomes([receipt.id])

    def _seconds(self, timeout: float | None) -> float:
        return self._workspace.settings.serve.timeout if timeout is None else timeout

    def _opened(self) -> Store:
        if self._store is None:
            raise StoreError("the writer is not running: the service is starting or stopping, try again")
        return self._store

    def _run(self) -> None:
        """Works until it is stopped, whatever fails."""
        while not self._stopping.is_set():
            pause = REST
            try:
                pause = self._turn()
            except StoreError as error:
                logger.warning("%s", error)
            except Exception:  # a thread that ends would leave all requests without an answer
                logger.exception("the writer failed, and goes on")
                self._step_down()
            self._wake.wait(pause)
            self._wake.clear()
        self._step_down()

    def _turn(self) -> float:
        """Does what waits, where this process is the writer; returns how long to wait for the next turn."""
        store, now = self._opened(), time.monotonic()
        if self._leads(store, now):
            assert self._work is not None  # noqa: S101 - `_leads` has made it
            for asked in store.asked():
                if self._stopping.is_set() or not self._elected.holds():
                    break
                self._asked_at = now
                self._answer(store, self._work, asked)
            self._tend(store, now)
        self._settle(store)
        if not self.is_writer:
            return WAITING if self._tickets else STAND
        return BUSY if self._tickets or time.monotonic() - self._asked_at < QUIET else IDLE

    @property
    def _elected(self) -> Election:
        assert self._election is not None  # noqa: S101 - `start` has made it
        return self._election

    def _leads(self, store: Store, now: float) -> bool:
        if self._work is not None:
            if self._elected.holds():
                return True
            logger.warning("another process may be the writer now")
            self._step_down()
        if not self._stands or now - self._stood_at < STAND:
            return False
        self._stood_at = now
        if not self._elected.try_win():
            return False
        logger.info("this process is the writer")
        self._work = Work(replace(self._workspace, election=self._elected), store, self._clock)
        self._turn_away(store)
        self._work.follow()
        return True

    def _turn_away(self, store: Store) -> None:
        """Turns away what the last writers died over."""
        first = next(iter(store.asked(1)), None)
        if first and first.applied is None and store.note_try(first.id) > DEATHS:
            logger.error("request %d, %s, ended %d writers: it is turned away", first.id, first.kind, DEATHS)
            store.answer(first.id, told(RuntimeError()), forget=True)

    def _answer(self, store: Store, work: Work, asked: Asked) -> None:
        """Does what is asked, and keeps the answer; nothing is answered where another writer was faster."""
        failed, is_stored = False, asked.applied is not None
        forget = False
        with applying(asked.id) as claim:
            try:
                done = work.again(asked) if is_stored else work.do(asked, claim)
                outcome = json.loads(json.dumps(done))  # as another process would read it
            except Exception as error:  # who asked is answered, whatever fails
                if claim.lost or claim.marked or not self._elected.holds():
                    raise  # who answers is the writer that did it, or does it now
                if is_stored and isinstance(error, StoreError):
                    raise  # it is done: what it came to can be read later
                if not isinstance(error, SimrecError):
                    logger.exception("request %d, %s, failed", asked.id, asked.kind)
                outcome, failed = told(error), not is_stored
                forget = failed and passes(error)
        if store.answer(asked.id, outcome, forget=forget, failed=failed):
            self._deliver({asked.id: outcome})

    def _settle(self, store: Store) -> None:
        """Hands out the answers that other processes gave."""
        with self._lock:
            open_ = list(self._tickets)
        if open_:
            self._deliver(store.outcomes(open_))

    def _deliver(self, outcomes: Mapping[int, Mapping[str, Any]]) -> None:
        with self._lock:
            for number, outcome in outcomes.items():
                if number in self._tickets:
                    self._tickets[number].settle(outcome)

    def _tend(self, store: Store, now: float) -> None:
        """Follows the active snapshot, and deletes old answers and what no webhook comes late for, now and then."""
        if self._work and now - self._followed_at > REST:
            self._followed_at = now
            self._work.follow()
        if now - self._cleaned_at > CLEAN:
            self._cleaned_at = now
            store.clean_inbox(datetime.now(UTC) - KEPT)
            store.clean_inbox(datetime.now(UTC) - UNFETCHED, READING)
            store.clean_gone(self._clock() - FORGOTTEN)

    def _step_down(self) -> None:
        """Is the writer no longer."""
        if self._work is not None:
            self._work.close()
        self._work = None
        if self._election is not None:
            self._election.resign()
