"""Requests as no client sends them: too long, too deep, too slow, of kinds that are not read."""

from __future__ import annotations

import gzip
import json
import socket
import time

import pytest

from .site import PAGE, Site, read_all, similar

BATCH = "/v1/similar:batch"
PUT = "PUT /v1/articles/quay HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
PROBLEM = "application/problem+json"


def status_of(answer: bytes) -> int:
    """The status of the first response in what came back."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def key_line(site: Site) -> str:
    """The header that sends the key that may publish."""
    return f"Authorization: Bearer {site.keys['publish']}\r\n"


@pytest.mark.attack(
    "oversized bodies", "413 before they are read, by Content-Length or in chunks, with a key or without"
)
@pytest.mark.parametrize("key", [None, "publish"])
def test_oversized_bodies(site: Site, key: str | None) -> None:
    """What is longer than the setting is refused at its first byte too many; a length that is none is, too."""
    before = site.articles()
    long = json.dumps({"title": "a", "body": "word " * 20000}).encode()
    answer = site.ask("PUT", "/v1/articles/quay", key=key, body=long)
    assert (answer.status, answer.headers["content-type"]) == (413, PROBLEM)
    with site.connect() as connection:
        auth = key_line(site) if key else ""
        connection.sendall(f"{PUT}{auth}Transfer-Encoding: chunked\r\n\r\n".encode())
        sent = 0
        try:
            while sent < 50_000_000:
                connection.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")
                sent += 4096
        except ConnectionError:
            pass
        assert sent < 5_000_000
    for length in ("99999999999999999999999999", "-1", "1e3", "0x10", "65537"):
        found = status_of(site.raw(f"{PUT}Content-Length: {length}\r\n\r\n".encode()))
        assert found in (400, 413), length
    assert site.articles() == before


@pytest.mark.attack(
    "deep, broken and strange JSON", "400 or 422, and never 500: nested, cut, NaN, huge numbers, NUL, half characters"
)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60000, b'{"a":' * 10000, b'{"title": "a", "body": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b"{", b"", b"null", b"[]", b'"a"', b"\xff\xfe", b"\xef\xbb\xbf{}", b'{"title": NaN, "body": Infinity}',
        b'{"title": "a", "body": "b", "n": ' + b"9" * 50000 + b"}", b'{"title": "a\\u0000", "body": "b\\u0000"}',
        b'{"title": "\\ud800", "body": "\\udfff"}', b'{"title": {"a": 1}, "body": [1]}',
        b'{"title": "a", "title": 1, "body": true}', b'{"id": 1e400, "title": "a", "body": "b"}',
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)  # fmt: skip
def test_strange_json(site: Site, body: bytes) -> None:
    """Whatever a body holds, the answer says that it cannot be used, or it is used; the service stays."""
    for method, target in (("PUT", "/v1/articles/strange"), ("POST", BATCH), ("POST", "/v1/pages/strange/acts")):
        answer = site.ask(method, target, key="admin", body=body)
        assert answer.status in (200, 201, 400, 404, 415, 422), (method, target, answer.text)
        assert len(answer.body) < 20_000
    if site.get("/v1/articles/strange").status == 200:
        site.ask("DELETE", "/v1/articles/strange", key="admin")
    assert site.is_up()


@pytest.mark.attack("zip bombs", "415: a body with a Content-Encoding is not unpacked, whatever it is packed with")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"])
def test_zip_bombs(site: Site, coding: str) -> None:
    """A packed body is refused before it is looked at."""
    bomb = gzip.compress(b" " * 20_000_000)
    answer = site.ask("PUT", "/v1/articles/quay", key="publish", body=bomb, headers={"content-encoding": coding})
    assert answer.status == 415


@pytest.mark.attack(
    "content types", "415 for all but application/json in UTF-8: text/plain, forms, XML, other character sets"
)
@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "text/xml", "",
     "application/jsonp", "application/json; charset=utf-16", "application/json, text/plain", "application/xml"],
)  # fmt: skip
def test_content_types(site: Site, kind: str) -> None:
    """A page of another site can send none that is taken without being asked first."""
    body = json.dumps({"title": "a", "body": "b"}).encode()
    for target in ("/v1/articles/quay", "/v1/webhooks/ghost"):
        method = "PUT" if "articles" in target else "POST"
        assert site.ask(method, target, key="publish", body=body, headers={"content-type": kind}).status == 415


@pytest.mark.attack("huge headers", "400, and the connection ends, after 64 kB of them; many small ones as well")
@pytest.mark.parametrize("line", [b"X: " + b"a" * 8000 + b"\r\n", b"X: a\r\n"])
def test_huge_headers(site: Site, line: bytes) -> None:
    """Headers without an end fill no memory."""
    with site.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        sent = 0
        try:
            while sent < 20_000_000:
                connection.sendall(line * 100)
                sent += 100 * len(line)
        except ConnectionError:
            pass
        assert sent < 5_000_000
    answer = site.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + line * (70_000 // len(line)))
    assert status_of(answer) in (400, 0)  # 0: reset, as more was on its way
    assert site.is_up()


@pytest.mark.attack("10,000 parameters", "422 with a short answer, or 404; no second is lost")
def test_many_parameters(site: Site) -> None:
    """Many parameters, known or not, are refused quickly, and what was sent is not said back at length."""
    start = time.monotonic()
    targets = ["/v1/articles?" + "&".join(f"p{n}=1" for n in range(5000))]
    targets += [similar(PAGE) + "?" + "&".join(["exclude=a"] * 5000), "/v1/similar?" + "&".join(["ids=a"] * 8000)]
    targets += [
        similar(PAGE) + "?k=" + "9" * 50000,
        "/v1/articles/" + "a" * 60000,
        "/v1/articles?cursor=" + "A" * 50000,
    ]
    for target in targets:
        answer = site.get(target)
        assert answer.status in (404, 422), target[:60]
        assert len(answer.body) < 500_000
    assert time.monotonic() - start < 10
    assert site.is_up()


@pytest.mark.attack("slow bodies", "408 and the end of the connection, when the time for a request is over")
def test_slow_bodies(strict: Site) -> None:
    """A body a byte at a time holds a connection no longer than the setting says, and readers see nothing of it."""
    with strict.connect() as connection:
        connection.sendall(f"{PUT}{key_line(strict)}Content-Length: 1000\r\n\r\n".encode())
        start = time.monotonic()
        drip(connection, b" ", 15)
        assert 1.5 < time.monotonic() - start < 8
        assert status_of(read_all(connection, 1)) in (408, 0)
    assert strict.get(similar(PAGE), key="read").status == 200


@pytest.mark.attack(
    "slow headers (slowloris)", "the end of the connection after 15 seconds; others are answered meanwhile"
)
@pytest.mark.slow
def test_slow_headers(site: Site) -> None:
    """Two hundred connections that send a byte now and then, or nothing, are all closed; readers are served."""
    many = [site.connect() for _ in range(200)]
    for number, connection in enumerate(many):
        if number % 2:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
    start = time.monotonic()
    assert site.is_up()
    assert time.monotonic() - start < 2
    while time.monotonic() - start < 14:
        for connection in many[1::2]:
            connection.sendall(b"a")
        time.sleep(1)
    for connection in many:
        answer = read_all(connection, 8)
        assert not answer
        connection.close()
    assert time.monotonic() - start < 30


@pytest.mark.attack(
    "a body behind a GET, a byte at a time", "the answer at once, and the end of the connection after 15 seconds"
)
@pytest.mark.slow
def test_slow_rest(site: Site) -> None:
    """What is sent behind a request that has its answer holds no connection."""
    with site.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n")
        start = time.monotonic()
        drip(connection, b" ", 30)
        assert time.monotonic() - start < 25


def drip(connection: socket.socket, data: bytes, seconds: float) -> None:
    """Sends a byte now and then, until the other side has enough."""
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            connection.sendall(data)
            time.sleep(0.25)
    except OSError:
        pass
