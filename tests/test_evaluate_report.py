"""The report: what was measured, for people, safe to open and the same on every run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lxml.html
import numpy as np
import pytest

from simrec.errors import StoreError
from simrec.evaluate.compare import compare, interval, interval_of_all
from simrec.evaluate.measures import OF_ALL, per_source
from simrec.evaluate.report import render_report, write_report
from simrec.types import Article, Corpus


@dataclass
class Evaluated:
    """An evaluation made by hand."""

    protocol: dict[str, Any]
    models: dict[str, Any]
    comparisons: list[Any]
    corpus: Corpus
    sources: np.ndarray
    picks: list[frozenset[int]]
    runs: dict[str, np.ndarray]
    values: dict[str, Any]


def evaluated(models: tuple[str, ...] = ("tfidf", "hybrid"), n: int = 40, sections: int = 3) -> Evaluated:
    """Some sources, of which the first are answered worst."""
    articles = [
        Article(f"a{i:03}", f"Title {i}", "Body", section=f"S{i % sections}" if sections else None) for i in range(n)
    ]
    sources = np.arange(0, n, 2, dtype=np.int32)
    picks = [frozenset({(row + 1) % n, (row + 3) % n}) for row in sources.tolist()]
    rng = np.random.default_rng(0)
    runs = {}
    for model in models:
        run = np.array([rng.permutation(n)[:10] for _ in sources], dtype=np.int32)
        run[5:, 0] = [min(p) for p in picks[5:]]
        run[0] = -1
        runs[model] = run
    values = {model: {**per_source(run, picks, 10), "ild@5": np.full(len(sources), 0.5)} for model, run in runs.items()}
    found = {
        model: {
            **{m: interval(v) for m, v in values[model].items()},
            **{m: interval_of_all(runs[model], n, m) for m in OF_ALL},
        }
        for model in models
    }
    tests = (
        [compare(models[1], models[0], m, values[models[1]][m], values[models[0]][m]) for m in ("nDCG@10",)]
        if len(models) > 1
        else []
    )
    protocol: dict[str, Any] = {"split": "kfold", "k": 10, "depth": 10, "as_published": False, "rules": False}
    protocol |= {"articles": n, "sources": len(sources), "picks": 2 * len(sources), "dropped_picks": {"of itself": 2}}
    protocol |= {"folds": [{"train": 16, "test": 4}], "settings": {"x": "<b>"}}
    return Evaluated(protocol, found, tests, Corpus(articles), sources, picks, runs, values)


def test_the_report_has_every_part() -> None:
    """Summary, protocol, measures, plots, comparisons, sections, worst sources."""
    tree = lxml.html.fromstring(render_report(evaluated()))
    assert tree.xpath("//h2/@id") == ["measures", "comparisons", "sections", "worst"]
    assert "reaches nDCG@10" in tree.xpath("string(//*[@class='summary'])")
    assert len(tree.xpath("//figure/*[name()='svg']")) == 2
    assert all(svg.get("aria-label") for svg in tree.xpath("//figure/*[name()='svg']"))
    assert "2 of itself" in tree.text_content()
    assert len(tree.xpath("//h2[@id='sections']/following::table[1]/tbody/tr")) == 3


def test_the_worst_sources_come_with_their_picks_and_what_was_given() -> None:
    """The lowest first; picks with their place, or that they were not found."""
    tree = lxml.html.fromstring(render_report(evaluated()))
    cases = tree.xpath("//section[@class='case']")
    assert len(cases) == 20
    text = " ".join(cases[0].text_content().split())
    assert text.startswith("Title 0 a000")
    assert "not in the first 10" in text
    assert "nothing: no article shares a word with it" in text
    assert any("(a pick)" in case.text_content() for case in cases)


def test_the_report_is_the_same_bytes_and_needs_nothing_else() -> None:
    """No date, no script, no reference to another file."""
    one, two = render_report(evaluated()), render_report(evaluated())
    assert one == two
    tree = lxml.html.fromstring(one)
    assert tree.xpath("//script") == tree.xpath("//link") == tree.xpath("//@src") == []


def test_hostile_titles_and_sections_are_text() -> None:
    """Nothing of what publishers write becomes markup."""
    found = evaluated()
    bad = "<script>alert(1)</script>"
    articles = [Article(f"a{i:03}", bad, bad, section=bad) for i in range(40)]
    found.corpus = Corpus(articles)
    tree = lxml.html.fromstring(render_report(found))
    assert tree.xpath("//script") == []
    assert bad in tree.text_content()


@pytest.mark.parametrize("sections", [0, 1, 39])
def test_sites_with_no_or_many_sections(sections: int) -> None:
    """No section is one row; beyond twenty the small ones share one."""
    tree = lxml.html.fromstring(render_report(evaluated(sections=sections)))
    rows = tree.xpath("//h2[@id='sections']/following::table[1]/tbody/tr/th/text()")
    assert len(rows) == {0: 1, 1: 1, 39: 20}[sections]


def test_one_model_is_not_compared() -> None:
    """No empty table of comparisons, no star."""
    html = render_report(evaluated(models=("tfidf",)))
    assert 'id="comparisons"' not in html
    assert "0.500 ★" not in html


def test_a_report_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """And one that can is written whole, with its folder."""
    write_report(evaluated(), tmp_path / "new" / "report.html")
    assert (tmp_path / "new" / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="--report"):
        write_report(evaluated(), tmp_path / "file" / "report.html")
