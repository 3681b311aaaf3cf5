"""Sources into the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simrec.database import shown
from simrec.ingest import read, read_picks
from simrec.ingest.address import normalize
from simrec.ingest.database import DatabaseSource
from simrec.ingest.kinds import kind_of
from simrec.ingest.links import LinkFinder
from simrec.ingest.walk import picks_in
from simrec.pipeline.workspace import Workspace
from simrec.store import Store
from simrec.store.records import article_hash
from simrec.types import Entry, PickEntry, Progress, Reject, no_progress

BATCH = 200
"""Articles a transaction: what is lost at most when the disk is full."""
SHOWN_REJECTS = 100
HELD = "was taken out by hand and stays out: publish it by hand, or deliver it as withdrawn"
"""Why a source does not bring an article back."""


@dataclass
class IngestReport:
    """What came in: `ingest --json`. `rejects` holds the first hundred; the store holds them all."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    picks: int = 0
    rejects: list[Reject] = field(default_factory=list)


def ingest(
    workspace: Workspace,
    sources: Sequence[str | Path],
    *,
    format: str | None = None,
    picks: Sequence[str | Path] = (),
    picks_selector: str | None = None,
    progress: Progress = no_progress,
    stored: Callable[[Sequence[str]], object] | None = None,
) -> IngestReport:
    """Reads sources into the workspace's store. Doing it again changes nothing.

    Args:
        workspace: where to.
        sources: files, folders and archives; SQLAlchemy URLs of databases, and `database:` for the settings' own.
        format: one of `simrec.ingest.FORMATS`; None tells by name and content.
        picks: tables of editors' picks, beside those named `picks.csv` in a folder of `sources`.
        picks_selector: CSS selector of the related block's links, in place of the setting's.
        progress: shows how far it is.
        stored: is called with the ids of each batch of articles when it is on disk to stay.

    Returns:
        The counts; `picks` is how many picks the store now has between known articles.

    Raises:
        InputError: a source or a table of picks cannot be read at all.
        UsageError: the format or the selector cannot be used.
        StoreError: the store cannot be written; what was stored before stays, and may be stored again.
    """
    settings, database = workspace.settings.ingest, workspace.settings.database
    if picks_selector is not None:
        settings = settings.model_copy(update={"picks_selector": picks_selector})
    found = read(sources, settings, format=format, database=database, folder=workspace.path)
    paths = [Path(source) for source in sources if kind_of(source) == "path"]
    beside = [table for source in paths if source.is_dir() for table in picks_in(source)]
    tables = [(str(table), read_picks(table)) for table in dict.fromkeys([*map(Path, picks), *beside])]
    databases = [str(one) for one in sources if kind_of(one) == "database"]
    asked = [DatabaseSource(one, database, settings, workspace.path) for one in databases]
    tables += [(one.name, one.picks()) for one in asked if database.picks_query]
    with workspace.store() as store:
        writer = _Writer(store, ",".join(shown(str(source)) for source in sources), stored)
        if sources:
            with progress("ingest", 0) as bar:
                for item in found:
                    writer.add(item)
                    bar.update(1)
                writer.flush()
        for table, entries in tables:
            writer.replace_picks(table, entries)
        writer.add_rejects("picks", store.resolve_picks(LinkFinder))
        writer.report.picks = len(store.picks())
    return writer.report


class _Writer:
    """Batches entries, refuses an id that a source gives twice, and counts."""

    def __init__(self, store: Store, source: str, stored: Callable[[Sequence[str]], object] | None = None) -> None:
        self.store = store
        self.source = source
        self.stored = stored
        self.report = IngestReport()
        self._batch: dict[str, Entry] = {}
        self._rejects: list[Reject] = []
        self._first: dict[str, tuple[str, str]] = {}
        store.clear_rejects(source)
        store.clear_rejects("picks")

    def add(self, item: Entry | Reject) -> None:
        """Takes what a reader found."""
        if isinstance(item, Reject):
            self._rejects.append(item)
        elif item.copy or self._is_first(item):
            if item.article.id in self._batch or len(self._batch) >= BATCH:
                self.flush()
            self._batch[item.article.id] = item

    def flush(self) -> None:
        """Stores what was taken."""
        batch, self._batch = list(self._batch.values()), {}
        if batch:
            counts = self.store.put(batch, entry_keys)
            self.report.new += counts.new
            self.report.changed += counts.changed
            self.report.unchanged += counts.unchanged
            self._rejects += [
                Reject(entry.file, entry.line, f"article {entry.article.id!r} {HELD}") for entry in counts.held
            ]
            if self.stored:
                self.stored([entry.article.id for entry in batch])
        self.add_rejects(self.source, self._rejects)
        self._rejects = []

    def add_rejects(self, source: str, found: Sequence[Reject]) -> None:
        """Stores and counts rejects."""
        self.store.add_rejects(source, found)
        self.report.rejected += len(found)
        self.report.rejects += found[: max(SHOWN_REJECTS - len(self.report.rejects), 0)]

    def replace_picks(self, table: str, entries: Iterable[PickEntry | Reject]) -> None:
        """Stores a table of picks in place of what it held when it was last read."""
        source = f"picks of {table}"
        self.store.clear_rejects(source)
        found = list(entries)
        self.add_rejects(source, [item for item in found if isinstance(item, Reject)])
        self.store.replace_picks(table, [item for item in found if isinstance(item, PickEntry)])

    def _is_first(self, entry: Entry) -> bool:
        """Whether an id comes for the first time; an equal second record counts as unchanged, any other is rejected."""
        article, where = entry.article, f"{entry.file}:{entry.line}" if entry.line else entry.file
        hashed = article_hash(article)
        first = self._first.get(article.id)
        if first is None:
            self._first[article.id] = (where, hashed)
            return True
        if first[1] == hashed:
            self.report.unchanged += 1
        else:
            reason = f"duplicate id {article.id!r}, first at {first[0]}: give each article an id of its own"
            self._rejects.append(Reject(entry.file, entry.line, reason))
        return False


def entry_keys(entry: Entry) -> list[str]:
    """The address keys under which other pages may link to an entry."""
    addresses = [*([entry.article.url] if entry.article.url else []), *entry.addresses]
    return [normalize(address) for address in addresses]
