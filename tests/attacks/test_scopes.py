"""Keys and scopes: what opens what, over every route that there is."""

from __future__ import annotations

import time
from base64 import b64encode

import pytest

from simrec.pipeline.workspace import Workspace

from .site import PAGE, SCOPES, Site, similar

NEEDED: dict[str, str] = {
    "GET /v1/articles": "open",
    "GET /v1/articles/{id}": "open",
    "GET /v1/articles/{id}/similar": "open",
    "GET /v1/similar": "open",
    "POST /v1/similar:batch": "open",
    "GET /healthz": "anybody",
    "GET /readyz": "anybody",
    "GET /metrics": "any key",
    "POST /v1/webhooks/wordpress": "signed",
    "POST /v1/webhooks/ghost": "signed",
    "PUT /v1/articles/{id}": "publish",
    "DELETE /v1/articles/{id}": "publish",
    "POST /v1/articles:batch": "publish",
    "POST /v1/similar": "publish or edit",
    "GET /v1/status": "publish or edit",
    "GET /v1/pages/{id}/acts": "edit",
    "POST /v1/pages/{id}/acts": "edit",
    "GET /v1/acts": "edit",
    "POST /v1/acts/{number}/undo": "edit",
    "GET /v1/articles/{id}/picks": "edit",
    "PUT /v1/articles/{id}/picks": "edit",
    "DELETE /v1/articles/{id}/picks": "edit",
    "GET /v1/snapshots": "edit",
    "GET /v1/snapshots/{number}/diff": "edit",
    "POST /v1/snapshots/{number}/activate": "admin",
    "POST /v1/snapshots:rollback": "admin",
}
"""Every route, and what it needs: a route that is not here has been forgotten."""
MAY: dict[str, frozenset[str]] = {
    "open": frozenset(SCOPES),
    "any key": frozenset(SCOPES),
    "publish": frozenset({"publish", "admin"}),
    "publish or edit": frozenset({"publish", "edit", "admin"}),
    "edit": frozenset({"edit", "admin"}),
    "admin": frozenset({"admin"}),
}
CHANGES = ("POST", "PUT", "DELETE")


def described(site: Site) -> dict[str, dict[str, object]]:
    """The routes of the service, as its OpenAPI has them."""
    paths = site.get("/openapi.json").json()["paths"]
    return {f"{method.upper()} {path}": about for path, at in paths.items() for method, about in at.items()}


def test_no_route_is_forgotten(site: Site) -> None:
    """Each route of the service is in the table above, and each one that needs a key says so in OpenAPI."""
    found = described(site)
    assert set(found) == set(NEEDED)
    keyed = {route for route, about in found.items() if about.get("security")}
    assert keyed == {route for route, need in NEEDED.items() if need in MAY}


@pytest.mark.attack(
    "scope escalation",
    "each route by each scope: without a key 401, with a key that lacks the scope 403, and nothing is done",
)
@pytest.mark.parametrize("route", NEEDED)
@pytest.mark.parametrize("scope", [None, *SCOPES])
def test_scopes(site: Site, strict: Site, route: str, scope: str | None) -> None:
    """A key opens what its scopes say and nothing else, before anything of the request is looked at."""
    method, path = route.split(" ")
    target = path.replace("{id}", "no-such-id").replace("{number}", "987654321")
    need = NEEDED[route]
    body = {} if method in CHANGES else None
    answer = site.ask(method, target, key=scope, body=body)
    if need == "signed":
        assert answer.status == 401
    elif need in ("open", "anybody"):
        assert answer.status not in (401, 403)
    elif scope in MAY[need]:
        assert answer.status in (200, 404, 409, 422), answer.text
    else:
        assert answer.status == (401 if scope is None else 403), answer.text
    if need == "open" and method == "GET":
        keyed = strict.ask(method, target, key=scope)
        assert (keyed.status == 401) is (scope is None)
        assert "public" not in keyed.headers["cache-control"]


def test_refused_changes_change_nothing(site: Site) -> None:
    """A good request of somebody who may not leaves the store as it was."""
    before = site.articles()
    record = {"title": "A quay", "body": "Words of a quay."}
    assert site.ask("PUT", "/v1/articles/quay", key="edit", body=record).status == 403
    assert site.ask("POST", "/v1/articles:batch", key="read", body={"articles": [{**record, "id": "q"}]}).status == 403
    assert site.ask("DELETE", f"/v1/articles/{PAGE}", key="edit").status == 403
    assert site.articles() == before
    assert site.get(similar(PAGE)).status == 200


def broken(token: str, other: str) -> dict[str, str]:
    """Tokens that look like one that is good."""
    prefix, number, secret = token.split("_", 2)
    return {
        "empty": "",
        "no secret": f"{prefix}_{number}_",
        "no id": f"{prefix}__{secret}",
        "cut": token[:-1],
        "longer": f"{token}A",
        "other case": token.swapcase(),
        "other prefix": f"sk_{number}_{secret}",
        "another key's id": f"{prefix}_{other.split('_')[1]}_{secret}",
        "an unknown id": f"{prefix}_000000000000_{secret}",
        "twice": f"{token} {token}",
        "a list": f"{token},{token}",
        "its hash": f"{prefix}_{number}_{'0' * 64}",
        "not of ASCII": f"{prefix}_{number}_ÿÿ",
        "long": f"{prefix}_{number}_{'A' * 8000}",
    }


@pytest.mark.attack("malformed keys", "401: cut, longer, in another case, with another key's id, a wrong prefix, twice")
def test_malformed_keys(site: Site) -> None:
    """A token that is not one to the letter opens nothing, not even what is open to who sends none."""
    for why, token in broken(site.keys["admin"], site.keys["edit"]).items():
        answer = site.get("/v1/status", headers={"authorization": f"Bearer {token}"})
        assert answer.status == 401, why
        assert site.get(similar(PAGE), headers={"authorization": f"Bearer {token}"}).status == 401, why
        assert not token or token not in answer.text


@pytest.mark.attack("a key in another place", "401: in the address, a cookie, Basic authorization, X-Api-Key or a body")
def test_a_key_elsewhere(site: Site) -> None:
    """A key counts in the Authorization header alone, so that none ends in a log of addresses."""
    key = site.keys["admin"]
    basic = b64encode(f"admin:{key}".encode()).decode()
    for headers in (
        {"cookie": f"key={key}; simrec-desk={key}"},
        {"x-api-key": key},
        {"authorization": f"Basic {basic}"},
    ):
        assert site.get("/v1/status", headers=headers).status == 401
    for name in ("key", "token", "access_token", "api_key", "authorization"):
        assert site.get(f"/v1/status?{name}={key}").status == 401
    assert site.ask("POST", "/v1/similar", body={"title": "a", "body": "b", "key": key}).status == 401


@pytest.mark.attack("revoked and expired keys", "401, within a second or two of being revoked, and without a restart")
def test_revoked_and_expired_keys(site: Site) -> None:
    """A key works until it is revoked, or its day is over."""
    from datetime import UTC, datetime, timedelta

    with Workspace.open(site.path).store() as store:
        made = store.create_key("short", ["edit"])
        old = store.create_key("old", ["edit"], 1, now=datetime.now(UTC) - timedelta(days=2))
        _until(site, made.secret, 200)
        assert site.get("/v1/acts", key=old.secret).status == 401
        store.revoke_key(made.id)
    assert _until(site, made.secret, 401) < 5


@pytest.mark.attack(
    "brute force of keys", "429 with Retry-After, counted by address, whatever the keys that were tried"
)
def test_brute_force(strict: Site) -> None:
    """Wrong keys are counted for who sends them, and a good key from the same place still works."""
    found = [strict.ask("POST", "/v1/articles:batch", key=f"sr_{n:012x}_{n}", body={}) for n in range(60)]
    statuses = [answer.status for answer in found]
    assert statuses[0] == 401
    assert statuses.count(429) >= 20
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in found if answer.status == 429)
    assert strict.get("/v1/status", key="edit").status == 200


@pytest.mark.attack(
    "guessing ids of keys by time", "nothing: an unknown id takes as long as a known one with a wrong secret"
)
def test_timing_of_keys(site: Site) -> None:
    """Who measures cannot tell a key's id from one that there is not, however often they ask."""
    known = f"sr_{site.keys['admin'].split('_')[1]}_{'A' * 43}"
    unknown = f"sr_{'0' * 12}_{'A' * 43}"
    assert 0.35 < chance(site, [("/v1/status", known), ("/v1/status", unknown)]) < 0.65


def chance(site: Site, two: list[tuple[str, str | None]], times: int = 250) -> float:
    """How likely the first of two requests takes longer than the second: a half, where time tells nothing."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    taken: list[list[float]] = [[], []]
    for turn in range(times):
        for at in (0, 1) if turn % 2 else (1, 0):
            target, key = two[at]
            start = time.perf_counter()
            connection.request("GET", target, headers={"authorization": f"Bearer {key}"} if key else {})
            connection.getresponse().read()
            taken[at].append(time.perf_counter() - start)
    connection.close()
    return sum(a > b for a in taken[0] for b in taken[1]) / times**2


def _until(site: Site, token: str, status: int) -> float:
    start = time.monotonic()
    while site.get("/v1/snapshots", key=token).status != status:
        assert time.monotonic() - start < 20, f"never {status}"
        time.sleep(0.1)
    return time.monotonic() - start
