"""What changes the site over HTTP: published, taken out, tried out, acted on, switched; each request once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from simrec.ingest.record import to_article
from simrec.pipeline.blind import judge
from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.sample import newsroom
from simrec.pipeline.workspace import Workspace
from simrec.serve.app import create_app
from simrec.serve.forms import to_record
from simrec.settings import IngestSettings
from simrec.store.comparisons import Comparison
from simrec.types import Article

RECORDS = [json.loads(line) for line in (newsroom() / "articles.jsonl").read_text(encoding="utf-8").splitlines()]
SETTINGS = '[build]\nmodel = "tfidf"\n[serve]\nrate = 100000\naccess_log = false\nmax_batch = 10\n'
ONE, TWO, THREE = (record["id"] for record in RECORDS[:3])
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = {"title": "A crack in the harbor crane", "body": RECORDS[0]["body"], "lang": "en"}


@dataclass
class Site:
    """A workspace that is served, and what its callers send."""

    workspace: Workspace
    client: TestClient
    secrets: dict[str, str]

    def send(self, method: str, path: str, scope: str | None = "publish", **more: Any) -> Any:
        """A request with the key of a scope."""
        headers = more.pop("headers", {})
        if scope:
            headers = {"authorization": f"Bearer {self.secrets[scope]}", **headers}
        return self.client.request(method, path, headers=headers, **more)

    def put(self, id_: str, record: dict[str, Any], **more: Any) -> Any:
        """Publishes."""
        return self.send("PUT", f"/v1/articles/{id_}", json=record, **more)

    def blocks(self) -> dict[str, list[str]]:
        """The ids in each block of the active snapshot."""
        with self.workspace.store() as store:
            return {block.source_id: [item.id for item in block.items] for block in store.blocks(store.snapshot().id)}

    def revision(self) -> int:
        """How often the active snapshot was changed."""
        with self.workspace.store() as store:
            return store.snapshot().revision


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The newsroom, ranked by its words; copy it before writing to it."""
    path = tmp_path_factory.mktemp("newsroom")
    (path / "simrec.toml").write_text(SETTINGS, encoding="utf-8")
    workspace = Workspace.open(path, create=True)
    ingest(workspace, [newsroom() / "articles.jsonl"], picks=[newsroom() / "picks.csv"])
    build(workspace)
    return path


def serving(path: Path) -> Iterator[Site]:
    """A workspace, served."""
    workspace = Workspace.open(path)
    with workspace.store() as store:
        secrets = {
            scope: store.create_key(f"the {scope}", [scope]).secret for scope in ("read", "publish", "edit", "admin")
        }
    with TestClient(create_app(workspace), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield Site(workspace, client, secrets)


@pytest.fixture
def site(built: Path, tmp_path: Path) -> Iterator[Site]:
    """A copy of the newsroom, served."""
    shutil.copytree(built, tmp_path / "site")
    yield from serving(tmp_path / "site")


@pytest.fixture(scope="module")
def shared(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for tests of what is refused: nothing of it changes."""
    path = tmp_path_factory.mktemp("shared") / "site"
    shutil.copytree(built, path)
    yield from serving(path)


def test_published_means_in_all_blocks_of_readers(site: Site) -> None:
    """After PUT an article is in the blocks that readers get, and after DELETE in none; a rebuild changes nothing."""
    made = site.put("crane", NEW)
    assert made.status_code == 201
    assert made.json()["new"] == ["crane"]
    pages = [page for page in made.json()["blocks"] if page != "crane"]
    shown = {page: site.client.get(f"/v1/articles/{page}/similar").json()["items"] for page in pages}
    assert any("crane" in [item["id"] for item in items] for items in shown.values())
    again = site.put("crane", {**NEW, "title": "The harbor crane is mended"})
    assert (again.status_code, again.json()["new"]) == (200, [])
    assert site.client.get("/v1/articles/crane").json()["title"] == "The harbor crane is mended"
    gone = site.send("DELETE", "/v1/articles/crane")
    assert gone.status_code == 200
    assert site.client.get("/v1/articles/crane/similar").status_code == 404
    found = site.blocks()
    assert not any("crane" in items for items in found.values())
    build(site.workspace)
    assert site.blocks() == found


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(["put", "new", "delete", "draft", "batch"]), st.integers(0, 20)), max_size=6))
def test_published_over_http_equals_a_rebuild(
    built: Path, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """After any requests the blocks are those that a build of the same store makes."""
    path = tmp_path_factory.mktemp("property") / "site"
    shutil.copytree(built, path)
    for site in serving(path):
        for what, number in steps:
            record = {**RECORDS[number], "title": f"{RECORDS[number + 1]['title']} {number}"}
            if what in ("put", "new"):
                id_ = record["id"] if what == "put" else f"new-{number}"
                answer = site.put(id_, {name: value for name, value in record.items() if name != "id"})
            elif what == "batch":
                articles = [{**record, "id": f"batch-{n}"} for n in range(3)]
                answer = site.send("POST", "/v1/articles:batch", json={"articles": articles})
            else:
                answer = site.send("DELETE", f"/v1/articles/{record['id']}", params={"draft": what == "draft"})
            assert answer.status_code in (200, 201)
        found = site.blocks()
    workspace = Workspace.open(path)
    build(workspace)
    with workspace.store() as store:
        rebuilt = {b.source_id: [item.id for item in b.items] for b in store.blocks(store.snapshot().id)}
    assert rebuilt == found


@pytest.mark.parametrize("record", RECORDS[::7], ids=lambda record: record["id"])
def test_an_article_survives_the_way_to_the_writer(record: dict[str, Any]) -> None:
    """What the writer reads is the article that was sent, with all that is kept of it."""
    article = to_article({**record, "mood": {"deep": [1, None]}, "expires_at": "2030-01-01"}, IngestSettings())
    assert isinstance(article, Article)
    assert to_article(json.loads(json.dumps(to_record(article))), IngestSettings()) == article


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "no title, body"),
    "no body": ({"title": "x"}, "no body"),
    "empty": ({"title": " \u200b", "body": "\n"}, "title"),
    "id": ({**NEW, "id": "other"}, "the address says"),
    "id of no text": ({**NEW, "id": "a\x00b"}, "control character"),
    "id of yes or no": ({**NEW, "id": True}, "valid"),
    "date": ({**NEW, "published_at": "yesterday"}, "is no date"),
    "year": ({**NEW, "published_at": "99999-01-01"}, "is no date"),
    "number": ({**NEW, "title": 7}, "string"),
    "status": ({**NEW, "status": "live"}, "published"),
    "script": ({**NEW, "url": "javascript:alert(1)"}, "http or https"),
    "hidden script": ({**NEW, "image": "java\tscript:alert(1)"}, "http or https"),
    "data": ({**NEW, "image": "data:text/html,<script>"}, "http or https"),
    "tags": ({**NEW, "tags": [["deep"]]}, "string"),
    "deep": ({**NEW, "more": json.loads("[" * 100 + "]" * 100)}, "nested more than 50 deep"),
    "both": ({**NEW, "body_html": "<p>x"}, "not both"),
    "canonical": ({**NEW, "canonical_id": "a\x00b"}, "control character"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_articles_are_refused_in_words(shared: Site, name: str) -> None:
    """What an ingest would reject is refused with the reason, and nothing is stored."""
    record, reason = BAD[name]
    answer = shared.put("bad", record)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert reason in answer.text
    assert shared.client.get("/v1/articles/bad").status_code == 404


RAW: dict[str, bytes] = {
    "no JSON": b"{",
    "no object": b"[1]",
    "bytes": b'{"title": "\xff"}',
    "a long number": b'{"title": "x", "body": "y", "n": ' + b"9" * 5000 + b"}",
    "too deep": b'{"title": "x", "body": "y", "n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("name", RAW)
def test_bad_bytes_are_refused(shared: Site, name: str) -> None:
    """What is no JSON, or JSON that nobody can use, is the sender's fault."""
    answer = shared.send("PUT", "/v1/articles/bad", content=RAW[name], headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert shared.client.get("/v1/articles/bad").status_code == 404


def test_odd_values_are_kept_as_ingest_keeps_them(site: Site) -> None:
    """Numbers that JSON has not, NUL and a date without a zone do no harm: they are cleaned, or taken as UTC."""
    body = b'{"title": "Odd\\u0000 one\\ud800", "body": "text of it", "x": NaN, "y": 1e999, '
    body += b'"published_at": "2025-01-02T03:04"}'
    answer = site.send("PUT", "/v1/articles/odd", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 201
    with site.workspace.store() as store:
        article = store.article("odd")
    assert article is not None
    assert article.published_at is not None
    assert article.published_at.isoformat() == "2025-01-02T03:04:00+00:00"
    assert article.title.startswith("Odd one")
    article.title.encode()
    assert article.extra == {}


def test_html_becomes_text(site: Site) -> None:
    """Of a body in HTML its text is kept, and nothing that a browser could run."""
    html = "<p>One <b>crane</b></p><script>alert(1)</script><img src=x onerror=alert(2)><p>Two</p>"
    assert site.put("html", {"title": "<b>Crane</b>", "body_html": html}).status_code == 201
    with site.workspace.store() as store:
        article = store.article("html")
    assert article is not None
    assert article.body == "One crane\n\nTwo"
    page = site.client.get("/v1/articles/html/similar", params={"format": "html"}).text
    assert "<script" not in page


@pytest.mark.parametrize(
    ("method", "path", "scopes"),
    [
        ("PUT", "/v1/articles/x", ("publish", "admin")),
        ("DELETE", "/v1/articles/x", ("publish", "admin")),
        ("POST", "/v1/articles:batch", ("publish", "admin")),
        ("POST", "/v1/similar", ("publish", "edit", "admin")),
        ("GET", "/v1/snapshots", ("edit", "admin")),
        ("GET", "/v1/snapshots/1/diff", ("edit", "admin")),
        ("POST", "/v1/snapshots/99/activate", ("admin",)),
        ("POST", "/v1/snapshots:rollback", ("admin",)),
        ("GET", "/v1/status", ("publish", "edit", "admin")),
        ("GET", "/v1/pages/x/acts", ("edit", "admin")),
        ("POST", "/v1/pages/x/acts", ("edit", "admin")),
        ("GET", "/v1/acts", ("edit", "admin")),
        ("POST", "/v1/acts/1/undo", ("edit", "admin")),
        ("GET", "/v1/articles/x/picks", ("edit", "admin")),
        ("PUT", "/v1/articles/x/picks", ("edit", "admin")),
        ("DELETE", "/v1/articles/x/picks", ("edit", "admin")),
    ],
)
def test_each_route_needs_its_scope(shared: Site, method: str, path: str, scopes: tuple[str, ...]) -> None:
    """Without a key 401, with one of another scope 403, whatever is sent; with the right one neither."""
    assert shared.send(method, path, None, json={}).status_code == 401
    for scope in ("read", "publish", "edit", "admin"):
        status = shared.send(method, path, scope, json={}).status_code
        assert (status == 403) == (scope not in scopes), scope
        assert status != 401


def test_a_batch_is_all_or_nothing(site: Site) -> None:
    """One article that cannot be used keeps out all, and each one's reason is told; else all are in at once."""
    send = lambda articles: site.send("POST", "/v1/articles:batch", json={"articles": articles})  # noqa: E731
    bad = send([{**NEW, "id": "a"}, {"id": "b"}, {"id": "c", "title": "x"}])
    assert bad.status_code == 422
    assert [one["where"] for one in bad.json()["errors"]] == ["articles.1", "articles.2"]
    assert send([{**NEW, "id": "a"}, {**NEW, "id": "a"}]).status_code == 422
    assert send([]).status_code == 422
    assert send([{**NEW, "id": f"a{n}"} for n in range(11)]).status_code == 422
    assert site.revision() == 0
    good = send([{**NEW, "id": "a"}, {**RECORDS[0], "id": "b"}])
    assert (good.status_code, good.json()["new"]) == (200, ["a", "b"])
    assert site.revision() == 1


def test_a_key_makes_a_request_once(site: Site) -> None:
    """The same key and body has the same answer and no second effect; another body is refused; keys are one's own."""
    key = {"idempotency-key": "7f6b5a0e"}
    first = site.put("crane", NEW, headers=key)
    again = site.put("crane", NEW, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert site.revision() == 1
    assert site.put("crane", {**NEW, "title": "other"}, headers=key).status_code == 422
    assert site.put("crane2", NEW, headers=key).status_code == 422
    assert site.put("crane", NEW, scope="admin", headers=key).status_code == 200
    assert site.put("x", NEW, headers={"idempotency-key": "a b"}).status_code == 422
    missing = site.send("DELETE", "/v1/articles/nobody", headers={"idempotency-key": "k2"})
    assert missing.status_code == 404
    site.put("nobody", NEW)
    assert site.send("DELETE", "/v1/articles/nobody", headers={"idempotency-key": "k2"}).status_code == 404


def test_a_key_in_flight_is_a_conflict(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first request with a key is under way, a second one is told so, and asks again."""
    monkeypatch.setattr("simrec.serve.writer.Writer.answered", lambda self, receipt: False)
    key = {"idempotency-key": "7f6b5a0e"}
    assert site.put("crane", NEW, headers=key).status_code == 201
    busy = site.put("crane", NEW, headers=key)
    assert (busy.status_code, busy.headers["retry-after"]) == (409, "1")


def test_only_where_there_is_none(site: Site) -> None:
    """If-None-Match: * publishes a new article, and never replaces one."""
    only = {"if-none-match": "*"}
    assert site.put("crane", NEW, headers=only).status_code == 201
    assert site.put("crane", {**NEW, "title": "other"}, headers=only).status_code == 412
    assert site.put("crane", NEW, headers={"if-none-match": '"abc"'}).status_code == 422
    assert site.client.get("/v1/articles/crane").json()["title"] == NEW["title"]


def test_ids_with_signs(site: Site) -> None:
    """An id may hold slashes and spaces, as it may in a file."""
    assert site.put("news%2F2025%2Fa%20b", NEW).status_code == 201
    with site.workspace.store() as store:
        assert store.article("news/2025/a b")
    assert site.send("DELETE", "/v1/articles/news/2025/a%20b").status_code == 200
    assert site.put("a%00b", NEW).status_code in (404, 422)
    assert site.put("a%0Ab", NEW).status_code in (404, 422)
    assert site.put("x" * 600, NEW).status_code in (404, 422)


def test_a_notice_takes_a_stored_article_out(site: Site) -> None:
    """A status alone changes the state of a stored article; of one that is not there it changes nothing."""
    assert site.put(ONE, {"status": "draft"}).status_code == 200
    assert site.client.get(f"/v1/articles/{ONE}").status_code == 404
    with site.workspace.store() as store:
        assert store.article(ONE) == replace(store.article(ONE), status="draft", title=RECORDS[0]["title"])  # type: ignore[type-var]
    assert site.put("nobody", {"status": "withdrawn"}).status_code == 404


def test_a_draft_leaves_nothing(site: Site) -> None:
    """A text that is not published gets the block that publishing gives it, and nothing of it is kept."""
    site.put("other", {**NEW, "title": "What makes the writer ready"})
    draft = {**NEW, "title": "A crack in the unheard-of crane"}
    answer = site.send("POST", "/v1/similar", "edit", json={**draft, "k": 3, "explain": True})
    assert answer.status_code == 200
    ids = [item["id"] for item in answer.json()["items"]]
    assert len(ids) == 3
    assert site.revision() == 1
    assert not any(b"unheard-of" in path.read_bytes() for path in site.workspace.path.glob("simrec.db*"))
    site.put("crane", draft)
    assert site.blocks()["crane"][:3] == ids
    assert site.send("POST", "/v1/similar", json={"title": "x"}).status_code == 422
    assert site.send("POST", "/v1/similar", json={**NEW, "k": 0}).status_code == 422


def test_snapshots_are_listed_compared_and_switched(site: Site) -> None:
    """An admin goes back and forth, an editor looks; the gate's word counts; readers see it at once."""
    site.put("crane", NEW)
    build(site.workspace, full=True)
    assert [one["snapshot"] for one in site.send("GET", "/v1/snapshots", "edit").json()["snapshots"]] == [2, 1]
    found = site.send("GET", "/v1/snapshots/2/diff", "edit").json()
    assert (found["a"], found["b"]) == (1, 2)
    back = site.send("POST", "/v1/snapshots:rollback", "admin")
    assert (back.status_code, back.json()["snapshot"]) == (200, 1)
    assert site.send("POST", "/v1/snapshots:rollback", "admin").status_code == 404
    there = site.send("POST", "/v1/snapshots/2/activate", "admin", json={"force": False})
    assert (there.status_code, there.json()["state"]) == (200, "active")
    assert site.send("POST", "/v1/snapshots/99/activate", "admin").status_code == 404
    assert site.send("POST", "/v1/snapshots/2/activate", "admin", json={"forse": True}).status_code == 422
    assert site.put("crane", {**NEW, "title": "mended"}).json()["snapshot"] == 2


def test_status(site: Site) -> None:
    """Who publishes sees what is shown, and whether anything waits."""
    site.put("crane", NEW)
    found = site.send("GET", "/v1/status").json()
    assert (found["snapshot"], found["revision"], found["asked"]) == (1, 1, 0)
    assert found["articles"] == len(RECORDS) + 1
    assert found["has_writer"]
    assert found["problems"] == []


def test_an_editor_acts_and_takes_back(site: Site) -> None:
    """A pin stands first for readers at once, a ban takes out, undo brings back; the log has each, by whose key."""
    act = lambda **body: site.send("POST", f"/v1/pages/{ONE}/acts", "edit", json=body)  # noqa: E731
    first = [item["id"] for item in site.client.get(f"/v1/articles/{ONE}/similar").json()["items"]]
    target = next(record["id"] for record in RECORDS[3:] if record["id"] not in first and record["lang"] == "en")
    pinned = act(action="pin", target_id=target, version=0, note="it belongs there")
    assert pinned.status_code == 200
    assert pinned.json()["act"]["who"] == "the edit"
    shown = [item["id"] for item in site.client.get(f"/v1/articles/{ONE}/similar").json()["items"]]
    assert shown[0] == target
    stale = act(action="ban", target_id=first[0], version=0)
    assert stale.status_code == 409
    assert "the edit" in stale.json()["detail"]
    version = site.send("GET", f"/v1/pages/{ONE}/acts", "edit").json()["version"]
    assert version == pinned.json()["state"]["version"] > 0
    banned = act(action="ban", target_id=first[0], version=version)
    assert banned.json()["state"]["bans"] == [first[0]]
    assert first[0] not in [item["id"] for item in site.client.get(f"/v1/articles/{ONE}/similar").json()["items"]]
    for number in (banned.json()["act"]["id"], pinned.json()["act"]["id"]):
        assert site.send("POST", f"/v1/acts/{number}/undo", "edit").status_code == 200
    again = [item["id"] for item in site.client.get(f"/v1/articles/{ONE}/similar").json()["items"]]
    assert again == first
    log = site.send("GET", "/v1/acts", "edit", params={"limit": 3}).json()
    assert len(log["acts"]) == 3
    rest = site.send("GET", "/v1/acts", "edit", params={"limit": 3, "before": log["next"]}).json()
    assert ([one["action"] for one in rest["acts"]], rest["next"]) == (["pin"], None)


def test_what_editors_say_is_in_the_log_and_undone(site: Site) -> None:
    """A verdict and a page that is fine, beside the acts, page by page; undone once, with no version asked for."""
    pinned = site.send("POST", f"/v1/pages/{ONE}/acts", "edit", json={"action": "pin", "target_id": TWO}).json()
    with site.workspace.store() as store:
        store.open_trial(Comparison("t", NOW, "Ines", ONE, "one", "two", (TWO,), (), "a", "random"))
        judged = judge(store, "Ines", "t", "left", [TWO], now=NOW).act
        fine = store.note_fine("Ines", ONE, NOW)
    log = site.send("GET", "/v1/acts", "edit", params={"limit": 2}).json()
    assert [(one["id"], one["action"], one["who"]) for one in log["acts"]] == [
        (fine, "seen", "Ines"), (judged, "judge", "Ines"),
    ]  # fmt: skip
    assert (log["acts"][1]["said"]["preferred"], log["acts"][1]["after"]["pins"]) == ("one", [TWO])
    [rest] = site.send("GET", "/v1/acts", "edit", params={"limit": 2, "before": log["next"]}).json()["acts"]
    assert (rest["id"], rest["said"]) == (pinned["act"]["id"], None)
    for number in (judged, fine):
        undo = f"/v1/acts/{number}/undo"
        done = site.send("POST", undo, "edit", json={"version": 99}).json()
        assert (done["act"]["undoes"], done["blocks"], done["waiting"]) == (number, [], False)
        assert (done["state"]["version"], done["state"]["pins"]) == (pinned["state"]["version"], [TWO])
        assert site.send("POST", undo, "edit").status_code == 409
    act = {"action": "unpin", "target_id": TWO, "version": pinned["state"]["version"]}
    assert site.send("POST", f"/v1/pages/{ONE}/acts", "edit", json=act).status_code == 200
    picks = site.send("GET", f"/v1/articles/{ONE}/picks", "edit").json()["picks"]
    assert [one for one in picks if one["origin"] == "judged"] == []


def test_acts_that_cannot_be_done(shared: Site) -> None:
    """Unknown articles are 404, nonsense is 422, and neither leaves a trace."""
    act = lambda page, **body: shared.send("POST", f"/v1/pages/{page}/acts", "edit", json=body).status_code  # noqa: E731
    assert act("nobody", action="pin", target_id=TWO) == 404
    assert act(ONE, action="pin", target_id="nobody") == 404
    assert act(ONE, action="pin", target_id=ONE) == 422
    assert act(ONE, action="pin") == 422
    assert act(ONE, action="paint", target_id=TWO) == 422
    assert act(ONE, action="pin", target_id="a\x00b") == 422
    for note in ("a\x00b", "\ud800"):
        body = json.dumps({"action": "pin", "target_id": TWO, "note": note})
        headers = {"content-type": "application/json"}
        assert shared.send("POST", f"/v1/pages/{ONE}/acts", "edit", content=body, headers=headers).status_code == 422
    assert shared.send("GET", "/v1/acts?who=%00", "edit").status_code == 422
    assert shared.send("GET", "/v1/pages/a%00b/acts", "edit").status_code == 404
    assert act(ONE, action="pin", target_id=TWO, rank=0) == 422
    assert act(ONE, action="pin", target_id=TWO, version=2**70) == 422
    assert act(ONE, action="pin", target_id=TWO, note="x" * 1001) == 422
    assert act(ONE, action="pin", target_id=TWO, who="somebody else") == 422
    assert act(ONE, action="order", targets=[TWO] * 101) == 422
    assert shared.send("POST", "/v1/acts/999/undo", "edit").status_code == 404
    assert shared.send("POST", f"/v1/acts/{2**70}/undo", "edit").status_code == 422
    assert shared.send("GET", "/v1/acts", "edit").json() == {"acts": [], "next": None}


def test_picks_are_judgements(site: Site) -> None:
    """A pick is said once, is listed with who said it beside the imported ones, and can be taken back."""
    path = f"/v1/articles/{ONE}/picks"
    said = site.send("PUT", path, "edit", json={"target_id": THREE})
    assert said.status_code == 200
    assert said.json()["state"]["accepted"] == [THREE]
    found = site.send("GET", path, "edit").json()["picks"]
    assert [one["who"] for one in found if one["target_id"] == THREE and one["origin"] == "accept"] == ["the edit"]
    once = {"headers": {"idempotency-key": "take-it-back"}, "params": {"target_id": THREE}}
    taken = site.send("DELETE", path, "edit", **once)
    assert taken.status_code == 200
    again = site.send("DELETE", path, "edit", **once)
    assert (again.status_code, again.json()) == (200, taken.json())
    for target in (THREE, ONE, "nobody"):
        assert site.send("DELETE", path, "edit", params={"target_id": target}).status_code == 404
    assert "accept" not in [one["origin"] for one in site.send("GET", path, "edit").json()["picks"]]
