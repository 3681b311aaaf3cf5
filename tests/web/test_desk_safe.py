"""Attacks on the desk, by name, and what each gets."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from unittest.mock import Mock

import pytest
from conftest import PAGE
from desk_fakes import KEY, READER, FakeBackend, Wish
from fastapi import FastAPI
from fastapi.testclient import TestClient

from simrec.errors import LockedError, ModelError, SettingsError, SimrecError, StoreError, UsageError
from simrec.pipeline.workspace import Workspace
from simrec.serve.desk import mount
from simrec.serve.desk.chart import charts
from simrec.serve.desk.patience import NotReadyError, Patience
from simrec.serve.desk.rows import Maker
from simrec.serve.desk.session import IDLE, LONGEST, Sessions
from simrec.serve.desk.views import clean, link, local

OWN = {"origin": "http://localhost"}
RELOAD = '<noscript><meta http-equiv="refresh" content="5"></noscript>'
EVIL = "\"><script>alert(1)</script>'"


class Browser(TestClient):
    """Who is at the desk, as a browser would send it."""

    backend: FakeBackend
    sessions: Sessions

    def sign_in(self, key: str = KEY, **fields: str) -> str:
        """Signs in, and gives where it leads to."""
        response = self.post("/desk/login", data={"key": key, **fields}, headers=OWN, follow_redirects=False)
        return response.headers.get("location", str(response.status_code))

    @property
    def csrf(self) -> str:
        """The token that the session's forms carry."""
        return self.get("/desk/help").text.split('name="csrf" value="')[1].split('"')[0]


@pytest.fixture
def desk(newsroom_site: Path, tmp_path: Path) -> Iterator[Browser]:
    """A desk at which nobody is signed in."""
    shutil.copytree(newsroom_site, tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    app, backend = FastAPI(openapi_url=None), FakeBackend(workspace)
    mounted = mount(app, backend, workspace.store)
    with Browser(app, base_url="http://localhost") as client:
        client.backend, client.sessions = backend, mounted.sessions
        yield client


def test_nothing_is_seen_without_a_key(desk: Browser) -> None:
    """Every address leads to the door, and nothing of the site is on it."""
    for path in ("", "/queue", f"/article?id={PAGE}", "/search?q=a", "/log", "/log.csv", "/site", "/compare", "/help"):
        response = desk.get(f"/desk{path}", follow_redirects=False)
        assert response.status_code == 303
        assert response.headers["location"].startswith("/desk/login?next=%2Fdesk")
    assert desk.sign_in("sr_wrong_key") == "401"
    assert desk.sign_in(READER) == "403"
    assert "set-cookie" not in desk.get("/desk/login").headers


def test_a_form_of_another_site_is_refused(desk: Browser) -> None:
    """CSRF: without the session's token, or from another origin, or from none that a browser names, nothing is done."""
    desk.sign_in()
    good = {"csrf": desk.csrf, "source": PAGE, "version": "0", "do": "pin mill-bridge-closed"}
    for fields, headers in (
        (good | {"csrf": ""}, OWN),
        (good | {"csrf": "x" * 32}, OWN),
        (good | {"csrf": "é"}, OWN),
        (good, {"origin": "https://evil.example"}),
        (good, {"origin": "null"}),
        (good, {"origin": "http://localhost.evil.example"}),
        (good, OWN | {"sec-fetch-site": "cross-site"}),
        (good, {"sec-fetch-site": "same-site"}),
        (good, {}),
    ):
        assert desk.post("/desk/act", data=fields, headers=headers).status_code == 403
    assert desk.post("/desk/act", json=good, headers=OWN).status_code == 415
    assert not desk.backend.acts
    for path in ("/desk/act", "/desk/undo", "/desk/seen", "/desk/compare/judge", "/desk/logout"):
        assert desk.get(path).status_code in (404, 405)


def test_the_token_of_one_session_opens_no_other(desk: Browser) -> None:
    """A form made for one session is refused in another one."""
    desk.sign_in()
    old = desk.csrf
    desk.sign_in()
    fields = {"csrf": old, "source": PAGE, "do": "pin a"}
    assert desk.post("/desk/act", data=fields, headers=OWN).status_code == 403


def test_the_cookie_is_kept_from_scripts_and_other_sites(desk: Browser) -> None:
    """HttpOnly, SameSite=Strict; at a host that is not this machine also Secure, and bound to it by its name."""
    response = desk.post("/desk/login", data={"key": KEY}, headers=OWN, follow_redirects=False)
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    far = {"host": "desk.example", "origin": "https://desk.example"}
    cookie = desk.post("/desk/login", data={"key": KEY}, headers=far, follow_redirects=False).headers["set-cookie"]
    assert cookie.startswith("__Host-simrec-desk=")
    assert "Secure" in cookie
    assert "Path=/;" in cookie


def test_sessions_end(desk: Browser) -> None:
    """A session ends when it is idle, when it is old, when it is signed out of, and when its key is revoked."""
    desk.backend.moment = start = datetime.now(UTC)
    name = "simrec-desk"

    def inside() -> bool:
        return desk.get("/desk/help", follow_redirects=False).status_code == 200

    desk.sign_in()
    first = desk.cookies[name]
    assert inside()
    desk.sign_in()
    assert desk.cookies[name] != first
    assert desk.sessions.find(first) is None  # signing in again ends what was before
    desk.backend.moment = start + IDLE - timedelta(minutes=1)
    assert inside()
    desk.backend.moment += IDLE - timedelta(minutes=1)
    assert inside()
    assert "has ended" not in TestClient(desk.app, base_url="http://localhost").get("/desk/login").text
    desk.backend.moment += IDLE + timedelta(minutes=1)
    assert not inside()
    assert "Your session has ended" in desk.get("/desk/help").text
    desk.sign_in()
    begun = desk.backend.moment
    while desk.backend.moment < begun + LONGEST:
        assert inside()
        desk.backend.moment += timedelta(hours=1)
    desk.backend.moment += timedelta(minutes=1)
    assert not inside()
    desk.sign_in()
    stolen = desk.cookies[name]
    desk.post("/desk/logout", data={"csrf": desk.csrf}, headers=OWN)
    assert desk.sessions.find(stolen) is None
    desk.sign_in()
    desk.backend.revoked.add("test")
    assert not inside()


def test_nobody_waits_for_a_session_to_be_noted(desk: Browser, tmp_path: Path) -> None:
    """While something else writes to the store, as a build does, pages are shown; that they were is noted later."""
    desk.backend.moment = start = datetime.now(UTC)
    desk.sign_in()
    desk.backend.moment = start + IDLE / 2
    with closing(sqlite3.connect(tmp_path / "site" / "simrec.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert desk.get("/desk/help", follow_redirects=False).status_code == 200
        assert time.monotonic() - began < 5
        other.execute("ROLLBACK")
        seen = "SELECT seen_at FROM desk_sessions"
        while other.execute(seen).fetchone()[0] == start.isoformat() and time.monotonic() - began < 20:
            time.sleep(0.05)
    desk.backend.moment = start + IDLE * 1.2
    assert desk.get("/desk/help", follow_redirects=False).status_code == 200


def test_what_the_store_has_opens_no_session(desk: Browser) -> None:
    """The store holds the hash of what the browser has: whoever reads it cannot sign in by it."""
    desk.sign_in()
    with desk.backend.workspace.store() as store:
        session = desk.sessions.find(desk.cookies["simrec-desk"])
        assert session is not None
        assert store.session(session.id) is not None
        assert store.session(desk.cookies["simrec-desk"]) is None
    assert desk.sessions.find(session.id) is None


def test_a_link_signs_in_once(desk: Browser) -> None:
    """A link without a key works once, not for long, and not for a browser that only looks ahead."""
    token = desk.sessions.make_link("test", "Ines Calder", ("edit",))
    path = f"/desk/enter?token={token}"
    assert desk.get(path, headers={"sec-purpose": "prefetch"}).status_code == 503
    assert desk.get(path, follow_redirects=False).status_code == 303
    desk.cookies.clear()
    assert desk.get(path, follow_redirects=False).status_code == 401
    desk.backend.moment = datetime.now(UTC)
    late = desk.sessions.make_link("test", "Ines Calder", ("edit",))
    desk.backend.moment += timedelta(minutes=11)
    assert desk.get(f"/desk/enter?token={late}", follow_redirects=False).status_code == 401


@pytest.mark.parametrize(
    "next_", ["//evil.example", "https://evil.example", "/\\evil.example", "/desk/../x", "/desk//evil.example",
              "/deskevil", "javascript:alert(1)", "/desk\r\nset-cookie: a=b", "/v1/articles"],
)  # fmt: skip
def test_no_way_leads_off_the_desk(desk: Browser, next_: str) -> None:
    """Open redirect: what is asked to go on elsewhere goes on to the desk's first page."""
    assert desk.sign_in(next=next_) == "/desk"
    assert local(next_) == "/desk"
    assert desk.get("/desk/login", params={"next": next_}, follow_redirects=False).headers["location"] == "/desk"
    assert desk.sign_in(next=f"{next_}\x00") == "422"


def test_nothing_that_is_stored_acts(desk: Browser) -> None:
    """Script in a title, an id, a body, an address, a section, a key's name or a note is text on every page."""
    article = desk.backend.article(PAGE)
    target = desk.backend.block(PAGE).items[0].id
    for id_ in (PAGE, target):
        bad = replace(
            desk.backend.article(id_), title=f"T{EVIL}", body=f"B{EVIL}\n\n<img src=x onerror=alert(1)>",
            url="javascript:alert(1)", section=EVIL, lang=EVIL, image="javascript:alert(1)",
        )  # fmt: skip
        desk.backend.articles[id_] = bad
    desk.backend.act(EVIL, Wish("pin", PAGE, target, note=EVIL))
    desk.sign_in()
    for path in (
        f"/article?id={PAGE}&find={EVIL}", f"/article?id={PAGE}&view=models", f"/article?id={PAGE}&view=changes",
        f"/search?q={EVIL}", f"/log?who={EVIL}&source={EVIL}", "/log", "/queue", f"/article?id={EVIL}", f"/x{EVIL}",
    ):  # fmt: skip
        text = desk.get(f"/desk{path}").text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert 'href="javascript' not in text
        assert 'src="javascript' not in text
    assert article.title not in desk.get(f"/desk/article?id={PAGE}").text


def test_html_of_a_block_is_cleaned() -> None:
    """What a site's template writes is shown without what acts, and without landmarks and ids of its own."""
    html = clean(
        '<nav id="main" aria-labelledby="x"><h2 onclick="a()">H</h2><script>x()</script><style>*{}</style>'
        '<a href="javascript:x()">a</a><a href="https://x.example/" style="position:fixed">b</a>'
        '<img src="data:image/svg+xml,x" onerror="x()"><form action="/"><input name="csrf"></form></nav>'
    )
    for bad in ("<nav", "id=", "onclick", "script", "style", "javascript", "data:", "onerror", "<form", "<input"):
        assert bad not in html
    assert 'href="https://x.example/"' in html


def test_only_addresses_of_the_web_are_linked() -> None:
    """An address is linked where it is a whole one, by http or https."""
    assert link("https://x.example/a") == "https://x.example/a"
    for bad in ("javascript:alert(1)", "data:text/html,x", "a.html", "//x.example", "https:", "http://[", "", None):
        assert link(bad) is None


def test_every_page_says_what_a_browser_may_do(desk: Browser) -> None:
    """No page lets inline script or style in, none may be framed or kept, and the policy is met by what it holds."""
    desk.sign_in()
    for path in ("/queue", f"/article?id={PAGE}", "/site", "/nothing", "/login"):
        response = desk.get(f"/desk{path}")
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["cache-control"] == "no-store"
        assert " style=" not in response.text
        assert "<style" not in response.text
        assert " onclick" not in response.text


def test_files_are_those_beside_the_pages(desk: Browser) -> None:
    """Path traversal: only the files beside the pages can be had, by the names that their content gives them."""
    name = desk.get("/desk/login").text.split("/desk/static/desk.")[1].split('"')[0]
    response = desk.get(f"/desk/static/desk.{name}")
    assert response.status_code == 200
    assert "immutable" in response.headers["cache-control"]
    for bad in ("desk.css", "../app.py", "..%2fapp.py", "%2e%2e/app.py", "desk.000.css"):
        assert desk.get(f"/desk/static/{bad}", follow_redirects=False).status_code in (303, 404)


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"do": "pin"}, {"do": "drop x"}, {"do": "up"}, {"do": "up nobody"}, {"do": "order x"}, {"do": "pin nobody"},
        {"do": "up a", "seen": ["a", "a"]}, {"do": "'; DROP TABLE acts; --"}, {"do": "order a", "targets": ["a", "a"]},
    ],
)  # fmt: skip
def test_a_form_that_makes_no_sense_is_said_so(desk: Browser, fields: dict[str, str]) -> None:
    """What no page of the desk sends gets a page that says so, and does nothing."""
    desk.sign_in()
    response = desk.post("/desk/act", data={"csrf": desk.csrf, "source": PAGE, **fields}, headers=OWN)
    assert response.status_code == 422
    assert 'role="alert"' in response.text
    assert not desk.backend.acts


def test_what_is_not_there_is_a_page(desk: Browser) -> None:
    """Articles and addresses that do not exist, numbers that are none, and bad fields get pages, never a fault."""
    desk.sign_in()
    token = desk.csrf
    for path in ("/article", "/article?id=nobody", "/nothing", "/log.xml", "/static/x"):
        assert desk.get(f"/desk{path}").status_code == 404
    for path in ("/article?id=%00", "/log?who=%00", "/log.csv?source=a%00", "/search?q=%00", "/queue?%00=1"):
        response = desk.get(f"/desk{path}")
        assert (response.status_code, "NUL" in response.text) == (422, True)  # PostgreSQL holds none
    for fields in ({"source": "a\0"}, {"source": PAGE, "do": "pin a", "note": "\0"}):
        assert desk.post("/desk/act", data={"csrf": token, **fields}, headers=OWN).status_code == 422
    assert desk.get("/desk/queue?after=x").status_code == 422
    assert desk.get("/desk/queue?after=99999999").status_code == 200
    for number in ("x", "9" * 30):
        assert desk.get(f"/desk/log?before={number}").status_code == 422
    assert desk.get(f"/desk/article?id={PAGE}&done=x").status_code == 422
    assert desk.get("/desk/compare/trial?a=x&b=y").status_code == 422
    assert desk.post("/desk/undo", data={"csrf": token, "act": "-1"}, headers=OWN).status_code == 422
    assert desk.post("/desk/act", data={"csrf": token, "source": "nobody"}, headers=OWN).status_code == 404


def test_a_chart_of_one_point_can_be_drawn(desk: Browser) -> None:
    """One moment, or figures that are all alike, are no division by nothing."""
    point = desk.backend.overview().quality[0]
    (one,) = charts([replace(point, low=0.0, mean=0.0, high=0.0)])
    assert len(one.lines[0].marks) == 1
    assert charts([]) == []


def test_a_chart_says_when_its_first_and_its_last_figure_are_from(desk: Browser) -> None:
    """By the day, and by the hour where they are of one day."""
    first = replace(desk.backend.overview().quality[0], at=datetime(2024, 3, 1, 8, tzinfo=UTC))
    for later, words in (
        (timedelta(0), ["1 Mar 2024"]),
        (timedelta(hours=1.5), ["1 Mar 2024, 08:00", "09:30 UTC"]),
        (timedelta(days=1), ["1 Mar 2024", "2 Mar 2024"]),
    ):
        (one,) = charts([first, replace(first, at=first.at + later)])
        assert [date[1] for date in one.dates] == words


def test_long_work_goes_on_while_a_page_says_so() -> None:
    """Who asks for what takes long is told to ask again, and then gets what was begun; errors come through once."""
    began, let_go = [], Event()

    def work() -> str:
        began.append(1)
        let_go.wait(10)
        return "done"

    patience = Patience(wait=0.05)
    for _ in range(3):
        with pytest.raises(NotReadyError, match="ask again"):
            patience.get("page", work)
    let_go.set()
    assert patience.get("page", work) == "done"
    assert began == [1]
    assert patience.get("page", work) == "done"  # it is made anew: what is kept would grow old
    assert began == [1, 1]
    for _ in range(2):
        with pytest.raises(UsageError, match="no such model"):
            patience.get("other", _fail)
    patience.close()


def _fail() -> None:
    raise UsageError("there is no such model")


def test_a_page_without_candidates_can_be_worked_on(desk: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """While candidates are made, and where they cannot be, the block is there, with its buttons."""
    desk.sign_in()
    for error, words in ((NotReadyError("x"), "being made ready"), (ModelError("no model here"), "no model here")):
        monkeypatch.setattr(desk.backend, "look", Mock(side_effect=error))
        text = desk.get(f"/desk/article?id={PAGE}").text
        assert words in text
        assert ("data-again" in text) == (RELOAD in text) == isinstance(error, NotReadyError)
        assert text.count('data-do="pin"') == 5
        assert words in desk.get(f"/desk/article?id={PAGE}&view=models").text
    monkeypatch.setattr(desk.backend, "trial", Mock(side_effect=NotReadyError("x")))
    text = desk.get("/desk/compare/trial?a=hybrid&b=tfidf").text
    assert "data-again" in text
    assert RELOAD in text


def test_a_page_that_answers_a_form_is_not_loaded_again(desk: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an act fails while candidates are made, its page has no address of its own to be loaded again by."""
    desk.sign_in()
    monkeypatch.setattr(desk.backend, "look", Mock(side_effect=NotReadyError("x")))
    failed = desk.post("/desk/act", data={"csrf": desk.csrf, "source": PAGE, "do": "ban no-such-article"}, headers=OWN)
    assert 'class="alert"' in failed.text
    assert "data-again" in failed.text
    assert RELOAD not in failed.text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (StoreError("/srv/secret/simrec.db: the disk is full"), "The store is away or busy"),
        (StoreError("postgresql://simrec@secret/site: the server stops"), "The store is away or busy"),
        (LockedError("/srv/secret/vectors is being written"), "Something else is at work"),
        (SettingsError("/srv/secret/simrec.toml: block.k is no number"), "the log says why"),
    ],
)
def test_a_store_that_is_away_is_said(
    desk: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: SimrecError, words: str
) -> None:
    """Where sessions cannot be read, a page with its headers says so, to anybody; which file or database, the log."""
    desk.sign_in()
    monkeypatch.setattr(desk.sessions, "_open_store", Mock(side_effect=error))
    for response in (desk.get("/desk"), desk.post("/desk/login", data={"key": KEY}, headers=OWN)):
        assert response.status_code == (500 if isinstance(error, SettingsError) else 503)
        assert words in response.text
        assert "secret" not in response.text
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert str(error) in caplog.text


def test_an_act_that_fails_names_no_file(desk: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an act or the candidates cannot be had since the store is away, the page is there and says no more."""
    desk.sign_in()
    away = Mock(side_effect=StoreError("/srv/secret/simrec.db: the disk is full"))
    monkeypatch.setattr(desk.backend, "look", away)
    monkeypatch.setattr(desk.backend, "act", away)
    text = desk.get(f"/desk/article?id={PAGE}").text
    form = {"csrf": desk.csrf, "source": PAGE, "do": f"ban {desk.backend.block(PAGE).items[0].id}"}
    failed = desk.post("/desk/act", data=form, headers=OWN)
    assert failed.status_code == 503
    for said in (text, failed.text):
        assert "away or busy" in said
        assert "secret" not in said


def test_an_address_that_is_not_encrypted_is_said(desk: Browser) -> None:
    """Where a browser would not keep the cookie, whoever signs in is told, and does not end at the door again."""
    desk.base_url = "http://desk.news.example"
    response = desk.post("/desk/login", data={"key": KEY}, headers={"origin": "http://desk.news.example"})
    assert response.status_code == 403
    assert "https" in response.text.split('role="alert"')[1].split("</p>")[0]
    assert "set-cookie" not in response.headers
    behind = desk.post("/desk/login", data={"key": KEY}, headers={"origin": "https://desk.news.example"})
    assert "set-cookie" in behind.history[0].headers


def test_bars_are_of_what_may_be_shown(desk: Browser) -> None:
    """A score that no candidate can reach, as of a copy of the page, makes no bar short."""
    look = desk.backend.look(PAGE)
    copy = replace(look.candidates[-1], score=1000.0, barred="a copy of the page", state="barred")
    look = replace(look, candidates=(*look.candidates[:-1], copy))
    lists = Maker(desk.backend, desk.backend.state(PAGE), look).lists(desk.backend.block(PAGE), ())
    assert max(row.level for row in lists.block) == 100
    unknown = Maker(desk.backend, desk.backend.state(PAGE), None).lists(desk.backend.block(PAGE), ())
    assert [row.level for row in unknown.block] == [None] * 5


def test_addresses_of_the_site_are_linked(desk: Browser) -> None:
    """An address below the site's is linked there; nothing that acts becomes one."""
    assert link("2024/a.html", "https://x.example/news/") == "https://x.example/news/2024/a.html"
    assert link("2024/a.html") is None
    assert link("javascript:alert(1)", "https://x.example/") is None
