"""Pages ranked in tasks: the blocks of a site, to the bit, however it is cut into parts."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from grounds import ground_of, no_bodies

from simrec.embed.cache import MANIFEST
from simrec.embed.tfidf import TfidfEmbedder
from simrec.pipeline.live import saved
from simrec.pipeline.live.engine import Engine
from simrec.pipeline.live.fitted import Fitted
from simrec.pipeline.live.hubs import most_blocks
from simrec.pipeline.live.site import LiveSite, state_folder
from simrec.pipeline.live.start import all_blocks, fit, start
from simrec.pipeline.placed import Placed, hand_placed
from simrec.pipeline.site import Site
from simrec.policy.eligibility import reason_hidden
from simrec.scale import limiting
from simrec.scale.composing import blocks_of, candidates_of, compose, read_blocks
from simrec.scale.copying import Stories
from simrec.scale.ground import Ground
from simrec.scale.naming import TermNames, put_names
from simrec.scale.ranking import Listed, rank
from simrec.scale.sealing import seal
from simrec.scale.standards import measure
from simrec.scale.tasks import Serial
from simrec.settings import Settings
from simrec.store import StoredBlock
from simrec.store.records import article_hash
from simrec.types import Article, Corpus, Text

__all__ = ["no_bodies"]

TOPICS = (
    "bridge crack anchor engineer lorries closed county repair",
    "harbor ferry tide crew sailing storm dock fuel",
    "library books readers reading children shelves loans evening",
    "football match goal keeper season league striker coach",
    "budget council vote tax spending deficit mayor plan",
)
NOW = datetime(2025, 6, 1, tzinfo=UTC)
N = 90
POLICIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "rules": {
        "copies": "canonical",
        "hub_limit": 0.12,
        "min_score": 0.5,
        "max_per_section": 3,
        "max_per_author": 2,
        "off": ["a006"],
        "pinned": {"a007": ["a008", "a009", "zzz"], "a020": ["a021"]},
        "banned": {"a010": ["a011", "a012"], "a013": ["a011"]},
        "apart": ["a030"],
        "same_story": [["a004", "a005"]],
        "languages": {"de": ["de", "en"]},
        "target": {"exclude_terms": ["vote tax"]},
        "source": {"exclude_terms": ["storm dock"]},
        "boost": {"a001": 1.5, "a002": -1},
        "half_life_days": 90,
    },
    "dates": {"older_only": True, "around_days": 250, "max_age_days": 300, "copies": "newest"},
    "diverse": {"diversity": 0.2, "hub_limit": 0.2, "same_language": False, "min_cosine": 0.1},
}
"""House rules, by a name."""


def make_articles() -> list[Article]:
    """Articles on one or two of the topics; some are copies, some may not be shown, or not yet."""
    rng = random.Random(5)
    made = [_make(number, rng) for number in range(N)]
    for one, other in ((3, 40), (8, 41), (8, 42)):
        made[other] = replace(made[other], body=made[one].body, title=made[one].title, lang=made[one].lang)
    made[43] = replace(made[43], body=f"{made[44].body} again", title=made[44].title, lang=made[44].lang)
    made[50] = replace(made[50], canonical_id="a051")
    made[52] = replace(made[52], canonical_id="a051")
    made[53] = replace(made[53], canonical_id="elsewhere")
    made[54] = replace(made[54], canonical_id="elsewhere")
    made[60] = replace(made[60], status="withdrawn")
    made[61] = replace(made[61], published_at=NOW + timedelta(days=3))
    made[62] = replace(made[62], embargo_until=NOW + timedelta(days=9), canonical_id="a063")
    made[64] = replace(made[64], expires_at=NOW - timedelta(days=1))
    made[65] = replace(made[65], extra={"similar": "off"})
    return made


def _make(number: int, rng: random.Random) -> Article:
    words = [word for topic in rng.sample(TOPICS, rng.choice([1, 1, 2])) for word in topic.split()]
    body = ". ".join(" ".join(rng.choices(words, k=rng.randrange(3, 9))) for _ in range(rng.randrange(1, 7)))
    return Article(
        id=f"a{number:03}",
        title=" ".join(rng.sample(words, 3)),
        body=body,
        url=f"https://x.example/{rng.choice(['news', 'city'])}/{number}",
        published_at=NOW - timedelta(days=rng.randrange(400)) if rng.random() < 0.9 else None,
        updated_at=NOW - timedelta(days=rng.randrange(30)) if rng.random() < 0.3 else None,
        section=rng.choice(["news", "city", None]),
        tags=tuple(rng.sample(words, rng.randrange(3))),
        authors=tuple(rng.sample(["Ada", "Ben", "Cy"], rng.randrange(2))),
        lang=rng.choice(["en", "en", "en", "de"]),
    )


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sites of ninety articles have more than a few of them; batches are smaller than parts."""
    for module in ("engine", "compose"):
        monkeypatch.setattr(f"simrec.pipeline.live.{module}.FEW", 20)
    monkeypatch.setattr("simrec.pipeline.live.start.BATCH", 16)
    monkeypatch.setattr("simrec.rank.fusion.BATCH", 32)
    monkeypatch.setattr("simrec.scale.standards.BATCH", 32)
    monkeypatch.setattr("simrec.scale.postings.SHARE", 200)


def make_site(toy_model: Path, policy: dict[str, Any]) -> Site:
    """A site on one machine."""
    settings = Settings(
        build={"speed": "fast", "spares": 2}, sentence={"model": str(toy_model)}, rank={"candidates": 8},
        tfidf={"min_df": 1}, policy=policy,
    )  # fmt: skip
    return Site(Corpus(make_articles()), settings)


class Made:
    """A site that was built on one machine, and a folder to build it in."""

    def __init__(self, model: str, policy: dict[str, Any], toy_model: Path) -> None:
        self.site = make_site(toy_model, policy)
        self.placed: Placed = hand_placed(self.site.settings.policy, {})
        self.fitted: Fitted = fit(self.site, model, NOW)
        self.engine, choices = start(self.site, self.fitted, 4, NOW, self.placed)
        self.blocks: list[StoredBlock] = list(all_blocks(self.engine, choices))

    def ground(self, folder: Path, borders: Sequence[int]) -> Ground:
        """A folder whose stages up to the neighbors are done."""
        return ground_of(self.site, self.fitted, folder, k=4, now=NOW, placed=self.placed, borders=borders)


def build(ground: Ground) -> list[StoredBlock]:
    """The stages from there on; the blocks of all parts."""
    runner = Serial(ground.folder)
    measure(ground, runner)
    rank(ground, runner)
    return [block for span in ground.spans for block in blocks_of(str(ground.folder), span)]


CASES = [("hybrid", "plain"), ("hybrid", "rules"), ("fusion", "rules"), ("tfidf", "plain"), ("tfidf", "rules"),
         ("tfidf", "dates"), ("tfidf", "diverse"), ("static", "plain")]  # fmt: skip


@pytest.fixture(scope="module")
def made(toy_model: Path) -> dict[tuple[str, str], Made]:
    """Sites by model and house rules, each made when it is first asked for."""

    class Sites(dict[tuple[str, str], Made]):
        def __missing__(self, key: tuple[str, str]) -> Made:
            self[key] = Made(key[0], POLICIES[key[1]], toy_model)
            return self[key]

    return Sites()


@pytest.mark.parametrize("borders", [(0, N), (0, 7, 40, 41, N)], ids=["whole", "parts"])
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_blocks_are_those_of_one_machine(
    case: tuple[str, str], borders: Sequence[int], made: Any, tmp_path: Path, no_bodies: None
) -> None:
    """However the site is cut into parts, each block, score and reason is what one machine gives."""
    local = made[case]
    ground = local.ground(tmp_path / "ground", borders)
    assert build(ground) == local.blocks
    assert_same_pages(ground, local.engine)


def test_a_hub_limit_is_a_share_of_the_blocks_that_readers_see(made: Any, tmp_path: Path, no_bodies: None) -> None:
    """Withdrawn, expired and scheduled pages are none, on a cluster as on one machine."""
    local = made["tfidf", "rules"]
    ground, articles = local.ground(tmp_path / "ground", (0, 30, N)), local.site.corpus.articles
    seen = [row for row, one in enumerate(articles) if reason_hidden(one, NOW) is None]
    pages = sum(local.engine.reason_off(row) is None for row in seen)
    assert len(seen) == N - 4
    assert limiting.most_blocks(ground, 1.0) == most_blocks(local.engine, 1.0) == pages


def assert_same_pages(ground: Ground, engine: Engine) -> None:
    """All that a saved engine keeps of pages, and what they are held against, are the same."""
    for name in saved.OF_PAGES:
        assert np.array_equal(ground.array(f"page-{name}"), engine.columns[name].array), name
    said = saved.read_about(ground.engine)
    assert said is not None
    assert not {"lexicon", "far", *saved.CODES} & said.keys()  # each task reads it
    for name in engine.shelf.names:
        arrays = engine.shelf[name] if isinstance(engine.shelf[name], tuple) else (engine.shelf[name],)
        assert name in said["columns"]
        for number, array in enumerate(arrays[:3]):
            assert np.array_equal(ground.array(f"column-{name}.{number}"), array, equal_nan=True), name
    assert said["dates_are_of_publication"] == engine.fitted.dates_are_of_publication
    assert said["titles_are_headlines"] == engine.fitted.titles_are_headlines
    assert {frozenset(rows) for rows in _stories(ground)} == {
        frozenset(rows) for rows in engine.copies.groups().values()
    }


def _stories(ground: Ground) -> list[list[int]]:
    return list(Stories(ground).values())


@pytest.mark.parametrize("case", [("tfidf", "rules"), ("hybrid", "plain")], ids="-".join)
def test_a_later_day_goes_on_with_the_engine(
    case: tuple[str, str], tmp_path: Path, toy_model: Path, no_bodies: None
) -> None:
    """The folder opens as a saved engine, and what is published there changes the same blocks as on one machine."""
    local, articles = Made(case[0], POLICIES[case[1]], toy_model), make_articles()
    ground = local.ground(tmp_path / "ground", (0, 30, N))
    build(ground)
    site = LiveSite.fresh(local.engine, {article.id: article_hash(article) for article in articles}, {})
    about = {"name": "day", "ids": site.ids, "hashes": site.hashes, "moment": NOW.isoformat()}
    files = seal(ground, Serial(ground.folder), about | local.placed._asdict())
    place = state_folder(tmp_path / "there")
    for name in [*files, MANIFEST]:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ground.engine / name, place / name)
    workspace: Any = SimpleNamespace(path=tmp_path / "there", settings=local.site.settings)
    loaded = LiveSite.load(workspace, {article.id: article for article in articles})
    assert loaded.engine.make(range(N)) == local.blocks
    rng = random.Random(8)
    for number in (17, N + 1, N + 2):
        article = _make(number, rng)
        one, other = (held.put(article, article_hash(article), NOW) for held in (loaded, site))
        assert one == other


@pytest.mark.parametrize("case", [("tfidf", "dates"), ("fusion", "rules")], ids="-".join)
def test_pages_whose_lists_lack_some_are_looked_for_together(
    case: tuple[str, str], tmp_path: Path, toy_model: Path, no_bodies: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where many of a list may not be shown, no batch of pages is compared with all by itself; blocks are the same."""
    monkeypatch.setattr("simrec.pipeline.nearby.SPARE", 2)
    monkeypatch.setattr("simrec.pipeline.nearby.LISTS", ())
    monkeypatch.setattr("simrec.scale.folding.PILE", 2000)
    monkeypatch.delattr(Listed, "_search")
    local = Made(case[0], POLICIES[case[1]], toy_model)
    ground = local.ground(tmp_path / "ground", (0, 30, N))
    assert build(ground) == local.blocks
    assert list((ground.folder / "done" / "again-tfidf").iterdir())
    assert_same_pages(ground, local.engine)


def test_terms_are_named_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the embedder that was fitted names them; nothing of its terms is held."""
    monkeypatch.setattr("simrec.scale.naming.RUN", 3)
    bodies = (
        ("en", "closed bridges, the icy bridges"),
        ("en", "the icy roads"),
        ("de", "Straßen, Brücken"),
        ("ja", "日本語"),
    )
    texts = [Text("Bridges of ice", body, lang) for lang, body in bodies]
    settings = Settings(tfidf={"min_df": 1, "ngrams": 3})
    embedder = TfidfEmbedder(**settings.tfidf.model_dump()).fit(texts)
    ground = Ground(tmp_path / "ground")
    ground.say(settings=settings.model_dump(mode="json"))
    (ground.engine / "tfidf").mkdir(parents=True)
    embedder.save(ground.engine / "tfidf")
    put_names(ground, embedder._known().words, embedder.surface_)
    names = TermNames(ground)
    assert [names.show(column) for column in range(len(embedder.terms_))] == [
        embedder.show(column) for column in range(len(embedder.terms_))
    ]
    assert "the icy bridges" in map(names.show, range(len(embedder.terms_)))


def test_blocks_are_written_part_by_part(made: Any, tmp_path: Path, no_bodies: None) -> None:
    """A stage composes them and has them written; candidates are there beside them."""
    local = made["tfidf", "plain"]
    ground = local.ground(tmp_path / "ground", (0, 30, N))
    build(ground)
    compose(ground, Serial(ground.folder))
    assert [block for span in ground.spans for block in read_blocks(ground, span)] == local.blocks
    rows, scores = candidates_of(str(ground.folder), ground.spans[1])
    assert np.array_equal(rows, local.engine.lists.array[30:])
    assert np.array_equal(scores, local.engine.scores.array[30:])


def test_what_is_done_is_not_done_again(made: Any, tmp_path: Path, no_bodies: None) -> None:
    """A build that broke off goes on with what is done; one whose tasks are done twice is the same."""
    local, folder = made["tfidf", "rules"], tmp_path / "ground"
    ground = local.ground(folder, (0, 30, 60, N))
    build(ground)
    for task in [*(folder / "done" / "rank").glob("*.json"), *(folder / "done" / "charge").glob("*.json")][1::2]:
        task.unlink()
    for name in ("lists", "scores", "copies"):
        (ground.engine / f"page-{name}.npy").unlink()
    ground.write_json(folder / "about.json", {name: value for name, value in ground.about.items() if name != "rounds"})
    assert build(Ground(folder)) == local.blocks
    assert_same_pages(Ground(folder), local.engine)
