"""Floors under the quality on public corpora; those of the sample newsroom are held by `simrec evaluate --gate`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from simrec.evaluate.gate import broken, read_floors
from simrec.pipeline.evaluate import Task, evaluate_files

FLOORS = Path(__file__).parent / "floors.toml"


@pytest.mark.gate
@pytest.mark.corpora
@pytest.mark.parametrize("name", [name for name in read_floors(FLOORS) if name != "newsroom"])
def test_words_on_the_public_corpora_do_not_fall(name: str) -> None:
    """TF-IDF reaches its floors on real editors' picks, where these are there, and they are the ones measured."""
    folder = Path(os.environ.get("SIMREC_CORPORA") or "nowhere") / name
    if not (folder / "articles.jsonl").exists():
        pytest.skip(f"the corpus {name} is not in the folder that SIMREC_CORPORA names")
    found = evaluate_files(folder / "articles.jsonl", folder / "picks.csv", Task(models=("tfidf",)))
    assert broken(FLOORS, {name: read_floors(FLOORS)[name]}, found.as_json()) == []
