"""One command at a time in a workspace: who works there is known, and who waits is told."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import URL

from simrec.database import shown
from simrec.errors import LockedError, SimrecError, StoreError
from simrec.files import clean_parts, write_whole
from simrec.pipeline.workspace import Workspace
from simrec.store import SessionLock

logger = logging.getLogger(__name__)

LOCK = "simrec.lock"
HOLDER = "simrec.lock.json"
"""Who holds the lock: process, host, command, since when."""
OUTPUT = "simrec.output.lock"
"""The lock of those who write blocks out, beside that of those who make them."""
POLL = 0.05
GRACE = 0.2
"""Seconds after which waiting is worth a word: `status` holds the lock for a moment, to see whether it is free."""
PURPOSES = {LOCK: "work", OUTPUT: "output"}
"""What locks are called that other hosts may hold, by the file's name."""
ASKED = 0.5
"""Seconds between two tries where other hosts may hold the lock."""


@contextmanager
def working(workspace: Workspace, command: str, wait: float | None = None) -> Iterator[None]:
    """Holds the workspace's lock, and that of its database, which other hosts may share.

    A command that a process runs within another one holds them already. The system frees the lock when a process ends,
    however it ends; what it was writing is deleted by the next one.

    Args:
        workspace: the site.
        command: what is done, for those who wait.
        wait: seconds to wait for another process; None for the setting.

    Raises:
        LockedError: another process held it all the time.
        StoreError: the folder cannot be written.
    """
    with _holding(workspace, LOCK, command, wait) as is_new:
        if is_new:
            _clean(workspace)
        yield


@contextmanager
def writing_out(workspace: Workspace, command: str) -> Iterator[None]:
    """Holds the lock of those who write blocks out, from before they read what is shown: the last writes the newest.

    A build does not hold it: what was withdrawn can be taken out of a publisher's pages while one is under way. Where
    the workspace can only be read, there is none.

    Args:
        workspace: the site.
        command: what is done, for those who wait.

    Raises:
        LockedError: another process held it for as long as the setting waits.
    """
    if not os.access(workspace.path, os.W_OK):
        yield
        return
    with _holding(workspace, OUTPUT, command, None):
        yield


@contextmanager
def _holding(workspace: Workspace, name: str, command: str, wait: float | None) -> Iterator[bool]:
    """Holds a lock; says whether this did not hold it before."""
    lock = FileLock((workspace.path / name).resolve(), is_singleton=True)
    if lock.is_locked:
        yield False
        return
    wait = workspace.settings.run.lock_wait if wait is None else wait
    _acquire(lock, workspace, wait)
    holder, shared = workspace.path / f"{name}.json", None
    try:
        shared = _acquire_shared(workspace, PURPOSES[name], command, wait)
        if holder.exists():
            logger.info("%s ended before it was done: its work is taken over", describe(_read(holder)))
        since = datetime.now(UTC).isoformat(timespec="seconds")
        said = {"pid": os.getpid(), "host": socket.gethostname(), "command": command, "since": since}
        with suppress(StoreError):  # on a full disk what makes room must still run
            write_whole(holder, json.dumps(said).encode())
        yield True
    finally:
        if shared:
            shared.release()
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


@contextmanager
def reading_fitted(workspace: Workspace) -> Iterator[None]:
    """Keeps what was fitted of the site where it is, while it is read or replaced: no longer than that takes."""
    try:
        workspace.vectors.mkdir(parents=True, exist_ok=True)
        lock = FileLock((workspace.vectors / "site.lock").resolve(), is_singleton=True)
        lock.acquire(timeout=workspace.settings.run.lock_wait)
    except OSError as error:
        raise StoreError(f"{workspace.vectors} cannot be written: {error.strerror}; check its permissions") from error
    except Timeout as error:
        raise LockedError(f"{workspace.vectors} is being written: wait until that is done, and try again") from error
    try:
        yield
    finally:
        lock.release()


def read_holder(workspace: Workspace) -> dict[str, Any]:
    """Who holds the lock, or held it last and did not end well; empty where nobody does."""
    return _read(workspace.path / HOLDER)


def at_work(workspace: Workspace) -> dict[str, Any]:
    """Who holds the lock now, see `read_holder`; empty where nobody does, or it cannot be known."""
    lock = FileLock((workspace.path / LOCK).resolve())
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return read_holder(workspace)
    except OSError:
        return {}
    lock.release()
    place = workspace.place
    if isinstance(place, URL):
        with suppress(SimrecError):
            return SessionLock(place, PURPOSES[LOCK]).holder()
    return {}


def describe(holder: Mapping[str, Any]) -> str:
    """A holder in words.

    >>> describe({"pid": 7, "host": "news1", "command": "build", "since": "2026-01-01T03:00:00+00:00"})
    '`simrec build` (process 7 on news1, since 2026-01-01T03:00:00+00:00)'
    """
    if not holder:
        return "another command"
    where = f"process {holder.get('pid')} on {holder.get('host')}, since {holder.get('since')}"
    return f"`simrec {holder.get('command')}` ({where})"


def _clean(workspace: Workspace) -> None:
    """Deletes what dead processes were writing."""
    out = workspace.path / "out"
    for folder in (workspace.path, out, out / "runs"):  # not below: a site's blocks may stand there
        clean_parts(folder, deep=False)
    for folder in (workspace.vectors, workspace.path / "models"):
        clean_parts(folder)


def _read(holder: Path) -> dict[str, Any]:
    try:
        found = json.loads(holder.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _acquire(lock: FileLock, workspace: Workspace, wait: float) -> None:
    path, holder = workspace.path, Path(f"{lock.lock_file}.json")
    try:
        try:
            lock.acquire(timeout=GRACE, poll_interval=POLL)
        except Timeout:
            if wait:
                logger.warning("waiting up to %.0f s for %s", wait, describe(_read(holder)))
            lock.acquire(timeout=wait, poll_interval=POLL)
    except Timeout as error:
        raise LockedError(
            f"{describe(_read(holder))} is at work in {path}: wait until it is done, or stop it, and try again"
        ) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}; check the folder and its permissions") from error


def _acquire_shared(workspace: Workspace, purpose: str, command: str, wait: float) -> SessionLock | None:
    """The lock of all hosts that share a database; None where the store is a file."""
    place = workspace.place
    if not isinstance(place, URL):
        return None
    lock, until, told = SessionLock(place, purpose, command), time.monotonic() + wait, False
    while not lock.acquire():
        holder = describe(lock.holder())
        if time.monotonic() >= until:
            lock.release()
            raise LockedError(
                f"{holder} is at work in {shown(place)}: wait until it is done, or stop it, and try again"
            )
        if not told:
            logger.warning("waiting up to %.0f s for %s", wait, holder)
        told = True
        time.sleep(min(ASKED, max(until - time.monotonic(), 0)))
    return lock


__all__ = ["at_work", "describe", "read_holder", "reading_fitted", "working", "writing_out"]
