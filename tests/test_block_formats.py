"""Every format that blocks are written in: what it holds, read back by a library, and nothing that breaks out."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import ir_measures
import jsonschema
import justhtml
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simrec.block.compose import compose
from simrec.block.csvfile import guarded, unguarded
from simrec.block.formats import NAMES, PAGE_FORMATS, SITE_FILES, SITE_FORMATS
from simrec.block.style import Style
from simrec.cli.options import FORMATS
from simrec.types import Article, Block

HOSTILE = """</script><script>alert("x")</script><!-- ]]> ' onload="x" {{ 7 * 7 }} &amp; \u2028"""
SURROGATE = "half \ud83d of a pair"
SITE = Style(site_url="https://courier.example/", site_title="The Courier", lang="en", model="hybrid")
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
"""RFC 3339."""
WHEN = datetime(2024, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=2)))


def article(id_: str, **values: Any) -> Article:
    """An article with all that a format shows, but for the given values."""
    usual: dict[str, Any] = {
        "title": f"Title of {id_}",
        "body": "The bridge opened on Saturday. " * 20,
        "url": f"news/{id_}.html",
        "published_at": WHEN,
        "lang": "en",
        "image": "images/bridge.jpg",
    }
    return Article(id=id_, **(usual | values))


def block(*items: Article, page: Article | None = None, reasons: dict[str, Any] | None = None) -> Block:
    """A block under a page; scores fall from 2."""
    page = page or article("page")
    why = {"terms": ["bridge", "mill"], "parts": {"tfidf": 1.5}} if reasons is None else reasons
    return compose(page, page.lang or "en", [(item, 2.0 - at / 2, why) for at, item in enumerate(items)])


def paged(name: str, found: Block, style: Style = SITE) -> str:
    """A block in a format with a file an article."""
    return PAGE_FORMATS[name](style).render(found)


def whole(name: str, found: Iterable[Block], style: Style = SITE) -> bytes:
    """Blocks in a format with one file of all."""
    file = io.BytesIO()
    SITE_FORMATS[name](style).write(file, iter(found))
    return file.getvalue()


def hostile_blocks() -> list[Block]:
    """Blocks whose every text wants to be something else."""
    texts = (HOSTILE, SURROGATE, "=cmd()|' /C calc'!A0", "line\nbreak", 'quo"te, comma; semicolon')
    items = [article(f"{text} id", title=text, body=text, url="javascript:x", image=text, lang=text) for text in texts]
    return [block(*items, page=article(text, title=text, body=text, url=text, tags=(text,))) for text in texts]


# All of them


def test_the_command_line_names_the_formats_that_there_are() -> None:
    """And each has its place in one table."""
    assert FORMATS == NAMES
    assert len(set(NAMES)) == len(NAMES)
    assert len(SITE_FILES) == len(SITE_FORMATS)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_blocks_are_the_same_bytes(name: str) -> None:
    """On every run, whatever the texts are."""
    blocks = [block(article("a"), article("b")), block(), *hostile_blocks()]
    if name in PAGE_FORMATS:
        assert [paged(name, one) for one in blocks] == [paged(name, one) for one in blocks]
    else:
        assert whole(name, blocks) == whole(name, blocks)


@pytest.mark.parametrize("name", SITE_FORMATS)
def test_no_articles_at_all_are_a_whole_file_too(name: str) -> None:
    """That its reader takes as one without entries."""
    data = whole(name, [])
    if name == "parquet":
        assert pd.read_parquet(io.BytesIO(data)).empty
    elif name == "csv":
        assert pd.read_csv(io.BytesIO(data)).empty
    elif name == "jsonfeed":
        assert json.loads(data)["items"] == []
    else:
        assert data == b""


@pytest.mark.parametrize("name", SITE_FORMATS)
def test_blocks_are_written_as_they_come(name: str) -> None:
    """Not when all are there: a large site needs no more memory for them than a small one."""
    one, file, written = block(article("a"), article("b")), io.BytesIO(), []

    def many() -> Iterable[Block]:
        for _ in range(11_000):
            written.append(file.getbuffer().nbytes)
            yield one

    SITE_FORMATS[name](SITE).write(file, many())
    assert written[0] <= 200
    assert written[-1] > written[0]


# HTML


def test_fragments_are_html_without_an_error() -> None:
    """As a strict parser of HTML5 has it, in a page of its own, and the hostile ones too."""
    foreign = block(article("a"), article("b", lang="ar", title="جسر"), page=article("p", lang="he"))
    for found in (block(article("a"), article("b", image=None, url=None)), foreign, *hostile_blocks()):
        page = f"<!DOCTYPE html><html lang=en><head><title>x</title></head><body>{paged('html', found)}</body></html>"
        read = justhtml.JustHTML(page, strict=True, sanitize=False)
        assert len(read.query("nav > ul > li")) == len(found.items)
        assert read.query("script, style, [style], [onload]") == []


def test_the_html_bundle_has_every_fragment() -> None:
    """A line an article: id, address, and the fragment as its file would be; an empty block is there, and empty."""
    blocks = [block(article("a")), block(page=article("lone")), *hostile_blocks()]
    lines = [json.loads(line) for line in whole("html-bundle", blocks).decode().splitlines()]
    assert [line["html"] for line in lines[:2]] == [paged("html", blocks[0]), ""]
    assert (lines[0]["id"], lines[0]["url"]) == ("page", "https://courier.example/news/page.html")
    assert [len(justhtml.JustHTML(line["html"], sanitize=False).query("li")) for line in lines[2:]] == [5] * 5


# JSON


def test_the_json_bundle_has_what_the_files_have() -> None:
    """A line an article."""
    blocks = [block(article("a")), block(page=article("lone"))]
    lines = [json.loads(line) for line in whole("json-bundle", blocks).decode().splitlines()]
    assert lines == [json.loads(paged("json", one)) for one in blocks]


@pytest.mark.parametrize("name", ["json", "jsonld", "ninjs"])
def test_files_of_json_hold_hostile_texts_as_they_are(name: str) -> None:
    """Whatever they hold is inside a string."""
    for found in hostile_blocks():
        text = paged(name, found).encode("utf-8", "replace").decode()
        titles = json.dumps(json.loads(text), ensure_ascii=False)
        assert all(
            json.dumps(i.title.encode("utf-8", "replace").decode(), ensure_ascii=False)[1:-1] in titles
            for i in found.items
        )


# JSON-LD


def graph(found: Block, style: Style = SITE) -> dict[str, Any]:
    """The nodes of a block's JSON-LD by type."""
    read = json.loads(paged("jsonld", found, style))
    assert read["@context"] == "https://schema.org"
    return {node["@type"]: node for node in read["@graph"]}


def test_json_ld_is_a_page_with_its_links_and_the_list() -> None:
    """`relatedLink` on the `WebPage`, absolute; an `ItemList` that the page mentions, in order."""
    nodes = graph(block(article("a"), article("b", url=None), article("c", url="https://other.example/c", lang="de")))
    page, listed = nodes["WebPage"], nodes["ItemList"]
    assert page["url"] == "https://courier.example/news/page.html"
    assert page["relatedLink"] == ["https://courier.example/news/a.html", "https://other.example/c"]
    assert page["mentions"] == {"@id": listed["@id"]}
    assert listed["@id"].startswith(f"{page['url']}#similar-")
    assert (listed["name"], listed["numberOfItems"]) == ("Similar articles", 3)
    assert [entry["position"] for entry in listed["itemListElement"]] == [1, 2, 3]
    assert {entry["@type"] for entry in listed["itemListElement"]} == {"ListItem"}
    first, second, third = (entry["item"] for entry in listed["itemListElement"])
    assert first == {
        "@type": "Article",
        "@id": "https://courier.example/news/a.html",
        "url": "https://courier.example/news/a.html",
        "headline": "Title of a",
        "datePublished": "2024-03-01T09:30:00+02:00",
        "inLanguage": "en",
        "image": "https://courier.example/images/bridge.jpg",
    }
    assert "url" not in second
    assert third["inLanguage"] == "de"


def test_json_ld_of_a_site_without_address_links_as_the_page_does() -> None:
    """Its reader resolves links by the page that it stands in."""
    nodes = graph(block(article("a")), Style())
    assert nodes["WebPage"]["relatedLink"] == ["a.html"]
    assert "url" not in nodes["WebPage"]
    assert nodes["WebPage"]["mentions"]["@id"].startswith("#similar-")


def test_json_ld_of_an_empty_block_has_no_list() -> None:
    """But it is JSON, so that a page can have it in a script element all the same."""
    assert set(graph(block())) == {"WebPage"}
    assert "relatedLink" not in graph(block())["WebPage"]


def test_json_ld_cannot_leave_its_script_element() -> None:
    """`</script>` and `<!--` in a title end nothing: a parser of HTML sees one script, with all of it."""
    for found in hostile_blocks():
        text = paged("jsonld", found)
        assert not set("<>&\u2028\u2029") & set(text)
        html = f'<!DOCTYPE html><title>x</title><script type="application/ld+json">{text}</script><p id=after>'
        read = justhtml.JustHTML(html, sanitize=False)
        (script,) = read.query("script")
        assert json.loads(script.to_text(strip=False)) == json.loads(text)
        assert len(read.query("#after")) == 1


# JSON Feed


def check_feed(feed: dict[str, Any]) -> None:
    """Raises AssertionError where a feed is against the rules of JSON Feed 1.1."""
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert isinstance(feed["title"], str)
    texts = {"id", "url", "title", "content_text", "summary", "image", "date_published", "date_modified", "language"}
    known = texts | {"authors", "tags", "_simrec"}
    for item in feed["items"]:
        assert set(item) <= known
        assert isinstance(item["id"], str)
        assert isinstance(item["content_text"], str)
        assert all(isinstance(item[name], str) for name in texts & set(item))
        assert all(set(author) <= {"name", "url", "avatar"} and author for author in item.get("authors", ()))
        assert all(isinstance(tag, str) for tag in item.get("tags", ()))
        for name in ("date_published", "date_modified"):
            assert name not in item or re.fullmatch(MOMENT, item[name])
        assert not any("." in key or key.startswith("_") for key in item["_simrec"])
    ids = [item["id"] for item in feed["items"]]
    assert len(set(ids)) == len(ids)


def test_the_feed_has_an_item_a_page_with_its_block() -> None:
    """To the letter of JSON Feed 1.1; the block in `_simrec`, which says what it is."""
    page = article("page", authors=("A. Miller",), tags=("river",), updated_at=WHEN)
    feed = json.loads(
        whole("jsonfeed", [block(article("a"), article("b", url=None), page=page), block(page=article("z"))])
    )
    check_feed(feed)
    assert (feed["title"], feed["home_page_url"]) == ("The Courier", "https://courier.example/")
    first, lone = feed["items"]
    assert (first["url"], first["authors"]) == ("https://courier.example/news/page.html", [{"name": "A. Miller"}])
    assert first["content_text"].startswith("The bridge opened")
    assert first["_simrec"]["about"]
    one, two = first["_simrec"]["items"]
    assert (one["id"], one["url"], one["score"], one["reason"]) == (
        "a",
        "https://courier.example/news/a.html",
        2.0,
        "similar",
    )
    assert "url" not in two
    assert lone["_simrec"]["items"] == []


def test_a_hostile_feed_is_a_feed() -> None:
    """Quotes, line ends and half characters break nothing."""
    feed = json.loads(whole("jsonfeed", hostile_blocks()))
    check_feed(feed)
    assert feed["items"][0]["title"] == HOSTILE


# ninjs

TEXT = {"type": "string"}
DATE = {"type": "string", "pattern": f"^{MOMENT}$"}
URI = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#@!$&'()*+,;=%\\[\\]-]+$"}


def closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """The schema of an object that has these properties and no others."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def list_of(one: dict[str, Any]) -> dict[str, Any]:
    """The schema of an array."""
    return {"type": "array", "items": one}


NEWS = {
    "uri": URI,
    "type": {"enum": ["text", "audio", "video", "picture", "graphic", "composite", "component", "event", "planning"]},
    "representationType": {"enum": ["full", "partial"]},
    "versionCreated": DATE,
    "contentCreated": DATE,
    "language": TEXT,
    "headlines": list_of(closed({"role": TEXT, "contentType": TEXT, "value": TEXT}, "value")),
    "descriptions": list_of(closed({"role": TEXT, "contentType": TEXT, "value": TEXT}, "value")),
    "renditions": list_of(closed({"name": TEXT, "uri": URI, "href": URI, "contentType": TEXT, "title": TEXT}, "name")),
    "altIds": list_of(closed({"role": TEXT, "value": TEXT})),
}
NINJS = closed(
    {
        **NEWS,
        "standard": closed({"name": TEXT, "version": TEXT, "schema": URI}),
        "associations": list_of(closed({**NEWS, "name": TEXT}, "name", "uri")),
    },
    "uri",
)
"""The rules of ninjs 3.0 for the properties that simrec writes; as there, no others are allowed."""


def test_ninjs_associates_the_related_articles() -> None:
    """In order, each with what it takes to show it."""
    read = json.loads(paged("ninjs", block(article("a"), article("tag:x.example,2024:b", lang="de"))))
    jsonschema.validate(read, NINJS)
    assert read["uri"] == "https://courier.example/news/page.html"
    assert (read["headlines"], read["altIds"]) == ([{"value": "Title of page"}], [{"role": "simrec", "value": "page"}])
    one, two = read["associations"]
    assert [one["name"], two["name"]] == ["similar-1", "similar-2"]
    assert [one["uri"], two["uri"]] == ["https://courier.example/news/a.html", "tag:x.example,2024:b"]
    assert two["renditions"][0]["href"].startswith("https://courier.example/news/tag")
    assert two["language"] == "de"


def test_ninjs_keeps_its_rules_whatever_comes() -> None:
    """Hostile texts, no address, ids that are no URIs, addresses beyond ASCII, a zone with seconds."""
    moment = WHEN.replace(tzinfo=timezone(timedelta(seconds=3999)))
    odd = article("ü b", url="https://bücher.example/ü?q=ä#ß", published_at=moment, updated_at=moment)
    for found in (block(), block(odd, page=odd), *hostile_blocks()):
        for style in (SITE, Style()):
            read = json.loads(paged("ninjs", found, style).encode("utf-8", "replace"))
            jsonschema.validate(read, NINJS)
            assert len(read.get("associations", ())) == len(found.items)


# Tables


def test_csv_and_parquet_hold_the_same_rows() -> None:
    """An item a row, with its rank, score, address and reason."""
    pinned = block(article("x", published_at=None), page=article("p"), reasons={"pinned": True})
    recent = block(article("y"), page=article("q"), reasons={"fallback": "recent"})
    blocks = [block(article("a"), article("b", url=None)), block(page=article("lone")), pinned, recent]
    table = pd.read_csv(io.BytesIO(whole("csv", blocks)))
    assert list(zip(table.source_id, table["rank"], table.target_id, table.score, table.reason, strict=True)) == [
        ("page", 1, "a", 2.0, "similar"),
        ("page", 2, "b", 1.5, "similar"),
        ("p", 1, "x", 2.0, "pinned"),
        ("q", 1, "y", 2.0, "recent"),
    ]
    assert table.url[0] == "https://courier.example/news/a.html"
    assert table.terms[0] == "bridge; mill"
    assert json.loads(table.reasons[0])["parts"] == {"tfidf": 1.5}
    same = pd.read_parquet(io.BytesIO(whole("parquet", blocks)))
    assert list(same.columns) == list(table.columns)
    for name in ("source_id", "rank", "target_id", "score", "title", "reason", "reasons"):
        assert same[name].tolist() == table[name].tolist()
    assert same.terms[0].tolist() == ["bridge", "mill"]
    assert same.published_at[0] == pd.Timestamp("2024-03-01T07:30Z") == pd.Timestamp(table.published_at[0])
    assert pd.isna(same.published_at[2])
    assert pd.isna(same.url[1])


def test_parquet_holds_every_text_as_it_is() -> None:
    """But for half characters, which it cannot hold; in several groups of rows."""
    blocks = hostile_blocks()
    read = pd.read_parquet(io.BytesIO(whole("parquet", blocks)))
    assert read.title.tolist() == [i.title.encode("utf-8", "replace").decode() for b in blocks for i in b.items]


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "'=1", "''@x"])
def test_a_formula_is_text_in_csv(text: str) -> None:
    """It has an apostrophe in front; who reads by a program takes that off."""
    found = block(article(text, title=text), page=article(text))
    (row,) = csv.DictReader(io.StringIO(whole("csv", [found]).decode(), newline=""))
    assert all(row[name] == f"'{text}" for name in ("source_id", "target_id", "title"))
    assert unguarded(row["title"]) == text


@given(st.text())
@example("'")
@example("''")
@example("'=")
def test_what_is_guarded_comes_back(text: str) -> None:
    """Whatever it is, and no guarded text begins as a formula does."""
    assert unguarded(guarded(text)) == text
    assert not guarded(text).lstrip().startswith(("=", "+", "-", "@"))


def test_hostile_texts_stay_in_their_csv_cells() -> None:
    """Quotes, commas, line ends, half characters: as many rows and columns as without them."""
    rows = list(csv.reader(io.StringIO(whole("csv", hostile_blocks()).decode(), newline="")))
    assert {len(row) for row in rows} == {11}
    assert len(rows) == 1 + 5 * 5


# TREC


def test_a_run_is_read_in_the_blocks_order() -> None:
    """By its scores, which fall with the rank even where a pinned item's own does not."""
    page = article("page")
    found = compose(
        page, "en", [(article("a"), 0.5, {"pinned": True}), (article("b"), 2.0, {}), (article("c"), 1.0, {})]
    )
    text = whole("trec", [found, block(article("x"), page=article("q"))]).decode()
    run = sorted(ir_measures.read_trec_run(io.StringIO(text)), key=lambda line: -line.score)
    assert [line.doc_id for line in run if line.query_id == "page"] == ["a", "b", "c"]
    assert {line.split()[1] + line.split()[5] for line in text.splitlines()} == {"Q0hybrid"}


def test_ids_of_a_run_have_no_spaces() -> None:
    """Line ends, spaces and half characters are written as in URLs, and read back by simrec's own reader."""
    odd = ["my page", "line\nbreak", "tab\tbed", "100%", "nbsp\u00a0x", "\u2028"]
    text = whole("trec", [block(*map(article, odd), page=article("a b"))]).decode()
    assert [len(line.split()) for line in text.splitlines()] == [6] * len(odd)
    assert [line.doc_id for line in ir_measures.read_trec_run(io.StringIO(text))][:2] == ["my%20page", "line%0Abreak"]
    assert all(len(line.split()) == 6 for line in whole("trec", hostile_blocks()).decode().splitlines())


def test_dates_are_written_with_their_zone() -> None:
    """UTC or not, so that a reader elsewhere knows the moment."""
    found = block(article("a", published_at=datetime(2024, 3, 1, tzinfo=UTC)))
    assert json.loads(paged("json", found))["items"][0]["published_at"] == "2024-03-01T00:00:00+00:00"
