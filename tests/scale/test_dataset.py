"""A dataset becomes parts: the same articles, of the same ids, as an ingest of it makes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simrec.errors import InputError
from simrec.pipeline.ingest import ingest
from simrec.pipeline.site import describe
from simrec.pipeline.workspace import Workspace
from simrec.scale.dataset import dataset, from_store, read_articles, read_hashes, read_rejects, read_texts
from simrec.scale.ground import Ground
from simrec.scale.meta import Ids, Meta, ids
from simrec.scale.tasks import Serial
from simrec.settings import Settings
from simrec.types import NO_ROW, Article, Corpus

WORDS = ("bridge", "river", "mayor", "potato", "closed", "open", "again", "wet", "field", "ice", "road", "vote")


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a few articles, so that there are many, and ranges."""
    monkeypatch.setattr("simrec.scale.reading.BATCH_ROWS", 4)
    monkeypatch.setattr("simrec.scale.reading.RUN_ROWS", 15)


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """The folder of a build that has its settings."""
    found = Ground(tmp_path / "build")
    found.say(settings=describe(Settings()))
    return found


def records(n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Articles with all fields, in no order; what ids and dates, languages and columns of their own may look like."""
    rng = random.Random(seed)
    found = []
    for number in range(n):
        text = " ".join(rng.choices(WORDS, k=30))
        found.append({
            "id": rng.choice(["a/{}", "é{}", "{}", "z-{}", "日本{}"]).format(number),
            "title": f"{text[:20]} {number}", "body": text, "url": f"https://x.example/{number}",
            "published_at": datetime(2024, 1, 1, 3, 4, 5, rng.choice([0, 123456]), UTC) + timedelta(hours=number),
            "updated_at": f"2024-05-0{number % 9 + 1}T10:00:00+05:30" if number % 3 else None,
            "section": rng.choice(["news", "sport", None]), "tags": rng.choices(WORDS, k=number % 4),
            "authors": ["Lee, Ann"] if number % 2 else [], "lang": rng.choice(["en", "en-GB", "de", None]),
            "status": "draft" if number % 17 == 5 else "published", "embargo_until": None,
            "canonical_id": None, "series": rng.choice(["s1", None]), "wordcount": number, "score": number / 7,
        })  # fmt: skip
    return found


def write(folder: Path, found: list[dict[str, Any]], files: int, rows: int = 7) -> Path:
    """A dataset of some files, of small row groups."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        table = pa.Table.from_pylist(found[number::files], schema=pa.Table.from_pylist(found).schema)
        pq.write_table(table, folder / f"part-{number}.parquet", row_group_size=rows)
    return folder


def ingested(folder: Path, source: str | Path) -> tuple[list[Article], dict[str, str], Any]:
    """What an ingest makes of a source: articles, hashes, and its report."""
    workspace = Workspace.open(folder, create=True)
    report = ingest(workspace, [source])
    with workspace.store() as store:
        held = store.held()
    return held.articles, held.hashes, report


def parts(ground: Ground) -> Iterator[list[Article]]:
    """The articles of each part."""
    return (read_articles(ground, span) for span in ground.spans)


def same(found: Article, wanted: Article) -> bool:
    """Equal, and written the same: dates have the same zone, numbers the same type."""
    return repr(found) == repr(wanted)


@pytest.mark.parametrize(("n", "files", "rows_per_part", "range_bytes"), [(3, 1, 4, 1 << 20), (90, 4, 8, 6000)])
def test_the_same_articles_as_an_ingest(
    tmp_path: Path, ground: Ground, n: int, files: int, rows_per_part: int, range_bytes: int
) -> None:
    """By id, all fields to the last bit, and their hashes; the corpus's main language, too."""
    source = write(tmp_path / "articles", records(n), files)
    wanted, hashes, report = ingested(tmp_path / "site", source)
    counts = dataset(
        ground, Serial(ground.folder), str(source), rows_per_part=rows_per_part, range_bytes=range_bytes
    )  # fmt: skip
    found = [article for part in parts(ground) for article in part]
    assert len(found) == len(wanted) == counts.stored == ground.n
    assert all(map(same, found, wanted))
    assert {id_: h for span in ground.spans for id_, h in read_hashes(ground, span).items()} == hashes
    corpus = Corpus(wanted)
    assert ground.about["main_lang"] == corpus.main_lang
    assert [text for span in ground.spans for text in read_texts(ground, span)] == corpus.texts
    assert counts.records == n == counts.stored + counts.unchanged + counts.rejected
    assert counts.rejected == report.rejected == len(list(read_rejects(ground.folder)))
    assert max(map(len, parts(ground))) <= rows_per_part
    assert not (ground.folder / "runs").exists()
    assert len(list((ground.folder / "done" / "merge").iterdir())) > (n > 3)


def with_faults() -> list[dict[str, Any]]:
    """Records of which some cannot be used, and ids that are given twice in every way."""
    found = records(40)
    first = {**found[0], "id": "twice", "status": "published"}
    found += [first, {**first, "tags": ["b", "c"]}, first, {**first, "status": "withdrawn", "title": "", "body": ""}]
    other = {**found[1], "id": "other", "status": "published"}
    found += [other, {**other, "title": "Later", "status": "withdrawn"}, {**other, "title": "No"}]
    found += [{**other, "id": "gone", "status": "withdrawn", "title": None, "body": None}, {**other, "id": "gone"}]
    found += [{**other, "id": None}, {**other, "id": "bad", "published_at": None, "updated_at": "soon"}]
    return found


@pytest.mark.parametrize("files", [1, 3])
def test_what_is_turned_away_is_what_an_ingest_turns_away(tmp_path: Path, ground: Ground, files: int) -> None:
    """Records that cannot be used, and second ones of an id: the same reasons, in no order; all are counted."""
    source = write(tmp_path / "articles", with_faults(), files)
    wanted, _, report = ingested(tmp_path / "site", source)
    counts = dataset(ground, Serial(ground.folder), str(source), rows_per_part=16, range_bytes=3000)
    assert all(map(same, (one for part in parts(ground) for one in part), wanted))
    rejects = list(read_rejects(ground.folder))
    assert sorted(map(repr, rejects)) == sorted(map(repr, report.rejects))
    assert counts.rejected == len(rejects)
    assert counts.unchanged == report.unchanged > 0
    assert counts.records == len(with_faults()) == counts.stored + counts.unchanged + counts.rejected


def test_files_that_are_none_are_rejected(tmp_path: Path, ground: Ground) -> None:
    """An empty file, one with other columns, one that is cut off, and one of another kind; marks are passed over."""
    source = write(tmp_path / "articles", records(5), 1)
    pd.DataFrame({"id": ["1"], "title": ["A"]}).to_parquet(source / "columns.parquet")
    (source / "cut.parquet").write_bytes((source / "part-0.parquet").read_bytes()[:-9])
    pq.write_table(pq.read_table(source / "part-0.parquet").slice(0, 0), source / "none.parquet")
    (source / "notes.odt").write_text("x", encoding="utf-8")
    (source / "_SUCCESS").write_text("", encoding="utf-8")
    counts = dataset(ground, Serial(ground.folder), str(source))
    _, _, report = ingested(tmp_path / "site", source)
    reasons = {one.file: one.reason for one in read_rejects(ground.folder)}
    assert reasons.pop("articles/notes.odt").startswith("not a .parquet file")
    assert reasons == {one.file: one.reason for one in report.rejects if not one.file.endswith("odt")}
    assert (counts.stored, counts.rejected, counts.records) == (5, 4, 9)


def test_a_damaged_row_group_leaves_the_others(
    tmp_path: Path, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """What stands in it is one reject; nothing is lost of what other tasks read."""
    source = write(tmp_path / "articles", records(60), 1, rows=20)
    path = source / "part-0.parquet"
    data = bytearray(path.read_bytes())
    column = pq.ParquetFile(path).metadata.row_group(1).column(2)
    begin = column.dictionary_page_offset or column.data_page_offset
    data[begin : begin + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(data)
    monkeypatch.setattr("simrec.scale.reading.PAUSE", 0.0)
    counts = dataset(ground, Serial(ground.folder), str(source))
    assert counts.rejected == 1
    assert counts.stored == 40
    (reject,) = read_rejects(ground.folder)
    assert reject.line == 21


def test_a_dataset_is_named_by_any_url(tmp_path: Path, ground: Ground) -> None:
    """Of this machine's files, and of a filesystem in memory; an ingest of the same URL has the same articles."""
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    source = write(tmp_path / "articles", records(20), 2)
    memory = fsspec.filesystem("memory")
    for path in source.iterdir():
        memory.pipe(f"/datasets/articles/{path.name}", path.read_bytes())
    wanted, _, _ = ingested(tmp_path / "site", source)
    for number, url in enumerate([source.as_uri(), "memory://datasets/articles"]):
        other = Ground(tmp_path / f"build-{number}")
        other.say(settings=describe(Settings()))
        dataset(other, Serial(other.folder), url, rows_per_part=8)
        assert all(map(same, (one for part in parts(other) for one in part), wanted))
        assert ingested(tmp_path / f"site-{number}", url)[0] == wanted
    with pytest.raises(InputError, match="name a dataset that exists"):
        dataset(ground, Serial(ground.folder), "memory://datasets/nowhere")
    with pytest.raises(InputError, match="name a source that exists"):
        ingested(tmp_path / "no", "memory://datasets/nowhere")


def test_a_store_as_parts(tmp_path: Path, ground: Ground) -> None:
    """The same rows as `Store.held`."""
    wanted, hashes, _ = ingested(tmp_path / "site", write(tmp_path / "articles", records(50), 2))
    with Workspace.open(tmp_path / "site").store() as store:
        counts = from_store(ground, Serial(ground.folder), store, rows_per_part=16)
    assert all(map(same, (one for part in parts(ground) for one in part), wanted))
    assert {id_: h for span in ground.spans for id_, h in read_hashes(ground, span).items()} == hashes
    assert ground.about["borders"] == [0, 16, 32, 48, 50]
    assert ground.about["main_lang"] == Corpus(wanted).main_lang
    assert counts.stored == 50


def test_articles_without_their_bodies_are_looked_up_by_row(tmp_path: Path, ground: Ground) -> None:
    """All else is as it was; ids are found in their order."""
    source = write(tmp_path / "articles", records(50), 2)
    dataset(ground, Serial(ground.folder), str(source), rows_per_part=16)
    wanted = [article for part in parts(ground) for article in part]
    meta, names = Meta(ground), ids(ground)
    assert isinstance(names, Ids)
    assert list(meta) == list(range(50))
    for row, article in enumerate(wanted):
        assert meta[row].body == ""
        assert repr(meta[row]) == repr(Article(**{f: getattr(article, f) for f in Article.__slots__} | {"body": ""}))
        assert names[row] == article.id
        assert names.row(article.id) == row
    assert list(names) == [article.id for article in wanted] == names[:]
    assert names.row("no such id") == NO_ROW
    assert names.row("\U0010ffff") == NO_ROW
    assert 50 not in meta


class Failing(Serial):
    """Ends in the middle of a stage, as a driver that is killed."""

    def run(self, stage: str, work: Any, tasks: Any, *, memory: int = 0) -> Any:
        """Does half of the tasks of one stage."""
        if stage == "merge":
            super().run(stage, work, tasks[: len(tasks) // 2])
            raise KeyboardInterrupt
        return super().run(stage, work, tasks)


def test_a_run_that_broke_off_goes_on(tmp_path: Path, ground: Ground) -> None:
    """What is done stays; the parts are those of one run."""
    source = write(tmp_path / "articles", with_faults(), 3)
    with pytest.raises(KeyboardInterrupt):
        dataset(ground, Failing(ground.folder), str(source), rows_per_part=8, range_bytes=3000)
    assert list((ground.folder / "done" / "merge").iterdir())
    done = {path: path.stat().st_mtime_ns for path in (ground.folder / "done").rglob("*.json")}
    ground = Ground(ground.folder)
    counts = dataset(ground, Serial(ground.folder), str(source), rows_per_part=8, range_bytes=3000)
    assert all(path.stat().st_mtime_ns == moment for path, moment in done.items())
    assert dataset(ground, Serial(ground.folder), str(source)) == counts
    other = Ground(tmp_path / "other")
    other.say(settings=describe(Settings()))
    dataset(other, Serial(other.folder), str(source), rows_per_part=8, range_bytes=3000)
    assert list(parts(other)) == list(parts(ground))
    assert other.about["borders"] == ground.about["borders"]


def test_a_dataset_without_an_article_is_none(tmp_path: Path, ground: Ground) -> None:
    """The error says where the reasons are."""
    bad = [{**one, "id": None} for one in records(3)]
    source = tmp_path / "bad.parquet"
    pd.DataFrame(bad).to_parquet(source)
    with pytest.raises(InputError, match="says why"):
        dataset(ground, Serial(ground.folder), str(source))


def test_zones_and_numbers_come_back_as_the_store_has_them(tmp_path: Path, ground: Ground) -> None:
    """A zone of pyarrow's becomes an offset; large numbers and nested values of columns of one's own stay."""
    zone = timezone(timedelta(hours=-3, minutes=-30))
    one = {"id": 7, "title": "A", "body": "text of it", "deep": {"x": [{"y": None, "z": 1.5}]}, "big": 2**62, "f": 0.1}
    table = pa.Table.from_pylist([one])
    moments = pa.array([datetime(2024, 1, 1, 1, 2, 3, 4, zone)], pa.timestamp("us", "Europe/Berlin"))
    pq.write_table(table.append_column("published_at", moments), tmp_path / "one.parquet")
    (wanted,), _, _ = ingested(tmp_path / "site", tmp_path / "one.parquet")
    dataset(ground, Serial(ground.folder), str(tmp_path / "one.parquet"))
    ((found,),) = parts(ground)
    assert same(found, wanted)
