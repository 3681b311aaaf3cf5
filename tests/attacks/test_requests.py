"""Requests that say one thing and mean another: two in one, other hosts, other methods, lines and paths."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from .site import PAGE, RECORDS, Site, similar
from .test_wire import BATCH, PROBLEM, status_of


@pytest.mark.attack(
    "request smuggling", "400 for a length and chunks together, two lengths, spaces before colons, broken chunks"
)
@pytest.mark.parametrize(
    "headers",
    ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
     "Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length : 5\r\n", "Transfer-Encoding: xchunked\r\n",
     "Transfer-Encoding : chunked\r\n", "Transfer-Encoding: chunked, identity\r\n", " Transfer-Encoding: chunked\r\n",
     "Content-Length: 5, 5\r\n", "Content-Length: +5\r\n", "Transfer-Encoding:\x0bchunked\r\n"],
)  # fmt: skip
def test_smuggling(site: Site, headers: str) -> None:
    """Where a request ends is never read in two ways: the second request that hides in its body is not answered."""
    inner = "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"
    request = (
        f"POST {BATCH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n0\r\n\r\n{inner}"
    )
    answer = site.raw(request.encode())
    assert status_of(answer) == 400, answer
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.attack("header injection (CR, LF, NUL)", "400, or kept as data: no header of an answer is the sender's")
def test_header_injection(site: Site) -> None:
    """Line ends in ids, parameters, origins, keys and request ids never become lines of an answer."""
    evil = "%0d%0aX-Evil:%201%0d%0a%0d%0a<script>"
    targets = [
        f"/v1/articles/{evil}",
        f"/v1/articles/{evil}/similar",
        f"/v1/articles?cursor={evil}",
        f"/v1/similar?ids={evil}",
    ]
    targets += [f"/{evil}", f"/v1/articles?limit=1&{evil}=1", f"{similar(PAGE)}?format={evil}"]
    for target in targets:
        for method in ("GET", "OPTIONS", "DELETE"):
            answer = site.ask(method, target, key="admin")
            assert "x-evil" not in answer.headers
            assert answer.status in (200, 204, 404, 405, 422), (method, target)
    for line in ("Origin: https://a\rX-Evil: 1", "X-Request-Id: a\nX-Evil: 1", "Authorization: Bearer a\0b"):
        answer_ = site.raw(f"GET /readyz HTTP/1.1\r\nHost: localhost\r\n{line}\r\n\r\n".encode())
        assert b"x-evil" not in answer_.lower()
    mine = site.get("/readyz", headers={"x-request-id": "mine", "origin": "https://evil.example"})
    assert mine.headers["x-request-id"] != "mine"
    assert "access-control-allow-origin" not in mine.headers
    for key in ("a b", "ä", "x" * 300, 'a"b'):
        sent = {"idempotency-key": key.encode().decode("latin-1")}
        body = {name: RECORDS[1][name] for name in ("title", "body")}
        assert (
            site.ask("POST", "/v1/articles:batch", key="publish", body={"articles": [body]}, headers=sent).status == 422
        )


@pytest.mark.attack(
    "another Host", "400, on every route but /healthz and /readyz; X-Forwarded-* and the like are not believed"
)
def test_hosts(site: Site) -> None:
    """A host that is not the service's own gets nothing, and none of its headers is said back."""
    for target in ("/v1/articles", similar(PAGE), "/openapi.json", "/metrics", "/v1/status"):
        for host in ("evil.example", "localhost.evil.example", "evil.example:80@localhost", "localhost\tevil", ""):
            assert (
                status_of(site.raw(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()))
                == 400
            ), (target, host)
        assert status_of(site.raw(f"GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())) == 400
        assert status_of(site.raw(f"GET {target} HTTP/1.0\r\n\r\n".encode())) == 400
    both = b"GET /v1/articles?limit=1 HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
    assert b"evil" not in site.raw(both)
    sent = dict.fromkeys(
        ("x-forwarded-host", "x-forwarded-for", "forwarded", "x-original-url", "x-rewrite-url"), "evil.example"
    )
    plain, other = site.get(f"{similar(PAGE)}?format=html"), site.get(f"{similar(PAGE)}?format=html", headers=sent)
    assert plain.plain() == other.plain()
    absolute = site.raw(b"GET http://evil.example/v1/articles?limit=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"evil" not in absolute


@pytest.mark.attack(
    "path traversal", "404, or an id that there is not: dots, encoded once or twice, backslashes, NUL, drives"
)
def test_paths(site: Site) -> None:
    """No address leads to a file."""
    climbs = [
        "../" * 8,
        "..%2f" * 8,
        "%2e%2e/" * 8,
        "%252e%252e%252f" * 8,
        "..\\" * 8,
        "..%5c" * 8,
        "....//" * 8,
        "%c0%ae%c0%ae/" * 8,
    ]
    for climb in climbs:
        for start in ("/", "/v1/articles/", "/desk/static/", "/static/", "/v1/pages/", "/v1/snapshots/"):
            for name in ("etc/passwd", "simrec.toml", "etc/passwd%00.css", "etc/passwd/similar", "C:/windows/win.ini"):
                line = f"GET {start}{climb}{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                answer = site.raw(line.encode())
                assert status_of(answer) in (303, 400, 401, 404, 405, 422), line
                assert b"root:" not in answer
                assert b"w0rdpress" not in answer


@pytest.mark.attack("methods", "405 with Allow, or 501: TRACE, CONNECT, overrides in headers and parameters")
def test_methods(site: Site) -> None:
    """A method is what the request line says."""
    for method in ("TRACE", "PATCH", "PROPFIND", "CONNECT", "PURGE"):
        target = "localhost:80" if method == "CONNECT" else similar(PAGE)
        answer = site.raw(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert status_of(answer) in (400, 404, 405), answer
    headers = {"x-http-method-override": "DELETE", "x-method-override": "DELETE", "x-http-method": "DELETE"}
    assert site.get(f"/v1/articles/{PAGE}?_method=DELETE", key="admin", headers=headers).status == 200
    assert site.is_up()


@pytest.mark.attack("open redirect", "404: no route of the interface sends anybody anywhere")
def test_redirects(site: Site) -> None:
    """An address with another host in its path is not followed, and a slash too many is not mended."""
    for target in (
        "//evil.example/..",
        "/%2f%2fevil.example",
        "/v1/articles/",
        "//evil.example/v1/articles",
        "/\\evil.example",
        "/v1/acts/",
    ):
        answer = site.get(target, key="admin")
        assert answer.status in (200, 400, 404), target
        assert "location" not in answer.headers, target


@pytest.mark.attack(
    "faults and what they say", "application/problem+json with a number for the log: no trace, path, version or SQL"
)
def test_error_pages(site: Site) -> None:
    """What goes wrong is said in words, and nothing of the program with it."""
    found = [
        site.get("/nothing"),
        site.get("/v1/articles/no-such"),
        site.get(f"{similar(PAGE)}?k=a"),
        site.get("/v1/status"),
    ]
    found += [
        site.ask("PATCH", "/v1/articles"),
        site.ask("POST", BATCH, body=b"{"),
        site.ask("POST", BATCH, body=b"a" * 70000),
    ]
    found += [
        site.get("/v1/snapshots/9999/diff", key="admin"),
        site.ask("PUT", "/v1/articles/a", key="admin", body={"title": 1}),
    ]
    for answer in found:
        assert answer.headers["content-type"] == PROBLEM
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
        said: dict[str, Any] = answer.json()
        assert said["status"] == answer.status >= 400
        assert not any(
            word in answer.text for word in ("Traceback", ".py", "site-packages", "simrec.db", "sqlalchemy", "SELECT")
        )


@pytest.mark.attack("log injection", "one line of JSON a request: templates of routes, never what was sent")
def test_log(site: Site) -> None:
    """Line ends, terminal codes and forged lines in addresses and headers do not reach the log."""
    forged = '%0a{"time":"2030","method":"GET","route":"/forged"}%1b[2J'
    for target in (f"/v1/articles/{forged}", f"/{forged}", f"/v1/articles?cursor={forged}"):
        site.ask("GET", target, headers={"user-agent": "forged-agent", "referer": "http://forged"})
    site.raw(b"FORGED / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    time.sleep(1.2)
    lines = site.log.read_text(encoding="utf-8").splitlines()
    assert sum('"route":' in line for line in lines) > 3
    for line in lines:
        assert "forged" not in line.casefold()
        assert "127.0.0.1" not in line or "serving" in line
        if line.startswith("{"):
            assert {"time", "method", "route", "status", "ms", "bytes", "request", "key"} == set(json.loads(line))
    assert not any(secret in "\n".join(lines) for secret in site.keys.values())
