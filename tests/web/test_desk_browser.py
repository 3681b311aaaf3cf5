"""Every act at the desk, in a real browser, on the real service: each is in the store as it was meant."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from conftest import PAGE, serving
from hands import READY, acting, block, drag, listed, press, row, type_key

from simrec.pipeline.acts import Desk, PageState
from simrec.pipeline.workspace import Workspace
from simrec.serve.app import create_app

ADDRESS = f"/desk/article?id={PAGE}"
READ = f"/v1/articles/{PAGE}/similar"
INES, PETRA = "Ines Calder", "Petra Lohse"


@dataclass
class Newsroom:
    """The newsroom's service, and who is at its desk."""

    workspace: Workspace
    app: Any
    sign_in: Callable[[str], Any]

    def state(self) -> PageState:
        """What stands of acts on the page, in the store."""
        return Desk(self.workspace, None).state(PAGE)

    def acts(self) -> list[tuple[str, str]]:
        """Who did what, the oldest first, in the store."""
        return [(act.who, act.action) for act in reversed(Desk(self.workspace, None).log())]

    def agrees(self, page: Any) -> bool:
        """Whether readers get the block that the desk shows."""
        return [item["id"] for item in page.request.get(READ).json()["items"]] == block(page)


@pytest.fixture
def newsroom(browser: Any, newsroom_site: Path, tmp_path: Path) -> Iterator[Newsroom]:
    """The newsroom, served, its desk with a second model that gives each block in another order."""
    shutil.copytree(newsroom_site, tmp_path / "site")
    settings = (newsroom_site / "simrec.toml").read_text("utf-8")
    (tmp_path / "site" / "simrec.toml").write_text(f'{settings}access_log = false\ndesk_models = ["tfidf"]\n', "utf-8")
    workspace = Workspace.open(tmp_path / "site")
    app = create_app(workspace)
    _add_model(app, workspace)
    with serving(app) as url, _browsers(browser, url, workspace) as sign_in:
        yield Newsroom(workspace, app, sign_in)


def _add_model(app: Any, workspace: Workspace) -> None:
    """A second model, that needs no vectors: `tfidf`, the last first."""
    backend = app.state.desk.backend
    serve = workspace.settings.serve.model_copy(update={"desk_models": ("tfidf", "turned")})
    backend._workspace = replace(workspace, settings=workspace.settings.model_copy(update={"serve": serve}))
    blocks = backend._looks.blocks
    backend._looks.blocks = lambda model, id_: blocks("tfidf", id_)[:: 1 if model == "tfidf" else -1]


@contextmanager
def _browsers(browser: Any, url: str, workspace: Workspace) -> Iterator[Callable[[str], Any]]:
    """Signs editors in, each in a browser of their own."""
    contexts = []

    def sign_in(name: str) -> Any:
        with workspace.store() as store:
            key = store.create_key(name, ["edit"])
        contexts.append(browser.new_context(base_url=url, viewport={"width": 1400, "height": 1600}))
        contexts[-1].set_default_timeout(20_000)
        page = contexts[-1].new_page()
        page.goto(ADDRESS)
        page.get_by_label("Your key").fill(key.secret)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector(f"{READY} #acts", state="attached")
        return page

    yield sign_in
    for context in contexts:
        context.close()


def test_every_act_is_stored_as_it_was_meant(newsroom: Newsroom) -> None:
    """Pins, bans, orders and undoing by buttons, keys and drag; two editors at once; what they say; and the log."""
    page = newsroom.sign_in(INES)
    assert newsroom.agrees(page)
    _pin_ban_accept(newsroom, page)
    _reorder(newsroom, page)
    other = newsroom.sign_in(PETRA)
    _at_once(newsroom, page, other)
    _judge(newsroom, other)
    _find_fine(newsroom, page)
    _read_the_log(newsroom, page)


def _pin_ban_accept(newsroom: Newsroom, page: Any) -> None:
    """By button, by key, and taken back: by the note, by key, and by the button of before."""
    before, wanted = block(page), listed(page, "candidates")[1]
    press(page, "pin", wanted)
    assert newsroom.state().pins == (wanted,)
    assert (block(page)[0], newsroom.agrees(page)) == (wanted, True)
    with acting(page):
        page.locator("[data-toast] [data-undo] button").click()
    assert (newsroom.state().pins, block(page), newsroom.agrees(page)) == ((), before, True)
    type_key(page, "p", before[2])
    assert newsroom.state().pins == (before[2],)
    type_key(page, "u", before[2])
    type_key(page, "b", before[0])
    assert (newsroom.state().bans, newsroom.agrees(page)) == ((before[0],), True)
    assert before[0] not in block(page)
    press(page, "unban", before[0])
    press(page, "accept", before[1])
    type_key(page, "a", before[3])
    state = newsroom.state()
    assert (state.pins, state.bans, state.accepted) == ((), (), (before[1], before[3]))
    assert (block(page), newsroom.agrees(page)) == (before, True)
    with newsroom.workspace.store() as store:
        said = {(one.target_id, one.origin, one.who) for one in store.judgements("editors")}
    assert said == {(before[1], "accept", INES), (before[3], "accept", INES)}


def _reorder(newsroom: Newsroom, page: Any) -> None:
    """By button, by key, by drag, and back: what is needed is pinned, and what waits stays."""
    a, b, c, d, *rest = block(page)
    press(page, "up", c)
    assert (newsroom.state().pins, block(page)) == ((a, c), [a, c, b, d, *rest])
    type_key(page, "Alt+ArrowDown", a)
    assert (newsroom.state().pins, block(page)) == ((c, a), [c, a, b, d, *rest])
    page.evaluate("scrollTo(0, 0)")
    with acting(page):
        drag(page, d, row(page, c).bounding_box()["y"] + 4)
    assert (newsroom.state().pins, block(page)) == ((d, c, a), [d, c, a, b, *rest])
    assert newsroom.agrees(page)
    for pins in ((c, a), (a, c), ()):
        with acting(page):
            page.locator(".views [data-undo] button").click()
        assert newsroom.state().pins == pins
    assert (block(page), newsroom.agrees(page)) == ([a, b, c, d, *rest], True)


def _at_once(newsroom: Newsroom, page: Any, other: Any) -> None:
    """The slower one is told who pinned what, nothing is stored, and doing it all the same keeps that pin."""
    a, b, *_ = block(page)
    wanted = listed(other, "candidates")[0]
    press(other, "pin", wanted)
    row(page, b).locator("[data-do=up]").click()
    page.wait_for_selector(".choice")
    assert PETRA in page.locator("main").inner_text()
    assert newsroom.state().pins == (wanted,)
    page.get_by_role("button", name="Do it on the page as it is now").click()
    page.wait_for_selector(f"{READY} [data-block]")
    assert newsroom.state().pins == (b, wanted)
    assert (block(page)[:3], newsroom.agrees(page)) == ([b, wanted, a], True)


def _judge(newsroom: Newsroom, page: Any) -> None:
    """A trial is judged for the model that was on the side that was chosen; its marks are judgements."""
    page.goto("/desk/compare")
    page.get_by_role("button", name="Start").click()
    page.wait_for_selector("[data-trial]")
    good = page.locator("#main [name=good]").first
    marked = good.get_attribute("value")
    good.check()
    page.get_by_role("button", name="Right is better").click()
    page.wait_for_selector("main >> text=Stored.")
    with newsroom.workspace.store() as store:
        [found] = store.comparisons()
        [said] = [one for one in store.judgements("editors") if one.origin == "judged"]
    assert (found.who, found.preferred, found.accepted) == (PETRA, "b" if found.left_is == "a" else "a", (marked,))
    assert (said.source_id, said.target_id, said.who, said.grade) == (found.source_id, marked, PETRA, 1.0)
    page.locator("[data-toast] [data-undo] button").click()
    page.wait_for_selector("main >> text=Undone.")
    with newsroom.workspace.store() as store:
        assert store.comparisons() == [one for one in store.judgements("editors") if one.origin == "judged"] == []
    page.goto("/desk/log")
    told = f"Preferred {found.model_a if found.preferred == 'a' else found.model_b} to"
    page.locator("tr.undone", has_text=told).wait_for()
    page.locator("tr", has_text=f"Undid: {told[:1].lower()}{told[1:]}").get_by_role("button").click()
    page.locator("tr", has_text=f"Did again: {told[:1].lower()}{told[1:]}").wait_for()
    with newsroom.workspace.store() as store:
        assert store.comparisons() == [found]


def _find_fine(newsroom: Newsroom, page: Any) -> None:
    """The page leaves the queue, and is back in its place when that is undone, there or in the log."""
    page.goto("/desk/queue")
    first = page.locator(".row").first.get_attribute("data-id")
    gone, there = f'.row:first-child:not([data-id="{first}"])', f'.row:first-child[data-id="{first}"]'
    for undo in ("[data-toast] [data-undo] button", ".log tr:first-child button"):
        page.goto("/desk/queue")
        page.locator(".row").first.get_by_role("button", name="It is fine").click()
        page.wait_for_selector(f"{READY} {gone}")
        if undo.startswith(".log"):
            page.goto("/desk/log")
        page.locator(undo).first.click()
        page.wait_for_selector(".log tr.undone >> nth=0" if undo.startswith(".log") else f"{READY} {there}")
    page.goto("/desk/queue")
    page.wait_for_selector(there)
    with newsroom.workspace.store() as store:
        assert [act.action for act in store.acts(source_id=first)] == ["undo", "seen", "undo", "seen"]
        assert store.page_states([first]) == {}


def _read_the_log(newsroom: Newsroom, page: Any) -> None:
    """It has every act by whom, any of them can be undone in it, and what is exported is what is stored."""
    page.goto("/desk/log")
    acts = newsroom.acts()
    assert {who for who, _ in acts} == {INES, PETRA}
    page.locator("tr", has_text="Accepted").first.get_by_role("button").click()
    page.wait_for_selector("tr.undone >> text=Accepted")
    assert len(newsroom.state().accepted) == 1
    lines = [json.loads(line) for line in page.request.get("/desk/log.jsonl").text().splitlines()]
    assert [(line["who"], line["action"]) for line in reversed(lines)] == [*acts, (INES, "undo")]
    assert newsroom.acts() == [*acts, (INES, "undo")]
