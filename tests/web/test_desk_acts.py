"""Editors' acts at the desk, in a real browser: by mouse, by keys, by drag, and without script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from conftest import PAGE, Served
from desk_fakes import Wish
from hands import block, drag, listed, press, row, said, shown

from simrec.errors import UsageError

Open = Callable[..., Any]
Shot = Callable[[Any, str], None]
ADDRESS = f"/desk/article?id={PAGE}"


@pytest.fixture(params=[True, False], ids=["script", "plain"])
def page(request: pytest.FixtureRequest, open_page: Open) -> Any:
    """A page at the desk, with script and without."""
    return open_page(path=ADDRESS, java_script_enabled=request.param)


def test_a_pin_shows_at_once(page: Any, served: Served) -> None:
    """A candidate that is pinned stands first, in the list and as readers see it, and the block stays as long."""
    before, wanted = block(page), listed(page, "candidates")[1]
    press(page, "pin", wanted)
    assert block(page) == [wanted, *before[:-1]]
    assert shown(page)[0] == served.backend.article(wanted).title
    press(page, "unpin", wanted)
    assert block(page) == before


def test_a_ban_makes_room(page: Any, served: Served) -> None:
    """What is banned leaves the block, the next one moves up, and lifting the ban brings it back."""
    before = block(page)
    press(page, "ban", before[0])
    assert before[0] not in block(page)
    assert len(block(page)) == len(before)
    assert listed(page, "banned") == [before[0]]
    press(page, "unban", before[0])
    assert block(page) == before


def test_what_is_accepted_is_marked(page: Any, served: Served) -> None:
    """Accepting changes no block, and can be taken back."""
    before = block(page)
    press(page, "accept", before[1])
    assert served.backend.state(PAGE).accepted == (before[1],)
    assert block(page) == before
    press(page, "unaccept", before[1])
    assert served.backend.state(PAGE).accepted == ()


def test_an_item_is_moved_by_buttons(page: Any, served: Served) -> None:
    """Moving an item pins it and all above it, and nothing below."""
    a, b, c, *rest = block(page)
    press(page, "up", c)
    assert block(page) == [a, c, b, *rest]
    assert served.backend.state(PAGE).pins == (a, c)
    press(page, "down", a)
    assert block(page) == [c, a, b, *rest]


def test_an_act_is_undone_from_the_toast(page: Any, served: Served) -> None:
    """The note that says what was done takes it back, too."""
    before = block(page)
    press(page, "ban", before[2])
    page.locator("[data-toast] [data-undo] button").click()
    page.wait_for_selector("[data-toast] >> text=Undid")
    assert block(page) == before


def test_an_act_is_undone_from_the_log(page: Any, served: Served) -> None:
    """The log takes any act back, not only the last one."""
    before = block(page)
    press(page, "ban", before[2])
    press(page, "accept", before[0])
    page.goto("/desk/log")
    banned = page.locator("tr", has_text="Banned")
    banned.get_by_role("button").click()
    page.wait_for_selector("tr.undone")
    assert served.backend.acts[0].undone_by == 3
    assert served.backend.acts[1].undone_by is None


def test_an_article_that_is_no_candidate_is_found_and_pinned(page: Any, served: Served) -> None:
    """Any article can be found on the page and pinned there."""
    page.get_by_label("Find another article to pin here").fill("pension verdict")
    page.locator("form.add button").click()
    page.wait_for_selector(".found")
    found = page.locator(".found .row").first
    wanted = found.get_attribute("data-id")
    found.locator("[data-do=pin]").click()
    page.wait_for_selector("[data-toast]")
    assert block(page)[0] == wanted


def test_a_pin_that_cannot_be_shown_waits(page: Any, served: Served) -> None:
    """A pinned article that is withdrawn is not shown, and the desk says why."""
    served.backend.act("Petra Lohse", Wish("pin", PAGE, "ferry-captain-withdrawn"))
    page.reload()
    assert "ferry-captain-withdrawn" not in block(page)
    assert "withdrawn" in page.locator("section[aria-labelledby=waiting]").inner_text()
    press(page, "unpin", "ferry-captain-withdrawn")
    page.locator(".views [data-undo] button").click()
    page.wait_for_selector("[data-toast] >> text=Undid")
    assert "not shown: withdrawn" in page.locator("[data-toast]").inner_text()


def test_two_editors_do_not_overwrite_each_other(page: Any, served: Served, shot: Shot) -> None:
    """Who was slower is told who changed what, what was wanted, and can still do it."""
    a, b, *_ = block(page)
    served.backend.act("Petra Lohse", Wish("ban", PAGE, a))
    row(page, b).locator("[data-do=pin]").click()
    page.wait_for_selector(".choice")
    shot(page, "conflict")
    text = page.locator("main").inner_text()
    title = served.backend.article
    assert "Petra Lohse" in text
    assert f"Banned “{title(a).title}”" in text
    assert f"pin “{title(b).title}”" in text
    assert served.backend.state(PAGE).pins == ()
    page.get_by_role("button", name="Do it on the page as it is now").click()
    page.wait_for_selector("[data-block]")
    assert block(page)[0] == b
    assert served.backend.state(PAGE).bans == (a,)


def test_a_stale_act_can_be_dropped(page: Any, served: Served) -> None:
    """Who leaves it sees the page as the other one made it."""
    a, b, *_ = block(page)
    served.backend.act("Petra Lohse", Wish("ban", PAGE, a))
    row(page, b).locator("[data-do=pin]").click()
    page.get_by_role("link", name="Leave it, and look at the page").click()
    page.wait_for_selector("[data-block]")
    assert a not in block(page)
    assert len(served.backend.acts) == 1


def test_a_stale_move_keeps_its_order(page: Any, served: Served) -> None:
    """An order that came too late is made when the editor says so."""
    a, b, *_ = block(page)
    served.backend.act("Petra Lohse", Wish("accept", PAGE, a))
    row(page, b).locator("[data-do=up]").click()
    page.wait_for_selector(".choice")
    wanted = f"You wanted to move “{served.backend.article(b).title}” to place 1."
    assert wanted in page.locator("main").inner_text()
    page.get_by_role("button", name="Do it on the page as it is now").click()
    page.wait_for_selector("[data-block]")
    assert block(page)[:2] == [b, a]


def test_keys_do_all_that_buttons_do(open_page: Open, served: Served) -> None:
    """j and k walk, p pins, b bans, a accepts, u undoes, and the hand stays where it was."""
    page = open_page(path=ADDRESS)
    a, b, c, *_ = block(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.dataset.id") == b
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.dataset.id") == a
    page.keyboard.press("b")
    page.wait_for_selector("[data-toast]")
    assert "Banned" in said(page)
    assert page.evaluate("document.activeElement.dataset.id") == b
    page.keyboard.press("u")
    page.wait_for_selector("[data-toast] >> text=Undid")
    assert block(page)[0] == a
    row(page, c).focus()
    page.keyboard.press("p")
    page.wait_for_selector("[data-toast] >> text=Pinned")
    assert block(page)[0] == c
    assert page.evaluate("document.activeElement.dataset.id") == c
    page.keyboard.press("a")
    page.wait_for_selector("[data-toast] >> text=Accepted")
    assert served.backend.state(PAGE).accepted == (c,)
    page.keyboard.press("o")
    page.wait_for_url(f"**/desk/article?id={c}")


def test_arrows_move_an_item(open_page: Open, served: Served) -> None:
    """Alt and an arrow move the item that has the focus; on its handle, the arrow alone."""
    page = open_page(path=ADDRESS)
    a, b, c, *rest = block(page)
    row(page, b).focus()
    page.keyboard.press("Alt+ArrowUp")
    page.wait_for_selector("[data-toast]")
    assert block(page)[:3] == [b, a, c]
    row(page, c).locator("[data-grip]").focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_selector(f'[data-block] > [data-id="{c}"]:nth-child(2)')
    assert block(page) == [b, c, a, *rest]
    assert page.evaluate("document.activeElement.matches('[data-grip]')")


def test_an_item_is_dragged(open_page: Open, served: Served) -> None:
    """An item that is dragged to another place stays there."""
    page = open_page(path=ADDRESS, viewport={"width": 1400, "height": 1200})
    a, b, c, *rest = block(page)
    drag(page, c, row(page, a).bounding_box()["y"] + 4)
    page.wait_for_selector("[data-toast]")
    assert block(page) == [c, a, b, *rest]
    assert served.backend.state(PAGE).pins == (c,)
    assert said(page) == f"Moved “{served.backend.article(c).title}” to place 1."


def test_a_candidate_is_dragged_into_the_block(open_page: Open, served: Served) -> None:
    """A candidate stands where it was let go, and the block stays as long; outside of the block nothing is done."""
    page = open_page(path=ADDRESS, viewport={"width": 1400, "height": 1600})
    a, b, *rest = block(page)
    wanted, other = listed(page, "candidates")[:2]
    drag(page, other, row(page, other).bounding_box()["y"] + 150)
    assert listed(page, "candidates")[:2] == [wanted, other]
    assert not served.backend.acts
    drag(page, wanted, row(page, b).bounding_box()["y"] + 4)
    page.wait_for_selector("[data-toast]")
    assert block(page) == [a, wanted, b, *rest[:-1]]
    assert served.backend.state(PAGE).pins == (a, wanted)
    assert page.evaluate("document.activeElement.dataset.id") == wanted


def test_a_candidate_dragged_to_the_end_takes_the_last_place(open_page: Open, served: Served) -> None:
    """Behind the last item of a full block nothing is shown: what is let go there stands at the last place."""
    page = open_page(path=ADDRESS, viewport={"width": 1400, "height": 1600})
    *kept, last = block(page)
    wanted = listed(page, "candidates")[1]
    box = row(page, last).bounding_box()
    drag(page, wanted, box["y"] + box["height"] - 2)
    page.wait_for_selector("[data-toast]")
    assert block(page) == [*kept, wanted]


def test_an_article_is_dragged_out(open_page: Open, served: Served) -> None:
    """An item that is let go in the bin is banned; Escape lets go of it where it was."""
    page = open_page(path=ADDRESS, viewport={"width": 1400, "height": 1200})
    a, b, *_ = before = block(page)
    grip = row(page, a).locator("[data-grip]").bounding_box()
    page.mouse.move(grip["x"] + 5, grip["y"] + 8)
    page.mouse.down()
    page.mouse.move(grip["x"] + 5, row(page, b).bounding_box()["y"] + 140, steps=6)
    assert block(page) != before
    page.keyboard.press("Escape")
    page.mouse.up()
    assert block(page) == before
    assert not page.locator("[data-bin]").is_visible()
    drag(page, a, 1190)
    page.wait_for_selector("[data-toast] >> text=Banned")
    assert served.backend.state(PAGE).bans == (a,)


def test_undoing_goes_on_to_what_was_done_before(page: Any, served: Served) -> None:
    """Each "Undo the last change" takes back one change more, and what was undone can be done again, in those words."""
    before = block(page)
    for do in ("pin", "accept"):
        press(page, do, before[2])
    for words in ("Undid: accepted", "Undid: pinned"):
        page.locator(".views [data-undo] button").click()
        page.wait_for_selector(f"[data-toast] >> text={words}")
    assert block(page) == before
    assert served.backend.state(PAGE).accepted == ()
    page.locator("[data-toast] [data-undo] button").click()
    page.wait_for_selector("[data-toast] >> text=Did again: pinned")
    assert block(page)[0] == before[2]
    page.locator(".views [data-undo] button").click()
    page.wait_for_selector("[data-toast] >> text=Undid: pinned")
    assert block(page) == before


def test_the_key_for_undo_goes_on_to_what_was_done_before(open_page: Open, served: Served) -> None:
    """u takes back one change after the other; who uses the buttons keeps the focus on them."""
    page = open_page(path=ADDRESS)
    before = block(page)
    press(page, "pin", before[2])
    press(page, "accept", before[2])
    page.keyboard.press("u")
    page.wait_for_selector("[data-toast] >> text=Undid: accepted")
    page.locator(".views [data-undo] button").focus()
    page.keyboard.press("u")
    page.wait_for_selector("[data-toast] >> text=Undid: pinned")
    assert block(page) == before
    page.locator("[data-toast] [data-undo] button").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-toast] >> text=Did again: pinned")
    assert page.evaluate("document.activeElement.closest('[data-toast]') !== null")


def test_keys_leave_fields_alone(open_page: Open, served: Served) -> None:
    """A letter that is typed into a field is text, "/" goes to the search, "?" shows the keys, Escape leaves them."""
    page = open_page(path=ADDRESS)
    page.keyboard.press("/")
    page.keyboard.type("jbp?u")
    assert page.locator("#q").input_value() == "jbp?u"
    assert not served.backend.acts
    page.locator("h1").click()
    page.keyboard.press("?")
    assert page.locator("dialog#keys").is_visible()
    page.keyboard.press("b")
    page.keyboard.press("Escape")
    assert not page.locator("dialog#keys").is_visible()
    assert not served.backend.acts


def test_keys_can_be_switched_off(open_page: Open, served: Served) -> None:
    """Who speaks to the browser, or has other keys, switches them off, and they stay off."""
    page = open_page(path="/desk/help")
    page.locator("main [data-keys-switch] input").uncheck()
    page.goto(ADDRESS)
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement === document.body")


def test_a_note_is_put_away_and_what_is_open_stays(open_page: Open, served: Served) -> None:
    """An act closes no text that is being read; its note goes by a click and by Escape, and undoing still works."""
    page = open_page(path=ADDRESS)
    page.get_by_text("Read the text").click()
    wanted = listed(page, "candidates")[2]
    press(page, "accept", wanted)
    assert page.locator("details[open] .text").is_visible()
    page.keyboard.press("Escape")
    assert page.locator(".toast").count() == 0
    page.keyboard.press("u")
    page.locator(".toast .close").click()
    assert page.locator(".toast").count() == 0
    assert served.backend.state(PAGE).accepted == ()


def test_what_went_wrong_is_in_sight(open_page: Open, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Far down the page, too, where the button was pressed."""
    page = open_page(path=ADDRESS, viewport={"width": 1280, "height": 500})
    monkeypatch.setattr(served.backend, "act", Mock(side_effect=UsageError("there is no such article")))
    page.locator(".row.candidate [data-do=accept]").last.click()
    assert page.locator("main > .alert").inner_text() == "There is no such article."
    assert page.evaluate("scrollY") > 500
    assert 0 < page.locator("main > .alert").bounding_box()["y"] < 400


def test_a_session_that_has_ended_leads_to_the_door(open_page: Open, served: Served) -> None:
    """An act after the key was revoked is not done, and the browser is at the door."""
    page = open_page(path=ADDRESS)
    served.backend.revoked.add("test")
    page.locator("[data-do=pin]").first.click()
    page.wait_for_url("**/desk/login?next=*")
    assert not served.backend.acts


def test_a_server_that_is_away_is_said(open_page: Open, served: Served) -> None:
    """Where nothing answers, the desk says so, and changes nothing."""
    page = open_page(path=ADDRESS)
    page.route("**/desk/act", lambda route: route.abort())
    page.locator("[data-do=pin]").first.click()
    assert "did not answer" in page.locator(".alert").inner_text()
    page.troubles.clear()  # the browser notes the request that failed


def test_a_request_that_is_turned_away_is_said(open_page: Open, served: Served) -> None:
    """Where what stands before the desk answers, with a problem in JSON, its words are shown."""
    page = open_page(path=ADDRESS)
    problem = '{"detail": "too many requests: ask again in 3 seconds"}'
    page.route("**/desk/act", lambda route: route.fulfill(status=429, body=problem, content_type="application/json"))
    page.locator("[data-do=pin]").first.click()
    assert "too many requests: ask again in 3 seconds." in page.locator(".alert").inner_text()
