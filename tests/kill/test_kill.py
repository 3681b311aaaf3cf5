"""SIGKILL at random moments: what is shown is one snapshot, what was acknowledged is there, the next run ends the job.

`SIMREC_KILLS` says how many commands are killed, 30 of them in `make test`, 300 in `make kill`. A file that
`SIMREC_KILL_REPORT` names takes a line for each scene: its kills, and the seconds over which they were spread.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kill_scenes import ARTICLES, NEW_COLUMNS, NEW_TABLES, NOW, PINNED, SCENES, STEPWISE, UNDER_LOCK, make_site

from simrec.pipeline import snapshots
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.workspace import Workspace
from simrec.store.migrations import MIGRATIONS

KILLS = int(os.environ.get("SIMREC_KILLS", "30"))
REPORT = os.environ.get("SIMREC_KILL_REPORT", "")
SEED = int(os.environ.get("SIMREC_KILL_SEED", "0"))


@dataclass
class State:
    """What a workspace holds and shows."""

    active: int | None
    shown: dict[str, Any]
    articles: dict[str, str]
    picks: list[Any]
    acts: list[Any]
    revision: int | None
    files: dict[str, bytes] = field(default_factory=dict)


def look(path: Path) -> State:
    """Reads a workspace as any reader does; a damaged file, or a block of two snapshots, is an error."""
    workspace = Workspace.open(path)
    with workspace.store() as store:
        active = [one for one in store.snapshots() if one.active]
        assert len(active) <= 1
        shown = {block.source_id: block for block in store.blocks(active[0].id)} if active else {}
        if active:
            assert active[0].blocks == sum(bool(block.items) for block in shown.values())
        number, revision = (active[0].id, active[0].revision) if active else (None, None)
        acts = [(act.id, act.action, act.source_id, act.before, act.after, act.undone_by) for act in store.acts()]
        state = State(number, shown, store.article_hashes(), store.picks(), acts, revision)
    with closing(sqlite3.connect(path / "simrec.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    state.files = {found.name: found.read_bytes() for found in path.glob("html/*.html")}
    return state


class Killer:
    """The process that runs commands and kills them."""

    def __init__(self, folder: Path, warm: Path) -> None:
        self.folder = folder
        self.count = 0
        source = Path(__file__).with_name("worker.py")
        environment = {**os.environ, "NUMBA_THREADING_LAYER": "workqueue"}  # GNU OpenMP cannot be forked
        command = [sys.executable, str(source), str(warm)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
        assert self._read() == {"ready": True}

    def _read(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "the process that runs the commands has died"
        return json.loads(line)

    def call(self, command: str, path: Path, delay: float | None = None) -> tuple[dict[str, Any], list[str]]:
        """Runs a command, for `delay` seconds at most: how it ended, and what it acknowledged."""
        self.count += 1
        acks = self.folder / f"acks-{self.count}"
        acks.touch()
        asked = {"command": command, "workspace": str(path), "acks": str(acks), "delay": delay}
        assert self.process.stdin
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return self._read(), acks.read_text(encoding="utf-8").splitlines()

    def close(self) -> None:
        """Ends it."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site; copy it before writing to it."""
    path = tmp_path_factory.mktemp("kill") / "base"
    make_site(path)
    return path


@pytest.fixture(scope="module")
def killer(base: Path) -> Iterator[Killer]:
    """The process that runs commands."""
    shutil.copytree(base, base.parent / "warm")
    made = Killer(base.parent, base.parent / "warm")
    yield made
    made.close()


def states_on_the_way(killer: Killer, path: Path, command: str, before: State, after: State) -> list[State]:
    """What may be found after a kill, in the order in which it comes about."""
    if command not in STEPWISE:
        return [before, after]
    states = [before]
    lines = (path / f"{command}.jsonl").read_text(encoding="utf-8").splitlines()
    step = path.with_name("step")
    shutil.copytree(path, step)
    for number in range(1, len(lines) + 1):
        (step / f"{command}.jsonl").write_text("\n".join(lines[:number]), encoding="utf-8")
        assert killer.call(command, step)[0]["code"] == 0
        states.append(look(step))
    shutil.rmtree(step)
    return states


def check_killed(command: str, found: State, states: list[State], acked: list[str], after: State) -> None:
    """One snapshot is shown, whole, and what was acknowledged is there."""
    places = [place for place, state in enumerate(states) if found.shown == state.shown]
    assert places, f"after {acked} what is shown is of no snapshot"
    for id_ in acked:
        if id_ in after.articles:
            assert found.articles[id_] == after.articles[id_], f"{id_} was acknowledged and is not there"
    assert states[0].articles.keys() <= found.articles.keys()
    if command in STEPWISE:
        places = [
            place for place in places if (found.articles, found.acts) == (states[place].articles, states[place].acts)
        ]
        assert places, f"after {acked} blocks are of another moment than what they were made of"
        assert places[-1] >= len(acked), "what was acknowledged is in no block"
    elif acked and command not in ("ingest", "migrate"):
        assert found.shown == after.shown


def kill(killer: Killer, scene: str, template: Path, path: Path, seconds: float, rng: random.Random) -> list[str]:
    """Kills a scene's command on a copy of the template, and returns what it had acknowledged by then."""
    while True:
        shutil.rmtree(path)
        shutil.copytree(template, path)
        ended, acked = killer.call(SCENES[scene][0], path, rng.uniform(0, seconds))
        if ended["killed"]:
            return acked


def check_ended(command: str, path: Path, after: State, numbers: list[int]) -> None:
    """A command that was run again ended as one that was never killed, and left nothing behind."""
    found = look(path)
    assert found.shown == after.shown
    assert (found.articles, found.picks, found.files) == (after.articles, after.picks, after.files)
    assert found.acts == after.acts
    if command == "serve":
        assert found.revision == after.revision, "a request was done twice, or not at all"
    if command in UNDER_LOCK:
        assert [*path.rglob("*.part")] == []
    if command in ("prune", "rollback"):
        assert [one.id for one in snapshots.list_snapshots(Workspace.open(path))] == numbers
    if command == "migrate":
        check_migrated(path)
        with Workspace.open(path).store() as store:
            assert {page: row.pins for page, row in store.page_states().items()} == PINNED


@pytest.mark.kill
@pytest.mark.parametrize("scene", SCENES)
def test_a_killed_command_loses_nothing(scene: str, killer: Killer, base: Path, tmp_path: Path) -> None:
    """Killed at any moment, what is shown is the snapshot of before or the new one; run again, it ends as without."""
    command, prepare = SCENES[scene]
    template, path = tmp_path / "template", tmp_path / "site"
    shutil.copytree(base, template)
    prepare(template)
    before = look(base) if command == "migrate" else look(template)
    shutil.copytree(template, path)
    ended, _ = killer.call(command, path)
    assert ended["code"] == 0
    seconds, after = ended["seconds"], look(path)
    numbers = [one.id for one in snapshots.list_snapshots(Workspace.open(path))]
    states = states_on_the_way(killer, template, command, before, after)
    rng, kills = random.Random(f"{SEED} {scene}"), -(-KILLS // len(SCENES))
    for _ in range(kills):
        acked = kill(killer, scene, template, path, seconds, rng)
        if command == "migrate":
            check_migrated(path)
        check_killed(command, look(path), states, acked, after)
        if command == "full":
            Pipeline(Workspace.open(path), lambda: NOW).close()  # what is shown can be published into
        assert killer.call(command, path)[0]["code"] == 0
        check_ended(command, path, after, numbers)
    if REPORT:
        with Path(REPORT).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"scene": scene, "kills": kills, "seconds": round(seconds, 3)}) + "\n")


def check_migrated(path: Path) -> None:
    """The store has one schema or the other; where it has the new one, there is a copy of it as it was."""
    with closing(sqlite3.connect(path / "simrec.db")) as connection:
        ((version,),) = connection.execute("SELECT version FROM schema_version").fetchall()
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        columns = {(table, row[1]) for table in tables for row in connection.execute(f"PRAGMA table_info({table})")}
    assert version in (3, len(MIGRATIONS))
    assert tables & {*NEW_TABLES} == ({*NEW_TABLES} if version > 3 else set())
    assert columns & {*NEW_COLUMNS} == ({*NEW_COLUMNS} if version > 3 else set())
    if version > 3:
        with closing(sqlite3.connect(path / "simrec.db.v3.bak")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT version FROM schema_version").fetchall() == [(3,)]
            assert connection.execute("SELECT count(*) FROM articles").fetchone() == (ARTICLES,)
