"""Sources by URL, from a server on this machine: fetched within limits, or refused in one line."""

from __future__ import annotations

import gzip
import io
import json
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from simrec.cli.main import main
from simrec.errors import InputError
from simrec.ingest import fetch, read
from simrec.settings import IngestSettings
from simrec.types import Entry, Reject

RSS = b"""<rss version="2.0"><channel>
<item><title>Ferry</title><guid>f-1</guid><description>It sails again.</description></item></channel></rss>"""
ARTICLE = json.dumps({"id": "a", "title": "Ferry", "body": "It sails again."}).encode()
SMALL = IngestSettings(max_record_mb=1)

STOPPED = threading.Event()
"""Set when a test is over: no answer goes on then."""

Answer = Callable[[BaseHTTPRequestHandler], None]


def sent(data: bytes, kind: str = "application/octet-stream", **headers: str) -> Answer:
    """An answer with a body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", headers.pop("length", str(len(data))))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def moved(to: str) -> Answer:
    """A redirect."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """Headers, a byte at a time, that never end."""
    try:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
        while not STOPPED.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()
    except OSError:
        pass


def endless(handler: BaseHTTPRequestHandler) -> None:
    """A body without a length that goes on."""
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(40):
            handler.wfile.write(b" " * 1_000_000)
    except OSError:
        pass


class Site:
    """A server and what it answers by path; `asked` has the paths that were asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                answer = site.answers.get(self.path)
                if answer:
                    answer(self)
                else:
                    self.send_error(404)

            def log_message(self, *unused: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def reads(self, path: str, answer: Answer | None = None) -> list[Entry | Reject]:
        """What the reader finds at a path."""
        if answer:
            self.answers[path] = answer
        return list(read([self.url + path], SMALL))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A running server."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    STOPPED.clear()
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    STOPPED.set()
    for fetching in threading.enumerate():
        if fetching.name == "fetch":
            fetching.join(10)
    site.server.shutdown()
    site.server.server_close()  # waits for its answers
    thread.join()


def zipped() -> bytes:
    """An archive with an article."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.jsonl", ARTICLE)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("path", "answer", "id_"),
    [
        ("/feed/", sent(RSS, "application/rss+xml; charset=utf-8"), "f-1"),
        ("/feed.php?all=1", sent(RSS), "f-1"),
        ("/news.xml", sent(RSS), "f-1"),
        ("/", sent(RSS, "text/xml"), "f-1"),
        ("/api/articles?page=1", sent(b"[" + ARTICLE + b"]", "application/json"), "a"),
        ("/a.jsonl.gz", sent(gzip.compress(ARTICLE)), "a"),
        ("/a.jsonl", sent(gzip.compress(ARTICLE), Content_Encoding="gzip"), "a"),
        ("/all.zip", sent(zipped()), "a"),
        ("/caf%C3%A9.xml", sent(RSS), "f-1"),
    ],
)
def test_what_a_url_leads_to_is_read(site: Site, path: str, answer: Answer, id_: str) -> None:
    """By its content, extension or media type; packed or not. The entry says where it came from."""
    (found,) = site.reads(path, answer)
    assert isinstance(found, Entry), found
    assert found.article.id == id_
    assert found.file.startswith(site.url + path)


def test_the_command_line_takes_a_url(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`simrec ingest https://…`; reading it again changes nothing."""
    site.answers["/feed"] = sent(RSS)
    for counts in ("1 new", "1 unchanged"):
        assert main(["ingest", f"{site.url}/feed", "-w", str(tmp_path / "site")]) == 0
        assert counts in capsys.readouterr().out


def test_a_page_has_the_path_of_its_url(site: Site) -> None:
    """So that other pages' links find it."""
    html = b"<html><body><main><h1>Ferry</h1><p>It sails again on Monday, they say.</p></main></body></html>"
    (found,) = site.reads("/news/ferry.html", sent(html, "text/html"))
    assert isinstance(found, Entry), found
    assert found.article.id == "news/ferry"


def test_five_redirects_are_followed_and_six_are_not(site: Site) -> None:
    """Nor is a circle."""
    for step in range(5):
        site.answers[f"/{step}"] = moved(f"/{step + 1}")
    site.answers["/5"] = sent(RSS)
    (found,) = site.reads("/0")
    assert isinstance(found, Entry)
    site.answers["/start"] = moved("/0")
    with pytest.raises(InputError, match="redirect"):
        site.reads("/start")
    with pytest.raises(InputError, match="redirect"):
        site.reads("/circle", moved("/circle"))


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "gopher://127.0.0.1:9/"])
def test_a_redirect_to_anything_but_the_web_is_refused(site: Site, to: str) -> None:
    """A server cannot make simrec read the user's files."""
    with pytest.raises(InputError, match=r"http or https|[Rr]edirect"):
        site.reads("/x", moved(to))


def test_a_body_that_is_too_long_is_refused(site: Site) -> None:
    """Whatever length it gives; reading stops at the limit."""
    with pytest.raises(InputError, match="longer than 16 MB"):
        site.reads("/x", endless)


def test_a_server_that_is_too_slow_is_given_up(site: Site) -> None:
    """Even where it sends a byte now and then."""
    site.answers["/slow"] = dripping
    began = time.monotonic()
    with pytest.raises(InputError, match=r"longer than 0\.5 seconds"):
        next(fetch.fetched(f"{site.url}/slow", SMALL, seconds=0.5))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("path", "answer", "says"),
    [("/nothing", None, "404"), ("/cut", sent(RSS, length="9999"), "stopped in the middle|IncompleteRead")],
)
def test_a_failed_fetch_is_one_line(site: Site, path: str, answer: Answer | None, says: str) -> None:
    """With the URL, the reason, and what to do."""
    with pytest.raises(InputError, match=says) as raised:
        site.reads(path, answer)
    assert str(raised.value).startswith(site.url + path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["http://", "http:///x", "https://[", "http://a:b/", "http://127.0.0.1:1/", "http://a\nb/"]
)
def test_a_url_that_leads_nowhere_is_one_line(url: str) -> None:
    """A wrong one, and a closed port."""
    with pytest.raises(InputError) as raised:
        list(read([url], SMALL))
    assert "cannot be fetched" in str(raised.value)


def test_no_message_shows_what_a_url_keeps_secret(site: Site) -> None:
    """Neither an error nor the name of what was read, or refused."""
    with pytest.raises(InputError, match=r"http://me:\*\*\*@127.0.0.1:9/feed\?api_key=\*\*\* cannot be fetched"):
        list(read(["http://me:s3cret@127.0.0.1:9/feed?api_key=s3cret"], SMALL))
    (found,) = site.reads("/broken.json?token=s3cret", sent(b"{"))
    assert found.file.endswith("/broken.json?token=***")


@pytest.mark.parametrize("source", ["ftps://127.0.0.1/feed.xml", "feed://127.0.0.1/x"])
def test_other_schemes_are_no_sources(source: str, tmp_path: Path) -> None:
    """They are taken for files, which are not there."""
    with pytest.raises(InputError, match="no file or folder"):
        read([source], SMALL)


def test_nothing_in_a_file_is_fetched(site: Site, tmp_path: Path) -> None:
    """Neither what a feed, a sitemap's index nor a doctype names."""
    texts = {
        "a.xml": f'<!DOCTYPE rss SYSTEM "{site.url}/a.dtd">' + RSS.decode(),
        "b.xml": f"<sitemapindex xmlns='x'><sitemap><loc>{site.url}/b.xml</loc></sitemap></sitemapindex>",
        "c.rss": f'<?xml-stylesheet href="{site.url}/c.xsl"?>' + RSS.decode(),
        "d.rss": f"{site.url}/d.rss",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert list(read([tmp_path / name], SMALL))
    assert site.asked == []


def test_the_fetched_file_goes_again(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """When it was read, and when reading was given up."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    site.reads("/feed", sent(RSS))
    found = read([f"{site.url}/feed"], SMALL)
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []
