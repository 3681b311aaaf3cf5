"""What editors did in training and evaluation: it counts, and never where it would tell the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simrec.cli.main import main
from simrec.errors import UsageError
from simrec.evaluate.protocol import Fold, Truth, folds, truth
from simrec.pipeline import train
from simrec.pipeline.acts import Desk
from simrec.pipeline.evaluate import Task, evaluate
from simrec.pipeline.models import train_site, use_learned
from simrec.pipeline.runs import Trial
from simrec.pipeline.site import Site
from simrec.pipeline.workspace import Workspace
from simrec.rank.learned import LambdaRanker
from simrec.types import Pick, no_progress

SOURCES = 60


@pytest.fixture
def judged(site: Workspace) -> Workspace:
    """The newsroom, where editors banned an item of ten pages with picks, and accepted one of ten others."""
    desk = Desk(site, None)
    with site.store() as store:
        picks = store.picks()
        sources = sorted({pick.source_id for pick in picks})[:20]
        known = {(pick.source_id, pick.target_id) for pick in picks}
        blocks = list(store.blocks(store.snapshot().id, sources))
    for number, block in enumerate(blocks):
        free = [item.id for item in block.items if (block.source_id, item.id) not in known]
        desk.act("Ada", "ban" if number % 2 else "accept", block.source_id, free[0 if number % 2 else -1])
    return site


def test_whose_judgements_are_the_truth(judged: Workspace) -> None:
    """All, the imported, the editors': each its own pages and picks, and the protocol says which."""
    found = {
        whose: evaluate(judged, Task(models=("tfidf",), judgements=whose)).protocol  # type: ignore[arg-type]
        for whose in ("all", "imported", "editors")
    }
    with judged.store() as store:
        for whose, protocol in found.items():
            assert protocol["picks"] == len(store.picks(whose))  # type: ignore[arg-type]
            assert protocol.get("judgements", "all") == whose
    assert found["all"]["picks"] == found["imported"]["picks"] + found["editors"]["picks"]
    assert found["editors"]["sources"] == 10
    assert (found["all"].get("rejections"), found["imported"].get("rejections")) == (10, None)
    with pytest.raises(UsageError, match="no judgements 'mine'"):
        evaluate(judged, Task(judgements="mine"))  # type: ignore[arg-type]


def test_rejected_items_among_the_first_five_are_measured(
    judged: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Over the pages where editors rejected any; where nobody did, the measure is not there."""
    found = evaluate(judged, Task(models=("tfidf",)))
    with judged.store() as store:
        rejected = store.rejected()
    shares = []
    for pick in rejected:
        place = found.sources.tolist().index(found.corpus.row_of[pick.source_id])
        shares.append((found.runs["tfidf"][place, :5] == found.corpus.row_of[pick.target_id]).sum() / 5)
    assert found.as_json()["models"]["tfidf"]["rejected@5"]["mean"] == pytest.approx(np.mean(shares))
    assert 0 < np.mean(shares) <= 0.2
    where = ["evaluate", "-w", str(judged.path), "--model", "tfidf", "--json"]
    assert main([*where, "--judgements", "imported"]) == 0
    assert "rejected@5" not in json.loads(capsys.readouterr().out)["models"]["tfidf"]
    assert main(["evaluate", "-w", str(judged.path), "--model", "tfidf"]) == 0
    assert "rejected@5" in capsys.readouterr().out
    assert main(["evaluate", "--articles", "a", "--picks", "p", "--judgements", "editors"]) == 2


def test_a_page_is_ranked_as_if_nobody_had_judged_it(judged: Workspace) -> None:
    """Its bans and pins do not touch its own ranking, before the house rules or after them."""
    for rules in (False, True):
        with_acts = evaluate(judged, Task(models=("tfidf",), rules=rules))
        plain = evaluate(judged, Task(models=("tfidf",), rules=rules, judgements="imported"))
        both = set(with_acts.sources.tolist()) & set(plain.sources.tolist())
        assert len(both) > 20
        for row in both:
            ours, theirs = (
                found.runs["tfidf"][found.sources.tolist().index(row)].tolist() for found in (with_acts, plain)
            )
            assert ours == theirs


@pytest.fixture
def known(built: Path, newsroom_site: Site) -> Truth:
    """The picks of some of its pages; under each of them what follows it is rejected."""
    with Workspace.open(built).store() as store:
        found = truth(newsroom_site.corpus, store.picks())
    return Truth(found.sources[:SOURCES], found.picks[:SOURCES], {})


@pytest.fixture
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
    monkeypatch.setattr(train, "REJECTED_WEIGHT", 3.0)  # so that rejections could be seen where they must not


def learned(site: Site, known: Truth, fold: Fold) -> tuple[Any, Any]:
    """Scores of the tested pages after learning from the others, and the evidence of the decision."""
    trial = Trial(site, known, [fold], "kfold", 10, False, False, no_progress)
    trial.run("learned")
    scores = [found.scores for _, found in site.rank("learned", known.sources[fold.test], 50)]
    return np.concatenate(scores), trial.learned[0].decision.evidence


def rejecting(site: Site, known: Truth, places: np.ndarray) -> Truth:
    """The same, with what `hybrid` ranks first and nobody picked rejected under some sources."""
    rejected = [frozenset[int]()] * len(known.sources)
    for batch, ranking in site.rank("hybrid", known.sources[places], 10):
        for row, ranked in zip(batch.tolist(), ranking.rows.tolist(), strict=True):
            place = known.sources.tolist().index(row)
            rejected[place] = frozenset(ranked) - known.picks[place]
    return Truth(known.sources, known.picks, {}, tuple(rejected))


@pytest.mark.sentence
@pytest.mark.usefixtures("_quick")
def test_rejections_of_tested_pages_change_nothing_and_those_of_training_pages_do(
    newsroom_site: Site, known: Truth
) -> None:
    """To the last bit; and what may be learned from is."""
    fold = folds(known, newsroom_site.corpus, "kfold")[0]
    before = learned(newsroom_site, known, fold)
    tested = learned(newsroom_site, rejecting(newsroom_site, known, fold.test), fold)
    np.testing.assert_array_equal(before[0], tested[0])
    assert before[1] == tested[1]
    trained = learned(newsroom_site, rejecting(newsroom_site, known, fold.train), fold)
    assert (before[0] != trained[0]).any()


@pytest.mark.sentence
@pytest.mark.usefixtures("_quick")
def test_a_ranker_is_trained_again_where_bans_are_others(newsroom_site: Site, known: Truth, tmp_path: Path) -> None:
    """What was learned from is named with it."""
    ids = newsroom_site.corpus.ids
    picks = [
        Pick(ids[row], ids[target], 1)
        for row, targets in zip(known.sources.tolist(), known.picks, strict=True)
        for target in sorted(targets)
    ]
    candidates = newsroom_site.rank("hybrid", known.sources[:1], 20)
    ranked = next(iter(candidates))[1].rows[0].tolist()
    rejected = [Pick(ids[known.sources[0]], ids[next(row for row in ranked if row not in known.picks[0])], 1, 0.0)]
    hashes = []
    for said in ([], rejected, rejected, []):
        made = use_learned(newsroom_site, picks, tmp_path / "learned", rejected=said, fresh=True)
        hashes.append(made["picks_hash"])
        assert made["rejected"] == len(said)
    assert hashes[0] == hashes[3] != hashes[1] == hashes[2]
    assert train_site(newsroom_site, picks).described["picks_hash"] == hashes[0]


def test_a_rejected_candidate_weighs_what_it_is_set_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any, or with a weight that says nothing, there are no weights: rankers are what they were."""
    candidates = np.array([[1, 2, 3], [4, 5, -1], [6, 7, 8]], dtype=np.int32)
    labels = np.isin(candidates, [1, 4])
    table = np.zeros((3, 3, 1), dtype=np.float32)
    none = np.zeros_like(labels)
    pages = train.Pages(np.arange(3), candidates, table, labels, np.isin(candidates, [2, 6]))
    assert train._flat([pages])[3] is None
    monkeypatch.setattr(train, "REJECTED_WEIGHT", 3.0)
    *_, groups, weights = train._flat([pages])
    assert groups.tolist() == [3, 2]
    assert weights is not None
    assert weights.tolist() == [1, train.REJECTED_WEIGHT, 1, 1, 1]
    assert train._flat([train.Pages(np.arange(3), candidates, table, labels, none)])[3] is None
