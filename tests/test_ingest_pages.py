"""HTML pages and text pages: the article whole, the related block as picks, and out of the text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from simrec.ingest import read
from simrec.ingest.address import normalize
from simrec.ingest.links import LinkFinder
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

TEXT = "The lighthouse keeper climbs the stairs each evening and looks at the sea for ships in need."
LINKS = '<li><a href="../two.html">The second light</a></li><li><a href="/three/">A third light</a></li>'


def page(main: str, *, lang: str = "en", head: str = "<title>A light</title>") -> str:
    """A page with some chrome around what is given."""
    return (
        f'<!doctype html><html lang="{lang}"><head>{head}</head><body><header><nav><a href="/">Home</a></nav></header>'
        f"<main><h1>A light</h1><p>{TEXT}</p>{main}</main><footer><p>Imprint</p></footer></body></html>"
    )


def one(folder: Path, text: str, settings: IngestSettings | None = None) -> Entry:
    """The entry of a page stored as news/one.html in a folder."""
    path = folder / "site" / "news" / "one.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    (found,) = read([folder / "site"], settings or IngestSettings())
    assert isinstance(found, Entry), found
    return found


@pytest.mark.parametrize(
    ("lang", "heading"),
    [
        ("en", "Related articles"),
        ("en", "Similar articles:"),
        ("en", "SEE ALSO"),
        ("de", "Ähnliche Artikel"),
        ("de", "Lesen Sie auch"),
        ("fr", "À lire aussi"),
        ("es", "Artículos relacionados"),
        ("it", "Leggi anche"),
        ("pt", "Artigos relacionados"),
        ("nl", "Lees ook"),
        ("ru", "Похожие статьи"),
        ("ru", "См. также"),
        ("pl", "Zobacz także"),
        ("ja", "関連記事"),
        ("zh", "相关文章"),
    ],
)
def test_the_related_block_is_found_by_its_heading(tmp_path: Path, lang: str, heading: str) -> None:
    """In many languages: its links in page order, and nothing of it in the body."""
    entry = one(tmp_path, page(f"<h2>{heading}</h2><ul>{LINKS}</ul>", lang=lang))
    assert entry.links == ("/two.html", "/three")
    assert TEXT in entry.article.body
    assert "light" not in entry.article.body.replace(TEXT, "").lower()
    assert heading not in entry.article.body


@pytest.mark.parametrize("selector", ["div.more a", "div.more", "div.more > ul a", ".more li"])
def test_the_related_block_is_found_by_a_selector(tmp_path: Path, selector: str) -> None:
    """Of the links, or of what holds them; the whole block goes, with its heading and its notes."""
    block = f'<div class="more"><h3>You may like</h3><ul>{LINKS}</ul></div><p>The end of the text.</p>'
    entry = one(tmp_path, page(block), IngestSettings(picks_selector=selector))
    assert entry.links == ("/two.html", "/three")
    assert "You may like" not in entry.article.body
    assert "second light" not in entry.article.body
    assert "The end of the text." in entry.article.body


def test_links_with_words_around_them_are_cut_with_these(tmp_path: Path) -> None:
    """A block of sentences with links is cut whole when a selector names it."""
    block = (
        '<div class="rel"><p>Related</p><p>Our page on <a href="two.html">two lights</a> and what it says.</p></div>'
    )
    entry = one(tmp_path, page(block), IngestSettings(picks_selector="div.rel a"))
    assert entry.links == ("/news/two.html",)
    assert "Our page" not in entry.article.body


def test_a_heading_in_prose_is_no_block(tmp_path: Path) -> None:
    """Nor is one without links after it: the text stays."""
    text = "<p>Related articles of clothing were found.</p><h2>See also</h2><p>The sea is also a mirror.</p>"
    entry = one(tmp_path, page(text))
    assert entry.links is None
    assert "Related articles of clothing" in entry.article.body
    assert "The sea is also a mirror." in entry.article.body


def test_a_page_with_a_selector_and_no_block_has_no_picks(tmp_path: Path) -> None:
    """That clears the picks it had; without a selector nothing is known, and they stay."""
    assert one(tmp_path, page("")).links is None
    assert one(tmp_path, page(""), IngestSettings(picks_selector="div.more a")).links == ()


def test_metadata_comes_from_json_ld_then_open_graph(tmp_path: Path) -> None:
    """Title, dates, authors, section, tags, image, canonical URL, language."""
    head = """<title>Chrome title</title>
    <link rel="canonical" href="https://courier.example/news/light?utm_source=x">
    <meta property="og:image" content="https://courier.example/light.jpg">
    <meta property="og:image:alt" content="A tower">
    <meta property="article:tag" content="towers">
    <script type="application/ld+json">{"@graph": [{"@type": "NewsArticle", "headline": "A light goes on",
    "datePublished": "2024-05-01T08:00:00+02:00", "dateModified": "2024-05-02", "articleSection": "Coast",
    "author": [{"@type": "Person", "name": "Ines Calder"}]}]}</script>
    <script type="application/ld+json">{broken</script>"""
    article = one(tmp_path, page("", head=head, lang="en-GB")).article
    assert article.title == "A light goes on"
    assert str(article.published_at) == "2024-05-01 08:00:00+02:00"
    assert str(article.updated_at) == "2024-05-02 00:00:00+00:00"
    assert (article.section, article.authors, article.lang) == ("Coast", ("Ines Calder",), "en-GB")
    assert "towers" in article.tags
    assert (article.image, article.image_alt) == ("https://courier.example/light.jpg", "A tower")
    assert article.url is not None
    assert article.url.startswith("https://courier.example/news/light")


def test_an_image_beside_the_page_is_named_from_the_sites_root(tmp_path: Path) -> None:
    """As the page's own address is, so that other pages can find it."""
    head = '<title>A light</title><meta property="og:image" content="img/light.jpg">'
    article = one(tmp_path, page("", head=head)).article
    assert (article.url, article.image) == ("news/one.html", "news/img/light.jpg")


def test_the_id_is_the_path_and_links_honor_base(tmp_path: Path) -> None:
    """Without the extension, with slashes, whatever the folder is called."""
    head = '<title>A light</title><base href="https://courier.example/archive/">'
    entry = one(tmp_path, page(f"<h2>Related articles</h2><ul>{LINKS}</ul>", head=head))
    assert entry.article.id == "news/one"
    assert entry.links == ("https://courier.example/two.html", "https://courier.example/three")


def test_links_between_saved_pages_find_their_articles() -> None:
    """By address, by a unique end of a path, with or without index.html, query and fragment; other sites' do not."""
    addresses = {normalize(a): i for a, i in {"https://courier.example/a/b": "1", "/mirror/c/d.html": "2"}.items()}
    find = LinkFinder(addresses, {"1", "2"})
    assert [
        find(link) for link in ("http://www.courier.example/a/b/?x=1#y", "/a/b", "/c/d.html", "/en/mirror/c/d.html")
    ] == [
        "1",
        "1",
        "2",
        "2",
    ]
    assert [find(link) for link in ("https://other.example/a/b", "/d.html", "/x/b")] == [None, None, None]


def test_text_pages_may_be_in_any_language(tmp_path: Path) -> None:
    """Dates as people write them, the heading as the language has it; titles that are not Latin get ids too."""
    text = (
        "Мост закрыт\n\n5 декабря 2016 8:58\n\nМост через реку закрыли для грузовиков.\n\nПохожие статьи\n\n"
        "Мост откроют весной\n2 октября 2017 11:49\n\nРемонт моста закончат весной.\n"
    )
    (tmp_path / "page.txt").write_text(text, encoding="utf-8")
    first, second = read([tmp_path / "page.txt"], IngestSettings())
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert [e.article.title for e in (first, second)] == ["Мост закрыт", "Мост откроют весной"]
    assert f"{first.article.published_at:%Y-%m-%d %H:%M}" == "2016-12-05 08:58"
    assert first.links == (second.article.id,)
    assert second.copy
    assert first.article.id != second.article.id


def test_a_text_page_without_a_date_is_rejected(tmp_path: Path) -> None:
    """With a reason that names what is missing."""
    (tmp_path / "page.txt").write_text("Some title\n\nSome text without any date at all.\n", encoding="utf-8")
    (found,) = read([tmp_path / "page.txt"], IngestSettings())
    assert isinstance(found, Reject)
    assert "date" in found.reason


def test_the_publishers_own_page_is_read_whole() -> None:
    """A real page: two articles with their dates, and one pick."""
    path = Path(os.environ.get("SIMREC_CORPORA") or "nowhere").parent / "seed-page.txt"
    if not path.exists():
        pytest.skip("seed-page.txt is not beside the folder that SIMREC_CORPORA names")
    first, second = read([path], IngestSettings())
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    dates = [f"{e.article.published_at:%Y-%m-%dT%H:%M}" for e in (first, second)]
    assert dates == ["2016-12-05T08:58", "2017-10-02T11:49"]
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    titles = {first.article.title, second.article.title}
    noise = {"Error message", "Similar articles"}
    for line in lines:
        if line not in titles | noise and not line.startswith(("Image:", "December 05", "October 02")):
            assert line in first.article.body or line in second.article.body
    assert first.links == (second.article.id,)
