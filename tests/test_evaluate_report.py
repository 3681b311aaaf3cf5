"""The report: what was measured, for people, safe to open and the same on every run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import lxml.html
import numpy as np
import pytest

from simrec.errors import SimrecError
from simrec.evaluate.compare import Comparison, Interval, compare, correct, interval, interval_of_all
from simrec.evaluate.measures import OF_ALL, per_source
from simrec.evaluate.report import render_report, write_report
from simrec.evaluate.slices import measure, slices
from simrec.types import NO_ROW, Article, Corpus

MAIN = "nDCG@10"
BAD = "<script>alert('1')</script> & \"co\""


@dataclass
class Evaluated:
    """An evaluation made by hand."""

    protocol: dict[str, Any]
    models: dict[str, dict[str, Interval]]
    comparisons: list[Comparison]
    corpus: Corpus
    sources: np.ndarray
    picks: list[frozenset[int]]
    runs: dict[str, np.ndarray]
    values: dict[str, dict[str, np.ndarray]]
    slices: Sequence[dict[str, Any]] = ()
    candidates: Sequence[Found] = ()
    learned: Sequence[dict[str, Any]] = ()
    importances: dict[str, float] = field(default_factory=dict)
    features: dict[str, Feature] = field(default_factory=dict)
    curve: Sequence[Point] = ()
    ratings: dict[str, Interval] = field(default_factory=dict)


class Found(NamedTuple):
    """A source of candidates."""

    source: str
    candidates: int
    recall: float


class Point(NamedTuple):
    """A point of a learning curve."""

    pages: int
    mean: float
    low: float
    high: float


class Feature(NamedTuple):
    """A feature."""

    group: str
    words: str
    meaning: str


def article(row: int, **columns: Any) -> Article:
    """The article of a row."""
    return Article(**{"id": f"a{row:04}", "title": f"Title {row}", "body": "Body", **columns})


def evaluated(articles: Sequence[Article], picks: dict[int, set[int]], runs: dict[str, list[list[int]]]) -> Evaluated:
    """Rankings of the sources, which are the keys of `picks`, measured; short rankings are filled up with -1."""
    depth = 20
    sources = np.array(sorted(picks), dtype=np.int32)
    truth = [frozenset(picks[row]) for row in sources.tolist()]
    arrays = {
        model: np.array([(row + [NO_ROW] * depth)[:depth] for row in run], dtype=np.int32)
        for model, run in runs.items()
    }
    values = {model: {**per_source(run, truth, 10), "ild@5": np.full(len(run), 0.5)} for model, run in arrays.items()}
    models = {
        model: {name: interval(found) for name, found in values[model].items()}
        | {name: interval_of_all(run, len(articles), name) for name in OF_ALL}
        for model, run in arrays.items()
    }
    names = list(runs)
    pairs = [(b, a) for place, a in enumerate(names) for b in names[place + 1 :]]
    comparisons = [compare(a, b, MAIN, values[a][MAIN], values[b][MAIN]) for a, b in pairs]
    protocol = {"split": "kfold", "k": 10, "depth": depth, "as_published": False, "rules": False}
    protocol |= {"articles": len(articles), "sources": len(sources), "picks": sum(map(len, truth))}
    protocol |= {"dropped_picks": {"of itself": 2}, "folds": [{"train": 16, "test": 4}], "articles_hash": "cafe"}
    protocol |= {"settings": {"tfidf": {"title_weight": 3, "note": "<b>"}}}
    corpus = Corpus(articles)
    of_main = {model: found[MAIN] for model, found in values.items()}
    sliced = measure(slices(corpus, sources, truth), of_main)
    return Evaluated(protocol, models, correct(comparisons), corpus, sources, truth, arrays, values, sliced)


def site(models: Sequence[str] = ("good", "poor"), s: int = 40, sections: int = 3) -> Evaluated:
    """s sources with two picks each among 2 s articles; the first model finds them at once, the others late."""
    articles = [article(row, section=f"S{row % sections}" if sections else None) for row in range(2 * s)]
    picks = {row: {s + row, s + (row + 1) % s} for row in range(s)}
    runs = {
        model: [sorted(set(range(s, s + 6 * number)) - picks[row]) + sorted(picks[row]) for row in range(s)]
        for number, model in enumerate(models)
    }
    return evaluated(articles, picks, runs)


def full() -> Evaluated:
    """A site where everything was measured."""
    found = site(("hybrid", "tfidf", "learned"))
    found.candidates = [
        Found("tfidf", 100, 0.7),
        Found("tags", 40, 0.25),
        Found("mine", 40, 0.3),
        Found("all", 200, 0.9),
    ]
    found.learned = [
        {"below": "hybrid", "weight": 0.75, "why": "it is better", "evidence": {"hybrid": 0.3, "75% ranker": 0.4}},
        {"below": "hybrid", "weight": 0.0, "why": "nothing is clearly better", "evidence": {}},
    ]
    found.protocol["folds"] = [{"train": 16, "test": 4}, {"train": 18, "test": 2}]
    found.importances = {"picked": 0.5, "title_words": 0.3, "new_one": 0.2, "unused": 0.0}
    found.features = {
        "picked": Feature("picks", "is often picked", "pages that pick it"),
        "title_words": Feature("titles", "has a similar title", "cosine of the titles' stems"),
        "unused": Feature("age", "is newer", "days"),
    }
    found.curve = [Point(0, 0.3, 0.2, 0.4), Point(8, 0.28, 0.2, 0.4), Point(16, 0.35, 0.25, 0.45)]
    found.ratings = {"hybrid": Interval(0.75, 0.6, 0.8), "tfidf": Interval(-0.1, -0.3, 0.1)}
    return found


def page(found: Evaluated) -> lxml.html.HtmlElement:
    """The report's tree."""
    return lxml.html.document_fromstring(render_report(found))


def text(element: lxml.html.HtmlElement) -> str:
    """An element's text, white space as one space."""
    return " ".join(element.text_content().split())


def rows(tree: lxml.html.HtmlElement, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, row by row."""
    found = tree.xpath(f"//*[@id='{heading}']/following::table[1]/tbody/tr")
    return [[text(cell) for cell in row] for row in found]


ALWAYS = ["models", "pages", "blocks", "measures", "beyond", "protocol"]
EVERY = [*ALWAYS[:3], "curve", "learned", "features", "candidates", "ratings", *ALWAYS[3:]]


def test_the_report_has_every_part_that_was_measured() -> None:
    """Each under its heading, with its way there from the top, a figure or a table in it."""
    tree = page(full())
    assert tree.xpath("//h2/@id") == EVERY
    assert tree.xpath("//nav//a/@href") == [f"#{name}" for name in EVERY]
    assert all(
        tree.xpath(f"//section[@aria-labelledby='{n}']//*[self::table or self::figure or self::ol]") for n in EVERY
    )
    assert tree.xpath("//figure/*[name()='svg']/@aria-label") != []
    assert len(tree.xpath("//figure/*[name()='svg']")) == 4
    protocol = dict(rows(tree, "protocol"))
    assert protocol["sources"] == "40"
    assert protocol["picks left out"] == "2 of itself"
    assert protocol["split"].startswith("kfold: ")
    details = text(tree.xpath("//section[@aria-labelledby='protocol']//details")[0])
    assert '"articles_hash": "cafe"' in details
    assert '"note": "<b>"' in details


def test_what_was_not_measured_has_no_part() -> None:
    """Neither heading nor way there; a site whose pages are all of a kind has no part about kinds."""
    assert page(site()).xpath("//h2/@id") == ALWAYS
    found = site()
    found.slices = []
    tree = page(found)
    assert tree.xpath("//h2/@id") == [name for name in ALWAYS if name != "pages"]
    assert "#pages" not in tree.xpath("//nav//a/@href")


@pytest.mark.parametrize("part", ["candidates", "learned", "importances", "curve", "ratings"])
def test_each_part_stands_for_itself(part: str) -> None:
    """One that is missing takes no other with it."""
    found = full()
    setattr(found, part, type(getattr(found, part))())
    name = {"importances": "features"}.get(part, part)
    assert page(found).xpath("//h2/@id") == [other for other in EVERY if other != name]


def test_the_verdict_names_the_best_model_and_its_lead_over_the_next() -> None:
    """The lead is the best model's over the second best, whatever the order in which they were compared."""
    tree = page(site(("good", "poor", "worse")))
    assert text(tree.xpath("//*[@class='badge']")[0]) == "✔ A clear winner"
    summary = text(tree.xpath("//*[@class='summary']")[0])
    assert summary.startswith("good is the best of 3 models: it reaches nDCG@10 1.000 (95% interval 1.000 to 1.000), ")
    assert "more than poor, the next. This is more than chance (95% interval of the difference 0." in summary
    assert summary.endswith("p < 0.001, corrected for 3 comparisons).")


def test_the_verdict_says_when_a_lead_is_not_clear() -> None:
    """A difference whose interval includes 0 is no lead, and has no mark among the comparisons."""
    found = site()
    found.comparisons = [Comparison("poor", "good", MAIN, -0.01, -0.03, 0.01, 0.4)]
    tree = page(found)
    assert text(tree.xpath("//*[@class='badge']")[0]) == "≈ No clear winner"
    expected = "may be chance (95% interval of the difference −0.010 to 0.030, p = 0.400)"
    assert expected in text(tree.xpath("//*[@class='summary']")[0])
    assert rows(tree, "comparisons") == [
        ["good − poor", "no clear difference", "+0.010", "−0.010 to +0.030", "0.400", "0.400"]
    ]


def test_a_lead_that_the_correction_takes_away_is_not_clear() -> None:
    """p is Holm's wherever there is one: among several pairs one looks clear by chance."""
    found = site()
    found.comparisons = [Comparison("good", "poor", MAIN, 0.02, 0.001, 0.04, 0.03, 0.09)]
    tree = page(found)
    assert text(tree.xpath("//*[@class='badge']")[0]) == "≈ No clear winner"
    assert "p = 0.090" in text(tree.xpath("//*[@class='summary']")[0])
    assert rows(tree, "comparisons")[0][1] == "no clear difference"


def test_models_that_were_not_compared_have_no_winner() -> None:
    """Two means alone say nothing of chance."""
    found = site()
    found.comparisons = []
    tree = page(found)
    assert text(tree.xpath("//*[@class='badge']")[0]) == "≈ Not tested against each other"
    assert "poor, the next, 0." in text(tree.xpath("//*[@class='summary']")[0])


def caveats(found: Evaluated) -> list[str]:
    """What the verdict asks to bear in mind."""
    return [text(item) for item in page(found).xpath("//ul[@class='caveats']/li")]


def test_the_verdict_says_what_to_bear_in_mind() -> None:
    """Few sources, unjudged items, kinds of pages that got worse, folds without learning; only what is the case."""
    found = full()
    found.models["hybrid"]["Judged@10"] = Interval(0.2, 0.15, 0.25)
    told = " ".join(caveats(found))
    assert "Only 40 pages were tested" in told
    assert "Of the first 10 articles that hybrid names, 20% are editors' picks." in told
    assert "In 1 of 2 folds too little was gained by learning" in told
    assert "clearly worse" not in told
    big = site(s=60)
    big.protocol["rules"] = True
    big.models["good"][f"Judged@{10}"] = Interval(0.95, 0.9, 1.0)
    assert caveats(big) == []


def test_the_best_models_figures_stand_on_top() -> None:
    """The main measure, the share of picks found, the pages with a pick, and how many were tested."""
    found = [text(figure) for figure in page(site()).xpath("//dl[@class='keys']//dd")]
    assert found == ["1.000", "100%", "100%", "40"]


def test_measures_have_intervals_an_explanation_and_a_mark_for_the_best() -> None:
    """The best mean has a star, the lowest for gini, none for ild, which has no better end."""
    tree = page(site())
    found = rows(tree, "measures") + rows(tree, "beyond")
    by_name = {cells[0]: cells[1:] for cells in found}
    assert [cells[0] for cells in rows(tree, "beyond")] == ["ild@5", *OF_ALL]
    assert by_name[MAIN][0].startswith("1.000 ★")
    assert "★" not in by_name[MAIN][1]
    assert ["★" in cell for cell in by_name["gini@5"][:2]] == [True, False]
    assert "★" not in "".join(by_name["ild@5"])
    assert "first 20" in by_name["RR"][2]
    assert all(cells[-1] for cells in found)


def test_comparisons_are_the_better_model_less_the_other_best_models_first() -> None:
    """In whatever order and direction they were made; other measures stand folded, below the measures."""
    found = site(("good", "poor", "worse"))
    found.comparisons += [Comparison("poor", "good", "RR", -0.5, -0.6, -0.4, 0.001, 0.002)]
    tree = page(found)
    assert [cells[:2] for cells in rows(tree, "comparisons")] == [
        ["good − poor", "● good is better"],
        ["good − worse", "● good is better"],
        ["poor − worse", "● poor is better"],
    ]
    others = tree.xpath("//section[@aria-labelledby='measures']//details//tbody/tr")
    assert [text(cell) for cell in others[0]][:3] == ["poor − good", "RR", "● good is better"]


def test_plots_have_texts_for_those_who_do_not_see_them() -> None:
    """Each has a title and a label, text is text, and no id stands twice in the page."""
    tree = page(site())
    for svg in tree.xpath("//figure/*[name()='svg']"):
        assert svg.get("role") == "img"
        assert svg.get("aria-label") == svg.xpath("string(*[name()='title'])") != ""
        assert "good" in svg.xpath(".//*[name()='text']/text()")
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    for reference in tree.xpath("//*[name()='use']/@*[name()='xlink:href']"):
        assert reference[1:] in ids


def test_model_names_that_the_plots_cannot_write_are_numbered() -> None:
    """Signs that the drawing's font lacks, or that mean mathematics to matplotlib, harm nothing."""
    tree = page(site(("模型", "a$b$<c")))
    labels = tree.xpath("//figure//*[name()='text']/text()")
    assert "model 1" in labels
    assert "a$b$<c" in labels
    assert "模型" in tree.xpath("//h3[@id='gains']")[0].text


def block_of(case: lxml.html.HtmlElement, number: int) -> list[str]:
    """The lines of a model's block in a case."""
    return [text(li) for li in case.xpath(f"(.//div[@class='given'])[{number}]//li")]


def test_the_worst_sources_come_with_their_picks_and_what_was_given() -> None:
    """Lowest value first, then most picks, then by id; picks with their rank, answers with a word for a hit."""
    articles = [article(row, section="News" if row == 1 else None) for row in range(40)]
    picks = {0: {30}, 1: {30, 31, 32}, 2: {33}, 3: {34, 35}}
    runs = {"m": [[10, 11], [10, *range(12, 22), 31], [], [9, 34]]}
    tree = page(evaluated(articles, picks, runs))
    assert tree.xpath("//section[@aria-labelledby='blocks']/h3/@id") == ["failures"]
    cases = tree.xpath("//section[@class='case']")
    assert [text(case.xpath("h4")[0]) for case in cases] == ["Title 1", "Title 0", "Title 2", "Title 3"]
    assert "News · id a0001" in text(cases[0])
    assert text(cases[0].xpath(".//h5")[1]) == "m 0.000"
    assert [text(li) for li in cases[0].xpath(".//ul/li")] == [
        "Title 31 m: rank 12",
        "Title 30 m: not in the first 20",
        "Title 32 m: not in the first 20",
    ]
    assert block_of(cases[0], 1) == [f"Title {row}" for row in (10, 12, 13, 14, 15)]
    assert "Nothing: the model has no answer here." in text(cases[2])
    assert block_of(cases[3], 1) == ["Title 9", "Title 34 ✓ pick"]


def contrast() -> Evaluated:
    """30 sources: on the first 6 `b` is far better, on the next 3 `a` is, elsewhere both are the same; b is best."""
    articles = [article(row, section="A" if row < 6 else "B" if row < 12 else "C") for row in range(80)]
    picks = {row: {40 + row} for row in range(30)}
    late = [[70, 71, 72, 73, 74, 75, 40 + row] for row in range(30)]
    soon = [[40 + row, 70] for row in range(30)]
    a = [late[row] if row < 6 else soon[row] if row < 9 else [79, 40 + row] for row in range(30)]
    b = [soon[row] if row < 6 else late[row] if row < 9 else [79, 40 + row] for row in range(30)]
    return evaluated(articles, picks, {"a": a, "b": b})


def test_blocks_stand_side_by_side_where_the_best_model_gains_and_where_it_loses() -> None:
    """Four pages of each kind and none twice; the block of the best model first; each pick marked in a word."""
    tree = page(contrast())
    assert text(tree.xpath("//h3[@id='gains']")[0]) == "Where b gains most over a"
    by_kind: dict[str, list[str]] = {}
    for case in tree.xpath("//section[@class='case']"):
        by_kind.setdefault(case.get("aria-labelledby").split("-")[0], []).append(text(case.xpath("h4")[0]))
    assert by_kind["gains"] == [f"Title {row}" for row in range(4)]
    assert by_kind["losses"] == [f"Title {row}" for row in range(6, 9)]
    assert by_kind["typical"] == [f"Title {row}" for row in range(13, 17)]
    assert len({title for titles in by_kind.values() for title in titles}) == 15
    gain = tree.xpath("//section[@aria-labelledby='gains-1']")[0]
    assert [text(heading) for heading in gain.xpath(".//h5")] == ["Editors picked 1", "b 1.000", "a 0.333"]
    assert block_of(gain, 1) == ["Title 40 ✓ pick", "Title 70"]
    assert block_of(gain, 2) == [f"Title {row}" for row in range(70, 75)]
    assert [text(li) for li in gain.xpath(".//ul/li")] == ["Title 40 b: rank 1 · a: rank 7"]
    marked = tree.xpath("//div[@class='given']//li[contains(@class, 'hit')]")
    assert marked == [li for li in tree.xpath("//div[@class='given']//li") if "✓ pick" in text(li)] != []


def test_kinds_of_pages_say_where_the_best_model_is_better_and_where_it_is_worse() -> None:
    """By paired intervals; the sentence, the table's mark and the verdict agree."""
    found = contrast()
    tree = page(found)
    by_section = {cells[0]: cells[1:] for cells in rows(tree, "pages")}
    assert by_section["A"][:3] == ["6", "▲ better", "+0.667 +0.667 to +0.667"]
    assert by_section["B"][:2] == ["6", "▼ worse"]
    assert by_section["C"][:3] == ["18", "not clear", "+0.000 +0.000 to +0.000"]
    assert by_section["A"][4:] == ["1.000 1.000 to 1.000", "0.333 0.333 to 0.333"]
    told = text(tree.xpath("//section[@aria-labelledby='pages']/p")[0])
    assert told == "b is clearly better than a by section A. It is clearly worse by section B."
    assert any("b is clearly worse than a on some pages: by section B." in caveat for caveat in caveats(found))


def test_long_lists_of_picks_are_cut() -> None:
    """The page stays readable, and says what is left out."""
    articles = [article(row) for row in range(100)]
    runs = {"m": [[99]] * 50}
    tree = page(evaluated(articles, {row: set(range(50, 90)) for row in range(50)}, runs))
    cases = tree.xpath("//section[@class='case']")
    assert len(cases) == 8
    assert len(cases[0].xpath(".//ul/li")) == 8
    assert "and 32 more" in text(cases[0])
    assert "50 of 50 pages have none of their picks" in text(tree.xpath("//section[@aria-labelledby='blocks']")[0])


def test_hostile_titles_ids_sections_and_models_are_text() -> None:
    """Nothing of what publishers write becomes markup."""
    articles = [
        article(row, id=f"{row:02}{BAD}", title=BAD, section=BAD if row else "x", lang='en"><b>') for row in range(20)
    ]
    found = evaluated(articles, {row: {10 + row} for row in range(6)}, {BAD: [[10, 15]] * 6})
    found.candidates, found.importances, found.ratings = [Found(BAD, 1, 0.5)], {BAD: 1.0}, {BAD: Interval(0, 0, 0)}
    found.learned = [{"below": BAD, "weight": 0.5, "why": BAD, "evidence": {BAD: 0.5}}]
    html = render_report(found)
    tree = lxml.html.document_fromstring(html)
    assert "<script" not in html
    assert tree.xpath("//script") == tree.xpath("//bdi/b") == []
    assert text(tree.xpath("//section[@class='case']/h4")[0]) == BAD
    assert [rows(tree, part)[0][0] for part in ("pages", "features", "measures")] == [BAD, BAD, "nDCG@5"]


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://example.org/a?b=1&c=2", True),
        ("HTTP://example.org/a", True),
        ("/news/a.html", True),
        ("news/a.html", True),
        ("javascript:alert(1)", False),
        (" java\nscript:alert(1)", False),
        ("data:text/html,x", False),
        ("\\\\host\\share", False),
        ("http://[", False),
        ("", False),
        (None, False),
    ],
)
def test_only_safe_urls_become_links(url: str | None, linked: bool) -> None:
    """http, https and relative ones; of others there is only the title."""
    articles = [article(row, url=url) for row in range(3)]
    heading = page(evaluated(articles, {0: {1}}, {"m": [[2]]})).xpath("//section[@class='case']/h4")[0]
    assert heading.xpath(".//a/@href") == ([url] if linked else [])
    assert text(heading) == "Title 0"


def test_titles_keep_their_direction_and_language() -> None:
    """Right-to-left and Chinese titles stand apart from the English around them, and never in a plot."""
    titles = {0: ("مقالات مشابهة", "ar"), 1: ("相似文章", "zh"), 2: ("", None)}
    articles = [article(row, title=title, lang=lang, section="新闻") for row, (title, lang) in titles.items()]
    tree = page(evaluated(articles, {0: {1}}, {"m": [[2]]}))
    found = tree.xpath("//section[@class='case']//bdi[@lang]")
    assert [(bdi.get("lang"), text(bdi)) for bdi in found] == [("ar", "مقالات مشابهة"), ("zh", "相似文章")]
    assert text(tree.xpath("//section[@class='case']//ol/li")[0]) == "a0002"


def test_very_long_titles_are_cut() -> None:
    """A block stays a block."""
    articles = [article(row, title="word " * 1000) for row in range(3)]
    heading = text(page(evaluated(articles, {0: {1}}, {"m": [[2]]})).xpath("//section[@class='case']/h4")[0])
    assert len(heading) == 200
    assert heading.endswith("word…")


def test_kinds_that_are_put_together_say_so() -> None:
    """No source is lost: the rows' counts are all sources."""
    found = rows(page(site(sections=30)), "pages")
    assert found[-1][:2] == ["all others, together", "10"]
    assert sum(int(cells[1]) for cells in found) == 40


def test_kinds_with_few_pages_have_means_without_intervals() -> None:
    """And no verdict of their own."""
    found = {cells[0]: cells[1:] for cells in rows(page(site(s=10, sections=4)), "pages")}
    assert found["S0"][:2] == ["3", "too few pages"]
    assert "to" not in "".join(found["S0"][2:])


def test_the_page_does_not_grow_with_the_site() -> None:
    """1,000 sources in 1,000 sections need no more than twice what 40 need."""
    assert len(render_report(site(("m",), s=1000, sections=1000))) < 2 * len(render_report(site(("m",))))


def test_the_curve_is_told_in_words_and_numbers() -> None:
    """What the last point reaches beside hybrid, and what the last picks brought; the plot has a text, too."""
    tree = page(full())
    told = text(tree.xpath("//section[@aria-labelledby='curve']/p")[0])
    assert told == (
        "Learned from 16 pages with picks, the model reaches nDCG@10 0.350, 0.050 more than hybrid, which needs none "
        "(0.300). From 8 to 16 pages it changed by +0.070."
    )
    label = tree.xpath("//section[@aria-labelledby='curve']//*[name()='svg']/@aria-label")[0]
    assert "8 pages 0.280 (0.200 to 0.400)" in label
    assert "Hybrid, without picks: 0.300." in label
    assert [cells[0] for cells in rows(tree, "curve")] == ["0, hybrid", "8", "16"]


@pytest.mark.parametrize("points", [[Point(0, 0.3, 0.2, 0.4)], [Point(5, 0.3, 0.2, 0.4)]])
def test_a_curve_of_one_point_is_drawn(points: list[Point]) -> None:
    """With or without hybrid's level."""
    found = full()
    found.curve = points
    assert len(page(found).xpath("//section[@aria-labelledby='curve']//*[name()='svg']")) == 1


def test_each_folds_decision_is_told() -> None:
    """What ranks, why, and the evidence, best first."""
    tree = page(full())
    assert "In 1 of 2 folds the ranker" in text(tree.xpath("//section[@aria-labelledby='learned']/p")[0])
    assert rows(tree, "learned") == [
        [
            "1 16 pages learned from",
            "75% the site's ranker, 25% hybrid",
            "it is better",
            "0.400 75% ranker 0.300 hybrid",
        ],
        ["2 18 pages learned from", "hybrid alone", "nothing is clearly better", "–"],
    ]


def test_features_stand_in_words_with_their_share() -> None:
    """The largest first, one that nothing was gained from not at all; one without a description by its name."""
    tree = page(full())
    assert [(cells[0], cells[1], cells[3]) for cells in rows(tree, "features")] == [
        ("is often picked", "50.0%", "picked"),
        ("has a similar title", "30.0%", "title_words"),
        ("new_one", "20.0%", "new_one"),
    ]
    told = text(tree.xpath("//section[@aria-labelledby='features']/p")[0])
    assert "50% comes from what editors picked under other pages, 30% comes from the titles." in told


def test_candidates_say_what_no_ranking_can_find() -> None:
    """All together first, then those that find most; an unknown source by its name."""
    tree = page(full())
    assert "Here 90% of the picks are among the candidates" in text(
        tree.xpath("//section[@aria-labelledby='candidates']/p")[0]
    )
    assert [(cells[0].split()[-1], cells[2]) for cells in rows(tree, "candidates")] == [
        ("all", "90.0%"),
        ("tfidf", "70.0%"),
        ("mine", "30.0%"),
        ("tags", "25.0%"),
    ]


def test_ratings_stand_beside_the_literatures() -> None:
    """Highest correlation first, a negative one too."""
    assert [cells[:2] for cells in rows(page(full()), "ratings")] == [
        ["hybrid", "0.750 0.600 to 0.800"],
        ["explicit semantic analysis (literature)", "about 0.72"],
        ["latent semantic analysis (literature)", "about 0.60"],
        ["tfidf", "−0.100 −0.300 to 0.100"],
    ]


@pytest.mark.parametrize("s", [1, 40])
def test_one_model_is_not_compared(s: int) -> None:
    """No table of comparisons, no star, and a summary that claims no lead; one source is enough."""
    tree = page(site(("only",), s=s))
    assert tree.xpath("//*[@id='comparisons']") == []
    assert "#comparisons" not in tree.xpath("//a/@href")
    assert "★" not in text(tree)
    assert "only reaches nDCG@10 1.000 (95%" in text(tree.xpath("//*[@class='summary']")[0])


def test_sources_without_any_answer_are_reported() -> None:
    """Models that answer nothing have zeros, not an error; none of them is the best."""
    articles = [article(row) for row in range(10)]
    tree = page(evaluated(articles, {row: {9} for row in range(5)}, {"m": [[]] * 5, "n": [[]] * 5}))
    assert not any("★" in cell for cells in rows(tree, "measures") for cell in cells)
    assert "it reaches nDCG@10 0.000 (95% interval 0.000 to 0.000), no more than n, the next." in text(tree)


def test_the_report_needs_no_other_file() -> None:
    """No script, style sheet, image or font is loaded: the page can be sent by mail."""
    html = render_report(site())
    tree = lxml.html.document_fromstring(html)
    assert tree.xpath("//script | //link | //img | //iframe | //@src") == []
    assert all(href.startswith("#") for href in tree.xpath("//@href"))
    assert "@import" not in html
    assert all(part.startswith("#") for part in html.split("url(")[1:])


def test_the_report_is_the_same_bytes_in_every_process() -> None:
    """No date, no random ids, no order of a set."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_evaluate_report as t;"
        "sys.stdout.buffer.write(t.render_report(t.site()).encode())"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    assert (
        subprocess.run(command, check=True, capture_output=True, env=environment).stdout
        == render_report(site()).encode()
    )


def test_tables_can_be_read_aloud() -> None:
    """Captions, scopes, a language, and landmarks; headings without a gap."""
    tree = page(site())
    assert tree.get("lang") == "en"
    assert len(tree.xpath("//header | //main | //nav | //footer")) == 4
    assert all(table.xpath("caption") for table in tree.xpath("//table"))
    assert all(cell.get("scope") in ("row", "col") for cell in tree.xpath("//th"))
    assert tree.xpath("count(//h1)") == 1


def test_the_file_is_written_whole_with_its_folder(tmp_path: Path) -> None:
    """Nothing else is left beside it, and an older report is replaced."""
    path = tmp_path / "new" / "report.html"
    for _ in range(2):
        write_report(site(("m",)), path)
    assert path.read_text(encoding="utf-8") == render_report(site(("m",)))
    assert list(path.parent.iterdir()) == [path]


def test_a_title_that_is_no_valid_unicode_does_not_stop_the_report(tmp_path: Path) -> None:
    """A lone surrogate is written as a question mark."""
    articles = [article(row, title="broken \ud800") for row in range(3)]
    write_report(evaluated(articles, {0: {1}}, {"m": [[2]]}), tmp_path / "report.html")
    assert "broken ?" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["file/report.html", "folder"])
def test_a_report_that_cannot_be_written_is_one_line(tmp_path: Path, name: str) -> None:
    """A file in the way of the folder, or a folder in the way of the file: the error says what to do."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SimrecError, match=r"cannot be written: .*--report") as caught:
        write_report(site(("m",)), tmp_path / name)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
