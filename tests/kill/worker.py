"""Runs commands on workspaces and kills them: a process of its own, that has all imported and compiled, and forks.

It reads a JSON object a line, `{"command", "workspace", "acks", "delay"}`: the command runs in a child, which appends a
line to the file `acks` for each thing that it has acknowledged; after `delay` seconds the child is killed with SIGKILL,
without a delay it runs to its end. It answers with `{"killed", "code", "seconds"}`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simrec.pipeline import ingest as ingesting
from simrec.pipeline import snapshots
from simrec.pipeline.acts import Desk
from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.workspace import Workspace
from simrec.serve.writer import Writer
from simrec.types import Article

NOW = datetime(2025, 6, 1, tzinfo=UTC)

Ack = Callable[[str], None]


def do_ingest(workspace: Workspace, ack: Ack) -> None:
    """Ingests `more.jsonl`, batch by batch."""

    def stored(ids: Sequence[str]) -> None:
        for id_ in ids:
            ack(id_)

    ingest(workspace, [workspace.path / "more.jsonl"], picks=[workspace.path / "picks.csv"], stored=stored)


def do_build(workspace: Workspace, ack: Ack) -> None:
    """Brings the blocks up to date."""
    ack(f"snapshot {build(workspace, now=NOW).snapshot}")


def do_full(workspace: Workspace, ack: Ack) -> None:
    """Fits the site anew."""
    ack(f"snapshot {build(workspace, full=True, now=NOW).snapshot}")


def do_publish(workspace: Workspace, ack: Ack) -> None:
    """Publishes the articles of `more.jsonl` one by one."""
    with Pipeline(workspace, lambda: NOW) as pipeline:
        for values in lines(workspace, "publish.jsonl"):
            article = Article(**values)
            pipeline.publish(article)
            ack(article.id)


def lines(workspace: Workspace, name: str) -> list[Any]:
    """The records of a file."""
    return [json.loads(line) for line in (workspace.path / name).read_text(encoding="utf-8").splitlines()]


def do_act(workspace: Workspace, ack: Ack) -> None:
    """Does what editors do, `act.jsonl`, one by one, from where it was left."""
    with Pipeline(workspace, lambda: NOW) as pipeline, workspace.store() as store:
        desk = Desk(workspace, pipeline, lambda: NOW)
        for asked in lines(workspace, "act.jsonl")[len(store.acts()) :]:
            done = desk.undo("Ada", asked["undo"]) if "undo" in asked else desk.act("Ada", **asked)
            ack(str(done.act.id))


def do_serve(workspace: Workspace, ack: Ack) -> None:
    """Serves as the writer what `serve.jsonl` asks for, each request by its key."""
    writer = Writer(workspace, clock=lambda: NOW)
    writer.start()
    for number, asked in enumerate(lines(workspace, "serve.jsonl")):
        writer.wait(writer.ask(asked["kind"], asked["payload"], f"key {number}", "same"), 60)
        ack(str(number))
    writer.stop()


def do_prune(workspace: Workspace, ack: Ack) -> None:
    """Deletes all but one snapshot."""
    snapshots.prune(workspace, 1)
    ack("pruned")


def do_rollback(workspace: Workspace, ack: Ack) -> None:
    """Goes back to the first snapshot."""
    snapshots.activate(workspace, 1)
    ack("activated")


def do_migrate(workspace: Workspace, ack: Ack) -> None:
    """Opens the store, which brings it to the newest schema."""
    workspace.store().close()
    ack("migrated")


def do_run(workspace: Workspace, ack: Ack) -> None:
    """The whole nightly job."""
    from simrec.pipeline.run import run

    ack(run(workspace, now=NOW).state)


def child(command: str, workspace: str, acks: str) -> int:
    """Runs a command, and returns its exit code."""
    with Path(acks).open("ab", buffering=0) as file:
        try:
            globals()[f"do_{command}"](Workspace.open(Path(workspace)), lambda text: file.write(f"{text}\n".encode()))
        except BaseException:  # whatever it was, the parent has to see it
            traceback.print_exc()
            return 1
    return 0


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Does what a line asks for."""
    start = time.perf_counter()
    pid = os.fork()
    if not pid:
        os._exit(child(asked["command"], asked["workspace"], asked["acks"]))
    done = 0
    if asked.get("delay") is not None:
        until = start + asked["delay"]
        while not done and time.perf_counter() < until:
            done, status = os.waitpid(pid, os.WNOHANG)
            time.sleep(min(0.001, max(until - time.perf_counter(), 0)))
        if not done:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    if not done:
        _, status = os.waitpid(pid, 0)
    seconds = time.perf_counter() - start
    return {"killed": os.WIFSIGNALED(status), "code": os.waitstatus_to_exitcode(status), "seconds": seconds}


def say(values: dict[str, Any]) -> None:
    """Writes a line."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def main(warm: str) -> None:
    """Compiles all that is needed on a workspace that is thrown away, and then answers."""
    workspace = Workspace.open(Path(warm))
    for command in ("ingest", "build", "full", "publish", "act"):
        globals()[f"do_{command}"](workspace, lambda text: None)
    say({"ready": True})
    for line in sys.stdin:
        say(answer(json.loads(line)))


if __name__ == "__main__":
    ingesting.BATCH = 20  # here alone: tests import this module, too
    main(sys.argv[1])
