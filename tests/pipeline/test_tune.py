"""Tuning: what it may look at, what it changes, and that nothing of it is lost."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simrec.cli import main
from simrec.errors import ModelError, StoreError
from simrec.evaluate.compare import Comparison, Interval
from simrec.evaluate.protocol import folds, truth
from simrec.pipeline import tune as tuning
from simrec.pipeline.bench import Bench
from simrec.pipeline.confirm import Confirmed, Sources, decide, rank
from simrec.pipeline.search import Searcher
from simrec.pipeline.site import Site
from simrec.pipeline.space import Stage, make_stages, with_values
from simrec.pipeline.tune import TuneTask, tune_corpus
from simrec.pipeline.tuned import EVIDENCE, STUDY, tune
from simrec.pipeline.workspace import Workspace
from simrec.settings import Settings, load_settings
from simrec.types import Corpus, Pick, no_progress

QUICK = TuneTask(trials=3)


@pytest.fixture(scope="module")
def newsroom_picks(built: Path) -> tuple[Corpus, list[Pick]]:
    """The newsroom's articles and picks."""
    with Workspace.open(built).store() as store:
        return Corpus(store.articles()), store.picks()


def stage(trials: int) -> Stage:
    """One small stage."""
    return Stage("fusion", make_stages(Settings(), 1, embeddings=False)[1].grid, trials)


def made_up(settings: Settings) -> float:
    """A measure that takes no time: best at `rank.age` 1.0, and with tags."""
    return 1 - (settings.rank.age - 1.0) ** 2 + 0.1 * settings.rank.tags


def search(file: Path | None, trials: int, measure: Callable[[Settings], float] = made_up) -> Any:
    """Runs a search of the small stage."""
    return Searcher(file, "key", no_progress).search(stage(trials), Settings(), measure, float("inf"))


def test_a_stopped_search_goes_on_and_ends_as_one_without_a_break(tmp_path: Path) -> None:
    """Ctrl-C in the midst of a trial loses that trial; the next call makes those that would have come anyway."""
    calls = 0

    def stopped(settings: Settings) -> float:
        nonlocal calls
        calls += 1
        if calls == 8:
            raise KeyboardInterrupt
        return made_up(settings)

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "study.db", 14, stopped)
    resumed = search(tmp_path / "study.db", 14)
    whole = search(None, 14)
    assert (resumed.resumed, whole.resumed) == (7, 0)
    assert resumed.trials == whole.trials
    assert resumed.best == whole.best


def test_a_finished_search_tries_nothing_again_and_more_trials_go_on_from_it(tmp_path: Path) -> None:
    """The same call again measures nothing; a larger number of trials adds to what is there."""
    first = search(tmp_path / "study.db", 5)

    def never(settings: Settings) -> float:
        raise AssertionError("a trial was made again")

    assert search(tmp_path / "study.db", 5, never).trials == first.trials
    more = search(tmp_path / "study.db", 7)
    assert more.resumed == 5
    assert more.trials[:5] == first.trials


def test_the_first_trial_is_what_is_set_now_and_time_ends_a_search() -> None:
    """However little time there is, the settings of now are measured, whether or not the grid lists their values."""
    now = with_values(Settings(), {"rank.age": 0.37})
    grid = make_stages(now, 1, embeddings=False)[1].grid
    found = Searcher(None, "key", no_progress).search(Stage("fusion", grid, 9), now, made_up, until=-1)
    assert [trial["settings"]["rank.age"] for trial in found.trials] == [0.37]
    assert found.best == now


def test_a_damaged_study_says_what_to_do(tmp_path: Path) -> None:
    """One line that names the file and the option."""
    (tmp_path / "study.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match=r"study\.db cannot be used .*: run `simrec tune --fresh`"):
        search(tmp_path / "study.db", 2)


def test_without_optuna_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is optional, and its absence is no crash."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ModelError, match=r"simrec\[tune\]"):
        Searcher(None, "key", no_progress)


@pytest.mark.sentence
def test_the_bench_measures_what_the_product_ranks(newsroom_picks: tuple[Corpus, list[Pick]], built: Path) -> None:
    """A trial's quick nDCG@10 is that of the site's own fusion, source by source, under settings of every kind."""
    corpus, picks = newsroom_picks
    known = truth(corpus, picks)
    sources = Sources(known.sources[::3], known.picks[::3])
    bench = Bench(corpus, *sources, built / "vectors")
    others = {
        "tfidf.ngrams": 1,
        "sentence.title_weight": 0.6,
        "rank.tags": 1.0,
        "rank.back": 0.2,
        "rank.candidates": 50,
    }
    for settings in (Settings(), with_values(Settings(), others)):
        site = Site(corpus, settings, built / "vectors")
        np.testing.assert_allclose(bench.values(settings), rank(site, "fusion", sources), atol=1e-9)


@pytest.mark.sentence
def test_held_out_picks_choose_nothing(newsroom_picks: tuple[Corpus, list[Pick]], built: Path) -> None:
    """With the held-out sources' picks dealt anew the same settings are found, from the same trials."""
    corpus, picks = newsroom_picks
    known = truth(corpus, picks)
    test = {corpus.ids[row] for row in known.sources[folds(known, corpus, "kfold")[0].test].tolist()}
    others = [id_ for id_ in corpus.ids if id_ not in test]
    rng = np.random.default_rng(1)
    planted = [
        Pick(pick.source_id, str(rng.choice(others)), pick.rank) if pick.source_id in test else pick for pick in picks
    ]
    found = [tune_corpus(corpus, of, Settings(), QUICK, cache=built / "vectors") for of in (picks, planted)]
    assert found[0].found == found[1].found
    assert [searched.trials for searched in found[0].searched] == [searched.trials for searched in found[1].searched]
    assert found[0].tuning == found[1].tuning
    assert found[0].confirmed != found[1].confirmed


@pytest.mark.sentence
def test_better_settings_are_written_comments_kept_and_the_evidence_beside_them(
    site: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """From bad settings tune finds better ones; what it does not change stays as it was written."""
    (site.path / "simrec.toml").write_text(
        "# ours\n[rank]\nsentence = 0.0 # no\ntags = 0.0\nage = 3.0\nback = 0.5 # so\n"
    )
    arguments = ["tune", "-w", str(site.path), "--trials", "12"]
    assert main([*arguments, "--dry-run", "--json"]) == 0
    dry = json.loads(capsys.readouterr().out)
    assert dry["changes"]
    assert not dry["written"]
    assert not (site.path / "tune.md").exists()
    assert load_settings(site.path).rank.sentence == 0.0
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["changes"] == dry["changes"]
    text = (site.path / "simrec.toml").read_text()
    assert text.startswith("# ours\n")
    assert "back = 0.5 # so" in text or "rank.back" in found["changes"]
    settings = load_settings(site.path).model_dump()
    for key, value in found["changes"].items():
        section, name = key.split(".")
        assert settings[section][name] == value
        assert f"{name} = " in (site.path / "tune.md").read_text() or f"`{key}`" in (site.path / "tune.md").read_text()
    evidence = json.loads((site.path / EVIDENCE).read_text())
    assert len(evidence["stages"][1]["trials"]) == 12
    gain = found["held_out"][-1]["gain"]
    assert gain["delta"] > gain["standard_error"]


@pytest.mark.sentence
def test_fresh_forgets_the_trials(site: Workspace) -> None:
    """`--fresh` starts again, from a study that cannot be read, too."""
    (site.path / STUDY).parent.mkdir(parents=True)
    (site.path / STUDY).write_bytes(b"broken" * 1000)
    with pytest.raises(StoreError):
        tune(site, TuneTask(trials=1))
    assert tune(site, TuneTask(trials=1), fresh=True, dry_run=True).searched[0].resumed == 0


@pytest.mark.parametrize(
    ("delta", "error", "accepted"), [(0.02, 0.01, True), (0.02, 0.03, False), (-0.02, 0.001, False), (0.0, 0.0, False)]
)
def test_nothing_changes_without_a_clear_gain_on_held_out_sources(delta: float, error: float, accepted: bool) -> None:
    """A gain within its own standard error is noise: the settings of now stay, and the reason says so."""
    now = Interval(0.5, 0.4, 0.6)
    gain = Comparison("after", "before", "nDCG@10", delta, delta - 2 * error, delta + 2 * error, 0.5)
    found = decide({"rank.age": 1.0}, Confirmed("hybrid", now, now, gain, error))
    assert found[0] is accepted
    assert ("nothing is changed" in found[1]) is not accepted


def test_changes_that_gain_nothing_are_taken_back() -> None:
    """Only settings that carry the gain are changed: one that moved by chance goes back."""

    class Fake:
        def values(self, settings: Settings) -> np.ndarray:
            return (
                np.array([0.5, 0.7, 0.6]) + 0.1 * settings.rank.tags + 1e-4 * np.array([1, -1, 0.5]) * settings.rank.age
            )

        def mean(self, settings: Settings) -> float:
            return float(self.values(settings).mean())

    after = with_values(Settings(), {"rank.tags": 1.0, "rank.age": 2.0})
    bench: Any = Fake()
    found = tuning._simplify(bench, Settings(), after, ["rank.tags", "rank.age", "rank.back"])
    assert found == with_values(Settings(), {"rank.tags": 1.0})


def test_too_few_picks_and_bad_options_are_usage_errors(
    make_site: Callable[..., Workspace], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and one line."""
    articles = "".join(
        json.dumps({"id": f"a{n}", "title": f"News {n}", "body": "Of the day."}) + "\n" for n in range(4)
    )
    workspace = make_site(articles, "a0,a1,1\n")
    for options, told in (
        ([], "1 pages with picks are too few to tune on, 30 are needed"),
        (["--trials", "0"], "--trials must be at least 1"),
        (["--minutes", "-1"], "--minutes must be more than 0"),
    ):
        assert main(["tune", "-w", str(workspace.path), *options]) == 2
        err = capsys.readouterr().err
        assert told in err
        assert err.count("\n") == 1


@pytest.mark.sentence
def test_a_set_diversity_stays(newsroom_picks: tuple[Corpus, list[Pick]], built: Path) -> None:
    """How varied blocks should be is a matter of taste: a value that somebody set is not touched."""
    corpus, picks = newsroom_picks
    settings = with_values(Settings(), {"policy.diversity": 0.2})
    found = tune_corpus(corpus, picks, settings, TuneTask(trials=1), cache=built / "vectors")
    assert found.settings.policy.diversity == 0.2
    assert not found.varied
    assert "policy.diversity is 0.2 already" in found.why
