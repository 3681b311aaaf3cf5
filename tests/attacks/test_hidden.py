"""What is not published: nothing tells its id from one that there is not."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from .site import HIDDEN, PAGE, RECORDS, UNKNOWN, WORD, Site, similar
from .test_scopes import chance

BY_ID = (
    ("GET", "/v1/articles/{}"),
    ("GET", "/v1/articles/{}/similar"),
    ("GET", "/v1/articles/{}/similar?k=1"),
    ("GET", "/v1/articles/{}/similar?format=html"),
    ("GET", "/v1/articles/{}/similar?format=jsonld"),
    ("GET", "/v1/articles/{}/similar?explain=true"),
    ("GET", f"/v1/articles/{{}}/similar?exclude={PAGE}"),
    ("GET", "/v1/articles/{}/similar?k=1000"),
    ("HEAD", "/v1/articles/{}/similar"),
    ("HEAD", "/v1/articles/{}"),
    ("OPTIONS", "/v1/articles/{}/similar"),
    ("PATCH", "/v1/articles/{}"),
    ("GET", "/v1/articles/{}/picks"),
    ("GET", "/v1/pages/{}/acts"),
    ("PUT", "/v1/articles/{}"),
    ("DELETE", "/v1/articles/{}"),
)
"""All that whoever has an id can do with it."""
CONDITIONS: tuple[dict[str, str], ...] = (
    {},
    {"if-none-match": "*"},
    {"if-none-match": '"a", W/"b"'},
    {"if-modified-since": "Wed, 01 Jan 2020 00:00:00 GMT"},
    {"origin": "https://evil.example", "access-control-request-method": "GET"},
    {"range": "bytes=0-10"},
    {"accept-language": "de", "accept": "text/html"},
)


@pytest.mark.attack(
    "ids of drafts, embargoed, scheduled, withdrawn and expired articles, on every route that takes an id",
    "the answer for an unknown id, byte for byte: 404, the same words and headers, by GET, HEAD, conditions and CORS",
)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("key", [None, "read"])
def test_ids(site: Site, hidden: str, key: str | None) -> None:
    """Guessed right or wrong, an id gets the same answer."""
    for method, target in BY_ID:
        for headers in CONDITIONS:
            one, other = (site.ask(method, target.format(id_), headers=headers, key=key) for id_ in (hidden, UNKNOWN))
            assert one.plain() == other.plain(), (method, target, headers)
            assert one.status not in (200, 304), (method, target)


@pytest.mark.attack(
    "unpublished articles in lists and blocks",
    "in none: all blocks in all formats, with reasons, and the list of articles",
)
def test_lists(site: Site) -> None:
    """Neither their ids nor the word that stands in them alone is in anything that readers can get."""
    pages = [one["id"] for one in site.get("/v1/articles?limit=500").json()["articles"]]
    assert pages
    assert not {*pages} - {record["id"] for record in RECORDS}, "another test has left an article behind"
    queries = ("k=100", "k=100&explain=true", "format=html&k=100", "format=jsonld&k=100")
    targets = [f"{similar(page)}?{query}" for page in pages[:12] for query in queries]
    targets += ["/v1/articles?limit=1", "/v1/articles?limit=500", "/openapi.json", "/readyz", "/healthz"]
    targets += ["/v1/similar?explain=true&k=100&" + "&".join(f"ids={quote(page)}" for page in pages[:50])]
    for target in targets:
        answer = site.get(target)
        assert answer.status == 200, target
        said = answer.text + str(answer.headers)
        assert not any(word in said for word in (WORD, *HIDDEN)), target


@pytest.mark.attack(
    "unpublished ids in a batch, in exclude and as a cursor",
    "as unknown ids: missing, without effect, and a place in a list",
)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_lists_of_ids(site: Site, hidden: str) -> None:
    """Where several ids are taken, an unpublished one changes what an unknown one would."""

    def batch(id_: str) -> list[object]:
        found = [site.get(f"/v1/similar?ids={PAGE}&ids={id_}"), site.get(f"/v1/similar?ids={PAGE}&exclude={id_}")]
        found.append(site.ask("POST", "/v1/similar:batch", body={"ids": [PAGE, id_], "exclude": [id_]}))
        found.append(site.get(f"{similar(PAGE)}?exclude={id_}&explain=true"))
        return [(one.plain()[0], one.text.replace(id_, "ID")) for one in found]

    assert batch(hidden) == batch(UNKNOWN)
    cursors = [id_.encode().hex() for id_ in (hidden, f"{hidden}-")]
    first, second = (site.get(f"/v1/articles?cursor={cursor}&limit=3") for cursor in cursors)
    assert (first.status, first.json()) == (200, second.json())


@pytest.mark.attack(
    "unpublished ids by a text of one's own", "not among the items, not as a copy of; needs a key besides"
)
@pytest.mark.parametrize("scope", ["publish", "edit"])
def test_by_a_draft(site: Site, scope: str) -> None:
    """A text that is word for word that of a draft finds what readers may see, whatever it says that it copies."""
    body = {name: RECORDS[0][name] for name in ("title", "body")}
    found = []
    for id_ in (*HIDDEN, UNKNOWN):
        text = {**body, "body": f"{body['body']} {WORD} draft"}
        answer = site.ask(
            "POST", "/v1/similar", key=scope, body={**text, "canonical_id": id_, "k": 100, "explain": True}
        )
        assert answer.status == 200, answer.text
        assert not any(hidden in answer.text for hidden in HIDDEN)
        assert f"/{WORD}/" not in answer.text
        found.append(answer.json())
    assert all(one == found[-1] for one in found)


@pytest.mark.attack(
    "unpublished ids by reasons and by what publishing changed",
    "neither the id of a scheduled copy among the reasons, nor a hidden page among the blocks that were made again",
)
def test_by_publishing(site: Site) -> None:
    """A text that is like a page which hidden copies wait to replace, tried out, published and taken out again."""
    text = {"title": "What else is known", "body": f"{RECORDS[0]['body'][:700]} {RECORDS[1]['body']}", "lang": "en"}
    tried = site.ask("POST", "/v1/similar", key="publish", body={**text, "k": 100, "explain": True})
    assert PAGE in [item["id"] for item in tried.json()["items"]]
    published = site.ask("PUT", "/v1/articles/like-hidden", key="publish", body=text)
    again = site.ask("PUT", "/v1/articles/like-hidden", key="publish", body={**text, "title": RECORDS[0]["title"]})
    gone = site.ask("DELETE", "/v1/articles/like-hidden", key="publish")
    assert "like-hidden" in published.json()["blocks"]
    assert "like-hidden" in gone.json()["articles"]
    for answer in (tried, published, again, gone):
        assert answer.status in (200, 201), answer.text
        assert not any(hidden in answer.text for hidden in HIDDEN)


@pytest.mark.attack(
    "unpublished ids by the time of an answer", "nothing: as likely quicker as slower than an unknown id"
)
@pytest.mark.parametrize("target", ["/v1/articles/{}", "/v1/articles/{}/similar", "/v1/similar?ids={}"])
def test_by_time(site: Site, target: str) -> None:
    """Who measures cannot tell a draft from nothing."""
    assert 0.35 < chance(site, [(target.format("hidden-draft"), None), (target.format(UNKNOWN), None)]) < 0.65


@pytest.mark.attack("unpublished figures", "401: counts of articles are in /metrics and /v1/status, for who has a key")
def test_figures(site: Site) -> None:
    """How many articles there are that nobody may see yet is not said to anybody."""
    assert site.get("/metrics").status == 401
    assert site.get("/v1/status").status == 401
    assert site.get("/v1/status", key="read").status == 403
