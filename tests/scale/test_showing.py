"""What is rendered from datasets is what is rendered from a store."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine, text

from simrec.block.formats import NAMES
from simrec.cli.main import main
from simrec.pipeline import render as stored
from simrec.pipeline.site import describe
from simrec.pipeline.workspace import Workspace
from simrec.scale import meta, showing
from simrec.scale.adopt import adopt
from simrec.scale.dataset import dataset, read_articles
from simrec.scale.ground import Ground, Span
from simrec.scale.mapped import MappedCorpus
from simrec.scale.output import write_output
from simrec.scale.tasks import Serial
from simrec.settings import Settings
from simrec.store import StoredBlock, StoredItem
from simrec.types import Corpus

N = 40
SETTINGS = """
[site]
url = "https://x.example/"
[policy]
fallback = ["section", "recent"]
max_per_section = 3
[write_back]
table = "similar"
"""


def blocks_of(ground: Ground, span: Span) -> list[StoredBlock]:
    """A few under each page; some pages have nothing."""
    found = []
    for article in read_articles(ground, span):
        at = int(article.id[1:])
        items = [
            StoredItem(f"a{(at + step) % N:02d}", 0.1 + 1 / step, {"terms": ["é"]}) for step in range(1, at % 5 + 1)
        ]
        found.append(StoredBlock(article.id, tuple(items), f"{len(items)} of 3" if len(items) < 3 else None))
    return found


@pytest.fixture
def site(tmp_path: Path) -> tuple[Workspace, Ground, str, str]:
    """A workspace, a build, and the datasets of its articles and blocks; the workspace has adopted them."""
    rng, rows = random.Random(0), list[dict[str, Any]]()
    for at in range(N):
        rows.append({
            "id": f"a{at:02d}", "title": f"T {at}", "body": f"A text of number {at}. " * 9,
            "url": f"https://x.example/{at}", "section": rng.choice(["news", "sport", None]),
            "lang": rng.choice(["en", "en-GB", "de", None]), "status": "draft" if at == 7 else "published",
            "published_at": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=at) if at % 3 else None,
            "canonical_id": "a03" if at == 20 else None,
        })  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "articles.parquet")
    ground = Ground(tmp_path / "build")
    ground.say(settings=describe(Settings()), model="hybrid", k=3, now="2026-01-01T00:00:00+00:00")
    dataset(ground, Serial(ground.folder), str(tmp_path / "articles.parquet"), rows_per_part=9)
    write_output(ground, Serial(ground.folder), str(tmp_path / "out"), blocks_of)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "simrec.toml").write_text(SETTINGS, encoding="utf-8")
    workspace = Workspace.open(tmp_path / "site", create=True)
    names = str(tmp_path / "out" / "blocks"), str(tmp_path / "articles.parquet")
    assert adopt(workspace, *names).snapshot.active
    return workspace, ground, *names


def files(folder: Path) -> dict[str, bytes]:
    """What a folder holds; the number of the snapshot aside."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    if "index.json" in found:
        found["index.json"] = found["index.json"].replace(b'"snapshot": 1,', b'"snapshot": 0,')
    return found


@pytest.mark.parametrize("format", NAMES)
def test_the_same_files_as_from_a_store(tmp_path: Path, site: Any, format: str) -> None:
    """In each format, with fallbacks, drafts and limits; with the dataset's articles, and with the store's."""
    workspace, _, blocks, articles = site
    now = datetime(2026, 1, 1, tzinfo=UTC)
    wanted = stored.render(workspace, tmp_path / "a", format=format, now=now)
    found = showing.render(workspace, blocks, tmp_path / "b", articles=articles, format=format, now=now)
    assert found == {**wanted, "snapshot": 0}
    assert files(tmp_path / "b") == files(tmp_path / "a")
    showing.render(workspace, blocks, tmp_path / "c", format=format, now=now)
    assert files(tmp_path / "c") == files(tmp_path / "a")


def test_a_mapped_corpus_is_the_corpus(tmp_path: Path, site: Any) -> None:
    """All that rules ask of it."""
    _, ground, _, _ = site
    meta.write(ground, Serial(ground.folder), bodies=True)
    mapped = MappedCorpus.open(ground)
    corpus = Corpus([article for span in ground.spans for article in read_articles(ground, span)])
    assert list(mapped.articles) == list(corpus.articles)
    assert list(mapped.ids) == corpus.ids
    assert dict(mapped.row_of) == corpus.row_of
    assert dict(mapped.by_id) == corpus.by_id
    assert mapped.by_id.get("nobody") is None
    assert "nobody" not in mapped.row_of
    assert (mapped.main_lang, mapped.languages) == (corpus.main_lang, corpus.languages)
    for name in ("published", "lang_codes", "tie_order"):
        assert getattr(mapped, name).tobytes() == getattr(corpus, name).tobytes()


def test_rows_of_a_table_from_datasets(tmp_path: Path, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the adopted snapshot: a second write-back, of it, has nothing to do."""
    workspace, _, blocks, articles = site
    url = f"sqlite:///{tmp_path / 'cms.db'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE similar (source_id TEXT, target_id TEXT, rank INTEGER, score FLOAT)"))
    command = ["render", "-w", str(workspace.path), "--format", "sql", "--url", url]
    assert main([*command, "--blocks", blocks, "--articles", articles]) == 0
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM similar")).scalar_one() > N
    from simrec.pipeline.write_back import write_back

    report = write_back(workspace, url=url)
    assert (report.written, report.deleted) == (0, 0)
    engine.dispose()


def test_a_folder_without_a_store_will_do(tmp_path: Path, site: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Where both are datasets; what cannot go together is said."""
    _, _, blocks, articles = site
    command = ["render", "-w", str(tmp_path / "bare"), "--out", str(tmp_path / "html")]
    assert main([*command, "--blocks", blocks, "--articles", articles]) == 0
    assert len(list((tmp_path / "html").glob("*.html"))) == N - 1
    assert not (tmp_path / "bare" / "simrec.db").exists()
    assert main([*command, "--articles", articles]) == 2
    assert main([*command, "--blocks", articles, "--articles", articles]) == 1
    assert "is no dataset that is whole" in capsys.readouterr().err
