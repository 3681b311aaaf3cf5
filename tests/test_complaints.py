"""What users of other tools complain of: none of it happens here. The reference is in each test."""

from __future__ import annotations

import json
from pathlib import Path

import justhtml
import pytest

from simrec.block.compose import compose
from simrec.block.formats import PAGE_FORMATS
from simrec.block.headings import HEADINGS
from simrec.block.style import Style
from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.render import render
from simrec.pipeline.show import similar
from simrec.pipeline.viewer import Viewer
from simrec.pipeline.workspace import Workspace
from simrec.settings import Settings
from simrec.store import StoredBlock, StoredItem
from simrec.types import Article, Corpus


def site_of(folder: Path, articles: list[dict[str, object]], picks: str = "", settings: str = "") -> Workspace:
    """A site of these articles, built with `tfidf`, three items a block."""
    (folder / "simrec.toml").write_text(settings, encoding="utf-8")
    (folder / "articles.jsonl").write_text("\n".join(map(json.dumps, articles)), encoding="utf-8")
    (folder / "picks.csv").write_text(f"source_id,target_id,rank\n{picks}", encoding="utf-8")
    workspace = Workspace.open(folder, create=True)
    ingest(workspace, [folder / "articles.jsonl"], picks=[folder / "picks.csv"])
    build(workspace, model="tfidf", k=3)
    return workspace


def bridges(n: int) -> list[dict[str, object]]:
    """Articles about one bridge, each with words of its own."""
    text = "The river bridge at the mill is closed while engineers mend the cables of the bridge deck."
    own = "It was day number{0} and the reporter noted detail{0} and remark{0} on page{0}."
    bodies = [f"{text} {own.format(i)}" for i in range(n)]
    return [{"id": f"b{i}", "title": f"Bridge news {i}", "body": body, "lang": "en"} for i, body in enumerate(bodies)]


@pytest.mark.parametrize("lang", ["de", "de-CH", "fr", "pt-BR", "zh-TW", "ar", "ga"])
def test_heading_in_the_wrong_language(lang: str) -> None:
    """It is in the page's language, whatever the items' is (Automattic/jetpack #28313 #12782)."""
    page = Article("page", "Seite", "Text", lang=lang)
    block = compose(page, lang, [(Article("a", "An English title", "Text", lang="en"), 1.0, {})])
    wanted = HEADINGS["zh-hant" if lang == "zh-TW" else lang.partition("-")[0]]
    shown = {name: PAGE_FORMATS[name](Style(lang="en")).render(block) for name in ("html", "json", "jsonld")}
    assert justhtml.JustHTML(shown["html"], fragment=True).query("h2")[0].to_text() == wanted
    assert json.loads(shown["json"])["heading"] == wanted
    assert json.loads(shown["jsonld"])["@graph"][1]["name"] == wanted


def test_alt_text_missing() -> None:
    """Every image has one: its own, or an empty one, which says that it is decoration (Automattic/jetpack #11339)."""
    images = [("a", "A bridge"), ("b", None), ("c", ""), ("d", '"><img src=x>')]
    items = [Article(id_, f"Title {id_}", "Text", image="/i.jpg", image_alt=alt) for id_, alt in images]
    block = compose(Article("page", "Page", "Text"), "en", [(item, 1.0, {}) for item in items])
    found = justhtml.JustHTML(PAGE_FORMATS["html"](Style()).render(block), fragment=True, sanitize=False).query("img")
    assert [image.attrs.get("alt") for image in found] == ["A bridge", "", "", '"><img src=x>']


def test_the_page_itself_or_one_article_twice(tmp_path: Path) -> None:
    """Not even where an editor picked it (betterscientificsoftware/bssw.io #1138; thematters/matters-server #2855)."""
    picks = "b0,b0,1\nb0,b3,2\nb0,b3,3\nb0,b4,4\n"
    workspace = site_of(tmp_path, bridges(12), picks, "[policy]\npin_picks = true\n")
    render(workspace, tmp_path / "out", format="json-bundle")
    for line in (tmp_path / "out" / "blocks.jsonl").read_text(encoding="utf-8").splitlines():
        block = json.loads(line)
        ids = [item["id"] for item in block["items"]]
        assert block["id"] not in ids
        assert len(ids) == len(set(ids)) == 3
    assert [item.id for item in similar(workspace, "b0").block.items][:2] == ["b3", "b4"]
    corpus = Corpus([Article(f"b{i}", "Title", "Text") for i in range(5)])
    stored = StoredBlock("b0", tuple(StoredItem(id_, 1.0) for id_ in ("b1", "b0", "b1", "b2", "b3")))
    assert [item.id for item in Viewer(corpus, Settings(), 3).view(stored).items] == ["b1", "b2", "b3"]


def test_two_blocks_of_one_page_repeat_each_other(tmp_path: Path) -> None:
    """What another block shows is passed in, and this one is full all the same (Financial-Times/google-amp #39)."""
    workspace = site_of(tmp_path, bridges(20))
    shown: list[str] = []
    for _ in range(4):
        items = [item.id for item in similar(workspace, "b0", exclude=shown).block.items]
        assert len(items) == 3
        assert not set(items) & {*shown, "b0"}
        shown += items
