"""The executed tutorial: it runs clean, and shows what it promises."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import nbformat
import pytest

DOCS = Path(__file__).parents[1] / "docs"


def load_runner() -> Any:
    """docs/run_notebook.py as a module."""
    spec = importlib.util.spec_from_file_location("run_notebook", DOCS / "run_notebook.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(notebook: Any) -> str:
    """All text that the cells show."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


def check(notebook: Any) -> None:
    """What a reader must find."""
    text = shown(notebook)
    assert "mill-bridge-closed" in text
    for name in ("tfidf", "sentence", "hybrid", "mine", "nDCG@10", "held-out sources"):
        assert name in text
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not any(output.output_type == "error" for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)


def test_the_saved_notebook_is_executed_and_shows_no_machine() -> None:
    """Outputs are saved, without paths, counters or times, so that a diff shows what changed."""
    runner = load_runner()
    notebook = nbformat.read(DOCS / "notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    check(notebook)
    assert runner.leaks(notebook) == []
    assert nbformat.writes(runner.strip(nbformat.from_dict(dict(notebook)))) == nbformat.writes(notebook)


@pytest.mark.sentence
@pytest.mark.filterwarnings("ignore")  # of jupyter's own client; what the cells warn of is in their outputs
def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every cell runs in a fresh kernel, and a ranker of one's own is above the default."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    notebook = load_runner().run(nbformat.read(DOCS / "notebook.ipynb", as_version=4))
    check(notebook)
    figures = [line.split() for line in shown(notebook).split("\n")]
    means = {row[0]: float(row[2]) for row in figures if len(row) > 3 and row[0] in ("hybrid", "mine")}
    assert means["mine"] > means["hybrid"]
