"""Blind comparisons: what a judge sees tells nothing, what is said is counted, and items become judgements."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from simrec.cli.figures import table
from simrec.errors import ConflictError, NotFoundError, UsageError
from simrec.pipeline.acts import Desk
from simrec.pipeline.blind import judge, start, tallies, tally
from simrec.pipeline.evaluate import Task, evaluate
from simrec.pipeline.look import Looks
from simrec.pipeline.workspace import Workspace
from simrec.store import Store
from simrec.store.comparisons import Comparison
from simrec.types import Article, Entry

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Fake:
    """Two models: "one" shows the articles that follow a page, "two" those that go before it; same at first pages."""

    def __init__(self, same: int = 0) -> None:
        self.same = same

    def blocks(self, model: str, source_id: str) -> list[str]:
        """Ids of two articles."""
        number, step = int(source_id[1:]), 1 if model == "one" else -1
        step = 1 if number < self.same else step
        return [f"p{(number + step * many) % 20:02}" for many in (1, 2)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of twenty articles."""
    with Workspace.open(tmp_path / "w", create=True).store() as found:
        articles = [Article(f"p{number:02}", f"Page {number}", "Text.") for number in range(20)]
        found.put([Entry(article, "x") for article in articles], lambda entry: ())
        yield found


def test_a_trial_does_not_tell_which_side_is_which(store: Store) -> None:
    """No word of a model is in what a judge sees; the store knows, and the same seed deals the same sides."""
    sides = set()
    for seed in range(12):
        trial = start(store, Fake(), "Ada", ("two", "one"), "p10", rng=np.random.default_rng(seed), now=NOW)
        kept = store.trial(trial.id)
        assert (kept.model_a, kept.model_b) == ("one", "two")
        shown = kept.items_a if kept.left_is == "a" else kept.items_b
        assert tuple(item.id for item in trial.left) == shown
        text = repr(dataclasses.asdict(trial)).replace(trial.id, "")
        assert "'one'" not in text
        assert "'two'" not in text
        again = start(store, Fake(), "Ada", ("one", "two"), "p10", rng=np.random.default_rng(seed), now=NOW)
        assert (again.left, again.right) == (trial.left, trial.right)
        assert again.id != trial.id
        sides.add(kept.left_is)
    assert sides == {"a", "b"}


def test_pages_on_which_the_models_agree_are_passed_over_and_counted(store: Store) -> None:
    """Such a page tells nothing; where there is no other, that is said."""
    trial = start(store, Fake(same=15), "Ada", ("one", "two"), rng=np.random.default_rng(1), now=NOW)
    assert int(trial.source_id[1:]) >= 15
    assert trial.skipped > 0
    assert trial.drawn == "random"
    assert store.trial(trial.id).skipped == trial.skipped
    with pytest.raises(NotFoundError, match="do not differ on any of 20 pages"):
        start(store, Fake(same=20), "Ada", ("one", "two"), now=NOW)
    with pytest.raises(NotFoundError, match="do not differ on 'p03'"):
        start(store, Fake(same=20), "Ada", ("one", "two"), "p03", now=NOW)


def test_pages_where_models_differ_most_are_said_to_be_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn for their difference, pages are no fair sample: the trial says how it was drawn."""

    class Nearly(Fake):
        def blocks(self, model: str, source_id: str) -> list[str]:
            if source_id == "p07":
                return super().blocks(model, source_id)
            return ["p01", "p02"] if model == "one" else ["p02", "p01"]

    monkeypatch.setattr("simrec.pipeline.blind.LOOKED_AT", 20)
    trial = start(store, Nearly(), "Ada", ("one", "two"), drawn="differing", rng=np.random.default_rng(3), now=NOW)
    assert trial.drawn == "differing"
    assert trial.source_id == "p07"


def test_drafts_and_pages_that_were_judged_are_not_drawn(store: Store) -> None:
    """Only what readers see is drawn, and nobody judges a page twice unless they ask for it."""
    articles = [Article(f"p{n:02}", f"Page {n}", "Text.", status="draft") for n in range(2, 20)]
    store.put([Entry(article, "x") for article in articles], lambda entry: ())
    seen = set()
    for seed in range(2):
        trial = start(store, Fake(), "Ada", ("one", "two"), rng=np.random.default_rng(seed), now=NOW)
        judge(store, "Ada", trial.id, "tie", now=NOW)
        seen.add(trial.source_id)
    assert seen == {"p00", "p01"}
    with pytest.raises(NotFoundError):
        start(store, Fake(), "Ada", ("one", "two"), now=NOW)
    assert start(store, Fake(), "Ben", ("one", "two"), now=NOW).source_id in seen
    assert start(store, Fake(), "Ada", ("one", "two"), "p00", now=NOW).drawn == "asked"


def test_what_is_said_is_of_the_models_not_of_the_sides(store: Store) -> None:
    """Whichever side it was on, the model that was preferred has won; items become judgements with who and when."""
    for seed in range(6):
        trial = start(store, Fake(), "Ada", ("one", "two"), f"p{10 + seed}", rng=np.random.default_rng(seed), now=NOW)
        left = store.trial(trial.id).left_is
        judge(store, "Ada", trial.id, "left" if left == "a" else "right", now=NOW)
    trial = start(store, Fake(), "Ben", ("one", "two"), "p05", now=NOW)
    judge(store, "Ben", trial.id, "tie", [trial.left[0].id], [trial.right[1].id], now=NOW)
    found = tallies(store)[0]
    assert (found.a, found.b, found.wins, found.losses, found.ties, found.pages) == ("one", "two", 6, 0, 1, 7)
    assert found.judges == {"Ada": (6, 0, 0), "Ben": (0, 0, 1)}
    assert found.p == pytest.approx(2 / 64)
    assert found.share == pytest.approx(6.5 / 7)
    assert found.low < found.share <= found.high == 1.0
    said = {(one.target_id, one.grade, one.who, one.at) for one in store.judgements("editors")}
    assert said == {(trial.left[0].id, 1.0, "Ben", NOW), (trial.right[1].id, 0.0, "Ben", NOW)}
    assert [pick.target_id for pick in store.picks("editors")] == [trial.left[0].id]
    assert store.picks("imported") == []


def test_a_judgement_that_cannot_be_is_refused_and_nothing_is_stored(store: Store) -> None:
    """Twice, by another, of another item, for and against, or of nothing: each says what is wrong."""
    trial = start(store, Fake(), "Ada", ("one", "two"), "p05", now=NOW)
    item = trial.left[0].id
    with pytest.raises(NotFoundError, match="not there any more"):
        judge(store, "Ada", "nonsense", "left")
    with pytest.raises(ConflictError, match="somebody else"):
        judge(store, "Ben", trial.id, "left")
    with pytest.raises(UsageError, match="in neither block"):
        judge(store, "Ada", trial.id, "left", ["p19"])
    with pytest.raises(UsageError, match="accepted and rejected"):
        judge(store, "Ada", trial.id, "left", [item], [item])
    with pytest.raises(UsageError, match="prefer"):
        judge(store, "Ada", trial.id, "both")  # type: ignore[arg-type]
    assert store.comparisons() == []
    judge(store, "Ada", trial.id, "left")
    with pytest.raises(ConflictError, match="judged already"):
        judge(store, "Ada", trial.id, "right")
    assert len(store.comparisons()) == 1


def test_a_judgement_is_undone_as_other_acts_are(store: Store, tmp_path: Path) -> None:
    """By another editor: no tally and no pick has it, and its page is not drawn again for who knows what they said."""
    site = Workspace.open(tmp_path / "w")
    articles = [Article(f"p{n:02}", f"Page {n}", "Text.", status="draft") for n in range(1, 20)]
    store.put([Entry(article, "x") for article in articles], lambda entry: ())
    trial = start(store, Fake(), "Ada", ("one", "two"), now=NOW)
    twice = start(store, Fake(), "Ada", ("one", "two"), now=NOW)
    assert (store.acts(), twice.source_id) == ([], "p00")
    item = trial.left[0].id
    number = judge(store, "Ada", trial.id, "left", [item], now=NOW).act
    assert number == 1
    done = Desk(site, None, lambda: NOW).undo("Ben", number)
    assert (done.act.undoes, done.act.who, done.state.version, done.blocks, done.waiting) == (1, "Ben", 0, (), False)
    assert (tallies(store), store.picks("editors")) == ([], [])
    with pytest.raises(NotFoundError):
        start(store, Fake(), "Ada", ("one", "two"), now=NOW)
    assert start(store, Fake(), "Ben", ("one", "two"), now=NOW).source_id == "p00"
    with pytest.raises(ConflictError, match="the log tells for which model"):
        judge(store, "Ada", twice.id, "right", now=NOW)
    with pytest.raises(ConflictError, match="undone already, by act 2"):
        Desk(site, None).undo("Ada", number)
    Desk(site, None).undo("Ada", 2)
    assert [pick.target_id for pick in store.picks("editors")] == [item]
    assert tallies(store)[0].pages == 1


def test_a_comparison_is_of_two_models(store: Store) -> None:
    """One model, three, or another way to draw are mistakes."""
    for models in (("one",), ("one", "one"), ("one", "two", "three")):
        with pytest.raises(UsageError, match="of two models"):
            start(store, Fake(), "Ada", models)
    with pytest.raises(UsageError, match="'random' or 'differing'"):
        start(store, Fake(), "Ada", ("one", "two"), drawn="best")


def test_trials_that_nobody_judges_go(store: Store) -> None:
    """An open trial lasts a day; what was judged stays."""
    judged, open_ = (start(store, Fake(), "Ada", ("one", "two"), f"p0{n}", now=NOW) for n in (3, 4))
    judge(store, "Ada", judged.id, "left", now=NOW)
    start(store, Fake(), "Ada", ("one", "two"), "p05", now=NOW + timedelta(hours=25))
    assert store.trial(judged.id).preferred
    with pytest.raises(NotFoundError):
        store.trial(open_.id)


def test_the_interval_is_over_pages() -> None:
    """Twenty judges of one page are one page: the interval knows nothing of other pages."""
    one = Comparison("t", NOW, "Ada", "p00", "a", "b", ("x",), ("y",), "a", "random", preferred="a")
    many = [dataclasses.replace(one, trial=str(n), source_id=f"p{n:02}", preferred="ab"[n % 3 == 0]) for n in range(30)]
    found = tally("a", "b", many)
    assert found.share == pytest.approx(2 / 3)
    assert 0.3 < found.low < found.share < found.high < 0.95
    same = tally("a", "b", [one] * 20 + [dataclasses.replace(one, preferred="b")] * 10)
    assert (same.low, same.high, same.pages) == (same.share, same.share, 1)
    assert (tally("a", "b", []).low, tally("a", "b", []).p) == (0.0, 1.0)


def test_a_model_is_preferred_when_it_is_shown_to_be() -> None:
    """Neither one page nor twenty judges of it show that; six pages without a loss do, for whichever model won."""
    one = Comparison("t", NOW, "Ada", "p00", "a", "b", ("x",), ("y",), "a", "random", preferred="a")
    pages = [dataclasses.replace(one, trial=str(n), source_id=f"p{n:02}") for n in range(6)]
    lost = [dataclasses.replace(page, preferred="b") for page in pages]
    told = [tally("a", "b", said).preferred for said in ([], [one], [one] * 20, pages[:5], pages, lost)]
    assert told == [None, None, None, None, "a", "b"]
    assert tally("a", "b", [*pages, *lost]).preferred is None


def test_evaluate_tells_what_editors_preferred(site: Workspace) -> None:
    """`evaluate -w` has the tallies in its figures and in words, and its main figures are kept."""
    with site.store() as store, Looks(site, models=("tfidf", "hybrid")) as looks:
        trial = start(store, looks, "Ada", ("tfidf", "hybrid"), drawn="differing", now=NOW)
        judge(store, "Ada", trial.id, "left", now=NOW)
    with site.store() as store:
        before = len(store.measured(kind="evaluation"))
    values = evaluate(site, Task(models=("tfidf",))).as_json()
    (found,) = values["comparisons_by_editors"]
    assert {found["a"], found["b"]} == {"hybrid", "tfidf"}
    assert found["wins"] + found["losses"] == 1
    assert json.dumps(values)
    line = table(values).splitlines()[-1]
    assert line.startswith("editors, blind, 1 pages: hybrid ")
    assert line.endswith("sign test p 1.0000; 1 on pages that were not drawn at random")
    with site.store() as store:
        *_, kept = measured = store.measured(kind="evaluation")
    assert len(measured) == before + 1
    assert kept.model == "tfidf"
    assert kept.figures["mean"] == pytest.approx(values["models"]["tfidf"]["nDCG@10"]["mean"], abs=1e-4)
