"""Who may ask, how much and how; what every answer says, and what none does."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from simrec.errors import StoreError
from simrec.serve.app import create_app
from simrec.serve.limits import Buckets, read_body
from simrec.serve.logs import AccessLog
from simrec.serve.problems import ProblemError
from simrec.serve.security import Admin, Editor, Keyring, Publisher
from simrec.serve.state import Service

from .conftest import NOW, Clock

Served = Callable[..., TestClient]
NEEDED = {
    "content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy", "permissions-policy",
    "cross-origin-opener-policy", "cross-origin-resource-policy", "x-request-id",
}  # fmt: skip
RAISED: dict[str, Exception] = {
    "fault": RuntimeError("secret words"),
    "store": StoreError("/home/site/simrec.db: the disk is full"),
}


@pytest.fixture
def open_to(town: Callable[..., Any], clock: Clock, request: pytest.FixtureRequest) -> Callable[..., TestClient]:
    """A service with routes that change something, each for a scope, and some that fail."""

    def start(settings: str = "") -> TestClient:
        workspace = town(settings)
        app: FastAPI = create_app(workspace, clock=clock, service=Service(workspace, clock=clock))  # without a writer

        @app.put("/v1/try/{id}")
        async def publish(id: str, caller: Publisher) -> dict[str, str]:
            return {"name": caller.name}

        @app.post("/v1/try/edit")
        async def edit(caller: Editor) -> dict[str, str]:
            return {"name": caller.name}

        @app.post("/v1/try/admin")
        async def admin(caller: Admin) -> dict[str, str]:
            return {"name": caller.name}

        @app.post("/v1/try/body")
        async def body(values: dict[str, Any]) -> dict[str, int]:
            return {"size": len(values)}

        @app.get("/v1/try/fail/{kind}")
        async def fail(kind: str) -> None:
            if kind == "slow":
                await asyncio.sleep(60)
            raise RAISED[kind]

        client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
        client.__enter__()
        request.addfinalizer(lambda: client.__exit__(None, None, None))
        return client

    return start


def key_of(client: TestClient, *scopes: str, days: int | None = None) -> str:
    """A new key's Authorization."""
    service: Any = client.app.state.service  # type: ignore[attr-defined]
    name = f"Ada {len(service.store.keys()) or ''}"
    secret = service.store.create_key(name, scopes, days, now=NOW).secret
    service.keyring.refresh()
    return f"Bearer {secret}"


PASSES = {
    "read": (403, 403, 403),
    "publish": (200, 403, 403),
    "edit": (403, 200, 403),
    "admin": (200, 200, 200),
}


@pytest.mark.parametrize("scope", PASSES)
def test_a_key_does_what_its_scope_says_and_no_more(open_to: Served, scope: str) -> None:
    """Publish, edit, admin: each lets do its own; admin all."""
    client = open_to()
    headers = {"authorization": key_of(client, scope)}
    statuses = [
        client.put("/v1/try/x", headers=headers).status_code,
        client.post("/v1/try/edit", headers=headers).status_code,
        client.post("/v1/try/admin", headers=headers).status_code,
    ]
    assert tuple(statuses) == PASSES[scope]


def test_what_is_no_key_opens_nothing(open_to: Served) -> None:
    """No key, another's secret, a cut one, another scheme, a name in its place: 401, with a challenge."""
    client = open_to()
    good, other = key_of(client, "admin"), key_of(client, "read")
    assert client.post("/v1/try/admin", headers={"authorization": good}).status_code == 200
    number = good.split("_")[1]
    wrong = [
        "",
        "Bearer",
        "Bearer x",
        good[:-1],
        f"{good}x",
        good.replace("Bearer", "Basic"),
        "Bearer sr__",
        "Bearer sr_",
    ]
    wrong += [
        good.replace(number, other.split("_")[1]),
        f"Bearer sr_{number}_",
        f"Bearer sr_{number}_' OR 1=1 --",
        "Bearer ü",
    ]
    for said in wrong:
        response = client.post("/v1/try/admin", headers={"authorization": said.encode()})
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer"), said
    assert client.post("/v1/try/admin").status_code == 401


def test_a_key_ends(open_to: Served, clock: Clock) -> None:
    """After its days, and at once where it is revoked."""
    client = open_to()
    service: Any = client.app.state.service  # type: ignore[attr-defined]
    lasting, short = key_of(client, "edit"), key_of(client, "edit", days=1)
    clock.later(days=1)
    assert client.post("/v1/try/edit", headers={"authorization": short}).status_code == 401
    assert client.post("/v1/try/edit", headers={"authorization": lasting}).status_code == 200
    service.store.revoke_key(lasting.split("_")[1])
    service.keyring.refresh()
    assert client.post("/v1/try/edit", headers={"authorization": lasting}).status_code == 401


def test_the_store_holds_no_secret(open_to: Served) -> None:
    """What a key's holder sends is nowhere in the store's file."""
    client = open_to()
    service: Any = client.app.state.service  # type: ignore[attr-defined]
    secret = key_of(client, "admin").split("_", 2)[2]
    files = [path.read_bytes() for path in service.workspace.path.glob("simrec.db*")]
    assert not any(secret.encode() in held for held in files)


def test_a_wrong_secret_of_a_known_key_is_compared_as_that_of_an_unknown_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One comparison of two hashes, whether the key is known, revoked or made up: its time tells nothing."""
    from simrec.serve import security

    compared: list[tuple[int, int]] = []
    monkeypatch.setattr(
        security.hmac,
        "compare_digest",
        lambda a, b: compared.append((len(a), len(b))) or False,  # type: ignore[func-returns-value]
    )
    ring = Keyring(list, lambda: NOW)
    for token in ("sr_abc_secret", "x", "", "sr_abc_" + "y" * 500):
        assert ring.check(token) is None
    assert compared == [(64, 64)] * 4


def test_reading_can_be_keyed(served: Served) -> None:
    """Then nothing is read without a key, also of what is held ready, and no shared cache holds it."""
    client = served('reads = "keyed"')
    headers = {"authorization": key_of(client, "read")}
    address = "/v1/articles/t000/similar"
    for _ in range(2):
        response = client.get(address, headers=headers)
        assert response.status_code == 200
        assert response.headers["cache-control"].startswith("private, ")
        assert response.headers["vary"] == "Authorization"
        for path in (address, "/v1/articles", "/v1/articles/t000", "/v1/similar?ids=t000"):
            assert client.get(path).status_code == 401
        assert client.get(address, headers={"authorization": "Bearer sr_x_y"}).status_code == 401


def test_a_wrong_key_is_refused_where_reading_is_open(served: Served) -> None:
    """Whoever sends a key that opens nothing hears of it, also for what is held ready."""
    client = served()
    for _ in range(2):
        assert client.get("/v1/articles/t000/similar").status_code == 200
        assert client.get("/v1/articles/t000/similar", headers={"authorization": "Bearer sr_x_y"}).status_code == 401


def test_other_hosts_are_not_served(served: Served) -> None:
    """A Host that the settings do not name gets nothing, also of what is held ready; the watchers' routes answer."""
    client = served('hosts = ["news.example", "*.cdn.example"]')
    address = "/v1/articles/t000/similar"
    for _ in range(2):
        for host in ("news.example", "NEWS.example:8443", "a.cdn.example"):
            assert client.get(address, headers={"host": host}).status_code == 200
        for host in ("evil.example", "news.example.evil.example", "cdn.example", "news.example:x", "", "[::1]"):
            assert client.get(address, headers={"host": host}).status_code == 400
    assert client.get("/healthz", headers={"host": "10.0.0.7:8080"}).status_code == 200


CASES: tuple[tuple[str, str, dict[str, Any], int], ...] = (
    ("GET", "/nowhere", {}, 404),
    ("GET", "/v1/articles/none", {}, 404),
    ("GET", "/v1/articles//similar", {}, 404),
    ("PATCH", "/v1/articles/t000", {}, 405),
    ("DELETE", "/healthz", {}, 405),
    ("TRACE", "/v1/articles/t000", {}, 405),
    ("BREW", "/v1/articles", {}, 405),
    ("GET", "/v1/articles?limit=0", {}, 422),
    ("POST", "/v1/try/body", {"content": b"{", "headers": {"content-type": "application/json"}}, 422),
    ("POST", "/v1/try/body", {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 400),
    ("POST", "/v1/try/body", {"content": b"\xff", "headers": {"content-type": "application/json"}}, 400),
    ("POST", "/v1/try/body", {"content": b"[1]", "headers": {"content-type": "application/json"}}, 422),
    ("POST", "/v1/try/body", {"content": b"{}", "headers": {"content-type": "text/plain"}}, 415),
    ("POST", "/v1/try/body", {"content": b"{}"}, 415),
    ("POST", "/v1/try/body", {"content": b"{}", "headers": {"content-type": "application/json; charset=utf-16"}}, 415),
    ("POST", "/v1/try/body", {"data": {"a": "b"}}, 415),
    (
        "POST",
        "/v1/try/body",
        {"content": b"{}", "headers": {"content-type": "application/json", "content-encoding": "gzip"}},
        415,
    ),
    ("POST", "/v1/try/body", {"content": b" " * 5000, "headers": {"content-type": "application/json"}}, 413),
    ("POST", "/v1/try/admin", {}, 401),
    ("GET", "/v1/try/fail/fault", {}, 500),
    ("GET", "/v1/try/fail/store", {}, 503),
    ("GET", "/v1/try/fail/slow", {}, 503),
    ("GET", "/metrics", {}, 401),
)


@pytest.mark.parametrize(("method", "path", "options", "status"), CASES, ids=lambda value: str(value)[:40])
def test_every_error_is_a_problem(
    open_to: Served, method: str, path: str, options: dict[str, Any], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 9457, with the request's number, never a trace, a path or an error's own words; with the headers of all."""
    caplog.set_level(logging.CRITICAL)
    client = open_to("max_body_kb = 4\ntimeout = 0.5")
    if len(options.get("content", b"")) > 50_000:
        client = open_to_again(client)
    response = client.request(method, path, **options)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers.keys() >= NEEDED
    assert response.headers["cache-control"] == "no-store"
    problem = response.json()
    assert problem["status"] == status
    assert problem["request_id"] == response.headers["x-request-id"]
    for secret in ("Traceback", "secret words", "simrec.db", "RuntimeError"):
        assert secret not in response.text
    if status == 405:
        assert "OPTIONS" in response.headers["allow"]
    if status == 503:
        assert response.headers["retry-after"]


def open_to_again(client: TestClient) -> TestClient:
    """The same service, with room for long bodies."""
    client.app.middleware_stack._most = 10**6  # type: ignore[attr-defined]
    return client


def test_a_body_that_comes_in_parts_has_the_same_limit(open_to: Served) -> None:
    """Without a Content-Length, it is stopped where it is too long."""
    client = open_to("max_body_kb = 4")
    headers = {"content-type": "application/json"}
    assert client.post("/v1/try/body", content=iter([b"{", b'"a": 1', b"}"]), headers=headers).json() == {"size": 1}
    response = client.post("/v1/try/body", content=iter([b" " * 1000] * 5), headers=headers)
    assert (response.status_code, response.json()["detail"]) == (413, "a request has at most 4 kB")


@pytest.mark.parametrize("length", [b"-1", b"1e9", b"+5", b"5 5", b"9" * 30])
def test_a_length_that_is_none_is_refused(length: bytes) -> None:
    """Before a byte is read."""

    async def receive() -> Any:
        pytest.fail("it was read")

    with pytest.raises(ProblemError) as error:
        asyncio.run(read_body(receive, {b"content-length": length}, 1000, 1.0))
    assert error.value.status in (400, 413)


def test_a_slow_body_is_given_up() -> None:
    """Bytes that drip in are waited for no longer than the time limit, all together."""

    async def receive() -> Any:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(ProblemError) as error:
        asyncio.run(read_body(receive, {}, 1000, 0.1))
    assert error.value.status == 408


def test_rates_are_limited(open_to: Served) -> None:
    """Changes by one key, or one address; the answer says when to ask again. Reads have a limit of their own."""
    client = open_to("rate = 3")
    headers = {"authorization": key_of(client, "edit")}
    statuses = [client.post("/v1/try/edit", headers=headers).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    last = client.post("/v1/try/edit", headers=headers)
    assert 1 <= int(last.headers["retry-after"]) <= 20
    assert [client.post("/v1/try/edit").status_code for _ in range(4)] == [401, 401, 401, 429]
    assert client.get("/v1/articles/t000/similar").status_code == 200


def test_reads_can_be_limited(served: Served) -> None:
    """Also of what is held ready; whoever watches is let in."""
    client = served("read_rate = 4")
    assert [client.get("/v1/articles/t000/similar").status_code for _ in range(5)] == [200] * 4 + [429]
    assert client.get("/healthz").status_code == 200


def test_buckets_fill_again() -> None:
    """As time goes by, up to the rate; and what is remembered of addresses has an end."""
    now = 0.0
    buckets = Buckets(60, lambda: now)
    assert [buckets.take("a") for _ in range(61)] == [0] * 60 + [1]
    now = 2.0
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 1]
    now = 1000.0
    assert [buckets.take("a") for _ in range(61)] == [0] * 60 + [1]
    from simrec.serve import limits

    for number in range(limits.MOST_BUCKETS + 10):
        buckets.take(str(number))
    assert len(buckets._left) == limits.MOST_BUCKETS


def test_scripts_of_other_origins_may_read_where_that_is_set(served: Served) -> None:
    """Blocks and articles of reading routes, by origin; on both ways; caches keep origins apart; never a change."""
    client = served('origins = ["https://news.example"]')
    address = "/v1/articles/t000/similar"
    for _ in range(2):
        good = client.get(address, headers={"origin": "https://news.example"})
        evil = client.get(address, headers={"origin": "https://evil.example"})
        assert good.headers["access-control-allow-origin"] == "https://news.example"
        assert "access-control-allow-origin" not in evil.headers
        assert good.headers["vary"] == evil.headers["vary"] == client.get(address).headers["vary"] == "Origin"
    asked = {"origin": "https://news.example", "access-control-request-method": "GET"}
    preflight = client.options(address, headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert "access-control-allow-origin" not in client.options(address, headers=asked | {"origin": "null"}).headers
    listing = client.get("/v1/articles", headers={"origin": "https://news.example"})
    assert listing.headers["access-control-allow-origin"] == "https://news.example"


def test_no_origin_may_read_by_script_unless_it_is_set(served: Served) -> None:
    """Without the setting there is no CORS at all; with `*`, all may, and caches need not tell them apart."""
    client = served()
    headers = {"origin": "https://news.example", "access-control-request-method": "GET"}
    for response in (
        client.get("/v1/articles/t000/similar", headers=headers),
        client.options("/v1/articles", headers=headers),
    ):
        assert not [name for name in response.headers if name.startswith("access-control")]


def test_all_origins_may_read_with_a_star(served: Served) -> None:
    """`*` is said to everybody, on both ways."""
    client = served('origins = ["*"]')
    for _ in range(2):
        response = client.get("/v1/articles/t000/similar", headers={"origin": "https://a.example"})
        assert response.headers["access-control-allow-origin"] == "*"
        assert "vary" not in response.headers


@pytest.mark.parametrize("path", ["/v1/articles/t000/similar", "/v1/articles", "/healthz", "/nowhere", "/openapi.json"])
def test_every_answer_is_safe_to_look_at(served: Served, path: str) -> None:
    """No script, no frame, no sniffing, no referrer; nothing of what runs the service."""
    client = served()
    for _ in range(2):
        response = client.get(path)
        assert response.headers.keys() >= NEEDED
        assert "'unsafe-inline'" not in response.headers["content-security-policy"]
        assert "server" not in response.headers
        assert "x-powered-by" not in response.headers


def test_options_names_the_methods(served: Served) -> None:
    """OPTIONS says what there is; where there is nothing, 404."""
    client = served()
    assert client.options("/v1/articles/t000/similar").headers["allow"] == "GET, HEAD, OPTIONS"
    assert client.options("/v1/similar:batch").headers["allow"] == "POST, OPTIONS"
    assert client.options("/nowhere").status_code == 404


def test_changes_are_audited(open_to: Served) -> None:
    """Who, what, on what, what came of it; also what was refused to a key. Reading is not, nor who has no key."""
    client = open_to()
    headers = {"authorization": key_of(client, "publish")}
    client.put("/v1/try/some%20page", headers=headers)
    client.post("/v1/try/admin", headers=headers)
    client.get("/v1/articles/t000", headers=headers)
    client.post("/v1/try/admin")
    found = client.app.state.service.store.audited()  # type: ignore[attr-defined]
    assert [(one.action, one.target, one.outcome, one.name) for one in found] == [
        ("POST /v1/try/admin", None, "403", "Ada"),
        ("PUT /v1/try/{id}", "some page", "200", "Ada"),
    ]
    assert found[0].key_id == headers["authorization"].split("_")[1]
    assert found[0].request_id


def test_failed_attempts_to_sign_in_are_audited(served: Served) -> None:
    """A key that opens nothing leaves a row without anything of it; one that opens the desk, a row with its name."""
    client = served()
    own, wrong = {"origin": "http://localhost"}, "sr_0123456789ab_secret"
    assert client.post("/desk/login", data={"key": wrong}, headers=own).status_code == 401
    good = key_of(client, "edit").removeprefix("Bearer ")
    assert client.post("/desk/login", data={"key": good}, headers=own, follow_redirects=False).status_code == 303
    found = client.app.state.service.store.audited()  # type: ignore[attr-defined]
    assert [(one.action, one.outcome, one.name, one.key_id) for one in found] == [
        ("POST /desk/login", "303", "Ada", good.split("_")[1]),
        ("POST /desk/login", "401", "nobody", None),
    ]
    assert found[0].target is found[1].target is None


def test_the_access_log_is_without_personal_data(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """A JSON line a request: the route's template, never the path, the query, an address or a user agent."""
    client = served()
    service: Any = client.app.state.service  # type: ignore[attr-defined]
    object.__setattr__(service.settings, "access_log", True)
    headers = {
        "user-agent": "Personal/1.0",
        "authorization": key_of(client, "read"),
        "referer": "https://secret.example",
    }
    for _ in range(2):
        client.get("/v1/articles/t000/similar?k=3", headers=headers)
    client.get("/v1/articles/who?x=private", headers={"user-agent": "Personal/1.0"})
    client.get("/some/private/path")
    service._log.flush()
    text = capsys.readouterr().err
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert [(line["route"], line["status"]) for line in lines] == [
        ("/v1/articles/{id}/similar", 200),
        ("/v1/articles/{id}/similar", 200),
        ("/v1/articles/{id}", 404),
        ("unmatched", 404),
    ]
    assert {*lines[0]} == {"time", "method", "route", "status", "ms", "bytes", "request", "key"}
    assert lines[0]["key"] == headers["authorization"].split("_")[1]
    for secret in ("Personal", "t000", "private", "testclient", "secret", headers["authorization"].split("_", 2)[2]):
        assert secret not in text


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Any) -> None:
    """A closed file: lines are lost, requests are not."""
    file = (tmp_path / "log").open("w")
    file.close()
    log = AccessLog(file)
    log.add('GE"T', "/", 200, 0.1, 1, "a", None)
    log.flush()
    assert not log.waits


def test_metrics_are_for_keys(served: Served) -> None:
    """Counted by route, with hits, the blocks' age and how many there are; no path and no id in them."""
    client = served()
    headers = {"authorization": key_of(client, "read")}
    for _ in range(3):
        client.get("/v1/articles/t000/similar")
    client.get("/v1/articles/who")
    client.app.state.service.metrics.settle()  # type: ignore[attr-defined]
    text = client.get("/metrics", headers=headers).text
    for line in (
        'simrec_cache_total{result="hit"} 2.0',
        'simrec_cache_total{result="miss"} 1.0',
        'simrec_request_seconds_count{method="GET",route="/v1/articles/{id}",status="404"} 1.0',
        'simrec_request_seconds_count{method="GET",route="/v1/articles/{id}/similar",status="200"} 3.0',
        "simrec_ready 1.0",
    ):
        assert line in text
    change = {"authorization": key_of(client, "publish")}
    assert client.delete("/v1/articles/t001", headers=change).status_code == 200
    assert client.delete("/v1/articles/nobody", headers=change).status_code == 404
    time.sleep(1.5)
    text = client.get("/metrics", headers=headers).text
    assert 'simrec_publishes_total{kind="withdraw"} 1.0' in text
    assert "simrec_writer 1.0" in text
    assert "simrec_stale_seconds" in text
    assert "t000" not in text
    assert client.get("/metrics").status_code == 401


@pytest.mark.parametrize(("setting", "status"), [("open", 200), ("off", 404)])
def test_metrics_can_be_open_or_off(served: Served, setting: str, status: int) -> None:
    """By setting."""
    assert served(f'metrics = "{setting}"').get("/metrics").status_code == status


def test_ready_is_apart_from_alive(served: Served) -> None:
    """A process that is about to end lives, and is not to be sent to."""
    client = served()
    service: Any = client.app.state.service  # type: ignore[attr-defined]
    assert client.get("/readyz").json()["status"] == "ready"
    service.stopping = True
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").json() == {"status": "alive"}


def test_nobody_is_sent_elsewhere(served: Served) -> None:
    """A slash too many is no redirect: its Location would be made of the Host that was asked for."""
    client = served('hosts = ["*"]')
    for path in ("/v1/articles/", "/healthz/", "/v1/similar/"):
        response = client.get(path, headers={"host": "evil.example"}, follow_redirects=False)
        assert response.status_code == 404
        assert "location" not in response.headers
