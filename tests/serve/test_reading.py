"""Blocks and articles over HTTP: what readers, pages and caches get."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from simrec.pipeline.render import render
from simrec.pipeline.workspace import Workspace
from simrec.serve.seen import pack
from simrec.store import StoredBlock

from .conftest import NOW, ODD, Clock

Served = Callable[..., TestClient]


def block(client: TestClient, id_: str, **params: Any) -> Any:
    """A block's JSON; fails where there is none."""
    response = client.get(f"/v1/articles/{quote(id_, safe='')}/similar", params=params)
    assert response.status_code == 200, response.text
    return response.json()


def test_html_is_what_render_writes(served: Served, tmp_path: Any) -> None:
    """The same bytes as `simrec render`, for every page that readers may see."""
    client = served()
    workspace: Workspace = client.app.state.service.workspace  # type: ignore[attr-defined]
    render(workspace, tmp_path / "out", now=NOW)
    for number in range(40):
        response = client.get(f"/v1/articles/t{number:03}/similar?format=html")
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert response.text == (tmp_path / "out" / f"t{number:03}.html").read_text(encoding="utf-8")


def test_json_holds_what_a_page_needs(served: Served) -> None:
    """As many items as built, best first, each with title, URL, reason; the score's reasons only where asked for."""
    client = served()
    plain, told = block(client, "t000"), block(client, "t000", explain=True, k=2)
    assert len(plain["items"]) == 5
    scores = [item["score"] for item in plain["items"]]
    assert scores == sorted(scores, reverse=True)
    assert {"id", "title", "url", "reason", "excerpt"} <= plain["items"][0].keys()
    assert "reasons" not in plain["items"][0]
    assert len(told["items"]) == 2
    assert told["items"][0]["reasons"]["terms"]
    assert plain["heading"] == "Similar articles"


def test_empty_blocks_are_counted(served: Served) -> None:
    """By every route that gives blocks, made now or held ready."""
    client = served()
    service: Any = client.app.state.service  # type: ignore[attr-defined]
    service.shown.seen.packed["t000"] = pack(StoredBlock("t000", (), "0 of 5"))
    for _ in range(2):
        assert block(client, "t000")["items"] == []
        assert len(client.get("/v1/similar?ids=t000&ids=t001").json()["blocks"]) == 2
        assert len(client.post("/v1/similar:batch", json={"ids": ["t000", "t001"]}).json()["blocks"]) == 2
    registry = service.metrics.text(service.shown, service.clock).decode()
    assert "simrec_empty_blocks_total 6.0" in registry


def test_jsonld_is_a_graph(served: Served) -> None:
    """The format jsonld comes with its own media type."""
    response = served().get("/v1/articles/t000/similar?format=jsonld")
    assert response.headers["content-type"] == "application/ld+json"
    assert response.json()["@context"] == "https://schema.org"


def test_excluded_ids_leave_and_others_move_up(served: Served) -> None:
    """`exclude` takes items out before the cut, as often as it is given."""
    client = served()
    first, second, third, *_ = [item["id"] for item in block(client, "t000")["items"]]
    found = block(client, "t000", exclude=[first, third])
    ids = [item["id"] for item in found["items"]]
    assert ids[0] == second
    assert first not in ids
    assert third not in ids
    assert len(ids) == 5


@pytest.mark.parametrize("id_", ODD)
def test_odd_ids_are_found_when_percent_encoded(served: Served, id_: str) -> None:
    """Slashes, dots, signs and other scripts: each id can be asked for, alone and in a batch, and as an article."""
    client = served()
    if id_ != "..":  # clients take that for a way up, however it is written: it can be asked for in a batch
        assert block(client, id_)["id"] == id_
        assert client.get(f"/v1/articles/{quote(id_, safe='')}").json()["id"] == id_
    batch = client.get("/v1/similar", params={"ids": [id_]})
    assert [one["id"] for one in batch.json()["blocks"]] == [id_]


def test_slashes_may_stand_in_an_address_as_they_are(served: Served) -> None:
    """As a proxy that decodes addresses passes them on; an id that ends like a route has to be encoded."""
    client = served()
    assert client.get("/v1/articles/news/2024/a.html/similar").json()["id"] == "news/2024/a.html"
    assert client.get("/v1/articles/news/2024/a.html").json()["id"] == "news/2024/a.html"
    assert client.get("/v1/articles/a/similar").status_code == 404
    assert client.get("/v1/articles/a/similar/similar").json()["id"] == "a/similar"


@pytest.mark.parametrize("path", ["%FF", "%ED%A0%80", "t000%00", "x" * 5000, "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/"])
def test_ids_that_cannot_be_are_not_found(served: Served, path: str) -> None:
    """Bytes that are no UTF-8, NUL, too long, or a way out of the folder: 404 in the words of any other."""
    response = served().get(f"/v1/articles/{path}/similar")
    assert (response.status_code, response.json()["detail"]) == (404, "there is no such article")


def test_a_second_request_gets_304(served: Served) -> None:
    """With the ETag of the first, on both ways through the service; also in a list, weak, or as `*`."""
    client = served()
    for address in ("/v1/articles/t000/similar", "/v1/similar?ids=t000"):
        for _ in range(2):
            etag = client.get(address).headers["etag"]
            for said in (etag, f"W/{etag}", f'"other", {etag}', "*"):
                response = client.get(address, headers={"if-none-match": said})
                assert (response.status_code, response.content) == (304, b"")
                assert response.headers["etag"] == etag
                assert "max-age" in response.headers["cache-control"]
            assert client.get(address, headers={"if-none-match": '"other"'}).status_code == 200


def test_formats_and_sizes_have_etags_of_their_own(served: Served) -> None:
    """An ETag is strong: other bytes, another one."""
    client = served()
    queries = ("", "?k=3", "?format=html", "?format=jsonld", "?explain=true")
    tags = {client.get(f"/v1/articles/t000/similar{query}").headers["etag"] for query in queries}
    assert len(tags) == len(queries)


def test_caches_may_hold_a_block(served: Served) -> None:
    """For as long as the settings say, and show it while they ask anew."""
    client = served("max_age = 30\nstale = 90")
    for _ in range(2):
        response = client.get("/v1/articles/t000/similar")
        assert response.headers["cache-control"] == ("public, max-age=30, stale-while-revalidate=90, stale-if-error=90")
        assert response.headers["last-modified"].endswith("GMT")
        assert "vary" not in response.headers


def test_no_cache_holds_a_block_beyond_its_moment(served: Served, clock: Clock) -> None:
    """An article expires in 30 seconds: its page's time in caches ends there, and after it the page is gone."""
    client = served("max_age = 60")
    address = "/v1/articles/ending/similar"
    for seconds, left in ((0, 30), (0, 30), (20, 10)):
        clock.later(seconds=seconds)
        said = client.get(address).headers["cache-control"]
        assert said == f"public, max-age={left}, stale-while-revalidate=0, stale-if-error=0"
    clock.later(seconds=10)
    assert client.get(address).status_code == 404


def test_a_block_changes_at_the_moment_of_an_item(served: Served, clock: Clock) -> None:
    """What expires leaves the blocks that it stands in, though their bytes were held ready; what opens comes."""
    client = served()
    ids = [f"t{number:03}" for number in range(40)]
    before = {id_: [item["id"] for item in block(client, id_)["items"]] for id_ in ids}
    pages = [id_ for id_, items in before.items() if "ending" in items]
    assert pages
    clock.later(minutes=6)
    after = {id_: [item["id"] for item in block(client, id_)["items"]] for id_ in ids}
    assert not any("ending" in items for items in after.values())
    assert any("embargoed" in items for items in after.values())
    assert block(client, "embargoed")["items"]


def test_head_is_get_without_a_body(served: Served) -> None:
    """The same headers, no body; on both ways."""
    client = served()
    for _ in range(2):
        head, get = client.head("/v1/articles/t000/similar"), client.get("/v1/articles/t000/similar")
        assert head.content == b""
        for name in ("etag", "content-length", "cache-control", "content-type"):
            assert head.headers[name] == get.headers[name]


def test_a_batch_names_what_is_missing(served: Served) -> None:
    """Blocks in the order that was asked for, each once; unknown pages by name; GET and POST alike."""
    client = served()
    ids = ["t003", "nowhere", "t001", "t003"]
    got = client.get("/v1/similar", params={"ids": ids, "k": 2}).json()
    posted = client.post("/v1/similar:batch", json={"ids": ids, "k": 2})
    assert [one["id"] for one in got["blocks"]] == ["t003", "t001"]
    assert got["missing"] == ["nowhere"]
    assert got["blocks"][1] == block(client, "t001", k=2)
    assert posted.json() == got


def test_a_batch_has_a_limit(served: Served) -> None:
    """More ids than the setting allows are refused, and none is not enough."""
    client = served("max_batch = 2")
    assert client.get("/v1/similar", params={"ids": ["t001", "t002"]}).status_code == 200
    assert client.get("/v1/similar", params={"ids": ["t001", "t002", "t003"]}).status_code == 422
    assert client.post("/v1/similar:batch", json={"ids": ["t001"], "k": True}).status_code == 422
    assert client.post("/v1/similar:batch", json={"ids": ["t001", "t002", "t003"]}).status_code == 422
    assert client.post("/v1/similar:batch", json={"ids": []}).status_code == 422


def test_articles_are_listed_page_by_page(served: Served) -> None:
    """By id, each public one once, with a cursor and a Link to the next page; no text of theirs, no state."""
    client = served()
    found: list[Any] = []
    address: str | None = "/v1/articles?limit=7"
    while address:
        response = client.get(address)
        found += response.json()["articles"]
        links = response.links
        address = links["next"]["url"] if links else None
        assert bool(address) == (response.json()["next"] is not None)
    ids = [article["id"] for article in found]
    assert ids == sorted(ids)
    assert {*ids} == {*(f"t{number:03}" for number in range(40)), "ending", *ODD}
    assert not {"body", "status", "extra", "embargo_until"} & found[0].keys()


def test_a_cursor_outlives_changes(served: Served) -> None:
    """A cursor that is none is refused; one of an article that is gone goes on where it stood."""
    client = served()
    assert client.get("/v1/articles", params={"cursor": "%%%"}).status_code == 422
    assert client.get("/v1/articles", params={"cursor": b"t000a".hex()}).json()["articles"][0]["id"] == "t001"


@pytest.mark.parametrize(
    "query", ["k=0", "k=101", "k=x", "format=xml", "explain=maybe", "unknown=1", "exclude=a&" * 101]
)
def test_what_cannot_be_meant_is_refused(served: Served, query: str) -> None:
    """A value out of range, or a parameter that there is not: 422 that names it."""
    response = served().get(f"/v1/articles/t000/similar?{query}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["where"] in query


def test_absolute_addresses_in_lists(served: Served) -> None:
    """Lists have the site's own address, where it is known; a block's links are as its page needs them."""
    client = served(more='[site]\nurl = "https://news.example"\n')
    assert client.get("/v1/articles/t000").json()["url"] == "https://news.example/news/t000.html"
    assert block(client, "t000")["items"][0]["url"].startswith("t0")


def test_the_moment_is_looked_at_with_a_margin_of_nothing(served: Served, clock: Clock) -> None:
    """At the very moment of its expiry an article is gone, a microsecond before it is there."""
    client = served()
    clock.now = NOW + timedelta(seconds=30) - timedelta(microseconds=1)
    assert client.get("/v1/articles/ending").status_code == 200
    clock.later(microseconds=1)
    assert client.get("/v1/articles/ending").status_code == 404
