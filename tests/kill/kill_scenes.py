"""The site that is killed at, and the scenes: a command, and what makes a workspace ready for it."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.workspace import Workspace

NOW = datetime(2025, 6, 1, tzinfo=UTC)
TOPICS = (
    "bridge crack anchor engineer lorries closed county repair",
    "harbor ferry tide crew sailing storm dock fuel",
    "library books readers reading children shelves loans evening",
    "football match goal keeper season league striker coach",
)
ARTICLES = 80
SETTINGS = (
    '[build]\nmodel = "tfidf"\n[rank]\ncandidates = 20\n[run]\nsources = ["more.jsonl"]\nrender = {html = "html"}\n'
)


def record(number: int, version: int = 0) -> dict[str, Any]:
    """An article on one topic, with some words of another."""
    rng = random.Random(1000 * version + number)
    words = [*TOPICS[number % 4].split() * 2, *rng.choice(TOPICS).split()]
    body = ". ".join(" ".join(rng.choices(words, k=8)) for _ in range(5))
    return {"id": f"k{number:03}", "title": " ".join(rng.sample(words, 3)), "body": body, "lang": "en"}


def write(path: Path, records: list[dict[str, Any]]) -> None:
    """Records as JSON lines."""
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")


ACTS: list[dict[str, Any]] = [
    {"action": "pin", "source_id": "k000", "target_id": "k008"},
    {"action": "ban", "source_id": "k000", "target_id": "k004"},
    {"action": "order", "source_id": "k001", "targets": ["k009", "k005", "k013"]},
    {"undo": 1},
    {"action": "accept", "source_id": "k002", "target_id": "k006"},
]
REQUESTS: list[dict[str, Any]] = [
    {"kind": "publish", "payload": {"articles": [record(0, version=1), record(ARTICLES)]}},
    {"kind": "act", "payload": {"who": "Ada", **ACTS[0]}},
    {"kind": "withdraw", "payload": {"ids": ["k004"], "as_of": {"k004": "2025-06-01T00:00:00+00:00"}}},
    {"kind": "undo", "payload": {"who": "Ada", "act_id": 1}},
    {"kind": "publish", "payload": {"articles": [record(ARTICLES + 1)]}},
]


def make_site(path: Path) -> None:
    """A built site, and what is to come into it."""
    path.mkdir()
    (path / "simrec.toml").write_text(SETTINGS, encoding="utf-8")
    write(path / "articles.jsonl", [record(number) for number in range(ARTICLES)])
    changed = [record(number, version=1) for number in range(3)]
    write(path / "more.jsonl", [*changed, *(record(number) for number in range(ARTICLES, ARTICLES + 60))])
    write(path / "publish.jsonl", [*changed[:2], *(record(number) for number in range(ARTICLES, ARTICLES + 4))])
    write(path / "act.jsonl", ACTS)
    write(path / "serve.jsonl", REQUESTS)
    (path / "picks.csv").write_text("source_id,target_id,rank\nk001,k005,1\nk002,k100,1\n", encoding="utf-8")
    workspace = Workspace.open(path, create=True)
    ingest(workspace, [path / "articles.jsonl"])
    build(workspace, now=NOW)


def few_more(path: Path) -> None:
    """Some articles that wait for a build."""
    write(path / "few.jsonl", [record(0, version=1), *(record(number) for number in range(ARTICLES, ARTICLES + 3))])
    ingest(Workspace.open(path), [path / "few.jsonl"])


def never_built(path: Path) -> None:
    """Articles, and nothing else."""
    for name in ("simrec.db", "simrec.db-wal", "simrec.db-shm"):
        (path / name).unlink(missing_ok=True)
    shutil.rmtree(path / "vectors")
    ingest(Workspace.open(path, create=True), [path / "articles.jsonl"])


def many_snapshots(path: Path) -> None:
    """Four of them, and vectors of other settings."""
    few_more(path)
    for full in (False, True, False):
        build(Workspace.open(path), full=full, now=NOW)
    shutil.copytree(next((path / "vectors").glob("tfidf-*")), path / "vectors" / "tfidf-other")
    os.utime(path / "vectors" / "tfidf-other", (1e9, 1e9))


NEW_TABLES = (
    "pages", "acts", "comparisons", "history", "keys", "audit", "idempotency", "inbox", "desk_sessions", "gone",
)  # fmt: skip
NEW_COLUMNS = (
    ("articles", "seq"), ("blocks", "revision"), ("snapshot_pins", "bans"),
)  # fmt: skip
OLD_PICKS = """
    ALTER TABLE picks RENAME TO newer; DROP INDEX picks_origin;
    CREATE TABLE picks (source_ref VARCHAR NOT NULL, target_ref VARCHAR NOT NULL, origin VARCHAR NOT NULL,
        source_id VARCHAR, target_id VARCHAR, rank INTEGER NOT NULL, grade FLOAT, file VARCHAR NOT NULL, line INTEGER,
        PRIMARY KEY (source_ref, target_ref, origin));
    INSERT INTO picks SELECT source_ref, target_ref, origin, source_id, target_id, rank, grade, file, line FROM newer;
    DROP TABLE newer; CREATE INDEX picks_origin ON picks (origin)
"""
PINNED = {"k001": ("k005", "k009"), "k002": ("k006",)}


def of_before(path: Path) -> None:
    """A store of the schema before the last, with what was pinned there."""
    with closing(sqlite3.connect(path / "simrec.db")) as connection:
        connection.executescript(f"DROP INDEX articles_seq; DROP INDEX blocks_revision; {OLD_PICKS}")
        for name in NEW_TABLES:
            connection.execute(f"DROP TABLE {name}")
        for table, name in NEW_COLUMNS:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
        pins = [(page, id_, rank) for page, ids in PINNED.items() for rank, id_ in enumerate(ids, start=1)]
        connection.executemany("INSERT INTO picks VALUES (?1, ?2, 'pin', ?1, ?2, ?3, NULL, 'publish', NULL)", pins)
        connection.execute("UPDATE schema_version SET version = 3")
        connection.commit()


SCENES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "ingest": ("ingest", lambda path: None),
    "build": ("build", few_more),
    "first build": ("build", never_built),
    "build that fits anew": ("full", few_more),
    "publish": ("publish", lambda path: None),
    "act": ("act", lambda path: None),
    "serve": ("serve", lambda path: None),
    "prune": ("prune", many_snapshots),
    "rollback": ("rollback", many_snapshots),
    "migrate": ("migrate", of_before),
    "run": ("run", lambda path: None),
}
STEPWISE = {"publish", "act", "serve"}
"""Commands that do what a file of their name asks for, line by line."""
UNDER_LOCK = {"build", "full", "prune", "rollback", "run"}
