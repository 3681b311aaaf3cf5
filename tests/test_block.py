"""Blocks: accessible, escaped, the same bytes on every run."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lxml.html
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simrec.block.compose import compose
from simrec.block.headings import HEADINGS, heading
from simrec.block.html import STYLESHEET, HtmlRenderer
from simrec.block.jsons import JsonRenderer
from simrec.block.style import Style
from simrec.errors import SettingsError
from simrec.text import one_line, safe_url
from simrec.types import Article, Block

HOSTILE = """<script>alert("x")</script>' onload="x" {{ 7 * 7 }} {% for %} &amp; -->"""


def article(id_: str = "item", **values: Any) -> Article:
    """An article with all that a block shows, but for the given values."""
    usual: dict[str, Any] = {
        "title": "Mill bridge open again",
        "body": "The bridge opened on Saturday. " * 20,
        "url": "https://courier.example/bridge",
        "published_at": datetime(2024, 3, 1, 9, tzinfo=UTC),
        "lang": "en",
        "image": "/bridge.jpg",
        "image_alt": "A bridge",
    }
    return Article(id=id_, **(usual | values))


def block(*items: Article, lang: str = "en", source: str = "page") -> Block:
    """A block under a page."""
    return compose(article(source), lang, [(item, 1.5, {"terms": ["bridge"]}) for item in items])


def parsed(html: str) -> lxml.html.HtmlElement:
    """The nav element."""
    return lxml.html.fromstring(html)


def test_a_block_is_a_landmark_named_by_its_heading() -> None:
    """`nav`, labelled by the heading, with a list of links, dates, images and excerpts."""
    nav = parsed(HtmlRenderer().render(block(article("a"), article("b", image=None))))
    (title,) = nav.xpath(".//h2")
    assert nav.tag == "nav"
    assert nav.get("aria-labelledby") == title.get("id")
    assert title.text == "Similar articles"
    assert [link.get("href") for link in nav.xpath("./ul/li/a")] == ["https://courier.example/bridge"] * 2
    assert nav.xpath(".//time/@datetime") == ["2024-03-01T09:00:00+00:00"] * 2
    assert nav.xpath(".//time/text()") == ["March 1, 2024"] * 2
    assert nav.xpath(".//img/@alt") == ["A bridge"]
    assert nav.xpath(".//p/text()")[0].endswith("…")


def test_an_image_without_text_is_decorative() -> None:
    """Alt text missing: the attribute is there all the same, and empty."""
    nav = parsed(HtmlRenderer().render(block(article(image_alt=None))))
    assert nav.xpath(".//img/@alt") == [""]


def test_two_blocks_of_one_page_have_different_ids() -> None:
    """So that each heading names its own landmark."""
    one, two = (parsed(HtmlRenderer().render(block(article(), source=s))) for s in ("a", "b"))
    assert one.get("aria-labelledby") != two.get("aria-labelledby")


def test_titles_in_another_language_say_so() -> None:
    """`lang` on the item, where it differs from the page's."""
    nav = parsed(HtmlRenderer().render(block(article(lang="de"), article("b"))))
    assert [item.get("lang") for item in nav.xpath(".//li")] == ["de", None]


@pytest.mark.parametrize(
    ("page", "item", "nav_dir", "item_dir", "date_dir"),
    [
        ("en", "en", None, None, None),
        ("ar", "ar", "rtl", None, None),
        ("en", "fa", None, "rtl", "ltr"),
        ("he", "de", "rtl", "ltr", "rtl"),
        ("ur-PK", "ar", "rtl", None, None),
        ("az-Arab", "az", "rtl", "ltr", "rtl"),
        ("ks-Deva", "ks", None, "rtl", "ltr"),
    ],
)
def test_right_to_left_is_marked(
    page: str, item: str, nav_dir: str | None, item_dir: str | None, date_dir: str | None
) -> None:
    """On the block, and on items that run the other way; the date is the page's, and so is its way."""
    nav = parsed(HtmlRenderer().render(block(article(lang=item), lang=page)))
    (entry,), (date,) = nav.xpath(".//li"), nav.xpath(".//time")
    assert (nav.get("dir"), entry.get("dir"), date.get("dir")) == (nav_dir, item_dir, date_dir)
    assert date.get("lang") == (page if item != page else None)


def test_a_block_has_no_style_and_no_script_of_its_own() -> None:
    """A strict content policy lets it through; the stylesheet that a site may take hides it in print."""
    html = HtmlRenderer().render(block(article(), article("b", lang="ar")))
    assert not {"style", "script", "link"} & {element.tag for element in parsed(html).iter()}
    assert not parsed(html).xpath("//@style | //@onclick")
    style = STYLESHEET.read_text(encoding="utf-8")
    assert re.search(r"@media print \{\s*\.similar-articles \{\s*display: none;", style)
    classes = set(re.findall(r"\.([a-z-]+)", style))
    assert classes == {parsed(html).get("class")}
    assert not re.search(r"#[0-9a-f]{3}|rgb|black|white|@import|url\(", style)


def test_no_items_are_nothing_at_all() -> None:
    """No empty heading; JSON still says why."""
    assert HtmlRenderer().render(block()) == ""
    assert json.loads(JsonRenderer().render(block()))["items"] == []


def test_everything_hostile_is_text() -> None:
    """In titles, excerpts, alt texts, ids and languages; template syntax in a title is not run."""
    bad = article("x", title=HOSTILE, body=HOSTILE, image_alt=HOSTILE, lang=HOSTILE)
    html = HtmlRenderer().render(block(bad, source=HOSTILE, lang="en"))
    nav = parsed(html)
    assert nav.xpath(".//script") == []
    assert not any(name.startswith("on") for element in nav.iter() for name in element.attrib)
    assert nav.xpath(".//a")[0].text == HOSTILE
    assert nav.xpath(".//img/@alt") == [HOSTILE]
    assert "49" not in html


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://x/y",
        '"onclick=',
        "\\\\evil\\x",
        "http://[",
    ],
)
def test_urls_that_may_run_are_left_out(url: str) -> None:
    """The title is shown without a link, the image not at all."""
    assert safe_url(url) is None
    nav = parsed(HtmlRenderer().render(block(article(url=url, image=url))))
    assert nav.xpath(".//@href") == nav.xpath(".//@src") == []
    assert nav.xpath(".//li/span/text()") == ["Mill bridge open again"]


@pytest.mark.parametrize(
    "url", ["https://a.example/x?y=1#z", "http://a.example", "/a/b", "a.html", "../a", "?p=1", "//c/d"]
)
def test_http_and_relative_urls_stay(url: str) -> None:
    """As they are."""
    assert safe_url(url) == url


@pytest.mark.parametrize(
    ("page", "url", "way"),
    [
        ("news/2024/a.html", "news/2024/b.html", "b.html"),
        ("news/2024/a.html", "sport/b.html?x=1#y", "../../sport/b.html?x=1#y"),
        ("a.html", "images/b.svg", "images/b.svg"),
        ("news/a.html", "news/12:30.html", "./12:30.html"),
        ("news/a.html", "/root.html", "/root.html"),
        ("news/a.html", "https://x.example/b", "https://x.example/b"),
        ("https://x.example/a", "b.html", "b.html"),
        (None, "b/c.html", "b/c.html"),
    ],
)
def test_links_between_saved_pages_lead_from_page_to_page(page: str | None, url: str, way: str) -> None:
    """A path in the site becomes the way from the page that shows the block."""
    found = compose(article("page", url=page), "en", [(article(url=url), 1.0, {})])
    assert found.items[0].url == way


@given(st.text(max_size=40))
@example("0:")
@example("?a:b")
def test_no_url_ever_has_another_scheme(url: str) -> None:
    """Whatever it is made of."""
    found = safe_url(url)
    if found is not None:
        html = parsed(f"<p><a href='{found}'>x</a></p>".replace("&", "&amp;"))
        scheme = html.xpath("string(.//a/@href)").split(":")[0].lower() if ":" in found.split("/")[0] else ""
        assert scheme in ("", "http", "https")


def test_the_same_block_is_the_same_bytes() -> None:
    """On every run, from any renderer."""
    one, two = (HtmlRenderer().render(block(article(), article("b"))) for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("en-US", "Similar articles"),
        ("de", "Ähnliche Artikel"),
        ("fr-CA", "Articles similaires"),
        ("ja", "関連記事"),
        ("zh", "相关文章"),
        ("zh-TW", "相關文章"),
        ("zh-Hant-HK", "相關文章"),
        ("pt_BR", "Artigos semelhantes"),
        ("tlh", "Similar articles"),
    ],
)
def test_the_heading_is_in_the_pages_language(lang: str, text: str) -> None:
    """Heading in the wrong language: by the tag, its first part, or English."""
    assert heading(lang, {}) == text


LANGUAGES = {
    "ARABIC": "ar ckb fa ps ur",
    "ARMENIAN": "hy",
    "BENGALI": "bn",
    "CJK": "ja zh zh-hant",
    "CYRILLIC": "be bg kk ky mk mn ru sr uk",
    "DEVANAGARI": "hi mr ne",
    "ETHIOPIC": "am",
    "GEORGIAN": "ka",
    "GREEK": "el",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "HANGUL": "ko",
    "HEBREW": "he yi",
    "KANNADA": "kn",
    "KHMER": "km",
    "LAO": "lo",
    "MALAYALAM": "ml",
    "MYANMAR": "my",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
}
SCRIPTS = {lang: script for script, langs in LANGUAGES.items() for lang in langs.split()}


@pytest.mark.parametrize("lang", HEADINGS)
def test_each_heading_is_in_the_script_of_its_language(lang: str) -> None:
    """Latin, where no other is named; and written as one line, in one normal form."""
    text = HEADINGS[lang]
    letters = {unicodedata.name(c).split()[0] for c in text if c.isalpha() and c != "ʻ"}
    assert letters == {SCRIPTS.get(lang, "LATIN")}
    assert text == one_line(text)
    assert HEADINGS[lang] != HEADINGS["en"] or lang == "en"


def test_headings_are_there_for_the_languages_of_europe_and_many_more() -> None:
    """All official languages of the European Union among them, and old codes for the same languages."""
    union = "bg cs da de el en es et fi fr ga hr hu it lt lv mt nl pl pt ro sk sl sv"
    assert set(union.split()) <= set(HEADINGS)
    assert len(HEADINGS) >= 80
    old = {
        "iw": "he",
        "in-ID": "id",
        "tl": "fil",
        "mo": "ro",
        "sh": "sr-latn",
        "sr-Latn-RS": "sr-latn",
        "yue": "zh-hant",
    }
    assert {lang: heading(lang, {}) for lang in old} == {lang: HEADINGS[new] for lang, new in old.items()}


def test_a_publishers_own_heading_wins() -> None:
    """For the languages it names; for others simrec's stays."""
    own = {"de": "Mehr dazu", "EN": "Read next"}
    assert [heading(lang, own) for lang in ("de-AT", "en", "fr")] == ["Mehr dazu", "Read next", HEADINGS["fr"]]
    html = HtmlRenderer(Style(headings=own, level=4, images=False)).render(block(article()))
    assert parsed(html).xpath("string(.//h4)") == "Read next"
    assert "<img" not in html


def test_a_publishers_own_template_is_used(tmp_path: Path) -> None:
    """It sees the block, escapes by itself, and cannot reach into Python."""
    path = tmp_path / "block.html"
    path.write_text(
        "{{ heading }}: {% for i in block.items %}{{ i.title }} {{ i.published_at | day('de') }}{% endfor %}"
    )
    assert (
        HtmlRenderer(Style(template=path)).render(block(article(title="A & B")))
        == "Similar articles: A &amp; B 1. März 2024"
    )
    path.write_text("{{ block.__class__.__mro__ }}")
    with pytest.raises(SettingsError, match=r"block\.html"):
        HtmlRenderer(Style(template=path)).render(block(article()))


def test_templates_go_by_language(tmp_path: Path) -> None:
    """The closest tag wins, as for headings; other languages have the site's own, or simrec's."""
    for name in ("own", "de", "at"):
        (tmp_path / name).write_text(f"{name} {{{{ heading }}}}")
    style = Style(tmp_path / "own", {"de": tmp_path / "de", "de-AT": tmp_path / "at"})
    shown = [HtmlRenderer(style).render(block(article(), lang=lang)).split()[0] for lang in ("de-CH", "de_at", "en")]
    assert shown == ["de", "at", "own"]
    style = Style(templates={"de": tmp_path / "de"})
    assert HtmlRenderer(style).render(block(article())).startswith("<nav")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{% for %}", "line 1"),
        ("{{ nothing }}", "nothing"),
        (None, "cannot be read"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{% include 'other.html' %}", "no 'other.html' beside it"),
        ("{% include '../secret.html' %}", r"no '\.\./secret\.html' beside it"),
        ("{% include 'block.html' %}", "recursion"),
        ("{{ block.items[9].title }}", "block.html fails"),
        ("{{ 'x' | day('en') }}", "block.html fails"),
        ("{{ heading\n + 1 }}", "block.html fails"),
    ],
)
def test_a_broken_template_names_itself(tmp_path: Path, text: str | None, says: str) -> None:
    """With the line, or the name that is unknown."""
    path = tmp_path / "block.html"
    if text is not None:
        path.write_text(text)
    (tmp_path.parent / "secret.html").write_text("secret")
    with pytest.raises(SettingsError, match=says) as raised:
        HtmlRenderer(Style(template=path)).render(block(article()))
    assert "\n" not in str(raised.value)


def test_json_holds_all_that_a_page_needs() -> None:
    """The heading too, so that whoever draws the block need not know languages."""
    found = json.loads(JsonRenderer().render(block(article(), lang="de")))
    assert (found["id"], found["lang"], found["heading"], found["shortfall"]) == (
        "page",
        "de",
        "Ähnliche Artikel",
        None,
    )
    wanted = {"id", "title", "url", "score", "reasons", "published_at", "lang", "image", "image_alt", "excerpt"}
    assert set(found["items"][0]) == wanted
