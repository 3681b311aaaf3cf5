"""Blocks and candidates as datasets: what was written comes back, and only when all of it is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from simrec.errors import InputError, StoreError, UsageError
from simrec.pipeline.site import describe
from simrec.scale.dataset import dataset, read_articles
from simrec.scale.ground import Ground, Span
from simrec.scale.output import BLOCKS, CANDIDATES, check_out, read_blocks, write_output
from simrec.scale.published import MARK, Published, fault, finish, left, put
from simrec.scale.tasks import Serial
from simrec.settings import Settings
from simrec.store import StoredBlock, StoredItem
from simrec.types import Rows, Scores

N = 40


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """A build of a few articles, in parts of sixteen and fewer."""
    lines = (json.dumps({"id": f"a{n:02d}", "title": f"T {n}", "body": "text of it"}) for n in range(N))
    import pyarrow as pa

    pq.write_table(pa.Table.from_pylist([json.loads(line) for line in lines]), tmp_path / "articles.parquet")
    found = Ground(tmp_path / "build")
    found.say(settings=describe(Settings()), model="hybrid", k=5, now="2026-01-01T00:00:00+00:00")
    dataset(found, Serial(found.folder), str(tmp_path / "articles.parquet"), rows_per_part=16)
    return found


def blocks_of(ground: Ground, span: Span) -> Iterator[StoredBlock]:
    """Blocks with everything that they may hold; every fourth is empty."""
    for article in read_articles(ground, span):
        number = int(article.id[1:])
        reasons = {"terms": ["é", "x"], "same_section": True, "deep": {"a": [1, None, 0.1 + number]}}
        items = [StoredItem(f"a{(number + at) % N:02d}", 1 / (at + number), reasons if at > 1 else {})
                 for at in range(1, number % 4 + 1)]  # fmt: skip
        yield StoredBlock(article.id, tuple(items), None if number % 4 == 3 else f"{len(items)} of 3: no more")


def candidates_of(folder: str, span: Span) -> tuple[Rows, Scores]:
    """Each page's next rows; pages near the end have fewer, with gaps."""
    rows = (span.rows[:, None] + np.array([1, 2, 3], dtype=np.int32)).astype(np.int32)
    rows[rows >= N] = -1
    rows[::5, 0] = -1
    return rows, np.where(rows < 0, -np.inf, rows / 7).astype(np.float32)


def all_of(ground: Ground) -> list[StoredBlock]:
    """The blocks of all parts."""
    return [block for span in ground.spans for block in blocks_of(ground, span)]


@pytest.mark.parametrize("where", ["path", "file", "memory"])
def test_blocks_come_back_as_they_were(tmp_path: Path, ground: Ground, where: str) -> None:
    """From a folder, and from URLs; other readers of Parquet see the rows, and nothing beside them."""
    if where == "memory":
        pytest.importorskip("fsspec", reason="fsspec is not installed")
    out = {
        "path": str(tmp_path / "out"),
        "file": (tmp_path / "o t").as_uri().replace("%20", "-"),
        "memory": "memory://out",
    }
    write_output(ground, Serial(ground.folder), out[where], blocks_of, candidates_of)
    found = Published(f"{out[where]}/blocks", BLOCKS)
    assert list(read_blocks(found)) == all_of(ground)
    assert found.about["model"] == "hybrid"
    assert found.about["n"] == N
    candidates = Published(f"{out[where]}/candidates", CANDIDATES)
    rows = [row for table in candidates.tables() for row in table.to_pylist()]
    wanted = []
    for span in ground.spans:
        found_rows, found_scores = candidates_of("", span)
        for page, targets, scores in zip(span.rows, found_rows, found_scores, strict=True):
            kept = [(row, score) for row, score in zip(targets, scores, strict=True) if row >= 0]
            wanted += [
                {"source_id": f"a{page:02d}", "rank": rank, "target_id": f"a{row:02d}", "score": float(score)}
                for rank, (row, score) in enumerate(kept, start=1)
            ]
    assert rows == wanted
    assert candidates.rows == len(rows)
    if where == "path":
        assert pads.dataset(tmp_path / "out" / "blocks").count_rows() == found.rows
        assert not (tmp_path / "out" / "blocks" / "_temporary").exists()


def test_a_dataset_appears_when_it_is_whole(tmp_path: Path, ground: Ground) -> None:
    """Parts alone are none; what is moved already when it broke off is not missed; an older dataset is replaced."""
    out = str(tmp_path / "out")
    import pyarrow as pa

    table = pa.table({"source_id": ["x"]})
    said = [put(out, part, table) for part in range(3)]
    with pytest.raises(InputError, match="it has no _SUCCESS: build it again"):
        Published(out, BLOCKS)
    assert not list(Path(out).glob("*.parquet"))
    finish(out, BLOCKS, said, {})
    (tmp_path / "out" / MARK).unlink()
    finish(out, BLOCKS, said, {})
    assert Published(out, BLOCKS).rows == 3
    finish(out, BLOCKS, [put(out, 0, table)], {})
    assert [path.name for path in sorted(Path(out).iterdir())] == [MARK, "part-000000.parquet"]
    with pytest.raises(StoreError, match="is gone since it was written"):
        finish(out, BLOCKS, said, {})
    with pytest.raises(InputError, match="no dataset that is whole"):
        Published(out, BLOCKS)


def test_another_target_gets_all_of_it(tmp_path: Path, ground: Ground) -> None:
    """Where the first one could not be finished: what was written there is not taken for written elsewhere."""
    first, second = tmp_path / "first", tmp_path / "second"
    write_output(ground, Serial(ground.folder), str(first), blocks_of)
    write_output(ground, Serial(ground.folder), str(second), blocks_of)
    assert list(read_blocks(Published(str(second / "blocks"), BLOCKS))) == all_of(ground)


def test_a_target_is_tried_before_a_build(tmp_path: Path) -> None:
    """By the driver, and by others, which have to see what it writes; nothing is left there."""
    out = str(tmp_path / "out")
    check_out(out)
    with left(out) as name:
        assert fault(out, name) == ""
        assert "is another folder there than on the driver: name a place" in fault(str(tmp_path / "other"), name, 0)
    assert not list((tmp_path / "out").iterdir())
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        check_out(str(tmp_path / "file" / "out"))


def test_what_is_damaged_or_of_another_kind_is_refused(tmp_path: Path, ground: Ground) -> None:
    """A file with another byte, a mark that cannot be read, a dataset of something else."""
    out = tmp_path / "out"
    write_output(ground, Serial(ground.folder), str(out), blocks_of, candidates_of)
    with pytest.raises(InputError, match="holds candidates, not blocks"):
        Published(str(out / "candidates"), BLOCKS)
    path = out / "blocks" / "part-000001.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="its checksum differs"):
        list(read_blocks(Published(str(out / "blocks"), BLOCKS)))
    (out / "blocks" / MARK).write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="is damaged"):
        Published(str(out / "blocks"), BLOCKS)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, ground: Ground) -> None:
    """Nothing of it is deleted, and nothing written."""
    other = tmp_path / "out" / "blocks" / "mine.parquet"
    other.parent.mkdir(parents=True)
    other.write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match=r"holds mine\.parquet, which no build wrote"):
        write_output(ground, Serial(ground.folder), str(tmp_path / "out"), blocks_of)
    assert [path.name for path in other.parent.iterdir()] == ["mine.parquet"]
