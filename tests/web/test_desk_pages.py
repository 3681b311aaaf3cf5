"""The desk's pages in a real browser: what they show, and that everybody can use them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from conftest import PAGE, Served, violations
from desk_fakes import Judgement, Wish
from hands import said

Open = Callable[..., Any]
Shot = Callable[[Any, str], None]
ARTICLE = f"/desk/article?id={PAGE}"
PAGES = {
    "queue": "/desk",
    "search": "/desk/search?q=bridge",
    "article": ARTICLE,
    "find": f"{ARTICLE}&find=ferry",
    "models": f"{ARTICLE}&view=models",
    "changes": f"{ARTICLE}&view=changes",
    "compare": "/desk/compare",
    "trial": "/desk/compare/trial?a=hybrid&b=tfidf",
    "site": "/desk/site",
    "log": "/desk/log",
    "help": "/desk/help",
    "nothing": "/desk/nothing",
}


@pytest.fixture
def busy(served: Served) -> Served:
    """A desk at which something was done."""
    ids = [item.id for item in served.backend.block(PAGE).items]
    for action, target in (("ban", ids[3]), ("pin", "ferry-captain-withdrawn"), ("accept", ids[0]), ("pin", ids[2])):
        served.backend.act("Petra Lohse", Wish(action, PAGE, target))
    for side in ("left", "left", "right", "tie"):
        served.backend.judge("Ines Calder", Judgement("t", side, (ids[0],), (ids[1],) if side == "left" else ()))
    served.backend.seen("Petra Lohse", PAGE)
    return served


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 1600)])
def test_everybody_can_use_every_page(open_page: Open, busy: Served, shot: Shot, scheme: str, width: int) -> None:
    """No page has a fault of accessibility, in both schemes; none is wider than the screen, also a phone's."""
    size = {"width": width, "height": 844 if width < 500 else 900}
    page = open_page(color_scheme=scheme, viewport=size, bypass_csp=True, reduced_motion="reduce")
    found = {}
    for name, path in PAGES.items():
        page.goto(path)
        shot(page, f"{name}-{scheme}-{width}")
        found[name] = violations(page) if width == 1280 else []
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found[name].append("wider than the screen")
    page.goto(ARTICLE)
    page.locator("[data-do=accept]").nth(1).click()
    page.wait_for_selector("[data-toast]")
    shot(page, f"toast-{scheme}-{width}")
    if width == 390:  # a phone has its own layout: the page with the most in it is looked at there, too
        found["article"] += violations(page)
    found["toast"] = violations(page) if width == 1280 else []
    page.locator("h1").click()
    page.keyboard.press("?")
    found["keys"] = violations(page) if width == 1280 else []
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_the_door_is_open_to_everybody(open_page: Open, served: Served, shot: Shot) -> None:
    """The page to sign in at has no serious fault either, also when it says that a key is wrong."""
    for scheme in ("light", "dark"):
        page = open_page(key=None, color_scheme=scheme, bypass_csp=True)
        assert "/desk/login" in page.url
        page.get_by_label("Your key").fill("sr_wrong_key")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector("[role=alert]")
        shot(page, f"login-{scheme}")
        assert violations(page) == []


def test_who_signs_in_is_where_they_wanted_to_go(open_page: Open, served: Served) -> None:
    """The door leads to the page that was asked for."""
    page = open_page(key=None, path="/desk/log?who=Petra")
    page.get_by_label("Your key").fill("sr_test_secret")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/desk/log?who=Petra")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/desk/login")
    page.goto("/desk/log")
    assert "/desk/login" in page.url


def test_the_queue_is_filtered_and_worked_off(open_page: Open, served: Served) -> None:
    """A kind shows its pages only; a page that is fine leaves; the rest is on further parts."""
    page = open_page()
    first, second = (page.locator(".row").nth(at).get_attribute("data-id") for at in (0, 1))
    page.locator(".row").first.get_by_role("button").click()
    page.wait_for_selector(f'.row:first-child[data-id="{second}"]')
    assert page.evaluate("document.activeElement.dataset.id") == second
    assert served.backend.looked == {first}
    page.get_by_role("link", name="Further").click()
    page.wait_for_url("**after=25*")
    assert page.locator(".row .n").first.inner_text() == "26"
    page.get_by_role("link", name=re.compile("^few items")).click()
    page.wait_for_url("**kind=few_items*")
    assert all("3 of 5 items" in text for text in page.locator(".row .why").all_inner_texts())


def test_what_is_said_is_undone_by_key_and_said_again(open_page: Open, served: Served) -> None:
    """A page that was found fine is back in its place of the queue, and so is told; a verdict is undone as well."""
    page = open_page()
    first = page.locator(".row").first.get_attribute("data-id")
    page.locator(".row").first.get_by_role("button").click()
    page.wait_for_selector(f'.row:first-child:not([data-id="{first}"])')
    assert said(page).startswith("Found fine: “")
    assert "done=" not in page.url
    page.keyboard.press("u")
    page.wait_for_selector(f'.row:first-child[data-id="{first}"]')
    assert said(page).startswith("Back in the queue: “")
    page.get_by_role("button", name="Do it again").click()
    page.wait_for_selector(f'.row:first-child:not([data-id="{first}"])')
    page.goto("/desk/compare/trial?a=hybrid&b=tfidf")
    page.keyboard.press("1")
    page.wait_for_selector("[data-trial] [data-toast]")
    assert said(page).startswith("Stored.")
    assert "hybrid" not in page.locator("[data-toast]").inner_text()
    page.keyboard.press("u")
    page.wait_for_selector("[data-toast] >> text=what was said of")
    assert said(page).startswith("Undone.")
    for path in (
        "queue?done=4",
        "queue?done=5",
        "compare/trial?a=hybrid&b=tfidf&done=3",
        "queue?done=9",
        "queue?done=-1",
    ):
        assert "data-toast" not in page.request.get(f"/desk/{path}").text()
    log = page.request.get("/desk/log.jsonl").text().splitlines()
    told = [(line["action"], bool(line["undone_by"])) for line in map(json.loads, log)]
    assert told == [("undo", False), ("judge", True), ("undo", False), ("undo", True), ("seen", True)]


def test_drafts_are_found_and_marked(open_page: Open, served: Served) -> None:
    """The search knows what readers do not see, and says so."""
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("stadium-name-draft")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/search**")
    assert "not seen by readers: draft" in page.locator(".row").inner_text()
    page.locator(".row a").click()
    page.wait_for_url("**stadium-name-draft")
    assert "readers do not see this page" in page.locator(".head").inner_text()


def test_models_are_judged_blind_by_keys(open_page: Open, served: Served) -> None:
    """1, 2 and 0 judge; what is marked good on one side is on the other, too; no page says which model is which."""
    page = open_page(path="/desk/compare")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/desk/compare/trial**")
    good = page.locator("[name=good]").first
    good.check()
    marked = good.get_attribute("value")
    sides = page.locator(".columns").inner_text()
    assert not any(model in sides for model in served.backend.models)
    for at, key in enumerate("120", 1):
        page.keyboard.press(key)
        page.wait_for_selector(f'[name=trial][value="trial{at}"]', state="attached")
    assert [judged.preferred for _, judged in served.backend.judged] == ["left", "right", "tie"]
    assert set(served.backend.judged[0][1].accepted) == {marked}
    page.get_by_role("link", name="Stop, and see what came of it").click()
    assert "No difference is shown yet" in page.locator(".tally").inner_text()


def test_the_log_is_filtered_and_exported(open_page: Open, busy: Served) -> None:
    """The log shows one editor's acts, and gives all of them as a file."""
    busy.backend.act("=HYPERLINK(1)", Wish("accept", PAGE, PAGE))
    page = open_page(path="/desk/log")
    assert page.locator("tbody tr").count() == 10
    page.get_by_label("Who").fill("Petra Lohse")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**who=Petra**")
    assert page.locator("tbody tr").count() == 5
    lines = page.request.get("/desk/log.jsonl").text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [*range(10, 0, -1)]
    table = page.request.get("/desk/log.csv").text()
    assert ",'=HYPERLINK(1)," in table
    assert table.splitlines()[0].endswith(",note,said")
    assert '""preferred"": ""hybrid""' in table


def test_the_state_of_the_site_has_its_figures_as_a_table(open_page: Open, served: Served) -> None:
    """The drawing has a text, and a table with all that it shows."""
    page = open_page(path="/desk/site")
    assert page.get_by_role("img", name=re.compile("nDCG@10 over time")).is_visible()
    page.get_by_text("The figures").click()
    assert page.locator(".chart tbody tr").count() == 18


def test_the_page_says_itself_to_a_screen_reader(open_page: Open, served: Served) -> None:
    """Landmarks, one heading of the first level, buttons that name the article, a way past the head."""
    page = open_page(path=ARTICLE)
    first = served.backend.block(PAGE).items[0].title
    assert page.get_by_role("button", name=f"Pin “{first}”").count() == 1
    assert page.get_by_role("button", name=f"Ban “{first}”").count() == 1
    assert page.get_by_role("button", name=f"Move down “{first}”").count() == 1
    assert page.locator("h1").count() == 1
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("search").count() == 1
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_the_keyboard_gets_through_the_whole_page(open_page: Open, served: Served) -> None:
    """Tab leads on from each element, and the focus is seen everywhere."""
    page = open_page(path=ARTICLE)
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                "(() => { const e = document.activeElement, s = getComputedStyle(e);"
                " return [e.outerHTML.slice(0, 120), s.outlineStyle !== 'none' || s.boxShadow !== 'none']; })()"
            )
        )
    assert len({html for html, _ in seen}) > 50
    assert [html for html, visible in seen if not visible] == []
