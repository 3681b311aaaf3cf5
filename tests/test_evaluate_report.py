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
    found = tree.xpath(f"//h2[@id='{heading}']/following::table[1]/tbody/tr")
    return [[text(cell) for cell in row] for row in found]


def test_the_report_has_every_part() -> None:
    """Summary, protocol, measures with two plots, comparisons, sections, worst sources, each under its heading."""
    tree = page(site())
    assert tree.xpath("//h2/@id") == ["protocol", "measures", "comparisons", "sections", "worst"]
    assert tree.xpath("//nav//a/@href") == ["#protocol", "#measures", "#comparisons", "#sections", "#worst"]
    assert [figure.getparent().tag for figure in tree.xpath("//figure/*[name()='svg']")] == ["figure", "figure"]
    protocol = dict(rows(tree, "protocol"))
    assert protocol["sources"] == "40"
    assert protocol["picks left out"] == "2 of itself"
    assert protocol["split"].startswith("kfold: ")
    details = text(tree.xpath("//details")[0])
    assert "articles_hash: cafe" in details
    assert '"note": "<b>"' in details


def test_the_summary_names_the_best_model_and_its_lead_over_the_next() -> None:
    """The lead is the best model's over the second best, whatever the order in which they were compared."""
    summary = text(page(site(("good", "poor", "worse"))).xpath("//*[@class='summary']")[0])
    assert summary.startswith("good is best with nDCG@10 1.000, ")
    assert "more than poor, the next (95% interval of the difference 0." in summary
    assert summary.endswith("p < 0.001): a clear lead.")


def test_the_summary_says_when_a_lead_is_not_clear() -> None:
    """A difference whose interval includes 0 is no lead, and has no mark among the comparisons."""
    found = site()
    found.comparisons = [Comparison("poor", "good", MAIN, -0.01, -0.03, 0.01, 0.4)]
    tree = page(found)
    expected = (
        "lead of 0.010 over poor, the next, is not clear (95% interval of the difference −0.010 to 0.030, p = 0.400)"
    )
    assert expected in text(tree.xpath("//*[@class='summary']")[0])
    assert rows(tree, "comparisons") == [
        ["poor − good", MAIN, "−0.010", "−0.030 to +0.010", "0.400", "no clear difference"]
    ]


def test_measures_have_intervals_an_explanation_and_a_mark_for_the_best() -> None:
    """The best mean has a star, the lowest for gini, none for ild, which has no better end."""
    found = rows(page(site()), "measures")
    by_name = {cells[0]: cells[1:] for cells in found}
    assert by_name[MAIN][0].startswith("1.000 ★")
    assert "★" not in by_name[MAIN][1]
    assert ["★" in cell for cell in by_name["gini@5"][:2]] == [True, False]
    assert "★" not in "".join(by_name["ild@5"])
    assert "first 20" in by_name["RR"][2]
    assert all(cells[-1] for cells in found)


def test_a_clear_difference_is_marked_and_names_the_better_model() -> None:
    """Also where the better model is the second of the pair."""
    assert rows(page(site()), "comparisons")[0][-1] == "● good is better"


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
    assert "模型" in tree.xpath("//h2[@id='worst']")[0].text


def test_the_worst_sources_come_with_their_picks_and_what_was_given() -> None:
    """Lowest value first, then most picks, then by id; picks with their rank, answers with a word for a hit."""
    articles = [article(row, section="News" if row == 1 else None) for row in range(40)]
    picks = {0: {30}, 1: {30, 31, 32}, 2: {33}, 3: {34, 35}}
    runs = {"m": [[10, 11], [10, *range(12, 22), 31], [], [9, 34]]}
    cases = page(evaluated(articles, picks, runs)).xpath("//section[@class='case']")
    assert [text(case.xpath("h3")[0]) for case in cases] == ["Title 1", "Title 0", "Title 2", "Title 3"]
    assert "id a0001 · section News · nDCG@10 0.000" in text(cases[0])
    assert [text(li) for li in cases[0].xpath(".//ul/li")] == [
        "Title 31 rank 12",
        "Title 30 not in the first 20",
        "Title 32 not in the first 20",
    ]
    assert len(cases[0].xpath(".//ol/li")) == 10
    assert "Nothing: the model has no answer here." in text(cases[2])
    assert [text(li) for li in cases[3].xpath(".//ol/li")] == ["Title 9", "Title 34 ✓ a pick"]


def test_twenty_worst_sources_are_shown_and_long_lists_of_picks_are_cut() -> None:
    """The page stays readable, and says what is left out."""
    articles = [article(row) for row in range(100)]
    runs = {"m": [[99]] * 50}
    tree = page(evaluated(articles, {row: set(range(50, 90)) for row in range(50)}, runs))
    cases = tree.xpath("//section[@class='case']")
    assert len(cases) == 20
    assert len(cases[0].xpath(".//ul/li")) == 30
    assert "and 10 more" in text(cases[0])
    assert "50 of 50 sources have none of their picks" in text(tree.xpath("//section[@aria-labelledby='worst']/p")[0])


def test_hostile_titles_ids_sections_and_models_are_text() -> None:
    """Nothing of what publishers write becomes markup."""
    articles = [article(row, id=f"{row:02}{BAD}", title=BAD, section=BAD, lang='en"><b>') for row in range(20)]
    html = render_report(evaluated(articles, {row: {10 + row} for row in range(6)}, {BAD: [[10, 15]] * 6}))
    tree = lxml.html.document_fromstring(html)
    assert "<script" not in html
    assert tree.xpath("//script") == tree.xpath("//bdi/b") == []
    assert text(tree.xpath("//section[@class='case']/h3")[0]) == BAD
    assert rows(tree, "sections")[0][0] == BAD


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
    heading = page(evaluated(articles, {0: {1}}, {"m": [[2]]})).xpath("//section[@class='case']/h3")[0]
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


@pytest.mark.parametrize(("sections", "count"), [(1, 1), (20, 20), (21, 21), (40, 21)])
def test_beyond_twenty_sections_the_small_ones_share_a_row(sections: int, count: int) -> None:
    """No source is lost: the rows' counts are all sources."""
    found = rows(page(site(sections=sections)), "sections")
    assert len(found) == count
    assert sum(int(cells[1]) for cells in found) == 40
    assert (found[-1][0] == f"{sections - 20} more sections, together") == (sections > 21)
    assert (found[-1][0] == "1 more section, together") == (sections == 21)


def test_sections_come_by_size_with_intervals_where_there_are_five_sources() -> None:
    """Sources without a section are a group too; "no section" as a section's name is not mixed up with it."""
    names = ["B"] * 6 + [None] * 5 + ["no section"] * 4 + ["A"] * 4
    articles = [article(row, section=name) for row, name in enumerate(names)] + [article(90)]
    tree = page(evaluated(articles, {row: {19} for row in range(19)}, {"m": [[19]] * 19}))
    found = rows(tree, "sections")
    assert [cells[:2] for cells in found] == [["B", "6"], ["no section", "5"], ["A", "4"], ["no section", "4"]]
    assert ["to" in cells[2] for cells in found] == [True, True, False, False]


def test_a_site_without_sections_has_no_table_of_them() -> None:
    """A sentence says so."""
    tree = page(site(sections=0))
    assert tree.xpath("//section[@aria-labelledby='sections']//table") == []
    assert "No source has a section." in text(tree)


def test_thousands_of_sections_stay_one_short_table() -> None:
    """The page does not grow with them."""
    assert len(rows(page(site(("m",), s=3000, sections=3000)), "sections")) == 21


@pytest.mark.parametrize("s", [1, 40])
def test_one_model_is_not_compared(s: int) -> None:
    """No table of comparisons, no star, and a summary that claims no lead; one source is enough."""
    tree = page(site(("only",), s=s))
    assert tree.xpath("//*[@id='comparisons']") == []
    assert "#comparisons" not in tree.xpath("//a/@href")
    assert "★" not in text(tree)
    assert "only reaches nDCG@10 1.000" in text(tree.xpath("//*[@class='summary']")[0])


def test_sources_without_any_answer_are_reported() -> None:
    """Models that answer nothing have zeros, not an error; none of them is the best."""
    articles = [article(row) for row in range(10)]
    tree = page(evaluated(articles, {row: {9} for row in range(5)}, {"m": [[]] * 5, "n": [[]] * 5}))
    assert not any("★" in cell for cells in rows(tree, "measures") for cell in cells)
    assert "its lead of 0.000 over n, the next, is not clear" in text(tree)


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
