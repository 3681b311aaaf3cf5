"""Any SQL database by a SQLAlchemy URL and a query: a row, an article. Rows stream; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import URL, Row, TextClause, text
from sqlalchemy.exc import ResourceClosedError, SQLAlchemyError

from simrec.database import open_database, parse_url, read_only, said, shown
from simrec.errors import InputError, SettingsError
from simrec.ingest.kinds import CONFIGURED
from simrec.ingest.lines import too_long
from simrec.ingest.picks import COLUMNS as PICK_COLUMNS
from simrec.ingest.picks import to_pick
from simrec.ingest.record import REQUIRED, to_article
from simrec.ingest.source import MEGABYTE
from simrec.settings import DatabaseSettings, IngestSettings
from simrec.types import Entry, PickEntry, Reject


class DatabaseSource:
    """The articles and picks of a database.

    Args:
        source: its URL, or ``database:`` for the one in the settings.
        database: the queries, and what their columns mean.
        settings: how records are read.
        folder: that a path in the URL of the settings is meant from; None for the current one.

    Raises:
        SettingsError: there is no URL, no query, or a variable is not set.
        UsageError: the URL cannot be read, or the driver is not installed.
        InputError: from an iteration, where the database cannot be reached, or refuses the query.
    """

    def __init__(
        self, source: str, database: DatabaseSettings, settings: IngestSettings, folder: Path | None = None
    ) -> None:
        if source == CONFIGURED and not database.url:
            raise SettingsError("no url under [database]: set it in simrec.toml, or name the database as the source")
        if not database.query and not database.picks_query:
            raise SettingsError("no query under [database]: set one in simrec.toml that gives id, title and body")
        self.database = database
        self.settings = settings
        self.url: URL = parse_url(database.url, folder) if source == CONFIGURED else parse_url(source)
        self.name = shown(self.url)
        open_database(self.url, read_only=True).dispose()

    def articles(self) -> Iterator[Entry | Reject]:
        """A row, an entry or a reject; the line is the row's number from 1."""
        if not self.database.query:
            return
        number = None
        for number, row in self._rows(self.database.query, REQUIRED, self.database.columns, "query"):
            article = row if isinstance(row, str) else to_article(row, self.settings)
            if isinstance(article, str):
                yield Reject(self.name, number, article)
            else:
                yield Entry(article, self.name, number)
        if number is None:
            yield Reject(self.name, None, "the query gives no rows")

    def picks(self) -> Iterator[PickEntry | Reject]:
        """A row of `picks_query`, a pick or a reject."""
        if not self.database.picks_query:
            return
        for number, row in self._rows(self.database.picks_query, PICK_COLUMNS, {}, "picks_query"):
            pick = row if isinstance(row, str) else to_pick(row)
            yield Reject(self.name, number, pick) if isinstance(pick, str) else PickEntry(pick, self.name, number)

    def _rows(
        self, query: str, needed: Sequence[str], columns: Mapping[str, str], setting: str
    ) -> Iterator[tuple[int, dict[str, Any] | str]]:
        engine, number = open_database(self.url, read_only=True), 0
        batch, max_bytes = self.database.batch, self.settings.max_record_mb * MEGABYTE
        try:
            with engine.connect() as connection:
                streaming = read_only(connection).execution_options(stream_results=True, yield_per=batch)
                with streaming.execute(_statement(query)) as result:
                    names = _names(list(result.keys()), needed, columns, setting)
                    for row in result:
                        number += 1
                        yield number, _record(row, names, max_bytes)
        except ResourceClosedError:
            raise InputError(f"{setting} under [database] gives no rows: write a SELECT") from None
        except SQLAlchemyError as error:
            raise InputError(self._failure(said(error, self.url), number, setting)) from None
        except UnicodeDecodeError:  # of a driver's own words: a damaged file can have any
            raise InputError(self._failure("it is damaged, or holds text that is not UTF-8", number, setting)) from None
        finally:
            engine.dispose()

    def _failure(self, why: str, number: int, setting: str) -> str:
        """The error in one line; no traceback of the driver goes with it, for it may show what it was given."""
        if number:
            return f"{self.name} broke off after row {number}: {why}; run it again, what was read is kept"
        return f"{self.name}: {why}; check the URL and {setting} under [database]"


def _statement(query: str) -> TextClause:
    """A query as it was written: a colon in it names no parameter."""
    return text(query.strip().rstrip(";").replace(":", r"\:"))


def _names(given: Sequence[str], needed: Sequence[str], columns: Mapping[str, str], setting: str) -> list[list[str]]:
    """The article's columns of each of the query's; none for one whose name another was given.

    Raises:
        SettingsError: a column that is named, or that every article needs, is not in the query.
    """
    has = f"it gives {', '.join(given)[:200]}"
    absent = [f"{theirs!r}" for theirs in columns.values() if theirs not in given]
    if absent:
        raise SettingsError(f"{setting} under [database] gives no column {', '.join(absent)}, as columns say; {has}")
    named = [[ours for ours, theirs in columns.items() if theirs == name] for name in given]
    names = [ours or ([] if name in columns else [name]) for ours, name in zip(named, given, strict=True)]
    missing = [name for name in needed if not any(name in ours for ours in names)]
    if missing:
        advice = "name it under columns, or in the query with AS"
        raise SettingsError(f"{setting} under [database] gives no column {', '.join(missing)}: {advice}; {has}")
    return names


def _record(row: Row[Any], names: Sequence[Sequence[str]], max_bytes: int) -> dict[str, Any] | str:
    values = {name: _plain(value) for ours, value in zip(names, row, strict=True) for name in ours}
    size = sum(len(value) for value in values.values() if isinstance(value, str | bytes))
    return too_long(size, max_bytes) if size > max_bytes else values


def _plain(value: Any) -> Any:
    """A value as other records have it: text for bytes that are text, for UUIDs, times and spans."""
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data
    return str(value) if isinstance(value, UUID | time | timedelta) else value
