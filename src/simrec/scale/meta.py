"""All fields of the articles but their bodies, in one file that is opened as a map: an article is made when asked for.

The file is `meta.arrow` in the engine's folder: an Arrow file with a batch a part. What a process has looked at of it
is the system's to keep or to drop.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, overload

from simrec.scale.files import write_through
from simrec.scale.ground import ARTICLES, PARTS, Ground
from simrec.scale.rows import FIELDS, from_record
from simrec.scale.tasks import Runner, Task
from simrec.types import NO_ROW, Article

FILE, WHOLE = "meta.arrow", "articles.arrow"
"""The file; and that with the bodies, where they are needed, too."""
KEPT = 1024
"""Articles, and batches, that are kept once they were looked at."""


def write(ground: Ground, runner: Runner, *, bodies: bool = False) -> None:
    """Writes the file from the parts of the articles, unless it is there."""
    name = WHOLE if bodies else FILE
    target = ground.engine / name
    if target.exists():
        return
    tasks = [Task(f"{span.part:06d}", (span.part, bodies)) for span in ground.spans]
    runner.run(name.partition(".")[0], write_part, tasks)
    ground.engine.mkdir(parents=True, exist_ok=True)
    paths = [_part(ground, name, span.part) for span in ground.spans]
    write_through(target, lambda file: _join(file, paths))
    for path in paths:
        path.unlink(missing_ok=True)


def write_part(folder: str, part: int, bodies: bool) -> dict[str, Any]:
    """Writes a part's fields as a batch."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ground = Ground(folder)
    names = [name for name in FIELDS if bodies or name != "body"]
    with (ground.folder / ARTICLES / f"{part:06d}.parquet").open("rb") as file:
        table = pq.ParquetFile(file).read(names, use_threads=False).combine_chunks()

    def fill(file: Any) -> None:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)

    return {"rows": len(table), "bytes": write_through(_part(ground, WHOLE if bodies else FILE, part), fill)}


def _part(ground: Ground, name: str, part: int) -> Path:
    return ground.folder / PARTS / name / f"{part:06d}.arrow"


def _join(file: Any, paths: Sequence[Path]) -> None:
    import pyarrow as pa

    with pa.memory_map(str(paths[0])) as first:
        schema = pa.ipc.open_file(first).schema
    with pa.ipc.new_file(file, schema) as writer:
        for path in paths:
            with pa.memory_map(str(path)) as part:
                writer.write_batch(pa.ipc.open_file(part).get_batch(0))


class Meta(Mapping[int, Article]):
    """The articles by row, without their bodies; rows are in order of id.

    Args:
        ground: of a build whose dataset is read.
        bodies: with the bodies, where `write` was told to.
    """

    def __init__(self, ground: Ground, *, bodies: bool = False) -> None:
        self._path = ground.engine / (WHOLE if bodies else FILE)
        self._borders: list[int] = ground.about["borders"]
        self._file = _opened(self._path)
        self._batch = lru_cache(KEPT)(self._file.get_batch)
        self._article = lru_cache(KEPT)(self._made)

    def __getitem__(self, row: int) -> Article:
        if not 0 <= row < len(self):
            raise KeyError(row)
        return self._article(int(row))

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return self._borders[-1]

    def field(self, name: str, row: int) -> Any:
        """One field of an article, as the file has it."""
        part = bisect_right(self._borders, row) - 1
        return self._batch(part).column(name)[row - self._borders[part]].as_py()

    def column(self, name: str) -> Iterator[Any]:
        """One field of all articles, by row, as the file has it."""
        for part in range(len(self._borders) - 1):
            yield from self._file.get_batch(part).column(name).to_pylist()

    def _made(self, row: int) -> Article:
        part = bisect_right(self._borders, row) - 1
        return from_record(self._batch(part).slice(row - self._borders[part], 1).to_pylist()[0])

    def __reduce__(self) -> Any:
        raise TypeError("it is a map of a file: open it where it is needed")


class Ids(Sequence[str]):
    """The articles' ids, by row: sorted, so that a row is found by its id.

    Args:
        meta: of all articles.
    """

    def __init__(self, meta: Meta) -> None:
        self._meta = meta

    @overload
    def __getitem__(self, row: int) -> str: ...

    @overload
    def __getitem__(self, row: slice) -> list[str]: ...

    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(len(self)))]
        at = row + len(self) if row < 0 else row
        if not 0 <= at < len(self):
            raise IndexError(row)
        return str(self._meta.field("id", at))

    def __len__(self) -> int:
        return len(self._meta)

    def __iter__(self) -> Iterator[str]:
        return self._meta.column("id")

    def __contains__(self, id_: object) -> bool:
        return isinstance(id_, str) and self.row(id_) != NO_ROW

    def row(self, id_: str) -> int:
        """The row of an id; `NO_ROW` where there is none."""
        at = bisect_left(self, id_)
        return at if at < len(self) and self[at] == id_ else NO_ROW


def ids(ground: Ground) -> Ids:
    """The ids of a build's articles, by row."""
    return Ids(Meta(ground))


@cache
def _opened(path: Path) -> Any:
    import pyarrow as pa

    return pa.ipc.open_file(pa.memory_map(str(path)))


__all__ = ["FILE", "Ids", "Meta", "ids", "write"]
