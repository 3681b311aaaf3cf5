"""The desk on the real service: what editors do there is what readers see."""

from __future__ import annotations

import re
import shutil
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from conftest import PAGE, serving, violations
from fastapi.testclient import TestClient

from simrec.cli import demo as cli_demo
from simrec.errors import LockedError, UsageError
from simrec.pipeline.acts import Desk, PageState
from simrec.pipeline.build import build
from simrec.pipeline.ingest import entry_keys
from simrec.pipeline.workspace import Workspace
from simrec.serve import state
from simrec.serve.app import create_app
from simrec.serve.demo import demo_app
from simrec.types import Entry

OWN = {"origin": "http://localhost"}
READ = f"/v1/articles/{PAGE}/similar"


def fields(text: str, form: str) -> dict[str, Any]:
    """The fields of a page's form, by its id or class, with what its first button says."""
    [found] = re.findall(rf'<form [^>]*(?:id|class)="{form}".*?</form>', text, re.DOTALL)
    known: dict[str, Any] = {}
    for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', found):
        known.setdefault(name, []).append(unescape(value))
    return known | {name: known[name][0] for name in ("version", "do") if name in known}


class Editor:
    """An editor at the desk of a service.

    Args:
        app: the service.
        workspace: its site.
        name: of the editor.
    """

    def __init__(self, app: Any, workspace: Workspace, name: str) -> None:
        self.workspace, self.client = workspace, TestClient(app, base_url="http://localhost")
        with workspace.store() as store:
            self.key = store.create_key(name, ["edit"])
        self.get = self.client.get
        response = self.client.post("/desk/login", data={"key": self.key.secret}, headers=OWN)
        assert response.status_code == 200
        self.csrf = response.text.split('name="csrf" value="')[1].split('"')[0]

    def post(self, path: str, **fields: Any) -> Any:
        """Sends a form of the desk."""
        return self.client.post(f"/desk/{path}", data={"csrf": self.csrf, "source": PAGE, **fields}, headers=OWN)

    def form(self) -> dict[str, Any]:
        """The fields of the page's form, as the desk shows it."""
        return fields(self.get(f"/desk/article?id={PAGE}").text, "acts")

    def version(self) -> str:
        """The version of the page, as the desk shows it."""
        return self.form()["version"]

    def move(self, to: str, id_: str, form: dict[str, Any] | None = None) -> Any:
        """Presses "up" or "down" of an item, on the page as it is, or was."""
        return self.post("act", **(form or self.form()), do=f"{to} {id_}")

    def state(self) -> PageState:
        """What stands of acts on the page, in the store."""
        return Desk(self.workspace, None).state(PAGE)

    def shown(self) -> list[str]:
        """The ids that readers see."""
        return [item["id"] for item in self.get(READ).json()["items"]]

    def page(self, path: str) -> str:
        """A page, once what it needs is there."""
        until = time.monotonic() + 60
        while "data-again" in (text := self.get(path).text) and time.monotonic() < until:
            time.sleep(0.2)
        return text


@pytest.fixture
def workspace(newsroom_site: Path, tmp_path: Path) -> Workspace:
    """A copy of the newsroom, whose desk compares two models that need no vectors."""
    path = tmp_path / "site"
    shutil.copytree(newsroom_site, path)
    settings = (path / "simrec.toml").read_text("utf-8")
    (path / "simrec.toml").write_text(f'{settings}access_log = false\ndesk_models = ["tfidf"]\n', encoding="utf-8")
    return Workspace.open(path)


@pytest.fixture
def app(workspace: Workspace) -> Iterator[Any]:
    """The service of the newsroom, running."""
    made = create_app(workspace)
    with TestClient(made, base_url="http://localhost"):
        yield made


def test_what_an_editor_does_is_what_readers_see(app: Any, workspace: Workspace) -> None:
    """A pin and a ban show at once to readers, survive a rebuild, and can be undone."""
    editor = Editor(app, workspace, "Ines Calder")
    before = editor.shown()
    response = editor.post("act", do=f"pin {before[3]}", version=editor.version())
    assert response.status_code == 200
    assert "Pinned" in response.text
    assert editor.shown()[0] == before[3]
    editor.post("act", do=f"ban {before[0]}", version=editor.version())
    assert before[0] not in editor.shown()
    acted = editor.shown()
    build(workspace, full=True)
    app.state.service.refresh()
    assert editor.shown() == acted
    with workspace.store() as store:
        newest = store.acts(limit=1)[0].id
    assert "Undid" in editor.post("undo", act=newest).text
    assert before[0] in editor.shown()
    with workspace.store() as store:
        noted = store.audited()
    assert {(row.name, row.action, row.outcome) for row in noted} >= {("Ines Calder", "POST /desk/act", "303")}


def test_a_stale_page_does_nothing(app: Any, workspace: Workspace) -> None:
    """Two editors at once: the slower one is told of the faster one, and nothing is overwritten."""
    first, second = Editor(app, workspace, "Ines Calder"), Editor(app, workspace, "Petra Lohse")
    a, b, *_ = first.shown()
    seen = second.version()
    first.post("act", do=f"ban {a}", version=first.version())
    response = second.post("act", do=f"pin {b}", version=seen)
    assert response.status_code == 409
    assert "Ines Calder" in response.text
    assert "Do it on the page as it is now" in response.text
    assert second.shown()[0] == b  # as the next best, not by a pin
    with workspace.store() as store:
        assert len(store.acts()) == 1


def test_a_service_that_only_reads_says_so(app: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks nobody to try again."""
    editor = Editor(app, workspace, "Ines Calder")
    shown, version = editor.shown(), editor.version()
    monkeypatch.setattr(app.state.service, "writer", None)
    response = editor.post("act", do=f"ban {shown[0]}", version=version)
    assert response.status_code == 409
    assert "this service only reads" in response.text


def test_a_move_leaves_the_pins_that_are_not_shown(app: Any, workspace: Workspace) -> None:
    """What is withdrawn, and what the block has no room for, stays pinned behind the order, and stays a judgement."""
    editor = Editor(app, workspace, "Ines Calder")
    shown = editor.shown()
    with workspace.store() as store:
        beyond = next(store.blocks(store.snapshot().id, [PAGE])).items[len(shown)].id
    waiting = "ferry-captain-withdrawn"
    for id_ in (waiting, *shown, beyond):
        editor.post("act", do=f"pin {id_}", version=editor.version())
    assert editor.shown() == shown
    response = editor.move("up", shown[1])
    assert response.status_code == 200
    assert editor.shown()[:2] == [shown[1], shown[0]]
    assert editor.state().pins == (shown[1], shown[0], *shown[2:], waiting, beyond)
    with workspace.store() as store:
        said = {one.target_id for one in store.judgements("editors") if one.source_id == PAGE}
    assert said == {waiting, *shown, beyond}


def test_an_order_that_came_too_late_keeps_what_others_did(app: Any, workspace: Workspace) -> None:
    """Done on the page as it is now: what was pinned meanwhile stays pinned, and what was banned stays banned."""
    first, second = Editor(app, workspace, "Ines Calder"), Editor(app, workspace, "Petra Lohse")
    a, b, c, d, *_ = first.shown()
    was = second.form()
    first.post("act", do=f"pin {d}", version=first.version())
    first.post("act", do=f"ban {a}", version=first.version())
    conflict = second.move("up", c, was)
    assert conflict.status_code == 409
    again = fields(conflict.text, "choice")
    assert again["do"] == f"order {c}"
    first.post("act", do=f"ban {b}", version=first.version())
    conflict = second.post("act", **again)
    assert conflict.status_code == 409  # once more, somebody was faster
    assert second.post("act", **fields(conflict.text, "choice")).status_code == 200
    assert (second.state().pins, second.state().bans) == ((c, d), (a, b))


def test_another_process_shows_a_change_at_once(
    app: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an act, the page may come from a process that has not looked at the store since: it is as new there."""
    monkeypatch.setattr(state, "POLL", 60.0)
    with TestClient(create_app(workspace), base_url="http://localhost") as other:
        editor = Editor(app, workspace, "Ines Calder")
        other.cookies = editor.client.cookies
        first = editor.shown()[0]
        assert f'name="seen" value="{first}"' in other.get(f"/desk/article?id={PAGE}").text
        editor.post("act", do=f"ban {first}", version=editor.version())
        assert f'name="seen" value="{first}"' not in other.get(f"/desk/article?id={PAGE}").text


def test_a_revoked_key_ends_its_sessions(app: Any, workspace: Workspace) -> None:
    """Whoever is signed in by a key that is revoked is at the door with the next click."""
    editor = Editor(app, workspace, "Ines Calder")
    with workspace.store() as store:
        store.revoke_key(editor.key.id)
    assert editor.client.get("/desk/queue", follow_redirects=False).status_code == 303
    assert editor.client.post("/desk/login", data={"key": editor.key.secret}, headers=OWN).status_code == 401


def test_every_page_has_what_the_site_has(app: Any, workspace: Workspace) -> None:
    """The queue, candidates with reasons, the models, the state of the site and the log, of the real site."""
    editor = Editor(app, workspace, "Ines Calder")
    text = editor.page(f"/desk/article?id={PAGE}")
    assert text.count('class="row candidate') > 3
    assert "same section" in text
    assert "what readers get" in editor.page(f"/desk/article?id={PAGE}&view=models")
    assert "Blocks that need a look" in editor.page("/desk/queue")
    assert "163" in editor.page("/desk/site")
    assert "readers do not see this page: draft" in editor.page("/desk/article?id=stadium-name-draft")
    for path in ("/desk/compare", "/desk/log", "/desk/search?q=bridge", "/desk/help"):
        assert editor.get(path).status_code == 200


def test_who_signs_in_is_audited(app: Any, workspace: Workspace) -> None:
    """The audit has each sign-in by a key, also by one that opens no desk."""
    editor = Editor(app, workspace, "Ines Calder")
    with workspace.store() as store:
        reader = store.create_key("Reader", ["read"])
        assert editor.client.post("/desk/login", data={"key": reader.secret}, headers=OWN).status_code == 403
        noted = [(one.action, one.outcome, one.key_id) for one in store.audited()]
    assert noted == [("POST /desk/login", "403", reader.id), ("POST /desk/login", "303", editor.key.id)]


def test_a_page_that_is_fine_leaves_the_queue(app: Any, workspace: Workspace) -> None:
    """The first page of the queue is another one when an editor has found it fine."""
    editor = Editor(app, workspace, "Ines Calder")

    def first() -> str:
        return editor.get("/desk/queue").text.split('data-id="')[1].split('"')[0]

    was = first()
    done = editor.post("seen", source=was, back="/desk/queue")
    assert "Found fine:" in done.text
    assert first() != was
    for words, label in (("Back in the queue:", "Do it again"), ("Found fine:", "Undo")):
        note = done.text.split('data-toast="said"')[1].split("</form>")[0]
        act = note.split('name="act" value="')[1].split('"')[0]
        done = editor.post("undo", act=act, source=was, back="/desk/queue")
        note = done.text.split('data-toast="said"')[1].split("</form>")[0]
        assert words in note
        assert label in note


def test_what_judges_say_is_kept(app: Any, workspace: Workspace) -> None:
    """A trial is judged once, its page does not say which side is which, and the tally counts it."""
    backend = app.state.desk.backend
    settings = workspace.settings.serve.model_copy(update={"desk_models": ("tfidf", "hybrid")})
    backend._workspace = replace(workspace, settings=workspace.settings.model_copy(update={"serve": settings}))
    ranks = {"tfidf": 1, "hybrid": 2}

    class Ranks:
        """Two models that differ, without their vectors."""

        def blocks(self, model: str, source_id: str) -> list[str]:
            """A model's block."""
            ids = [item.id for item in backend.block(source_id).items]
            return ids[ranks[model] :] + ids[: ranks[model]]

        def close(self) -> None:
            """Closes nothing."""

    backend._looks = Ranks()
    editor = Editor(app, workspace, "Ines Calder")
    text = editor.page("/desk/compare/trial?a=hybrid&b=tfidf")
    trial = text.split('name="trial" value="')[1].split('"')[0]
    good = text.split('name="good" value="')[1].split('"')[0]
    fields = {"trial": trial, "a": "hybrid", "b": "tfidf", "drawn": "random", "preferred": "left", "good": good}
    assert "Stored" in editor.post("compare/judge", **fields).text
    assert editor.post("compare/judge", **fields).status_code == 409
    assert editor.post("compare/judge", **(fields | {"bad": good})).status_code == 422
    assert "tally" in editor.get("/desk/compare").text


def test_the_demo_opens_by_a_link_that_works_once(workspace: Workspace) -> None:
    """The demo's desk opens without a key, at this machine's address alone, beside the demo's site."""
    (workspace.path / "site").mkdir()
    (workspace.path / "site" / "index.html").write_text("<style>p{}</style><p>the site", encoding="utf-8")
    address = "http://127.0.0.1:8080"
    with workspace.store() as store:  # as in the demo, the site's addresses are paths
        here = [store.article(id_) for id_ in (PAGE, "mill-bridge-closed")]
        store.put([Entry(replace(a, url=f"{a.id}.html"), "demo") for a in here if a], entry_keys)
    made = demo_app(workspace, address)
    with workspace.store() as store:
        key = store.create_key("Demo", ["edit"], days=1)
    token = made.state.desk.sessions.make_link(key.id, "Demo", ("edit",))
    with TestClient(made, base_url=address) as client:
        assert client.get(f"/desk/enter?token={token}", follow_redirects=False).headers["location"] == "/desk"
        assert "Blocks that need a look" in client.get("/desk").text
        assert f"{address}/demo/mill-bridge-closed.html" in client.get(f"/desk/article?id={PAGE}").text
        site = client.get("/demo/")
        assert "the site" in site.text
        assert "script-src" not in site.headers["content-security-policy"]
        assert client.get("/desk", headers={"host": "evil.example"}).status_code == 400
        client.cookies.clear()
        assert client.get(f"/desk/enter?token={token}", follow_redirects=False).status_code == 401


def test_a_port_that_is_none_is_said_before_the_demo_is_made(tmp_path: Path) -> None:
    """Nobody waits for the demo to be built to be told that it cannot be served."""
    options = Namespace(out=tmp_path / "demo", serve=True, port=70_000, quiet=True, json=False)
    with pytest.raises(UsageError, match="0 to 65535"):
        cli_demo.run(options)
    assert not options.out.exists()


def test_in_a_browser_on_the_real_service(browser: Any, workspace: Workspace, shot: Callable[[Any, str], None]) -> None:
    """An editor signs in, pins by a key, and the API gives readers the pinned article first."""
    made = create_app(workspace)
    with workspace.store() as store:
        key = store.create_key("Ines Calder", ["edit"])
    with serving(made) as url:
        context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 900}, bypass_csp=True)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto(f"/desk/article?id={PAGE}")
        page.get_by_label("Your key").fill(key.secret)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector(".row.candidate")
        shot(page, "real-article")
        wanted = page.locator(".row.candidate").first.get_attribute("data-id")
        page.locator(".row.candidate").first.focus()
        page.keyboard.press("p")
        page.wait_for_selector("[data-toast]")
        assert page.request.get(READ).json()["items"][0]["id"] == wanted
        found = violations(page)
        for path in ("/desk", "/desk/site"):
            page.goto(path)
            shot(page, f"real{path.replace('/', '-')}")
            found += violations(page)
        assert found == []
        context.close()


def test_an_act_whose_answer_is_late_is_a_page(app: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk waits for less than the time that a request has, and says that an act may be done all the same."""
    editor, waited = Editor(app, workspace, "Ines Calder"), list[float]()

    def late(_kind: str, _payload: Any, *, timeout: float) -> dict[str, Any]:
        waited.append(timeout)
        raise LockedError("there is no answer")

    monkeypatch.setattr(app.state.service.writer, "call", late)
    answer = editor.post("act", do=f"ban {editor.shown()[0]}")
    assert waited == [0.9 * workspace.settings.serve.timeout]
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert "may be done all the same" in answer.text
