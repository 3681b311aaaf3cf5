"""Blocks that were made elsewhere become a snapshot like any other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simrec.cli.main import main
from simrec.errors import InputError
from simrec.pipeline.diff import diff
from simrec.pipeline.ingest import ingest
from simrec.pipeline.placed import Placed, placed_of
from simrec.pipeline.site import describe
from simrec.pipeline.snapshots import rollback
from simrec.pipeline.status import status
from simrec.pipeline.workspace import Workspace
from simrec.scale.adopt import adopt, adopt_blocks
from simrec.scale.dataset import dataset, from_store, read_articles
from simrec.scale.ground import Ground, Span
from simrec.scale.output import write_output
from simrec.scale.tasks import Serial
from simrec.settings import Settings
from simrec.store import StoredBlock, StoredItem

N = 30
SAID = {"model": "hybrid", "k": 3, "now": "2026-01-01T00:00:00+00:00"}


def write_articles(path: Path, n: int = N) -> Path:
    """A dataset of one file."""
    rows = [{"id": f"a{at:02d}", "title": f"T {at}", "body": f"text of {at}", "section": "s"} for at in range(n)]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def blocks_of(ground: Ground, span: Span) -> Iterator[StoredBlock]:
    """Under each page the next three."""
    for article in read_articles(ground, span):
        items = [StoredItem(f"a{(int(article.id[1:]) + at) % N:02d}", 1 / at, {"terms": ["x"]}) for at in range(1, 4)]
        yield StoredBlock(article.id, tuple(items))


def hollow(ground: Ground, span: Span) -> Iterator[StoredBlock]:
    """No page has anything."""
    return (StoredBlock(article.id, (), "0 of 3: none") for article in read_articles(ground, span))


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    """A dataset of articles."""
    return write_articles(tmp_path / "articles.parquet")


@pytest.fixture
def ground(tmp_path: Path, articles: Path) -> Ground:
    """A build of them."""
    found = Ground(tmp_path / "build")
    found.say(settings=describe(Settings()), **SAID)
    dataset(found, Serial(found.folder), str(articles), rows_per_part=8)
    return found


def test_a_dataset_becomes_a_snapshot(tmp_path: Path, articles: Path, ground: Ground) -> None:
    """It is shown, known to be up to date with its articles, compared with others, and gone back from."""
    write_output(ground, Serial(ground.folder), str(tmp_path / "out"), blocks_of)
    workspace = Workspace.open(tmp_path / "site", create=True)
    adopted = adopt(workspace, str(tmp_path / "out" / "blocks"), str(articles))
    assert adopted.ingested.new == N
    assert adopted.snapshot.active
    assert (adopted.snapshot.model, adopted.snapshot.k, adopted.snapshot.blocks) == ("hybrid", 3, N)
    wanted = [block for span in ground.spans for block in blocks_of(ground, span)]
    with workspace.store() as store:
        assert list(store.blocks(adopted.snapshot.id)) == wanted
    assert status(workspace).waiting == 0
    again = adopt(workspace, str(tmp_path / "out" / "blocks"), str(articles))
    assert again.ingested.unchanged == N
    assert diff(workspace, adopted.snapshot.id, again.snapshot.id).changed == 0
    assert rollback(workspace).id == adopted.snapshot.id


def test_articles_are_counted_as_they_are_read(
    tmp_path: Path, articles: Path, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site's texts are never held together."""
    write_output(ground, Serial(ground.folder), str(tmp_path / "out"), blocks_of)
    workspace = Workspace.open(tmp_path / "site", create=True)
    monkeypatch.delattr("simrec.store.articles.ArticleStore.articles")
    assert adopt(workspace, str(tmp_path / "out" / "blocks"), str(articles)).snapshot.active


def test_the_gate_refuses_what_it_refuses_of_a_build(
    tmp_path: Path, articles: Path, ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    """The active snapshot stays; the command says why, and that it failed."""
    workspace = Workspace.open(tmp_path / "site", create=True)
    write_output(ground, Serial(ground.folder), str(tmp_path / "out"), blocks_of)
    first = adopt(workspace, str(tmp_path / "out" / "blocks"), str(articles)).snapshot
    (workspace.path / "simrec.toml").write_text("[gate]\nmax_empty = 0.5\n", encoding="utf-8")
    other = Ground(tmp_path / "other")
    other.say(settings=describe(Settings()), **SAID)
    dataset(other, Serial(other.folder), str(articles))
    write_output(other, Serial(other.folder), str(tmp_path / "hollow"), hollow)
    command = ["adopt", str(tmp_path / "hollow" / "blocks"), "--articles", str(articles), "-w", str(workspace.path)]
    assert main([*command, "--json"]) == 1
    out, err = capsys.readouterr()
    assert "100.0% of the blocks are empty" in err
    assert json.loads(out)["state"] == "refused"
    with workspace.store() as store:
        assert store.snapshot().id == first.id


def test_blocks_of_other_articles_are_refused(tmp_path: Path, ground: Ground) -> None:
    """Nothing is stored of them."""
    write_output(ground, Serial(ground.folder), str(tmp_path / "out"), blocks_of)
    few = write_articles(tmp_path / "few.parquet", 10)
    workspace = Workspace.open(tmp_path / "site", create=True)
    with pytest.raises(InputError, match="has a block of 'a10', which is no article of"):
        adopt(workspace, str(tmp_path / "out" / "blocks"), str(few))
    with workspace.store() as store:
        assert store.snapshots() == []


def test_a_build_of_the_store_becomes_its_snapshot(tmp_path: Path, articles: Path) -> None:
    """The articles are not read again, and their hashes are noted."""
    workspace = Workspace.open(tmp_path / "site", create=True)
    ingest(workspace, [articles])
    ground = Ground(tmp_path / "build")
    ground.say(settings=describe(workspace.settings), **SAID)
    with workspace.store() as store:
        from_store(ground, Serial(ground.folder), store, rows_per_part=8)
        placed = placed_of(workspace, store)
    found = (block for span in ground.spans for block in blocks_of(ground, span))
    written = adopt_blocks(workspace, ground, placed, found)
    assert written.active
    assert placed == Placed({}, {})
    assert status(workspace).waiting == 0
    with workspace.store() as store:
        assert store.inputs(written.id).hashes == {id_: h[:16] for id_, h in store.article_hashes().items()}
