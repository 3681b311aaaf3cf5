"""Webhooks of WordPress and Ghost: signed or not looked at; published, changed and taken out, once and in order."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.sample import newsroom
from simrec.pipeline.workspace import Workspace
from simrec.serve.app import create_app
from simrec.serve.signatures import ghost_signed, wordpress_signed
from simrec.types import Article

from .conftest import Clock

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
SETTINGS = '[build]\nmodel = "tfidf"\n[serve]\naccess_log = false\nwordpress_secret = "wp"\nghost_secret = "gh"\n'
BODY = "<p>A crack in the harbor crane.</p><!-- wp:paragraph --><p>The harbor crane is closed.</p>"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The newsroom, ranked by its words; copy it before writing to it."""
    path = tmp_path_factory.mktemp("newsroom")
    (path / "simrec.toml").write_text(SETTINGS, encoding="utf-8")
    workspace = Workspace.open(path, create=True)
    ingest(workspace, [newsroom() / "articles.jsonl"], picks=[newsroom() / "picks.csv"])
    build(workspace, now=NOW)
    return path


class Hooks:
    """A served workspace, and who sends it webhooks."""

    def __init__(self, workspace: Workspace, client: TestClient, clock: Clock) -> None:
        self.workspace, self.client, self.clock = workspace, client, clock

    def wordpress(self, value: Any, signed: str = "wp", form: str = "hex") -> int:
        """Sends a webhook of WordPress, and returns the status of the answer."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        digest = hmac.new(signed.encode(), body, hashlib.sha256).digest()
        headers = {"content-type": "application/json"}
        if form == "hex":
            headers["x-hub-signature-256"] = f"sha256={digest.hex()}"
        elif form == "base64":
            headers["x-wp-webhook-signature"] = base64.b64encode(digest).decode()
        return self.client.post("/v1/webhooks/wordpress", content=body, headers=headers).status_code

    def ghost(self, value: Any, signed: str = "gh", at: datetime = NOW) -> int:
        """Sends a webhook of Ghost, and returns the status of the answer."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        moment = str(int(at.timestamp() * 1000))
        digest = hmac.new(signed.encode(), body + moment.encode(), hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "x-ghost-signature": f"sha256={digest}, t={moment}"}
        return self.client.post("/v1/webhooks/ghost", content=body, headers=headers).status_code

    def article(self, id_: str) -> Article | None:
        """What is stored."""
        with self.workspace.store() as store:
            return store.article(id_)

    def revision(self) -> int:
        """How often the active snapshot was changed."""
        with self.workspace.store() as store:
            return store.snapshot().revision

    def is_shown(self, id_: str) -> bool:
        """Whether readers get a block of it, and find it in other blocks."""
        with self.workspace.store() as store:
            found = list(store.blocks(store.snapshot().id))
        inside = any(item.id == id_ for block in found for item in block.items)
        assert inside == (self.client.get(f"/v1/articles/{id_}/similar").status_code == 200)
        return inside


@pytest.fixture
def hooks(built: Path, tmp_path: Path) -> Iterator[Hooks]:
    """A copy of the newsroom, served at a fixed moment."""
    shutil.copytree(built, tmp_path / "site")
    workspace = Workspace.open(tmp_path / "site")
    clock = Clock()
    clock.now = NOW
    app = create_app(workspace, clock=clock)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield Hooks(workspace, client, clock)


def rest(status: str = "publish", hour: int = 10, **values: Any) -> dict[str, Any]:
    """A post as WordPress's REST API tells it."""
    return {
        "id": 4711,
        "date_gmt": "2025-05-31T09:00:00",
        "modified_gmt": f"2025-05-31T{hour:02}:00:00",
        "guid": {"rendered": "https://wp.example/?p=4711"},
        "status": status,
        "type": "post",
        "link": "https://wp.example/2025/crane/",
        "title": {"rendered": "The harbor crane &#8211; closed"},
        "content": {"rendered": BODY, "protected": False},
        "_embedded": {
            "author": [{"name": "Ann Lee"}],
            "wp:featuredmedia": [{"source_url": "https://wp.example/crane.jpg", "alt_text": "A crane"}],
            "wp:term": [
                [{"taxonomy": "category", "name": "City &amp; harbor"}],
                [{"taxonomy": "post_tag", "name": "crane"}, {"taxonomy": "post_tag", "name": "harbor"}],
            ],
        },
        **values,
    }


def row(status: str = "publish", hour: int = 10, **values: Any) -> dict[str, Any]:
    """A post as the plugin WP Webhooks tells it."""
    return {
        "post_id": 4711,
        "post": {
            "ID": 4711,
            "post_title": "The harbor crane &#8211; closed",
            "post_content": BODY,
            "post_status": status,
            "post_type": "post",
            "post_date_gmt": "2025-05-31 09:00:00",
            "post_modified_gmt": f"2025-05-31 {hour:02}:00:00",
            "post_password": "",
            "guid": "https://wp.example/?p=4711",
        },
        "post_permalink": "https://wp.example/2025/crane/",
        "post_thumbnail": "https://wp.example/crane.jpg",
        "taxonomies": {
            "category": {"city": {"name": "City &amp; harbor"}},
            "post_tag": {"crane": {"name": "crane"}, "harbor": {"name": "harbor"}},
        },
        **values,
    }


def ghost_post(status: str = "published", hour: int = 10, **values: Any) -> dict[str, Any]:
    """A webhook of Ghost."""
    post = {
        "id": "65f0",
        "title": "The harbor crane",
        "slug": "crane",
        "html": BODY,
        "status": status,
        "visibility": "public",
        "published_at": "2025-05-31T09:00:00.000Z",
        "updated_at": f"2025-05-31T{hour:02}:00:00.000Z",
        "feature_image": "https://gh.example/crane.jpg",
        "feature_image_alt": "A crane",
        "tags": [{"name": "City"}, {"name": "#similar-off"}, {"name": "Harbor"}],
        "authors": [{"name": "Ann Lee"}],
        "url": "https://gh.example/crane/",
        **values,
    }
    return {"post": {"current": post, "previous": {}}}


def test_a_wordpress_post_is_read_as_the_export_is(hooks: Hooks) -> None:
    """Title, text, authors, categories, tags, picture and address of a published post arrive."""
    assert hooks.wordpress({"event": "published", "post": rest()}) == 200
    found = hooks.article("4711")
    assert found is not None
    assert (found.title, found.body) == (
        "The harbor crane \u2013 closed",
        "A crack in the harbor crane.\n\nThe harbor crane is closed.",
    )
    assert (found.section, found.tags, found.authors) == ("City & harbor", ("crane", "harbor"), ("Ann Lee",))
    assert (found.image, found.image_alt) == ("https://wp.example/crane.jpg", "A crane")
    assert found.url == "https://wp.example/2025/crane/"
    assert found.published_at == datetime(2025, 5, 31, 9, tzinfo=UTC)
    assert hooks.is_shown("4711")


@pytest.mark.parametrize("form", ["hex", "base64"])
@pytest.mark.parametrize("post", [rest, row], ids=["rest", "plugin"])
def test_wordpress_publishes_changes_and_takes_out(hooks: Hooks, post: Any, form: str) -> None:
    """A post is published, changed, unpublished, published again, and thrown away: readers see each at once."""
    assert hooks.wordpress(post(), form=form) == 200
    assert hooks.is_shown("4711")
    for hour, status, shown in [
        (11, "draft", False),
        (12, "publish", True),
        (13, "private", False),
        (14, "publish", True),
    ]:
        assert hooks.wordpress(post(status, hour), form=form) == 200
        assert hooks.is_shown("4711") == shown
    assert hooks.wordpress(post("trash", 15), form=form) == 200
    assert not hooks.is_shown("4711")
    found = hooks.article("4711")
    assert found is not None
    assert found.status == "withdrawn"


def test_deleted_for_good(hooks: Hooks) -> None:
    """A post that WordPress deleted is withdrawn, with no more known of it than its number."""
    hooks.wordpress(rest())
    assert hooks.wordpress({"event": "deleted", "post": {"id": 4711}}) == 200
    assert not hooks.is_shown("4711")
    assert hooks.wordpress({"event": "deleted", "post": {"id": 4712}}) == 204
    assert hooks.wordpress({"event": "deleted", "post": {}}) == 204


def test_the_snippet_of_the_documentation(hooks: Hooks) -> None:
    """Of what is not published it tells the state alone: what is known is taken out, what is not stays unknown."""
    tell = lambda status, hour: hooks.wordpress(  # noqa: E731
        {
            "event": "updated",
            "post": {"id": 4711, "status": status, "type": "post", "modified_gmt": f"2025-05-31T{hour:02}:00:00"},
        }
    )
    for status in ("draft", "trash", "future", "private"):
        assert tell(status, 9) == 204
    assert hooks.article("4711") is None
    for hour, status in enumerate(("draft", "trash", "future", "private"), start=5):
        assert hooks.wordpress(rest(hour=2 * hour)) == 200
        assert hooks.is_shown("4711")
        assert tell(status, 2 * hour + 1) == 200
        assert not hooks.is_shown("4711")


def test_drafts_never_come_in(hooks: Hooks) -> None:
    """What is no published post is not stored at all: drafts, private and protected posts, other types, revisions."""
    for status in ("draft", "pending", "private", "auto-draft", "inherit", "trash", "something"):
        assert hooks.wordpress(rest(status)) == 204
    assert hooks.wordpress(rest(content={"rendered": BODY, "protected": True})) == 204
    assert hooks.wordpress(rest(**{"password": "x"})) == 204
    assert hooks.wordpress(row(post={**row()["post"], "post_password": "x"})) == 204
    assert hooks.wordpress(rest(type="revision")) == 204
    assert hooks.wordpress(rest(type="product")) == 204
    assert hooks.ghost(ghost_post("draft")) == 204
    assert hooks.ghost(ghost_post("sent")) == 204
    assert hooks.article("4711") is None
    assert hooks.article("65f0") is None
    assert hooks.revision() == 0


def test_scheduled_posts_wait(hooks: Hooks) -> None:
    """A post for tomorrow is stored with its date, and not shown before."""
    assert hooks.wordpress(rest("future", date_gmt="2025-06-02T09:00:00")) == 200
    assert hooks.client.get("/v1/articles/4711/similar").status_code == 404
    found = hooks.article("4711")
    assert found is not None
    assert found.embargo_until == datetime(2025, 6, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        {"event": "comment_created", "post": rest()},
        {"event": "user"},
        {"hello": 1},
        [],
        "x",
        7,
        {"post": "x"},
        {"post": []},
    ],
)
def test_other_events_are_nothing(hooks: Hooks, value: Any) -> None:
    """What does not concern an article is taken, and nothing is done."""
    assert hooks.wordpress(value) == 204
    assert hooks.ghost(value) == 204
    assert hooks.revision() == 0


def test_ghost_publishes_changes_and_takes_out(hooks: Hooks) -> None:
    """A post of Ghost is published, changed, unpublished and deleted; an internal tag keeps its block away."""
    tags = [{"name": "City"}, {"name": "Harbor"}]
    assert hooks.ghost(ghost_post(tags=tags)) == 200
    found = hooks.article("65f0")
    assert found is not None
    assert (found.section, found.tags, found.authors) == ("City", ("City", "Harbor"), ("Ann Lee",))
    assert (found.url, found.image_alt) == ("/crane/", "A crane")
    assert hooks.is_shown("65f0")
    assert hooks.ghost(ghost_post("draft", 11)) == 200
    assert not hooks.is_shown("65f0")
    assert hooks.ghost(ghost_post("published", 12, tags=tags)) == 200
    assert hooks.is_shown("65f0")
    assert hooks.ghost({"post": {"current": {}, "previous": {"id": "65f0"}}}) == 200
    assert not hooks.is_shown("65f0")
    assert hooks.ghost(ghost_post(id="65f1")) == 200
    found = hooks.article("65f1")
    assert found is not None
    assert found.extra["similar"] == "off"


@pytest.mark.parametrize("sender", ["wordpress", "ghost"])
def test_replays_change_nothing(hooks: Hooks, sender: str) -> None:
    """The same webhook again is not done again; an older one that arrives late does not undo a newer one."""
    send = hooks.wordpress if sender == "wordpress" else hooks.ghost
    post: Any = rest if sender == "wordpress" else ghost_post
    id_ = "4711" if sender == "wordpress" else "65f0"
    out = "trash" if sender == "wordpress" else "draft"
    live = "publish" if sender == "wordpress" else "published"
    assert send(post(live, 10)) == 200
    assert send(post(live, 10)) == 200
    assert hooks.revision() == 1
    assert send(post(out, 12)) == 200
    assert hooks.revision() == 2
    for late in (post(live, 10), post(live, 11), {**post(live, 11), "again": 1}):
        assert send(late) in (200, 204)
    assert hooks.revision() == 2
    found = hooks.article(id_)
    assert found is not None
    assert found.status in ("withdrawn", "draft")
    assert send(post(live, 13)) == 200
    assert send({**post(out, 12), "again": 2}) == 204
    assert hooks.revision() == 3


@pytest.mark.parametrize("sender", ["wordpress", "ghost"])
def test_what_is_taken_out_before_it_is_known_stays_out(hooks: Hooks, sender: str) -> None:
    """A publish that arrives after the later withdrawal of its post changes nothing; one of a newer version does."""
    send = hooks.wordpress if sender == "wordpress" else hooks.ghost
    post: Any = rest if sender == "wordpress" else ghost_post
    live, out, id_ = ("publish", "trash", "4711") if sender == "wordpress" else ("published", "draft", "65f0")
    assert send(post(out, 12)) == 204
    assert send(post(out, 9)) == 204
    assert send(post(live, 10)) == 204
    assert hooks.article(id_) is None
    assert send(post(live, 13)) == 200
    assert hooks.is_shown(id_)


def test_what_is_deleted_before_it_is_known_stays_out(hooks: Hooks) -> None:
    """A deletion without a date counts from the moment at which it came."""
    assert hooks.wordpress({"event": "deleted", "post": {"id": 4711}}) == 204
    assert hooks.ghost({"post": {"current": {}, "previous": {"id": "65f0"}}}) == 204
    assert hooks.wordpress(rest()) == 204
    assert hooks.ghost(ghost_post()) == 204
    assert (hooks.article("4711"), hooks.article("65f0")) == (None, None)


def test_a_scheduled_post_is_not_gone(hooks: Hooks) -> None:
    """WordPress does not change a post's date of change when its time comes: it is published all the same."""
    future = {"id": 4711, "status": "future", "type": "post", "modified_gmt": "2025-05-31T10:00:01"}
    assert hooks.wordpress({"event": "updated", "post": future}) == 204
    assert hooks.wordpress(rest(hour=10)) == 200
    assert hooks.is_shown("4711")


@pytest.mark.parametrize("way", ["delete", "draft", "notice", "command"])
def test_a_replay_does_not_undo_what_was_withdrawn_by_hand(hooks: Hooks, way: str) -> None:
    """An article that was taken out by its interface or by a command is out since then, for who tells of it later."""
    assert hooks.wordpress(rest()) == 200
    with hooks.workspace.store() as store:
        key = {"authorization": f"Bearer {store.create_key('CMS', ['publish']).secret}"}
    hooks.client.app.state.service.keyring.refresh()  # type: ignore[attr-defined]
    if way == "command":
        with Pipeline(hooks.workspace, lambda: NOW) as pipeline:
            pipeline.withdraw("4711")
    elif way == "notice":
        assert hooks.client.put("/v1/articles/4711", json={"status": "withdrawn"}, headers=key).status_code == 200
    else:
        address = f"/v1/articles/4711{'?draft=true' if way == 'draft' else ''}"
        assert hooks.client.delete(address, headers=key).status_code == 200
    assert hooks.wordpress({**rest(), "sent": "again"}) == 204
    found = hooks.article("4711")
    assert found is not None
    assert found.status == ("draft" if way == "draft" else "withdrawn")


@pytest.mark.parametrize("by", ["webhook", "key"])
def test_a_date_of_change_that_is_yet_to_come_keeps_nothing_in(hooks: Hooks, by: str) -> None:
    """A post that says it was changed in the year 2999 is withdrawn when it is told to be."""
    late = {"modified_gmt": "2999-01-01T00:00:00"}
    if by == "webhook":
        assert hooks.wordpress(rest(**late)) == 200
        found = hooks.article("4711")
        assert found is not None
        assert found.updated_at == NOW
    else:
        with hooks.workspace.store() as store:
            key = {"authorization": f"Bearer {store.create_key('CMS', ['publish']).secret}"}
        hooks.client.app.state.service.keyring.refresh()  # type: ignore[attr-defined]
        body = {"title": "The harbor crane", "body": BODY, "updated_at": "2999-01-01T00:00:00Z"}
        assert hooks.client.put("/v1/articles/4711", json=body, headers=key).status_code == 201
    hooks.clock.now += timedelta(hours=1)
    assert hooks.wordpress(rest("trash", **late)) == 200
    found = hooks.article("4711")
    assert found is not None
    assert (found.status, found.updated_at) == ("withdrawn", hooks.clock.now)


def test_only_what_is_signed_is_read(hooks: Hooks) -> None:
    """Without the right signature nothing happens, however the body looks; it is not even parsed."""
    body = json.dumps(rest()).encode()
    good = hmac.new(b"wp", body, hashlib.sha256).hexdigest()
    for headers in (
        {},
        {"x-hub-signature-256": ""},
        {"x-hub-signature-256": "sha256="},
        {"x-hub-signature-256": f"sha1={good}"},
        {"x-hub-signature-256": f"sha256={good[:-1]}"},
        {"x-hub-signature-256": f"sha256={'0' * 64}"},
        {"x-wp-webhook-signature": "=" * 44},
        {"x-other": good},
    ):
        headers["content-type"] = "application/json"
        assert hooks.client.post("/v1/webhooks/wordpress", content=body, headers=headers).status_code == 401
        assert hooks.client.post("/v1/webhooks/wordpress", content=b"{", headers=headers).status_code == 401
        assert hooks.client.post("/v1/webhooks/ghost", content=body, headers=headers).status_code == 401
    assert hooks.wordpress(rest(), signed="other") == 401
    assert hooks.ghost(ghost_post(), signed="other") == 401
    for seconds in (-301, 301, 10**9):
        assert hooks.ghost(ghost_post(), at=NOW + timedelta(seconds=seconds)) == 401
    assert hooks.ghost(ghost_post(), at=NOW - timedelta(seconds=299)) == 200
    assert hooks.revision() == 1
    assert hooks.wordpress(b"{") == 422
    assert hooks.wordpress(b"[" * 100_000) == 422


def test_what_cannot_be_used_is_told(hooks: Hooks) -> None:
    """A published post without a text is refused with the reason, and what is stored stays."""
    hooks.wordpress(rest())
    assert hooks.wordpress(rest(hour=11, content={"rendered": "<img>"})) == 422
    assert hooks.is_shown("4711")


def test_a_script_in_an_address_is_dropped(hooks: Hooks) -> None:
    """An address that no page may hold is left out."""
    assert hooks.wordpress(rest(link="javascript:alert(1)")) == 200
    found = hooks.article("4711")
    assert found is not None
    assert found.url is None


def test_webhooks_are_audited(hooks: Hooks) -> None:
    """Which sender told of which article, and what came of it; what is not signed, or is nothing, leaves none."""
    hooks.wordpress(rest())
    hooks.wordpress(rest(hour=11, content={"rendered": "<img>"}))
    hooks.wordpress(rest(), signed="other")
    hooks.wordpress({"event": "comment_created", "post": rest()})
    hooks.ghost(ghost_post())
    hooks.ghost({"post": {"current": {}, "previous": {"id": "65f0"}}})
    with hooks.workspace.store() as store:
        noted = [(one.name, one.action, one.target, one.outcome, one.key_id) for one in reversed(store.audited())]
    told = (("wordpress", "4711", 200), ("wordpress", None, 422), ("ghost", "65f0", 200), ("ghost", "65f0", 200))
    assert noted == [
        (f"webhook of {sender}", f"POST /v1/webhooks/{sender}", id_, str(status), None) for sender, id_, status in told
    ]


def test_without_a_secret_there_is_nothing(built: Path, tmp_path: Path) -> None:
    """Where no secret is set, the address does not exist, whatever is signed with an empty one."""
    shutil.copytree(built, tmp_path / "site")
    (tmp_path / "site" / "simrec.toml").write_text('[build]\nmodel = "tfidf"\n', encoding="utf-8")
    workspace = Workspace.open(tmp_path / "site")
    with TestClient(create_app(workspace, clock=lambda: NOW), base_url="http://localhost") as client:
        hooks = Hooks(workspace, client, Clock())
        assert hooks.wordpress(rest(), signed="") == 404
        assert hooks.ghost(ghost_post(), signed="") == 404


def test_signatures_as_their_senders_make_them() -> None:
    """Hexadecimal with and without its name, base64, and Ghost's with its moment: each by its own header."""
    body = b'{"a": 1}'
    digest = hmac.new(b"k", body, hashlib.sha256).digest()
    for name, value in [
        ("x-hub-signature-256", f"sha256={digest.hex()}"),
        ("x-hub-signature-256", digest.hex().upper()),
        ("x-wp-webhook-signature", base64.b64encode(digest).decode()),
        ("x-wc-webhook-signature", base64.b64encode(digest).decode()),
    ]:
        assert wordpress_signed({name: value}, body, "k")
        assert not wordpress_signed({name: value}, body + b" ", "k")
        assert not wordpress_signed({name: value}, body, "other")
    now = datetime.fromtimestamp(1732539451.946, UTC)
    stamped = hmac.new(b"k", body + b"1732539451946", hashlib.sha256).hexdigest()
    assert ghost_signed({"x-ghost-signature": f"sha256={stamped}, t=1732539451946"}, body, "k", now)
    assert not ghost_signed({"x-ghost-signature": f"sha256={stamped}, t=1732539451947"}, body, "k", now)
    assert not ghost_signed({"x-ghost-signature": f"sha256={digest.hex()}, t="}, body, "k", now)
