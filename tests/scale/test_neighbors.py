"""Neighbors in tasks: the lists of a site, to the bit, however small the pieces are that it is cut into."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from simrec.pipeline.nearby import Nearby
from simrec.scale import comparing, folding, inverted, neighbors
from simrec.scale.ground import FIT, NAMES, WIDTHS, Ground, save
from simrec.scale.neighbors import find_neighbors
from simrec.scale.spaces import FOUND, Space, blocks, put_groups, spaces_with_lists
from simrec.scale.tasks import Serial, Task
from simrec.settings import Settings
from simrec.types import Neighbors

N = 150
COLUMNS = {
    "tfidf": "tfidf", "tags": "tags", "title_words": "title_words", "sentence": "sentence", "titles": "title_sentence"
}  # fmt: skip
"""The column of each space."""


def sparse_rows(n: int, terms: int, share: float, seed: int) -> csr_matrix:
    """Unit rows, some of them empty, many of them equal."""
    rng = np.random.default_rng(seed)
    matrix = random_array((n, terms), density=share, rng=rng, dtype=np.float32, format="csr")
    matrix.data[:] = rng.choice([1, 2], len(matrix.data))
    order = np.arange(n)
    order[1::10] = order[0::10][: len(order[1::10])]
    matrix = csr_matrix(matrix)[order]
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    matrix.data /= np.repeat(np.where(norms > 0, norms, 1), np.diff(matrix.indptr)).astype(np.float32)
    matrix.sort_indices()
    return matrix


def dense_rows(n: int, d: int, seed: int) -> np.ndarray:
    """Unit rows in clusters, some of them zeros, some of them equal."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(12, d))[rng.integers(12, size=n)] + 0.3 * rng.normal(size=(n, d))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[3::20], vectors[5::20] = 0, vectors[4::20][: len(range(5, n, 20))]
    return vectors.astype(np.float32)


def make_site(policy: dict[str, Any] | None = None, languages: int = 3, n: int = N) -> Any:
    """What lists are made from, of a site in some languages."""
    codes = np.random.default_rng(9).choice(languages, n, p=np.arange(languages, 0, -1) / sum(range(languages + 1)))
    vectors = {
        "tfidf": sparse_rows(n, 300, 0.12, 1),
        "tags": sparse_rows(n, 12, 0.1, 2),
        "title_words": sparse_rows(n, 90, 0.03, 3),
        "sentence": dense_rows(n, 16, 4),
        "titles": dense_rows(n, 16, 5),
    }
    corpus = SimpleNamespace(lang_codes=codes.astype(np.int32), languages=["de", "en", "fr"][:languages])
    settings = Settings(policy=policy or {}, rank={"candidates": 20})
    return SimpleNamespace(corpus=corpus, settings=settings, vectors_of=vectors.__getitem__)


def ground_of(site: Any, folder: Path, borders: Sequence[int] = (0, 40, 90, N)) -> Ground:
    """The folder of a build whose columns are there."""
    ground, settings = Ground(folder), site.settings.model_dump(mode="json")
    widths = {COLUMNS[name]: site.vectors_of(name).shape[1] for name in ("tfidf", "tags", "title_words")}
    ground.say(n=borders[-1], borders=list(borders), model="hybrid", settings=settings)
    ground.write_json(ground.engine / WIDTHS, widths)
    ground.write_json(ground.folder / FIT / NAMES, {"languages": site.corpus.languages})
    save(ground.engine / "column-languages.0.npy", site.corpus.lang_codes)
    for name, column in COLUMNS.items():
        vectors = site.vectors_of(name)
        dense = isinstance(vectors, np.ndarray)
        arrays = [vectors] if dense else [vectors.indptr.astype(np.int64), vectors.indices, vectors.data]
        for number, array in enumerate(arrays):
            save(ground.engine / f"column-{column}.{number}.npy", array)
    return ground


def lists_of(ground: Ground, name: str) -> Neighbors:
    """The lists that were left."""
    return Neighbors(*(ground.array(array.format(name)) for array in FOUND))


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few rows, jobs of a few pages."""
    monkeypatch.setattr(comparing, "LEAST", 16)
    monkeypatch.setattr(comparing, "PAIRS", 16 * 60)
    monkeypatch.setattr(comparing, "room", lambda space: 2500 if space.dense else 60_000)


RULES = {
    "one language a page": ({}, 3),
    "one site, one language": ({}, 1),
    "all languages": ({"same_language": False}, 3),
    "some languages": ({"languages": {"de": ["de", "en"]}}, 3),
}


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("rules", RULES)
def test_lists_in_pieces_are_those_of_the_site(rules: str, tmp_path: Path) -> None:
    """Rows and scores of all spaces, also where many scores are equal, by several languages."""
    site = make_site(*RULES[rules])
    ground = ground_of(site, tmp_path)
    assert find_neighbors(ground, Serial(tmp_path)) == {}
    nearby = Nearby(site)
    for name in spaces_with_lists("hybrid"):
        found, wanted = lists_of(ground, name), nearby.lists(name)
        np.testing.assert_array_equal(found.rows, wanted.rows, err_msg=name)
        np.testing.assert_array_equal(found.scores, wanted.scores, err_msg=name)
        assert found.rows.dtype == np.int32
        assert found.scores.dtype == np.float32
    assert not list((tmp_path / "parts").glob("pairs-*"))


def test_lists_have_only_articles_that_may_be_shown(tmp_path: Path) -> None:
    """By the languages that the house rules say; whoever asks for others is answered from all."""
    site = make_site({"languages": {"de": ["de", "en"]}})
    nearby, codes = Nearby(site), site.corpus.lang_codes
    rows = nearby.lists("sentence").rows
    for code, shown in enumerate([[0, 1], [1], [2]]):
        near = rows[codes == code]
        assert set(codes[near[near >= 0]].tolist()) == set(shown)
    everybody = np.ones(N, dtype=bool)
    asking = np.arange(N, dtype=np.int32)
    found = nearby.query("sentence", asking, 5, everybody)
    free = Nearby(make_site({"same_language": False})).query("sentence", asking, 5, everybody)
    np.testing.assert_array_equal(found.rows, free.rows)
    np.testing.assert_array_equal(found.scores, free.scores)


class KilledError(Exception):
    """The driver of a build was killed."""


@pytest.mark.usefixtures("small_pieces")
def test_a_build_that_was_killed_goes_on(tmp_path: Path) -> None:
    """What is done is not done again, and the lists are the same."""
    site = make_site()
    ground, done = ground_of(site, tmp_path), []

    class Killed(Serial):
        def run(self, stage: str, work: Any, tasks: Sequence[Task], *, memory: int = 0) -> list[dict[str, Any]]:
            def counted(folder: str, *arguments: Any) -> Any:
                if len(done) == 7:
                    raise KilledError
                done.append(stage)
                return work(folder, *arguments)

            return super().run(stage, counted, tasks, memory=memory)

    with pytest.raises(KilledError):
        find_neighbors(ground, Killed(tmp_path))
    find_neighbors(ground, Serial(tmp_path))
    wanted = Nearby(site).lists("tags")
    np.testing.assert_array_equal(lists_of(ground, "tags").rows, wanted.rows)
    assert find_neighbors(ground, Killed(tmp_path)) == {}  # nothing is left to do


@pytest.mark.usefixtures("small_pieces")
def test_what_jobs_found_is_put_together_wave_by_wave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Disks hold what a wave found and the best so far, not all; the lists are the same, also after a kill."""
    monkeypatch.setattr(comparing, "PAIRS", 16 * 40)
    monkeypatch.setattr(folding, "PILE", 20_000)
    site, files, killed = make_site(languages=1), list[int](), [30]

    class Watched(Serial):
        def run(self, stage: str, work: Any, tasks: Sequence[Task], *, memory: int = 0) -> list[dict[str, Any]]:
            def watched(folder: str, *arguments: Any) -> Any:
                if len(files) in killed:
                    killed.remove(len(files))
                    raise KilledError
                said = work(folder, *arguments)
                files.append(len(list((tmp_path / "parts" / "pairs-sentence-rows").glob("*.npy"))))
                return said

            return super().run(stage, watched, tasks, memory=memory)

    ground, runner = ground_of(site, tmp_path), Watched(tmp_path)
    groups = put_groups(ground)
    with pytest.raises(KilledError):
        neighbors.find_space(ground, runner, Space(ground, "sentence"), groups)
    neighbors.find_space(ground, runner, Space(ground, "sentence"), groups)
    found, wanted = lists_of(ground, "sentence"), Nearby(site).lists("sentence")
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.scores, wanted.scores)
    compared = len(list((tmp_path / "done").glob("compare-*/*.json")))
    assert max(files) < 0.7 * compared


def test_large_spaces_are_searched_by_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough of the true neighbors are found, their scores are the exact ones, and the recall is told."""
    n = 3000
    for name, value in {"EXACT_UP_TO": 500, "CHUNK": 700, "PART": 900, "TRAINED_ON": 10}.items():
        monkeypatch.setattr(neighbors if name == "EXACT_UP_TO" else inverted, name, value)
    site = make_site(n=n, languages=1)
    ground = ground_of(site, tmp_path, (0, 1100, n))
    recalls = find_neighbors(ground, Serial(tmp_path))
    assert set(recalls) == {"sentence", "titles"}
    for name, recall in recalls.items():
        assert 0.98 <= recall <= 1
        found, wanted = lists_of(ground, name), Nearby(site).lists(name)
        same = (found.rows[:, :10, None] == wanted.rows[:, None, :10]) & (wanted.rows[:, None, :10] >= 0)
        assert same.sum() / (wanted.rows[:, :10] >= 0).sum() > 0.95
        pages, ours, theirs = np.nonzero(same)
        np.testing.assert_array_equal(found.scores[pages, ours], wanted.scores[pages, theirs])
    wanted = Nearby(site).lists("tfidf")
    np.testing.assert_array_equal(lists_of(ground, "tfidf").rows, wanted.rows)
    assert not list((tmp_path / "parts").glob("*inverted*"))


def test_all_are_compared_where_cells_win_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors without clusters: enough are found only in most of the cells, so the lists are exact, with no recall."""
    monkeypatch.setattr(neighbors, "EXACT_UP_TO", 100)
    site = make_site(languages=1)
    ground = ground_of(site, tmp_path)
    monkeypatch.setattr(inverted, "WORTH", 0.0)
    assert find_neighbors(ground, Serial(tmp_path)) == {}
    np.testing.assert_array_equal(lists_of(ground, "titles").rows, Nearby(site).lists("titles").rows)


@pytest.mark.parametrize("name", ["tfidf", "sentence"])
def test_rows_are_read_wherever_they_are(name: str, tmp_path: Path) -> None:
    """One after the other or scattered."""
    site = make_site()
    space = Space(ground_of(site, tmp_path), name)
    for rows in (np.arange(20, 60), np.array([0, 7, 8, 149]), np.array([5])):
        found, wanted = space.vectors(rows.astype(np.int32)), site.vectors_of(name)[rows]
        dense = [matrix if isinstance(matrix, np.ndarray) else matrix.toarray() for matrix in (found, wanted)]
        np.testing.assert_array_equal(*dense)


def test_blocks_are_as_large_as_memory_allows() -> None:
    """A row that is too large is a block by itself; all rows are in one."""
    costs = np.random.default_rng(0).integers(1, 30, 200)
    found = blocks(costs, 25)
    assert np.concatenate([np.arange(200)[block] for block in found]).tolist() == list(range(200))
    assert all(costs[block].sum() <= 25 or block.stop - block.start == 1 for block in found)
