"""Parquet, with the columns of the other tables; `line` is the number of the row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from simrec.ingest.delimited import HeaderError
from simrec.ingest.lines import too_long
from simrec.ingest.record import REQUIRED, to_article
from simrec.ingest.source import MEGABYTE, WHOLE_FILE_RECORDS, SourceFile, TooLargeError
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

BATCH_ROWS = 256


def read(source: SourceFile, settings: IngestSettings) -> Iterator[Entry | Reject]:
    """The articles of a Parquet file."""
    try:
        for row, record in rows(source, REQUIRED, settings.max_record_mb * MEGABYTE):
            article = record if isinstance(record, str) else to_article(record, settings)
            if isinstance(article, str):
                yield Reject(source.file, row, article)
            else:
                yield Entry(article, source.file, row)
    except HeaderError as error:
        yield Reject(source.file, None, str(error))


def rows(source: SourceFile, required: Sequence[str], max_bytes: int) -> Iterator[tuple[int | None, Any]]:
    """The number from 1 and the values of each row, or the reason why there are none.

    Raises:
        HeaderError: the file is not Parquet, or lacks a required column.
    """
    import pyarrow as pa  # slow to import
    import pyarrow.parquet as pq

    done = 0
    try:
        with source.seekable(max_bytes * WHOLE_FILE_RECORDS) as stream:
            file = _opened(pq, pa, stream)
            _check(file.schema_arrow.names, required)
            for batch in file.iter_batches(BATCH_ROWS):
                for values in batch.to_pylist():
                    done += 1
                    yield done, _bounded(values, max_bytes)
            if not done:
                yield None, "the file is empty"
    except TooLargeError as error:
        raise HeaderError(str(error)) from error
    except (pa.ArrowException, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        yield (
            done + 1,
            f"the rows from here on cannot be read, the file is damaged ({reason}); write it again",
        )


def _opened(pq: Any, pa: Any, stream: Any) -> Any:
    try:
        return pq.ParquetFile(stream)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise HeaderError("not a Parquet file, or one that is cut off: write it again") from error


def _check(columns: Sequence[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in columns]
    if missing:
        raise HeaderError(f"wrong columns: {', '.join(missing)} missing, found {', '.join(columns)[:200] or 'none'}")


def _bounded(values: dict[str, Any], max_bytes: int) -> dict[str, Any] | str:
    size = sum(len(value) for value in values.values() if isinstance(value, str | bytes))
    if size > max_bytes:
        return too_long(size, max_bytes)
    return {name: value for name, value in values.items() if not name.startswith("__index_level_")}
