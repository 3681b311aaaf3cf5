"""From the store to blocks: what a reader may see, in full where it can be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import lxml.html
import pytest
from sqlalchemy import text

from simrec.embed.sentence import SentenceEmbedder
from simrec.errors import NotFoundError, StoreError, UsageError
from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.publish import hide
from simrec.pipeline.render import render
from simrec.pipeline.show import similar
from simrec.pipeline.viewer import Viewer
from simrec.pipeline.workspace import Workspace
from simrec.store import Store

TOPICS = {
    "bridge": "The river bridge at the mill is closed while engineers mend the cables of the bridge deck.",
    "school": "The school will open a library so that pupils and teachers can borrow more books at school.",
    "goal": "The striker scored a late goal and the football club won its match in the league again.",
}


def lines(n: int, **values: object) -> str:
    """n articles that take turns in their topics, each with words of its own."""
    found = []
    for i in range(n):
        topic = list(TOPICS)[i % 3]
        body = f"{TOPICS[topic]} It was day number{i} and the reporter noted detail{i} and remark{i} on page{i}."
        article = {"id": f"{topic}{i}", "title": f"{topic} news {i}", "body": body, "lang": "en", **values}
        found.append(json.dumps(article))
    return "\n".join(found)


def set_column(workspace: Workspace, column: str, value: str | None, *ids: str) -> None:
    """Changes stored articles behind the pipeline's back."""
    with workspace.store() as store, store._engine.begin() as connection:
        for id_ in ids:
            statement = text(f"UPDATE articles SET {column} = :v WHERE id = :i")  # noqa: S608 - names of our own
            connection.execute(statement, {"v": value, "i": id_})


def blocks_of(workspace: Workspace) -> dict[str, list[str]]:
    """The ids in every stored block."""
    with workspace.store() as store:
        return {b.source_id: [i.id for i in b.items] for b in store.blocks(store.snapshot().id)}


@pytest.mark.sentence
def test_every_block_of_the_newsroom_is_safe_and_full(built: Path) -> None:
    """Five items in the page's language, no copy, nothing hidden, never the page itself."""
    workspace = Workspace.open(built)
    with workspace.store() as store:
        articles = {a.id: a for a in store.articles()}
        viewer = Viewer.open(store, workspace.settings, 5)
        seen = {b.source_id: [i.id for i in viewer.view(b).items] for b in store.blocks(store.snapshot().id)}
    hidden = {a.id for a in articles.values() if a.status != "published" or a.expires_at}
    assert hidden
    for source, items in seen.items():
        assert len(items) == 5
        assert source not in items
        assert len(set(items)) == len(items)
        assert not hidden & set(items)
        assert {articles[i].lang for i in items} == {articles[source].lang}
        titles = [articles[i].title for i in [source, *items]]
        assert len(set(titles)) == len(titles)


@pytest.mark.sentence
def test_a_second_build_embeds_nothing_and_gives_the_same_blocks(
    site: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors come from the cache, and the output does not change."""
    before = blocks_of(site)

    def fail(*_: object) -> None:
        raise AssertionError("a text was embedded again")

    monkeypatch.setattr(SentenceEmbedder, "_embed", fail)
    assert build(site).snapshot == 2
    assert blocks_of(site) == before


def test_withdrawn_is_gone_at_once_and_a_spare_moves_up(make_site: Callable[..., Workspace]) -> None:
    """Deleted posts still shown: not here, even before the next build, and the block stays full."""
    workspace = make_site(lines(30))
    build(workspace, model="tfidf", k=3)
    first = similar(workspace, "bridge0").block.items
    set_column(workspace, "status", "withdrawn", first[0].id)
    after = similar(workspace, "bridge0").block.items
    assert [i.id for i in after[:2]] == [i.id for i in first[1:]]
    assert len(after) == 3


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", "draft"),
        ("status", "withdrawn"),
        ("status", "embargoed"),
        ("embargo_until", "2999-01-01T00:00:00+00:00"),
        ("published_at", "2999-01-01T00:00:00+00:00"),
        ("expires_at", "2001-01-01T00:00:00+00:00"),
        ("lang", "de"),
    ],
)
def test_what_may_not_be_shown_is_filtered_before_the_cut(
    make_site: Callable[..., Workspace], column: str, value: str
) -> None:
    """Hidden or foreign articles take no place: the block is full with what comes after them."""
    workspace = make_site(lines(30))
    hidden = [f"bridge{i}" for i in range(3, 27, 3)]
    set_column(workspace, column, value, *hidden)
    build(workspace, model="tfidf", k=5)
    shown = [i.id for i in similar(workspace, "bridge0").block.items]
    assert len(shown) == 5
    assert not set(hidden) & set(shown)


def test_syndicated_copies_never_fill_a_block(make_site: Callable[..., Workspace]) -> None:
    """Two hundred copies of one story are one item at most, and the block is full all the same."""
    story = {"title": "Bridge closed", "body": TOPICS["bridge"], "lang": "en"}
    copies = "\n".join(json.dumps({"id": f"copy{i}", **story}) for i in range(200))
    workspace = make_site(f"{copies}\n{lines(30)}")
    build(workspace, model="tfidf", k=5)
    for source in ("bridge0", "copy7"):
        shown = [i.id for i in similar(workspace, source).block.items]
        assert len(shown) == 5
        assert sum(id_.startswith("copy") for id_ in shown) <= (source == "bridge0")


def test_a_short_block_says_why(make_site: Callable[..., Workspace]) -> None:
    """Fewer than k where fewer exist, with a reason that an editor understands."""
    more = [("de", "Brücke", "de"), ("fr1", "Pont", "fr"), ("fr2", "Pont", "fr")]
    texts = [json.dumps({"id": id_, "title": title, "body": "...", "lang": lang}) for id_, title, lang in more]
    workspace = make_site("\n".join([lines(3), *texts]))
    build(workspace, model="tfidf", k=5)
    block = similar(workspace, "de").block
    assert block.items == ()
    assert block.shortfall == "0 of 5: 0 other articles in 'de' may be shown"
    assert "1 other article in 'fr' may be shown" in (similar(workspace, "fr1").block.shortfall or "")
    shortfall = similar(workspace, "bridge0").block.shortfall
    assert shortfall
    assert shortfall.startswith("2 of 5: 2 other articles in 'en' may be shown")


def test_a_minimum_score_leaves_out_the_unrelated(make_site: Callable[..., Workspace]) -> None:
    """Below it nothing is shown, and the shortfall counts what was taken out."""
    workspace = make_site(lines(30), settings="[policy]\nmin_score = 1.0\n")
    build(workspace, model="tfidf", k=20)
    block = similar(workspace, "bridge0").block
    assert 0 < len(block.items) < 20
    assert all(i.id.startswith("bridge") for i in block.items)
    assert "below the minimum score" in (block.shortfall or "")


def test_pinned_picks_stand_first_if_they_may(make_site: Callable[..., Workspace]) -> None:
    """An editor's own picks come first, in the editor's order, whatever their words; a hidden one does not."""
    picks = "bridge0,goal5,1\nbridge0,school4,2\nbridge0,goal2,3\n"
    workspace = make_site(lines(30), picks, "[policy]\npin_picks = true\n")
    set_column(workspace, "status", "draft", "school4")
    build(workspace, model="tfidf", k=4)
    items = similar(workspace, "bridge0").block.items
    assert [i.id for i in items[:2]] == ["goal5", "goal2"]
    assert [bool(i.reasons.get("pinned")) for i in items] == [True, True, False, False]
    assert len(items) == 4


def test_more_than_the_snapshot_holds_is_ranked_now(make_site: Callable[..., Workspace]) -> None:
    """`similar -k` beyond what was built gives as many, the stored ones first."""
    workspace = make_site(lines(60))
    build(workspace, model="tfidf", k=3)
    few, many = similar(workspace, "bridge0"), similar(workspace, "bridge0", k=15)
    assert [i.id for i in many.block.items[:3]] == [i.id for i in few.block.items]
    assert len(many.block.items) == 15


def test_an_article_ingested_after_the_build_has_a_block_too(make_site: Callable[..., Workspace]) -> None:
    """It is ranked when it is asked for."""
    workspace = make_site(lines(30))
    build(workspace, model="tfidf")
    new = {"id": "new", "title": "Bridge cables mended", "body": TOPICS["bridge"], "lang": "en"}
    (workspace.path / "new.jsonl").write_text(json.dumps(new), encoding="utf-8")
    ingest(workspace, [workspace.path / "new.jsonl"])
    items = similar(workspace, "new").block.items
    assert len(items) == 5
    assert all(i.id.startswith("bridge") for i in items)


def test_explanations_name_shared_words_and_parts(make_site: Callable[..., Workspace]) -> None:
    """ "How are these chosen?" has an answer: words of both articles, and each part of the score."""
    workspace = make_site(lines(30))
    build(workspace, model="tfidf")
    reasons = similar(workspace, "bridge0").block.items[0].reasons
    assert set(reasons["parts"]) == {"tfidf"}
    assert {word for term in reasons["terms"] for word in term.split()} & {"bridge", "cables", "engineers", "river"}


def test_a_build_that_dies_leaves_the_snapshot_before(
    make_site: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old snapshot stays active and whole."""
    workspace = make_site(lines(12))
    build(workspace, model="tfidf")
    before = blocks_of(workspace)
    original = Store.write_snapshot

    def dies(self: Store, found: list, **options: object) -> object:
        def some() -> object:
            yield from found[:3]
            raise KeyboardInterrupt

        return original(self, some(), **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "write_snapshot", dies)
    with pytest.raises(KeyboardInterrupt):
        build(workspace, model="tfidf")
    monkeypatch.undo()
    assert blocks_of(workspace) == before
    assert similar(workspace, "bridge0").snapshot == 1


def test_nothing_to_build_or_show_says_what_to_do(tmp_path: Path, make_site: Callable[..., Workspace]) -> None:
    """No workspace, no articles, no snapshot, no such article: each names the next step."""
    with pytest.raises(NotFoundError, match="simrec ingest"):
        Workspace.open(tmp_path / "nowhere")
    empty = make_site("")
    with pytest.raises(UsageError, match="no articles"):
        build(empty)
    workspace = make_site(lines(6))
    with pytest.raises(StoreError, match="simrec build"):
        similar(workspace, "bridge0")
    build(workspace, model="tfidf")
    with pytest.raises(NotFoundError, match="did you mean 'bridge"):
        similar(workspace, "bridgeO")
    for k in (0, 101, -1):
        with pytest.raises(UsageError, match="-k"):
            build(workspace, model="tfidf", k=k)


def test_articles_without_words_do_not_break_a_build(make_site: Callable[..., Workspace]) -> None:
    """A body of stop words or signs only has no words to share; with `hybrid` it still has a block."""
    odd = [{"id": "stop", "title": "The", "body": "the of and"}, {"id": "signs", "title": "!!!", "body": "— … !"}]
    workspace = make_site(lines(9) + "\n" + "\n".join(json.dumps(o | {"lang": "en"}) for o in odd))
    build(workspace, model="tfidf")
    assert "share nothing with it" in (similar(workspace, "signs").block.shortfall or "")
    build(workspace, model="hybrid")
    assert len(similar(workspace, "stop").block.items) == 5


def test_languages_without_spaces_have_blocks(make_site: Callable[..., Workspace]) -> None:
    """Japanese, Chinese and Thai articles find those that share characters."""
    texts = {
        "ja": [
            "橋の修理が始まった。市は来月まで橋を閉鎖する。",
            "市は橋の修理を続け、閉鎖は来月まで。",
            "図書館で本を借りる子供が増えた。",
        ],
        "zh": [
            "大桥正在维修，市政府将关闭大桥到下个月。",
            "市政府说大桥维修还要继续。",
            "图书馆里看书的孩子越来越多。",
        ],
        "th": ["สะพานปิดซ่อมจนถึงเดือนหน้า", "เทศบาลซ่อมสะพานต่อจนถึงเดือนหน้า", "เด็ก ๆ ยืมหนังสือจากห้องสมุดมากขึ้น"],
    }
    found = [
        json.dumps({"id": f"{lang}{i}", "title": body[:6], "body": body, "lang": lang})
        for lang, bodies in texts.items()
        for i, body in enumerate(bodies)
    ]
    workspace = make_site("\n".join(found))
    build(workspace, model="tfidf", k=1)
    for lang in texts:
        assert [i.id for i in similar(workspace, f"{lang}0").block.items] == [f"{lang}1"]


def test_render_writes_a_file_each_and_nothing_stale(make_site: Callable[..., Workspace], tmp_path: Path) -> None:
    """Same bytes on every run; what no block needs any more is deleted, other files are left alone."""
    workspace = make_site(lines(9))
    build(workspace, model="tfidf", k=2)
    out = tmp_path / "out"
    first = render(workspace, out)
    assert (first["written"], first["unchanged"], first["deleted"]) == (9, 0, 0)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (out / "mine.txt").write_text("kept")
    assert render(workspace, out)["unchanged"] == 9
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.name != "mine.txt"} == before
    hide(workspace, ["bridge3"], "withdrawn")
    assert render(workspace, out)["deleted"] == 1
    assert not (out / "bridge3.html").exists()
    with pytest.raises(StoreError, match="choose another folder for json"):
        render(workspace, out, format="json")
    assert (out / "bridge0.html").exists()
    assert (out / "mine.txt").exists()
    render(workspace, tmp_path / "json", format="json")
    block = json.loads((tmp_path / "json" / "bridge0.json").read_text(encoding="utf-8"))
    assert (block["heading"], len(block["items"])) == ("Similar articles", 2)


def test_rendered_html_of_the_newsroom_is_well_formed(site: Workspace, tmp_path: Path) -> None:
    """Every file parses, has its landmark, and as many items as were asked for."""
    render(site, tmp_path / "out")
    files = sorted((tmp_path / "out").glob("*.html"))
    headings = set()
    for path in files:
        nav = lxml.html.fromstring(path.read_text(encoding="utf-8"))
        assert nav.tag == "nav"
        (heading,) = nav.xpath(f"//*[@id='{nav.get('aria-labelledby')}']")
        headings.add(heading.text_content())
        assert len(nav.xpath(".//li")) == 5
        assert all(image.get("alt") is not None for image in nav.xpath(".//img"))
    assert headings == {"Similar articles", "Ähnliche Artikel"}


def test_an_output_folder_that_cannot_be_written_is_one_line(
    make_site: Callable[..., Workspace], tmp_path: Path
) -> None:
    """A file where the folder should be."""
    workspace = make_site(lines(6))
    build(workspace, model="tfidf")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="output folder"):
        render(workspace, tmp_path / "file")
