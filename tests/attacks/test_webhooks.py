"""Webhooks attacked: forged, changed, sent again, and with texts that should run."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

import pytest

from .site import GHOST, PAGE, RECORDS, WORDPRESS, Answer, Site, similar
from .test_content import SCRIPTS, SQL, dangers


def ghost(body: bytes, moment: float, secret: str = GHOST) -> str:
    """The signature that Ghost sends."""
    at = str(int(moment * 1000))
    return f"sha256={hmac.new(secret.encode(), body + at.encode(), hashlib.sha256).hexdigest()}, t={at}"


def post(site: Site, sender: str, body: bytes, signature: str | None) -> Answer:
    """A webhook."""
    name = "x-ghost-signature" if sender == "ghost" else "x-hub-signature-256"
    headers = {name: signature} if signature is not None else {}
    return site.ask("POST", f"/v1/webhooks/{sender}", body=body, headers=headers)


@pytest.mark.attack(
    "forged webhooks", "401 before the body is read: no signature, of another body, secret, kind or moment, or empty"
)
def test_forged_webhooks(site: Site) -> None:
    """Nothing is done that the secret has not signed, and a key is no replacement for it."""
    before, now = site.articles(), time.time()
    body = json.dumps({"post": {"current": {"id": "w", "title": "a", "html": "b", "status": "published"}}}).encode()
    digest = hmac.new(WORDPRESS.encode(), body, hashlib.sha256).hexdigest()
    good = ghost(body, now)
    tries = [
        None,
        "",
        "sha256=",
        f"sha256={'0' * 64}, t={int(now * 1000)}",
        ghost(b"{}", now),
        ghost(body, now, WORDPRESS),
    ]
    tries += [
        ghost(body, now, ""),
        ghost(body, now - 301),
        ghost(body, now + 400),
        good.partition(",")[0],
        f"{good}, {good}",
    ]
    tries += [good.replace("sha256", "sha1"), good.replace(f"t={int(now * 1000)}", f"t={int(now * 1000) + 1}")]
    for signature in tries:
        assert post(site, "ghost", body, signature).status == 401, signature
    for signature in (None, "", "sha256=", digest[:-1], digest[:-1] + "g", f"sha1={digest}", digest + digest, "=" * 44):
        assert post(site, "wordpress", body, signature).status == 401, signature
    assert site.ask("POST", "/v1/webhooks/ghost", key="admin", body=body).status == 401
    assert post(site, "ghost", b"[" * 60000, None).status == 401
    assert site.articles() == before


@pytest.mark.attack(
    "replayed webhooks", "the first answer again within the window, 401 beyond it; nothing is done twice"
)
def test_replayed_webhooks(site: Site) -> None:
    """A webhook that is sent again brings nothing back that was taken out since."""
    post_ = {
        "id": "replayed",
        "uuid": "u",
        "title": "A quay",
        "html": f"<p>{RECORDS[3]['body']}</p>",
        "status": "published",
    }
    post_ |= {"slug": "quay", "url": "https://news.example/quay/", "published_at": "2024-05-01T10:00:00.000Z"}
    body = json.dumps({"post": {"current": post_, "previous": {}}}).encode()
    signature = ghost(body, time.time())
    first = post(site, "ghost", body, signature)
    assert first.status == 200, first.text
    (id_,) = first.json()["articles"]
    assert site.ask("DELETE", f"/v1/articles/{id_}", key="publish").status == 200
    assert post(site, "ghost", body, signature).json() == first.json()
    assert site.get(f"/v1/articles/{id_}").status == 404
    draft = json.dumps(
        {"post": {"current": post_ | {"id": "secret-draft", "status": "draft"}, "previous": {}}}
    ).encode()
    assert post(site, "ghost", draft, ghost(draft, time.time())).status == 204
    assert site.get("/v1/articles/secret-draft").status == 404


@pytest.mark.attack("script and SQL by webhook", "text, as by PUT; an address that is a script is left out")
@pytest.mark.parametrize(("number", "text"), list(enumerate([*SCRIPTS[:4], *SQL[:3]])))
def test_content_of_webhooks(site: Site, number: int, text: str) -> None:
    """What a CMS sends is trusted no more than what anybody sends."""
    post_ = {
        "id": f"evil-{number}",
        "title": f"{RECORDS[0]['title']} {text}",
        "html": f"<p>{RECORDS[0]['body']}</p>{text}",
        "status": "published",
    }
    post_ |= {
        "url": "javascript:alert(1)",
        "feature_image": "javascript:alert(1)",
        "tags": [{"name": text, "slug": text}],
    }
    body = json.dumps(
        {"post": {"current": post_ | {"published_at": "2024-05-01T10:00:00.000Z"}, "previous": {}}}
    ).encode()
    answer = post(site, "ghost", body, ghost(body, time.time()))
    assert answer.status in (200, 204, 422), answer.text
    for found in [site.get(f"{similar(PAGE)}?k=100&format={kind}") for kind in ("html", "json", "jsonld")]:
        assert found.status == 200
        assert "javascript:alert" not in found.text
        if "html" in found.headers["content-type"]:
            assert not dangers(found.text)
    for id_ in answer.json()["articles"] if answer.status == 200 else ():
        assert site.ask("DELETE", f"/v1/articles/{id_}", key="publish").status == 200
