"""The quality gate: figures that must not fall, on corpora that must not change unseen."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from simrec.pipeline.evaluate import Evaluation, Task, evaluate_files
from simrec.pipeline.sample import newsroom

FLOORS: dict[str, Any] = json.loads((Path(__file__).parent / "floors.json").read_text(encoding="utf-8"))
pytestmark = [pytest.mark.gate, pytest.mark.sentence]


@pytest.fixture(scope="session")
def evaluated() -> Evaluation:
    """The sample newsroom, by `group`: the strict split."""
    return evaluate_files(newsroom() / "articles.jsonl", newsroom() / "picks.csv", Task(split="group"))


def test_the_corpus_is_the_one_that_the_floors_were_measured_on(evaluated: Evaluation) -> None:
    """Another corpus has other floors: change both, and say why."""
    for name in ("articles_hash", "picks_hash"):
        assert evaluated.protocol[name] == FLOORS["newsroom"][name]


@pytest.mark.parametrize("model", FLOORS["newsroom"]["nDCG@10"])
def test_quality_on_the_newsroom_does_not_fall(evaluated: Evaluation, model: str) -> None:
    """Each model reaches its floor."""
    assert evaluated.models[model]["nDCG@10"].mean >= FLOORS["newsroom"]["nDCG@10"][model]


def test_hybrid_is_no_worse_than_its_parts(evaluated: Evaluation) -> None:
    """Never more than 2% below the better of words and sentence vectors."""
    means = {model: found["nDCG@10"].mean for model, found in evaluated.models.items()}
    assert means["hybrid"] >= 0.98 * max(means["tfidf"], means["sentence"])


@pytest.mark.corpora
@pytest.mark.parametrize("name", [name for name in FLOORS if name != "newsroom"])
def test_words_on_the_public_corpora_do_not_fall(name: str) -> None:
    """TF-IDF reaches its floor on real editors' picks, where these are there."""
    folder = Path(os.environ.get("SIMREC_CORPORA") or "nowhere") / name
    if not (folder / "articles.jsonl").exists():
        pytest.skip(f"the corpus {name} is not in the folder that SIMREC_CORPORA names")
    found = evaluate_files(folder / "articles.jsonl", folder / "picks.csv", Task(models=("tfidf",)))
    assert found.models["tfidf"]["nDCG@10"].mean >= FLOORS[name]["nDCG@10"]["tfidf"]
