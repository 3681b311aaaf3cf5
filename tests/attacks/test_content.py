"""What texts hold: scripts that must not run, and SQL that must not be read as such."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest

from .site import PAGE, RECORDS, Answer, Site, similar

SCRIPTS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title></script><script>alert(1)</script>",
    "{{7*7}}{% include '/etc/passwd' %}${7*7}",
    "<!--<script>",
    "]]><script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\u2028\u2029\u202e<scr\u0000ipt>alert(1)</scr\u0000ipt>".replace("\u0000", ""),
    "javascript:alert(1)",
)
LINKS = (
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    " javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "//evil.example/\"onmouseover='alert(1)'",
    'https://news.example/"><script>alert(1)</script>',
    "https://user:password@evil.example/",
    "file:///etc/passwd",
)
SQL = (
    "'; DROP TABLE articles; --",
    '"; DROP TABLE articles; --',
    "' OR '1'='1",
    "') OR 1=1 --",
    "1; SELECT pg_sleep(20)",
    "' UNION SELECT hash FROM keys --",
    "' || (SELECT hash FROM keys LIMIT 1) || '",
    "%' ESCAPE '\\",
    ":id",
    "%s %(id)s ?1 $1 @id",
    "\\'; DELETE FROM keys; --",
)
LINKING = ("href", "src", "srcset", "action", "data", "poster", "background", "xlink:href")


class Danger(HTMLParser):
    """Finds what would run in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element that runs, an attribute that does, or an address that is a script."""
        if tag in ("script", "iframe", "object", "embed", "base", "form", "svg", "style", "link", "meta"):
            kind = dict(attrs).get("type")
            if not (tag == "script" and kind == "application/ld+json"):
                self.found.append(tag)
        for name, value in attrs:
            plain = "".join(value.split()).casefold() if value else ""
            if name.startswith("on") or name in ("srcdoc", "formaction"):
                self.found.append(f"{tag} {name}")
            elif name in LINKING and plain.startswith(("javascript:", "data:", "vbscript:", "file:")):
                self.found.append(f"{tag} {name}={value}")


def dangers(html: str) -> list[str]:
    """What would run in a page."""
    parser = Danger()
    parser.feed(html)
    parser.close()
    return parser.found


def record(text: str, link: str | None = None) -> dict[str, Any]:
    """The first article of the newsroom with a text in each field of it."""
    values: dict[str, Any] = {
        "title": f"{RECORDS[0]['title']} {text}",
        "body": f"{text}\n\n{RECORDS[0]['body']}\n\n{text}",
    }
    values |= {"tags": [text, "a"], "authors": [text], "section": text, "image_alt": text, "mood": {text: [text]}}
    return values | ({"url": link, "image": link} if link else {"url": "/evil", "image": "/evil.png"})


@pytest.fixture
def put(site: Site) -> Iterator[Any]:
    """Publishes an article, which is taken out afterwards."""

    def send(body: dict[str, Any], id_: str = "evil") -> Answer:
        return site.ask("PUT", f"/v1/articles/{quote(id_, safe='')}", key="publish", body=body)

    yield send
    site.ask("DELETE", "/v1/articles/evil", key="publish")


def shown(site: Site, made: Answer) -> list[Answer]:
    """All that readers get of the evil article: itself, and the blocks that it stands in."""
    targets = ["/v1/articles/evil", "/v1/articles?limit=500"]
    pages = [page for page in made.json()["blocks"] if "evil" in site.get(similar(page)).text]
    assert pages
    for query in ("k=100&explain=true", "k=100&format=html", "k=100&format=jsonld"):
        targets += [f"{similar(page)}?{query}" for page in ("evil", *pages)]
    return [site.get(target) for target in targets]


@pytest.mark.attack(
    "script in title, body, tags, authors, section, alternative text and unknown fields",
    "text: escaped in HTML and JSON-LD, plain in JSON, with nosniff and a policy that runs no script",
)
@pytest.mark.parametrize("text", SCRIPTS)
def test_scripts(site: Site, put: Any, text: str) -> None:
    """Nothing that an article says runs in a page that shows it."""
    answer = put(record(text))
    assert answer.status in (200, 201), answer.text
    for found in shown(site, answer):
        assert found.status == 200
        assert found.headers["x-content-type-options"] == "nosniff"
        assert "script-src" not in found.headers["content-security-policy"]
        assert "default-src 'none'" in found.headers["content-security-policy"]
        kind = found.headers["content-type"].partition(";")[0]
        if kind == "text/html":
            assert not dangers(found.text)
            assert "49" not in found.text.partition(RECORDS[0]["title"])[2][:40]
        elif kind == "application/ld+json":
            assert "<" not in found.text.replace("\\u003c", "")
            json.loads(found.text)
        else:
            assert kind == "application/json"


@pytest.mark.attack(
    "script in URL and image", "422 for all but http, https and paths of the site; what is left is escaped"
)
@pytest.mark.parametrize("link", LINKS)
def test_links(site: Site, put: Any, link: str) -> None:
    """An address that is no link of the web is refused, and no other one leaves its attribute."""
    answer = put(record("plain", link))
    if answer.status == 422:
        assert "http or https" in answer.text
        return
    assert answer.status in (200, 201)
    assert link.startswith(("https:", "//"))
    for found in shown(site, answer):
        if "html" in found.headers["content-type"]:
            assert not dangers(found.text)


@pytest.mark.attack("script in a body of HTML", "its text alone is kept: no element, no comment, no style, no script")
def test_body_html(site: Site, put: Any) -> None:
    """A body that comes as HTML is read, and its markup is not kept."""
    html = (
        "<p>Words.</p><script>alert('qzig')</script><style>qzag{}</style><!-- qzog --><img src=x onerror=alert('qzug')>"
    )
    answer = put({"title": RECORDS[0]["title"], "body_html": html + "<p>" + RECORDS[0]["body"] + "</p>"})
    assert answer.status in (200, 201)
    for found in shown(site, answer):
        assert not any(word in found.text for word in ("qzig", "qzag", "qzog", "qzug"))


@pytest.mark.attack("script in ids and parameters", "said back as JSON with nosniff, or not at all; never as HTML")
@pytest.mark.parametrize("text", SCRIPTS)
def test_scripts_in_addresses(site: Site, text: str) -> None:
    """What an address says is never part of a page."""
    encoded = quote(text, safe="")
    targets = [f"/v1/articles/{encoded}", similar(text), f"/v1/similar?ids={encoded}", f"/v1/articles?cursor={encoded}"]
    targets += [f"{similar(PAGE)}?exclude={encoded}&format=html", f"/{encoded}", f"{similar(PAGE)}?{encoded}=1"]
    for target in targets:
        answer = site.get(target)
        if "html" in answer.headers["content-type"]:
            assert not dangers(answer.text)
        else:
            assert "json" in answer.headers["content-type"]
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.attack(
    "SQL in every field and parameter, on SQLite and PostgreSQL",
    "data: found nowhere, stored as it is, or 422; no table is touched, no error of a database is said, nothing waits",
)
@pytest.mark.parametrize("text", SQL)
def test_sql(each: Site, text: str) -> None:
    """No text is ever a part of a statement."""
    before, start = each.articles(), time.monotonic()
    answers = [
        sent
        for method, target, body in sql_requests(text)
        for sent in [each.ask(method, target, key="admin", body=body)]
    ]
    answers.append(each.get("/v1/status", key=text))
    answers.append(
        each.ask("POST", "/v1/articles:batch", key="admin", body={"articles": [{}]}, headers={"idempotency-key": text})
    )
    for answer in answers:
        assert answer.status < 500, answer.text
        said = answer.text.replace(json.dumps(text)[1:-1], "").casefold()
        assert not any(
            word in said for word in ("sqlite", "syntax error", "psycopg", "pg8000", "sqlalchemy", "operationalerror")
        )
    assert time.monotonic() - start < 15
    assert each.articles() == before
    made = each.ask("PUT", "/v1/articles/sql", key="publish", body=record(text) | {"id": "sql", "url": "/sql"})
    assert made.status in (200, 201), made.text
    assert each.get("/v1/articles/sql").json()["title"].endswith(text.strip())
    assert each.ask("DELETE", "/v1/articles/sql", key="publish").status == 200
    assert each.articles() == before + (1 if made.status == 201 else 0)


def sql_requests(text: str) -> list[tuple[str, str, Any]]:
    """A text in each place of each route that takes one; none of them changes anything that there is."""
    encoded = quote(text, safe="")
    found: list[tuple[str, str, Any]] = [
        ("GET", f"/v1/{path}", None)
        for path in (
            f"articles/{encoded}", f"articles/{encoded}/similar", f"similar?ids={encoded}",
            f"articles?cursor={encoded}",
            f"articles?limit={encoded}", f"articles/{PAGE}/similar?exclude={encoded}&k=3",
            f"articles/{PAGE}/similar?format={encoded}",
            f"articles/{encoded}/picks", f"pages/{encoded}/acts", f"acts?source_id={encoded}", f"acts?who={encoded}",
            f"acts?before={encoded}", f"acts?limit={encoded}", f"snapshots/{encoded}/diff",
            f"snapshots/1/diff?against={encoded}", f"snapshots?before={encoded}",
        )
    ]  # fmt: skip
    acts: list[dict[str, Any]] = [
        {"action": "pin", "target_id": text, "note": text},
        {"action": text, "target_id": PAGE},
        {"action": "order", "targets": [text, text]},
        {"action": "ban", "target_id": PAGE, "version": text},
    ]
    found += [("POST", f"/v1/pages/{at}/acts", act) for at in (encoded, PAGE) for act in acts]
    found += [("POST", f"/v1/acts/{encoded}/undo", None), ("POST", f"/v1/snapshots/{encoded}/activate", None)]
    found += [("PUT", f"/v1/articles/{encoded}/picks", {"target_id": text, "note": text})]
    found += [("DELETE", f"/v1/articles/{at}/picks?target_id={encoded}", None) for at in (encoded, PAGE)]
    found += [
        ("DELETE", f"/v1/articles/{encoded}", None),
        ("POST", "/v1/similar:batch", {"ids": [text], "exclude": [text]}),
    ]
    found += [("POST", "/v1/similar", record(text) | {"id": text, "canonical_id": text, "lang": "en"})]
    return found
