"""All blocks as a Parquet table, an item a row."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, BinaryIO

from simrec.block.style import Style
from simrec.block.table import Row, rows
from simrec.types import Block

ROWS_A_GROUP = 20_000


class ParquetTable:
    """Writes a table of all blocks; texts are as they are, dates in UTC, `terms` a list, `reasons` JSON."""

    file_name = "blocks.parquet"

    def __init__(self, style: Style) -> None:
        self._base = style.site_url

    def write(self, file: BinaryIO, blocks: Iterable[Block]) -> None:
        """Writes a row an item, in groups."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema, waiting = _schema(), rows(blocks, self._base)
        with pq.ParquetWriter(file, schema, compression="zstd") as table:
            while group := list(islice(waiting, ROWS_A_GROUP)):
                columns = [list(map(_storable, column)) for column in zip(*group, strict=True)]
                arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
                table.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _schema() -> Any:
    import pyarrow as pa

    kinds = {"rank": pa.int32(), "score": pa.float64(), "published_at": pa.timestamp("us", "UTC")}
    kinds["terms"] = pa.list_(pa.string())
    return pa.schema([(name, kinds.get(name, pa.string())) for name in Row._fields])


def _storable(value: Any) -> Any:
    """A value whose texts UTF-8 can hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return [_storable(part) for part in value] if isinstance(value, list) else value
