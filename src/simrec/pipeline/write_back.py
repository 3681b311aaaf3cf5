"""Blocks into a SQL table of the publisher's: what readers may see now, and of it only what changed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import URL

from simrec.block.html import HtmlRenderer
from simrec.block.jsons import JsonRenderer
from simrec.block.style import Style
from simrec.block.table import rows as table_rows
from simrec.database import parse_url
from simrec.errors import SettingsError
from simrec.pipeline.locks import writing_out
from simrec.pipeline.render import Made
from simrec.pipeline.viewer import Viewer
from simrec.pipeline.workspace import Workspace
from simrec.store import StoredBlock
from simrec.store.target import Row, Target
from simrec.store.written import FILE_NAME, Note, Written
from simrec.text import content_hash
from simrec.types import Block, Progress, no_progress

COMMAND = "render --format sql"
"""What writes back, for those who wait for it."""


@dataclass
class WriteBackReport:
    """What came of it: `render --format sql --json`. Counts of blocks; `rows` are those that were written."""

    snapshot: int
    table: str
    written: int = 0
    unchanged: int = 0
    deleted: int = 0
    empty: int = 0
    hidden: int = 0
    rows: int = 0

    def values(self) -> dict[str, int | str]:
        """As plain values."""
        return asdict(self)


def write_back(
    workspace: Workspace,
    *,
    url: str | None = None,
    now: datetime | None = None,
    sleep: Callable[[float], None] = time.sleep,
    progress: Progress = no_progress,
) -> WriteBackReport:
    """Writes the blocks of the active snapshot to the table that `[write_back]` names.

    Each batch of blocks is one transaction of the publisher's database, and is noted in the workspace then. So a run
    that broke off goes on where it was, one that is done does nothing, and of a new snapshot only what is different
    is written. Rows of blocks that are gone are deleted. Rows that were written and are missing are written again.

    Args:
        workspace: the site.
        url: of the database, in place of the settings'; a path in it is meant from the current folder.
        now: the moment that decides who may be shown; None for this one.
        sleep: waits for so many seconds before another try.
        progress: shows long work.

    Raises:
        SettingsError: there is no URL, or the table or a column is not there.
        UsageError: the URL cannot be read, or its driver is not installed.
        StoreError: there is no snapshot, or the database cannot be written; what was written stays.
        LockedError: another process writes blocks out.
    """
    _address(workspace, url)  # what is wrong with it is said before all articles are read
    with writing_out(workspace, COMMAND), workspace.store() as store:
        snapshot, blocks = store.active_blocks()
        with closing(blocks):
            viewer = Viewer.open(store, workspace.settings, snapshot.k, now)
            made = Made(blocks, snapshot.id, snapshot.model)
            return write_blocks(workspace, made, viewer, url=url, sleep=sleep, progress=progress)


def _address(workspace: Workspace, url: str | None) -> URL:
    settings = workspace.settings.write_back
    if not (url or settings.url):
        raise SettingsError("no url under [write_back]: set it in simrec.toml, or use --url")
    return parse_url(url) if url else parse_url(settings.url, workspace.path)


def write_blocks(
    workspace: Workspace, made: Made, viewer: Viewer, *, url: str | None = None,
    sleep: Callable[[float], None] = time.sleep, progress: Progress = no_progress,
) -> WriteBackReport:  # fmt: skip
    """Writes blocks from wherever they are, as `write_back` writes those of the active snapshot; see there.

    Args:
        workspace: says where to, and keeps what was written; its lock of `writing_out` is held.
        made: the blocks.
        viewer: makes of each what readers may see.
        url, sleep, progress: see `write_back`.
    """
    settings, address, corpus = workspace.settings.write_back, _address(workspace, url), viewer.corpus
    with (
        closing(Target(address, settings, sleep=sleep)) as target,
        Written(workspace.path / FILE_NAME, target.name) as written,
    ):
        _check_ids((article.id for article in corpus.articles if not viewer.reason_hidden(article.id)), target)
        style = Style.of(workspace.settings, workspace.path, lang=corpus.main_lang, model=made.model)
        job = _Job(workspace, viewer, style, target, written, WriteBackReport(made.snapshot, settings.table))
        with progress("write back", len(corpus)) as bar:
            changed = job.changed(made.blocks, lambda: bar.update(1))
            while batch := dict(islice(changed, settings.batch)):
                job.write(batch)
        job.delete_gone()
    return job.report


@dataclass
class _Job:
    """A write-back under way: what stands in the table, what was seen of the snapshot."""

    workspace: Workspace
    viewer: Viewer
    style: Style
    target: Target
    written: Written
    report: WriteBackReport
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.known: Mapping[str, Note] = self.written.all()
        self.there: Mapping[str, int] = self.target.counts()
        self.rows_of = _maker(self.workspace.settings.write_back.rows, self.style, self.target.columns)

    def changed(self, blocks: Iterable[StoredBlock], step: Callable[[], object]) -> Iterator[tuple[str, list[Row]]]:
        """The rows of each article whose rows in the table are others, or were never written."""
        for stored in blocks:
            step()
            id_ = stored.source_id
            if self.viewer.reason_hidden(id_):
                self.report.hidden += 1
                continue
            block = self.viewer.view(stored)
            rows = self.rows_of(block)
            self.seen.add(id_)
            self.report.empty += not block.items
            if self.known.get(id_) == _note(rows) and self.there.get(self.target.key(id_), 0) == len(rows):
                self.report.unchanged += 1
            else:
                yield id_, rows

    def write(self, batch: Mapping[str, Sequence[Row]]) -> None:
        """Writes a batch, then notes it: if it ends in between, the batch is written once more."""
        numbered = {id_: [{**row, "snapshot": self.report.snapshot} for row in rows] for id_, rows in batch.items()}
        self.target.write(numbered)
        self.written.note({id_: _note(rows) for id_, rows in batch.items()})
        self.report.written += len(batch)
        self.report.rows += sum(map(len, batch.values()))

    def delete_gone(self) -> None:
        """Deletes the rows of articles that have no block any more."""
        settings = self.workspace.settings.write_back
        stay = {self.target.key(id_) for id_ in self.seen}
        noted = sorted(set(self.known) - self.seen)
        others = set() if settings.shared else set(self.there)
        gone = sorted((others | {self.target.key(id_) for id_ in noted}) - stay)
        for start in range(0, len(gone), settings.batch):
            self.target.delete(gone[start : start + settings.batch])
        self.written.forget(noted)
        self.report.deleted = sum(key in self.there for key in gone)


def _check_ids(ids: Iterable[str], target: Target) -> None:
    """Refuses ids that the table cannot tell apart: each would write over the other.

    Raises:
        SettingsError: two ids are one value in the column.
    """
    first: dict[str, str] = {}
    for id_ in ids:
        if (other := first.setdefault(target.key(id_), id_)) != id_:
            raise SettingsError(
                f"{target.name}: the ids {other!r} and {id_!r} are the same in its column of source_id: "
                "choose one of text"
            )


def _note(rows: Sequence[Row]) -> Note:
    """A hash of rows, without the number of the snapshot: the same block of a later one is no change."""
    return Note(content_hash(json.dumps(rows, sort_keys=True, default=datetime.isoformat)), len(rows))


def _maker(kind: str, style: Style, columns: Mapping[str, str]) -> Callable[[Block], list[Row]]:
    """What makes a block's rows: the values that the table has columns for, all but the snapshot's number."""

    def kept(values: Mapping[str, Any]) -> Row:
        return {name: values[name] for name in columns if name in values}

    if kind == "items":
        return lambda block: [
            kept({**row._asdict(), "reasons": json.loads(row.reasons)}) for row in table_rows([block], style.site_url)
        ]
    as_json, as_html = JsonRenderer(style), HtmlRenderer(style)

    def of_block(block: Block) -> list[Row]:
        values = as_json.values(block)
        html = as_html.render(block) if "html" in columns else ""
        names = {"source_id": block.source_id, "lang": block.lang, "heading": values["heading"]}
        return [kept({**names, "json": values, "html": html})]

    return of_block
