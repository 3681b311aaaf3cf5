"""Parquet, with the columns of the other tables; `line` is the number of the row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from simrec.ingest.delimited import HeaderError
from simrec.ingest.lines import too_long
from simrec.ingest.record import REQUIRED, to_article
from simrec.ingest.source import MEGABYTE, WHOLE_FILE_RECORDS, SourceFile, TooLargeError
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

BATCH_ROWS = 256
BUFFER_BYTES = 1 << 20
"""Of a column that are read at once, where a row group may be larger than memory."""
EMPTY = "the file is empty"


def read(source: SourceFile, settings: IngestSettings) -> Iterator[Entry | Reject]:
    """The articles of a Parquet file."""
    try:
        yield from checked(rows(source, REQUIRED, settings.max_record_mb * MEGABYTE), source.file, settings)
    except HeaderError as error:
        yield Reject(source.file, None, str(error))


def checked(
    found: Iterable[tuple[int | None, Any]], file: str, settings: IngestSettings
) -> Iterator[Entry | Reject]:  # fmt: skip
    """The articles of rows, as `rows` and `group_rows` yield them."""
    for row, record in found:
        article = record if isinstance(record, str) else to_article(record, settings)
        yield Reject(file, row, article) if isinstance(article, str) else Entry(article, file, row)


def rows(source: SourceFile, required: Sequence[str], max_bytes: int) -> Iterator[tuple[int | None, Any]]:
    """The number from 1 and the values of each row, or the reason why there are none.

    Raises:
        HeaderError: the file is not Parquet, or lacks a required column.
    """
    try:
        with source.seekable(max_bytes * WHOLE_FILE_RECORDS) as stream:
            file = opened(stream, required)
            yield from group_rows(file, range(file.metadata.num_row_groups), 1, max_bytes)
            if not file.metadata.num_rows:
                yield None, EMPTY
    except TooLargeError as error:
        raise HeaderError(str(error)) from error


class OpenedFile(NamedTuple):
    """A Parquet file that is open for reading; its rows are read as they are asked for.

    Attributes:
        parquet: pyarrow's ParquetFile.
        noted: what it reads from.
    """

    parquet: Any
    noted: NotedStream

    @property
    def metadata(self) -> Any:
        """Of pyarrow."""
        return self.parquet.metadata


class NotedStream:
    """A stream that keeps the error at which reading it failed: pyarrow calls damage an error of the disk, too.

    Args:
        stream: open for reading, at any place.

    Attributes:
        failed: the first such error; None where all that was asked for was read.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.failed: Exception | None = None

    @property
    def closed(self) -> bool:
        """Whether it is."""
        return bool(self._stream.closed)

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """At any place."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes, or all that are left."""
        return bytes(self._noted(self._stream.read, *([] if size in (None, -1) else [size])))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Goes to a place."""
        return int(self._noted(self._stream.seek, offset, whence))

    def tell(self) -> int:
        """The place."""
        return int(self._stream.tell())

    def close(self) -> None:
        """Closes it."""
        self._stream.close()

    def _noted(self, work: Callable[..., Any], *arguments: int) -> Any:
        try:
            return work(*arguments)
        except Exception as error:  # whatever a filesystem raises
            self.failed = self.failed or error
            raise


def opened(stream: Any, required: Sequence[str]) -> OpenedFile:
    """A file that is open for reading.

    Raises:
        HeaderError: it is not Parquet, or lacks a required column.
        OSError: the disk or the network fails; some filesystems have errors of their own.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    noted = NotedStream(stream)
    try:
        file = pq.ParquetFile(noted, buffer_size=BUFFER_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        if noted.failed:
            raise noted.failed from None
        raise HeaderError("not a Parquet file, or one that is cut off: write it again") from error
    _check(file.schema_arrow.names, required)
    return OpenedFile(file, noted)


def group_rows(file: OpenedFile, groups: Sequence[int], first: int, max_bytes: int) -> Iterator[tuple[int, Any]]:
    """The number and the values of each row of some row groups, or the reason why there are none.

    Args:
        file: of `opened`.
        groups: numbers of row groups that stand one behind the other; what is damaged of one leaves the next ones.
        first: the number of their first row.
        max_bytes: of a row's texts.

    Raises:
        OSError: the disk or the network fails; what is damaged is a reason.
    """
    import pyarrow as pa

    for group in groups:
        done, end = first, first + file.metadata.row_group(group).num_rows
        try:
            for batch in file.parquet.iter_batches(BATCH_ROWS, row_groups=[group]):
                for values in batch.to_pylist():
                    yield done, _bounded(values, max_bytes)
                    done += 1
        except (pa.ArrowException, OSError, ValueError) as error:
            if file.noted.failed:
                raise file.noted.failed from None
            yield done, _damaged(error, end - 1)
        first = end


def _damaged(error: Exception, last: int) -> str:
    reason = " ".join(str(error).split())[:200]
    return f"the rows from here to {last} cannot be read, the file is damaged ({reason}); write it again"


def _check(columns: Sequence[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in columns]
    if missing:
        raise HeaderError(f"wrong columns: {', '.join(missing)} missing, found {', '.join(columns)[:200] or 'none'}")


def _bounded(values: dict[str, Any], max_bytes: int) -> dict[str, Any] | str:
    size = sum(len(value) for value in values.values() if isinstance(value, str | bytes))
    if size > max_bytes:
        return too_long(size, max_bytes)
    return {name: value for name, value in values.items() if not name.startswith("__index_level_")}
