"""The first stage: a dataset of Parquet files, or a store, becomes the parts of a build, sorted by id.

The records are checked as an ingest checks them, and what one id is given twice is settled as it settles it: the parts
hold what the store of a workspace would hold. Articles are sorted by runs and ranges of ids on disk; no process ever
holds more than one of these.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from simrec.errors import InputError
from simrec.filesystems import Place
from simrec.scale import meta
from simrec.scale.files import write_through
from simrec.scale.ground import ARTICLES, Ground, Span
from simrec.scale.merging import MERGE_MEMORY, MERGED, RANGE_BYTES, borders, merge, named, write_part
from simrec.scale.reading import CHECK_MEMORY, REJECTS, RUNS, check, cut, listed, survey, write_rejects
from simrec.scale.rows import as_table, from_record, to_record
from simrec.scale.tasks import Runner, Task
from simrec.scale.watching import by_driver
from simrec.store import Store
from simrec.text import content_hash
from simrec.types import Article, Reject, Text, primary

T = TypeVar("T")
ROWS = 4096
"""Articles a part."""
FILES = 64
"""Files of a dataset whose footers a task looks at."""


class Counts(NamedTuple):
    """What came in: `records` are those that are `stored`, those equal to another one of their id, and the rejected."""

    records: int
    stored: int
    unchanged: int
    rejected: int


def dataset(
    ground: Ground, runner: Runner, source: str, *, rows_per_part: int = ROWS, range_bytes: int = RANGE_BYTES
) -> Counts:
    """Reads a dataset into parts, and says of the ground `n`, `borders`, `main_lang` and `counts`.

    Args:
        ground: says the `settings`.
        runner: does the tasks.
        source: a Parquet file or a folder of them, or the URL of one (`simrec.filesystems`).
        rows_per_part: about how many articles a part has.
        range_bytes: of articles that are merged in memory together.

    Raises:
        InputError: there is no such dataset, or no article in it can be used.
    """
    if "counts" not in ground.about:
        files, rejects = listed(source)
        groups, unread = _surveyed(runner, source, files)
        pieces = cut(files, groups)
        tasks = [Task(f"{at:06d}", (at, source, [list(one) for one in some])) for at, some in enumerate(pieces)]
        checked = runner.run("check", check, tasks, memory=CHECK_MEMORY)
        rejects += unread
        lows = _lows(ground, range_bytes)
        bounds = [None, *lows, None]
        ranges = [Task(f"{at:06d}", (at, *bounds[at : at + 2], rows_per_part)) for at in range(len(bounds) - 1)]
        merged = runner.run("merge", merge, ranges, memory=MERGE_MEMORY)
        write_rejects(ground.folder / REJECTS / "0.parquet", rejects)
        stored = sum(one["rows"] for one in merged)
        refused = len(rejects) + sum(one["rejected"] for one in (*checked, *merged))
        records = len(rejects) + sum(one["rows"] for one in checked)
        counts = Counts(records, stored, sum(one["unchanged"] for one in merged), refused)
        _join_rejects(ground)
        if not stored:
            raise InputError(f"no article in {source} can be used: {ground.folder / 'rejects.parquet'} says why")
        _number(ground, [one["parts"] for one in merged])
        langs = sum((Counter(one["langs"]) for one in merged), Counter[str]())
        _say(ground, [size for one in merged for size in one["parts"]], langs, counts)
    meta.write(ground, runner)
    return Counts(**ground.about["counts"])


def from_store(ground: Ground, runner: Runner, store: Store, *, rows_per_part: int = ROWS) -> Counts:
    """Writes the articles of a workspace's store, as they are at one moment, as parts; says the same of the ground.

    Raises:
        InputError: there are no articles.
    """
    if "counts" not in ground.about:
        sizes, langs = list[int](), Counter[str]()
        with by_driver(runner, "read", -(-store.article_count() // rows_per_part)) as done:
            for part, some in enumerate(_batches(store.each_article(), rows_per_part)):
                table = as_table(to_record(article, hashed) for article, hashed in some)
                write_part(_path(ground, part), table)
                langs.update(primary(article.lang) for article, _ in some if article.lang)
                sizes.append(len(some))
                done({"rows": len(some), "bytes": table.nbytes})
        if not sizes:
            raise InputError("there are no articles yet: run `simrec ingest SOURCE` first")
        _say(ground, sizes, langs, Counts(sum(sizes), sum(sizes), 0, 0))
    meta.write(ground, runner)
    return Counts(**ground.about["counts"])


def fingerprint(source: str) -> str:
    """Names the state of a dataset: its files, their sizes, and when they were written.

    Raises:
        InputError: there is no such dataset, or no file in it.
    """
    place = Place.of(source)
    return content_hash(*(f"{inner}\0{(place / inner if inner else place).state()}" for inner in listed(source)[0]))


def read_articles(ground: Ground, span: Span) -> list[Article]:
    """The articles of a part."""
    return [from_record(record) for record in _records(ground, span)]


def read_hashes(ground: Ground, span: Span) -> dict[str, str]:
    """The hash of what was delivered of each article of a part, by id, as the store has it."""
    return {one["id"]: one["hash"] for one in _records(ground, span, ["id", "hash"])}


def read_texts(ground: Ground, span: Span) -> list[Text]:
    """What embedders read of a part; a missing language is the dataset's most frequent one, as in `Corpus.texts`."""
    main = ground.about["main_lang"]
    found = _records(ground, span, ["title", "body", "lang"])
    return [Text(one["title"], one["body"], one["lang"] or main) for one in found]


def read_rejects(folder: Path) -> Iterator[Reject]:
    """What was turned away, in the order of the dataset, and then of ids that are given twice."""
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(folder / "rejects.parquet").iter_batches(ROWS):
        yield from (Reject(**one) for one in batch.to_pylist())


def _surveyed(
    runner: Runner, source: str, files: Sequence[str]
) -> tuple[list[list[tuple[int, int]] | None], list[Reject]]:
    tasks = [Task(f"{at:06d}", (source, some)) for at, some in enumerate(_batches(files, FILES))]
    said = runner.run("survey", survey, tasks)
    groups = [found for one in said for found in one["groups"]]
    return groups, [Reject(file, None, why) for one in said for file, why in one["rejects"]]


def _lows(ground: Ground, range_bytes: int) -> list[str]:
    """The first ids of ranges; those that an earlier run chose, where it came so far: its tasks are of these."""
    if "ranges" not in ground.about:
        ground.say(ranges=borders(sorted((ground.folder / RUNS).glob("*.arrow")), range_bytes))
    lows: list[str] = ground.about["ranges"]
    return lows


def _number(ground: Ground, parts: Iterable[Sequence[int]]) -> None:
    """Gives the merged parts their numbers; those that have them already are left alone."""
    (ground.folder / ARTICLES).mkdir(parents=True, exist_ok=True)
    names = ((number, part) for number, sizes in enumerate(parts) for part in range(len(sizes)))
    for at, (number, part) in enumerate(names):
        path = named(ground, number, part)
        if path.exists():
            path.replace(_path(ground, at))


def _say(ground: Ground, sizes: Iterable[int], langs: Counter[str], counts: Counts) -> None:
    starts = list(accumulate(sizes, initial=0))
    main = max(sorted(langs), key=langs.__getitem__) if langs else "en"
    ground.say(n=starts[-1], borders=starts, main_lang=main, counts=counts._asdict())
    for name in (RUNS, MERGED, REJECTS):
        shutil.rmtree(ground.folder / name, ignore_errors=True)


def _join_rejects(ground: Ground) -> None:
    import pyarrow.parquet as pq

    parts = sorted((ground.folder / REJECTS).glob("*.parquet"))
    if not parts:
        return

    def fill(file: Any) -> None:
        with pq.ParquetWriter(file, pq.read_schema(parts[0]), compression="zstd") as writer:
            for part in parts:
                writer.write_table(pq.read_table(part))

    write_through(ground.folder / "rejects.parquet", fill)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    waiting = iter(items)
    while some := list(islice(waiting, size)):
        yield some


def _path(ground: Ground, part: int) -> Path:
    return ground.folder / ARTICLES / f"{part:06d}.parquet"


def _records(ground: Ground, span: Span, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    with _path(ground, span.part).open("rb") as file:
        found: list[dict[str, Any]] = pq.ParquetFile(file).read(columns, use_threads=False).to_pylist()
    return found


__all__ = [
    "ROWS",
    "Counts",
    "dataset",
    "fingerprint",
    "from_store",
    "read_articles",
    "read_hashes",
    "read_rejects",
    "read_texts",
]
