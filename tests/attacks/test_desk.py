"""The desk attacked: forged forms, stolen sessions, pages that would run what an article says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from .site import HIDDEN, PAGE, RECORDS, WORD, Answer, Site
from .test_content import SCRIPTS, SQL, dangers, record

pytest.importorskip("simrec.serve.desk.app", reason="this service has no desk")

FORM = "application/x-www-form-urlencoded"
PAGES = (
    "",
    "/queue",
    "/search",
    "/log",
    "/log.csv",
    "/log.jsonl",
    "/article",
    "/compare",
    "/compare/trial",
    "/site",
    "/help",
)
POSTS = ("/act", "/undo", "/seen", "/compare/judge", "/logout")
TARGET = RECORDS[5]["id"]


@dataclass
class Browser:
    """Somebody at the desk: a site, and the cookies that were set."""

    site: Site
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, form: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """A request as a browser makes it, with the cookies that it holds."""
        given = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        body = None if form is None else form if isinstance(form, bytes) else urlencode(form, doseq=True).encode()
        if form is not None:
            given |= {"content-type": FORM, "origin": f"http://127.0.0.1:{self.site.port}"}
        given |= headers or {}
        return self.site.ask(method, f"/desk{path}", body=body, headers={n: v for n, v in given.items() if v})

    def sign_in(self, scope: str = "edit", **more: Any) -> Answer:
        """Signs in, and keeps the cookie."""
        answer = self.ask("POST", "/login", {"key": self.site.keys.get(scope, scope), **more})
        if "set-cookie" in answer.headers:
            name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def csrf(self) -> str:
        """The token of the session's forms."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.ask("GET", "/help").text)
        assert found
        return found[1]


@pytest.fixture
def editor(site: Site) -> Iterator[Browser]:
    """An editor who has signed in."""
    browser = Browser(site)
    assert browser.sign_in().status == 303
    yield browser
    browser.ask("POST", "/logout", {"csrf": browser.csrf()})


def pins(site: Site) -> list[str]:
    """What is pinned on the first page."""
    return list(site.get(f"/v1/pages/{quote(PAGE)}/acts", key="edit").json()["pins"])


def wish(**more: Any) -> dict[str, Any]:
    """A form that pins an article."""
    return {"source": PAGE, "do": f"pin {TARGET}", "version": "", **more}


@pytest.mark.attack(
    "the desk without signing in", "303 to the door, for each page and form; a key that may not edit does not open it"
)
def test_without_a_session(site: Site) -> None:
    """Nothing of the desk is shown or done to who is not signed in."""
    browser = Browser(site)
    for path in (*PAGES, f"/article?id={PAGE}", f"/article?id={HIDDEN[0]}"):
        answer = browser.ask("GET", path)
        assert (answer.status, answer.headers["location"].partition("?")[0]) == (303, "/desk/login"), path
        assert WORD not in answer.text
    for path in POSTS:
        assert browser.ask("POST", path, wish(csrf="")).status in (303, 403), path
    for scope in ("read", "publish"):
        assert Browser(site).sign_in(scope).status == 403
    for key in ("", "sr_a_b", site.keys["edit"][:-1], *SQL[:3]):
        refused = Browser(site).sign_in(key)
        assert refused.status == 401
        assert "set-cookie" not in refused.headers
    assert not pins(site)


@pytest.mark.attack(
    "CSRF",
    "403: no token, another session's, a form of another origin or site, no origin; 415: another type; nothing done",
)
def test_forged_forms(site: Site, editor: Browser) -> None:
    """A form does something when it comes from the desk's own page, for this very session."""
    mine, other = editor.csrf(), Browser(site)
    other.sign_in("admin")
    theirs, good = other.csrf(), wish(csrf=mine)
    assert mine != theirs
    tries: list[tuple[Any, dict[str, str]]] = [
        (wish(), {}),
        (wish(csrf=""), {}),
        (wish(csrf=theirs), {}),
        (wish(csrf=mine[:-1]), {}),
    ]
    for origin in (
        "https://evil.example",
        "null",
        f"https://127.0.0.1:{site.port}.evil.example",
        "http://localhost",
        "http://127.0.0.1",
    ):
        tries.append((good, {"origin": origin}))
    tries += [(good, {"sec-fetch-site": where}) for where in ("cross-site", "same-site")]
    tries += [(good, {"origin": ""}), (good, {"origin": "", "referer": "https://evil.example/"})]
    for form, headers in tries:
        assert editor.ask("POST", "/act", form, headers).status == 403, (form, headers)
    for kind in ("text/plain", "application/json", "multipart/form-data; boundary=a", ""):
        assert editor.ask("POST", "/act", good, {"content-type": kind}).status in (403, 415), kind
    assert not pins(site)
    for path in POSTS:
        assert editor.ask("GET", f"{path}?{urlencode(good)}").status in (303, 404, 405), path
        assert editor.ask("POST", path, good, {"origin": "https://evil.example"}).status == 403, path
    assert (
        Browser(site).ask("POST", "/login", {"key": site.keys["edit"]}, {"origin": "https://evil.example"}).status
        == 403
    )
    assert not pins(site)
    assert editor.ask("POST", "/act", good).status == 303
    assert pins(site) == [TARGET]
    assert editor.ask("POST", "/act", good | {"do": f"unpin {TARGET}"}).status == 303


@pytest.mark.attack(
    "session fixation and theft",
    "a new session at each sign-in; one that was set, guessed, closed or of a revoked key opens nothing",
)
def test_sessions(site: Site, editor: Browser) -> None:
    """A session begins with a key, ends with it, and is nobody else's."""
    from simrec.pipeline.workspace import Workspace

    (name,) = editor.cookies
    fixed = Browser(site, {name: "fixed-by-somebody-else"})
    assert fixed.ask("GET", "/queue").status == 303
    fixed.sign_in()
    assert fixed.cookies[name] != "fixed-by-somebody-else"
    first = dict(fixed.cookies)
    fixed.sign_in()
    assert fixed.cookies != first
    assert Browser(site, first).ask("GET", "/queue").status == 303
    with Workspace.open(site.path).store() as store:
        made = store.create_key("leaving", ["edit"])
        leaving = Browser(site)
        until(lambda: leaving.sign_in(made.secret).status == 303)
        store.revoke_key(made.id)
    until(lambda: leaving.ask("GET", "/queue").status == 303)
    gone = Browser(site, dict(fixed.cookies))
    fixed.ask("POST", "/logout", {"csrf": fixed.csrf()})
    assert gone.ask("GET", "/queue").status == 303
    for value in ("", "a" * 5000, "'; DROP TABLE keys; --", "%00", site.keys["admin"]):
        assert Browser(site, {name: value}).ask("GET", "/queue").status == 303


def until(done: Any) -> None:
    """Waits until something holds."""
    import time

    start = time.monotonic()
    while not done():
        assert time.monotonic() - start < 20
        time.sleep(0.1)


@pytest.mark.attack(
    "cookies", "HttpOnly, SameSite=Strict, Path=/, an end; Secure with the prefix __Host- but at this machine"
)
def test_cookies(site: Site, strict: Site) -> None:
    """No script reads a session's cookie, no other site sends it, and it is not sent in the clear."""
    said = Browser(site).sign_in().headers["set-cookie"].casefold()
    assert all(word in said for word in ("httponly", "samesite=strict", "path=/", "max-age=")), said
    origin = {"host": "news.example", "origin": "https://news.example"}
    answer = Browser(strict).ask("POST", "/login", {"key": strict.keys["edit"]}, origin)
    assert answer.status in (303, 429)
    if answer.status == 303:
        assert answer.headers["set-cookie"].startswith("__Host-")
        assert "secure" in answer.headers["set-cookie"].casefold()
        assert "domain" not in answer.headers["set-cookie"].casefold()


@pytest.mark.attack(
    "open redirect by next=, back= and the page that a form was on", "a path of the desk, whatever was asked for"
)
@pytest.mark.parametrize(
    "there",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
     "/desk\r\nX-Evil: 1", "/%2f/evil.example", "http:evil.example", "/desk/../..//evil.example", "/desk@evil.example",
     "\t//evil.example", "/v1/status"],
)  # fmt: skip
def test_redirects(site: Site, editor: Browser, there: str) -> None:
    """Who signs in or acts is sent on to the desk."""
    answers = [Browser(site).sign_in(next=there), editor.ask("GET", f"/login?next={quote(there)}")]
    answers.append(editor.ask("POST", "/seen", {"csrf": editor.csrf(), "source": PAGE, "back": there}))
    answers.append(Browser(site).ask("POST", "/act", wish(csrf="a"), {"referer": quote(there, safe=":/\\@%")}))
    for answer in answers:
        if answer.status == 303:
            where = answer.headers["location"]
            assert where.startswith("/desk"), where
            assert "x-evil" not in answer.headers
            assert not re.match(r"/desk[^/?#]", where), where


@pytest.mark.attack(
    "script at the desk: in titles, texts, names of keys, notes and the search",
    "text; the policy of each page lets its own files run alone",
)
@pytest.mark.parametrize("text", SCRIPTS)
def test_scripts(site: Site, editor: Browser, text: str) -> None:
    """What an article or an editor says does not run in an editor's browser."""
    made = site.ask("PUT", "/v1/articles/evil", key="publish", body=record(text, "https://news.example/evil"))
    assert made.status in (200, 201)
    body = {"action": "pin", "target_id": "evil", "note": text}
    assert site.ask("POST", f"/v1/pages/{PAGE}/acts", key="edit", body=body).status == 200
    paths = [
        f"/article?id={PAGE}",
        "/article?id=evil",
        f"/article?id={PAGE}&view=models",
        f"/article?id={PAGE}&view=changes",
    ]
    paths += [
        f"/search?q={quote(text)}",
        "/search?q=evil",
        "/log",
        "/queue",
        "/site",
        f"/{quote(text)}",
        f"/article?id={quote(text)}",
    ]
    paths += [f"/login?next={quote(text)}", f"/log?who={quote(text)}", f"/article?id={PAGE}&find={quote(text)}"]
    for path in paths:
        answer = editor.ask("GET", path)
        if answer.status == 303:
            continue
        assert answer.status in (200, 404), (path, answer.status)
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert not [one for one in dangers(answer.text) if one not in ("form", "meta", "link", "script", "svg")], path
        assert not re.search(r"<script(?![^>]* src=\"/desk/static/)", answer.text), path
        assert "alert(1)>" not in answer.text.replace("&gt;", "")
    site.ask("DELETE", "/v1/articles/evil", key="publish")
    site.ask("POST", f"/v1/pages/{PAGE}/acts", key="edit", body={"action": "unpin", "target_id": "evil"})


@pytest.mark.attack(
    "SQL, paths and strange numbers at the desk", "found nowhere, 404 or 422; never 500, and no file but the desk's own"
)
@pytest.mark.parametrize(
    "text",
    [*SQL, "9" * 400, "-1", "NaN", "../../etc/passwd", "\0", "a\0", "\ud800".encode("utf-8", "replace").decode()],
)
def test_strange_values(site: Site, editor: Browser, text: str) -> None:
    """No value of a form or an address is more than a value."""
    token, before = editor.csrf(), site.articles()
    encoded = quote(text, safe="")
    names = [f"/article?id={PAGE}&{name}=" for name in ("view", "done", "find", "waiting")]
    names += [
        "/article?id=",
        "/search?q=",
        "/log?before=",
        "/log?who=",
        "/log?source=",
        "/queue?after=",
        "/queue?kind=",
    ]
    names += ["/log.", "/static/", "/compare?a=", "/compare/trial?a="]
    answers = [editor.ask("GET", f"{name}{encoded}") for name in names]
    for path in POSTS[:-1]:
        form = dict.fromkeys(
            ("source", "do", "version", "act", "back", "trial", "prefers", "token", "view", "note"), text
        )
        answers.append(editor.ask("POST", path, form | {"csrf": token}))
        answers.append(
            editor.ask("POST", path, {"csrf": token, "targets": [text] * (30_000 // len(text)), "do": "order"})
        )
    for answer in answers:
        assert answer.status < 500, answer.text
        assert "root:" not in answer.text
        assert not any(word in answer.text for word in ("Traceback", "sqlalchemy", "site-packages"))
    assert site.articles() == before


@pytest.mark.attack("a NUL in addresses and forms of the desk, on SQLite and PostgreSQL", "422")
def test_a_nul(each: Site) -> None:
    """What PostgreSQL cannot hold is refused before the store is asked, whichever that is."""
    editor = Browser(each)
    editor.sign_in()
    token = editor.csrf()
    for path in ("/log?who=%00", "/log?source=a%00", "/log.jsonl?who=%00", "/article?id=%00", "/search?q=%00"):
        assert editor.ask("GET", path).status == 422, path
    for form in (
        {"source": "\0"},
        {"source": PAGE, "do": "pin \0"},
        {"source": PAGE, "do": f"pin {TARGET}", "note": "\0"},
    ):
        assert editor.ask("POST", "/act", form | {"csrf": token}).status == 422, form
