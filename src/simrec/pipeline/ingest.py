"""Sources into the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from os.path import abspath
from pathlib import Path
from typing import Any

from simrec.database import shown
from simrec.ingest import read, read_picks
from simrec.ingest.address import normalize
from simrec.ingest.database import DatabaseSource
from simrec.ingest.kinds import kind_of
from simrec.ingest.links import LinkFinder
from simrec.ingest.walk import picks_in
from simrec.pipeline.workspace import Workspace
from simrec.store import Store
from simrec.store.records import article_hash, told
from simrec.store.store import BY_HAND
from simrec.types import HIDING, Entry, PickEntry, Progress, Reject, no_progress

BATCH = 200
"""Articles a transaction: what is lost at most when the disk is full."""
SHOWN_REJECTS = 100
HELD = "was taken out by hand and stays out: publish it by hand, or deliver it as withdrawn"
"""Why a source does not bring an article back."""
UNKNOWN = "is not stored, and the record has no title or no body: nothing is to be taken out, and nothing to store"
"""Why a record that only takes an article out of sight is turned away."""
WITHIN = "./"
"""Before the names of tables of picks that lie in the workspace."""
FIRST, LATER = "first at {}", "a later version, or one that hides it, is at {}"
"""Where the record of an id is that counts."""


@dataclass
class IngestReport:
    """What came in: `ingest --json`. `rejects` holds the first hundred; the store holds them all.

    `left` of the rejected are records that could be read, of articles that were taken out by hand or are unknown.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    left: int = 0
    picks: int = 0
    rejects: list[Reject] = field(default_factory=list)

    def values(self) -> dict[str, Any]:
        """What `--json` prints: all but `left`."""
        return {name: value for name, value in asdict(self).items() if name != "left"}

    @property
    def nothing_read(self) -> bool:
        """Whether records were turned away, and not one could be used."""
        return bool(self.rejected) and not (self.new or self.changed or self.unchanged)


def ingest(
    workspace: Workspace,
    sources: Sequence[str | Path],
    *,
    format: str | None = None,
    picks: Sequence[str | Path] = (),
    picks_selector: str | None = None,
    progress: Progress = no_progress,
    stored: Callable[[Sequence[str]], object] | None = None,
    by_hand: bool = False,
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
        by_hand: somebody publishes them one by one: what was taken out by hand comes back.

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
    tables = [
        (_name_of(table, workspace.path), read_picks(table)) for table in _each_once([*map(Path, picks), *beside])
    ]
    databases = [str(one) for one in sources if kind_of(one) == "database"]
    asked = [DatabaseSource(one, database, settings, workspace.path) for one in databases]
    tables += [(one.name, one.picks()) for one in asked if database.picks_query]
    with workspace.store() as store:
        writer = _Writer(store, ",".join(shown(str(source)) for source in sources), stored, by_hand=by_hand)
        if sources:
            with progress("ingest", 0) as bar:
                for item in found:
                    writer.add(item)
                    bar.update(1)
                writer.flush()
        for table, entries in tables:
            writer.replace_picks(table, entries, _formerly(table, store.tables_of_picks(), workspace.path))
        writer.add_rejects("picks", store.resolve_picks(LinkFinder))
        writer.report.picks = len(store.picks())
    return writer.report


class _Writer:
    """Batches entries, refuses an id that a source gives twice, and counts."""

    def __init__(
        self, store: Store, source: str, stored: Callable[[Sequence[str]], object] | None, *, by_hand: bool
    ) -> None:
        self.by_hand = by_hand
        self.store = store
        self.source = source
        self.stored = stored
        self.report = IngestReport()
        self._batch: dict[str, Entry] = {}
        self._rejects: list[Reject] = []
        self._taken: dict[str, Taken] = {}
        store.clear_rejects(source)
        store.clear_rejects("picks")

    def add(self, item: Entry | Reject) -> None:
        """Takes what a reader found."""
        if isinstance(item, Reject):
            self._rejects.append(item)
        elif item.copy or self._is_taken(item):
            if item.article.id in self._batch or len(self._batch) >= BATCH:
                self.flush()
            self._batch[item.article.id] = item

    def flush(self) -> None:
        """Stores what was taken."""
        batch, self._batch = list(self._batch.values()), {}
        if batch:
            if self.by_hand:
                batch = [replace(entry, file=BY_HAND, line=None) for entry in batch]
            counts = self.store.put(batch, entry_keys)
            self.report.new += counts.new
            self.report.changed += counts.changed
            self.report.unchanged += counts.unchanged
            self._rejects += [
                Reject(entry.file, entry.line, f"article {entry.article.id!r} {why}")
                for why, entries in ((HELD, counts.held), (UNKNOWN, counts.unknown))
                for entry in entries
            ]
            self.report.left += len(counts.held) + len(counts.unknown)
            unknown = {entry.article.id for entry in counts.unknown}
            if self.stored and (ids := [one.article.id for one in batch if one.article.id not in unknown]):
                self.stored(ids)
        self.add_rejects(self.source, self._rejects)
        self._rejects = []

    def add_rejects(self, source: str, found: Sequence[Reject]) -> None:
        """Stores and counts rejects."""
        self.store.add_rejects(source, found)
        self.report.rejected += len(found)
        self.report.rejects += found[: max(SHOWN_REJECTS - len(self.report.rejects), 0)]

    def replace_picks(self, table: str, entries: Iterable[PickEntry | Reject], formerly: Sequence[str]) -> None:
        """Stores a table of picks in place of what it held when it was last read, by whichever name."""
        for name in (table, *formerly):
            self.store.clear_rejects(f"picks of {name}")
        found = list(entries)
        self.add_rejects(f"picks of {table}", [item for item in found if isinstance(item, Reject)])
        self.store.replace_picks(table, [item for item in found if isinstance(item, PickEntry)], formerly)

    def _is_taken(self, entry: Entry) -> bool:
        """Whether a record is the one of its id that counts; an equal second one is unchanged, any other rejected."""
        article, hashed = entry.article, article_hash(entry.article)
        new = Taken.of(entry, hashed)
        known = self._taken.get(article.id)
        if known and known.hashed == hashed:
            self.report.unchanged += 1
            return False
        if known and not new.supersedes(known):
            self._rejects.append(duplicate(entry, FIRST.format(known.where)))
            return False
        self._taken[article.id] = new
        before = self._batch.get(article.id)
        if known and before and not before.copy:
            self._rejects.append(duplicate(before, LATER.format(new.where)))
            whole = before.article.is_notice or not article.is_notice
            self._batch[article.id] = entry if whole else replace(entry, article=told(before.article, article))
            return False
        return True


def _each_once(tables: Iterable[Path]) -> Iterable[Path]:
    """The first of those that are one file."""
    found: dict[Path, Path] = {}
    for table in tables:
        found.setdefault(table.resolve(), table)
    return found.values()


def _name_of(table: Path, workspace: Path) -> str:
    """What the store calls a table of picks, wherever a command is run; inside of the workspace it moves with it.

    Links stay as they are spelled, for what they lead to may be another folder with every release.
    """
    spelled, home = (Path(abspath(path)) for path in (table, workspace))  # noqa: PTH100 - resolve() follows links
    for path, above in ((spelled, home), (table.resolve(), home.resolve())):
        if path.is_relative_to(above):
            return WITHIN + path.relative_to(above).as_posix()
    return str(spelled)


def _formerly(name: str, known: Iterable[str], workspace: Path) -> list[str]:
    """The other names by which the store knows a table: over a link, or as it was spelled where a command was run."""

    def path_of(one: str) -> Path:
        return (workspace / one if one.startswith(WITHIN) else Path(one)).resolve()

    return [one for one in known if one != name and path_of(one) == path_of(name)]


@dataclass(frozen=True, slots=True)
class Taken:
    """The record of an id that counts so far.

    Attributes:
        where: it stood.
        hashed: its article's hash.
        hides: it takes the article out of sight.
        version: see `Entry`.
    """

    where: str
    hashed: str
    hides: bool
    version: tuple[float | None, float | None] = (None, None)

    @classmethod
    def of(cls, entry: Entry, hashed: str) -> Taken:
        """An entry that counts; `hashed` is its article's hash."""
        return cls(where(entry), hashed, entry.article.status in HIDING, entry.version)

    def supersedes(self, other: Taken) -> bool:
        """Whether it counts in place of an earlier one: a later version, or else one that hides the article."""
        for mine, theirs in zip(self.version, other.version, strict=True):
            if mine is not None and theirs is not None and mine != theirs:
                return mine > theirs
        return self.hides and not other.hides


def where(entry: Entry) -> str:
    """Where a record stood: file and line."""
    return f"{entry.file}:{entry.line}" if entry.line else entry.file


def duplicate(entry: Entry, other: str) -> Reject:
    """Turns a record away whose id another one has that counts; `other` says where that stands."""
    reason = f"duplicate id {entry.article.id!r}, {other}: give each article an id of its own"
    return Reject(entry.file, entry.line, reason)


def entry_keys(entry: Entry) -> list[str]:
    """The address keys under which other pages may link to an entry."""
    addresses = [*([entry.article.url] if entry.article.url else []), *entry.addresses]
    return [normalize(address) for address in addresses]
