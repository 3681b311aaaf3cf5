"""Nothing unpublished leaves: not by a route, a guessed id, a reason, a header or a difference in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from simrec.ingest.record import to_article
from simrec.pipeline.publish import Pipeline
from simrec.serve.seen import pack
from simrec.settings import IngestSettings
from simrec.store import StoredBlock, StoredItem

from .conftest import SECRET, Clock, town_article, unpublished

HIDDEN = [article["id"] for article in unpublished()]
ADDRESSES = (
    "/v1/articles/{}/similar",
    "/v1/articles/{}/similar?format=html",
    "/v1/articles/{}/similar?format=jsonld&explain=true",
    "/v1/articles/{}/similar?exclude=t001",
    "/v1/articles/{}",
)
Served = Callable[..., TestClient]


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_hidden_article_is_as_one_that_does_not_exist(served: Served, address: str, hidden: str) -> None:
    """Whoever guesses its id gets the bytes and headers of an unknown one, but for the request's own number."""
    client = served()
    found = [client.get(address.format(id_)) for id_ in (hidden, "no-such-article")]
    answers = []
    for response in found:
        body = {name: value for name, value in response.json().items() if name != "request_id"}
        headers = {name: value for name, value in response.headers.items() if name != "x-request-id"}
        answers.append((response.status_code, body, headers))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


@pytest.mark.parametrize("scope", ["read", "publish", "edit", "admin"])
def test_a_key_makes_no_difference_to_readers_routes(served: Served, scope: str) -> None:
    """Drafts are for the desk: what readers' routes give does not hang on who asks."""
    client = served()
    key = client.app.state.service.store.create_key("somebody", [scope]).secret  # type: ignore[attr-defined]
    client.app.state.service.keyring.refresh()  # type: ignore[attr-defined]
    assert client.get("/v1/articles/draft/similar", headers={"authorization": f"Bearer {key}"}).status_code == 404


def test_no_answer_holds_a_word_of_it(served: Served) -> None:
    """Blocks of all pages in all formats, batches and lists, with reasons: the word that unpublished articles share."""
    client = served()
    pages = [article["id"] for article in client.get("/v1/articles?limit=500").json()["articles"]]
    addresses = [f"/v1/articles?limit={n}" for n in (1, 500)]
    addresses += [f"/v1/articles/{page}/similar?{query}" for page in pages[:45] for query in QUERIES if "." not in page]
    addresses += ["/v1/similar?explain=true&ids=" + "&ids=".join([*HIDDEN, "t000"]), "/openapi.json", "/readyz"]
    for address in addresses:
        response = client.get(address)
        said = response.text + str(response.headers)
        for hidden in HIDDEN if "ids=" not in address and address != "/openapi.json" else ():  # states are named alike
            assert f'"{hidden}"' not in said, address
        assert SECRET not in said, address


QUERIES = ("k=100", "k=100&explain=true", "format=html&k=100", "format=jsonld&k=100")


def test_a_batch_tells_hidden_and_unknown_alike(served: Served) -> None:
    """Both are only missing, and what caches may do with the answer is the same."""
    client = served()
    for hidden in HIDDEN:
        one, other = (client.get("/v1/similar", params={"ids": ["t000", id_]}) for id_ in (hidden, "unknown"))
        assert one.json()["missing"] == [hidden]
        assert one.headers["cache-control"] == other.headers["cache-control"]


def test_the_id_of_what_is_to_come_is_no_reason(served: Served) -> None:
    """An item that makes room for its scheduled copy says so in the store: readers do not see it, in any format."""
    client = served()
    service: Any = client.app.state.service  # type: ignore[attr-defined]
    items = (
        StoredItem("t004", 3.0, {"terms": ["bridge"], "parts": {"tfidf": 3.0}, "until": "embargoed"}),
        StoredItem("embargoed", 2.5, {"terms": [SECRET], "parts": {"tfidf": 2.5}}),
    )
    stored = StoredBlock("t000", items, f"2 of 5: {SECRET}")
    seen = service.shown.seen
    seen.packed["t000"] = pack(stored)
    for query in QUERIES:
        text = client.get(f"/v1/articles/t000/similar?{query}").text
        assert "t004" in text
        assert "embargoed" not in text
        assert SECRET not in text


def test_what_was_published_names_no_hidden_page(served: Served, clock: Clock) -> None:
    """Hidden pages have blocks, which follow as others do: who publishes hears of public ones, and of their own."""
    client = served()
    service: Any = client.app.state.service  # type: ignore[attr-defined]
    key = {"authorization": f"Bearer {service.store.create_key('CMS', ['publish']).secret}"}
    service.keyring.refresh()
    told, made = [], []
    for number in range(4):
        body = {name: value for name, value in town_article(4 * number).items() if name != "id"}
        done = client.put(f"/v1/articles/fresh{number}", json={**body, "title": f"{number}"}, headers=key).json()
        told += done["blocks"]
        made += service.store.blocks_at(done["snapshot"], done["revision"])
    assert {"fresh0", "fresh1"} <= set(told)
    assert set(HIDDEN) & set(made)
    assert not set(HIDDEN) & set(told)
    draft = client.put("/v1/articles/draft", json={"status": "draft"}, headers=key).json()
    assert set(draft["blocks"]) <= {"draft", *(id_ for id_ in made if id_ not in HIDDEN)}


def test_what_is_withdrawn_goes_from_answers_held_ready(served: Served, clock: Clock) -> None:
    """A withdrawn article leaves its own address and every block at the next look at the store, copies of bytes too."""
    client = served()
    service: Any = client.app.state.service  # type: ignore[attr-defined]
    first = client.get("/v1/articles/t000/similar").json()["items"][0]["id"]
    assert client.get("/v1/articles/t000/similar").status_code == 200
    with Pipeline(service.workspace, clock=clock) as pipeline:
        pipeline.withdraw(first)
    service.refresh()
    assert client.get(f"/v1/articles/{first}/similar").status_code == 404
    assert first not in [item["id"] for item in client.get("/v1/articles/t000/similar").json()["items"]]


def test_script_in_an_article_does_not_run(served: Served, clock: Clock) -> None:
    """Markup in title, excerpt and alternative text is text in HTML; an address that is a script is no link."""
    client = served()
    service: Any = client.app.state.service  # type: ignore[attr-defined]
    evil = town_article(200) | {"id": "evil", "title": '<script>alert("1")</script>', "url": "javascript:alert(1)"}
    evil |= {"image": "javascript:alert(2)", "image_alt": '"><img src=x onerror=alert(3)>'}
    article = to_article(evil, IngestSettings())
    assert not isinstance(article, str)
    with Pipeline(service.workspace, clock=clock) as pipeline:
        pipeline.publish(article)
    service.refresh()
    pages = [f"/v1/articles/t{number:03}/similar?format=" for number in range(40)]
    page = next(page for page in pages if "alert" in client.get(f"{page}html").text)
    html = client.get(f"{page}html").text
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "javascript:" not in html
    assert "onerror=alert(3)>" not in html
    assert "</script" not in client.get(f"{page}jsonld").text
