"""What the editors chose for a tested page cannot reach its ranking: not through training, and not through the text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simrec.embed.tfidf import TfidfEmbedder
from simrec.evaluate.protocol import Fold, Split, Truth, folds, truth
from simrec.pipeline import train
from simrec.pipeline.ingest import ingest
from simrec.pipeline.runs import Trial
from simrec.pipeline.site import Site
from simrec.pipeline.workspace import Workspace
from simrec.rank.learned import LambdaRanker
from simrec.types import Corpus, Progress, no_progress

SOURCES = 60


@pytest.fixture
def known(built: Path, newsroom_site: Site) -> Truth:
    """The picks of some of its pages."""
    with Workspace.open(built).store() as store:
        found = truth(newsroom_site.corpus, store.picks())
    return Truth(found.sources[:SOURCES], found.picks[:SOURCES], {})


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small rankers that always rank, whatever inner validation says; it is compared as well."""
    choose: Callable[[Any], train.Decision] = train.choose

    def always(values: Any) -> train.Decision:
        return train.Decision("hybrid", 1.0, "always", choose(values).evidence)

    def small(**parameters: Any) -> LambdaRanker:
        return LambdaRanker(features=train.ALL_NAMES, **(parameters | {"trees": 4}))

    monkeypatch.setattr(train, "choose", always)
    monkeypatch.setattr(train, "make_ranker", small)
    monkeypatch.setattr(train, "LEAST_SOURCES", 20)


def ranked(site: Site, known: Truth, fold: Fold, split: str, progress: Progress = no_progress) -> tuple[Any, ...]:
    """Rankings and scores of the tested pages after learning from the others, and the evidence of the decision."""
    trial = Trial(site, known, [fold], split, 10, False, False, progress)
    run = trial.run("learned")[fold.test]
    scores = [found.scores for _, found in site.rank("learned", known.sources[fold.test], 50)]
    return run, np.concatenate(scores), trial.learned[0].decision.evidence


def plant(known: Truth, n: int, places: np.ndarray, others: np.ndarray) -> Truth:
    """Other picks for some sources: the lists of two others at once, as if copied, or one planted article."""
    picks = list(known.picks)
    for number, place in enumerate(places.tolist()):
        one, two = (picks[others[(number + i) % len(others)]] for i in (0, 1))
        picks[place] = one | two if number % 2 else frozenset({(int(known.sources[place]) + 1) % n})
    assert all(picks[place] != known.picks[place] for place in places.tolist())
    return Truth(known.sources, tuple(picks), {})


@pytest.mark.sentence
@pytest.mark.parametrize("split", ["kfold", "group", "time"])
def test_picks_of_tested_pages_change_nothing(newsroom_site: Site, known: Truth, split: Split) -> None:
    """With labels planted in all picks of the tested pages, their scores are the same to the last bit."""
    n = len(newsroom_site.corpus)
    for fold in folds(known, newsroom_site.corpus, split)[:3]:
        before = ranked(newsroom_site, known, fold, split)
        after = ranked(newsroom_site, plant(known, n, fold.test, fold.train), fold, split)
        np.testing.assert_array_equal(before[0], after[0])
        np.testing.assert_array_equal(before[1], after[1])
        assert before[2] == after[2]


@pytest.mark.sentence
def test_picks_of_training_pages_change_rankings(newsroom_site: Site, known: Truth) -> None:
    """The same label planted where it may be learned from is learned: the test above could fail."""
    fold = folds(known, newsroom_site.corpus, "kfold")[0]
    before = ranked(newsroom_site, known, fold, "kfold")
    planted = plant(known, len(newsroom_site.corpus), fold.train[::2], fold.train[1::2])
    assert (before[1] != ranked(newsroom_site, planted, fold, "kfold")[1]).any()


PAGE = """<html><head><title>Page {n}</title></head><body><article><h1>Page {n}</h1>
<p>The council of town {n} met on Monday to speak about its bridge, its school and the price of water.</p>
<p>After a long evening it agreed to ask the citizens again before the summer, and to publish what they say.</p>
</article>{related}</body></html>"""


def test_a_label_in_the_related_block_never_reaches_the_text(tmp_path: Path) -> None:
    """Pages whose block names its picks with a planted word have the same text and vectors as pages without a block."""
    found = {}
    for name in ("with", "without"):
        folder = tmp_path / name
        folder.mkdir()
        for n in range(6):
            links = "".join(f'<li><a href="p{i}.html">Page {i} zyxplanted</a></li>' for i in ((n + 1) % 6, (n + 2) % 6))
            related = f'<div class="related"><h2>Similar articles</h2><ul>{links}</ul></div>' if name == "with" else ""
            (folder / f"p{n}.html").write_text(PAGE.format(n=n, related=related), encoding="utf-8")
        workspace = Workspace.open(tmp_path / f"w-{name}", create=True)
        ingest(workspace, [folder], picks_selector="div.related a")
        with workspace.store() as store:
            found[name] = (store.articles(), store.picks())
    assert len(found["with"][1]) == 12
    assert found["without"][1] == []
    texts = {name: Corpus(articles).texts for name, (articles, _) in found.items()}
    assert texts["with"] == texts["without"]
    assert not any("zyxplanted" in text.body + text.title for text in texts["with"])
    vectors = {name: TfidfEmbedder(min_df=1).fit_transform(of) for name, of in texts.items()}
    assert (vectors["with"] != vectors["without"]).nnz == 0
